/** Questions that build on each other: the sessions, the turns as they come, readings to choose. */

import { ApiError, events, get, isAbort, send } from '/static/api.js';
import { AnswerView } from '/static/answer.js';
import { stepThrough } from '/static/ask.js';
import { announce, clean, el, failure, fill, icon } from '/static/dom.js';
import { day, plural } from '/static/format.js';
import { Notes } from '/static/notes.js';
import { Player } from '/static/player.js';

const path = (id) => `/api/chats/${encodeURIComponent(id)}`;

export class ChatView {
  title = 'Chat · Footnote';

  constructor(root, { match, go }) {
    this.chat = match[1] ? decodeURIComponent(match[1]) : '';
    this.go = go;
    this.views = [];
    this.player = new Player();
    this.notes = new Notes(this.player);
    this.turns = el('ol', { class: 'turns', 'aria-label': 'Conversation' });
    this.sessions = el('ul', { class: 'session-list' });
    this.box = el('textarea', {
      rows: '1', class: 'question', placeholder: 'Ask, and ask further', 'aria-label': 'Question', data: { search: '' }, spellcheck: 'false', enterkeyhint: 'send',
      on: { keydown: (event) => this.key(event) },
    });
    this.element = el(
      'div',
      { class: 'stage chat' },
      el('nav', { class: 'sessions', 'aria-label': 'Conversations' }, el('details', { open: innerWidth > 860 }, el('summary', {}, 'Conversations'), el('a', { class: 'quiet new', href: '/chat' }, icon('add', 15), 'New conversation'), this.sessions)),
      el('div', { class: 'column' }, el('h1', { class: 'unseen' }, 'Chat'), this.turns, this.composer()),
      el('aside', { class: 'side', 'aria-label': 'Player' }, this.player.element),
    );
    this.player.addEventListener('state', () => this.element.classList.toggle('with-player', !this.player.element.hidden));
    this.player.markWith((id) => (this.marking ?? this.views.at(-1))?.marks(id) ?? []);
    fill(root, this.element);
    this.read();
    if (matchMedia('(hover: hover)').matches) this.box.focus({ preventScroll: true });
  }

  composer() {
    return el('form', { class: 'ask composer', on: { submit: (event) => { event.preventDefault(); this.ask(this.box.value); } } }, this.box, el('button', { class: 'primary', 'aria-label': 'Send' }, icon('send', 18)));
  }

  key(event) {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.ask(this.box.value);
  }

  // ---------------------------------------------------------------- what was said before

  async read() {
    this.list();
    if (!this.chat) {
      this.turns.append(el('li', { class: 'greeting' }, el('h2', {}, 'Ask, and ask further'), el('p', { class: 'soft' }, 'A question can build on the one before: “who said that?”, “and in the second talk?” Every answer has its footnotes.')));
      return;
    }
    const reading = (this.reading = new AbortController());
    try {
      const { turns } = await get(path(this.chat), reading);
      if (reading.signal.aborted) return;
      for (const turn of turns) this.told(turn);
      this.toEnd();
    } catch (error) {
      if (!isAbort(error)) fill(this.turns, el('li', {}, failure(error)));
    }
  }

  async list() {
    try {
      const { chats } = await get('/api/chats');
      fill(this.sessions, chats.map((chat) => this.session(chat)));
    } catch (error) {
      fill(this.sessions, el('li', {}, failure(error, () => this.list())));
    }
  }

  session({ chat_id: id, asked, turns, last }) {
    const drop = async () => {
      try {
        await send('DELETE', path(id));
        announce('Conversation deleted');
        if (id === this.chat) this.go('/chat');
        else this.list();
      } catch (error) {
        fill(this.sessions, el('li', {}, failure(error, () => this.list())));
      }
    };
    return el(
      'li',
      {},
      el('a', { href: `/chat/${encodeURIComponent(id)}`, 'aria-current': id === this.chat ? 'page' : null }, el('span', { class: 'name' }, asked || id), el('span', { class: 'soft' }, `${day(last)} · ${plural(turns, 'turn')}`)),
      el('button', { type: 'button', class: 'icon-button', 'aria-label': `Delete ${clean(asked || id)}`, title: 'Delete', on: { click: drop } }, icon('close', 14)),
    );
  }

