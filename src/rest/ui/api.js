// Requests to the worker that the page comes from, and to nobody else.

const BASE = new URL('../', import.meta.url);

// A token that the user has given: kept in memory, and gone with the page.
let token = null;

export class Refused extends Error {
  constructor(status, message, takesTokens) {
    super(message);
    this.status = status;
    this.takesTokens = takesTokens;
  }
}

export function setToken(given) {
  token = given?.trim().replace(/^Bearer\s+/i, '') || null;
}

export const hasToken = () => token !== null;

// The path of a connector, and what is below it.
export const of = (name, below = '') => `connectors/${encodeURIComponent(name)}${below && `/${below}`}`;

async function send(method, path, body, signal) {
  const headers = {};
  if (token) headers.Authorization = `Bearer ${token}`;
  // Whatever changes something says that it is JSON, also without a body: no other page can send that unasked.
  if (method !== 'GET') headers['Content-Type'] = 'application/json';
  let answer;
  try {
    answer = await fetch(new URL(path, BASE), {
      method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body), cache: 'no-store', redirect: 'error',
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Refused(0, 'The worker does not answer.');
  }
  const text = await answer.text();
  if (answer.ok) return { text, kind: answer.headers.get('Content-Type') ?? '' };
  let message = text;
  try { message = JSON.parse(text).message ?? text; } catch { /* it is not JSON */ }
  const takesTokens = /bearer/i.test(answer.headers.get('WWW-Authenticate') ?? '');
  throw new Refused(answer.status, message || `HTTP ${answer.status}`, takesTokens);
}

// The answer as JSON, null if it has none; throws a Refused.
export async function ask(method, path, body, signal) {
  const { text, kind } = await send(method, path, body, signal);
  return text && kind.startsWith('application/json') ? JSON.parse(text) : null;
}

export const get = (path, signal) => ask('GET', path, undefined, signal);

export const getText = async (path) => (await send('GET', path)).text;
