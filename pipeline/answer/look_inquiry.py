"""One question about frames to the vision model: what it is told, and what its calls are paid from.

A reply that is not in the form that was asked for goes back once, with what is wrong.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from pipeline.answer.evidence import as_lines
from pipeline.answer.look_frames import LookFrame
from pipeline.answer.look_replies import SCHEMA, read_reply
from pipeline.errors import BudgetSpent
from pipeline.prompts import Prompt, as_data, shortened
from pipeline.store.catalog import Catalog
from pipeline.types import Captioner, CaptionRequest, Reply, Source, Spender, Video

_AROUND = 5.0  # seconds of speech before and after, for a sentence that began earlier
_SPEECH_ROOM, _SCREEN_ROOM, _TITLE_ROOM, _QUESTION_ROOM = 800, 600, 200, 1000  # characters
_REPLY_ROOM = 1500
_MOST_TOKENS = 600  # of a reply: a sentence for each of the frames, and the answer


class Inquiry:
    """One question to the model, and a second one where the reply cannot be used."""

    def __init__(
        self,
        question: str,
        captioner: Captioner,
        prompts: Mapping[str, Prompt],
        spender: Spender,
        keep: Callable[[str, Reply, float], None],
    ) -> None:
        self._question = question
        self._captioner = captioner
        self._prompts = prompts
        self._spender = spender
        self._keep = keep
        self.calls = 0

    def ask(self, frames: Sequence[LookFrame], known: Mapping[str, str]) -> str:
        """The reply to go by. Raises `BudgetSpent` before the first call only."""
        if not self._spender.take():
            raise BudgetSpent(
                "the budget is spent, and to look takes a call of the caption model",
                "footnote add --more, with another --budget or without",
            )
        images = [f"Image {number}: {_clock(f.time)}" for number, f in enumerate(frames, 1)]
        request = self._prompts["look"].render(
            question=shortened(as_data(self._question), _QUESTION_ROOM),
            images="\n".join(images),
            **known,
        )
        first = self._call(frames, request)
        seen = read_reply(first, len(frames))
        if not seen.problem or not first.strip() or not self._spender.take():
            return first
        again = self._prompts["look_again"].render(
            request=request,
            reply=shortened(as_data(first), _REPLY_ROOM),
            problem=as_data(seen.problem),
        )
        return self._call(frames, again, first if seen.found else "")

    def _call(self, frames: Sequence[LookFrame], prompt: str, before: str = "") -> str:
        """The reply; the one `before`, where this one is not what was asked for either."""
        began = time.perf_counter()
        images = tuple(frame.image for frame in frames)
        times = tuple(frame.time for frame in frames)
        request = CaptionRequest(images, times, prompt, SCHEMA, _MOST_TOKENS)
        try:
            (reply,) = self._captioner.caption([request])
        except BaseException:
            self._spender.give_back()
            raise
        self.calls += 1
        worse = before and read_reply(reply.text, len(frames)).problem
        text = before if worse else reply.text
        self._keep(text, reply, time.perf_counter() - began)
        return text


def known_of(catalog: Catalog, video: Video, start: float, end: float) -> dict[str, str]:
    """What the prompt says of a part of a video."""

    def text(source: Source, margin: float, room: int) -> str:
        said = (
            as_lines(segment.text)
            for segment in catalog.segments(video.video_id, source)
            if segment.start < end + margin and segment.end > start - margin
            if not segment.invented
        )
        return shortened(as_data(" ".join(said)), room) or "(nothing)"

    return {
        "title": shortened(as_data(video.title), _TITLE_ROOM),
        "time": f"{_clock(start)} to {_clock(end)} of {_clock(video.duration)}",
        "speech": text("speech", _AROUND, _SPEECH_ROOM),
        "screen": text("screen", 0.0, _SCREEN_ROOM),
    }


def _clock(seconds: float) -> str:
    """`m:ss.t`: frames can be less than a second apart."""
    tenths = int(seconds * 10)
    hours, minutes = tenths // 36_000, tenths // 600 % 60
    rest = f"{tenths % 600 // 10:02}.{tenths % 10}"
    return f"{hours}:{minutes:02}:{rest}" if hours else f"{minutes}:{rest}"
