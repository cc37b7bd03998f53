/** One video: its player, the text that follows it, chapters, summary, facts and export. */

import { forget, video } from '/static/api.js';
import { clean, el, failure, fill, safeUrl } from '/static/dom.js';
import { clock, day, spoken } from '/static/format.js';
import { Player } from '/static/player.js';
import { menu } from '/static/saving.js';
import { strip } from '/static/strip.js';
import { Transcript } from '/static/transcript.js';

const FORMATS = [
  ['vtt', 'Subtitles (WebVTT)'],
  ['srt', 'Subtitles (SRT)'],
  ['chapters', 'Chapters for YouTube'],
  ['csv', 'Table (CSV)'],
  ['html', 'Web page that stands alone'],
  ['otio', 'Timeline (OpenTimelineIO)'],
  ['edl', 'Timeline (EDL)'],
  ['fcpxml', 'Timeline (Final Cut XML)'],
];

export class VideoView {
  constructor(root, { match, query }) {
    this.id = decodeURIComponent(match[1]);
    this.title = `${clean(this.id)} · Footnote`;
    this.player = new Player({ dock: false });
    this.root = root;
    fill(root, el('div', { class: 'video-page' }, el('p', { class: 'working' }, el('span', { class: 'pulse' }), 'Opening \u2026')));
    this.read(Number(query.get('t')) || 0);
  }

  async read(at) {
    try {
      const row = await video(this.id);
      if (!this.left) await this.draw(row, at);
    } catch (error) {
      if (this.left) return;
      forget();
      fill(this.root, el('div', { class: 'video-page' }, el('h1', {}, 'This video cannot be shown'), failure(error, () => this.read(at)), el('p', {}, el('a', { href: '/library' }, 'All videos'))));
    }
  }

  async draw(row, at) {
    this.row = row;
    this.title = document.title = `${clean(row.title || this.id)} · Footnote`;
    this.transcript = new Transcript(this.player, row.segments.filter(({ source }) => source !== 'chapter' && source !== 'summary'));
    const chapters = this.chapters(row.chapters ?? []);
    fill(
      this.root,
      el(
        'div',
        { class: 'video-page' },
        this.head(row),
        el('div', { class: 'video-main' }, this.player.element, this.timeline(row), chapters, this.summary(row)),
        this.transcript.element,
      ),
    );
    this.player.markWith(() => (row.chapters ?? []).slice(1).map(({ start }) => ({ start, end: start, marker: 0 })));
    this.player.addEventListener('time', () => this.follow());
    await this.player.open(row.video_id, at);
    this.transcript.follow();
  }

  head(row) {
    const facts = [day(row.date), clock(row.duration), (row.people ?? []).join(', '), row.place];
    const original = /^https?:/.test(safeUrl(row.url || 'about:blank')) ? el('a', { href: row.url, target: '_blank', rel: 'noopener noreferrer' }, 'Original') : null;
    return el(
      'header',
      { class: 'video-head' },
      el('h1', { dir: 'auto' }, row.title || row.video_id),
      el('p', { class: 'facts' }, facts.filter(Boolean).map((fact) => el('span', {}, fact)), original),
      (row.tags ?? []).length ? el('p', { class: 'chips' }, row.tags.map((tag) => el('span', { class: 'chip' }, tag))) : null,
      (row.pending ?? []).length ? el('p', { class: 'warning' }, `Still to be done: ${row.pending.map((stage) => clean(stage)).join(', ')}. `, el('a', { href: '/status' }, 'Why')) : null,
      menu('Export', FORMATS.map(([format, label]) => [label, () => this.save(format)])),
    );
  }

  save(format) {
    const link = el('a', { href: `/api/videos/${encodeURIComponent(this.row.video_id)}/export?format=${format}`, download: '' });
    link.click();
  }

  timeline(row) {
    if (!row.path) return null;
    return strip(row.video_id, row.title, [], (seconds) => this.player.open(row.video_id, seconds, { play: this.player.playing }));
  }

  chapters(chapters) {
    this.spans = chapters;
    if (!chapters.length) return null;
    const go = (start) => this.player.open(this.row.video_id, start, { play: this.player.playing });
    this.chapterList = el(
      'ol',
      { class: 'chapter-list' },
      chapters.map(({ start, title }) => el('li', {}, el('button', { type: 'button', 'aria-label': `${clean(title)}, ${spoken(start)}`, on: { click: () => go(start) } }, el('span', { class: 'time' }, clock(start)), el('span', { dir: 'auto' }, title)))),
    );
    return el('section', { class: 'chapters', 'aria-label': 'Chapters' }, el('h2', {}, 'Chapters'), this.chapterList);
  }

  summary({ summary, description }) {
    const text = summary || description;
    if (!text) return null;
    return el('section', { class: 'summary', 'aria-label': 'Summary' }, el('h2', {}, summary ? 'Summary' : 'Description'), el('p', { dir: 'auto' }, text));
  }

  follow() {
    const { time } = this.player;
    const place = this.spans.findLastIndex(({ start }) => start <= time + 0.05);
    if (place === this.chapter) return;
    this.chapter = place;
    for (const [at, item] of [...(this.chapterList?.children ?? [])].entries()) {
      if (at === place) item.firstChild.setAttribute('aria-current', 'true');
      else item.firstChild.removeAttribute('aria-current');
    }
  }

  step(direction) {
    this.transcript?.step(direction);
  }

  escape() {
    const { filter } = this.transcript ?? {};
    if (filter && document.activeElement === filter) {
      if (filter.value) {
        filter.value = '';
        this.transcript.draw();
      } else filter.blur();
    } else document.activeElement?.blur();
  }

  leave() {
    this.left = true;
    this.player.close();
  }
}
