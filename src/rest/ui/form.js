// A connector being made or changed: fields from the definitions of its class, looked at by the worker while they are filled in.

import { ask, get, of } from './api.js';
import { cluster, find, may, poll } from './cluster.js';
import { goToTitle, h, say, show } from './dom.js';
import { linkTo } from './overview.js';
import { plural } from './text.js';

const HIDDEN = '[hidden]';
const CLASS = 'connector.class';
// How long nothing is typed before the worker is asked.
const PAUSE = 350;

export function formView(name) {
  const isNew = name === null;
  // What the user wants: keys that have a value.
  let config = null;
  let classes = [];
  // What the worker said last: `{error_count, groups, configs}`.
  let checked = null;
  // What it said if it could not look.
  let refused = null;
  // Where each key is: in sight or among the others. It stays there, so that no field moves while it is filled in.
  const places = new Map();
  let asJson = false;
  let jsonError = null;
  let initial = 'RUNNING';
  let timer = null;
  let asking = null;
  let saving = false;
  // What was stored of secrets is kept by what they are shown as.
  const stored = new Set();

  const place = h('div', { 'data-key': `form ${name ?? ''}`, 'data-own': 'true' });
  const back = isNew ? '#/' : linkTo(name);

  async function begin() {
    classes = (await get('connector-plugins')).filter((plugin) => plugin.type === 'sink').map((plugin) => plugin.class);
    if (isNew) {
      config = { 'tasks.max': '1' };
    } else {
      const info = find(name)?.info ?? await get(of(name));
      config = { ...info.config, name };
      for (const [key, value] of Object.entries(config)) if (value === HIDDEN) stored.add(key);
    }
    render();
    if (document.activeElement === document.body) goToTitle();
    await check();
  }

  function set(key, value) {
    if (value === '' && stored.has(key)) config[key] = HIDDEN;
    else if (value === '') delete config[key];
    else config[key] = value;
    later();
  }

  function later() {
    clearTimeout(timer);
    timer = setTimeout(check, PAUSE);
  }

  // Has the worker look at what there is; whether it found nothing wrong.
  async function check() {
    clearTimeout(timer);
    asking?.abort();
    if (!config?.[CLASS]) {
      checked = null;
      refused = null;
      render();
      return false;
    }
    asking = new AbortController();
    try {
      const path = `connector-plugins/${encodeURIComponent(config[CLASS].trim())}/config/validate`;
      checked = await ask('PUT', path, config, asking.signal);
      refused = null;
    } catch (error) {
      if (error.name === 'AbortError') return false;
      refused = error.message;
    }
    render();
    return !refused && checked.error_count === 0;
  }

  async function save(event) {
    event.preventDefault();
    if (saving || jsonError) return;
    saving = true;
    try {
      if (!(await check())) {
        say(config[CLASS] ? 'The configuration has errors; nothing was saved.' : 'Choose a class first.', true);
        const first = wrong()[0];
        if (first) goTo(first.key);
        else place.querySelector('#class')?.focus();
        return;
      }
      const { name: given, ...rest } = config;
      const to = isNew ? (given ?? '').trim() : name;
      if (isNew) await ask('POST', 'connectors', { name: to, config: rest, initial_state: initial });
      else await ask('PUT', of(name, 'config'), config);
      say(isNew ? `${to} is created.` : `${to} is saved.`);
      await poll();
      window.dispatchEvent(new Event('acted'));
      location.hash = linkTo(to);
    } catch (error) {
      refused = error.message;
      say(error.message, true);
      render();
    } finally {
      saving = false;
    }
  }

  // The keys with errors, in the order of the fields.
  const wrong = () => (checked?.configs ?? []).filter(({ value }) => value.errors.length).map(({ value }) => ({ key: value.name, errors: value.errors }));

  const fieldOf = (key) => document.getElementById(idOf('field', key));

  function goTo(key) {
    const field = fieldOf(key);
    const details = field?.closest('details');
    if (details) details.open = true;
    field?.focus();
  }

  function render() {
    if (!config) return;
    const title = isNew ? 'New connector' : `Edit ${name}`;
    show(place, h('form', { novalidate: true, onsubmit: save },
      h('nav', { 'aria-label': 'Way back' }, h('a', { href: back }, isNew ? '← All connectors' : `← ${name}`)),
      h('div', { class: 'row' }, h('h1', { tabindex: '-1', class: 'grow name' }, title),
        h('button', { type: 'button', id: 'as-json', 'aria-pressed': String(asJson), onclick: turnOver }, asJson ? 'As fields' : 'As JSON')),
      asJson ? jsonEditor() : [head(), groups(), others()],
      summary(),
      h('div', { class: 'row end bar', 'data-key': 'bar' },
        h('span', { class: 'grow' }, wrong().length > 0 && h('button', { type: 'button', class: 'link wrong', onclick: () => goTo(wrong()[0].key) }, `✖ ${plural(wrong().length, 'key')} with errors`)),
        isNew && [h('label', { for: 'initial' }, 'It begins'), h('select', { id: 'initial', onchange: (event) => { initial = event.target.value; } },
          [['RUNNING', 'running'], ['PAUSED', 'paused'], ['STOPPED', 'stopped']].map(([value, label]) => h('option', { value }, label)))],
        h('a', { class: 'button', href: back }, 'Cancel'),
        h('button', { type: 'submit', class: 'primary' }, isNew ? 'Create' : 'Save'))));
  }

  // The same configuration as text, or as fields again.
  function turnOver() {
    if (jsonError) return;
    asJson = !asJson;
    place.replaceChildren();
    render();
    if (asJson) place.querySelector('#json').value = JSON.stringify(config, null, 2);
    place.querySelector('#as-json').focus();
  }

  function jsonEditor() {
    const read = (event) => {
      try {
        const given = JSON.parse(event.target.value);
        if (given === null || typeof given !== 'object' || Array.isArray(given)) throw new Error('it is no object of keys and values');
        const nested = Object.entries(given).find(([, value]) => value !== null && typeof value === 'object');
        if (nested) throw new Error(`the value of ${nested[0]} is not a text`);
        config = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null).map(([key, value]) => [key, String(value)]));
        jsonError = null;
        later();
      } catch (error) {
        jsonError = error.message;
      }
      render();
    };
    return h('div', { class: 'panel', 'data-key': 'json' },
      h('label', { for: 'json' }, 'Configuration as JSON'),
      h('textarea', { id: 'json', rows: '22', spellcheck: 'false', oninput: read, 'aria-invalid': String(Boolean(jsonError)), 'aria-describedby': 'json-error' }),
      h('p', { id: 'json-error', class: 'wrong', role: 'status' }, jsonError && `✖ ${jsonError}`));
  }

  // Name and class.
  function head() {
    const errors = wrong().find(({ key }) => key === 'name')?.errors ?? [];
    const chosen = config[CLASS] ?? '';
    const known = classes.includes(chosen) || !chosen ? classes : [chosen, ...classes];
    const short = (of) => of.split('.').pop();
    return h('div', { class: 'panel', 'data-key': 'head' },
      h('div', { class: 'field' },
        h('label', { for: 'field-name' }, 'Name'),
        h('input', { id: 'field-name', value: config.name ?? '', autocomplete: 'off', spellcheck: 'false', readonly: !isNew, 'aria-invalid': String(errors.length > 0), 'aria-describedby': 'errors-name',
          oninput: (event) => set('name', event.target.value) }),
        errorList('name', errors)),
      h('div', { class: 'field' },
        h('label', { for: 'class' }, 'Class'),
        h('select', { id: 'class', onchange: (event) => { set(CLASS, event.target.value); check(); } },
          !chosen && h('option', { value: '' }, 'Choose one …'),
          known.map((of) => h('option', { value: of, selected: of === chosen }, `${short(of)} (${of})`)))));
  }

  function groups() {
    const shown = (checked?.configs ?? []).filter(({ definition, value }) => definition && !['name', CLASS].includes(value.name) && (value.visible || value.name in config));
    const names = [...new Set([...(checked?.groups ?? []), ...shown.map(({ definition }) => definition.group)])];
    return names.map((group) => {
      const of = shown.filter(({ definition }) => definition.group === group);
      of.sort((one, other) => one.definition.order_in_group - other.definition.order_in_group);
      return of.length > 0 && fieldset(group ?? 'Other', of);
    });
  }

  function fieldset(group, all) {
    for (const { definition, value } of all) {
      const isPlain = definition.required || (definition.importance === 'HIGH' && !definition.default_value) || value.name in config;
      if (!places.has(value.name)) places.set(value.name, isPlain ? 'sight' : 'more');
    }
    const at = (where) => all.filter(({ value }) => places.get(value.name) === where);
    const errors = (of) => of.filter(({ value }) => value.errors.length).length;
    const more = at('more');
    const first = at('sight').map(field);
    const rest = more.length > 0 && h('details', { 'data-key': 'more' },
      h('summary', null, plural(more.length, first.length ? 'more key' : 'key'), errors(more) > 0 && h('span', { class: 'wrong' }, ` ✖ ${errors(more)} with errors`)),
      more.map(field));
    return h('fieldset', { class: 'panel', 'data-key': `group ${group}` }, h('legend', null, group), first, rest);
  }

  function field({ definition, value }) {
    const key = value.name;
    const { errors } = value;
    const given = config[key];
    const shared = {
      id: idOf('field', key), 'aria-invalid': String(errors.length > 0), 'aria-describedby': `${idOf('errors', key)} ${idOf('help', key)}`, 'data-key': 'input',
    };
    const fallback = definition.default_value;
    const typed = (event) => set(key, event.target.value);
    let input;
    if (definition.type === 'BOOLEAN') {
      const plain = given === undefined ? '' : String(given).trim().toLowerCase();
      const label = fallback === null || fallback === undefined ? 'not set' : `default: ${fallback}`;
      input = h('select', { ...shared, onchange: typed },
        [['', label], ['true', 'true'], ['false', 'false']].map(([of, text]) => h('option', { value: of, selected: of === plain }, text)));
    } else {
      // A placeholder is no secret.
      const isSecret = definition.type === 'PASSWORD' && !String(given ?? '').includes('${');
      const isNumber = ['INT', 'SHORT', 'LONG', 'DOUBLE'].includes(definition.type);
      const list = value.recommended_values?.length > 0 && !isSecret ? idOf('list', key) : null;
      const keeps = stored.has(key);
      input = [h('input', {
        ...shared, type: isSecret ? 'password' : 'text', value: given === HIDDEN ? '' : given ?? '', oninput: typed, list, inputmode: isNumber ? 'decimal' : null,
        autocomplete: isSecret ? 'new-password' : 'off', spellcheck: 'false', placeholder: keeps ? 'stored and not shown; leave it empty to keep it' : fallback ? `default: ${fallback}` : null,
      }), list && h('datalist', { id: list }, value.recommended_values.map((of) => h('option', { value: of })))];
    }
    return h('div', { class: 'field', 'data-key': key },
      h('label', { for: shared.id }, definition.display_name || key, definition.required && h('span', { class: 'tag' }, 'required'),
        definition.importance === 'HIGH' && !definition.required && h('span', { class: 'tag' }, 'important')),
      h('code', { class: 'muted key' }, key),
      input,
      errorList(key, errors),
      h('p', { class: 'help', id: idOf('help', key) }, definition.documentation));
  }

  // Keys of the configuration that no definition has, and room for one more.
  function others() {
    if (!checked) return null;
    const defined = new Map(checked.configs.map((of) => [of.value.name, of]));
    const keys = Object.keys(config).filter((key) => !['name', CLASS].includes(key) && !defined.get(key)?.definition);
    for (const { definition, value } of checked.configs) if (!definition && value.errors.length && !keys.includes(value.name)) keys.push(value.name);
    const key = h('input', { id: 'other-key', autocomplete: 'off', spellcheck: 'false', 'data-key': 'other-key' });
    const value = h('input', { id: 'other-value', autocomplete: 'off', spellcheck: 'false', 'data-key': 'other-value' });
    const add = () => {
      const [key, value] = ['other-key', 'other-value'].map((id) => document.getElementById(id));
      if (!key.value.trim()) return key.focus();
      set(key.value.trim(), value.value);
      key.value = value.value = '';
      render();
      key.focus();
    };
    return h('fieldset', { class: 'panel', 'data-key': 'others' },
      h('legend', null, 'Keys without a definition'),
      h('p', { class: 'help' }, 'Overrides of the client, parameters of transforms that are not listed yet, and whatever else the class takes.'),
      keys.map((of) => {
        const errors = defined.get(of)?.value.errors ?? [];
        return h('div', { class: 'field', 'data-key': of },
          h('label', { for: idOf('field', of) }, h('code', null, of)),
          h('div', { class: 'row' },
            h('input', { id: idOf('field', of), class: 'grow', value: config[of] === HIDDEN ? '' : config[of] ?? '', placeholder: stored.has(of) ? 'stored and not shown' : null, autocomplete: 'off', spellcheck: 'false', 'aria-invalid': String(errors.length > 0), 'aria-describedby': idOf('errors', of),
              oninput: (event) => { config[of] = event.target.value || (stored.has(of) ? HIDDEN : ''); later(); } }),
            h('button', { type: 'button', class: 'small', onclick: () => { stored.delete(of); delete config[of]; render(); later(); } }, 'Remove', h('span', { class: 'hidden' }, ` ${of}`))),
          errorList(of, errors));
      }),
      h('div', { class: 'row', 'data-key': 'add' },
        h('div', { class: 'grow' }, h('label', { for: 'other-key' }, 'Key'), key),
        h('div', { class: 'grow' }, h('label', { for: 'other-value' }, 'Value'), value),
        h('button', { type: 'button', onclick: add }, 'Add')));
  }

  const idOf = (what, key) => `${what}-${key}`.replace(/\s/g, '_');

  function errorList(key, errors) {
    return h('ul', { class: 'errors', id: idOf('errors', key), 'data-key': 'errors' }, errors.map((error) => h('li', null, h('span', { 'aria-hidden': 'true' }, '✖ '), error)));
  }

  function summary() {
    const all = wrong();
    return h('div', { id: 'summary', role: 'status', 'data-key': 'summary' },
      refused && h('p', { class: 'wrong' }, `✖ ${refused}`),
      !refused && checked && all.length === 0 && h('p', { class: 'right' }, '✔ The worker finds nothing wrong with it.'),
      all.length > 0 && [h('p', { class: 'wrong' }, `✖ With errors: ${plural(all.length, 'key')}`),
        h('ul', { class: 'errors' }, all.map(({ key, errors }) => h('li', null,
          h('button', { type: 'button', class: 'link', onclick: () => goTo(key) }, key), asJson ? `: ${errors.join('; ')}` : null)))]);
  }

  begin().catch((error) => show(place, h('p', { class: 'wrong', role: 'alert' }, `✖ ${error.message}`)));

  return {
    title: isNew ? 'New connector' : `Edit ${name}`,
    draw() {
      if (!may.change()) {
        return [h('h1', { tabindex: '-1' }, 'Not here'), h('p', null, `${cluster.me?.read_only ? 'This worker is read-only' : 'Your role does not let you change connectors'}. `), h('p', null, h('a', { href: back }, 'Back'))];
      }
      return [place];
    },
    leave() {
      clearTimeout(timer);
      asking?.abort();
    },
  };
}
