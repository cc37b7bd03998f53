/** Times, dates, sizes and highlighted words as a reader sees them. */

import { clean, el } from '/static/dom.js';

const two = (number) => String(number).padStart(2, '0');

/** 83.2 -> "1:23"; 3683 -> "1:01:23". */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(Number(seconds) || 0));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

export const span = (start, end) => `${clock(start)}\u2013${clock(end)}`;

/** "2 minutes 5 seconds": a time as it is spoken. */
export function spoken(seconds) {
  const whole = Math.max(0, Math.floor(Number(seconds) || 0));
  const parts = [
    [Math.floor(whole / 3600), 'hour'],
    [Math.floor(whole / 60) % 60, 'minute'],
    [whole % 60, 'second'],
  ].filter(([number, unit]) => number || (unit === 'second' && whole < 60));
  return parts.map(([number, unit]) => plural(number, unit)).join(' ');
}

export const plural = (number, what) =>
  `${Number(number).toLocaleString('en')} ${what}${Number(number) === 1 ? '' : 's'}`;

/** An ISO date as "21 Oct 2024"; '' where it is unknown. */
export function day(iso) {
  const date = iso ? new Date(iso) : null;
  if (!date || Number.isNaN(date.getTime())) return clean(iso);
  return date.toLocaleDateString('en-GB', {
    day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC',
  });
}

export function size(bytes) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let number = Number(bytes) || 0;
  let unit = 0;
  while (number >= 1000 && unit < units.length - 1) {
    number /= 1000;
    unit += 1;
  }
  return `${number >= 100 || !unit ? Math.round(number) : number.toFixed(1)} ${units[unit]}`;
}

export const percent = (share) => `${Math.round(100 * (Number(share) || 0))}%`;

export const SOURCES = {
  speech: 'Speech',
  caption: 'Captions',
  screen: 'Screen text',
  sound: 'Sounds',
  chapter: 'Chapters',
  summary: 'Summary',
};

export const sourceName = (source) => SOURCES[source] ?? clean(source);

// ---------------------------------------------------------------- words

const WORD = /[\p{L}\p{N}]+/gu;
const COMMON = new Set(
  ('a an and are as at be by did do does for from had has have how i in is it me my of on or our ' +
    'that the their there this to was we were what when where which who why will with you').split(' '),
);

export const fold = (text) =>
  clean(text).normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();

const stem = (word) => (word.length > 4 ? word.replace(/(ies|ing|ed|es|ly|s|y|e)$/, '') : word);

/** The words of a query that are worth marking; all of them where all are common. */
export function terms(query) {
  const words = fold(query).match(WORD) ?? [];
  const telling = words.filter((word) => !COMMON.has(word));
  return telling.length ? telling : words;
}

function matches(word, wanted) {
  const folded = fold(word);
  return wanted.some(
    (term) =>
      folded === term ||
      stem(folded) === stem(term) ||
      (term.length >= 3 && folded.startsWith(term)) ||
      (/\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}/u.test(term) && folded.includes(term)),
  );
}

/** Text as nodes, its matching words in <mark>. */
export function highlight(text, wanted) {
  const shown = clean(text);
  if (!wanted.length) return [shown];
  const nodes = [];
  let from = 0;
  for (const found of shown.matchAll(WORD)) {
    if (!matches(found[0], wanted)) continue;
    nodes.push(shown.slice(from, found.index), el('mark', {}, found[0]));
    from = found.index + found[0].length;
  }
  nodes.push(shown.slice(from));
  return nodes;
}

export function countMatches(text, wanted) {
  const found = new Set();
  for (const [word] of clean(text).matchAll(WORD)) if (matches(word, wanted)) found.add(stem(fold(word)));
  return found.size;
}

/** About `limit` characters of a text, around the first word that matches. */
export function around(text, wanted, limit = 220) {
  const shown = clean(text).replace(/\s*\n\s*/g, ' \u00b7 ');
  if (shown.length <= limit) return shown;
  const first = [...shown.matchAll(WORD)].find(([word]) => matches(word, wanted));
  const left = Math.max(0, (first?.index ?? 0) - Math.floor(limit / 3));
  const begin = left ? shown.indexOf(' ', left) + 1 : 0;
  const end = Math.min(shown.length, begin + limit);
  const cut = end < shown.length ? shown.lastIndexOf(' ', end) : end;
  return (begin ? '\u2026 ' : '') + shown.slice(begin, cut > begin ? cut : end) + (end < shown.length ? ' \u2026' : '');
}
