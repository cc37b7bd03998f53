/** An answer taken along: as Markdown on the clipboard, as JSON, in the formats of the server. */

import { download, events, get, videoPage } from '/static/api.js';
import { announce, clean, el, failure, fill, icon } from '/static/dom.js';
import { clock, day, sourceName } from '/static/format.js';
import { verdictWords } from '/static/notes.js';

// The formats of /api/answers/export, by what they are for.
const FORMATS = [
  ['html', 'Web page that stands alone'],
  ['csv', 'Table (CSV)'],
  ['otio', 'Timeline (OpenTimelineIO)'],
  ['edl', 'Timeline (EDL)'],
  ['fcpxml', 'Timeline (Final Cut XML)'],
  ['vtt', 'Subtitles of the quotes (WebVTT)'],
  ['srt', 'Subtitles of the quotes (SRT)'],
  ['reel', 'Highlight reel (MP4)'],
];

const LINES = new Set(['list', 'howto', 'timeline']);
const oneLine = (text) => clean(text).replace(/\s+/g, ' ').trim();
const escaped = (text) => oneLine(text).replace(/[\\`*_[\]<>#|~]/g, '\\$&');

/** The answer with Markdown footnotes; each leads to its second in this page. */
export function asMarkdown(answer) {
  const sentence = ({ text, citations }) => escaped(text) + citations.map((n) => `[^${n}]`).join('');
  const lead = { list: '- ', howto: '1. ', timeline: '- ' }[answer.form] ?? '';
  const body = answer.sentences.length
    ? answer.sentences.map((one) => lead + sentence(one)).join(LINES.has(answer.form) ? '\n' : ' ')
    : escaped(answer.answer);
  const notes = answer.citations.map((c) => {
    const place = new URL(videoPage(c.video_id, c.start), location.origin).href;
    const facts = [day(c.date), c.speaker, sourceName(c.source).toLowerCase(), verdictWords(c.verdict)];
    return `[^${c.marker}]: \u201c${escaped(c.quote)}\u201d [${escaped(c.title)}, ${clock(c.start)}](${place}) (${facts.filter(Boolean).map(escaped).join(', ')})`;
  });
  return [`**${escaped(answer.question)}**`, body, notes.join('\n')].filter(Boolean).join('\n\n') + '\n';
}

async function toClipboard(text) {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
  const area = el('textarea', { class: 'unseen', value: text, 'aria-hidden': 'true' });
  document.body.append(area);
  area.select();
  const done = document.execCommand('copy'); // the only way where the page is not served safely
  area.remove();
  if (!done) throw new Error('This browser does not let the page copy.');
  return undefined;
}

export function saveAs(blob, name) {
  const address = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

const fileName = (question) =>
  oneLine(question).toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-+|-+$/g, '').slice(0, 60) || 'answer';

/** The row of buttons below an answer. */
export function saving(answer) {
  const told = el('div', { class: 'saving-told' });
  const copy = el('button', { type: 'button', class: 'quiet' }, icon('copy', 15), 'Copy as Markdown');
  copy.addEventListener('click', async () => {
    try {
      await toClipboard(asMarkdown(answer));
      copy.lastChild.textContent = 'Copied';
      announce('The answer is on the clipboard');
      setTimeout(() => { copy.lastChild.textContent = 'Copy as Markdown'; }, 1800);
    } catch (error) {
      fill(told, failure(error));
    }
  });
  const json = () => saveAs(new Blob([JSON.stringify(answer, null, 1)], { type: 'application/json' }), `${fileName(answer.question)}.json`);
  const formats = answer.citations.length
    ? menu('Export', FORMATS.map(([format, label]) => [label, () => exported(answer, format, told)]))
    : null;
  return el('div', { class: 'saving' }, copy, el('button', { type: 'button', class: 'quiet', on: { click: json } }, icon('save', 15), 'Save as JSON'), formats, told);
}

/** A button that opens a list of things to do: [[label, act]]. */
export function menu(label, entries) {
  const box = el('details', { class: 'menu' }, el('summary', { class: 'quiet' }, icon('save', 15), label));
  const act = (work) => () => {
    box.open = false;
    work();
  };
  box.append(el('ul', {}, entries.map(([name, work]) => el('li', {}, el('button', { type: 'button', on: { click: act(work) } }, name)))));
  box.addEventListener('focusout', (event) => {
    if (event.relatedTarget && !box.contains(event.relatedTarget)) box.open = false;
  });
  return box;
}

async function exported(answer, format, told) {
  fill(told, el('p', { role: 'status' }, format === 'reel' ? 'The reel is being made \u2026' : 'Being made \u2026'));
  try {
    const { blob, name, status } = await download(`/api/answers/export?format=${format}`, answer);
    if (status === 202) await madeByJob(JSON.parse(await blob.text()), told);
    else {
      saveAs(blob, name || `${fileName(answer.question)}.${format}`);
      fill(told);
    }
  } catch (error) {
    fill(told, failure(error));
  }
}

/** A reel takes a while: the job is followed, and its file is offered when it is there. */
async function madeByJob({ job_id: id }, told) {
  let job = await get(`/api/jobs/${id}`);
  for await (const { event, data } of events(`/api/jobs/${id}/events`)) {
    if (event === 'job') job = data;
    if (event === 'progress' && data.total) fill(told, el('p', { role: 'status' }, `The reel: ${Math.round((100 * data.done) / data.total)}%`));
  }
  if (job.error) throw Object.assign(new Error(job.error.message), { hint: job.error.hint });
  fill(told, el('p', { role: 'status' }, 'The reel is made. ', el('a', { href: job.file || `/api/jobs/${id}/file`, download: '' }, 'Save it')));
}
