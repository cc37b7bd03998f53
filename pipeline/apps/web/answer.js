/**
 * An answer as it comes: sentence by sentence, each with its footnotes, then the videos that it
 * cites with their timelines. The same for a question and for a turn of a chat.
 */

import { frame, videoPage } from '/static/api.js';
import { announce, clean, el, failure, fill, icon, picture } from '/static/dom.js';
import { clock, day, percent, plural, spoken } from '/static/format.js';
import { verdictBadge, verdictWords } from '/static/notes.js';
import { results } from '/static/results.js';
import { saving } from '/static/saving.js';
import { strip } from '/static/strip.js';

const LISTS = { list: 'ul', howto: 'ol', timeline: 'ul' };

export class AnswerView {
  /** `notes` opens citations; `turn` numbers them "turn.marker" in a chat; `stop` ends it early. */
  constructor({ notes, turn = 0, stop = null }) {
    Object.assign(this, { notes, turn });
    this.citations = new Map();
    this.told = [];
    this.waiting = el(
      'p',
      { class: 'working' },
      el('span', { class: 'pulse', 'aria-hidden': 'true' }),
      el('span', {}, 'Searching the library \u2026'),
      stop ? el('button', { type: 'button', class: 'quiet', on: { click: stop } }, icon('stop', 14), 'Stop') : null,
    );
    this.prose = el('div', { class: 'prose' });
    this.rest = el('div', { class: 'answer-rest' });
    this.element = el('article', { class: 'answer', 'aria-label': 'Answer', 'aria-busy': 'true' }, this.prose, this.waiting, this.rest);
    announce('Searching the library');
  }

  number(marker) {
    return this.turn ? `${this.turn}.${marker}` : String(marker);
  }

  // ---------------------------------------------------------------- while it comes

  evidence({ form, moments }) {
    this.form = form;
    this.waiting.children[1].textContent = `Reading ${plural(moments.length, 'moment')} \u2026`;
  }

  sentence({ sentence, citations }) {
    for (const citation of citations) this.citations.set(citation.marker, citation);
    this.told.push(sentence);
    this.write(sentence);
    this.waiting.children[1].textContent = 'Answering \u2026';
    announce(this.spoken(sentence));
    if (this.citations.size && this.told.length === 1) this.preview();
  }

  /** The whole answer: what was streamed stays, if it is the same. */
  finish(answer) {
    this.answer = answer;
    const same = answer.sentences.length > 0 && JSON.stringify(answer.sentences) === JSON.stringify(this.told) && answer.form === this.form;
    this.citations = new Map(answer.citations.map((citation) => [citation.marker, citation]));
    if (!same) this.rewrite(answer);
    this.settle();
    if (!answer.abstained) announce(`The answer is complete: ${plural(answer.citations.length, 'footnote')}, confidence ${percent(answer.confidence)}`);
    else announce(answer.answer);
    fill(this.rest, answer.abstained ? this.abstention() : this.sources());
  }

  fail(error, again) {
    this.settle();
    fill(this.rest, failure(error, again));
  }

  /** Stopped by the user: what is there is kept, and said to be a part. */
  stopped() {
    this.settle();
    fill(this.rest, el('p', { class: 'soft' }, this.told.length ? 'Stopped; this is not all of the answer.' : 'Stopped.'));
  }

  settle() {
    this.waiting.remove();
    this.element.setAttribute('aria-busy', 'false');
  }

  /** The first footnote's picture, beside the answer, before anything is clicked. */
  preview() {
    const [first] = this.citations.values();
    if (first && !this.notes.player.playing) this.notes.player.open(first.video_id, first.start);
  }

  // ---------------------------------------------------------------- sentences

  rewrite(answer) {
    fill(this.prose);
    this.list = null;
    this.form = answer.form;
    if (answer.sentences.length) answer.sentences.forEach((sentence) => this.write(sentence));
    else this.prose.append(el('p', { class: answer.abstained ? 'abstained' : '' }, answer.answer));
    if (this.citations.size) this.preview();
  }

  write(sentence) {
    const kind = LISTS[this.form];
    this.list ??= this.prose.appendChild(el(kind ?? 'p', { class: kind ? `form-${this.form}` : '' }));
    this.list.append(el(kind ? 'li' : 'span', { class: `sentence v-${clean(sentence.verdict)}`, dir: 'auto' }, this.pieces(sentence)), kind ? '' : ' ');
  }

  pieces(sentence) {
    const markers = sentence.citations.map((marker) => this.citations.get(marker)).filter(Boolean);
    const doubt = sentence.verdict === 'supported' ? null : verdictBadge(sentence.verdict);
    const words = clean(sentence.text).trimEnd();
    const last = words.lastIndexOf(' ') + 1; // the last word and its markers stay on one line
    return [
      words.slice(0, last),
      el('span', { class: 'tied' }, words.slice(last), markers.map((citation) => this.notes.marker(citation, this.number(citation.marker)))),
      doubt ? [' ', doubt] : null,
    ];
  }

  spoken({ text, citations, verdict }) {
    const notes = citations.length ? ` Footnote ${citations.join(', ')}, ${verdictWords(verdict)}.` : '';
    return clean(text) + notes;
  }

  // ---------------------------------------------------------------- what stands below

  sources() {
    const { answer } = this;
    return [
      answer.incomplete ? el('p', { class: 'warning' }, `This answer is incomplete: ${clean(answer.incomplete)}`) : null,
      this.contradictions(),
      el('div', { class: 'answer-row' }, this.confidence(), saving(answer)),
      answer.citations.length ? el('section', { class: 'cited', 'aria-label': 'Footnotes' }, this.byVideo().map((one) => this.cited(one))) : null,
      this.made(),
    ];
  }

