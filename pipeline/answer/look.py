"""Question-time seeing: the frames of a moment go to the vision model with the question.

Captions are made before anybody asks, and cannot say what nobody thought of asking. DrVideo (Ma et
al. 2024, "Document Retrieval Based Long Video Understanding") goes back to the frames of what it
found and adds what they show to the video's text; VideoRAG (Ren et al. 2025) captions its clips
anew in the light of the query. Here what was seen is stored as captions of the frames it was seen
in, marked with the question, so that later searches find it and answers can cite it.

The same look at the same content asks no model again.
"""

from __future__ import annotations

import json
import math
import tempfile
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from pipeline.answer.look_frames import (
    LookFrame,
    Picture,
    choose_frames,
    key_frames_suffice,
    times_to_decode,
)
from pipeline.answer.look_inquiry import Inquiry, known_of
from pipeline.answer.look_replies import Seen, affirmed, read_reply
from pipeline.errors import UsageError
from pipeline.ingest.outputs import output_key
from pipeline.prompts import Prompt, as_data
from pipeline.store.catalog import Catalog
from pipeline.store.looks import looked_segment
from pipeline.types import (
    MAX_MOMENT_SECONDS,
    Captioner,
    Look,
    Reply,
    Segment,
    Spender,
    Video,
)

PROMPTS = ("look", "look_again")
MOST_FRAMES = 16
LONGEST = MAX_MOMENT_SECONDS  # seconds that one call looks at closely
_SAID_ALREADY = 0.8  # share of an answer's words in one sight from which it says nothing more
_VERSION = "look-1"

