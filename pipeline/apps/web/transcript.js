/**
 * The timed text of a video beside its player: the line that is being said is marked and kept in
 * view, until the reader scrolls; a click goes to a line's second.
 */

import { calm, clean, el, fill } from '/static/dom.js';
import { clock, fold, highlight, plural, SOURCES, spoken, terms } from '/static/format.js';

const ALL = 'all';
const LONG = 400; // lines; a longer list is laid out only where it is seen
const SCROLLED_BY = ['wheel', 'touchmove'];
const SCROLL_KEYS = ['PageUp', 'PageDown', 'Home', 'End'];

export class Transcript {
  constructor(player, segments) {
    this.player = player;
    this.segments = segments;
    this.following = true;
    this.lines = [];
    this.active = -1;
    this.filter = el('input', { type: 'search', placeholder: 'Find in this video', 'aria-label': 'Find in this video', data: { search: '' }, on: { input: () => this.draw() } });
    this.told = el('p', { class: 'unseen', role: 'status' });
    this.list = el('ol', { class: 'lines', id: 'transcript-lines', role: 'tabpanel', 'aria-label': 'Transcript', tabindex: '-1' });
    this.back = el('button', { type: 'button', class: 'follow', hidden: true, on: { click: () => this.follow() } }, 'Follow the video');
    this.tabs = this.makeTabs();
    this.element = el('section', { class: 'transcript', 'aria-label': 'Timed text' }, el('div', { class: 'transcript-head' }, this.tabs, this.filter), el('div', { class: 'transcript-body' }, this.list, this.back), this.told);
    this.watch();
    player.addEventListener('time', () => this.mark());
    this.draw();
  }

  // ---------------------------------------------------------------- sources

  makeTabs() {
    const counts = new Map([[ALL, this.segments.length]]);
    for (const { source } of this.segments) counts.set(source, (counts.get(source) ?? 0) + 1);
    const names = [...Object.keys(SOURCES).filter((source) => counts.has(source))];
    const shown = names.length > 1 ? [ALL, ...names] : names;
    this.source = names.includes('speech') ? 'speech' : shown[0] ?? ALL;
    const tab = (name) =>
      el('button', { type: 'button', role: 'tab', 'aria-controls': 'transcript-lines', data: { source: name }, on: { click: () => this.choose(name) } }, name === ALL ? 'All' : SOURCES[name], el('span', { class: 'count' }, counts.get(name)));
    return el('div', { class: 'tabs', role: 'tablist', 'aria-label': 'Kind of text', on: { keydown: (event) => this.arrow(event) } }, shown.map(tab));
  }

  arrow(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const tabs = [...this.tabs.children];
    const next = tabs[(tabs.indexOf(event.target.closest('[role=tab]')) + step + tabs.length) % tabs.length];
    this.choose(next.dataset.source);
    next.focus();
  }

  choose(source) {
    this.source = source;
    this.draw();
  }

  // ---------------------------------------------------------------- lines

