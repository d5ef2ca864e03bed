// What the page knows of the cluster, as the worker told it last, and what users do to it.

import { ask, get, getText, of } from './api.js';
import { say } from './dom.js';
import { History, figures, parse } from './metrics.js';

// How often the worker is asked, in milliseconds.
export const EVERY = 3000;
// The same after something was done.
export const SOON = 600;

export const cluster = {
  // Who asks whom: `{name, role, read_only, worker_id, version, distributed}`.
  me: null,
  // The worker's `/`.
  server: null,
  // Of each connector `{name, info, status}`, by name; null before the first answer.
  connectors: null,
  samples: [],
  figures: new Map(),
  history: new History(),
  // The last file that tasks on this worker have landed, by connector.
  files: {},
  // Why the last poll failed.
  error: null,
};

// Asks for everything that all views show. Throws only what asks for a sign-in.
export async function poll() {
  try {
    if (!cluster.me) [cluster.me, cluster.server] = await Promise.all([get('ui/api/me'), get('')]);
    const [connectors, text, files] = await Promise.all([
      get('connectors?expand=status&expand=info'), getText('ui/api/metrics'), get('ui/api/files'),
    ]);
    const named = Object.entries(connectors).map(([name, { info, status }]) => ({ name, info, status }));
    cluster.connectors = named.sort((one, other) => one.name.localeCompare(other.name));
    cluster.files = files;
    cluster.samples = parse(text);
    cluster.figures = figures(cluster.samples);
    cluster.history.add(Date.now(), cluster.figures);
    cluster.error = null;
  } catch (error) {
    if (error.status === 401) throw error;
    cluster.error = error.message;
  }
}

export const find = (name) => cluster.connectors?.find((connector) => connector.name === name);

// What the user may do here; what they may not is not shown.
export const may = {
  look: () => ['operator', 'admin'].includes(cluster.me?.role),
  operate: () => may.look() && !cluster.me.read_only,
  change: () => cluster.me?.role === 'admin' && !cluster.me.read_only,
};

// The tasks of a connector that run on other workers, whose figures and files this one does not know.
export const elsewhere = (status) => (status?.tasks ?? []).filter((task) => task.worker_id !== cluster.me?.worker_id);

const ACTIONS = {
  pause: ['PUT', 'pause', 'is being paused'],
  resume: ['PUT', 'resume', 'is being resumed'],
  stop: ['PUT', 'stop', 'is being stopped'],
  restart: ['POST', 'restart?includeTasks=true&onlyFailed=false', 'and its tasks are being restarted'],
  remove: ['DELETE', '', 'is deleted'],
  reset: ['DELETE', 'offsets', 'has no offsets any more'],
};

// Does one of ACTIONS to a connector; whether that worked.
export function act(action, name) {
  const [method, below, done] = ACTIONS[action];
  return attempt(() => ask(method, of(name, below)), (answer) => answer?.message ?? `${name} ${done}.`);
}

export function restartTask(name, task) {
  return attempt(() => ask('POST', of(name, `tasks/${task}/restart`)), () => `Task ${task} of ${name} is being restarted.`);
}

async function attempt(request, done) {
  try {
    say(done(await request()));
    return true;
  } catch (error) {
    say(error.message, true);
    return false;
  } finally {
    window.dispatchEvent(new Event('acted'));
  }
}
