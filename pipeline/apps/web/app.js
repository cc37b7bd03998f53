/** The page: which view an address shows, links that stay in the page, the theme, the connection. */

import { AskView } from '/static/ask.js';
import { connection } from '/static/api.js';
import { announce, el, expectPictures, failure, fill, icon, keep } from '/static/dom.js';
import { listen } from '/static/keys.js';

// The first view comes with the page, the others when they are gone to.
const ROUTES = [
  [/^\/$/, async () => AskView],
  [/^\/chat(?:\/([^/]+))?$/, async () => (await import('/static/chat.js')).ChatView],
  [/^\/video\/([^/]+)$/, async () => (await import('/static/video.js')).VideoView],
  [/^\/(?:add|library)$/, async () => (await import('/static/library.js')).LibraryView],
  [/^\/status$/, async () => (await import('/static/status.js')).StatusView],
];

const root = document.getElementById('view');
let view = {};
let serial = 0;

async function show({ focus = false, scroll = 0 } = {}) {
  const mine = ++serial;
  const [found, load] = ROUTES.map(([pattern, from]) => [pattern.exec(location.pathname), from]).find(([match]) => match) ?? [null, null];
  markCurrent();
  let next = {};
  try {
    const View = found ? await load() : null;
    if (mine !== serial) return; // another address was gone to meanwhile
    view.leave?.();
    view = {}; // a view that fails to come up is not left a second time
    if (View) next = new View(root, { match: found, query: new URLSearchParams(location.search), go });
    else fill(root, el('div', { class: 'column' }, el('h1', {}, 'There is no such page'), el('p', {}, el('a', { href: '/' }, 'Ask your videos'))));
  } catch (error) {
    fill(root, el('div', { class: 'column' }, failure(error, () => show())));
  }
  view = next;
  document.title = view.title || 'Footnote';
  if (focus) {
    root.focus({ preventScroll: true });
    announce(document.title);
  }
  scrollTo(0, scroll);
}

/** To another address of this page. */
export function go(address) {
  history.replaceState({ ...history.state, scroll: scrollY }, '');
  history.pushState({}, '', address);
  show({ focus: true });
}

function markCurrent() {
  for (const link of document.querySelectorAll('.top nav a')) {
    const path = new URL(link.href).pathname;
    if (path === location.pathname || (path !== '/' && location.pathname.startsWith(`${path}/`))) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
}

document.addEventListener('click', (event) => {
  const link = event.target.closest('a[href]');
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const url = new URL(link.href);
  if (url.origin !== location.origin || link.hasAttribute('download') || link.target || /^\/(api|v1|static|docs)/.test(url.pathname) || url.hash) return;
  event.preventDefault();
  go(url.pathname + url.search);
});
addEventListener('popstate', () => show({ scroll: history.state?.scroll ?? 0 }));
history.scrollRestoration = 'manual';

// ---------------------------------------------------------------- theme

const THEMES = { auto: 'Theme: as the system', light: 'Theme: light', dark: 'Theme: dark' };
const SIGNS = { auto: 'auto', light: 'sun', dark: 'moon' };
const themeButton = document.getElementById('theme');

function drawTheme() {
  const theme = document.documentElement.dataset.theme ?? 'auto';
  fill(themeButton, icon(SIGNS[theme]));
  themeButton.setAttribute('aria-label', THEMES[theme]);
  themeButton.title = THEMES[theme];
}

themeButton.addEventListener('click', () => {
  const names = Object.keys(THEMES);
  const next = names[(names.indexOf(document.documentElement.dataset.theme ?? 'auto') + 1) % names.length];
  if (next === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  keep('theme', next);
  drawTheme();
  announce(THEMES[next]);
});

// ---------------------------------------------------------------- connection

const banner = document.getElementById('offline');
connection.addEventListener('lost', () => {
  fill(banner, 'The server does not answer. Start it again with ', el('code', {}, 'footnote serve'), '; this page goes on by itself.');
  banner.hidden = false;
});
connection.addEventListener('back', () => {
  banner.hidden = true;
  expectPictures(true); // those that failed meanwhile are asked for again
  announce('The server is back');
});

drawTheme();
listen(() => view);
show().then(() => performance.mark('footnote-interactive'));
