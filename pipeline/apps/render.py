"""What a person reads and what a program reads: tables, progress and plain JSON values.

Titles, transcripts and file names are hostile: nothing from them reaches the terminal before
`clean`, and Rich is given `Text`, never markup.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shlex
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.settings import ENVIRONMENT_PREFIX, Settings
from pipeline.types import IN_LINES, EvidenceFound, Form, SentenceReady, clock

if TYPE_CHECKING:
    from pipeline.ingest.correcting import Edited
    from pipeline.library import AddResult, ImportResult, Plan
    from pipeline.types import (
        Answer,
        AnswerEvent,
        Chapters,
        Check,
        Correction,
        Listing,
        Look,
        MomentPassage,
        Nearby,
        Progress,
        Report,
        SearchResult,
        Segment,
        Sentence,
        Summary,
        Verification,
        VideoReport,
        VideoSummary,
    )


class _Output(Console):
    """A console that leaves a closed pipe (`footnote list | head`) to whoever started it."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


# Lines are left to the terminal to wrap, so that a pipe gets them whole.
out = _Output(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 200)
log = Console(stderr=True, highlight=False, soft_wrap=True)

_MOSTLY = 0.8  # share of a text from which all of it is called doubtful
_MOST_REASONS = 10
STATUS_STYLE = {
    "added": "green",
    "updated": "green",
    "moved": "green",
    "unchanged": "dim",
    "partial": "yellow",
    "failed": "red",
}
LIBRARY_VARIABLE = f"{ENVIRONMENT_PREFIX}LIBRARY"
VERDICT_STYLE = {"supported": "green", "partly": "yellow", "unchecked": "dim"}


def clean(text: str) -> str:
    """`text` without control, format and private characters, so that it cannot drive a terminal.

    Tabs and line breaks become spaces; joiners that scripts and emoji need are kept.
    """
    spaced = " ".join(text.split())
    kept = (c for c in spaced if c in "\u200c\u200d" or unicodedata.category(c)[0] != "C")
    return "".join(kept)


def span(start: float, end: float) -> str:
    return f"{clock(start)}-{clock(end)}"


