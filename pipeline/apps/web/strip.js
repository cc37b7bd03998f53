/** A video's timeline as a strip of its pictures, with an answer's moments marked on it. */

import { get, video } from '/static/api.js';
import { clean, el, fill, picture } from '/static/dom.js';
import { clock, plural, spoken } from '/static/format.js';

const PICTURES = 12;

/**
 * `marks`: [{start, end, marker}], marker 0 for a moment that is not cited; `seek(seconds)`.
 * Comes back at once and is filled when the video's length and pictures are there.
 */
export function strip(videoId, title, marks, seek) {
  const pictures = el('div', { class: 'strip-pictures', 'aria-hidden': 'true' });
  const pins = el('div', { class: 'strip-pins' });
  const ends = el('div', { class: 'strip-ends', 'aria-hidden': 'true' });
  const cited = marks.filter((mark) => mark.marker).length;
  const element = el(
    'div',
    { class: 'strip', role: 'group', 'aria-label': `Timeline of ${clean(title)}${cited ? `, ${plural(cited, 'footnote')} marked` : ''}` },
    el('div', { class: 'strip-frame' }, pictures, pins),
    ends,
  );
  draw(videoId, marks, seek, { pictures, pins, ends }).catch(() => element.classList.add('missing'));
  return element;
}

async function draw(videoId, marks, seek, { pictures, pins, ends }) {
  const path = `/api/videos/${encodeURIComponent(videoId)}/strip?width=160&count=${PICTURES}`;
  const row = await video(videoId);
  const { frames } = row.thumbnail ? await get(path).catch(() => ({ frames: [] })) : { frames: [] };
  const length = row.duration || Math.max(1, ...marks.map((mark) => mark.end));
  const slots = frames.length ? Array.from({ length: PICTURES }, (_, slot) => nearest(frames, ((slot + 0.5) / PICTURES) * length)) : [];
  fill(pictures, slots.map((one) => picture(one.url)));
  pictures.addEventListener('click', (event) => {
    const box = pictures.getBoundingClientRect();
    seek(((event.clientX - box.left) / box.width) * length);
  });
  fill(pins, marks.map((mark) => pin(mark, length, seek)));
  fill(ends, el('span', {}, '0:00'), el('span', {}, clock(length)));
}

const nearest = (frames, at) =>
  frames.reduce((best, one) => (Math.abs(one.at - at) < Math.abs(best.at - at) ? one : best));

function pin({ start, end, marker }, length, seek) {
  const node = marker
    ? el('button', { type: 'button', class: 'pin', 'aria-label': `Footnote ${marker}, at ${spoken(start)}`, title: clock(start), on: { click: () => seek(start, marker) } }, el('span', {}, marker))
    : el('span', { class: 'band' });
  node.style.left = `${(100 * start) / length}%`;
  node.style.width = `${Math.max(0.5, (100 * (Math.min(end, length) - start)) / length)}%`;
  return node;
}
