/** The videos of the library, and how more come in: by path, or dropped onto the page. */

import { get, isAbort, send, upload, videoPage } from '/static/api.js';
import { stepThrough, emptyLibrary } from '/static/ask.js';
import { announce, clean, el, failure, fill, icon, picture } from '/static/dom.js';
import { clock, day, percent, plural, size, SOURCES } from '/static/format.js';
import { hasEnded, JobCard } from '/static/jobs.js';

const PAGE = 60; // videos read at a time
const DERIVED = new Set(['chapter', 'summary']); // made from the others: nothing to tell
const REMEMBERED = 3; // ended jobs that are shown when the page is opened

export class LibraryView {
  title = 'Library · Footnote';

  constructor(root) {
    this.cards = new Map();
    this.filter = el('input', { type: 'search', placeholder: 'Find a video', 'aria-label': 'Find a video', data: { search: '' }, on: { input: () => this.typed() } });
    this.grid = el('ul', { class: 'grid' });
    this.count = el('p', { class: 'soft', role: 'status' });
    this.more = el('button', { type: 'button', class: 'quiet', hidden: true, on: { click: () => this.read(this.grid.childElementCount) } }, 'More');
    this.jobs = el('ul', { class: 'jobs', 'aria-label': 'Work under way' });
    this.told = el('div', {});
    this.element = el(
      'div',
      { class: 'library' },
      el('h1', {}, 'Library'),
      this.adding(),
      this.jobs,
      el('div', { class: 'library-row' }, el('h2', {}, 'Videos'), this.filter, this.count),
      this.told,
      this.grid,
      this.more,
    );
    fill(root, this.element);
    this.watchDrops();
    this.read();
    this.readJobs();
  }

  // ---------------------------------------------------------------- adding

  adding() {
    this.path = el('input', { type: 'text', id: 'path', placeholder: '/videos/talks', autocomplete: 'off', spellcheck: 'false' });
    this.files = el('input', { type: 'file', multiple: true, id: 'files', accept: 'video/*,audio/*,.mkv,.ts,.mts,.srt,.vtt', class: 'unseen', on: { change: () => this.takeFiles(this.files.files) } });
    this.addTold = el('div', {});
    const submit = (event) => {
      event.preventDefault();
      this.addPath();
    };
    return el(
      'section',
      { class: 'adding', 'aria-label': 'Add videos' },
      el('h2', {}, 'Add videos'),
      el('form', { class: 'add-path', on: { submit } }, el('label', { for: 'path' }, 'A file or folder of the machine that serves this page'), el('div', { class: 'with-button' }, this.path, el('button', { class: 'primary' }, icon('add', 16), 'Add'))),
      el('div', { class: 'drop' }, icon('film', 26), el('p', {}, el('label', { for: 'files', class: 'link' }, 'Choose files'), this.files, ' or drop them here'), el('p', { class: 'soft' }, 'They are copied into the library.')),
      this.addTold,
    );
  }

  async addPath() {
    const path = this.path.value.trim();
    if (!path) {
      this.path.focus();
      return;
    }
    fill(this.addTold);
    try {
      const { job_id: id } = await send('POST', '/api/jobs', { paths: [path] });
      this.path.value = '';
      await this.followJob(id);
    } catch (error) {
      fill(this.addTold, failure(error));
    }
  }

  /** One file after the other: two at once would share one disk and one network. */
  async takeFiles(files) {
    fill(this.addTold);
    for (const file of [...files]) {
      try {
        await this.takeFile(file);
      } catch (error) {
        if (!isAbort(error)) this.addTold.append(el('div', {}, el('p', {}, clean(file.name)), failure(error)));
      }
    }
    this.files.value = '';
  }

