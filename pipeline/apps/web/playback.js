/**
 * The ways to show a video, from the file itself down to its key frames. Each is told and tells
 * seconds of the video, whatever its own clock says, and sends `change` and, when it cannot go on,
 * `failed`. `open(time, play)` is also how one seeks.
 */

import { frame, get } from '/static/api.js';
import { el, ownUrl, picture } from '/static/dom.js';

const TOLD = ['timeupdate', 'play', 'pause', 'playing', 'waiting', 'seeked', 'ended', 'volumechange', 'loadeddata'];

const NEAR = 0.15; // seconds that are not worth a seek
const WORTH_RUNNING = 6; // seconds that are sooner run through than begun again

class Playback extends EventTarget {
  hasPicture = true;

  changed() {
    this.dispatchEvent(new Event('change'));
  }

  failed(reason) {
    this.dispatchEvent(new CustomEvent('failed', { detail: reason }));
  }
}

class VideoElement extends Playback {
  constructor() {
    super();
    this.element = el('video', { playsinline: true, preload: 'metadata', tabindex: '-1' });
    this.offset = 0; // seconds of the video at which the element's clock is zero
    this.wanted = null; // seconds to be sought as soon as the element can
    for (const type of TOLD) this.element.addEventListener(type, () => this.changed());
    this.element.addEventListener('loadedmetadata', () => this.arrive());
    this.element.addEventListener('error', () => {
      if (this.element.getAttribute('src')) this.failed('this browser cannot play it');
    });
  }

  get time() {
    return this.wanted ?? this.offset + this.element.currentTime;
  }

  get playing() {
    return !this.element.paused;
  }

  get waiting() {
    return this.playing && this.element.readyState < 3;
  }

  arrive() {
    if (this.wanted === null) return;
    const local = Math.max(0, this.wanted - this.offset);
    this.wanted = null;
    if (Math.abs(this.element.currentTime - local) > 0.01) this.element.currentTime = local;
  }

  play() {
    // Refused without a user's gesture, or overtaken by the next request: the button still shows.
    this.element.play().catch(() => this.changed());
  }

  pause() {
    this.element.pause();
  }

  close() {
    this.element.pause();
    this.element.removeAttribute('src');
    this.element.load(); // lets go of the connection
  }
}

/** The file as it is, with Range requests. */
export class FilePlayback extends VideoElement {
  constructor(url) {
    super();
    this.url = ownUrl(url);
  }

  open(time, play) {
    this.wanted = time;
    if (!this.element.getAttribute('src')) this.element.src = this.url;
    else if (this.element.readyState >= 1) this.arrive();
    if (play) this.play();
    this.changed();
  }
}

/**
 * Made on the fly by the server, from the key frame before a second on. Such a stream cannot be
 * sought in: to go back is to begin again, and the way from the key frame to the second that was
 * asked for is run through quickly, unseen and unheard.
 */
export class StreamPlayback extends VideoElement {
  constructor(url, duration) {
    super();
    this.url = ownUrl(url);
    this.duration = duration;
    this.element.addEventListener('ended', () => this.goOn());
    this.serial = 0;
    this.hurry = null; // {play, muted, rate} while it runs to `wanted`
  }

  get playing() {
    return this.hurry ? this.hurry.play : super.playing;
  }

  get waiting() {
    return Boolean(this.hurry) || super.waiting;
  }

  async open(time, play) {
    const serial = ++this.serial;
    const ahead = time - this.offset - this.element.currentTime;
    const begun = this.element.readyState >= 1 && this.element.getAttribute('src') && !this.element.ended;
    this.slow();
    this.wanted = time;
    this.then = play;
    this.changed();
    if (begun && ahead >= -NEAR && ahead < WORTH_RUNNING) this.arrive();
    else await this.begin(time, serial);
  }

  async begin(time, serial) {
    const address = `${this.url}${this.url.includes('?') ? '&' : '?'}start=${Math.max(0, time).toFixed(3)}`;
    let begins;
    try {
      const answer = await fetch(address, { method: 'HEAD' });
      if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
      begins = answer.headers.get('X-Stream-Start');
    } catch (error) {
      if (serial === this.serial) this.failed(error.message);
      return;
    }
    if (serial !== this.serial) return; // another seek has overtaken this one
    this.offset = begins === null ? time : Number(begins);
    this.element.src = address;
  }

