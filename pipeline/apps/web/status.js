/** What the library holds, what it takes, and whether it is whole. */

import { get } from '/static/api.js';
import { el, failure, fill, icon } from '/static/dom.js';
import { plural, size } from '/static/format.js';

const NAMES = { videos: 'videos', segments: 'pieces of text', passages: 'passages', frames: 'key frames', shots: 'shots' };

export class StatusView {
  title = 'Status · Footnote';

  constructor(root) {
    this.facts = el('div', { class: 'status-facts' }, waiting());
    this.checks = el('div', {}, waiting());
    this.doctor = el('section', { 'aria-label': 'Doctor' }, el('h2', {}, 'Doctor'), this.checks);
    fill(root, el('div', { class: 'status' }, el('h1', {}, 'Status'), this.facts));
    this.read();
    this.examine();
  }

  async read() {
    try {
      const status = await get('/api/status');
      fill(this.facts, this.numbers(status), this.pending(status), this.models(status), this.disk(status), this.doctor, el('p', { class: 'soft' }, `Footnote ${status.version}, library `, el('code', {}, status.library)));
    } catch (error) {
      fill(this.facts, failure(error, () => this.read()), this.doctor);
    }
  }

  numbers({ counts, hours }) {
    const length = hours >= 1 ? [hours.toFixed(1), 'hours'] : [String(Math.round(60 * hours)), 'minutes'];
    const shown = Object.entries(NAMES).filter(([name]) => name in counts).map(([name, label]) => [counts[name].toLocaleString('en'), label]);
    shown.splice(1, 0, length);
    return el('dl', { class: 'numbers' }, shown.map(([number, label]) => el('div', {}, el('dt', {}, label), el('dd', {}, number))));
  }

  pending({ pending = {} }) {
    const stages = Object.entries(pending);
    return el(
      'section',
      { 'aria-label': 'Work left' },
      el('h2', {}, 'Work left'),
      stages.length ? el('ul', { class: 'plain' }, stages.map(([stage, n]) => el('li', {}, `${stage}: ${plural(n, 'video')}`))) : el('p', { class: 'soft' }, 'None: everything that this machine can read is read.'),
      stages.length ? el('p', { class: 'soft' }, 'Add the videos again to do it: ', el('code', {}, 'footnote add FOLDER')) : null,
    );
  }

  disk({ disk_bytes: parts = {} }) {
    const sums = new Map();
    for (const [name, bytes] of Object.entries(parts)) {
      const part = name.replace(/-(wal|shm)$/, ''); // SQLite's own files belong to the database
      sums.set(part, (sums.get(part) ?? 0) + bytes);
    }
    const rows = [...sums].filter(([, bytes]) => bytes).sort((one, other) => other[1] - one[1]);
    const all = rows.reduce((sum, [, bytes]) => sum + bytes, 0) || 1;
    const bar = (bytes) => {
      const meter = el('span', { class: 'meter', 'aria-hidden': 'true' }, el('span'));
      meter.firstChild.style.width = `${(100 * bytes) / all}%`;
      return meter;
    };
    return el('section', { 'aria-label': 'Disk' }, el('h2', {}, `Disk: ${size(all)}`), el('table', { class: 'disk' }, el('tbody', {}, rows.map(([name, bytes]) => el('tr', {}, el('th', { scope: 'row' }, name), el('td', {}, bar(bytes)), el('td', { class: 'number' }, size(bytes)))))));
  }

  models({ models = {} }) {
    return el('section', { 'aria-label': 'Models' }, el('h2', {}, 'Models'), el('table', {}, el('tbody', {}, Object.entries(models).map(([role, name]) => el('tr', {}, el('th', { scope: 'row' }, role), el('td', {}, el('code', {}, name)))))));
  }

  async examine() {
    try {
      const { ok, checks } = await get('/api/doctor');
      fill(
        this.checks,
        el('p', { class: ok ? 'well' : 'warning' }, ok ? 'Everything is whole.' : 'Something is to be mended.'),
        el('ul', { class: 'checks' }, checks.map(({ name, ok: fine, detail, repair }) => el('li', { class: fine ? 'fine' : 'broken' }, icon(fine ? 'check' : 'close', 16), el('span', {}, el('strong', {}, name), el('span', { class: 'unseen' }, fine ? ': fine' : ': broken'), detail ? ` ${detail}` : null, repair ? el('code', {}, repair) : null)))),
        el('button', { type: 'button', class: 'quiet', on: { click: () => { fill(this.checks, waiting()); this.examine(); } } }, 'Look again'),
      );
    } catch (error) {
      fill(this.checks, failure(error, () => this.examine()));
    }
  }
}

const waiting = () => el('p', { class: 'working' }, el('span', { class: 'pulse', 'aria-hidden': 'true' }), 'Looking \u2026');
