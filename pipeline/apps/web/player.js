/**
 * The player that stays in view. Opens any video of the library at a second; what cannot play is
 * converted by the server, else shown as key frames, and the line below says so. Sends `time`
 * while it moves and `state` when it starts, stops or opens another video.
 */

import { frame, get, video, videoPage } from '/static/api.js';
import { announce, clean, el, fill, icon, keep, kept, ownUrl } from '/static/dom.js';
import { clock, day, spoken } from '/static/format.js';
import { FilePlayback, FramesPlayback, NoPlayback, StreamPlayback } from '/static/playback.js';

const LADDER = {
  direct: ['direct', 'stream', 'frames'],
  remux: ['stream', 'frames'],
  transcode: ['stream', 'frames'],
  frames: ['frames'],
  none: ['none'],
};
const SAID = { stream: 'converted while it plays', frames: 'cannot be played here: key frames only' };
const DRAG_REST = 250; // ms
const RATES = [1, 1.25, 1.5, 2, 0.75];

export class Player extends EventTarget {
  /** `dock`: it can be closed, and on a narrow screen made small. */
  constructor({ dock = true } = {}) {
    super();
    this.videoId = '';
    this.row = null;
    this.way = null;
    this.marks = () => [];
    this.subtitles = kept('subtitles') === 'on';
    this.rate = 1;
    this.muted = false;
    this.serial = 0;
    this.element = this.build(dock);
    this.element.hidden = true;
    if (dock) new ResizeObserver(() => this.makeRoom()).observe(this.element);
  }

  get time() {
    return this.way?.time ?? 0;
  }

  get playing() {
    return Boolean(this.way?.playing);
  }

  // ---------------------------------------------------------------- what it is told

  /** Shows a video at a second; `play` starts it, else it stands still there. */
  async open(id, time, { play = false } = {}) {
    const serial = ++this.serial;
    if (id === this.videoId && this.way) {
      this.goTo(time, play);
      this.tell('state');
      return;
    }
    this.shut();
    this.videoId = id;
    this.element.hidden = false;
    this.element.classList.add('loading');
    this.tell('state');
    let row;
    try {
      row = await video(id);
    } catch (error) {
      if (serial === this.serial) this.refuse(error);
      return;
    }
    if (serial !== this.serial) return; // another video was asked for meanwhile
    this.row = row;
    this.backdrop(time);
    this.describe();
    this.descend([...(LADDER[row.playback?.kind] ?? LADDER.none)], time, play);
  }

  seek(time) {
    if (!this.way) return;
    this.goTo(Math.min(Math.max(0, time), this.duration), this.playing);
  }

  goTo(time, play) {
    if (this.way.hurry !== undefined) this.backdrop(time); // seen until a stream has come to it
    this.way.open(time, play);
  }

  backdrop(time) {
    this.screen.style.backgroundImage = this.row.thumbnail ? `url("${ownUrl(frame(this.videoId, time, 640))}")` : '';
  }

  /** While the knob is moved: a file is sought at once, a stream begun again when it rests. */
  drag(time) {
    clearTimeout(this.dragging);
    this.dragging = null;
    if (this.way?.hurry === undefined) this.seek(time);
    else this.dragging = setTimeout(() => { this.dragging = null; this.seek(time); }, DRAG_REST);
  }

  nudge(seconds) {
    this.seek(this.time + seconds);
  }

  toggle() {
    if (!this.way) return;
    if (this.way.playing) this.way.pause();
    else this.way.play();
  }

  close() {
    this.shut();
    this.element.hidden = true;
    this.tell('state');
  }

  /** What is marked on its timeline: a function from a video's id to [{start, end, marker}]. */
  markWith(marks) {
    this.marks = marks;
    this.drawMarks();
  }

  // ---------------------------------------------------------------- ways to show it

  get duration() {
    return this.row?.duration || 0;
  }

  /** The next way that is left; a way that fails hands on to the one below it. */
  descend(ways, time, play) {
    const kind = ways.shift();
    this.way?.close();
    this.way = this.makeWay(kind);
    fill(this.picture, this.way.element);
    this.element.classList.toggle('pictureless', !this.way.hasPicture);
    this.note.textContent = SAID[kind] ?? '';
    this.way.addEventListener('change', () => this.draw());
    this.way.addEventListener('failed', () => {
      const at = this.way.time;
      if (ways.length) this.descend(ways, at, play);
      else this.refuse(new Error('It cannot be shown.'));
    }, { once: true });
    this.apply();
    this.way.open(time, play);
    this.element.classList.remove('loading');
    this.drawMarks();
    this.draw();
    this.tell('state');
  }

