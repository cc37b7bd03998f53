"""A saved answer or report (`saved`), checked again.

What is checked is what a reader relies on: that every quote is stored text, at the time that the
citation and its link open, of the video it names; that every sentence is carried by its citations
as its verdict says; that the text shown is that of the sentences. Headings are not checked: they
name subjects. It is checked against the library, or, where there is none, against the stored text
that a report's JSON carries. The second shows that the file agrees with itself: only the library
can tell whether a video says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from pipeline.answer.cite import clip, link
from pipeline.answer.evidence import Evidence, Transcripts, as_quote, as_shown, clock
from pipeline.answer.footnotes import written
from pipeline.answer.saved import Saved
from pipeline.answer.statements import Statement, cut
from pipeline.answer.verify import WEIGHT, Claim, TextVerifier, Verifier
from pipeline.answer.wording import words
from pipeline.errors import UsageError, VideoNotFound
from pipeline.types import (
    CheckedCitation,
    CheckedSentence,
    Citation,
    Embedder,
    Segment,
    Verdict,
    Verification,
    Video,
)

# A time that is saved is rounded, and a segment's may be: seconds of difference that mean nothing.
TIME_TOLERANCE = 0.5


# ---------------------------------------------------------------- what it is checked against


class FileEvidence:
    """`Transcripts` of the stored text that the file itself carries."""

    def __init__(self, saved: Saved) -> None:
        self._videos = {video.video_id: video for video in saved.videos}
        self._segments: dict[str, list[Segment]] = {}
        for text in saved.evidence:
            self._segments.setdefault(text.video_id, []).append(text.segment)

    def video(self, video_id: str) -> Video:
        """Raises `VideoNotFound` where the file has no such video."""
        if video_id not in self._videos:
            raise VideoNotFound(f"no video {video_id!r} in the file's evidence", "")
        known = self._videos[video_id]
        return Video(
            video_id,
            known.title,
            duration=known.duration,
            sha256=known.sha256,
            date=known.date,
            url=known.url,
            language=known.language,
        )

    def segments(self, video_id: str) -> Sequence[Segment]:
        return sorted(self._segments.get(video_id, []), key=lambda s: (s.start, s.end))


def check(
    saved: Saved,
    embedder: Embedder,
    transcripts: Transcripts | None = None,
    verifier: Verifier | None = None,
) -> Verification:
    """Every citation and sentence of `saved` against `transcripts`, or, None, its own evidence.

    `verifier` None: the first level. Cost: embeddings of sentences and quotes. Raises
    `UsageError` where there is neither.
    """
    against: Literal["library", "file"] = "library" if transcripts else "file"
    if transcripts is None:
        if not saved.has_evidence:
            raise UsageError(
                "the file carries no evidence of its own: it takes the library to check it",
                "footnote verify FILE --library DIR",
            )
        transcripts = FileEvidence(saved)
    text = TextVerifier(embedder)
    found = [_found(citation, transcripts, against) for citation in saved.citations]
    sentences, verdicts = _judged_again(saved, found, verifier or text, text)
    citations = tuple(
        CheckedCitation(
            f.citation.marker,
            f.citation.video_id,
            f.citation.start,
            f.citation.end,
            f.citation.verdict,
            verdict,
            (*f.faults, *_overrated(f.citation.verdict, verdict)),
        )
        for f, verdict in zip(found, verdicts, strict=True)
    )
    faults = [*_shown_faults(saved)]
    if against == "library":
        faults += _evidence_faults(saved, transcripts)
    ok = not faults and not any(s.worse for s in sentences) and not any(c.faults for c in citations)
    notes = _notes(saved, embedder.name, (verifier or text).name)
    return Verification(saved.subject, against, ok, sentences, citations, tuple(faults), notes)


def _notes(saved: Saved, embedding: str, verifier: str) -> tuple[str, ...]:
    notes = []
    if not saved.sentences:
        notes.append("it has no cited sentence: there is nothing to check")
    for was, now in ((saved.embedding, embedding), (saved.verifier, verifier)):
        if was and was != now:
            notes.append(f"its verdicts were given with {was}, not with {now}")
    return tuple(notes)


def _overrated(was: Verdict, now: Verdict) -> tuple[str, ...]:
    return (f"it is {now}, not {was}",) if WEIGHT[now] < WEIGHT[was] else ()


def _shown_faults(saved: Saved) -> list[str]:
    """What is shown must be the sentences that are checked, with their markers."""
    if saved.written is None or not saved.sentences:
        return []
    told = written(saved.sentences, "short")  # a struck sentence with its label
    same = words(told.replace("][", "] [")) == words(saved.written.replace("][", "] ["))
    return [] if same else ["the answer's text is not that of its sentences"]


def _evidence_faults(saved: Saved, transcripts: Transcripts) -> list[str]:
    """Stored text that the file carries and the library does not have, and videos unlike it."""
    faults: list[str] = []
    stored: dict[str, set[tuple[str, float, float, str]]] = {}
    for known in saved.videos:
        try:
            video = transcripts.video(known.video_id)
        except VideoNotFound:
            continue  # its citations say so
        stored[known.video_id] = {_stamp(s) for s in transcripts.segments(known.video_id)}
        if known.sha256 and video.sha256 and known.sha256 != video.sha256:
            faults.append(f"{known.video_id}: the video's file is another one than in the library")
        if (known.title, known.date) != (video.title, video.date):
            faults.append(f"{known.video_id}: its title or date is another one in the library")
    strange = [t for t in saved.evidence if _stamp(t.segment) not in stored.get(t.video_id, set())]
    if strange:
        first = strange[0]
        where = f"{first.video_id} at {clock(first.segment.start)}"
        faults.append(f"{len(strange)} texts of its evidence are not in the library: {where}")
    return faults


def _stamp(segment: Segment) -> tuple[str, float, float, str]:
    return segment.source, round(segment.start, 3), round(segment.end, 3), segment.text


# ---------------------------------------------------------------- citations


@dataclass(frozen=True, slots=True)
class _Found:
    """A citation, the stored words that it quotes (None: they are not there), and its faults."""

    citation: Citation
    evidence: Evidence | None
    faults: tuple[str, ...]


def _found(citation: Citation, transcripts: Transcripts, against: str) -> _Found:
    holder = "the library" if against == "library" else "the file's evidence"
    try:
        video = transcripts.video(citation.video_id)
        segments = transcripts.segments(citation.video_id)
    except VideoNotFound:
        return _Found(citation, None, (f"there is no such video in {holder}",))
    statement = _quoted_at(citation, segments)
    if statement is None:
        return _Found(citation, None, (f"the quote is not what {holder} has of the video",))
    faults = [
        *_time_faults(citation, statement, clip(statement, video, segments)),
        *_name_faults(citation, video),
        *_link_faults(citation, replace(video, path="")),
    ]
    return _Found(citation, Evidence(citation.marker, video, statement, 0), tuple(faults))


def _quoted_at(citation: Citation, segments: Sequence[Segment]) -> Statement | None:
    """The stored words that the citation quotes; of several places the one nearest to its time."""
    if not citation.quote.strip():
        return None
    places: list[Statement] = []
    streams: dict[str, list[Segment]] = {}
    for segment in segments:
        if segment.source == citation.source and not segment.invented:
            streams.setdefault(segment.language, []).append(segment)
    for run in streams.values():
        joined, at = " ".join(segment.text for segment in run), -1
        while (at := joined.find(citation.quote, at + 1)) >= 0:
            place = cut(citation.video_id, run, at, at + len(citation.quote))
            places += [place] if place is not None else []
    return min(places, key=lambda place: abs(place.start - citation.start), default=None)


def _time_faults(
    citation: Citation, statement: Statement, opened: tuple[float, float]
) -> list[str]:
    """It has all the words, and no more around them than a citation of them opens with."""
    begins = opened[0] - TIME_TOLERANCE <= citation.start <= statement.start + TIME_TOLERANCE
    ends = statement.end - TIME_TOLERANCE <= citation.end <= opened[1] + TIME_TOLERANCE
    if begins and ends:
        return []
    there = f"{clock(statement.start)} to {clock(statement.end)}"
    return [f"it is at {there}, not at {clock(citation.start)} to {clock(citation.end)}"]


def _name_faults(citation: Citation, video: Video) -> list[str]:
    faults = []
    if citation.title != video.title:
        faults.append(f"the video is called {as_shown(video.title)!r}")
    if citation.date and citation.date != video.date:
        faults.append(f"the video is dated {as_shown(video.date) or 'nowhere'}")
    return faults


def _link_faults(citation: Citation, video: Video) -> list[str]:
    """A file may have moved since; a web address may not, and neither may the time it opens."""
    if not citation.link:
        return []
    try:
        parts = urlsplit(citation.link)
    except ValueError:
        return ["its link cannot be read"]
    if parts.scheme == "file":
        opened = parse_qs(parts.fragment).get("t", [""])[0]
        return [] if _is_near(opened, citation.start) else ["its link opens another time"]
    same = citation.link == link(video, citation.start)
    return [] if same else ["its link does not open the video there"]


def _is_near(opened: str, start: float) -> bool:
    try:
        return abs(float(opened) - start) <= 1.0
    except ValueError:
        return False


# ---------------------------------------------------------------- verdicts


def _judged_again(
    saved: Saved, found: Sequence[_Found], verifier: Verifier, text: TextVerifier
) -> tuple[tuple[CheckedSentence, ...], list[Verdict]]:
    """The sentences with their verdicts now, and the verdict of each citation of `found`."""
    by_marker = {f.citation.marker: f.evidence for f in found}
    cited = [
        [e for marker in s.citations if (e := by_marker[marker]) is not None]
        for s in saved.sentences
    ]
    claims = [(s.text, items) for s, items in zip(saved.sentences, cited, strict=True)]
    whole = judged(claims, verifier)
    sentences = tuple(
        CheckedSentence(s.text, s.citations, s.verdict, now, WEIGHT[now] < WEIGHT[s.verdict])
        for s, now in zip(saved.sentences, whole, strict=True)
    )
    weakest = _weakest(claims, whole, text)
    return sentences, [
        weakest.get(f.citation.marker, f.citation.verdict if f.evidence else "unsupported")
        for f in found
    ]


def _weakest(
    claims: Sequence[Claim], whole: Sequence[Verdict], text: TextVerifier
) -> dict[int, Verdict]:
    """By marker the weakest verdict that a citation has in any sentence, by the rule of `settle`:
    of several, one that has only a part of what they carry together carries it partly, and where
    none has all of a part, each counts as all together."""
    alone = [
        (_own_words(claim, items) if claim != as_quote(item) else claim, [item])
        for claim, items in claims
        if len(items) > 1
        for item in items
    ]
    single = iter(judged(alone, text))
    weakest: dict[int, Verdict] = {}
    for (_, items), together in zip(claims, whole, strict=True):
        each = [together] if len(items) == 1 else [next(single) for _ in items]
        carries_any = any(WEIGHT[own] > 0 for own in each)
        for item, alone_verdict in zip(items, each, strict=True):
            own = alone_verdict
            if WEIGHT[own] == 0:
                own = min(together, "partly", key=_weight) if carries_any else together
            weakest[item.number] = min(weakest.get(item.number, own), own, key=_weight)
    return weakest


def _own_words(claim: str, items: Sequence[Evidence]) -> str:
    """What a quotation of one of them says: nobody else says it to the letter."""
    return claim.strip("“”") if claim in map(as_quote, items) else claim


def _weight(verdict: Verdict) -> float:
    return WEIGHT[verdict]


def judged(claims: Sequence[Claim], verifier: Verifier) -> list[Verdict]:
    """The verdict of each (claim, cited statements), whatever the order of these.

    A quotation of one of them, word for word, is supported. Cost: one call of `verifier`.
    """
    ordered = [(claim, sorted(items, key=_place)) for claim, items in claims]
    quotes = [claim in (as_quote(item) for item in items) for claim, items in ordered]
    asked = [pair for pair, is_quote in zip(ordered, quotes, strict=True) if not is_quote]
    said = iter(verifier.judge(asked) if asked else [])
    return ["supported" if is_quote else next(said).verdict for is_quote in quotes]


def _place(item: Evidence) -> tuple[str, float, float, str]:
    statement = item.statement
    return item.video.video_id, statement.start, statement.end, statement.text
