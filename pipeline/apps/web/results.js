/** Moments as a list: picture, highlighted words, time and source; a click plays the moment. */

import { frame, videoPage } from '/static/api.js';
import { clean, el, icon, picture } from '/static/dom.js';
import { around, clock, countMatches, day, highlight, sourceName, span, spoken, terms } from '/static/format.js';

const SHOWN = 2; // passages of a moment

/** The moments found for a query; `play(moment, seconds)`. */
export function results(moments, query, play) {
  const wanted = terms(query);
  return el('ol', { class: 'results', 'aria-label': 'Moments found' }, moments.map((moment) => result(moment, wanted, play)));
}

function result(moment, wanted, play) {
  const best = telling(moment, wanted);
  const at = Math.max(moment.start, Math.min(best[0]?.start ?? moment.start, moment.end));
  return el(
    'li',
    { class: 'result' },
    el(
      'button',
      { type: 'button', class: 'thumb', 'aria-label': `Play ${clean(moment.title)} from ${spoken(at)}`, data: { step: '' }, on: { click: () => play(moment, at) } },
      picture(frame(moment.video_id, at, 320)),
      el('span', { class: 'badge' }, clock(at)),
      icon('play', 26),
    ),
    el(
      'div',
      { class: 'found' },
      el('h3', {}, el('a', { href: videoPage(moment.video_id, at) }, ...highlight(moment.title || moment.video_id, wanted))),
      best.map((passage) =>
        el('p', { class: 'snippet', dir: 'auto' }, el('span', { class: `source s-${passage.source}` }, sourceName(passage.source)), ...highlight(around(passage.text, wanted), wanted)),
      ),
      el('p', { class: 'facts' }, [span(moment.start, moment.end), day(moment.date)].filter(Boolean).join(' · ')),
    ),
  );
}

/** The passages that hold most of the words, one of each source. */
function telling(moment, wanted) {
  const passages = moment.passages?.length ? moment.passages : [{ source: '', start: moment.start, text: moment.text }];
  const scored = passages.map((passage) => [countMatches(passage.text, wanted), passage]);
  scored.sort((one, other) => other[0] - one[0]);
  const sources = new Set();
  const kept = scored.filter(([, { source }]) => !sources.has(source) && sources.add(source));
  const matching = kept.filter(([count]) => count);
  return (matching.length ? matching : kept.slice(0, 1)).slice(0, SHOWN).map(([, passage]) => passage);
}