  makeWay(kind) {
    const { playback, video_id: id } = this.row;
    const base = `/api/videos/${encodeURIComponent(id)}`;
    if (kind === 'direct') return new FilePlayback(playback.url || `${base}/media`);
    if (kind === 'stream') {
      const address = playback.kind === 'direct' ? `${base}/stream` : playback.url || `${base}/stream`;
      return new StreamPlayback(address, this.duration);
    }
    return kind === 'frames' ? new FramesPlayback(id, this.duration) : new NoPlayback();
  }

  shut() {
    this.way?.close();
    this.way = null;
    this.row = null;
    this.videoId = '';
    this.strip = null;
    this.note.textContent = '';
    this.element.classList.remove('pictureless');
    fill(this.picture);
    fill(this.markRow);
    fill(this.title);
    fill(this.words);
  }

  refuse(error) {
    this.element.classList.remove('loading');
    fill(this.picture, el('div', { class: 'no-picture', role: 'alert' }, error.message));
  }

  // ---------------------------------------------------------------- its face

  build(dock) {
    const button = (name, label, click, extra = {}) =>
      el('button', { type: 'button', class: 'icon-button', 'aria-label': label, title: label, on: { click }, ...extra }, icon(name));
    this.picture = el('div', { class: 'picture' });
    this.words = el('p', { class: 'subtitle', 'aria-hidden': 'true' });
    this.screen = el('div', { class: 'screen', on: { click: () => this.toggle() } }, this.picture, this.words);
    this.button = button('play', 'Play', () => this.toggle(), { class: 'icon-button play' });
    this.slider = el('input', {
      type: 'range', min: '0', max: '1', step: '0.1', value: '0', 'aria-label': 'Position',
      on: {
        input: () => this.drag(Number(this.slider.value)),
        pointermove: (event) => this.glance(event),
        pointerleave: () => { this.glimpse.hidden = true; },
      },
    });
    this.markRow = el('div', { class: 'marks', 'aria-hidden': 'true' });
    this.glimpse = el('div', { class: 'glimpse', 'aria-hidden': 'true', hidden: true });
    this.rail = el('div', { class: 'rail' }, this.markRow, this.slider, this.glimpse);
    this.clock = el('span', { class: 'clock' }, '0:00');
    this.title = el('p', { class: 'now' });
    this.note = el('p', { class: 'way' });
    this.soundButton = button('sound', 'Mute', () => this.mute());
    this.subtitleButton = button('captions', 'Subtitles', () => this.toggleSubtitles(), { 'aria-pressed': String(this.subtitles) });
    this.rateButton = el('button', { type: 'button', class: 'icon-button rate', 'aria-label': 'Speed', title: 'Speed', on: { click: () => this.faster() } }, '1×');
    const extra = dock
      ? [button('grow', 'Larger or smaller', () => this.enlarge(), { class: 'icon-button enlarge' }), button('close', 'Close the player', () => this.close(), { class: 'icon-button shut' })]
      : [];
    return el(
      'section',
      { class: `player${dock ? ' dock' : ''}`, 'aria-label': 'Player' },
      this.screen,
      el(
        'div',
        { class: 'console' },
        this.rail,
        el('div', { class: 'controls' }, this.button, this.clock, el('span', { class: 'gap' }), this.rateButton, this.subtitleButton, this.soundButton, button('full', 'Full screen', () => this.fullScreen(), { class: 'icon-button full' }), extra),
        el('div', { class: 'caption' }, this.title, this.note),
      ),
    );
  }

  describe() {
    const facts = [day(this.row.date), clock(this.duration)].filter(Boolean).join(' · ');
    fill(this.title, el('a', { href: videoPage(this.videoId) }, this.row.title || this.videoId), el('span', { class: 'soft' }, facts));
    this.slider.max = String(this.duration || 1);
    this.speech = (this.row.segments ?? []).filter((segment) => segment.source === 'speech');
  }

