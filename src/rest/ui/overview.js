// The cluster at a glance, and its connectors.

import { cluster, elsewhere, may } from './cluster.js';
import { h, show, spark } from './dom.js';
import { ago, badge, bytes, count, plural, rate, stateOf, word } from './text.js';

export const linkTo = (name, below = '') => `#/connectors/${encodeURIComponent(name)}${below}`;

export function overviewView() {
  let wanted = '';
  let state = '';
  let place = null;

  function matches(connector) {
    return connector.name.toLowerCase().includes(wanted.toLowerCase()) && (!state || stateOf(connector.status) === state);
  }

  // The filter is one of the elements that stay: what is typed into it is not drawn again.
  const filter = h('div', { class: 'row', 'data-key': 'filter' },
    h('label', { class: 'hidden', for: 'filter' }, 'Name contains'),
    h('input', { id: 'filter', type: 'search', placeholder: 'Name contains …', oninput: (event) => { wanted = event.target.value; again(); } }),
    h('label', { class: 'hidden', for: 'of-state' }, 'State'),
    h('select', { id: 'of-state', onchange: (event) => { state = event.target.value; again(); } },
      h('option', { value: '' }, 'All states'),
      ['RUNNING', 'PAUSED', 'STOPPED', 'FAILED', 'UNASSIGNED', 'RESTARTING'].map((of) => h('option', { value: of }, word(of)))));
  filter.dataset.own = 'true';

  const list = h('div', { 'data-key': 'list', 'data-own': 'true' });

  function again() {
    place = list;
    const found = cluster.connectors.filter(matches);
    show(place, found.length ? table(found) : h('p', { class: 'muted' }, cluster.connectors.length ? 'No connector is like that.' : 'There are no connectors yet.'));
  }

  return {
    title: 'Landfall',
    draw() {
      again();
      return [
        h('div', { class: 'row' }, h('h1', { tabindex: '-1', class: 'grow' }, 'Connectors'),
          may.change() && h('a', { class: 'button primary', href: '#/new' }, 'New connector')),
        glance(),
        cluster.connectors.length > 1 && filter,
        list,
      ];
    },
  };
}

function glance() {
  const { connectors, figures, history } = cluster;
  const tasks = connectors.flatMap(({ status }) => status?.tasks ?? []);
  const workers = new Set([cluster.me.worker_id, ...tasks.map((task) => task.worker_id)]);
  const failed = tasks.filter((task) => task.state === 'FAILED').length;
  const own = figures.get('') ?? {};
  const others = tasks.length - tasks.filter((task) => task.worker_id === cluster.me.worker_id).length;
  const scope = workers.size > 1 ? ' here' : '';
  const card = (label, value, more) => h('div', { class: 'card' }, h('dt', null, label), h('dd', null, value, more && h('span', { class: 'muted' }, more)));
  return h('section', { 'aria-label': 'At a glance' },
    h('dl', { class: 'cards' },
      card('Workers', count(workers.size), cluster.me.distributed ? ' in the cluster' : ' standalone'),
      card('Connectors', count(connectors.length)),
      card('Tasks', count(tasks.length), failed ? h('span', { class: 'wrong' }, ` ✖ ${failed} failed`) : tasks.length ? ' none failed' : null),
      card(`Rows per second${scope}`, rate(history.rate('', 'sent'))),
      card(`Lag${scope}`, count(own.lag), own.lag === undefined ? null : ' records'),
      card(`Memory${scope}`, bytes(own.memory), own.memoryLimit ? ` of ${bytes(own.memoryLimit)}` : null)),
    others > 0 && h('p', { class: 'muted' },
      `Rows, lag and files are of the tasks on ${cluster.me.worker_id}, whose page this is; ${plural(others, 'task')} on other workers: ask those.`));
}

function table(connectors) {
  const head = ['Name', 'State', 'Tasks', 'Lag', 'Rows per second', 'Last landed file'];
  const number = new Set(['Tasks', 'Lag', 'Rows per second']);
  return h('table', { class: 'list' },
    h('caption', { class: 'hidden' }, 'Connectors'),
    h('thead', null, h('tr', null, head.map((title) => h('th', { scope: 'col', class: number.has(title) ? 'number' : null }, title)))),
    h('tbody', null, connectors.map(row)));
}

function row({ name, status }) {
  const { figures, history, files } = cluster;
  const tasks = status?.tasks ?? [];
  const running = tasks.filter((task) => task.state === 'RUNNING').length;
  const file = files[name];
  const away = elsewhere(status).length > 0;
  const cell = (label, kind, ...inside) => h('td', { 'data-label': label, class: kind }, ...inside);
  return h('tr', { 'data-key': name },
    h('th', { scope: 'row' }, h('a', { href: linkTo(name) }, name)),
    cell('State', null, badge(stateOf(status))),
    cell('Tasks', 'number', tasks.length ? `${running} of ${tasks.length} running` : '–'),
    cell('Lag', 'number', count(figures.get(name)?.lag), away && '*'),
    cell('Rows per second', 'number', h('span', { class: 'sparked' },
      spark(history.rates(name, 'sent').slice(-40), 'Rows per second over the last polls'), h('span', null, rate(history.rate(name, 'sent')), away && '*'))),
    cell('Last landed file', 'file', file ? [ago(file.at), h('span', { class: 'muted path', title: file.path }, file.path)] : '–', away && !file && ' (not on this worker)'));
}