# (path, times ascending, folder) -> (the frame's own time, image file) for each time
FramesAt = Callable[[str | Path, Sequence[float], Path], list[Picture]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked at, and for what: an interval inside the video."""

    video: Video
    start: float
    end: float
    question: str
    frames: int

    def key(self, model: str, prompts: Mapping[str, Prompt]) -> str:
        """Of the content that is looked at, what is asked, and who: not of paths or titles."""
        question = " ".join(unicodedata.normalize("NFKC", self.question).casefold().split())
        place = f"{self.start:.3f} {self.end:.3f} {self.frames}"
        texts = [prompts[name].key for name in PROMPTS]
        return output_key(_VERSION, model, self.video.sha256, place, question, *texts)


def wanted(video: Video, start: float, end: float, question: str, frames: int) -> Wanted:
    """The interval as far as it lies in the video: what reaches beyond its ends is cut off.

    Raises `UsageError` where nothing is left of it, where the video has no content that could be
    looked at or no picture, and for a number of frames that is none.
    """
    if not 1 <= frames <= MOST_FRAMES:
        raise UsageError(f"{frames} frames cannot be looked at", f"1 to {MOST_FRAMES}")
    if not video.sha256:
        what = f"{video.video_id} was imported without its file"
        raise UsageError(what, f"footnote add {video.path or 'FILE'}")
    if not video.media.get("video"):
        raise UsageError(f"{video.video_id} has no picture to look at", "footnote show")
    if not (math.isfinite(start) and math.isfinite(end) and start < end):
        raise UsageError(f"{start:g} to {end:g} s is no interval", "START before END")
    length = video.duration or end
    if end <= 0 or start >= length:
        raise UsageError(
            f"{start:g} to {end:g} s lies outside {video.video_id}, which lasts {length:.1f} s",
            f"times from 0 to {length:.1f}",
        )
    return Wanted(video, max(0.0, start), min(end, length), question, frames)


# ---------------------------------------------------------------- looking


def look_at(
    what: Wanted,
    catalog: Catalog,
    model: str,
    captioner: Callable[[], Captioner],
    frames_at: FramesAt,
    prompts: Mapping[str, Prompt],
    spender: Spender,
) -> Look:
    """Ask `model` what the frames of an interval show, and keep what it saw as looks.

    One call, two where the first reply cannot be used, none where the same was asked before. The
    looks wait until the video's captions take them in (`ingest.looks`). `captioner` is loaded, and
    frames are decoded, only where the model is asked. Raises `UsageError` where the file is not
    there or has changed, `BudgetSpent`, `ModelUnavailable`, `MediaError`.
    """
    began, video_id = time.perf_counter(), what.video.video_id
    key = what.key(model, prompts)
    kept = _from_json(catalog.get_output(key, video_id))
    took: dict[str, float] = {}
    calls = 0
    if kept is None:
        asked = captioner()
        frames = _frames(what, catalog, frames_at)
        took["frames"] = _since(began)
        asking = time.perf_counter()
        places = [(frame.time, frame.start, frame.end) for frame in frames]

        def keep(text: str, reply: Reply, seconds: float) -> None:
            with catalog.transaction():  # what is paid for is kept
                catalog.put_output(key, video_id, _to_json(places, text))
                spender.book(reply, seconds)

        inquiry = Inquiry(what.question, asked, prompts, spender, keep)
        known = known_of(catalog, what.video, what.start, what.end)
        reply = inquiry.ask(frames, known)
        took["model"] = _since(asking)
        calls = inquiry.calls
    else:
        places, reply = kept
    seen = read_reply(reply, len(places))
    segments = segments_of(seen, [(start, end) for _, start, end in places], what.question)
    catalog.put_look(video_id, what.video.sha256, key, _mark(what.question), segments)
    took["total"] = _since(began)
    return Look(
        video_id,
        what.video.title,
        what.start,
        what.end,
        what.question,
        seen.answer,
        tuple(at for at, _, _ in places),
        tuple(segments),
        seen.found,
        calls,
        kept is not None,
        took,
        _note(what, len(places)),
    )


def segments_of(
    seen: Seen, stretches: Sequence[tuple[float, float]], question: str
) -> list[Segment]:
    """What was seen as captions by time: each sight while its frame stands, and the answer over
    all of them where it says more than one of them does. None where nothing was found."""
    if not seen.found:
        return []
    mark, made = _mark(question), []
    for text, run in groupby(seen.sights, key=lambda sight: sight[1]):
        places = [place for place, _ in run]
        made.append(looked_segment(mark, stretches[places[0]][0], stretches[places[-1]][1], text))
    start = made[0].start if made else stretches[0][0]
    end = made[-1].end if made else stretches[-1][1]
    answer = affirmed(seen.answer)
    said = not answer or any(_says(segment.text, answer) for segment in made)
    # What is true of minutes points to no place in them.
    if not made or not (said or end - start > LONGEST):
        made.append(looked_segment(mark, start, end, answer))
    return sorted(made, key=lambda segment: (segment.start, segment.end))


def _says(text: str, answer: str) -> bool:
    """Whether the words of the answer are in the text."""
    there, words = _words(text), _words(answer)
    return len(words & there) >= _SAID_ALREADY * len(words)


def _words(text: str) -> set[str]:
    bare = "".join(c if c.isalnum() else " " for c in text.casefold())
    return {word for word in bare.split() if len(word) > 2 or word.isdigit()}


def _mark(question: str) -> str:
    return as_data(question)


def _note(what: Wanted, frames: int) -> str:
    seconds = what.end - what.start
    if seconds <= LONGEST:
        return ""
    shown = f"{frames} frame{'s' * (frames != 1)}"
    return f"the interval lasts {seconds:.0f} s: {shown} of it, and nothing between them, was seen"


# ---------------------------------------------------------------- frames


def _frames(what: Wanted, catalog: Catalog, frames_at: FramesAt) -> list[LookFrame]:
    """Key frames of the library where they show enough, else frames that are decoded now."""
    video_id = what.video.video_id
    path = _present(what.video)
    cuts = [shot.start for shot in catalog.shots(video_id)]
    stored = [
        (frame.time, catalog.folder / frame.path)
        for frame in catalog.frames(video_id)
        if what.start <= frame.time < what.end
    ]
    there = [picture for picture in stored if picture[1].exists()]
    times = [at for at, _ in there]
    if key_frames_suffice(times, what.start, what.end, what.frames, cuts):
        return choose_frames(there, what.start, what.end, what.frames, cuts)
    asked = times_to_decode(what.start, what.end, what.frames)
    with tempfile.TemporaryDirectory(prefix="footnote-") as scratch:
        found = frames_at(path, asked, Path(scratch))
        # What stands on the screen at a time may have come there before the interval began.
        decoded = [
            (own if what.start <= own < what.end else at, file)
            for at, (own, file) in zip(asked, found, strict=True)
        ]
        return choose_frames(decoded, what.start, what.end, what.frames, cuts)


def _present(video: Video) -> Path:
    """The file, if it is there and what was read. A changed one shows something else."""
    path = Path(video.path)
    if not path.exists():
        raise UsageError(f"{path} is not there any more", "footnote add its new place")
    facts = path.stat()
    if (facts.st_size, facts.st_mtime_ns) != (video.size, video.modified_ns):
        raise UsageError(f"{path} has changed since it was added", f"footnote add {path}")
    return path


# ---------------------------------------------------------------- what is kept

_Places = list[tuple[float, float, float]]  # (time, start, end) of each frame


def _to_json(places: _Places, reply: str) -> bytes:
    return json.dumps({"frames": places, "reply": reply}).encode()


def _from_json(data: bytes | None) -> tuple[_Places, str] | None:
    if data is None:
        return None
    kept = json.loads(data)
    return [(at, start, end) for at, start, end in kept["frames"]], str(kept["reply"])


def _since(began: float) -> float:
    """Milliseconds since `began`."""
    return (time.perf_counter() - began) * 1000
