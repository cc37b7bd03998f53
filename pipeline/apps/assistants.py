"""Results as text that a chat assistant reads.

What was said or shown stands on lines that begin with ">", each on one line and without brackets
that could pass for a citation: it is data, and cannot end its line.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence

from pipeline.prompts import as_data, shortened
from pipeline.types import (
    HOW,
    Answer,
    Chapters,
    Citation,
    Moment,
    SearchResult,
    Segment,
    Source,
    Summary,
    VideoSummary,
    clock,
)

LONGEST_TRANSCRIPT = 12_000  # characters of one call; about 3,000 tokens
_LONGEST_TEXT = 600  # characters of a moment


def listed(video: VideoSummary) -> str:
    """One line on a video."""
    sources = ", ".join(f"{count} {source}" for source, count in video.sources.items())
    date = f", {video.date[:10]}" if video.date else ""
    return f"{as_data(video.title)} ({clock(video.duration)}{date}; {sources or 'no text yet'})"


def moment_lines(found: SearchResult) -> str:
    """The moments of a search, best first; "" where there are none."""
    return "\n".join(_moment(place, moment) for place, moment in enumerate(found.moments, 1))


def _moment(place: int, moment: Moment) -> str:
    sources = ", ".join(dict.fromkeys(HOW.get(p.source, p.source) for p in moment.passages))
    where = f"{moment.video_id} {clock(moment.start)}-{clock(moment.end)}"
    span = f"{moment.start:.1f} to {moment.end:.1f} s"
    head = f"{place}. {where} ({span}; {sources}): {as_data(moment.title)}"
    return f"{head}\n> {shortened(as_data(moment.text), _LONGEST_TEXT)}"


def answer_text(answer: Answer) -> str:
    """An answer with its footnotes, or why there is none and what lies near."""
    lines = [answer.answer]
    lines += [_note(citation) for citation in answer.citations]
    lines += [
        f"[{later}] and [{earlier}] say different things of the same."
        for later, earlier in answer.contradictions
    ]
    if answer.abstained:
        lines += [
            f"Near it: {near.video_id} {clock(near.start)}: {as_data(near.title)}"
            for near in answer.nearby
        ]
    lines += [as_data(line) for line in answer.missing]
    if answer.incomplete:
        lines.append(f"The answer broke off: {as_data(answer.incomplete)}")
    return "\n".join(lines)


def _note(citation: Citation) -> str:
    where = f"{citation.video_id} {clock(citation.start)}-{clock(citation.end)}"
    date = f", {citation.date[:10]}" if citation.date else ""
    head = f"[{citation.marker}] {where} ({citation.verdict}): {as_data(citation.title)}{date}"
    return f"{head}\n> {as_data(citation.quote)}"


def video_page(video: VideoSummary, summary: Summary, chapters: Chapters) -> str:
    """What is known of a video, in Markdown."""
    facts = [f"# {as_data(video.title)}", "", f"{video.video_id}: {listed(video)}"]
    known = {
        "people": ", ".join(video.people),
        "place": video.place,
        "tags": ", ".join(video.tags),
        "still to be done": ", ".join(video.pending),
    }
    facts += [f"{name}: {as_data(value)}" for name, value in known.items() if value]
    told = [f"> {as_data(sentence.text)}" for sentence in summary.sentences]
    parts = [f"> {clock(c.start)} {as_data(c.title)}" for c in chapters.chapters]
    return "\n".join(
        [*facts, *_headed("Summary", told), *_headed("Chapters", parts), *_described(video)]
    )


def _headed(title: str, lines: Sequence[str]) -> list[str]:
    return ["", f"## {title}", "", *lines] if lines else []


def _described(video: VideoSummary) -> list[str]:
    if not video.description:
        return []
    return _headed("Description", [f"> {shortened(as_data(video.description), 2000)}"])


def transcript(
    video: VideoSummary,
    segments: Sequence[Segment],
    start: float,
    end: float | None,
    sources: Collection[Source],
    most: int | None = LONGEST_TRANSCRIPT,
) -> str:
    """The segments that lie in [start, end) by time, a line each; at most about `most` characters.

    What was invented by a recogniser is left out. What began before `start` takes half of the room
    at most, and all that begins there is told: who goes on where it says gets further.
    """
    until = video.duration if end is None else end
    lines = [f"{video.video_id}: {as_data(video.title)}, {clock(start)} to {clock(until)}"]
    found = list(_lines(segments, start, until, sources))
    longest = None if most is None else most // 2 // max(1, sum(at < start for at, _ in found))
    room = most
    for at, line in found:
        if longest is not None and at < start:
            line = shortened(line, longest)
        again = math.floor(at * 10) / 10  # as it is written: never after what is to come
        full = room is not None and (room := room - len(line) - 1) < 0
        if full and again > start and len(lines) > 1:
            lines.append(f"It goes on at start={again:.1f}.")
            break
        lines.append(line)
    else:
        if len(lines) == 1:
            lines.append("Nothing is said or shown there.")
    return "\n".join(lines)


def _lines(
    segments: Sequence[Segment], start: float, until: float, sources: Collection[Source]
) -> Iterator[tuple[float, str]]:
    for segment in sorted(segments, key=lambda s: (s.start, s.end)):
        inside = segment.end > start and segment.start < until
        if inside and segment.source in sources and not segment.invented:
            who = f"{as_data(segment.speaker)}: " if segment.speaker else ""
            how = "" if segment.source == "speech" else f"({HOW[segment.source]}) "
            yield segment.start, f"> {clock(segment.start)} {how}{who}{as_data(segment.text)}"
