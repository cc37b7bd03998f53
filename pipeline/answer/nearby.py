"""What an answer that abstains can still offer: what lies near, and what the library lacks.

"The library does not answer this" is worth more with its reasons. The question may be answered in
a video that nobody has transcribed yet, or in one that a filter left out: both are told, with the
command that would change it. Only what could matter for the question's filters is.
"""

from __future__ import annotations

import os
import re
import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from pipeline.answer.evidence import as_shown
from pipeline.types import Filters, Moment, Nearby, Source, StageRecord, Video

MOST_NEARBY = 3
_MOST_CHARACTERS = 200

# stage -> (the source it makes text of, None for every source; what a video without it has not)
_TELLS: Mapping[str, tuple[Source | None, str]] = {
    "speech": ("speech", "no transcript"),
    "screen": ("screen", "no text read from the screen"),
    "captions": ("caption", "no descriptions of their pictures"),
    "sounds": ("sound", "no names for their sounds"),
    "passages": (None, "no index of their text"),
}
_PROFILE = re.compile(r"--profile \w+")

# (filters) -> ids of the videos that they let through
LetThrough = Callable[[Filters], Sequence[str]]


def nearby(moments: Sequence[Moment]) -> tuple[Nearby, ...]:
    """The best moments, one of each video first; their text on one line, cut to about a line."""
    first = {moment.video_id: moment for moment in reversed(moments)}
    ordered = [m for m in moments if first[m.video_id] is m]
    ordered += [m for m in moments if first[m.video_id] is not m]
    return tuple(
        Nearby(m.video_id, m.title, m.start, m.end, as_shown(m.text)[:_MOST_CHARACTERS])
        for m in ordered[:MOST_NEARBY]
    )


def missing(
    filters: Filters,
    videos: Sequence[Video],
    stages: Mapping[str, Mapping[str, StageRecord]],
    let_through: LetThrough,
) -> tuple[str, ...]:
    """Lines that say what the library lacks of what could answer, each with what to do about it.

    `videos` are all there are, `stages` their records by video id. Empty when every video that
    the filters let through was read in every way that was meant.
    """
    kept = set(let_through(filters))
    if not kept:
        return _nothing_left(filters, videos, let_through)
    inside = [video for video in videos if video.video_id in kept]
    lines = (_unread(stage, filters, inside, stages) for stage in _TELLS)
    return tuple(line for line in lines if line)


def _unread(
    stage: str,
    filters: Filters,
    videos: Sequence[Video],
    stages: Mapping[str, Mapping[str, StageRecord]],
) -> str:
    source, lack = _TELLS[stage]
    if filters.sources and source is not None and source not in filters.sources:
        return ""
    owed = [
        (video, record)
        for video in videos
        if (record := stages.get(video.video_id, {}).get(stage)) is not None
        and record.status in ("pending", "failed")
    ]
    if not owed:
        return ""
    reason = Counter(record.reason for _, record in owed).most_common(1)[0][0]
    have = "has" if len(owed) == 1 else "have"
    count = f"{len(owed)} of {len(videos)} video{'s' * (len(videos) != 1)} {have} {lack} yet"
    return f"{count}: {_command([video for video, _ in owed], reason)}"


def _command(videos: Sequence[Video], reason: str) -> str:
    """`footnote add` of the folder that holds them, as the stage's reason advises."""
    folders = [os.path.dirname(video.path) for video in videos if video.path]
    profile = _PROFILE.search(reason)
    words = ["footnote", "add", *(profile.group().split() if profile else ())]
    if len(videos) == 1 and folders:
        return shlex.join([*words, videos[0].path])
    try:
        folder = os.path.commonpath(folders)
    except ValueError:  # no path at all, or on several drives
        return shlex.join(words) + " PATH"
    return shlex.join([*words, folder])


# ---------------------------------------------------------------- filters that leave nothing


def _nothing_left(
    filters: Filters, videos: Sequence[Video], let_through: LetThrough
) -> tuple[str, ...]:
    """Which of the filters alone leaves no video; where none does, that together they do."""
    told = []
    for name, what in _named(filters, videos).items():
        empty: str | tuple[str, ...] = "" if isinstance(getattr(filters, name), str) else ()
        others = {n: type(getattr(filters, n))() for n in _named(filters, videos) if n != name}
        if getattr(filters, name) != empty and not let_through(replace(filters, **others)):
            told.append(what)
    return tuple(told) or ("no video passes all of these filters together",)


def _named(filters: Filters, videos: Sequence[Video]) -> dict[str, str]:
    """What is said of each filter that leaves nothing."""
    dates = sorted(video.date[:10] for video in videos if video.date)
    known = f"the videos are dated {dates[0]} to {dates[-1]}" if dates else "no video has a date"
    return {
        "after": f"no video is dated {filters.after} or later: {known}",
        "before": f"no video is dated before {filters.before}: {known}",
        "folder": f"no video lies in the folder {filters.folder}",
        "people": f"no video is by or with {' or '.join(filters.people)}: footnote list",
        "tags": f"no video has the tag {' or '.join(filters.tags)}: footnote list",
        "places": f"no video is from {' or '.join(filters.places)}: footnote list",
        "videos": "no such video",
    }
