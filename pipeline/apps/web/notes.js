/**
 * Footnotes: the marker in a sentence, the card that shows its quote, and what a pointer or a key
 * on it does with the player. A verdict is told by colour, by the shape of its border, by a sign
 * and in words.
 */

import { frame } from '/static/api.js';
import { clean, el, fill, icon, picture } from '/static/dom.js';
import { clock, day, sourceName, span, spoken } from '/static/format.js';

const VERDICTS = {
  supported: ['check', 'supported'],
  partly: ['half', 'partly supported'],
  unsupported: ['query', 'not supported'],
  contradicted: ['unequal', 'contradicted'],
  unchecked: ['dash', 'not checked'],
};
const known = (verdict) => (verdict in VERDICTS ? verdict : 'unchecked');

export const verdictWords = (verdict) => VERDICTS[known(verdict)][1];

export function verdictBadge(verdict) {
  const [sign, words] = VERDICTS[known(verdict)];
  return el('span', { class: `verdict v-${known(verdict)}` }, icon(sign, 12), words);
}

const REST = 140; // ms a pointer rests on a marker before the player follows it
const room = (length, needed) => Math.max(8, Math.min(length, needed));

/** The footnotes of one view, and the player that they open. */
export class Notes {
  constructor(player) {
    this.player = player;
    this.current = null;
    this.card = el('div', { class: 'note-card', 'aria-hidden': 'true', hidden: true });
    document.body.append(this.card);
    player.addEventListener('state', () => this.drawCurrent());
  }

  /** The marker of a citation; `number` is what is read: "2", or "3.2" in a chat. */
  marker(citation, number = String(citation.marker)) {
    const verdict = known(citation.verdict);
    const button = el(
      'button',
      {
        type: 'button', class: `note v-${verdict}`, data: { note: number, video: citation.video_id },
        'aria-label': `Footnote ${number}, ${verdictWords(verdict)}: ${clean(citation.title)}, at ${spoken(citation.start)}`,
        on: {
          click: () => this.play(citation, button),
          pointerenter: (event) => event.pointerType !== 'touch' && this.point(citation, button),
          pointerleave: () => this.leave(),
          focus: () => button.matches(':focus-visible') && this.point(citation, button),
          blur: () => this.leave(),
          keydown: (event) => this.key(event, citation, button),
        },
      },
      el('span', { class: 'number' }, citation.marker),
      icon(VERDICTS[verdict][0], 10),
    );
    return button;
  }

  /** A citation in full, for the list below an answer. */
  item(citation, number = String(citation.marker)) {
    const facts = [citation.speaker, sourceName(citation.source)].filter(Boolean).join(' · ');
    return el(
      'li',
      { class: 'footnote' },
      this.marker(citation, number),
      el(
        'div',
        {},
        el('q', { class: 'quote', dir: 'auto' }, citation.quote),
        el(
          'p',
          { class: 'facts' },
          el('button', { type: 'button', class: 'time', 'aria-label': `Play from ${spoken(citation.start)}`, on: { click: () => this.play(citation) } }, icon('play', 12), span(citation.start, citation.end)),
          el('span', {}, facts),
          verdictBadge(citation.verdict),
        ),
      ),
    );
  }

  async play(citation, button = null) {
    this.leave();
    this.current = citation;
    this.player.enlarge(true);
    await this.player.open(citation.video_id, citation.start, { play: true });
    this.drawCurrent();
    button?.focus({ preventScroll: true });
  }

  /** Shows the quote; the player, unless it plays, goes to its second and stands there. */
  point(citation, anchor) {
    this.show(citation, anchor);
    clearTimeout(this.resting);
    if (this.player.playing) return;
    this.resting = setTimeout(() => {
      this.player.open(citation.video_id, citation.start);
      this.current = citation;
      this.drawCurrent();
    }, REST);
  }

  leave() {
    clearTimeout(this.resting);
    this.card.hidden = true;
  }

  /** The space bar on the footnote that is playing stops it. */
  key(event, citation, button) {
    if (event.key !== ' ') return;
    event.preventDefault();
    if (this.current === citation && this.player.playing) this.player.toggle();
    else this.play(citation, button);
  }

  show(citation, anchor) {
    const facts = [clean(citation.title), clock(citation.start), day(citation.date)].filter(Boolean);
    fill(
      this.card,
      picture(frame(citation.video_id, citation.start, 240), { loading: 'eager', width: 120 }),
      el('div', {}, el('q', { class: 'quote', dir: 'auto' }, citation.quote), el('p', { class: 'soft' }, facts.join(' · ')), verdictBadge(citation.verdict)),
    );
    this.card.hidden = false;
    const box = anchor.getBoundingClientRect();
    const [width, height] = [this.card.offsetWidth, this.card.offsetHeight];
    const above = box.top - height - 8;
    this.card.style.left = `${room(innerWidth - width - 8, box.left + box.width / 2 - width / 2)}px`;
    this.card.style.top = `${above > 64 ? above : box.bottom + 8}px`;
  }

  drawCurrent() {
    const here = this.current && this.player.videoId === this.current.video_id ? this.current : null;
    for (const button of document.querySelectorAll('.note')) {
      const same = here && button.dataset.video === here.video_id && button.firstChild.textContent === String(here.marker);
      if (same) button.setAttribute('aria-current', 'true');
      else button.removeAttribute('aria-current');
    }
  }

  close() {
    clearTimeout(this.resting);
    this.card.remove();
  }
}
