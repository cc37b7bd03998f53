/**
 * Elements, made without markup. All text of the library is hostile: it becomes text nodes and
 * attribute values, never HTML, and an address becomes a link only when its scheme is harmless.
 */

const SVG = 'http://www.w3.org/2000/svg';
// Control characters, and those that turn the direction of what follows: a title could hide in them.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufeff]/g;
const AS_PROPERTY = new Set(['value', 'checked', 'disabled', 'hidden', 'muted', 'open', 'indeterminate']);
const REFUSED = /^on|^style$|^srcdoc$/i;

export const clean = (text) => String(text ?? '').replace(UNSEEN, '');

/** The address when it may be followed: http, https, file, or a path of this server; else ''. */
export function safeUrl(address) {
  let url;
  try {
    url = new URL(String(address), location.origin);
  } catch {
    return '';
  }
  return ['http:', 'https:', 'file:'].includes(url.protocol) ? url.href : '';
}

/** The address when it is one of this server; else ''. For everything that is loaded. */
export function ownUrl(address) {
  const url = safeUrl(address);
  return url && new URL(url).origin === location.origin ? url : '';
}

function set(node, key, value) {
  if (value === null || value === undefined || value === false) return;
  if (key === 'on') {
    for (const [type, listener] of Object.entries(value)) node.addEventListener(type, listener);
  } else if (key === 'data') Object.assign(node.dataset, value);
  else if (key === 'href' || key === 'src' || key === 'poster') {
    const url = key === 'href' ? safeUrl(value) : ownUrl(value);
    if (url) node.setAttribute(key, url);
  } else if (AS_PROPERTY.has(key)) node[key] = value;
  else if (!REFUSED.test(key)) node.setAttribute(key, value === true ? '' : clean(value));
}

/** `el('p', {class: 'note', on: {click}}, 'text', child)`: strings become text, null is left out. */
export function el(name, props = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(props)) set(node, key, value);
  return append(node, ...children);
}

export function append(node, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : clean(child));
  }
  return node;
}

export function fill(node, ...children) {
  node.replaceChildren();
  return append(node, ...children);
}

// 24 x 24, drawn with strokes; two subpaths of one path are parted by a space.
const PATHS = {
  play: 'M7 4.500v15l12-7.500z',
  pause: 'M8 5v14 M16 5v14',
  captions: 'M3.500 5.500h17v13h-17z M10.500 10.500a2 2 0 1 0 0 3 M17 10.500a2 2 0 1 0 0 3',
  sound: 'M4 9.500v5h3.500L12 19V5L7.500 9.500z M16 9a4 4 0 0 1 0 6 M18.500 6.500a8 8 0 0 1 0 11',
  muted: 'M4 9.500v5h3.500L12 19V5L7.500 9.500z M16 9.500l5 5 M21 9.500l-5 5',
  full: 'M4 9V4h5 M15 4h5v5 M20 15v5h-5 M9 20H4v-5',
  close: 'M6 6l12 12 M18 6L6 18',
  grow: 'M6 14l6-6 6 6',
  shrink: 'M6 10l6 6 6-6',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z M12 2v3 M12 19v3 M2 12h3 M19 12h3 M5 5l2 2 M17 17l2 2 M5 19l2-2 M17 7l2-2',
  moon: 'M20 14.500A8 8 0 1 1 9.500 4a6.500 6.500 0 0 0 10.500 10.500z',
  auto: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z M12 3v18 M12 7l5.500-1 M12 12h8.500 M12 17l5.500 1',
  search: 'M10.500 4a6.500 6.500 0 1 0 0 13 6.500 6.500 0 0 0 0-13z M15.500 15.500L21 21',
  send: 'M5 12h14 M13 6l6 6-6 6',
  stop: 'M7 7h10v10H7z',
  check: 'M5 12.500l4.500 4.500L19 7.500',
  half: 'M12 4a8 8 0 1 0 0 16z M12 4a8 8 0 0 1 0 16',
  query: 'M8.500 9a3.500 3.500 0 1 1 5 3.200c-1 .6-1.500 1.300-1.500 2.600 M12 18.800v.2',
  unequal: 'M5 9.500h14 M5 14.500h14 M16 5L8 19',
  dash: 'M6 12h12',
  copy: 'M9 9h11v11H9z M5 15H4V4h11v1',
  save: 'M12 4v11 M7 11l5 5 5-5 M4 20h16',
  add: 'M12 5v14 M5 12h14',
  filter: 'M4 6h16 M7 12h10 M10 18h4',
  film: 'M4 5h16v14H4z M8 5v14 M16 5v14 M4 9.700h4 M4 14.300h4 M16 9.700h4 M16 14.300h4',
};

export function icon(name, size = 18) {
  const svg = document.createElementNS(SVG, 'svg');
  const facts = { viewBox: '0 0 24 24', width: size, height: size, class: `icon icon-${name}` };
  for (const [key, value] of Object.entries(facts)) svg.setAttribute(key, value);
  svg.setAttribute('aria-hidden', 'true');
  svg.setAttribute('focusable', 'false');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', PATHS[name]);
  svg.append(path);
  return svg;
}

// Videos that have no picture (imported text, sound alone): each is asked for one once.
const unseen = new Set();
let anyPictures = true;
const videoOf = (url) => /\/api\/videos\/[^/]+/.exec(url)?.[0] ?? url;

/** Whether the library has pictures at all; where it has none, none is asked for. */
export function expectPictures(any) {
  anyPictures = any;
  unseen.clear();
}

/** A picture that leaves a quiet surface where it cannot be had. */
export function picture(address, props = {}) {
  const image = el('img', { alt: '', loading: 'lazy', decoding: 'async', ...props });
  const url = address && anyPictures ? ownUrl(address) : '';
  image.addEventListener('error', () => {
    image.classList.add('missing');
    unseen.add(videoOf(url));
  });
  if (url && !unseen.has(videoOf(url))) image.src = url;
  else image.classList.add('missing');
  return image;
}

/** Tells a screen reader, politely. Each call is spoken, the same text twice too. */
export function announce(text) {
  const region = document.getElementById('announce');
  const line = el('p', {}, text);
  region.append(line);
  while (region.childElementCount > 6) region.firstElementChild.remove();
}

/** An error in place, with the command or step that helps. */
export function failure(error, again = null) {
  return el(
    'div',
    { class: 'failure', role: 'alert' },
    el('p', {}, error.message || String(error)),
    error.hint ? el('p', { class: 'hint' }, 'Try: ', el('code', {}, error.hint)) : null,
    again ? el('button', { type: 'button', class: 'quiet', on: { click: again } }, 'Try again') : null,
  );
}

export const calm = () => matchMedia('(prefers-reduced-motion: reduce)').matches;

/** A choice of this browser's user; where storage is blocked it lasts as long as the page. */
const choices = new Map();

export function keep(name, value) {
  choices.set(name, value);
  try {
    localStorage.setItem(`footnote-${name}`, value);
  } catch {
    /* blocked: see above */
  }
}

export function kept(name) {
  try {
    return choices.get(name) ?? localStorage.getItem(`footnote-${name}`);
  } catch {
    return choices.get(name) ?? null;
  }
}