  async takeFile(file) {
    const sending = new AbortController();
    this.sending = sending;
    const bar = el('span', { class: 'meter', role: 'progressbar', 'aria-label': `Upload of ${clean(file.name)}`, 'aria-valuemin': '0', 'aria-valuemax': '100', 'aria-valuenow': '0' }, el('span'));
    const amount = el('span', { class: 'amount' }, size(file.size));
    const row = el('li', { class: 'job', data: { state: 'running' } }, el('div', { class: 'job-head' }, el('h3', { dir: 'auto' }, file.name), el('span', { class: 'state' }, 'is sent'), el('button', { type: 'button', class: 'quiet', on: { click: () => sending.abort() } }, 'Cancel')), el('div', { class: 'stage-bar' }, el('span', { class: 'name' }, 'Upload'), bar, amount));
    this.jobs.prepend(row);
    announce(`${clean(file.name)} is sent`);
    const told = (sent, total) => {
      bar.setAttribute('aria-valuenow', String(Math.round((100 * sent) / (total || 1))));
      bar.firstChild.style.width = percent(sent / (total || 1));
      amount.textContent = `${size(sent)} of ${size(total)}`;
    };
    try {
      const { job_id: id, video_id: known } = await upload(file, told, sending.signal);
      if (id) await this.followJob(id);
      else this.addTold.append(el('p', {}, `${clean(file.name)} is in the library already: `, el('a', { href: videoPage(known) }, known)));
    } finally {
      row.remove();
    }
  }

  watchDrops() {
    this.dropping = new AbortController(); // ends with the view
    const options = { signal: this.dropping.signal };
    const over = (event) => {
      if (![...(event.dataTransfer?.types ?? [])].includes('Files')) return;
      event.preventDefault();
      this.element.classList.add('over');
    };
    document.addEventListener('dragover', over, options);
    document.addEventListener('dragleave', (event) => !event.relatedTarget && this.element.classList.remove('over'), options);
    document.addEventListener('drop', (event) => {
      if (!event.dataTransfer?.files.length) return;
      event.preventDefault();
      this.element.classList.remove('over');
      this.takeFiles(event.dataTransfer.files);
    }, options);
  }

  // ---------------------------------------------------------------- work under way

  async readJobs() {
    const { jobs } = await get('/api/jobs').catch(() => ({ jobs: [] }));
    const added = jobs.filter((job) => (job.kind ?? 'add') === 'add');
    const shown = [...added.filter((job) => !hasEnded(job)), ...added.filter(hasEnded).slice(0, REMEMBERED)];
    for (const { job_id: id } of shown.reverse()) await this.followJob(id).catch(() => {});
  }

  async followJob(id) {
    const job = await get(`/api/jobs/${encodeURIComponent(id)}`);
    if (this.left || this.cards.has(id)) return;
    const card = new JobCard(job, () => this.read());
    this.cards.set(id, card);
    this.jobs.prepend(card.element);
    if (hasEnded(job)) this.read();
  }

  // ---------------------------------------------------------------- videos

  typed() {
    clearTimeout(this.typing);
    this.typing = setTimeout(() => this.read(), 100);
  }

  async read(offset = 0) {
    this.reading?.abort();
    const reading = (this.reading = new AbortController());
    const asked = this.filter.value.trim();
    try {
      const { videos, total } = await get(`/api/videos?${new URLSearchParams({ q: asked, limit: PAGE, offset })}`, reading);
      if (reading.signal.aborted) return;
      if (!offset) fill(this.grid);
      this.grid.append(...videos.map((video) => card(video)));
      this.count.textContent = asked ? `${plural(total, 'video')} found` : total ? plural(total, 'video') : '';
      this.more.hidden = offset + videos.length >= total;
      fill(this.told, !total && !asked ? emptyLibrary() : null);
      this.told.querySelector('.primary')?.remove(); // the form is on this page
    } catch (error) {
      if (!isAbort(error)) fill(this.told, failure(error, () => this.read(offset)));
    }
  }

  step(direction) {
    stepThrough(this.grid, 'a', direction);
  }

  leave() {
    this.left = true;
    this.reading?.abort();
    this.sending?.abort();
    this.dropping.abort();
    for (const one of this.cards.values()) one.leave();
  }
}

function card({ video_id: id, title, duration, date, sources, pending, thumbnail }) {
  const text = Object.keys(sources ?? {}).filter((source) => !DERIVED.has(source)).map((source) => SOURCES[source] ?? source);
  return el(
    'li',
    { class: 'card' },
    el('a', { href: videoPage(id) }, el('span', { class: 'thumb' }, picture(thumbnail), el('span', { class: 'badge' }, clock(duration))), el('span', { class: 'name', dir: 'auto' }, title || id)),
    el('p', { class: 'facts' }, [day(date), ...text].filter(Boolean).join(' · ')),
    (pending ?? []).length ? el('p', { class: 'pending' }, `later: ${pending.map((stage) => clean(stage)).join(', ')}`) : null,
  );
}