  draw() {
    const { time, playing } = this;
    const label = playing ? 'Pause' : 'Play';
    if (this.button.getAttribute('aria-label') !== label) {
      this.button.setAttribute('aria-label', label);
      this.button.title = label;
      fill(this.button, icon(playing ? 'pause' : 'play'));
      this.tell('state');
    }
    if (!this.dragging) this.slider.value = String(time);
    this.slider.setAttribute('aria-valuetext', spoken(time));
    this.rail.style.setProperty('--at', `${this.duration ? (100 * time) / this.duration : 0}%`);
    this.clock.textContent = `${clock(time)} / ${clock(this.duration)}`;
    this.element.classList.toggle('waiting', Boolean(this.way?.waiting));
    this.element.classList.toggle('running', Boolean(this.way?.hurry));
    this.drawWords(time);
    this.tell('time');
  }

  drawWords(time) {
    const said = this.subtitles && this.speech?.findLast((segment) => segment.start <= time && time < segment.end);
    const text = said ? clean(said.text) : '';
    if (this.words.textContent !== text) this.words.textContent = text;
  }

  drawMarks() {
    if (!this.duration) return;
    const share = (seconds) => `${(100 * seconds) / this.duration}%`;
    fill(this.markRow, this.marks(this.videoId).map(({ start, end, marker }) => {
      const mark = el('span', { class: marker ? 'mark cited' : 'mark' });
      mark.style.left = share(start);
      mark.style.width = share(Math.max(0.3, end - start));
      return mark;
    }));
  }

  /** The picture under the pointer, from the strip: read once, when first looked for. */
  async glance(event) {
    if (!this.duration || !this.way?.hasPicture || event.pointerType === 'touch') return;
    const box = this.rail.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    const at = share * this.duration;
    const id = this.videoId;
    this.strip ??= get(`/api/videos/${encodeURIComponent(id)}/strip?width=160&count=40`).catch(() => ({ frames: [] }));
    const { frames } = await this.strip;
    if (id !== this.videoId || !this.rail.matches(':hover')) return;
    const near = frames.reduce((best, one) => (Math.abs(one.at - at) < Math.abs(best.at - at) ? one : best), frames[0] ?? null);
    const image = this.glimpse.querySelector('img') ?? el('img', { alt: '' });
    if (near && image.getAttribute('src') !== near.url) image.setAttribute('src', ownUrl(near.url));
    fill(this.glimpse, near ? image : null, el('span', {}, clock(at)));
    this.glimpse.style.left = `${100 * share}%`;
    this.glimpse.hidden = false;
  }

  // ---------------------------------------------------------------- its buttons

  apply() {
    const { element } = this.way;
    if (!(element instanceof HTMLVideoElement)) return;
    element.muted = this.muted;
    element.defaultPlaybackRate = this.rate;
    element.playbackRate = this.rate;
  }

  mute() {
    this.muted = !this.muted;
    fill(this.soundButton, icon(this.muted ? 'muted' : 'sound'));
    this.soundButton.setAttribute('aria-label', this.muted ? 'Unmute' : 'Mute');
    if (this.way) this.apply();
    announce(this.muted ? 'Sound off' : 'Sound on');
  }

  toggleSubtitles() {
    this.subtitles = !this.subtitles;
    keep('subtitles', this.subtitles ? 'on' : 'off');
    this.subtitleButton.setAttribute('aria-pressed', String(this.subtitles));
    this.drawWords(this.time);
  }

  faster() {
    this.rate = RATES[(RATES.indexOf(this.rate) + 1) % RATES.length];
    this.rateButton.textContent = `${this.rate}×`;
    this.rateButton.setAttribute('aria-label', `Speed ${this.rate}`);
    if (this.way) this.apply();
  }

  fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.element.requestFullscreen?.();
  }

  /** On a narrow screen the player covers the end of the page: the page is as much longer. */
  makeRoom() {
    const side = this.element.parentElement;
    const fixed = side && getComputedStyle(side).position === 'fixed';
    document.documentElement.style.setProperty('--dock', `${fixed ? this.element.offsetHeight : 0}px`);
  }

  enlarge(large = !this.element.classList.contains('large')) {
    this.element.classList.toggle('large', large);
  }

  tell(type) {
    this.dispatchEvent(new Event(type));
  }
}
