"""What is exported: an answer or a video in one of the formats, as bytes or as a file.

    otio edl fcpxml   for editing programs
    vtt srt           subtitles          chapters   for a description on YouTube
    csv               for spreadsheets   html       a page that stands alone
    reel              a film of what an answer cites

Times of a video are on its own clock; vtt, srt and chapters of an answer are on that of its reel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.answer.cite import link
from pipeline.answer.evidence import clock
from pipeline.answer.saved import Saved, load_saved, read_saved
from pipeline.errors import UsageError
from pipeline.export import reel
from pipeline.export.chapter_list import youtube_chapters
from pipeline.export.cited import Claim, as_saved, claims_of, pieces_of, videos_of
from pipeline.export.edl import edl
from pipeline.export.fcpxml import fcpxml
from pipeline.export.formats import Export, Format, as_export
from pipeline.export.otio import otio_json
from pipeline.export.page import answer_page, video_page
from pipeline.export.stock import Stock
from pipeline.export.subtitles import Cue, cues_of, subrip, webvtt
from pipeline.export.table import citations_table, segments_table
from pipeline.export.timeline import Timeline, timeline_of, timeline_of_video, without_folders
from pipeline.ingest.underneath import summary_of
from pipeline.types import (
    CITABLE,
    FROM_FILE,
    Answer,
    Citation,
    Metadata,
    Segment,
    Source,
    TitledSpan,
    Video,
)

_TIMELINES = {"otio": otio_json, "edl": edl, "fcpxml": fcpxml}


# ---------------------------------------------------------------- an answer


def read_answer(answer: Answer | Mapping[str, Any] | str | Path) -> Saved:
    """An answer, or what `ask --json` or `report --json` wrote. Raises `UsageError`."""
    if isinstance(answer, Answer):
        return as_saved(answer)
    return read_saved(answer) if isinstance(answer, Mapping) else load_saved(Path(answer))


def export_answer(saved: Saved, form: Format, stock: Stock) -> Export:
    """An answer in a format of text; reels are made by `reel`.

    Raises `UsageError` where the answer cites nothing that the format could show.
    """
    claims = claims_of(saved)
    videos = videos_of(claims, stock.archive)
    linked = {video_id: stock.linked(video) for video_id, video in videos.items()}
    notes: tuple[str, ...] = ()
    if form == "csv":
        text = citations_table(saved, {c.marker: _link(c, linked) for c in saved.citations})
    elif form == "html":
        text = answer_page(saved, linked, stock.picture_at)
    elif form in _TIMELINES:
        _check_cited(claims)
        timeline = timeline_of(saved.subject, pieces_of(claims, videos), stock.footage)
        text = _written(timeline, form, stock)
        notes = (*timeline.notes, *stock.missing(videos.values()))
    else:
        text, notes = _of_reel(saved, form, stock)
    return as_export(form, saved.subject, text, notes)


def _of_reel(saved: Saved, form: Format, stock: Stock) -> tuple[str, tuple[str, ...]]:
    """Subtitles or chapters of the reel of an answer, which need not be made."""
    plan = plan_of(saved, stock)
    if form == "chapters":
        chapters = reel.chapters_of(plan.scenes, plan.look)
        return youtube_chapters(chapters, chapters[-1].end), plan.notes
    cues = reel.cues_on_reel(plan.scenes, plan.look)
    return (webvtt(cues) if form == "vtt" else subrip(cues)), plan.notes


def plan_of(saved: Saved, stock: Stock) -> reel.ReelPlan:
    """The plan of an answer's reel. Raises `UsageError` where it has nothing to show."""
    claims = claims_of(saved)
    _check_cited(claims)
    videos = videos_of(claims, stock.archive)

    def cues(video_id: str) -> list[Cue]:
        known = stock.archive.has_video(video_id)
        return cues_of(_chosen(stock.archive.segments(video_id) if known else (), ("speech",)))

    return reel.plan_reel(saved.subject, claims, videos, stock.footage, cues, stock.font)


def _written(timeline: Timeline, form: Format, stock: Stock) -> str:
    return _TIMELINES[form](timeline if stock.folders else without_folders(timeline))


def _check_cited(claims: Sequence[Claim]) -> None:
    if not claims:
        raise UsageError("the answer cites nothing", "--format html or csv shows what it says")


def _link(citation: Citation, videos: Mapping[str, Video]) -> str:
    """Made anew: what a saved answer says may be anything."""
    video = videos.get(citation.video_id)
    return link(video, citation.start) if video else ""


# ---------------------------------------------------------------- a video


def export_video(
    video_id: str,
    form: Format,
    stock: Stock,
    sources: Sequence[Source] = (),
    known: Metadata | None = None,
) -> Export:
    """A video in a format of text. `sources` restrict what vtt, srt, csv and html tell: speech, or
    what was perceived, where there are none; `known` is for html. Raises `UsageError` where there
    is nothing to tell.
    """
    video, segments = stock.archive.video(video_id), stock.archive.segments(video_id)
    chapters = [
        TitledSpan(s.start, s.end, s.text, FROM_FILE in s.flags)
        for s in segments
        if s.source == "chapter"
    ]
    notes: tuple[str, ...] = ()
    if form == "reel":
        raise UsageError(
            "a reel is made of an answer", "footnote export --answer A.json --format reel"
        )
    if form in ("vtt", "srt"):
        cues = cues_of(_chosen(segments, sources or ("speech",)))
        if not cues:
            raise UsageError(f"{video_id} has no speech to show", "--source screen, or caption")
        text = webvtt(cues, video.language) if form == "vtt" else subrip(cues)
    elif form == "csv":
        numbered = list(enumerate(segments, 1))
        text = segments_table([(n, s) for n, s in numbered if not sources or s.source in sources])
    elif form == "chapters":
        text = youtube_chapters(chapters, video.duration)
    elif form == "html":
        shown = _chosen(segments, sources or tuple(CITABLE))
        facts = _facts(video, known)
        summary = summary_of(segments)
        text = video_page(stock.linked(video), facts, summary, chapters, shown, stock.picture_at)
    else:
        timeline = timeline_of_video(video, chapters, stock.footage)
        text, notes = _written(timeline, form, stock), (*timeline.notes, *stock.missing([video]))
    return as_export(form, video.title or video_id, text, notes)


def _chosen(segments: Sequence[Segment], sources: Sequence[Source]) -> list[Segment]:
    return [s for s in segments if s.source in sources and not s.invented]


def _facts(video: Video, known: Metadata | None) -> dict[str, str]:
    facts = {"Date": video.date[:10], "Length": clock(video.duration) if video.duration else ""}
    if known:
        facts |= {"With": ", ".join(known.people), "Place": known.place}
        facts |= {"Tags": ", ".join(known.tags)}
    return facts


# ---------------------------------------------------------------- a reel


def export_reel(
    saved: Saved,
    stock: Stock,
    target: Path,
    subtitles: reel.Subtitles,
    progress: Callable[[int, int], None] | None = None,
) -> Export:
    """Make the reel of an answer at `target`; "sidecar" writes its subtitles beside it, as .vtt.

    Raises as `reel.make_reel` does.
    """
    made = reel.make_reel(
        plan_of(saved, stock), target, stock.media, burn=subtitles == "burned", progress=progress
    )
    notes = [f"{made.clips} clips, {clock(made.seconds)}", *made.notes]
    if subtitles == "sidecar":
        beside = target.with_suffix(".vtt")
        beside.write_text(webvtt(made.cues), encoding="utf-8")
        notes.append(f"subtitles in {beside.name}")
    return as_export("reel", saved.subject, target, notes)
