// Elements from data. What comes from the API is put in as text, and nowhere as HTML.

const SVG = 'http://www.w3.org/2000/svg';
const HANDLERS = ['onclick', 'oninput', 'onchange', 'onsubmit', 'onkeydown', 'onblur', 'ontoggle'];

// An element with attributes, handlers (`onclick`, …) and children: elements, texts, lists of them; null and false are left out.
export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

// The same for a drawing.
export function s(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (HANDLERS.includes(name)) element[name] = value;
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

// Makes what is in `place` what `wanted` are, and touches only what differs: focus, selection and open details stay. An element with
// the attribute `data-key` stays the one that it was wherever it moves to; one with `data-own` is left to what is in it.
export function show(place, ...wanted) {
  children(place, wanted.flat(Infinity).filter((node) => node));
}

function children(place, wanted) {
  const keys = new Set(wanted.map((node) => node.dataset?.key));
  const keyed = new Map();
  for (const child of [...place.children]) {
    const key = child.dataset?.key;
    if (key && keys.has(key)) keyed.set(key, child);
    else if (key) child.remove();
  }
  let at = place.firstChild;
  for (const node of wanted) {
    const same = node.dataset?.key ? keyed.get(node.dataset.key) : at && !at.dataset?.key && alike(at, node) ? at : null;
    if (same && alike(same, node)) {
      if (same === at) at = at.nextSibling;
      else place.insertBefore(same, at);
      become(same, node);
    } else {
      place.insertBefore(node, at);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function alike(one, other) {
  return one.nodeType === other.nodeType && one.nodeName === other.nodeName;
}

function become(old, now) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== now.data) old.data = now.data;
    return;
  }
  // Whether details are open is up to who reads them.
  const kept = (name) => name === 'open' && old.nodeName === 'DETAILS';
  for (const { name } of [...old.attributes]) if (!now.hasAttribute(name) && !kept(name)) old.removeAttribute(name);
  for (const { name, value } of now.attributes) if (old.getAttribute(name) !== value && !kept(name)) old.setAttribute(name, value);
  for (const handler of HANDLERS) if (old[handler] !== now[handler]) old[handler] = now[handler];
  if (!now.dataset?.own) children(old, [...now.childNodes]);
}

// A line of the last values, with words for those who do not see it.
export function spark(values, label) {
  const known = values.filter((value) => value !== null);
  const most = Math.max(...known, 0);
  const [width, height] = [120, 28];
  const x = (i) => (values.length < 2 ? 0 : (i / (values.length - 1)) * width);
  const y = (value) => height - 2 - (most > 0 ? (value / most) * (height - 4) : 0);
  const points = values.map((value, i) => (value === null ? null : `${x(i).toFixed(1)},${y(value).toFixed(1)}`));
  return s('svg', { class: 'spark', viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label, preserveAspectRatio: 'none' },
    known.length > 1 && s('polyline', { points: points.filter((point) => point).join(' ') }));
}

// Asks before something is done; with `name`, only whoever types it can go on. Gives whether to go on.
export function confirmed({ title, text, action, name }) {
  return new Promise((done) => {
    const input = name && h('input', { id: 'typed', autocomplete: 'off', spellcheck: 'false', oninput: () => { go.disabled = input.value !== name; } });
    const go = h('button', { type: 'submit', class: 'danger', disabled: Boolean(name) }, action);
    const dialog = h('dialog', { 'aria-labelledby': 'asked' },
      h('form', { method: 'dialog', onsubmit: (event) => { event.preventDefault(); if (!go.disabled) dialog.close('go'); } },
        h('h2', { id: 'asked' }, title),
        h('p', null, text),
        name && h('label', { for: 'typed' }, 'Type the name to go on: ', h('code', null, name)),
        input,
        h('div', { class: 'row end' },
          h('button', { type: 'button', onclick: () => dialog.close('') }, 'Cancel'), go)));
    const before = document.activeElement;
    dialog.addEventListener('close', () => {
      dialog.remove();
      before?.focus?.();
      done(dialog.returnValue === 'go');
    });
    document.body.append(dialog);
    dialog.showModal();
    (input ?? dialog.querySelector('button[type=button]')).focus();
  });
}

// Leads the keyboard, and whoever listens, to the title of what is shown now.
export function goToTitle() {
  document.querySelector('main h1')?.focus();
}

let silence;

// Says what has happened, also to those who do not see it.
export function say(text, isError) {
  const said = document.getElementById('said');
  said.className = isError ? 'said shown wrong' : 'said shown';
  said.replaceChildren(h('span', { 'aria-hidden': 'true' }, isError ? '✖ ' : '✔ '), text);
  clearTimeout(silence);
  silence = setTimeout(() => { said.className = 'said'; }, isError ? 12000 : 5000);
}