  confidence() {
    const { confidence } = this.answer;
    const bar = el('span', { class: 'meter', 'aria-hidden': 'true' }, el('span'));
    bar.firstChild.style.width = percent(confidence);
    return el('p', { class: 'confidence' }, 'Confidence ', el('strong', {}, percent(confidence)), bar);
  }

  contradictions() {
    const pairs = (this.answer.contradictions ?? []).map((pair) => pair.map((marker) => this.citations.get(marker))).filter((pair) => pair.every(Boolean));
    if (!pairs.length) return null;
    const side = (citation) =>
      el(
        'li',
        {},
        el('span', { class: 'when' }, day(citation.date) || 'no date'),
        el('span', {}, el('q', { class: 'quote', dir: 'auto' }, citation.quote), this.notes.marker(citation, this.number(citation.marker)), el('span', { class: 'soft' }, citation.title)),
      );
    return el(
      'section',
      { class: 'differing', 'aria-label': 'Contradictions' },
      el('h3', {}, icon('unequal', 16), 'The videos do not agree'),
      pairs.map((pair) => el('ul', {}, [...pair].sort((a, b) => String(a.date).localeCompare(String(b.date))).map(side))),
    );
  }

  byVideo() {
    const videos = new Map();
    for (const citation of this.answer.citations) {
      if (!videos.has(citation.video_id)) videos.set(citation.video_id, []);
      videos.get(citation.video_id).push(citation);
    }
    return [...videos.values()];
  }

  /** One cited video: its timeline with the answer's moments, and the quotes. */
  cited(citations) {
    const [{ video_id: id, title, date }] = citations;
    const seek = (seconds, marker = 0) => {
      const citation = citations.find((one) => one.marker === marker);
      if (citation) this.notes.play(citation);
      else this.notes.player.open(id, seconds, { play: this.notes.player.playing });
    };
    return el(
      'section',
      { class: 'cited-video' },
      el('h3', {}, el('a', { href: videoPage(id, citations[0].start) }, title || id), el('span', { class: 'soft' }, day(date))),
      strip(id, title, this.marks(id), seek),
      el('ol', { class: 'footnotes' }, citations.map((citation) => this.notes.item(citation, this.number(citation.marker)))),
    );
  }

  /** What of this answer lies in a video: the moments it was made from, the cited ones on top. */
  marks(id) {
    const moments = (this.answer?.moments ?? []).filter((moment) => moment.video_id === id).map(({ start, end }) => ({ start, end, marker: 0 }));
    const cited = [...this.citations.values()].filter((citation) => citation.video_id === id);
    return [...moments, ...cited.map(({ start, end, marker }) => ({ start, end, marker }))];
  }

  abstention() {
    const { nearby = [], missing = [] } = this.answer;
    return [
      nearby.length ? el('section', { class: 'near' }, el('h3', {}, 'What comes nearest'), el('ul', {}, nearby.map((moment) => this.near(moment)))) : null,
      missing.length ? el('section', { class: 'lacking' }, el('h3', {}, 'What the library lacks'), el('ul', {}, missing.map(lacking))) : null,
      this.made(),
    ];
  }

  near({ video_id: id, title, start, text }) {
    const play = () => {
      this.notes.player.enlarge(true);
      this.notes.player.open(id, start, { play: true });
    };
    return el(
      'li',
      { class: 'result' },
      el('button', { type: 'button', class: 'thumb', 'aria-label': `Play ${clean(title)} from ${spoken(start)}`, data: { step: '' }, on: { click: play } }, picture(frame(id, start, 320)), el('span', { class: 'badge' }, clock(start)), icon('play', 26)),
      el('div', { class: 'found' }, el('h4', {}, el('a', { href: videoPage(id, start) }, title || id)), el('p', { class: 'snippet', dir: 'auto' }, whole(text))),
    );
  }

  /** How it was made, for who wants to know: the moments read, and what it took. */
  made() {
    const { moments = [], took_ms: took = {}, usage = {}, question } = this.answer;
    if (!moments.length) return null;
    const facts = [
      plural(moments.length, 'moment'),
      took.total ? `${(took.total / 1000).toFixed(1)} s` : '',
      usage.language_calls ? `${plural(usage.language_calls, 'model call')}, ${plural((usage.prompt_tokens ?? 0) + (usage.completion_tokens ?? 0), 'token')}` : 'no model call',
    ];
    const box = el('details', { class: 'made' }, el('summary', {}, 'What was read', el('span', { class: 'soft' }, facts.filter(Boolean).join(' · '))));
    const open = (moment, at) => {
      this.notes.player.enlarge(true);
      this.notes.player.open(moment.video_id, at, { play: true });
    };
    box.addEventListener('toggle', () => box.childElementCount === 1 && box.append(results(moments, question, open)), { once: true });
    return box;
  }
}

/** A text that was cut short says so. */
const whole = (text) => (/[.!?\u2026\u3002]['\u201d"]?$/.test(clean(text).trim()) ? text : `${clean(text).trim()} \u2026`);

/** "1 of 9 videos has no transcript yet: footnote add PATH": the command is set as one. */
function lacking(line) {
  const at = clean(line).indexOf(': footnote ');
  return at < 0 ? el('li', {}, line) : el('li', {}, line.slice(0, at + 2), el('code', {}, line.slice(at + 2)));
}

