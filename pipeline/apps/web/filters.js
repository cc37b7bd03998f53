/** What a search or a question is restricted to: videos, sources, a folder, dates. */

import { get } from '/static/api.js';
import { clean, el, fill, icon } from '/static/dom.js';
import { SOURCES } from '/static/format.js';

const EMPTY = { video: [], source: [], folder: '', after: '', before: '' };
const OFFERED = 200; // titles in the list of the box

export class Filters {
  /** `changed()` is called after each change. */
  constructor(changed) {
    this.value = { ...EMPTY };
    this.changed = changed;
    this.titles = new Map();
    this.count = el('span', { class: 'count', hidden: true });
    this.button = el('button', { type: 'button', class: 'quiet', 'aria-expanded': 'false', 'aria-controls': 'filters', on: { click: () => this.open(this.panel.hidden) } }, icon('filter', 15), 'Filters', this.count);
    this.panel = el(
      'div',
      { class: 'filters', id: 'filters', role: 'group', 'aria-label': 'Filters', hidden: true },
      this.videoField(), this.sourceField(), this.textField('folder', 'Folder', 'text', 'talks/2024'), this.textField('after', 'From', 'date'), this.textField('before', 'Before', 'date'),
      el('button', { type: 'button', class: 'quiet', on: { click: () => this.reset() } }, 'Clear'),
    );
  }

  open(shown) {
    if (shown && !this.titles.size) this.offer('');
    this.panel.hidden = !shown;
    this.button.setAttribute('aria-expanded', String(shown));
  }

  /** As parameters of an address; repeated where there are several. */
  query() {
    const pairs = new URLSearchParams();
    for (const [name, value] of Object.entries(this.value)) {
      for (const one of Array.isArray(value) ? value : [value]) if (one) pairs.append(name, one);
    }
    return pairs;
  }

  /** As the body of a question: only what restricts. */
  body() {
    return Object.fromEntries(Object.entries(this.value).filter(([, value]) => value.length));
  }

  /** Takes what an address says. */
  read(pairs) {
    this.value = {
      video: pairs.getAll('video'),
      source: pairs.getAll('source').filter((source) => source in SOURCES),
      folder: pairs.get('folder') ?? '',
      after: pairs.get('after') ?? '',
      before: pairs.get('before') ?? '',
    };
    this.draw();
    if (this.query().size) this.open(true);
  }

  reset() {
    this.value = { ...EMPTY };
    this.draw();
    this.changed();
  }

  set(name, value) {
    this.value = { ...this.value, [name]: value };
    this.draw();
    this.changed();
  }

  draw() {
    const set = Object.values(this.value).filter((value) => value.length).length;
    this.count.textContent = String(set);
    this.count.hidden = !set;
    for (const box of this.panel.querySelectorAll('input[data-source]')) box.checked = this.value.source.includes(box.dataset.source);
    for (const field of this.panel.querySelectorAll('input[data-field]')) if (field !== document.activeElement) field.value = this.value[field.dataset.field];
    fill(this.chips, this.value.video.map((id) => this.chip(id)));
  }

  // ---------------------------------------------------------------- fields

  textField(name, label, type, placeholder = null) {
    const field = el('input', { type, placeholder, data: { field: name }, autocomplete: 'off' });
    field.addEventListener('change', () => this.set(name, field.value.trim()));
    return el('label', { class: 'field' }, el('span', {}, label), field);
  }

  sourceField() {
    const flip = (source) => (event) => {
      const rest = this.value.source.filter((one) => one !== source);
      this.set('source', event.target.checked ? [...rest, source] : rest);
    };
    return el(
      'fieldset',
      { class: 'field pills' },
      el('legend', {}, 'Source'),
      Object.entries(SOURCES).map(([source, name]) => el('label', { class: 'pill' }, el('input', { type: 'checkbox', data: { source }, on: { change: flip(source) } }), el('span', {}, name))),
    );
  }

  videoField() {
    const list = el('datalist', { id: 'filter-videos' });
    const box = el('input', { type: 'text', list: 'filter-videos', placeholder: 'Any', autocomplete: 'off' });
    this.list = list;
    this.chips = el('span', { class: 'chips' });
    const take = () => {
      const id = this.titles.get(box.value);
      if (!id) return false;
      box.value = '';
      if (!this.value.video.includes(id)) this.set('video', [...this.value.video, id]);
      return true;
    };
    box.addEventListener('input', () => {
      if (take()) return;
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.offer(box.value), 150);
    });
    box.addEventListener('change', take);
    return el('div', { class: 'field wide' }, el('label', {}, el('span', {}, 'Video'), box), list, this.chips);
  }

  async offer(typed) {
    const { videos } = await get(`/api/videos?${new URLSearchParams({ q: typed, limit: OFFERED })}`).catch(() => ({ videos: [] }));
    for (const { title, video_id: id } of videos) this.titles.set(this.titled(title, id), id);
    fill(this.list, videos.map(({ title, video_id: id }) => el('option', { value: this.titled(title, id) })));
    this.draw();
  }

  /** Two videos can share a title: the id tells them apart. */
  titled(title, id) {
    const shown = clean(title) || id;
    return this.titles.has(shown) && this.titles.get(shown) !== id ? `${shown} (${id})` : shown;
  }

  chip(id) {
    const title = [...this.titles].find(([, known]) => known === id)?.[0] ?? id;
    const drop = () => this.set('video', this.value.video.filter((one) => one !== id));
    return el('span', { class: 'chip' }, title, el('button', { type: 'button', 'aria-label': `Remove ${title}`, on: { click: drop } }, icon('close', 12)));
  }
}
