/* Sets the chosen theme before the first paint. A classic script, so that nothing flashes. */
(function () {
  var chosen = null;
  try {
    chosen = localStorage.getItem('footnote-theme');
  } catch (_) {
    /* storage is blocked: the system's theme it is */
  }
  if (chosen === 'dark' || chosen === 'light') document.documentElement.dataset.theme = chosen;
})();
