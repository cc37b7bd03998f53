"""A report as a page: Markdown, or HTML that stands alone.

Titles, quotes and sentences come from videos and a language model: both are data here (DESIGN 6,
invariant 9). In Markdown every character that formats is escaped; in HTML everything is, and the
page's own policy lets nothing run and nothing be loaded. A link is written only where it opens a
file or a web page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from pipeline.answer import page
from pipeline.answer.evidence import as_lines, as_shown, clock
from pipeline.answer.page import DOUBTS, escaped
from pipeline.types import Citation, Report, ReportSection, Sentence

Format = Literal["md", "html", "json"]
FORMATS: tuple[Format, ...] = ("md", "html", "json")

NOTHING_FOUND = "The library has nothing on this topic."
_FORMATS_TEXT = re.compile(r"([\\`*_{}\[\]<>#|~!&$^])")
_BEGINS_BLOCK = re.compile(r"^(\s*)([-+=:]|\d+[.)])")


# ---------------------------------------------------------------- Markdown


def markdown(report: Report) -> str:
    """The report with `[n]` after each sentence, which opens the video where its reader can."""
    lines = [f"# {_plain(report.topic)}", ""]
    if not report.sections:
        lines += [NOTHING_FOUND, ""]
    for section in report.sections:
        lines += [f"## {_plain(section.title)}", ""]
        told = [_marked(sentence) for sentence in section.sentences]
        lines += [f"- {line}" for line in told] if is_quoted(section) else [" ".join(told)]
        lines += [""]
    if report.contradictions:
        lines += ["## Where the videos differ", ""]
        lines += [f"- {_plain(line)}" for line in differences(report)]
        lines += [""]
    if report.citations:
        lines += ["## Sources", "", *_sources(report.citations), ""]
    remarks = (about(report), *legend(report), *report.notes)
    lines += [f"*{_plain(remark)}*" for remark in remarks]
    lines += [""]
    links = ((c.marker, page.address(c.link)) for c in report.citations)
    lines += [f"[{marker}]: <{address}>" for marker, address in links if address]
    return "\n".join(lines).rstrip() + "\n"


def _marked(sentence: Sentence) -> str:
    # Apart, so that "[1][2]" is not read as a link of one to the other.
    markers = " ".join(f"[{marker}]" for marker in sentence.citations)
    doubt = f" *({sentence.verdict})*" if sentence.verdict in DOUBTS else ""
    return f"{_plain(sentence.text)} {markers}{doubt}"


def _sources(citations: Sequence[Citation]) -> list[str]:
    lines = []
    for citation in citations:
        address = page.address(citation.link)
        time = f"[{clock(citation.start)}](<{address}>)" if address else clock(citation.start)
        title = f"**{_plain(citation.title or citation.video_id)}**"
        date, speaker = (_plain(text) for text in (citation.date[:10], citation.speaker))
        parts = [part for part in (title, date, time, speaker) if part]
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


def html(report: Report) -> str:
    """The report as one page: nothing is loaded, nothing runs, every text is escaped."""
    sections = list(enumerate(report.sections, start=1))
    backs = _first_uses(report)
    remarks = (about(report), *legend(report), *report.notes)
    body = [f'<p class="note">{escaped(remark)}</p>' for remark in remarks]
    cited = {citation.marker: citation for citation in report.citations}
    if not sections:
        body.append(f"<p>{NOTHING_FOUND}</p>")
    else:
        entries = (f'<li><a href="#s{n}">{escaped(s.title)}</a></li>' for n, s in sections)
        body.append(f"<nav><ol>{''.join(entries)}</ol></nav>")
    for number, section in sections:
        body.append(f'<h2 id="s{number}">{escaped(section.title)}</h2>')
        told = [page.told(s, f"{number}-{n}") for n, s in enumerate(section.sentences, start=1)]
        if is_quoted(section):
            said = (page.by(cited[s.citations[0]]) for s in section.sentences)
            rows = (f"<li>{line}{by}</li>" for line, by in zip(told, said, strict=True))
            body.append(f'<ul class="quoted">{"".join(rows)}</ul>')
        else:
            body.append(f"<p>{' '.join(told)}</p>")
    if report.contradictions:
        body.append('<h2 id="differ">Where the videos differ</h2>')
        pairs = ([cited[marker] for marker in pair] for pair in report.contradictions)
        rows = (f"<li>{'But '.join(map(_differs, pair))}</li>" for pair in pairs)
        body.append(f'<ul class="differ">{"".join(rows)}</ul>')
    if report.citations:
        body.append('<h2 id="sources">Sources</h2>')
        body += page.sources(report.citations, backs)
    language = next((v.language for v in report.videos if v.language.isalpha()), "en")
    return page.document(report.topic, "\n".join(body), language)


def _differs(citation: Citation) -> str:
    quote = f"“{escaped(as_lines(citation.quote))}”"
    marker = f'<sup><a href="#c{citation.marker}">[{citation.marker}]</a></sup>'
    return f"{quote}{marker}{page.by(citation)}"


def _first_uses(report: Report) -> Mapping[int, str]:
    """Where each citation is used first: the anchor that its source leads back to."""
    uses: dict[int, str] = {}
    for number, section in enumerate(report.sections, start=1):
        for place, sentence in enumerate(section.sentences, start=1):
            for marker in sentence.citations:
                uses.setdefault(marker, f"t{number}-{place}")
    return uses


# ---------------------------------------------------------------- both


def about(report: Report) -> str:
    """How much it is made from, and when."""
    count = len(report.videos)
    videos = "1 video" if count == 1 else f"{count} videos"
    sentences = sum(len(section.sentences) for section in report.sections)
    told = "1 sentence" if sentences == 1 else f"{sentences} sentences, each"
    dates = sorted({video.date[:10] for video in report.videos if video.date})
    span = f", dated {' to '.join(dict.fromkeys((dates[0], dates[-1])))}" if dates else ""
    checked = "with the place in a video that it was checked against"
    return f"Made on {report.made[:10]} from {videos}{span}. {told} {checked}."


def legend(report: Report) -> list[str]:
    """What the words behind its sentences mean, where there are any."""
    there = {s.verdict for section in report.sections for s in section.sentences}
    meant = [f"“{word}”: {meaning}" for word, meaning in DOUBTS.items() if word in there]
    return ["; ".join(["Behind a sentence, " + meant[0], *meant[1:]]) + "."] if meant else []


def is_quoted(section: ReportSection) -> bool:
    """Whether it is made of quotations: each is somebody else's, and stands on its own line."""
    return all(s.text.startswith("“") and s.text.endswith("”") for s in section.sentences)


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
