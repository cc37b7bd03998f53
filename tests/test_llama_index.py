"""LlamaIndex's own engines, evaluators and indexes over the parts that a library gives."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from llama_index.core import VectorStoreIndex
from llama_index.core.evaluation import FaithfulnessEvaluator, RetrieverEvaluator
from llama_index.core.llms import ChatMessage, CompletionResponse, CustomLLM, LLMMetadata
from llama_index.core.query_engine import RetrieverQueryEngine, TransformQueryEngine
from llama_index.core.schema import NodeRelationship, QueryBundle
from llama_index.llms.openai_like import OpenAILike

from pipeline import Library
from pipeline.models.language import ScriptedModel
from pipeline.settings import Settings
from pipeline.types import Filters
from tests.command import write_rows
from tests.openai_stub import OpenAIStub, Request

ROWS: list[dict[str, Any]] = [
    {"video_id": "talk", "start": 0, "end": 4, "text": "The ferry leaves the harbour at nine."},
    {"video_id": "talk", "start": 60, "end": 64, "text": "An owl hunts voles at dusk."},
    {"video_id": "film", "start": 5, "end": 9, "text": "The dry dock is closed in November."},
]


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    settings = Settings(library=tmp_path / "lib", profile="embedded", embedding_model="fake:64")
    with Library(settings=settings) as opened:
        opened.import_rows(write_rows(tmp_path / "rows.jsonl", *ROWS))
        yield opened


@contextmanager
def model_at(stub: OpenAIStub) -> Iterator[OpenAILike]:
    with httpx.Client() as client:
        yield OpenAILike(
            model="stub-model",
            api_base=stub.url,
            api_key="k",
            is_chat_model=True,
            http_client=client,
        )


@pytest.fixture
def written(tmp_path: Path, library: Library) -> Iterator[Library]:
    """The library with a language model, which answers one question only."""

    def write(prompt: str, system: str) -> str:
        owl = re.search(r"\[(\d+)\][^\[]*An owl hunts voles at dusk", prompt)
        return (
            f"An owl hunts voles at dusk [{owl[1]}]."
            if owl and "zebra" not in prompt
            else "NOT_IN_LIBRARY"
        )

    model = ScriptedModel(write, "fake:writing")
    settings = library.settings.model_copy(update={"expansion": "none"})
    with Library(settings=settings, language_model=model) as opened:
        yield opened


# ---------------------------------------------------------------- retrieving


def test_the_retriever_passes_llama_indexs_own_evaluation(library: Library) -> None:
    retriever = library.as_retriever(k=2)
    evaluator = RetrieverEvaluator.from_metric_names(["mrr", "hit_rate"], retriever=retriever)
    nodes = {node.text: node.node_id for node in library.as_nodes()}

    def measured(question: str, expected: str) -> dict[str, float]:
        found = asyncio.run(evaluator.aevaluate(question, expected_ids=[nodes[expected]]))
        return dict(found.metric_vals_dict)

    for row in ROWS:
        assert measured(row["text"], row["text"]) == {"mrr": 1.0, "hit_rate": 1.0}
    assert measured(ROWS[0]["text"], ROWS[1]["text"])["mrr"] < 1


def test_the_retriever_keeps_to_its_filter_and_works_without_a_thread_of_its_own(
    library: Library,
) -> None:
    retriever = library.as_retriever(filters=Filters(videos=("film",)))
    found = asyncio.run(retriever.aretrieve("the owl and the ferry"))
    assert {node.metadata["video_id"] for node in found} == {"film"}


def test_llama_indexs_query_engine_answers_from_the_moments(library: Library) -> None:
    def reply(request: Request) -> str:
        return "At dusk." if "An owl hunts voles at dusk." in request.text else "I do not know."

    with OpenAIStub(reply) as stub:
        with model_at(stub) as model:
            engine = RetrieverQueryEngine.from_args(library.as_retriever(k=1), llm=model)
            response = engine.query("When does the owl hunt?")
        assert str(response) == "At dusk."
        (source,) = response.source_nodes
        assert (source.metadata["video_id"], source.metadata["start"]) == ("talk", 60)
        assert "video_id" not in stub.requests[-1].text, "ids and times are for programs"


def test_llama_indexs_evaluator_reads_the_sources_of_an_answer(written: Library) -> None:
    class Judge(CustomLLM):
        @property
        def metadata(self) -> LLMMetadata:
            return LLMMetadata()

        def complete(self, prompt: str, formatted: bool = False, **_: Any) -> CompletionResponse:
            context = prompt.rpartition("Context")[2]
            return CompletionResponse(text="YES" if "An owl hunts voles" in context else "NO")

        def stream_complete(self, prompt: str, formatted: bool = False, **_: Any) -> Any:
            raise NotImplementedError

    async def passes(question: str) -> bool:
        response = await written.as_query_engine().aquery(question)
        verdict = await FaithfulnessEvaluator(llm=Judge()).aevaluate_response(response=response)
        return bool(verdict.passing)

    assert asyncio.run(passes("When does the owl hunt voles?"))
    assert not asyncio.run(passes("What does the zebra weigh?"))


# ---------------------------------------------------------------- HyDE


def test_hypothetical_passages_are_searched_with(tmp_path: Path) -> None:
    with OpenAIStub(["The dry dock is closed in November."]) as stub:
        settings = Settings(
            library=tmp_path / "lib",
            embedding_model="fake:64",
            endpoint=stub.url,
            language_model="openai:stub-model",
            expansion="hyde",
            expansion_passages=1,
            levels="text",
        )
        with Library(settings=settings) as library:
            library.import_rows(write_rows(tmp_path / "rows.jsonl", *ROWS))
            asked = len(stub.requests)
            transform = library.as_query_transform()
            bundle = transform.run("why can nobody mend it")
            assert bundle.embedding_strs == [ROWS[2]["text"], "why can nobody mend it"]
            retriever = library.as_retriever(k=1)
            (best,) = retriever.retrieve(bundle)
            assert best.text == ROWS[2]["text"]
            engine = TransformQueryEngine(library.as_query_engine(), transform)
            engine.query("why can nobody mend it")
            hyde = [r for r in stub.requests[asked:] if "November" not in r.text]
            assert len(hyde) == 1, "what was written is not asked for again"


def test_a_query_that_is_transformed_to_itself_is_searched_with_as_it_is(library: Library) -> None:
    bundle = QueryBundle("An owl hunts voles", custom_embedding_strs=["An owl hunts voles"])
    assert library.as_retriever(k=1).retrieve(bundle)[0].text == ROWS[1]["text"]


# ---------------------------------------------------------------- streaming, nodes, embeddings


def test_a_streamed_answer_is_the_answer_with_its_sources(written: Library) -> None:
    question = "When does the owl hunt voles?"
    response = written.as_query_engine(streaming=True).query(question)
    assert response.source_nodes == []
    assert "".join(response.response_gen) == written.ask(question).answer
    assert [node.text for node in response.source_nodes] == [ROWS[1]["text"]]
    assert response.metadata["verdicts"] == ["supported"]


def test_a_streamed_abstention_says_so(library: Library) -> None:
    response = library.as_query_engine(streaming=True).query("What does the zebra weigh?")
    assert str(response) == library.ask("What does the zebra weigh?").answer
    assert response.metadata["abstained"] and not response.source_nodes


def test_nodes_carry_the_stored_vectors_and_their_neighbours(library: Library) -> None:
    nodes = library.as_nodes(["talk"])
    first, second = nodes
    assert [node.metadata["start"] for node in nodes] == [0, 60]
    assert first.relationships[NodeRelationship.NEXT].node_id == second.node_id
    assert second.relationships[NodeRelationship.SOURCE].node_id == "talk"
    embedding = library.as_embedding()
    assert first.embedding == pytest.approx(embedding.get_text_embedding(first.text), abs=1e-6)


def test_an_index_of_ones_own_over_the_nodes(library: Library) -> None:
    index = VectorStoreIndex(library.as_nodes(), embed_model=library.as_embedding())
    found = index.as_retriever(similarity_top_k=1).retrieve("An owl hunts voles at dusk.")
    assert found[0].text == ROWS[1]["text"]


# ---------------------------------------------------------------- chat


def test_a_chat_engine_remembers_and_cites(written: Library) -> None:
    engine = written.as_chat_engine("notes")
    first = engine.chat("When does the owl hunt voles?")
    assert "at dusk" in str(first)
    (source,) = first.source_nodes
    assert source.metadata["start"] == 60
    assert [message.content for message in engine.chat_history] == [
        "When does the owl hunt voles?",
        first.response,
    ]
    again = written.as_chat_engine("notes")
    assert len(again.chat_history) == 2, "the library keeps the conversation"
    again.reset()
    assert again.chat_history == [] and len(written.chat("notes").turns) == 1


def test_a_chat_engine_streams(written: Library) -> None:
    engine = written.as_chat_engine()
    response = engine.stream_chat("When does the owl hunt voles?")
    told = "".join(response.response_gen)
    assert told == engine.chat_history[-1].content
    assert [node.text for node in response.source_nodes] == [ROWS[1]["text"]]

    async def drawn() -> str:
        streamed = await engine.astream_chat("When does the owl hunt voles?")
        return "".join([delta async for delta in streamed.async_response_gen()])

    assert asyncio.run(drawn()) == told
    assert len(engine.chat_history) == 4


def test_a_history_of_ones_own_is_understood_and_not_kept(written: Library) -> None:
    engine = written.as_chat_engine()
    history = [
        ChatMessage(role="user", content="Which bird hunts voles?"),
        ChatMessage(role="assistant", content="An owl."),
    ]
    response = engine.chat("When does the owl hunt voles?", chat_history=history)
    assert "at dusk" in str(response)
    assert engine.chat_history == [] and written.chats() == []
