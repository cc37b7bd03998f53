"""HTML pages that stand alone: nothing is loaded, nothing runs, and every text is escaped.

Titles, quotes and sentences come from videos and a language model: they are data here (DESIGN 6,
invariant 9). What reports and exported answers look like in a browser is the same, and is here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from urllib.parse import quote, urlsplit

from pipeline.answer.evidence import as_lines, as_shown, clock
from pipeline.types import Citation, Sentence, Verdict

# What a verdict means that is no plain "supported"; the page shows the word and, on it, this.
DOUBTS: dict[Verdict, str] = {
    "partly": "partly carried by its source",
    "unchecked": "whether its source carries it could not be told",
}
_REFUTED: dict[Verdict, str] = {
    "unsupported": "not carried by its source",
    "contradicted": "its source says otherwise",
}

STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fdfdfb; --dim: #5f5f5c; --line: #ddd;
  --link: #0b57a4; --mark: #fff3c4; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e6e3; --paper: #161718; --dim: #a3a3a0;
  --line: #3a3a3a; --link: #8ab8f0; --mark: #4a3f14; } }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; max-width: 44rem; padding: 2rem 1.25rem 4rem; background: var(--paper);
  color: var(--ink); font: 1.06rem/1.6 Georgia, "DejaVu Serif", serif; overflow-wrap: anywhere; }
h1, h2, h3, nav, footer, .source, .note, .by { font-family: system-ui, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 2.2rem 0 .5rem; }
h3 { font-size: .95rem; line-height: 1.35; margin: 1.5rem 0 .5rem; }
p { margin: 0 0 1rem; }
a { color: var(--link); text-decoration: none; }
a:hover, a:focus-visible { text-decoration: underline; }
sup { font: .68em/0 system-ui, "DejaVu Sans", sans-serif; white-space: nowrap; }
sup a { padding: .5em .1em; }
.note, .by, .date, footer { color: var(--dim); }
.note, footer { font-size: .88rem; }
.date { font-weight: normal; }
nav ol { padding-left: 1.4rem; margin: 1rem 0 0; font-size: .95rem; }
nav li { margin: .2rem 0; }
del { color: var(--dim); }
.doubt { color: var(--dim); font-style: italic; padding-left: .2em; cursor: help; }
ul.quoted { list-style: none; margin: 0; padding: 0; }
ul.quoted li { margin: 0 0 1rem; padding-left: .9rem; border-left: 3px solid var(--line); }
ul.differ { margin: 0; padding-left: 1.2rem; }
ul.differ li { margin: 0 0 .8rem; }
.by { display: block; font-size: .8rem; line-height: 1.4; }
ol.sources { margin: 0; padding-left: 2.4rem; }
.source { font-size: .9rem; line-height: 1.45; margin: 0 0 .7rem; }
.source::marker { color: var(--dim); }
.source:target, h2:target, span:target { background: var(--mark); }
.source q { font-family: Georgia, "DejaVu Serif", serif; }
footer { border-top: 1px solid var(--line); margin-top: 2.5rem; padding-top: .8rem; }
@media print { body { max-width: none; padding: 0; background: #fff; color: #000; font-size: 10.5pt;
  }
  h2, h3 { break-after: avoid; } .source, ul.quoted li { break-inside: avoid; }
  nav { display: none; } }
""".strip()

_PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>
{style}
</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""


def document(
    title: str, body: str, language: str = "", style: str = "", *, pictures: bool = False
) -> str:
    """A whole page around `body`, which is HTML. `style` is added to the common one; `pictures`
    lets `data:` images be shown."""
    images = "; img-src data:" if pictures else ""
    return _PAGE.format(
        title=escaped(title),
        body=body,
        language=escape(language if language.isalpha() else "en"),
        style=f"{STYLE}\n{style.strip()}".strip(),
        policy=f"default-src 'none'; style-src 'unsafe-inline'{images}",
    )


def escaped(text: str) -> str:
    """`text` on one line, as HTML that shows it."""
    return escape(as_shown(text))


def told(sentence: Sentence, place: str) -> str:
    """A sentence with its markers and what is doubtful about it; `place` is its anchor.

    One that its citations do not carry is struck, and says so (invariant 10).
    """
    markers = "".join(f'<a href="#c{m}">[{m}]</a>' for m in sentence.citations)
    text, refuted = escaped(sentence.text), _REFUTED.get(sentence.verdict)
    shown = f"<del>{text}</del>" if refuted else text
    doubt = refuted or DOUBTS.get(sentence.verdict)
    said = f' <span class="doubt" title="{doubt}">{sentence.verdict}</span>' if doubt else ""
    # A word joiner, so that no line begins with a marker.
    return f'<span id="t{place}">{shown}\u2060<sup>{markers}{said}</sup></span>'


def by(citation: Citation) -> str:
    """Who says a quotation, where and when, for a line under it."""
    named = (citation.speaker, citation.title or citation.video_id, citation.date[:10])
    known = [escaped(text) for text in named if text]
    return f'<span class="by">{", ".join([*known, timed(citation.start, citation.link)])}</span>'


def sources(citations: Sequence[Citation], backs: Mapping[int, str]) -> Iterator[str]:
    """The citations under the titles of their videos, each with its number; `backs` are the
    anchors of their first uses by marker."""
    for video_id in dict.fromkeys(citation.video_id for citation in citations):
        own = [citation for citation in citations if citation.video_id == video_id]
        day = own[0].date[:10]
        dated = f' <span class="date">{escaped(day)}</span>' if day else ""
        yield f"<h3>{escaped(own[0].title or video_id)}{dated}</h3>"
        rows = (_source_there(citation, backs.get(citation.marker, "")) for citation in own)
        yield f'<ol class="sources">{"".join(rows)}</ol>'


def _source_there(citation: Citation, back: str) -> str:
    """A citation under the title of its video."""
    opened = timed(citation.start, citation.link)
    speaker = f" {escaped(citation.speaker)}:" if citation.speaker else ""
    return (
        f'<li class="source" id="c{citation.marker}" value="{citation.marker}">'
        f"{opened}{speaker} <q>{escaped(as_lines(citation.quote))}</q>{_lead(back)}</li>"
    )


def _lead(back: str) -> str:
    return f' <a href="#{back}" title="Back to the text">↑</a>' if back else ""


def timed(seconds: float, link: str) -> str:
    """A time that opens the video there, where the link opens anything."""
    opens, time = address(link), clock(seconds)
    return f'<a href="{escape(opens)}" rel="noreferrer">{time}</a>' if opens else time


def address(link: str) -> str:
    """The link, if it opens a file or a web page; nothing in it can end an attribute."""
    try:
        scheme = urlsplit(link).scheme
    except ValueError:
        return ""
    if scheme not in ("http", "https", "file"):
        return ""
    return quote(link, safe="%/:=&?~#+!$,;@-._")
