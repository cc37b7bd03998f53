"""What of an answer goes into other programs: its claims, and the pieces of video they rest on.

Order is the answer's: pieces stand as they are first cited. A piece that several sentences cite is
there once, with all of them; one that runs into the piece before it becomes one with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from pipeline.answer.saved import Saved
from pipeline.types import Answer, Citation, Segment, Verdict, Video

CARRIED: frozenset[Verdict] = frozenset(("supported", "partly", "unchecked"))


class Archive(Protocol):
    """What is known of videos: the catalog."""

    def has_video(self, video_id: str) -> bool: ...

    def video(self, video_id: str) -> Video: ...

    def segments(self, video_id: str) -> Sequence[Segment]:
        """By time, of every source."""
        ...


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of an answer with one of the places that it cites."""

    text: str
    verdict: Verdict
    citation: Citation

    @property
    def label(self) -> str:
        """`[1] supported: The ferry is late.`"""
        return f"[{self.citation.marker}] {self.verdict}: {self.text}"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a video, and what is claimed of it. `start` and `end` are seconds of the video."""

    video: Video
    start: float
    end: float
    claims: tuple[Claim, ...]


def as_saved(answer: Answer) -> Saved:
    """An answer as its JSON would tell it."""
    return Saved(answer.question, answer.sentences, answer.citations, answer.answer)


def claims_of(saved: Saved) -> list[Claim]:
    """Every sentence with every place that it cites, in the answer's order."""
    by_marker = {citation.marker: citation for citation in saved.citations}
    return [
        Claim(sentence.text, sentence.verdict, by_marker[marker])
        for sentence in saved.sentences
        for marker in sentence.citations
    ]


def videos_of(claims: Iterable[Claim], archive: Archive) -> dict[str, Video]:
    """The cited videos by id; one that the library no longer has is known by its title only."""
    found: dict[str, Video] = {}
    for citation in (claim.citation for claim in claims):
        video_id = citation.video_id
        if video_id not in found:
            known = archive.has_video(video_id)
            found[video_id] = (
                archive.video(video_id) if known else Video(video_id, citation.title or video_id)
            )
    return found


def pieces_of(
    claims: Sequence[Claim], videos: Mapping[str, Video], margin: float = 0.0
) -> list[Piece]:
    """The cited parts, each with `margin` seconds around it where the video has them."""
    by_marker: dict[int, list[Claim]] = {}
    for claim in claims:
        by_marker.setdefault(claim.citation.marker, []).append(claim)
    pieces: list[Piece] = []
    for some in by_marker.values():
        piece = _piece(videos[some[0].citation.video_id], some, margin)
        if pieces and _run_together(pieces[-1], piece):
            pieces[-1] = _joined(pieces[-1], piece)
        else:
            pieces.append(piece)
    return pieces


def _piece(video: Video, claims: Sequence[Claim], margin: float) -> Piece:
    cited = claims[0].citation
    longest = video.duration or float("inf")
    # A saved answer may be older than the file: what lies beyond its end is left for who reads it.
    end = min(cited.end + margin, max(longest, cited.end))
    return Piece(video, max(0.0, cited.start - margin), end, tuple(claims))


def _run_together(before: Piece, after: Piece) -> bool:
    same = before.video.video_id == after.video.video_id
    return same and after.start <= before.end and before.start <= after.end


def _joined(before: Piece, after: Piece) -> Piece:
    return replace(
        before,
        start=min(before.start, after.start),
        end=max(before.end, after.end),
        claims=(*before.claims, *after.claims),
    )
