"""A clip: a stretch of a video as a file of its own.

Copied where it can be: that takes no time and loses nothing, see `copying`. Written anew (`exact`)
it begins and ends at the frame. What cannot be copied (a codec that the container does not take, no
key frame, damage) is written anew too, and the result says why.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain
from pathlib import Path

from pipeline.errors import FootnoteError, MediaError, NoRoom, UsageError
from pipeline.media.audio import choose_track
from pipeline.media.canvas import Canvas
from pipeline.media.container import open_media
from pipeline.media.copying import CannotCopy, copy, problem_of
from pipeline.media.film import Film, SoundForm, container_for
from pipeline.media.footage import Pictures, Samples, footage_of, sound_between

_USUAL_RATE = Fraction(25)
_HEAD_START = 0.5  # seconds that sound is written ahead of the pictures


@dataclass(frozen=True, slots=True)
class Cut:
    """What was written. A player shows the video from `begins` to `ends` seconds of it.

    `stored_from` is where the data begins: before `begins` where an edit list hides the rest.
    `note` says why it was not copied, or what else is not as asked for.
    """

    copied: bool
    begins: float
    ends: float
    stored_from: float
    video_codec: str
    sound_codec: str
    bytes: int
    note: str = ""


def cut(
    path: str | Path,
    start: float,
    end: float,
    target: str | Path,
    *,
    exact: bool = False,
    title: str = "",
) -> Cut:
    """Write `start` to `end` seconds of a file to `target`, whole or not at all.

    The container follows from the name of `target`. `exact` decodes and encodes; otherwise that is
    only done where a copy cannot be. Sound is the track that a viewer hears. Raises `UsageError`
    for a container that is not written and an interval outside the file, `MediaError`.
    """
    target = Path(target)
    container_for(target)
    draft = target.with_name(f".{target.stem}.{os.getpid()}{target.suffix}")
    try:
        done = _cut(path, start, end, draft, exact, title)
        done = replace(done, bytes=draft.stat().st_size)
        draft.replace(target)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoRoom(f"the disk is full: {target}", "make room, and do it again") from error
        raise
    finally:
        draft.unlink(missing_ok=True)
    return done


def _cut(path: str | Path, start: float, end: float, draft: Path, exact: bool, title: str) -> Cut:
    if exact:
        return encode(path, start, end, draft, title)
    try:
        done = copy(path, start, end, draft, title)
        if problem := problem_of(draft):
            raise CannotCopy(problem)
    except CannotCopy as reason:
        note = f"not copied: {reason}" if str(reason) else ""
        return replace(encode(path, start, end, draft, title), note=note)
    return Cut(True, done.begins, done.ends, done.stored_from, *done.codecs, 0)


# ---------------------------------------------------------------- writing anew


def encode(path: str | Path, start: float, end: float, target: Path, title: str) -> Cut:
    """Decoded and encoded: it begins with what stands on the screen at `start`, upright, with
    square pixels, and every picture keeps the time that it had. Memory does not grow with length.
    """
    form, sound = container_for(target), _sound_form(path)
    pictures = iter(Pictures(path, start, end)) if form.video else iter(())
    first = next(pictures, None)
    if first is None and sound is None:
        raise _nothing(path, target, decodes=bool(form.video))
    canvas = Canvas(path, first[1]) if first else None
    with Film(
        target,
        canvas.size if canvas else None,
        footage_of(path).rate or _USUAL_RATE,
        sound,
        title=title,
        like=first[1] if first else None,
    ) as film:
        sounds = _sounds(path, start, end, film.sound_form)
        heard = 0.0
        if first and canvas:
            for time, frame in chain([first], pictures):
                at = max(0.0, time - start)
                heard = _hear(film, sounds, heard, at + _HEAD_START)
                film.picture(at, canvas.planes(frame))
        _hear(film, sounds, heard, end - start)
        film.finish(end - start)
        codecs = film.codecs
    return Cut(False, start, end, start, *codecs, 0)


def _nothing(path: str | Path, target: Path, *, decodes: bool) -> FootnoteError:
    """What is wrong where there are neither pictures nor sound to write."""
    name = Path(path).name
    if decodes:
        return MediaError(f"{name}: nothing of it can be decoded there")
    return UsageError(f"{name} has no sound for {target.suffix}", "-o clip.mp4")


def _hear(film: Film, sounds: Iterator[Samples], heard: float, until: float) -> float:
    """Give the film its sound up to `until` seconds; how far it has it then."""
    while film.sound_form and heard < until:
        part = next(sounds, None)
        if part is None:
            return until
        film.sound(part)
        heard += part.shape[1] / film.sound_form.rate
    return heard


def _sounds(
    path: str | Path, start: float, end: float, form: SoundForm | None
) -> Iterator[Samples]:
    return sound_between(path, start, end, form.rate, form.layout) if form else iter(())


def _sound_form(path: str | Path) -> SoundForm | None:
    """Rate and channels of the track that a viewer hears; more than two channels become two."""
    with open_media(path) as container:
        track = choose_track(container)
        if track is None:
            return None
        context = track.codec_context
        layout = "mono" if context.layout.nb_channels == 1 else "stereo"
        return SoundForm(context.sample_rate or 48_000, layout)