  draw() {
    for (const tab of this.tabs.children) {
      const chosen = tab.dataset.source === this.source;
      tab.setAttribute('aria-selected', String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
    }
    const asked = this.filter.value.trim();
    const wanted = asked ? terms(asked) : [];
    const folded = fold(asked);
    const held = (text) => wanted.length && wanted.every((term) => fold(text).includes(term));
    this.lines = this.segments.filter(({ source, text }) => (this.source === ALL || source === this.source) && (!asked || fold(text).includes(folded) || held(text)));
    this.active = -1;
    this.list.classList.toggle('long', this.lines.length > LONG);
    fill(this.list, this.lines.length ? this.lines.map((line, place) => this.line(line, place, wanted)) : el('li', { class: 'soft none' }, asked ? 'No line has these words.' : 'There is no text yet.'));
    this.told.textContent = asked ? plural(this.lines.length, 'line') : '';
    this.mark();
    if (this.active < 0) this.reach(0);
  }

  line({ source, start, text, speaker, flags }, place, wanted) {
    const doubt = (flags ?? []).filter((flag) => !/^(corrected: |seen for: |from the file)/.test(flag));
    const before = this.lines[place - 1];
    const named = speaker && speaker !== before?.speaker;
    return el(
      'li',
      { class: `line s-${clean(source)}` },
      el(
        'button',
        { type: 'button', tabindex: '-1', data: { line: place }, 'aria-label': `${spoken(start)}: ${clean(text)}`, on: { click: () => this.go(place), keydown: (event) => this.key(event, place), focus: () => this.reach(place) } },
        el('span', { class: 'time' }, clock(start)),
        el(
          'span',
          { class: 'words', dir: 'auto' },
          named ? el('span', { class: 'speaker' }, speaker) : null,
          this.source === ALL && source !== 'speech' ? el('span', { class: `source s-${source}` }, SOURCES[source] ?? source) : null,
          ...highlight(text, wanted),
          doubt.length ? el('span', { class: 'doubt', title: clean(doubt.join('; ')) }, 'doubtful') : null,
        ),
      ),
    );
  }

  /** One line is reached with Tab, the others from there with the arrows. */
  reach(place) {
    this.list.querySelector('button[tabindex="0"]')?.setAttribute('tabindex', '-1');
    this.list.children[place]?.querySelector('button')?.setAttribute('tabindex', '0');
  }

  go(place) {
    this.following = true;
    this.back.hidden = true;
    this.player.open(this.player.videoId, this.lines[place].start, { play: this.player.playing });
  }

  key(event, place) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    this.focusLine(place + step);
  }

  focusLine(place) {
    const button = this.list.children[Math.min(this.lines.length - 1, Math.max(0, place))]?.querySelector('button');
    if (!button) return;
    this.yield();
    button.focus();
    button.scrollIntoView({ block: 'nearest' });
  }

  step(direction) {
    const focused = document.activeElement?.dataset?.line;
    this.focusLine(focused === undefined ? this.active + direction : Number(focused) + direction);
  }

  // ---------------------------------------------------------------- following

  /** Marks the line of the player's second: the last that has begun and not ended. */
  mark() {
    const time = this.player.time + 0.05; // a seek to a line's start lands on it
    let place = -1;
    for (let at = 0; at < this.lines.length && this.lines[at].start <= time; at++) {
      if (time < this.lines[at].end || at + 1 === this.lines.length || this.lines[at + 1].start > time) place = at;
    }
    if (place === this.active) return;
    this.list.children[this.active]?.classList.remove('active');
    this.list.children[this.active]?.firstChild.removeAttribute('aria-current');
    this.active = place;
    const line = this.list.children[place];
    if (!line) return;
    line.classList.add('active');
    line.firstChild.setAttribute('aria-current', 'true');
    if (!this.list.contains(document.activeElement)) this.reach(place);
    if (this.following) this.bring(line, !calm());
  }

  bring(line, smooth) {
    const top = line.offsetTop - (this.list.clientHeight - line.offsetHeight) / 2;
    const far = Math.abs(top - this.list.scrollTop) > 2 * this.list.clientHeight;
    this.list.scrollTo({ top, behavior: smooth && !far ? 'smooth' : 'auto' });
    // Lines that were never shown have a guessed height: after a jump they are measured.
    if (far) requestAnimationFrame(() => this.bring(line, false));
  }

  /** The reader scrolls: the lines stay where they are put. */
  yield() {
    this.following = false;
    this.back.hidden = false;
  }

  follow() {
    this.following = true;
    this.back.hidden = true;
    const line = this.list.children[this.active];
    if (!line) return;
    this.bring(line, false);
    requestAnimationFrame(() => this.bring(line, false)); // now that the lines around it are measured
  }

  watch() {
    for (const type of SCROLLED_BY) this.list.addEventListener(type, () => this.yield(), { passive: true });
    this.list.addEventListener('keydown', (event) => SCROLL_KEYS.includes(event.key) && this.yield());
    // A pointer that goes down on the list itself, not on a line, drags its scroll bar.
    this.list.addEventListener('pointerdown', (event) => event.target === this.list && this.yield());
  }
}
