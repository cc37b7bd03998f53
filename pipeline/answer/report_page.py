"""A report as a page: Markdown, or HTML that stands alone.

Titles, quotes and sentences come from videos and a language model: both are data here (DESIGN 6,
invariant 9). In Markdown every character that formats is escaped; in HTML everything is, and the
page's own policy lets nothing run and nothing be loaded. A link is written only where it opens a
file or a web page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Literal
from urllib.parse import quote, urlsplit

from pipeline.answer.evidence import as_lines, as_shown, clock
from pipeline.types import Citation, Report, Sentence

Format = Literal["md", "html", "json"]
FORMATS: tuple[Format, ...] = ("md", "html", "json")

NOTHING_FOUND = "The library has nothing on this topic."
_FORMATS_TEXT = re.compile(r"([\\`*_{}\[\]<>#|~!&$^])")
_BEGINS_BLOCK = re.compile(r"^(\s*)([-+=:]|\d+[.)])")
_VERDICTS = {"partly": "partly carried by its source", "unchecked": "not checked"}


# ---------------------------------------------------------------- Markdown


def markdown(report: Report) -> str:
    """The report with `[n]` after each sentence, which opens the video where its reader can."""
    lines = [f"# {_plain(report.topic)}", ""]
    if not report.sections:
        lines += [NOTHING_FOUND, ""]
    for section in report.sections:
        lines += [f"## {_plain(section.title)}", ""]
        lines += [" ".join(_marked(sentence) for sentence in section.sentences), ""]
    if report.contradictions:
        lines += ["## Where the videos differ", ""]
        lines += [f"- {_plain(line)}" for line in differences(report)]
        lines += [""]
    if report.citations:
        lines += ["## Sources", "", *_sources(report.citations), ""]
    lines += [f"*{_plain(about(report))}*", *(f"*{_plain(note)}*" for note in report.notes), ""]
    links = ((c.marker, _address(c.link)) for c in report.citations)
    lines += [f"[{marker}]: <{address}>" for marker, address in links if address]
    return "\n".join(lines).rstrip() + "\n"


def _marked(sentence: Sentence) -> str:
    # Apart, so that "[1][2]" is not read as a link of one to the other.
    markers = " ".join(f"[{marker}]" for marker in sentence.citations)
    doubt = _VERDICTS.get(sentence.verdict)
    return f"{_plain(sentence.text)} {markers}" + (f" *({doubt})*" if doubt else "")


def _sources(citations: Sequence[Citation]) -> list[str]:
    lines = []
    for citation in citations:
        address = _address(citation.link)
        time = f"[{clock(citation.start)}](<{address}>)" if address else clock(citation.start)
        title = f"**{_plain(citation.title or citation.video_id)}**"
        parts = [title, *([_plain(citation.date[:10])] if citation.date else []), time]
        quoted = _plain(as_lines(citation.quote))
        lines.append(f"{citation.marker}. {', '.join(parts)}: “{quoted}”")
    return lines


def _plain(text: str) -> str:
    """`text` on one line, with nothing in it that formats."""
    escaped = _FORMATS_TEXT.sub(r"\\\1", as_shown(text))
    # A bare address would become a link of its own.
    escaped = re.sub(r"(?i)\b(https?|ftp|mailto):", r"\1\\:", escaped).replace("www.", "www\\.")
    return _BEGINS_BLOCK.sub(_escaped_block, escaped)


def _escaped_block(begin: re.Match[str]) -> str:
    mark = begin.group(2)
    return f"{begin.group(1)}{mark[:-1]}\\{mark[-1]}"


# ---------------------------------------------------------------- HTML

_STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fdfdfb; --dim: #666; --line: #ddd;
  --link: #0b57a4; --mark: #fff3c4; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e6e3; --paper: #161718; --dim: #9a9a97;
  --line: #333; --link: #8ab8f0; --mark: #4a3f14; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 44rem; padding: 2rem 1.25rem 4rem; background: var(--paper);
  color: var(--ink); font: 1.06rem/1.6 Georgia, "DejaVu Serif", serif; overflow-wrap: anywhere; }
h1, h2, nav, footer, .source, .note { font-family: system-ui, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .4rem; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 2.2rem 0 .5rem; }
p { margin: 0 0 1rem; }
a { color: var(--link); text-decoration: none; }
a:hover { text-decoration: underline; }
sup { font-size: .68em; line-height: 0; font-family: system-ui, sans-serif; }
sup a { padding: 0 .1em; }
.note, footer { color: var(--dim); font-size: .88rem; }
nav ol { padding-left: 1.2rem; margin: .8rem 0 0; font-size: .95rem; }
.doubt { color: var(--dim); font-style: italic; font-size: .88em; }
ol.sources { padding-left: 2.2rem; }
.source { font-size: .9rem; line-height: 1.45; margin: 0 0 .8rem; }
.source:target, h2:target { background: var(--mark); }
.source q { display: block; color: var(--dim); font-family: Georgia, "DejaVu Serif", serif; }
footer { border-top: 1px solid var(--line); margin-top: 2.5rem; padding-top: .8rem; }
@media print { body { max-width: none; padding: 0; background: #fff; color: #000; font-size: 10.5pt;
  }
  h2 { break-after: avoid; } .source { break-inside: avoid; } nav { display: none; } }
""".strip()

_PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
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


def html(report: Report) -> str:
    """The report as one page: nothing is loaded, nothing runs, every text is escaped."""
    sections = list(enumerate(report.sections, start=1))
    backs = _first_uses(report)
    body = [f'<p class="note">{_escaped(about(report))}</p>']
    body += [f'<p class="note">{_escaped(note)}</p>' for note in report.notes]
    if not sections:
        body.append(f"<p>{NOTHING_FOUND}</p>")
    else:
        entries = (f'<li><a href="#s{n}">{_escaped(s.title)}</a></li>' for n, s in sections)
        body.append(f"<nav><ol>{''.join(entries)}</ol></nav>")
    for number, section in sections:
        body.append(f'<h2 id="s{number}">{_escaped(section.title)}</h2>')
        told = (_told(s, f"{number}-{n}") for n, s in enumerate(section.sentences, start=1))
        body.append(f"<p>{' '.join(told)}</p>")
    if report.contradictions:
        body.append('<h2 id="differ">Where the videos differ</h2>')
        body.append("<ul>" + "".join(f"<li>{_escaped(d)}</li>" for d in differences(report)))
        body.append("</ul>")
    if report.citations:
        body.append('<h2 id="sources">Sources</h2>\n<ol class="sources">')
        body += [_source(citation, backs.get(citation.marker, "")) for citation in report.citations]
        body.append("</ol>")
    language = next((v.language for v in report.videos if v.language.isalpha()), "en")
    page = {"title": _escaped(report.topic), "style": _STYLE, "language": escape(language)}
    return _PAGE.format(body="\n".join(body), **page)


def _first_uses(report: Report) -> Mapping[int, str]:
    """Where each citation is used first: the anchor that its source leads back to."""
    uses: dict[int, str] = {}
    for number, section in enumerate(report.sections, start=1):
        for place, sentence in enumerate(section.sentences, start=1):
            for marker in sentence.citations:
                uses.setdefault(marker, f"t{number}-{place}")
    return uses


def _told(sentence: Sentence, place: str) -> str:
    markers = "".join(f'<a href="#c{m}">[{m}]</a>' for m in sentence.citations)
    doubt = _VERDICTS.get(sentence.verdict)
    said = f' <span class="doubt">({doubt})</span>' if doubt else ""
    return f'<span id="t{place}">{_escaped(sentence.text)}<sup>{markers}</sup>{said}</span>'


def _source(citation: Citation, back: str) -> str:
    address, time = _address(citation.link), clock(citation.start)
    opened = f'<a href="{escape(address)}" rel="noreferrer">{time}</a>' if address else time
    date = f", {_escaped(citation.date[:10])}" if citation.date else ""
    lead = f' <a href="#{back}" title="Back to the text">↑</a>' if back else ""
    return (
        f'<li class="source" id="c{citation.marker}" value="{citation.marker}">'
        f"<strong>{_escaped(citation.title or citation.video_id)}</strong>{date}, {opened}{lead}"
        f"<q>{_escaped(as_lines(citation.quote))}</q></li>"
    )


def _escaped(text: str) -> str:
    return escape(as_shown(text))


# ---------------------------------------------------------------- both


def about(report: Report) -> str:
    """How much it is made from, and when."""
    count = len(report.videos)
    videos = "1 video" if count == 1 else f"{count} videos"
    sentences = sum(len(section.sentences) for section in report.sections)
    told = f"{sentences} sentences, each with the place in a video that it was checked against"
    dates = sorted(video.date[:10] for video in report.videos if video.date)
    span = f", dated {dates[0]} to {dates[-1]}" if dates else ""
    return f"Made on {report.made[:10]} from {videos}{span}. {told}."


def differences(report: Report) -> list[str]:
    """A line for each pair of sources that say different things, the later first."""
    by_marker = {citation.marker: citation for citation in report.citations}
    return [
        " But ".join(_says(by_marker[marker]) for marker in pair) for pair in report.contradictions
    ]


def _says(citation: Citation) -> str:
    date = f" ({citation.date[:10]})" if citation.date else ""
    title = citation.title or citation.video_id
    return f"{title}{date}, source {citation.marker}: “{as_lines(citation.quote)}”"


def _address(link: str) -> str:
    """The link, if it opens a file or a web page; nothing in it can end an attribute."""
    try:
        scheme = urlsplit(link).scheme
    except ValueError:
        return ""
    if scheme not in ("http", "https", "file"):
        return ""
    return quote(link, safe="%/:=&?~#+!$,;@-._")
