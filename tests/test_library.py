"""The facade from Python: search and ask with a language model, expansions, LlamaIndex parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import Library
from pipeline.errors import EmbeddingMismatch, LibraryNotFound, ModelUnavailable, UsageError
from pipeline.models.language import ScriptedModel
from pipeline.settings import Settings
from pipeline.types import Filters
from tests.command import write_rows

OWL = {"start": 2, "end": 6, "text": "The owl hunts voles at night."}
BOAT = {"start": 40, "end": 45, "text": "The ferry leaves the harbour at noon."}


def settings(folder: Path, **more: object) -> Settings:
    values = {"embedding_model": "fake:64", "profile": "embedded", **more}
    return Settings.model_validate({"library": folder / "library", **values})


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(settings=settings(tmp_path)) as opened:
        opened.import_rows(write_rows(tmp_path / "rows.jsonl", OWL, BOAT))
        yield opened


def asking(prompt: str, system: str) -> str:
    """A model that writes a passage when asked for one, and else an answer with a made-up mark."""
    if "[1]" in prompt:
        return "The owl hunts voles at night [1]. It sleeps by day [7]."
    return "1. An owl that hunts voles is out at night.\n2. Owls hunt after dark."


def test_a_language_model_expands_and_answers(library: Library, tmp_path: Path) -> None:
    model = ScriptedModel(asking, "fake:asking")
    with Library(settings=settings(tmp_path), language_model=model) as asked:
        answer = asked.ask("When does the owl hunt?")
        prompts = len(model.prompts)
        assert asked.ask("When does the owl hunt?").answer == answer.answer
        assert len(model.prompts) == prompts + 1, "the expansion is kept, the answer is made anew"
    assert "owl hunts voles at night" in answer.answer
    assert "[7]" not in answer.answer
    (citation,) = answer.citations
    assert (citation.video_id, citation.start, citation.end) == ("talk", 2, 6)
    assert citation.quote == OWL["text"]
    assert answer.usage["language_calls"] >= 1
    assert "words_expanded" in answer.moments[0].why or len(answer.moments[0].why) > 3


def test_grounded_expansion_sees_what_the_question_alone_finds(
    library: Library, tmp_path: Path
) -> None:
    model = ScriptedModel(["1. Owls hunt after dark."], "fake:owl")
    with Library(settings=settings(tmp_path, expansion="grounded"), language_model=model) as asked:
        asked.search("When does the owl hunt?")
        asked.search("When does the owl hunt?")
    ((prompt, _),) = model.prompts
    assert "(speech) The owl hunts voles at night." in prompt


def test_without_expansion_a_search_asks_no_model(library: Library, tmp_path: Path) -> None:
    model = ScriptedModel([], "fake:silent")
    for choice in ({"expansion": "none"}, {"expansion_passages": 0}):
        with Library(settings=settings(tmp_path, **choice), language_model=model) as asked:
            assert asked.search("owl").moments[0].start == 2
    assert model.prompts == []


def test_a_translated_question_finds_what_was_said_in_another_language(
    library: Library, tmp_path: Path
) -> None:
    german = {"start": 0, "end": 9, "video_id": "de", "language": "de"}
    library.import_rows(
        write_rows(tmp_path / "de.jsonl", german | {"text": "Die Eule jagt in der Nacht Mäuse."})
    )
    question = "What is the bird of prey with a flat face eating?"
    assert library.search(question).moments[0].video_id != "de"

    def bilingual(prompt: str, system: str) -> str:
        return '{"de": "Welche Mäuse jagt die Eule?"}' if "Translate" in prompt else "1. Prey."

    model = ScriptedModel(bilingual, "fake:bilingual")
    with Library(settings=settings(tmp_path), language_model=model) as asked:
        found = asked.search(question)
    assert found.moments[0].video_id == "de"
    assert found.moments[0].why["words_question"] > 0


def test_given_passages_need_no_model(library: Library) -> None:
    found = library.search("bird", hypothetical=["An owl hunts voles at night."], k=1)
    assert found.moments[0].start == 2


def test_a_model_that_fails_to_expand_is_said_and_search_goes_on(
    library: Library, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def down(prompt: str, system: str) -> str:
        raise ModelUnavailable("the endpoint is down")

    with Library(
        settings=settings(tmp_path), language_model=ScriptedModel(down, "fake:x")
    ) as asked:
        assert asked.search("owl").moments[0].start == 2
        assert "the endpoint is down" in caplog.text
        with pytest.raises(ModelUnavailable):
            asked.ask("owl?")


def test_what_cannot_be_asked_says_why(library: Library, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        library.search("\n ")
    with pytest.raises(LibraryNotFound):
        Library(tmp_path / "nowhere", create=False)
    with (
        Library(settings=settings(tmp_path, embedding_model="fake:32")) as other,
        pytest.raises(EmbeddingMismatch, match="fake:64"),
    ):
        other.search("owl")
    library.remove(["talk"])
    with pytest.raises(LibraryNotFound, match="empty"):
        library.search("owl")


def test_the_same_query_twice_gives_the_same_list(library: Library) -> None:
    first, second = library.search("the owl and the ferry"), library.search("the owl and the ferry")
    assert first.moments == second.moments


def test_another_process_writes_and_this_one_sees_it(library: Library, tmp_path: Path) -> None:
    assert library.search("badger").moments[0].text != "A badger digs."
    with Library(settings=settings(tmp_path)) as writer:
        row = {"video_id": "film", "start": 0, "end": 3, "text": "A badger digs."}
        writer.import_rows(write_rows(tmp_path / "more.jsonl", row))
    assert library.search("badger").moments[0].text == "A badger digs."


def test_llama_index_retrieves_moments_and_cites(library: Library, tmp_path: Path) -> None:
    nodes = library.as_retriever(k=1).retrieve("when does the owl hunt")
    assert nodes[0].text == OWL["text"]
    assert (nodes[0].metadata["video_id"], nodes[0].metadata["start"]) == ("talk", 2)
    model = ScriptedModel(asking, "fake:asking")
    with Library(settings=settings(tmp_path), language_model=model) as asked:
        response = asked.as_query_engine().query("When does the owl hunt voles?")
    assert "[1]" in str(response)
    (source,) = response.source_nodes
    assert (source.node.metadata["start"], source.text) == (2, OWL["text"])


def test_filters_see_what_another_process_learnt_of_a_video(
    library: Library, tmp_path: Path
) -> None:
    def found(filters: Filters) -> int:
        return len(library.search("owl", filters=filters).moments)

    assert found(Filters(folder="/new")) == found(Filters(after="2024")) == 0
    with Library(settings=settings(tmp_path)) as other:
        moved = {**OWL, "path": "/new/talk.mp4", "date": "2024-05-01"}
        other.import_rows(write_rows(tmp_path / "moved.jsonl", moved))
    assert found(Filters(folder="/new")) == found(Filters(after="2024")) == 1
    assert found(Filters(folder="/old")) == found(Filters(before="2024")) == 0
