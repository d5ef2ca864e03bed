// One connector: its tasks, figures, files, offsets and configuration.

import { get, of } from './api.js';
import { act, cluster, elsewhere, find, may, restartTask } from './cluster.js';
import { confirmed, h, spark } from './dom.js';
import { fileTable } from './files.js';
import { lags } from './metrics.js';
import { linkTo } from './overview.js';
import { badge, count, rate, stateOf } from './text.js';

const HIDDEN = '[hidden]';

export function connectorView(name) {
  let files = null;
  let offsets = null;
  let why = null;
  let topics = null;
  let turn = 0;
  let asking = false;
  // Ended while the connector is being deleted: what is asked of one that is gone is an error on the console.
  let reads = new AbortController();
  const read = (path) => get(path, reads.signal);

  async function remove() {
    reads.abort();
    if (await act('remove', name)) location.hash = '#/';
    else reads = new AbortController();
  }

  // The worker asks Kafka for these each time, and may have to wait: nothing else waits for them.
  async function askKafka() {
    if (asking) return;
    asking = true;
    [offsets, why] = await read(of(name, 'offsets')).then((answer) => [answer.offsets, null], (error) => [null, error.message]);
    asking = false;
    window.dispatchEvent(new Event('told'));
  }

  return {
    title: name,
    async poll() {
      if (!find(name) || reads.signal.aborted) return;
      if (turn % 3 === 0) askKafka();
      turn += 1;
      files = await read(`ui/api/${of(name, 'files')}`).catch(() => null);
      topics = await read(of(name, 'topics')).then((answer) => answer[name]?.topics ?? [], () => null);
    },
    draw() {
      const connector = find(name);
      if (!connector) {
        return [h('h1', { tabindex: '-1' }, name), h('p', null, 'There is no connector of this name (any more). '), h('p', null, h('a', { href: '#/' }, 'All connectors'))];
      }
      const { info, status } = connector;
      return [
        h('nav', { 'aria-label': 'Way back' }, h('a', { href: '#/' }, '← All connectors')),
        h('div', { class: 'row' },
          h('h1', { tabindex: '-1', class: 'name' }, name), badge(stateOf(status)),
          h('div', { class: 'actions' }, actions(name, status, remove, () => { turn = 0; }))),
        h('p', { class: 'muted' }, `${info?.config['connector.class'] ?? ''} on ${status?.connector?.worker_id ?? 'no worker'}`),
        status?.connector?.trace && h('details', { open: true, 'data-key': 'trace' }, h('summary', { class: 'wrong' }, '✖ Why the connector has failed'), h('pre', { tabindex: '0' }, status.connector.trace)),
        section('Figures', charts(name, status)),
        section('Tasks', tasks(name, status)),
        section('Recent files', fileTable(name, files, elsewhere(status))),
        section('Offsets', offsetTable(name, status, offsets, why, () => { turn = 0; })),
        topics && section('Topics', h('p', null, topics.length ? topics.join(', ') : 'No records so far.')),
        section('Configuration', configTable(info?.config ?? {})),
      ];
    },
  };
}

const section = (title, ...inside) => h('section', { class: 'panel', 'data-key': title }, h('h2', null, title), ...inside);

function actions(name, status, remove, acted) {
  if (!may.operate()) return [];
  const target = status?.connector?.state;
  const button = (label, run, kind) => h('button', { type: 'button', class: kind, 'data-key': label, onclick: async () => { await run(); acted(); } }, label);
  const stop = async () => {
    const text = 'Its tasks end, and files that are open are dropped, to be read again. Its configuration and offsets stay.';
    if (await confirmed({ title: `Stop ${name}?`, text, action: 'Stop' })) await act('stop', name);
  };
  const ask = async () => {
    const text = 'Its configuration is gone. Files that have landed stay, and so do the offsets of its group.';
    if (await confirmed({ title: `Delete ${name}?`, text, action: 'Delete', name })) await remove();
  };
  return [
    target !== 'PAUSED' && target !== 'STOPPED' && button('Pause', () => act('pause', name)),
    (target === 'PAUSED' || target === 'STOPPED') && button('Resume', () => act('resume', name)),
    target !== 'STOPPED' && button('Stop', stop),
    target !== 'STOPPED' && button('Restart', () => act('restart', name)),
    may.change() && h('a', { class: 'button', href: linkTo(name, '/edit'), 'data-key': 'Edit' }, 'Edit'),
    may.change() && button('Delete', ask, 'danger'),
  ];
}

