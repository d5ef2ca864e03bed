// What the worker counts, from the text format of Prometheus.

// The names that the page reads, each as the worker may call it (landfall.metrics.names), and how the page calls it.
const NAMES = {
  kafka_connect_sink_task_metrics_sink_record_send_total: 'sent',
  kafka_connect_sink_task_sink_record_send_total: 'sent',
  landfall_task_landed_rows_total: 'rows',
  landfall_task_landed_files_total: 'files',
  landfall_task_landed_bytes_total: 'bytes',
  landfall_task_open_files: 'open',
  landfall_sink_lag_records: 'lag',
  landfall_sink_lag_seconds: 'late',
  landfall_worker_memory_bytes: 'memory',
  landfall_worker_memory_limit_bytes: 'memoryLimit',
};

// Figures that are the most of their series, not the sum.
const MOST = new Set(['late']);

// The samples of NAMES: `{figure, labels, value}` each.
export function parse(text) {
  const samples = [];
  for (const line of text.split('\n')) {
    const end = line.search(/[{ ]/);
    const figure = end > 0 && line[0] !== '#' ? NAMES[line.slice(0, end)] : undefined;
    if (!figure) continue;
    const [labels, after] = line[end] === '{' ? labelsOf(line, end + 1) : [{}, end];
    const value = Number(line.slice(after).trim().split(' ')[0]);
    if (Number.isFinite(value)) samples.push({ figure, labels, value });
  }
  return samples;
}

// The labels that begin at `at`, and where they end.
function labelsOf(line, at) {
  const labels = {};
  while (at < line.length && line[at] !== '}') {
    const equals = line.indexOf('=', at);
    if (equals < 0) break;
    const name = line.slice(at, equals).replace(/^,/, '').trim();
    let value = '';
    for (at = equals + 2; at < line.length && line[at] !== '"'; at += 1) {
      if (line[at] !== '\\') { value += line[at]; continue; }
      at += 1;
      value += line[at] === 'n' ? '\n' : line[at];
    }
    labels[name] = value;
    at += 1;
  }
  return [labels, at + 1];
}

// The figures of the worker (under ''), of each connector (under its name) and of each of its tasks (under name, newline, number).
export function figures(samples) {
  const all = new Map();
  const add = (key, figure, value) => {
    const of = all.get(key) ?? {};
    const before = of[figure];
    of[figure] = before === undefined ? value : MOST.has(figure) ? Math.max(before, value) : before + value;
    all.set(key, of);
  };
  for (const { figure, labels, value } of samples) {
    add('', figure, value);
    if (labels.connector === undefined) continue;
    add(labels.connector, figure, value);
    if (labels.task !== undefined) add(`${labels.connector}\n${labels.task}`, figure, value);
  }
  return all;
}

// The lag of each partition of a connector.
export function lags(samples, connector) {
  const all = new Map();
  for (const { figure, labels, value } of samples) {
    if (figure === 'lag' && labels.connector === connector) all.set(`${labels.topic}\n${labels.partition}`, value);
  }
  return all;
}

// The figures of the last polls, as many as a sparkline shows.
export class History {
  constructor(most = 120) {
    this.most = most;
    this.polls = [];
  }

  add(at, all) {
    this.polls.push({ at, all });
    if (this.polls.length > this.most) this.polls.shift();
  }

  // What a figure was at each poll; null where it was not there.
  values(key, figure) {
    return this.polls.map(({ all }) => all.get(key)?.[figure] ?? null);
  }

  // By how much a counter rose a second between each two polls; null where it fell, as its task began anew.
  rates(key, figure) {
    return this.polls.slice(1).map(({ at, all }, i) => {
      const before = this.polls[i];
      const [now, then] = [all.get(key)?.[figure], before.all.get(key)?.[figure]];
      if (now === undefined || then === undefined || now < then || at <= before.at) return null;
      return ((now - then) * 1000) / (at - before.at);
    });
  }

  // The same over the last `ms` milliseconds, as one number.
  rate(key, figure, ms = 15000) {
    const last = this.polls.at(-1);
    if (!last) return null;
    const now = last.all.get(key)?.[figure];
    const began = this.polls.find(({ at, all }) => at >= last.at - ms && all.get(key)?.[figure] <= now);
    if (!began || began === last) return null;
    return ((now - began.all.get(key)[figure]) * 1000) / (last.at - began.at);
  }
}
