/** Keys that work everywhere; what is typed into a field stays there. */

const TYPED = 'input:not([type=range]):not([type=checkbox]), textarea, select, [contenteditable]';
const OWN_SPACE = 'button, a, summary, input, select, [role=tab]';
const OWN_ARROWS = 'input, select, textarea, [role=tab], .transcript *';
const NUDGE = 5; // seconds

/** `view()` is the view that is shown: its `player`, `step`, `escape`. */
export function listen(view) {
  const help = document.getElementById('keys');
  document.getElementById('help').addEventListener('click', () => help.showModal());
  help.addEventListener('click', (event) => event.target === help && help.close());
  document.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    if (event.key === 'Escape') escape(view());
    else if (!event.target.closest(TYPED) && acted(event, view())) event.preventDefault();
  });
}

function escape(view) {
  const open = document.querySelector('details.menu[open]');
  if (open) {
    open.open = false;
    open.querySelector('summary').focus();
  } else if (view.escape) view.escape();
  else document.activeElement?.blur();
}

/** Whether the key meant something here. */
function acted({ key, target }, view) {
  const { player } = view;
  const simple = {
    '/': () => document.querySelector('[data-search]')?.focus(),
    '?': () => document.getElementById('keys').showModal(),
    j: () => view.step?.(1),
    k: () => view.step?.(-1),
    c: () => player?.toggleSubtitles(),
    m: () => player?.mute(),
    f: () => player?.videoId && player.fullScreen(),
  };
  if (key in simple) {
    simple[key]();
    return true;
  }
  if (key === ' ' && player?.videoId && !target.closest(OWN_SPACE)) {
    player.toggle();
    return true;
  }
  if ((key === 'ArrowLeft' || key === 'ArrowRight') && player?.videoId && !target.closest(OWN_ARROWS)) {
    player.nudge(key === 'ArrowLeft' ? -NUDGE : NUDGE);
    return true;
  }
  return false;
}
