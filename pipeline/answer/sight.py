"""Answers written by a model that sees: key frames go along with the lines that describe them.

VideoRAG (Jeong et al. 2025, "VideoRAG: Retrieval-Augmented Generation over Video Corpus") gives
the model the videos' frames beside their text. Here a picture belongs to a line of evidence, of
what was seen or read on the screen, and can be cited only by it: a citation goes to stored text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.answer.evidence import Evidence
from pipeline.media.image_file import read_image
from pipeline.types import Captioner, CaptionRequest, Image, Reply

_MOST_TOKENS = 1024

# video id -> (time, image file) of its stored key frames, by time
StoredFrames = Callable[[str], Sequence[tuple[float, Path]]]


@dataclass(frozen=True, slots=True)
class Sight:
    """At most `count` pictures of the evidence, and the model that looks at them."""

    captioner: Captioner
    frames: StoredFrames
    count: int

    def choose(self, evidence: Sequence[Evidence]) -> list[tuple[Evidence, Path]]:
        """Lines of what was seen with the file of a frame each, no frame twice, by line number.

        The lines of the best moments come first. Empty where nothing of the evidence was seen.
        """
        seen = [item for item in evidence if item.statement.source in ("caption", "screen")]
        chosen: dict[Path, Evidence] = {}
        for item in sorted(seen, key=lambda item: (item.rank, item.number)):
            path = self._frame(item)
            if path is not None and len(chosen) < self.count:
                chosen.setdefault(path, item)
        pairs = [(item, path) for path, item in chosen.items()]
        return sorted(pairs, key=lambda pair: pair[0].number)

    def model(self, paths: Sequence[Path]) -> SeeingModel:
        """A language model that is shown these pictures with whatever it is asked."""
        return SeeingModel(self.captioner, tuple(read_image(path) for path in paths))

    def _frame(self, item: Evidence) -> Path | None:
        """The frame nearest to the middle of the line, of those that stand while it does."""
        start, end = item.statement.start, item.statement.end
        inside = [
            (abs(time - (start + end) / 2), path)
            for time, path in self.frames(item.video.video_id)
            if start - 0.5 <= time < end and path.exists()
        ]
        return min(inside)[1] if inside else None


class SeeingModel:
    """A captioner as a `LanguageModel` that sees `images`; both prompts go into its one."""

    def __init__(self, captioner: Captioner, images: tuple[Image, ...]) -> None:
        self.name = captioner.name
        self.images = images
        self._captioner = captioner

    def complete(self, prompt: str, system: str = "") -> Reply:
        """One reply. Raises `ModelUnavailable`."""
        asked = f"{system}\n\n{prompt}".strip()
        times = tuple(float(place) for place in range(len(self.images)))
        request = CaptionRequest(self.images, times, asked, max_tokens=_MOST_TOKENS)
        return self._captioner.caption([request])[0]

    def stream(self, prompt: str, system: str = "") -> Iterator[str | Reply]:
        """The reply in one piece, and again with its tokens."""
        reply = self.complete(prompt, system)
        yield reply.text
        yield reply
