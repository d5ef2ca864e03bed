// The page: which view is shown, how often it is drawn, and who is signed in.

import { hasToken, setToken } from './api.js';
import { EVERY, SOON, cluster, poll } from './cluster.js';
import { connectorView } from './connector.js';
import { goToTitle, h, show } from './dom.js';
import { formView } from './form.js';
import { overviewView } from './overview.js';

const main = document.getElementById('main');
let view = null;
let timer = null;
let signingIn = false;
// How often the worker is still asked sooner, as something was done whose end is to be seen.
let soon = 0;

document.getElementById('skip').onclick = () => main.focus();

// A view is `{title, draw, poll?, leave?}`; `draw` gives elements.
function viewOf(hash) {
  const parts = hash.replace(/^#\/?/, '').split('/').filter((part) => part);
  let name = null;
  try { name = parts[1] && decodeURIComponent(parts[1]); } catch { /* no name */ }
  if (parts[0] === 'new') return formView(null);
  if (parts[0] === 'connectors' && name) return parts[2] === 'edit' ? formView(name) : connectorView(name);
  return overviewView();
}

function header() {
  const { me, server } = cluster;
  return [
    h('a', { href: '#/', class: 'brand' }, h('strong', null, 'Landfall')),
    h('span', { class: 'muted grow' }, me && `${me.worker_id}${server?.kafka_cluster_id ? ` · Kafka cluster ${server.kafka_cluster_id}` : ''}`),
    me?.read_only && h('span', { class: 'tag', id: 'read-only' }, 'read-only'),
    me && me.name !== 'anonymous' && h('span', { class: 'muted', id: 'who' }, `${me.name} (${me.role})`),
    hasToken() && h('button', { type: 'button', class: 'small', onclick: signOut }, 'Forget the token'),
  ];
}

function signOut() {
  setToken(null);
  cluster.me = null;
  cluster.connectors = null;
  turn();
}

function draw() {
  show(document.getElementById('header'), header());
  const error = cluster.error && h('p', { class: 'banner', role: 'alert', 'data-key': 'banner' }, h('span', { 'aria-hidden': 'true' }, '✖ '), cluster.error);
  const had = document.activeElement !== document.body;
  show(main, error, cluster.connectors ? view.draw() : !cluster.error && h('p', { class: 'muted' }, 'Asking the worker …'));
  // What had the focus may be gone, such as a button to pause what is paused.
  if (had && document.activeElement === document.body) goToTitle();
}

// Asks for a token. What is typed is kept in memory, and nowhere else.
function signIn(error) {
  signingIn = true;
  const input = h('input', { id: 'token', type: 'password', autocomplete: 'off', spellcheck: 'false', 'aria-describedby': 'why' });
  const enter = (event) => {
    event.preventDefault();
    setToken(input.value);
    signingIn = false;
    main.replaceChildren();
    turn();
  };
  show(document.getElementById('header'), h('a', { href: '#/', class: 'brand' }, h('strong', null, 'Landfall')));
  main.replaceChildren(h('form', { class: 'panel narrow', onsubmit: enter },
    h('h1', { tabindex: '-1' }, 'Sign in'),
    h('p', { id: 'why' }, error.message),
    error.takesTokens
      ? [h('label', { for: 'token' }, 'Bearer token'), input, h('p', { class: 'help' }, 'It stays in this page’s memory and is gone when the page is.'),
        h('div', { class: 'row end' }, h('button', { type: 'submit', class: 'primary' }, 'Sign in'))]
      : h('p', null, 'Load the page again to be asked for a name and a password.')));
  input.focus();
}

async function turn() {
  clearTimeout(timer);
  if (signingIn) return;
  if (!document.hidden) {
    const asked = view;
    try {
      await poll();
      await asked.poll?.();
    } catch (error) {
      if (error.status === 401) return signIn(error);
      cluster.error = error.message;
    }
    if (view === asked) draw();
  }
  clearTimeout(timer);
  soon = Math.max(0, soon - 1);
  timer = setTimeout(turn, soon ? SOON : EVERY);
}

function go() {
  view?.leave?.();
  view = viewOf(location.hash);
  document.title = view.title === 'Landfall' ? view.title : `${view.title} – Landfall`;
  main.replaceChildren();
  if (cluster.connectors) {
    draw();
    goToTitle();
  }
  turn();
}

window.addEventListener('hashchange', go);
window.addEventListener('acted', () => { soon = 10; turn(); });
window.addEventListener('told', () => { if (!signingIn && cluster.connectors) draw(); });
document.addEventListener('visibilitychange', () => { if (!document.hidden) turn(); });
go();
