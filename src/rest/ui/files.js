// The files that a connector has landed last, and the beginning of one of them.

import { get, of } from './api.js';
import { may } from './cluster.js';
import { h } from './dom.js';
import { ago, bytes, count } from './text.js';

export function fileTable(name, files, others) {
  const note = others.length > 0 && h('p', { class: 'muted' },
    `Tasks on other workers (${[...new Set(others.map((task) => task.worker_id))].join(', ')}) have landed files that those know of.`);
  if (!files?.length) {
    return [h('p', { class: 'muted' }, files ? 'None since the tasks were started on this worker.' : 'Asking …'), note];
  }
  const cell = (label, kind, ...inside) => h('td', { 'data-label': label, class: kind }, ...inside);
  return [
    h('table', { class: 'list', id: 'files' },
      h('caption', { class: 'hidden' }, 'Recent files'),
      h('thead', null, h('tr', null, ['File', 'Landed', 'Rows', 'Size', ''].map((title) =>
        h('th', { scope: 'col', class: ['Rows', 'Size'].includes(title) ? 'number' : null }, title || h('span', { class: 'hidden' }, 'Rows of it'))))),
      h('tbody', null, files.map((file) => h('tr', { 'data-key': `${file.task}/${file.number}` },
        h('th', { scope: 'row', class: 'path' }, file.path),
        cell('Landed', null, ago(file.at)),
        cell('Rows', 'number', count(file.rows)),
        cell('Size', 'number', bytes(file.bytes)),
        cell('', null, may.look() && h('button', { type: 'button', class: 'small', onclick: () => preview(name, file) }, 'Preview', h('span', { class: 'hidden' }, ` ${file.path}`))))))),
    note,
  ];
}

async function preview(name, file) {
  const inside = h('div', { class: 'preview' }, h('p', { class: 'muted' }, 'Reading …'));
  const close = h('button', { type: 'button', onclick: () => dialog.close() }, 'Close');
  const dialog = h('dialog', { class: 'wide', 'aria-labelledby': 'previewed' },
    h('h2', { id: 'previewed', class: 'path' }, file.path), inside, h('div', { class: 'row end' }, close));
  const before = document.activeElement;
  dialog.addEventListener('close', () => { dialog.remove(); before?.focus?.(); });
  document.body.append(dialog);
  dialog.showModal();
  try {
    inside.replaceChildren(...shown(await get(`ui/api/${of(name, `files/${file.task}/${file.number}`)}`)).flat().filter((part) => part));
  } catch (error) {
    inside.replaceChildren(h('p', { class: 'wrong', role: 'alert' }, `✖ ${error.message}`));
  }
}

function shown({ columns, rows, text, note }) {
  return [
    note && h('p', { class: 'muted' }, note),
    text !== null && h('pre', { tabindex: '0' }, text),
    columns.length > 0 && h('details', null, h('summary', null, `Schema: ${columns.length} columns`),
      h('div', { class: 'scroll' }, h('table', null,
        h('thead', null, h('tr', null, ['Column', 'Type', 'Null'].map((title) => h('th', { scope: 'col' }, title)))),
        h('tbody', null, columns.map((column) => h('tr', null,
          h('th', { scope: 'row' }, column.name), h('td', null, h('code', null, column.type)), h('td', null, column.nullable ? 'may be' : 'never'))))))),
    rows.length > 0 && h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Rows' }, h('table', { class: 'rows', id: 'rows' },
      h('thead', null, h('tr', null, columns.slice(0, rows[0].length).map((column) => h('th', { scope: 'col', title: column.type }, column.name)))),
      h('tbody', null, rows.map((row) => h('tr', null, row.map((value) => h('td', null, value === null ? h('span', { class: 'muted' }, 'null') : value))))))),
  ];
}