def plain(value: Any) -> Any:
    """Dataclasses, mappings and sequences as JSON values; floats rounded to a microsecond.

    How doubtful a text is stands only where it is.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        named = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return {name: plain(item) for name, item in named.items() if name != "doubt" or item}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    return round(value, 6) if isinstance(value, float) else value


# ---------------------------------------------------------------- JSON of the contracts


def report_json(video: VideoReport) -> dict[str, Any]:
    stages = {
        name: {
            "status": record.status,
            "reason": record.reason,
            "seconds": round(record.seconds, 3),
            "model_calls": record.model_calls,
        }
        for name, record in video.stages.items()
    }
    return {
        "video_id": video.video_id,
        "path": video.path,
        "status": video.status,
        "stages": stages,
        "reason": video.reason,
    }


def add_json(result: AddResult) -> dict[str, Any]:
    return {
        "videos": [report_json(video) for video in result.videos],
        "took_ms": plain(result.took_ms),
    }


def import_json(result: ImportResult) -> dict[str, Any]:
    return {
        "videos": [report_json(video) for video in result.videos],
        "rows": result.rows,
        "errors": [{"line": line, "message": message} for line, message in result.errors],
        "took_ms": plain(result.took_ms),
    }


def edited_json(done: Edited, *, undone: bool) -> dict[str, Any]:
    """Values of a segment are text, those of the video lists, null where nothing was said."""
    rows = []
    for correction in done.corrections:
        row = plain(correction)
        if not correction.source:
            row |= {name: json.loads(row[name]) for name in ("replaced", "value")}
        rows.append(row)
    facts = {"video_id": done.video_id, "undone": undone, "passages": done.passages}
    return {**facts, "corrections": rows}


def listed_json(summary: VideoSummary) -> dict[str, Any]:
    """One of `footnote list`; descriptions are left to `show`."""
    return {name: value for name, value in plain(summary).items() if name != "description"}


def show_json(summary: VideoSummary, segments: Sequence[Segment]) -> dict[str, Any]:
    rows = [
        {
            "source": s.source,
            "start": round(s.start, 6),
            "end": round(s.end, 6),
            "text": s.text,
            "speaker": s.speaker,
            "flags": list(s.flags),
            "number": number,
        }
        for number, s in enumerate(segments, 1)
    ]
    return {**plain(summary), "segments": rows}


def look_json(found: Look) -> dict[str, Any]:
    """The segments as `show` gives them, without what a caption never has."""
    rows = [
        {
            "source": s.source,
            "start": round(s.start, 6),
            "end": round(s.end, 6),
            "text": s.text,
            "flags": list(s.flags),
        }
        for s in found.segments
    ]
    return {**plain(found), "segments": rows}


def answer_json(answer: Answer, *, explain: bool) -> dict[str, Any]:
    """The trace of an agent only where it is asked for."""
    shown: dict[str, Any] = plain(answer)
    return shown if explain else {k: v for k, v in shown.items() if k != "trace"}


# ---------------------------------------------------------------- tables for people


def plan(plan: Plan, to: Console) -> None:
    """What `add` is about to do: on stderr before it does it, for that is no result."""
    size = sum(size for _, size in plan.files)
    to.print(f"{_count(len(plan.files), 'file')}, {size / 1e6:.1f} MB, profile {plan.profile}")


def added(result: AddResult) -> None:
    if not result.videos:
        out.print("No video or audio files there. Subtitles are read beside their video.")
        return
    table = _table("video", "status", "read", "pending")
    for video in result.videos:
        done = [name for name, record in video.stages.items() if record.status == "done"]
        pending = [name for name, record in video.stages.items() if record.status == "pending"]
        table.add_row(
            clean(video.video_id or Path(video.path).name),
            Text(video.status, style=STATUS_STYLE[video.status]),
            ", ".join(name for name in done if name not in ("probe", "frames", "passages")) or "-",
            ", ".join(pending) or "-",
        )
    _print(table)
    _reasons(result.videos)


def _reasons(videos: Sequence[VideoReport]) -> None:
    for video in videos:
        if video.reason:
            name, reason = clean(Path(video.path).name), clean(video.reason)
            line = Text(reason if reason.startswith(name) else f"{name}: {reason}")
            line.stylize("red" if video.status == "failed" else "yellow")
            out.print(line)
    reasons = {
        (name, record.reason)
        for video in videos
        for name, record in video.stages.items()
        if record.status == "pending"
    }
    for name, reason in sorted(reasons)[:_MOST_REASONS]:
        out.print(Text(f"pending {name}: {clean(reason)}", style="dim"))
    if len(reasons) > _MOST_REASONS:
        out.print(
            Text(f"... and {len(reasons) - _MOST_REASONS} more that are pending", style="dim")
        )


def imported(result: ImportResult) -> None:
    same = sum(video.status == "unchanged" for video in result.videos)
    told = f", {same} unchanged" if same else ""
    out.print(f"{_count(result.rows, 'row')} of {_count(len(result.videos), 'video')}{told}")
    for video in result.videos:
        if video.reason:
            out.print(Text(f"{clean(video.video_id)}: {clean(video.reason)}", style="yellow"))
    for line, message in result.errors[:20]:
        where = f"line {line}: " if line else ""
        out.print(Text(where + clean(message), style="red"))
    if len(result.errors) > 20:
        out.print(Text(f"... and {len(result.errors) - 20} more", style="red"))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def removed(videos: Sequence[str]) -> None:
    for video in videos:
        out.print(Text(f"removed {clean(video)}"))


def videos(rows: Sequence[VideoSummary]) -> None:
    table = _table("video", "title", "length", "text", "pending")
    for row in rows:
        text = ", ".join(f"{count} {source}" for source, count in row.sources.items())
        table.add_row(
            clean(row.video_id),
            clean(row.title),
            clock(row.duration),
            text or "-",
            ", ".join(row.pending) or "-",
        )
    _print(table)


def show(summary: VideoSummary, segments: Sequence[Segment]) -> None:
    out.print(Text(clean(summary.title), style="bold"))
    out.print(Text(f"{clean(summary.video_id)}  {clock(summary.duration)}  {clean(summary.path)}"))
    _facts(summary)
    table = _table("#", "time", "source", "text")
    for number, segment in enumerate(segments, 1):
        speaker = f"{segment.speaker}: " if segment.speaker else ""
        table.add_row(
            str(number),
            span(segment.start, segment.end),
            segment.source,
            Text.assemble(clean(speaker + segment.text), *_doubts(segment)),
            style="dim" if segment.invented else None,
        )
    _print(table)
    if invented := sum(segment.invented for segment in segments):
        out.print(Text(f"{_count(invented, 'segment')} invented: not searched, never cited"))


def _facts(summary: VideoSummary) -> None:
    """What is known of the video beside its text, a line each."""
    facts = {
        "date": summary.date,
        "people": ", ".join(summary.people),
        "place": summary.place,
        "tags": ", ".join(summary.tags),
        "url": summary.url,
        "about": _shortened(summary.description, 300),
    }
    for name, value in facts.items():
        if value:
            out.print(Text.assemble((f"{name:<7} ", "dim"), clean(value)))


def edited(done: Edited, *, undone: bool) -> None:
    """What was corrected; of an undo, what it is now instead."""
    if not done.corrections:
        out.print("Nothing was corrected.")
    for correction in done.corrections:
        before, after = (_value(correction, v) for v in (correction.replaced, correction.value))
        if undone:
            before, after = after, before
        where = f"{clock(correction.start)} {correction.source} " if correction.source else ""
        line = Text(f"{clean(done.video_id)}  {where}{correction.field}  ", style="dim")
        line.append(before, style="red")
        line.append(" -> ", style="dim")
        line.append(after, style="green")
        if not correction.fits:
            line.append("  no longer fits what was read", style="yellow")
        out.print(line)


def _value(correction: Correction, value: str) -> str:
    """A corrected value in a line; facts of the video are kept as JSON lists, null for unsaid."""
    return clean(value if correction.source else ", ".join(json.loads(value) or ())) or "-"


def _doubts(segment: Segment) -> list[tuple[str, str]]:
    """Why a text is doubtful or what stood there before, behind it."""
    flags = "; ".join(clean(flag).replace("_", " ") for flag in segment.flags)
    return [(f"  ({flags})", "dim")] if flags else []


def chapters(found: Chapters) -> None:
    """`0:00 Title`, as video sites read them in a description; notes go to stderr, so that the
    list can be piped."""
    for chapter in found.chapters:
        out.print(Text(f"{clock(chapter.start)} {clean(chapter.title)}"))
    _note("chapters", found.title, found.note, there=bool(found.chapters))


def summary(found: Summary) -> None:
    """A sentence a line, each with the first time that it is taken from."""
    for sentence in found.sentences:
        line = Text(clean(sentence.text))
        starts = dict.fromkeys(clock(place.start) for place in sentence.citations)
        if starts:
            line.append(f"  [{', '.join(starts)}]", style="cyan")
        out.print(line)
    _note("summary", found.title, found.note, there=bool(found.sentences))


def _note(what: str, title: str, note: str, *, there: bool) -> None:
    if note:
        lead = "" if there else f"no {what} of {clean(title)}: "
        log.print(Text(f"{lead}{clean(note)}", style="dim"))


def status(facts: Mapping[str, Any]) -> None:
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in facts.items():
        shown = (
            ", ".join(f"{key} {_number(item)}" for key, item in value.items())
            if isinstance(value, Mapping)
            else _number(value)
        )
        table.add_row(Text(name.replace("_", " "), style="dim"), clean(shown) or "-")
    _print(table)


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def moments(found: SearchResult, library: Path) -> None:
    if not found.moments:
        out.print("Nothing found.")
        return
    for place, moment in enumerate(found.moments, 1):
        head = Text(f"{place:>2}  ")
        head.append(clean(moment.title), style="bold")
        head.append(f"  {span(moment.start, moment.end)}", style="cyan")
        head.append(f"  {moment.score:.2f}", style="dim")
        out.print(head)
        for passage in moment.passages:
            line = Text(f"    {passage.source:<8}", style="dim")
            line.append(_from_start(passage, moment.start, 300), style="not dim")
            line.append(_doubt(passage.doubt), style="yellow")
            out.print(line)
        out.print(Text(f"    {_play(moment.video_id, moment.start, library)}", "dim"))


def _doubt(share: float) -> str:
    """A mark behind text of which there is a reason not to trust so much."""
    if not share:
        return ""
    return "  (doubtful)" if share > _MOSTLY else "  (doubtful in part)"


def listing(found: Listing, library: Path) -> None:
    """Every entry in a line or two, how many there are of each video, and what was scanned."""
    for place, entry in enumerate(found.moments, 1):
        head = Text(f"{place:>3}  ")
        head.append(clean(entry.title), style="bold")
        head.append(f"  {span(entry.start, entry.end)}", style="cyan")
        head.append(f"  {', '.join(dict.fromkeys(p.source for p in entry.passages))}", style="dim")
        head.append(_doubt(max(p.doubt for p in entry.passages)), style="yellow")
        if entry.same_as:
            head.append(f"  same text as {entry.same_as}", style="yellow")
        out.print(head)
        out.print(Text(f"     {_around(clean(entry.text), found.coverage.looked_for, 160)}"))
        out.print(Text(f"     {_play(entry.video_id, entry.start, library)}", style="dim"))
    if found.moments:
        out.print()
        table = _table("entries", "video")
        for video in found.videos:
            table.add_row(str(video.count), clean(video.title))
        _print(table)
    _coverage(found)


def _coverage(found: Listing) -> None:
    coverage = found.coverage
    entries = f"{len(found.moments):,} entr{'y' if len(found.moments) == 1 else 'ies'}"
    total = f"{entries} in {_count(len(found.videos), 'video')}"
    out.print(Text(f"{total} for {clean(coverage.looked_for)!r}", style="bold"))
    sources = ", ".join(f"{count:,} {source}" for source, count in coverage.sources.items())
    scanned = f"{_count(coverage.videos, 'video')}, {coverage.hours:.1f} h"
    passages = _count(coverage.passages, "passage") + (f" ({sources})" if sources else "")
    out.print(Text(f"scanned {scanned}, {passages}", style="dim"))
    if coverage.below:
        near = f"{_count(coverage.below, 'passage')} came near and left out"
        out.print(Text(f"{near}: footnote search shows the nearest", style="dim"))
    if coverage.no_text:
        out.print(Text(f"{_count(coverage.no_text, 'video')} without any text", style="yellow"))
    for stage, count in coverage.pending.items():
        lack = f"{stage} of {_count(count, 'video')} still to be read: the list may be incomplete"
        out.print(Text(lack, style="yellow"))


def for_all(question: str, library: Path) -> None:
    """Where a complete list is to be had: an answer is made from the best few moments."""
    command = _command(library, "search", "--all", clean(question))
    out.print(Text(f"\nFor the complete list: {command}", style="dim"))


def answer(answer: Answer, library: Path, *, explain: bool) -> None:
    out.print()
    if answer.abstained:
        out.print(Text(clean(answer.answer), style="bold yellow"))
    else:
        for place, sentence in enumerate(answer.sentences, 1):
            _sentence(sentence, answer.form, place)
        if answer.form not in IN_LINES:
            out.print()
    _footnotes(answer, library, explain=explain)


def answer_events(events: Iterable[AnswerEvent], library: Path, *, explain: bool) -> None:
    """An answer as it comes: each sentence when it was checked, then what `answer` shows below."""
    form: Form = "short"
    place = 0
    for event in events:
        if isinstance(event, EvidenceFound):
            form = event.form
            out.print()
        elif isinstance(event, SentenceReady):
            place += 1
            _sentence(event.sentence, form, place)
        else:
            if form not in IN_LINES and place:
                out.print()
            if event.abstained:
                out.print(Text(clean(event.answer), style="bold yellow"))
            _footnotes(event, library, explain=explain)


def _sentence(sentence: Sentence, form: Form, place: int) -> None:
    """One on a line of its own in the forms that want it, else running on."""
    markers = "".join(f"[{marker}]" for marker in sentence.citations)
    lead = {"howto": f"{place}. ", "list": "- ", "timeline": "- "}.get(form, " " * (place > 1))
    text = Text(lead)
    if sentence.verdict in ("unsupported", "contradicted"):
        text.append(clean(sentence.text), style="strike dim")
        text.append(f" ({sentence.verdict}) {markers}", style="red")
    else:
        text.append(f"{clean(sentence.text)} {markers}", style="bold")
    out.print(text, end="\n" if form in IN_LINES else "")


def _footnotes(answer: Answer, library: Path, *, explain: bool) -> None:
    """What stands below an answer: its citations, or what is near where there are none."""
    if answer.incomplete:
        out.print(Text(f"\nThe answer breaks off: {clean(answer.incomplete)}", style="yellow"))
    if answer.trace and answer.trace.failed:
        broken = f"Nothing more was looked for: {clean(answer.trace.failed)}"
        out.print(Text(f"\n{broken}", style="yellow"))
    if answer.citations:
        out.print()
    for citation in answer.citations:
        line = Text(f"[{citation.marker}] ")
        line.append(clean(citation.title), style="bold")
        line.append(f"  {span(citation.start, citation.end)}", style="cyan")
        line.append(f"  {citation.source}", style="dim")
        line.append(f"  {citation.verdict}", style=VERDICT_STYLE.get(citation.verdict, "red"))
        out.print(line)
        out.print(Text(f'    "{_shortened(clean(citation.quote), 240)}"'))
        play = _play(citation.video_id, citation.start, library)
        out.print(Text(f"    {play}", style="dim"))
    _differing(answer)
    if answer.nearby:
        _nearby(answer.nearby)
    for lack in answer.missing:
        out.print(Text(clean(lack), style="yellow"))
    if explain:
        _explain(answer)


def _differing(answer: Answer) -> None:
    """Which footnotes say different things of the same, with their dates, the latest first."""
    dates = {citation.marker: clean(citation.date[:10]) for citation in answer.citations}
    for pair in answer.contradictions:
        named = [f"[{m}]" + (f" of {dates[m]}" if dates[m] else "") for m in pair]
        out.print(Text(f"\nThey say different things: {' and '.join(named)}", style="yellow"))


def reported(report: Report, output: Path) -> None:
    """What was written, and what a reader of it should know."""
    told = sum(len(section.sentences) for section in report.sections)
    sections = _count(len(report.sections), "section")
    made = f"{_count(told, 'sentence')} in {sections} from {_count(len(report.videos), 'video')}"
    if not report.sections:
        made = "the library has nothing on this topic"
    out.print(Text(f"{output}: {made}", style="bold"))
    usage = report.usage
    if dropped := int(usage.get("dropped_sentences", 0)):
        of = _count(int(usage["written_sentences"]), "sentence")
        out.print(Text(f"{dropped} of {of} left out: their citations do not carry them"))
    for note in report.notes:
        out.print(Text(clean(note), style="yellow"))


def verification(found: Verification) -> None:
    """Each sentence with the verdict that it has, and what else is not as the file says."""
    place = "the library" if found.against == "library" else "the evidence of the file itself"
    out.print(Text(f"{clean(found.subject)!r}, checked against {place}", style="dim"))
    for sentence in found.sentences:
        line = Text("WORSE " if sentence.worse else "ok    ", "red" if sentence.worse else "green")
        changed = f"{sentence.was}, now {sentence.now}"
        verdict = sentence.now if sentence.was == sentence.now else changed
        line.append(verdict, style=VERDICT_STYLE.get(sentence.now, "red"))
        markers = "".join(f"[{marker}]" for marker in sentence.citations)
        line.append(f"  {clean(sentence.text)} {markers}", style="not bold default")
        out.print(line)
    for citation in found.citations:
        for fault in citation.faults:
            where = f"[{citation.marker}] {clean(citation.video_id)} {clock(citation.start)}"
            out.print(Text(f"WRONG {where}: {clean(fault)}", style="red"))
    for fault in found.faults:
        out.print(Text(f"WRONG {clean(fault)}", style="red"))
    for note in found.notes:
        out.print(Text(clean(note), style="yellow"))
    held = sum(not sentence.worse for sentence in found.sentences)
    total = f"{held} of {_count(len(found.sentences), 'sentence')} as good as it says"
    out.print(Text(total if held or found.sentences else "nothing to check", style="bold"))


def look(found: Look, library: Path) -> None:
    """The answer, and where in the video each part of it was seen."""
    style = "bold" if found.found else "yellow"
    out.print(Text(clean(found.text) or "The model gave no answer.", style=style))
    for segment in found.segments:
        line = Text(f"  {span(segment.start, segment.end)}  ", style="cyan")
        line.append(clean(segment.text), style="not bold default")
        out.print(line)
    seen = f"{clean(found.title)}  {span(found.start, found.end)}"
    seen += f"  {_count(len(found.times), 'frame')}"
    out.print(Text(seen + ", asked before" * found.cached, style="dim"))
    if found.segments:
        out.print(Text(_play(found.video_id, found.segments[0].start, library), style="dim"))
    if found.note:
        log.print(Text(clean(found.note), style="yellow"))


def _nearby(moments: Sequence[Nearby]) -> None:
    """What an answer that abstained can still offer: where to look."""
    out.print(Text("\nNearest to it, though it may not answer:", style="dim"))
    for moment in moments:
        line = Text(f"    {clean(moment.title)}")
        line.append(f"  {span(moment.start, moment.end)}", style="cyan")
        line.append(f"  {_shortened(clean(moment.text), 100)}", style="dim")
        out.print(line)


def _explain(answer: Answer) -> None:
    if answer.trace:
        from pipeline.apps.traces import lines_of

        out.print()
        for line in lines_of(answer.trace):
            out.print(Text(line))
    out.print()
    table = _table("moment", "time", "score", "why")
    for moment in answer.moments:
        why = ", ".join(f"{name} {part:.2f}" for name, part in moment.why.items())
        table.add_row(
            clean(moment.title), span(moment.start, moment.end), f"{moment.score:.2f}", why
        )
    _print(table)
    took = ", ".join(f"{name} {ms:.0f} ms" for name, ms in answer.took_ms.items())
    used = ", ".join(f"{name} {count:g}" for name, count in answer.usage.items())
    out.print(Text(f"confidence {answer.confidence:.2f}; {took}" + (f"; {used}" if used else "")))


def played(opened: Mapping[str, Any]) -> None:
    out.print(Text(clean(" ".join(opened["command"])), style="dim"))


def checks(rows: Sequence[Check]) -> None:
    for check in rows:
        line = Text("ok    " if check.ok else "WRONG ", style="green" if check.ok else "red")
        line.append(clean(check.name), style="not bold default")
        if check.detail:
            line.append(f": {clean(check.detail)}", style="dim")
        out.print(line)
        if not check.ok and check.repair:
            out.print(Text(f"      try: {check.repair}"))


def reindexed(done: Mapping[str, Any]) -> None:
    out.print(Text(f"{done['passages']} passages embedded with {clean(str(done['embedding']))}"))


def evaluation(report: Mapping[str, Any], by: Sequence[str] = ()) -> None:
    from pipeline.evaluate.report import render_table

    out.print(Text(render_table(report, by)), soft_wrap=True)
    if "answers" in report:
        from pipeline.evaluate.answer_report import render_answers

        table = render_answers(report["answers"], by_type="type" in by)
        out.print(Text(f"\n{table}"), soft_wrap=True)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _print(table: Table) -> None:
    out.print(table, soft_wrap=False)


def _around(text: str, words: str, limit: int) -> str:
    """Some of the text around the first of `words` in it; endings need not agree."""
    stems = (re.escape(word[:5]) for word in re.findall(r"\w{3,}", words) if word != "the")
    stem = "|".join(stems)
    found = re.search(rf"\b(?:{stem})", text, re.IGNORECASE) if stem else None
    if found is None or len(text) <= limit:
        return _shortened(text, limit)
    begin = text.rfind(" ", 0, max(found.start() - limit // 4, 0)) + 1
    return ("..." if begin else "") + _shortened(text[begin:], limit)


def _from_start(passage: MomentPassage, start: float, limit: int) -> str:
    """Some of a passage's text from about where its moment starts, as its time runs along with
    it; of what does not run along, or is short anyway, from the beginning."""
    text = clean(passage.text)
    share = (start - passage.start) / (passage.end - passage.start)
    if passage.source != "speech" or share <= 0 or len(text) <= limit:
        return _shortened(text, limit)
    begin = text.rfind(" ", 0, int(share * len(text)) + 1) + 1
    return ("..." if begin else "") + _shortened(text[begin:], limit)


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 3].rstrip() + "..."


def _play(video_id: str, seconds: float, library: Path) -> str:
    """The command that opens the moment, to be typed in the folder the question was asked in."""
    return _command(library, "play", clean(video_id), clock(seconds))


def _command(library: Path, *arguments: str) -> str:
    words = ["footnote", *arguments]
    if library != Settings.model_fields["library"].default and not os.environ.get(LIBRARY_VARIABLE):
        words += ["--library", str(library)]
    return shlex.join(words)


# ---------------------------------------------------------------- progress


@contextmanager
def progress(*, quiet: bool) -> Iterator[Progress]:
    """Bars of the videos in flight, a row for each stage under way with the time that is left, on
    stderr; none when `quiet`."""
    from pipeline.types import ProgressEvent

    if quiet or not log.is_terminal:
        yield _silent
        return
    from pipeline.apps.bars import VideoBars

    with VideoBars(log) as bars:

        def show_event(event: ProgressEvent) -> None:
            bars.show(event, clean(event.video))

        yield show_event


def _silent(event: object) -> None:
    """Progress for programs: none."""
