/** Work under way, followed live: what each video's stages are at, and what came of it. */

import { events, forget, get, isAbort, send, videoPage } from '/static/api.js';
import { announce, clean, el, failure, fill } from '/static/dom.js';
import { clock, percent, size } from '/static/format.js';

// In the order in which they are done.
const STAGES = { probe: 'File', frames: 'Pictures', speech: 'Speech', listening: 'Speakers', screen: 'Screen text', captions: 'Captions', sounds: 'Sounds', passages: 'Index', levels: 'Chapters', frame_vectors: 'Picture search' };
const ORDER = Object.keys(STAGES);
// Progress is told under the name of the work, a report under that of the stage.
const SAME = { probing: 'probe', embedding: 'passages', chapters: 'levels', pictures: 'frame_vectors' };
const SILENT = new Set(['finished']);
const STATES = { queued: 'waits', running: 'under way', done: 'done', failed: 'failed', cancelled: 'cancelled' };
const STATUSES = { done: 'done', skipped: 'not needed', pending: 'later', failed: 'failed', running: 'under way' };
const ENDED = ['done', 'failed', 'cancelled'];
const OUTCOMES = { added: 'added', unchanged: 'already there', updated: 'updated', moved: 'moved', partial: 'in part', failed: 'failed' };

export const hasEnded = (job) => ENDED.includes(job.state);

/** One job as a card that follows it until it has ended; `ended(job)` is then called once. */
export class JobCard {
  constructor(job, ended) {
    this.job = job;
    this.ended = ended;
    this.stages = new Map(); // file name -> {row, bars: stage -> element}
    this.state = el('span', { class: 'state' });
    this.cancelButton = el('button', { type: 'button', class: 'quiet', on: { click: () => this.cancel() } }, 'Cancel');
    this.waiting = el('li', { class: 'soft' }, 'Looking at what is there \u2026');
    this.rows = el('ul', { class: 'job-videos' }, this.waiting);
    this.told = el('div', {});
    this.element = el('li', { class: 'job' }, el('div', { class: 'job-head' }, el('h3', { dir: 'auto' }, named(job.paths)), this.state, this.cancelButton), this.rows, this.told);
    this.draw(job);
    if (!hasEnded(job)) this.follow();
  }

  async follow() {
    this.following = new AbortController();
    try {
      for await (const { event, data } of events(`/api/jobs/${this.job.job_id}/events`, this.following)) {
        if (event === 'progress') this.progress(data.video, data.stage, { ...data, status: data.total && data.done >= data.total ? 'done' : 'running' });
        else if (event === 'job') this.draw(data);
      }
      if (!hasEnded(this.job)) this.draw(await get(`/api/jobs/${this.job.job_id}`));
    } catch (error) {
      if (isAbort(error)) return;
      fill(this.told, failure(error, () => this.follow()));
    }
  }

  async cancel() {
    try {
      this.draw(await send('DELETE', `/api/jobs/${this.job.job_id}`));
    } catch (error) {
      fill(this.told, failure(error));
    }
  }

  leave() {
    this.following?.abort();
  }

  // ---------------------------------------------------------------- drawing

  draw(job) {
    const fresh = hasEnded(job) && !hasEnded(this.job);
    this.job = { ...this.job, ...job };
    this.state.textContent = STATES[job.state] ?? clean(job.state);
    this.element.dataset.state = job.state;
    this.cancelButton.hidden = hasEnded(job);
    if (hasEnded(job) || job.state === 'queued') this.waiting.remove();
    for (const [video, stages] of Object.entries(job.progress ?? {})) {
      for (const [stage, progress] of Object.entries(stages)) this.progress(video, stage, progress);
    }
    for (const report of job.videos ?? []) this.report(report);
    if (job.error) fill(this.told, failure(job.error));
    if (fresh) {
      forget();
      announce(`${named(this.job.paths)}: ${STATES[job.state]}`);
      this.ended(this.job);
    }
  }

  row(video) {
    if (!this.stages.has(video)) {
      const bars = el('ul', { class: 'stages' });
      const head = el('p', { class: 'job-video', dir: 'auto' }, video);
      this.waiting.remove();
      this.rows.append(el('li', {}, head, bars));
      this.stages.set(video, { head, bars, known: new Map() });
    }
    return this.stages.get(video);
  }

  progress(video, told, { status, done, total, unit }) {
    if (SILENT.has(told)) return;
    const stage = SAME[told] ?? told;
    const { bars, known } = this.row(video);
    if (!known.has(stage)) {
      const item = el('li', { class: 'stage-bar' }, el('span', { class: 'name' }, STAGES[stage] ?? stage), el('span', { class: 'meter', 'aria-hidden': 'true' }, el('span')), el('span', { class: 'amount' }));
      known.set(stage, item);
      item.dataset.order = String(ORDER.indexOf(stage));
      bars.insertBefore(item, [...bars.children].find((one) => Number(one.dataset.order) > ORDER.indexOf(stage)) ?? null);
    }
    const item = known.get(stage);
    const share = status === 'done' || status === 'skipped' ? 1 : total ? Math.min(1, done / total) : 0;
    item.dataset.status = clean(status);
    item.querySelector('.meter > span').style.width = percent(share);
    item.querySelector('.amount').textContent = status === 'running' ? amount(done, total, unit) : STATUSES[status] ?? clean(status);
  }

  report({ video_id: id, path, status, stages, reason }) {
    const name = clean(path).split(/[\\/]/).at(-1) || id;
    for (const [stage, { status: told, reason: why }] of Object.entries(stages ?? {})) {
      this.progress(name, stage, { status: told, done: 0, total: 0, unit: '' });
      const item = this.row(name).known.get(SAME[stage] ?? stage);
      if (why && item) item.title = clean(why);
    }
    const { head } = this.row(name);
    const link = id && status !== 'failed' ? el('a', { href: videoPage(id) }, name) : name;
    fill(head, link, el('span', { class: `outcome o-${clean(status)}` }, OUTCOMES[status] ?? status), reason ? el('span', { class: 'soft' }, reason) : null);
  }
}

function named(paths = []) {
  const names = paths.map((path) => clean(path).split(/[\\/]/).filter(Boolean).at(-1) ?? '');
  return names.length > 2 ? `${names[0]} and ${names.length - 1} more` : names.join(', ');
}

function amount(done, total, unit) {
  if (unit === 'bytes') return `${size(done)} of ${size(total)}`;
  if (unit === 's') return total ? `${clock(done)} of ${clock(total)}` : clock(done);
  return total ? `${Math.round(done)} of ${Math.round(total)}` : String(Math.round(done));
}