  /** The server may end a stream that nobody has read for a while: a paused one goes on from there. */
  goOn() {
    const far = this.element.currentTime > 1 && this.time < this.duration - 2;
    if (far && !this.hurry) this.open(this.time, true);
  }

  /** The stream is there, at its key frame: on to the second that is wanted. */
  arrive() {
    if (this.wanted === null) return;
    const { muted, playbackRate: rate } = this.element;
    if (this.wanted - this.offset - this.element.currentTime > NEAR) {
      this.hurry = { play: this.then, muted, rate };
      this.element.muted = true;
      this.element.play().catch(() => this.slow());
      this.run();
    } else this.stand();
  }

  run() {
    if (!this.hurry) return;
    const left = this.wanted - this.offset - this.element.currentTime;
    if (left <= NEAR / 2 || this.element.ended) {
      const { play } = this.hurry;
      this.slow();
      this.then = play;
      this.stand();
      return;
    }
    this.element.playbackRate = left > 2 ? 16 : left > 0.5 ? 4 : 1.5;
    requestAnimationFrame(() => this.run());
  }

  stand() {
    this.wanted = null;
    if (this.then) this.play();
    else this.element.pause();
    this.changed();
  }

  slow() {
    if (!this.hurry) return;
    this.element.muted = this.hurry.muted;
    this.element.playbackRate = this.hurry.rate;
    this.hurry = null;
  }

  play() {
    if (this.hurry) this.hurry.play = true;
    else if (this.wanted !== null) this.then = true;
    else super.play();
    this.changed();
  }

  pause() {
    if (this.hurry) this.hurry.play = false;
    else if (this.wanted !== null) this.then = false;
    else super.pause();
    this.changed();
  }

  close() {
    this.serial += 1;
    this.slow();
    super.close();
  }
}

/** Nothing plays: the stored pictures, one after the other, on a clock of its own. */
export class FramesPlayback extends Playback {
  constructor(id, duration) {
    super();
    this.id = id;
    this.duration = duration;
    this.element = picture('', { class: 'still', loading: 'eager' });
    this.at = 0;
    this.since = null; // performance.now() when the clock last started
    this.frames = get(`/api/videos/${encodeURIComponent(id)}/strip?width=640&count=60`).then(
      (strip) => strip.frames,
      () => [],
    );
  }

  get time() {
    const gone = this.since === null ? 0 : (performance.now() - this.since) / 1000;
    return Math.min(this.duration, this.at + gone);
  }

  get playing() {
    return this.since !== null;
  }

  get waiting() {
    return false;
  }

  open(time, play) {
    this.at = time;
    if (this.since !== null) this.since = performance.now();
    this.show();
    if (play) this.play();
    this.changed();
  }

  play() {
    this.at = this.time >= this.duration ? 0 : this.time;
    this.since = performance.now();
    clearInterval(this.ticking);
    this.ticking = setInterval(() => this.tick(), 250);
    this.changed();
  }

  pause() {
    this.at = this.time;
    this.since = null;
    clearInterval(this.ticking);
    this.changed();
  }

  tick() {
    if (this.time >= this.duration) this.pause();
    this.show();
    this.changed();
  }

  async show() {
    const frames = await this.frames;
    const shown = frames.filter((one) => one.at <= this.time + 0.05).at(-1) ?? frames[0];
    const address = shown ? shown.url : frame(this.id, this.time, 640);
    if (this.shown === address) return;
    this.shown = address;
    this.element.classList.remove('missing');
    this.element.src = ownUrl(address);
  }

  close() {
    this.pause();
  }
}

/** Text that was imported without a file: a place in it can be shown, and nothing played. */
export class NoPlayback extends Playback {
  hasPicture = false;

  constructor() {
    super();
    this.element = el('div', { class: 'no-picture' }, 'This text was imported without a video file.');
    this.time = 0;
    this.playing = false;
    this.waiting = false;
  }

  open(time) {
    this.time = time;
    this.changed();
  }

  play() {}

  pause() {}

  close() {}
}
