/** The first page: one box. What is typed is searched for at once; Enter asks it. */

import { ApiError, events, get, isAbort } from '/static/api.js';
import { announce, el, expectPictures, failure, fill, icon, picture } from '/static/dom.js';
import { Filters } from '/static/filters.js';
import { clock, plural } from '/static/format.js';

const PAUSE = 70; // ms between the last key and the search
const SHORTEST = 2; // characters that are searched for
const SHOWN = 20; // moments
const FORMS = { '': 'Any form', short: 'Short', explained: 'Explained', compare: 'Compared', list: 'List', howto: 'Steps', timeline: 'Timeline' };

export class AskView {
  title = 'Footnote';

  constructor(root, { query }) {
    this.player = null; // comes with `watching`
    this.notes = null;
    this.filters = new Filters(() => this.changed());
    this.below = el('div', { class: 'below' });
    this.side = el('aside', { class: 'side', 'aria-label': 'Player' });
    this.box = el('textarea', {
      rows: '1', id: 'question', class: 'question', placeholder: 'Ask your videos, or search them', spellcheck: 'false',
      autocomplete: 'off', enterkeyhint: 'go', data: { search: '' }, 'aria-label': 'Ask your videos, or search them', 'aria-describedby': 'question-hint',
      on: { input: () => this.changed(), keydown: (event) => this.key(event) },
    });
    this.form = el('select', { 'aria-label': 'Form of the answer' }, Object.entries(FORMS).map(([value, label]) => el('option', { value }, label)));
    this.element = el(
      'div',
      { class: 'stage' },
      el('div', { class: 'column' }, this.head(), this.below),
      this.side,
    );
    fill(root, this.element);
    this.start(query);
  }

  head() {
    return el(
      'div',
      { class: 'ask-head' },
      el('h1', {}, 'Ask your videos'),
      el(
        'form',
        { class: 'ask', role: 'search', on: { submit: (event) => { event.preventDefault(); this.ask(); } } },
        icon('search', 20),
        this.box,
        el('button', { class: 'primary', 'aria-label': 'Ask' }, el('span', {}, 'Ask'), icon('send', 16)),
      ),
      el('div', { class: 'ask-row' }, this.filters.button, this.form, el('p', { class: 'hint', id: 'question-hint' }, el('kbd', {}, 'Enter'), ' asks; typing searches')),
      this.filters.panel,
    );
  }

  /** The player and what shows answers: loaded once, a moment after the box is there. */
  watching() {
    this.loading ??= import('/static/watching.js').then((parts) => {
      this.player = new parts.Player();
      this.notes = new parts.Notes(this.player);
      if (this.left) this.notes.close();
      this.side.append(this.player.element);
      this.player.addEventListener('state', () => this.element.classList.toggle('with-player', !this.player.element.hidden));
      return parts;
    });
    this.loading.catch(() => { this.loading = null; }); // asked for again with the next question
    return this.loading;
  }

  start(query) {
    requestAnimationFrame(() => setTimeout(() => this.watching().catch(() => {})));
    this.filters.read(query);
    this.box.value = query.get('ask') ?? query.get('q') ?? '';
    const kept = query.has('ask') && remembered(this.memoryKey());
    if (kept) this.watching().then(() => this.show(kept), (error) => fill(this.below, failure(error)));
    else if (this.box.value) this.search();
    else this.home();
    if (matchMedia('(hover: hover)').matches) this.box.focus({ preventScroll: true });
  }

  // ---------------------------------------------------------------- the box

