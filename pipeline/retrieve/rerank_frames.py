"""List-wise reranking by a model that sees: a window of moments is one contact sheet.

Vote-in-Context (Eltahir et al. 2025): each moment stands on the sheet under its number, and the
prompt holds its text and its rank in the list of every signal that found it, so that the model
weighs what it sees against what the retrievers say. A moment without frames is text alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from pipeline.errors import MediaError
from pipeline.media.contact_sheet import FRAMES, contact_sheet, spread
from pipeline.prompts import Prompt, as_data
from pipeline.retrieve.rerank_listwise import Candidate, Inquiry, numbered, text_room
from pipeline.types import Captioner, CaptionRequest, Image, Moment

_log = logging.getLogger(__name__)

FramesOf = Callable[[Moment], Sequence[Image]]


class FrameJudge:
    """Asks a vision model with the prompt `rerank_frames`, with at most one picture.

    `frames_of` gives the frames of a moment by time, none where it has none; one that cannot be
    read (`MediaError`) is logged, and the moment is text alone.
    """

    def __init__(
        self, model: Captioner, prompt: Prompt, frames_of: FramesOf, context_window: int = 8192
    ) -> None:
        self.name = f"vlm:{model.name}"
        self._model = model
        self._prompt = prompt
        self._frames_of = frames_of
        self._room = text_room(context_window - PICTURE_TOKENS)

    def inquiry(self, query: str, window: Sequence[Candidate]) -> Inquiry:
        cells = [
            (number, frames)
            for number, candidate in enumerate(window, 1)
            if (frames := self._frames(candidate.moment))
        ]
        pictured = {number for number, _ in cells}
        lines = numbered([candidate.moment for candidate in window], self._room)
        lines = [
            line + _notes(candidate, n in pictured)
            for n, (line, candidate) in enumerate(zip(lines, window, strict=True), 1)
        ]
        text = self._prompt.render(
            question=as_data(query), count=len(window), passages="\n".join(lines)
        )
        sheets = (contact_sheet(cells),) if cells else ()
        request = CaptionRequest(sheets, (0.0,) * len(sheets), text)
        seen = b"".join(repr(sheet.shape).encode() + sheet.tobytes() for sheet in sheets)
        return Inquiry(text, seen, lambda: self._model.caption([request])[0].text)

    def _frames(self, moment: Moment) -> Sequence[Image]:
        try:
            return spread(self._frames_of(moment), FRAMES)
        except MediaError as error:
            _log.warning("reranking without a picture of %s: %s", moment.video_id, error.message)
            return ()


# What a picture of a sheet's size takes of a model's context, on the safe side.
PICTURE_TOKENS = 1500


def _notes(candidate: Candidate, pictured: bool) -> str:
    """The moment's ranks, best first, and whether the sheet shows it."""
    ranks = sorted(candidate.ranks.items(), key=lambda item: (item[1], item[0]))
    told = ", ".join(f"{name.replace('_', ' ')} {rank}" for name, rank in ranks)
    notes = [f"ranks: {told}"] if told else []
    if not pictured:
        notes.append("not in the picture")
    return f" ({'; '.join(notes)})" if notes else ""
