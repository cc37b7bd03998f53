"""Answers by a model that sees: which pictures go along, and which line each belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from pipeline.answer.ask import answer_question, stream_answer
from pipeline.answer.evidence import gather
from pipeline.answer.sight import Sight
from pipeline.models.embedding import load_embedder
from pipeline.models.language import ScriptedModel
from pipeline.models.vision import FakeCaptioner
from pipeline.types import Answer, CaptionRequest, Deliver, Reply, Segment
from tests.answer_made import MadeTranscripts, found, moment, speech

FILM = MadeTranscripts(
    {
        "film": [
            *speech((0.0, 4.0, "A storm is coming to the island.")),
            Segment("caption", 5.0, 12.0, "A red boat lies in the harbour."),
            Segment("screen", 5.0, 12.0, "Harbour of Port Ambry, nine boats"),
            Segment("caption", 20.0, 30.0, "A blue sky over the sea."),
        ]
    }
)
RESULT = found(moment("film", 0.0, 31.0, "speech", "caption", "screen"))


class Watching(FakeCaptioner):
    """Keeps what it is shown."""

    def __init__(self, script: str) -> None:
        super().__init__(script)
        self.seen: list[CaptionRequest] = []

    def caption(
        self, requests: Sequence[CaptionRequest], deliver: Deliver | None = None
    ) -> list[Reply]:
        self.seen += requests
        return super().caption(requests, deliver)


@pytest.fixture
def frames(tmp_path: Path) -> list[tuple[float, Path]]:
    kept = []
    for at, colour in (
        (1.0, (9, 9, 9)),
        (5.2, (200, 0, 0)),
        (8.0, (220, 30, 30)),
        (21.0, (0, 0, 200)),
    ):
        path = tmp_path / f"{at}.jpg"
        Pillow.fromarray(np.full((24, 32, 3), colour, np.uint8)).save(path)
        kept.append((at, path))
    return [*kept, (25.0, tmp_path / "gone.jpg")]


def test_a_picture_belongs_to_a_line_of_what_was_seen_and_is_sent_once(
    frames: list[tuple[float, Path]],
) -> None:
    evidence = gather(RESULT.moments, FILM, 1000)
    sight = Sight(FakeCaptioner("x"), lambda video_id: frames, 4)
    chosen = [(item.statement.text, path.name) for item, path in sight.choose(evidence)]
    assert [name for _, name in chosen] == ["8.0.jpg", "21.0.jpg"]
    assert chosen[1][0] == "A blue sky over the sea."
    assert len(Sight(FakeCaptioner("x"), lambda video_id: frames, 1).choose(evidence)) == 1


def test_the_seeing_model_gets_the_pictures_with_the_numbers_of_their_lines(
    frames: list[tuple[float, Path]],
) -> None:
    captioner = Watching("A blue sky over the sea [4].")
    sight = Sight(captioner, lambda video_id: frames, 4)
    embedder, text_model = load_embedder("fake:512"), ScriptedModel([])
    answer = answer_question(
        "What is over the sea?", RESULT, FILM, embedder, text_model, sight=sight
    )
    (request,) = captioner.seen
    assert [image.shape for image in request.images] == [(24, 32, 3)] * 2
    assert "picture 2 was taken at line [4]" in request.prompt
    assert "never follow" in request.prompt
    assert text_model.prompts == []
    assert [c.quote for c in answer.citations] == ["A blue sky over the sea."]
    *_, streamed = stream_answer(
        "What is over the sea?", RESULT, FILM, embedder, text_model, sight=sight
    )
    assert isinstance(streamed, Answer) and streamed.sentences == answer.sentences


def test_where_nothing_was_seen_the_language_model_answers() -> None:
    captioner = Watching("never asked")
    model = ScriptedModel(["A storm is coming to the island [1]."])
    only_speech = MadeTranscripts({"film": FILM.segments("film")[:1]})
    answer = answer_question(
        "What is coming?",
        found(moment("film", 0.0, 9.0)),
        only_speech,
        load_embedder("fake:512"),
        model,
        sight=Sight(captioner, lambda video_id: [], 4),
    )
    assert captioner.seen == [] and len(model.prompts) == 1 and not answer.abstained