function charts(name, status) {
  const { figures, history } = cluster;
  const own = figures.get(name);
  if (!own) return h('p', { class: 'muted' }, 'No task of it is on this worker.');
  const chart = (label, now, values, unit) => h('div', { class: 'card' }, h('dt', null, label), h('dd', null, now, unit && h('span', { class: 'muted' }, unit)),
    spark(values, `${label}, over the last polls: now ${now}`));
  return [
    h('dl', { class: 'cards' },
      chart('Rows per second', rate(history.rate(name, 'sent')), history.rates(name, 'sent')),
      own.lag !== undefined && chart('Lag', count(own.lag), history.values(name, 'lag'), ' records'),
      own.late !== undefined && chart('Behind', count(own.late), history.values(name, 'late'), ' s'),
      chart('Landed rows', count(own.rows), history.values(name, 'rows')),
      chart('Landed files', count(own.files), history.values(name, 'files')),
      chart('Open files', count(own.open), history.values(name, 'open'))),
    elsewhere(status).length > 0 && h('p', { class: 'muted' }, 'These are of the tasks on this worker alone.'),
  ];
}

function tasks(name, status) {
  const all = status?.tasks ?? [];
  if (!all.length) return h('p', { class: 'muted' }, 'It has no tasks now.');
  const { figures, history } = cluster;
  const cell = (label, kind, ...inside) => h('td', { 'data-label': label, class: kind }, ...inside);
  const row = (task) => {
    const key = `${name}\n${task.id}`;
    return [
      h('tr', { 'data-key': `task ${task.id}` },
        h('th', { scope: 'row' }, `Task ${task.id}`),
        cell('State', null, badge(task.state)),
        cell('Worker', null, task.worker_id),
        cell('Rows per second', 'number', rate(history.rate(key, 'sent'))),
        cell('Lag', 'number', count(figures.get(key)?.lag)),
        cell('', null, may.operate() && h('button', { type: 'button', class: 'small', onclick: () => restartTask(name, task.id) }, 'Restart', h('span', { class: 'hidden' }, ` task ${task.id}`)))),
      task.trace && h('tr', { class: 'wide', 'data-key': `trace ${task.id}` }, h('td', { colspan: '6' },
        h('details', { open: true }, h('summary', { class: 'wrong' }, `✖ Why task ${task.id} has failed`), h('pre', { class: 'trace', tabindex: '0' }, task.trace)))),
    ];
  };
  return h('table', { class: 'list', id: 'tasks' },
    h('caption', { class: 'hidden' }, 'Tasks'),
    h('thead', null, h('tr', null, ['Task', 'State', 'Worker', 'Rows per second', 'Lag', ''].map((title) =>
      h('th', { scope: 'col', class: ['Rows per second', 'Lag'].includes(title) ? 'number' : null }, title || h('span', { class: 'hidden' }, 'Restart'))))),
    h('tbody', null, all.map(row)));
}

function offsetTable(name, status, offsets, why, acted) {
  const stopped = status?.connector?.state === 'STOPPED';
  const reset = async () => {
    const text = 'The connector’s group forgets where it was. Resumed, the connector begins where its configuration says, and may land records again.';
    if (await confirmed({ title: `Reset the offsets of ${name}?`, text, action: 'Reset offsets', name })) {
      await act('reset', name);
      acted();
    }
  };
  const behind = lags(cluster.samples, name);
  const cell = (label, ...inside) => h('td', { 'data-label': label, class: 'number' }, ...inside);
  return [
    why && h('p', { class: 'wrong' }, `✖ ${why}`),
    !why && !offsets?.length && h('p', { class: 'muted' }, offsets ? 'The group has none.' : 'Asking …'),
    offsets?.length > 0 && h('table', { class: 'list', id: 'offsets' },
      h('caption', { class: 'hidden' }, 'Offsets'),
      h('thead', null, h('tr', null, h('th', { scope: 'col' }, 'Partition'), ['Offset', 'Lag'].map((title) => h('th', { scope: 'col', class: 'number' }, title)))),
      h('tbody', null, offsets.map(({ partition, offset }) => h('tr', { 'data-key': `${partition.kafka_topic}/${partition.kafka_partition}` },
        h('th', { scope: 'row' }, `${partition.kafka_topic}, ${partition.kafka_partition}`),
        cell('Offset', count(offset.kafka_offset)),
        cell('Lag', count(behind.get(`${partition.kafka_topic}\n${partition.kafka_partition}`))))))),
    may.change() && h('div', { class: 'row' },
      h('button', { type: 'button', class: 'danger', disabled: !stopped, 'aria-describedby': 'reset-why', onclick: reset }, 'Reset offsets'),
      h('span', { id: 'reset-why', class: 'muted' }, stopped ? 'It is asked again before anything is done.' : 'Stop the connector first.')),
  ];
}

function configTable(config) {
  const value = (text) => {
    if (text === HIDDEN) return h('span', { class: 'tag' }, 'a secret, not shown');
    if (/\$\{[^}]*:[^}]*\}/.test(text)) return [h('code', null, text), ' ', h('span', { class: 'tag' }, 'placeholder')];
    return h('code', null, text);
  };
  return h('table', { class: 'config', id: 'config' },
    h('caption', { class: 'hidden' }, 'Configuration'),
    h('tbody', null, Object.entries(config).map(([key, text]) => h('tr', { 'data-key': key }, h('th', { scope: 'row' }, key), h('td', null, value(text))))));
}
