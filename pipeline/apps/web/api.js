/**
 * The server, as functions. A failure is an `ApiError` with the server's message and hint. A server
 * that does not answer is told by `connection`, and asked again until it does.
 */

export class ApiError extends Error {
  constructor({ code = 'error', message = 'something went wrong', hint = '' } = {}, status = 0) {
    super(message);
    Object.assign(this, { code, hint, status });
  }
}

/** Events `lost` and `back`. */
export const connection = new EventTarget();
let lost = false;

function notice(isLost) {
  if (isLost === lost) return;
  lost = isLost;
  connection.dispatchEvent(new Event(lost ? 'lost' : 'back'));
  if (lost) setTimeout(probe, 1500);
}

async function probe() {
  try {
    await fetch('/api/status', { cache: 'no-store' });
    notice(false);
  } catch {
    setTimeout(probe, 1500);
  }
}

const offline = () =>
  new ApiError({ code: 'offline', message: 'The server does not answer.', hint: 'footnote serve' });

export const isAbort = (error) => error?.name === 'AbortError';

async function request(path, { method = 'GET', body, signal, accept = 'application/json' } = {}) {
  const headers = { Accept: accept };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  let response;
  try {
    response = await fetch(path, {
      method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (isAbort(error)) throw error;
    notice(true);
    throw offline();
  }
  notice(false);
  if (response.ok) return response;
  const told = await response.json().catch(() => ({}));
  const fallback = { message: `The server answered ${response.status}.` };
  const error = new ApiError({ ...fallback, ...(told.error ?? {}) }, response.status);
  error.after = Number(response.headers.get('Retry-After')) || 0;
  throw error;
}

export async function get(path, { signal } = {}) {
  return (await request(path, { signal })).json();
}

export async function send(method, path, body, { signal } = {}) {
  const response = await request(path, { method, body, signal });
  return response.status === 204 ? {} : response.json();
}

/** What a POST gives as a file: {blob, name}. */
export async function download(path, body) {
  const response = await request(path, { method: 'POST', body, accept: '*/*' });
  const name = fileName(response.headers.get('Content-Disposition') ?? '');
  return { blob: await response.blob(), name, status: response.status };
}

/** The name in a Content-Disposition (RFC 6266), '' where there is none. */
function fileName(disposition) {
  const encoded = /filename\*=UTF-8''([^;\s]+)/i.exec(disposition);
  if (encoded) return decodeURIComponent(encoded[1]);
  return /filename="?([^";]+)"?/.exec(disposition)?.[1] ?? '';
}

/** The events of a stream as {event, data}, data parsed. Leaving the loop ends the request. */
export async function* events(path, options = {}) {
  const response = await request(path, { ...options, accept: 'text/event-stream' });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = '';
  let ended = false;
  try {
    for (;;) {
      const { value, done } = await reader.read();
      ended = done;
      if (done) return;
      buffer += value.replaceAll('\r', '');
      const blocks = buffer.split('\n\n');
      buffer = blocks.pop();
      for (const block of blocks) {
        const event = parsed(block);
        if (event) yield event;
      }
    }
  } catch (error) {
    if (isAbort(error) || error instanceof ApiError) throw error;
    if (!(error instanceof TypeError)) throw error;
    throw new ApiError({ code: 'broken_off', message: 'The connection broke off.', hint: 'ask again' });
  } finally {
    if (!ended) reader.cancel().catch(() => {});
  }
}

function parsed(block) {
  let event = 'message';
  const data = [];
  for (const line of block.split('\n')) {
    if (line.startsWith('event:')) event = line.slice(6).trim();
    else if (line.startsWith('data:')) data.push(line.slice(5).replace(/^ /, ''));
  }
  return data.length ? { event, data: JSON.parse(data.join('\n')) } : null;
}

/** Sends a file as the body of a request; `told(sent, total)` in bytes. */
export function upload(file, told, signal) {
  return new Promise((resolve, reject) => {
    const sending = new XMLHttpRequest(); // fetch does not tell how much is sent
    sending.open('POST', `/api/uploads?name=${encodeURIComponent(file.name)}`);
    sending.setRequestHeader('Content-Type', 'application/octet-stream');
    sending.responseType = 'json';
    sending.upload.onprogress = (event) => told(event.loaded, event.total);
    sending.onload = () =>
      sending.status < 300
        ? resolve(sending.response ?? {})
        : reject(new ApiError(sending.response?.error ?? { message: `The server answered ${sending.status}.` }, sending.status));
    sending.onerror = () => reject(new ApiError({ code: 'broken_off', message: 'The file did not arrive.', hint: 'footnote add FILE' }));
    sending.onabort = () => reject(new DOMException('cancelled', 'AbortError'));
    signal?.addEventListener('abort', () => sending.abort());
    sending.send(file);
  });
}

// ---------------------------------------------------------------- videos, read once

const KEPT = 12;
const known = new Map();

/** `show` of a video with its segments, chapters and playback; the last few are remembered. */
export function video(id) {
  if (!known.has(id)) {
    const reading = get(`/api/videos/${encodeURIComponent(id)}`);
    known.set(id, reading);
    reading.catch(() => known.delete(id));
    if (known.size > KEPT) known.delete(known.keys().next().value);
  }
  return known.get(id);
}

/** After work on the library: what was read may have changed. */
export const forget = () => known.clear();

export const videoPage = (id, at = null) =>
  `/video/${encodeURIComponent(id)}${at === null ? '' : `?t=${Number(at).toFixed(1)}`}`;

export const frame = (id, at, width) =>
  `/api/videos/${encodeURIComponent(id)}/frame?at=${Number(at).toFixed(1)}&width=${width}`;
