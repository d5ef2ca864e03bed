// Numbers, times and states as people read them.

import { h } from './dom.js';

const STATES = {
  RUNNING: ['▶', 'Running'],
  PAUSED: ['❚❚', 'Paused'],
  STOPPED: ['■', 'Stopped'],
  FAILED: ['✖', 'Failed'],
  UNASSIGNED: ['○', 'Unassigned'],
  RESTARTING: ['↻', 'Restarting'],
};

// A state as a sign and a word: never by its colour alone.
export function badge(state) {
  const [sign, word] = STATES[state] ?? ['?', String(state ?? 'Unknown')];
  return h('span', { class: `state ${STATES[state] ? state.toLowerCase() : ''}` }, h('span', { 'aria-hidden': 'true' }, sign), ` ${word}`);
}

export const word = (state) => STATES[state]?.[1] ?? state;

// The state of a connector as people mean it: it has failed if one of its tasks has.
export function stateOf(status) {
  const tasks = status?.tasks ?? [];
  if (tasks.some((task) => task.state === 'FAILED')) return 'FAILED';
  return status?.connector?.state ?? 'UNASSIGNED';
}

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

export const count = (n) => (n === null || n === undefined ? '–' : whole.format(n));

export function rate(n) {
  if (n === null || n === undefined) return '–';
  return n >= 10000 ? short.format(n) : n >= 10 || n === 0 ? whole.format(n) : n.toFixed(1);
}

export function bytes(n) {
  if (n === null || n === undefined) return '–';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  for (; n >= 1024 && unit < units.length - 1; unit += 1) n /= 1024;
  return `${unit === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)} ${units[unit]}`;
}

// How long ago a time was, with the time itself behind it.
export function ago(ms) {
  if (!ms) return '–';
  const seconds = Math.max(0, Math.round((Date.now() - ms) / 1000));
  const text = seconds < 60 ? `${seconds} s ago` : seconds < 3600 ? `${Math.round(seconds / 60)} min ago`
    : seconds < 172800 ? `${Math.round(seconds / 3600)} h ago` : `${Math.round(seconds / 86400)} days ago`;
  const time = new Date(ms);
  return h('time', { datetime: time.toISOString(), title: time.toLocaleString() }, text);
}

export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;