  told(turn) {
    const { view, item } = this.open(turn.asked, turn.number, null);
    this.understood(item, turn);
    if (turn.clarify?.length) this.readings(view, turn.clarify);
    else view.finish(turn.answer);
  }

  // ---------------------------------------------------------------- a turn

  open(asked, number, stop) {
    const view = new AnswerView({ notes: this.notes, turn: number, stop });
    const item = el('li', { class: 'turn' }, el('h2', { class: 'asked', dir: 'auto' }, asked), view.element);
    item.addEventListener('click', () => { this.marking = view; }, true);
    this.turns.querySelector('.greeting')?.remove();
    this.turns.append(item);
    this.views.push(view);
    this.marking = null;
    return { view, item };
  }

  /** What a follow-up was taken to mean, where that is not what was typed. */
  understood(item, { asked, understood, standalone }) {
    const meant = clean(standalone ?? understood ?? '');
    if (!meant || meant === clean(asked).trim() || item.querySelector('.understood')) return;
    item.firstChild.after(el('p', { class: 'understood', dir: 'auto' }, 'Understood as: ', el('q', {}, meant)));
  }

  readings(view, clarify) {
    view.settle();
    const choose = (event, reading) => {
      for (const button of event.currentTarget.closest('ul').querySelectorAll('button')) button.disabled = true;
      this.ask(reading);
    };
    fill(view.prose, el('p', {}, 'Which one do you mean?'), el('ul', { class: 'readings' }, clarify.map((reading) => el('li', {}, el('button', { type: 'button', class: 'quiet', data: { step: '' }, on: { click: (event) => choose(event, reading) } }, reading)))));
    fill(view.rest);
    announce('Which one do you mean?');
  }

  async ask(text) {
    const question = text.trim();
    if (!question || this.under) return;
    this.box.value = '';
    const asking = (this.under = new AbortController());
    const { view, item } = this.open(question, this.views.length + 1, () => asking.abort());
    this.toEnd();
    try {
      await this.begin(asking.signal);
      await this.follow(question, view, item, asking.signal);
      this.player.drawMarks();
      this.list();
    } catch (error) {
      if (isAbort(error)) view.stopped();
      else view.fail(error, () => this.again(item, question));
    } finally {
      this.under = null;
    }
  }

  /** A new conversation gets its id, and its address, with its first question. */
  async begin(signal) {
    if (this.chat) return;
    const { chat_id: id } = await send('POST', '/api/chats', {}, { signal });
    this.chat = id;
    history.replaceState(history.state, '', `/chat/${encodeURIComponent(id)}`);
  }

  async follow(question, view, item, signal) {
    let clarified = false;
    for await (const { event, data } of events(`${path(this.chat)}/stream`, { method: 'POST', body: { question }, signal })) {
      if (event === 'turn') {
        this.understood(item, { asked: question, standalone: data.standalone });
        clarified = Boolean(data.clarify?.length);
        if (clarified) this.readings(view, data.clarify);
      } else if (event === 'evidence') view.evidence(data);
      else if (event === 'sentence') view.sentence(data);
      else if (event === 'error') throw new ApiError(data.error);
      else if (event === 'answer' && !clarified) view.finish(data);
    }
    if (!view.answer && !clarified) throw new ApiError({ message: 'The answer broke off.', hint: 'ask again' });
  }

  again(item, question) {
    this.views.pop();
    item.remove();
    this.ask(question);
  }

  toEnd() {
    this.turns.lastElementChild?.scrollIntoView({ block: 'start' });
  }

  // ---------------------------------------------------------------- keys

  step(direction) {
    stepThrough(this.turns, '.prose .note, [data-step]', direction);
  }

  escape() {
    if (this.under) this.under.abort();
    else if (document.activeElement === this.box) this.box.blur();
    else this.notes.leave();
  }

  leave() {
    this.reading?.abort();
    this.under?.abort();
    this.notes.close();
    this.player.close();
  }
}
