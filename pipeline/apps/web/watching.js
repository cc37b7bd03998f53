/** What a first page needs once something is asked or played; fetched after it can be typed into. */

export { AnswerView } from '/static/answer.js';
export { Notes } from '/static/notes.js';
export { Player } from '/static/player.js';
export { results } from '/static/results.js';