  key(event) {
    if (event.isComposing) return; // Enter that ends the input of a character asks nothing
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      this.ask();
    } else if (event.key === 'ArrowDown' && this.box.selectionEnd === this.box.value.length) this.step(1);
  }

  changed() {
    clearTimeout(this.typing);
    this.typing = setTimeout(() => this.search(), PAUSE);
  }

  address(name) {
    const pairs = this.filters.query();
    const text = this.box.value.trim();
    return text ? `/?${new URLSearchParams([[name, text], ...pairs])}` : pairs.size ? `/?${pairs}` : '/';
  }

  // ---------------------------------------------------------------- search

  async search() {
    this.stop();
    history.replaceState(history.state, '', this.address('q'));
    const text = this.box.value.trim();
    if (text.length < SHORTEST) {
      this.home();
      return;
    }
    const asking = (this.under = new AbortController());
    try {
      const found = await this.found(text, asking.signal);
      const { results } = await this.watching();
      await this.pictures();
      if (asking.signal.aborted) return;
      this.list(found, text, results);
      this.under = null;
    } catch (error) {
      if (!isAbort(error)) fill(this.below, failure(error, () => this.search()));
    }
  }

  async found(text, signal) {
    const path = `/api/search?${new URLSearchParams([['q', text], ['k', SHOWN], ...this.filters.query()])}`;
    try {
      return await get(path, { signal });
    } catch (error) {
      if (!(error instanceof ApiError) || ![429, 503].includes(error.status)) throw error;
      await new Promise((go) => setTimeout(go, 1000 * Math.min(3, error.after || 1)));
      signal.throwIfAborted();
      return get(path, { signal });
    }
  }

  /** Whether there are pictures to show, asked for once. */
  pictures() {
    this.known ??= get('/api/status').then(({ counts }) => expectPictures(counts.frames > 0), () => {});
    return this.known;
  }

  list({ moments, took_ms: took = {} }, text, results) {
    const said = moments.length ? plural(moments.length, 'moment') : 'Nothing found';
    announce(said);
    const open = (moment, at) => {
      this.player.enlarge(true);
      this.player.open(moment.video_id, at, { play: true });
    };
    fill(
      this.below,
      el('p', { class: 'found-count' }, said, took.total ? el('span', { class: 'soft' }, ` in ${Math.max(1, Math.round(took.total))} ms`) : null),
      moments.length ? results(moments, text, open) : el('p', { class: 'soft' }, 'Other words, or fewer filters, may find it.'),
    );
    this.player.markWith((id) => moments.filter((moment) => moment.video_id === id).map(({ start, end }) => ({ start, end, marker: 0 })));
    this.element.classList.add('busy');
  }

  // ---------------------------------------------------------------- question

  body() {
    const form = this.form.value ? { form: this.form.value } : {};
    return { question: this.box.value.trim(), ...this.filters.body(), ...form };
  }

  memoryKey() {
    return `footnote-answer:${JSON.stringify({ ...this.body(), form: undefined })}`;
  }

  async ask() {
    const body = this.body();
    if (!body.question) return;
    this.stop();
    clearTimeout(this.typing);
    const address = this.address('ask');
    if (`${location.pathname}${location.search}` !== address) history.pushState({}, '', address);
    const asking = (this.under = new AbortController());
    let view = null;
    try {
      await this.watching();
      if (asking.signal.aborted) return;
      this.notes.leave();
      view = await this.open(() => asking.abort());
      for await (const { event, data } of events('/api/ask/stream', { method: 'POST', body, signal: asking.signal })) {
        if (event === 'evidence') view.evidence(data);
        else if (event === 'sentence') view.sentence(data);
        else if (event === 'error') throw new ApiError(data.error);
        else if (event === 'answer') this.done(view, data);
      }
      if (!view.answer) throw new ApiError({ message: 'The answer broke off.', hint: 'ask again' });
    } catch (error) {
      if (!view) fill(this.below, failure(error, () => this.ask()));
      else if (isAbort(error)) view.stopped();
      else if (this.under === asking) view.fail(error, () => this.ask());
    } finally {
      if (this.under === asking) this.under = null;
    }
  }

  async open(stop) {
    const { AnswerView } = await this.watching();
    const view = new AnswerView({ notes: this.notes, stop });
    fill(this.below, view.element);
    this.element.classList.add('busy');
    this.player.markWith((id) => view.marks(id));
    return view;
  }

  done(view, answer) {
    view.finish(answer);
    this.player.drawMarks();
    remember(this.memoryKey(), answer);
  }

  async show(answer) {
    const view = await this.open(null);
    view.finish(answer);
    this.player.drawMarks();
  }

  stop() {
    this.under?.abort();
    this.under = null;
  }

  // ---------------------------------------------------------------- before anything is typed

  async home() {
    this.element.classList.remove('busy');
    fill(this.below);
    const asking = (this.under = new AbortController());
    try {
      const [{ videos, total }, status] = await Promise.all([get('/api/videos?limit=6', asking), get('/api/status', asking)]);
      if (asking.signal.aborted) return;
      fill(this.below, total ? shelf(videos, total, status) : emptyLibrary(status));
      this.under = null;
    } catch (error) {
      if (!isAbort(error)) fill(this.below, failure(error, () => this.home()));
    }
  }

  // ---------------------------------------------------------------- keys

  step(direction) {
    stepThrough(this.element, '.prose .note, [data-step]', direction);
  }

  escape() {
    if (this.under) this.stop();
    else if (document.activeElement === this.box) this.box.blur();
    else this.notes?.leave();
  }

  leave() {
    this.left = true;
    this.stop();
    clearTimeout(this.typing);
    this.notes?.close();
    this.player?.close();
  }
}

/** Moves the focus to the next or previous of what is visible. */
export function stepThrough(root, selector, direction) {
  const places = [...root.querySelectorAll(selector)].filter((place) => place.checkVisibility());
  if (!places.length) return;
  const here = places.indexOf(document.activeElement);
  const next = here < 0 ? (direction > 0 ? 0 : places.length - 1) : Math.min(places.length - 1, Math.max(0, here + direction));
  places[next].focus({ focusVisible: true });
  places[next].scrollIntoView({ block: 'nearest' });
}

function shelf(videos, total, { hours }) {
  const length = hours >= 1 ? plural(Math.round(hours), 'hour') : plural(Math.max(1, Math.round(60 * hours)), 'minute');
  return el(
    'section',
    { class: 'home', 'aria-label': 'In this library' },
    el('p', { class: 'home-facts' }, el('a', { href: '/library' }, plural(total, 'video')), `, ${length}`),
    el('ul', { class: 'shelf' }, videos.map((video) => el('li', {}, el('a', { href: `/video/${encodeURIComponent(video.video_id)}` }, el('span', { class: 'thumb' }, picture(video.thumbnail), el('span', { class: 'badge' }, clock(video.duration))), el('span', { class: 'name' }, video.title || video.video_id))))),
  );
}

export function emptyLibrary({ library = '' } = {}) {
  return el(
    'section',
    { class: 'empty' },
    el('h2', {}, 'This library is empty'),
    el('p', {}, 'Add a folder of videos, and ask about them a few minutes later. Subtitles are read at once; speech is transcribed, and the screen is read.'),
    el('p', {}, el('a', { class: 'primary', href: '/add' }, icon('add', 16), 'Add videos')),
    el('p', { class: 'soft' }, 'Or on the command line: ', el('code', {}, `footnote add FOLDER${library ? ` --library ${library}` : ''}`)),
  );
}

// ---------------------------------------------------------------- answers of this tab

function remember(key, answer) {
  try {
    sessionStorage.setItem(key, JSON.stringify(answer));
  } catch {
    sessionStorage.clear(); // full: older answers are asked again, this one is on the screen
  }
}

function remembered(key) {
  try {
    return JSON.parse(sessionStorage.getItem(key));
  } catch {
    return null;
  }
}
