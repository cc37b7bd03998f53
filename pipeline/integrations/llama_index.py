"""A library as LlamaIndex parts: a retriever, a query engine, a HyDE transform, nodes, embeddings.

The adapters take callables and not the library, so that this room stays below it. LlamaIndex is
imported when a part is made (it takes about a second). Its global `Settings` are never read. A
conversation is in `llama_index_chat`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.answer.footnotes import written
from pipeline.store.passage_lookup import StoredPassage
from pipeline.types import (
    Answer,
    AnswerEvent,
    Citation,
    Embedder,
    Moment,
    SearchResult,
    SentenceReady,
)

if TYPE_CHECKING:
    from llama_index.core.base.base_query_engine import BaseQueryEngine
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.indices.query.query_transform.base import BaseQueryTransform
    from llama_index.core.retrievers import BaseRetriever
    from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

# A question, and the hypothetical passages to search with: None leaves them to the library.
Search = Callable[[str, Sequence[str] | None], SearchResult]
Ask = Callable[[str, Sequence[str] | None], Answer]
AskStream = Callable[[str, Sequence[str] | None], Iterator[AnswerEvent]]


def moment_retriever(search: Search) -> BaseRetriever:
    """A LlamaIndex retriever whose nodes are moments, best first, with Footnote's scores.

    The `custom_embedding_strs` of a query, as a HyDE transform leaves them, are what is searched
    with beside the question, by meaning and by words; without any the library may write its own.
    """
    from llama_index.core.retrievers import BaseRetriever

    class MomentRetriever(BaseRetriever):  # type: ignore[misc]
        def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
            found = search(query_bundle.query_str, hypothetical(query_bundle))
            return [moment_node(moment) for moment in found.moments]

        async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
            return await asyncio.to_thread(self._retrieve, query_bundle)

    return MomentRetriever()


def answer_engine(
    ask: Ask, ask_stream: AskStream | None = None, *, streaming: bool = False
) -> BaseQueryEngine:
    """A LlamaIndex query engine that answers as `footnote ask` does; sources are the citations.

    With `streaming` its responses are drawn sentence by sentence, each once it was checked, and
    `source_nodes` grow with them. `metadata` tells abstention, confidence and verdicts.
    """
    from llama_index.core.base.base_query_engine import BaseQueryEngine
    from llama_index.core.base.response.schema import Response, StreamingResponse

    class AnswerEngine(BaseQueryEngine):  # type: ignore[misc]
        def _get_prompt_modules(self) -> dict[str, Any]:
            return {}

        def _query(self, query_bundle: QueryBundle) -> Response | StreamingResponse:
            given = query_bundle.query_str, hypothetical(query_bundle)
            if streaming and ask_stream is not None:
                sources: list[NodeWithScore] = []
                told: dict[str, Any] = {}
                words = streamed(ask_stream(*given), sources, told)
                return StreamingResponse(words, source_nodes=sources, metadata=told)
            answer = ask(*given)
            sources = [citation_node(citation) for citation in answer.citations]
            return Response(answer.answer, source_nodes=sources, metadata=answer_facts(answer))

        async def _aquery(self, query_bundle: QueryBundle) -> Response | StreamingResponse:
            return await asyncio.to_thread(self._query, query_bundle)

    return AnswerEngine(callback_manager=None)


def hyde_transform(expand: Callable[[str], Sequence[str]]) -> BaseQueryTransform:
    """A LlamaIndex query transform: hypothetical passages of `expand` beside the question.

    As in HyDE (Gao et al. 2022, section 3.2) the question stays one of the texts to embed.
    """
    from llama_index.core.indices.query.query_transform.base import BaseQueryTransform
    from llama_index.core.schema import QueryBundle

    class HyDE(BaseQueryTransform):  # type: ignore[misc]
        def _get_prompts(self) -> dict[str, Any]:
            return {}

        def _update_prompts(self, prompts: dict[str, Any]) -> None:
            """Prompts are files: see the setting `prompts`."""

        def _run(self, query_bundle: QueryBundle, metadata: dict[str, Any]) -> QueryBundle:
            question = query_bundle.query_str
            return QueryBundle(question, custom_embedding_strs=[*expand(question), question])

    return HyDE()


def embedding_model(embedder: Embedder) -> BaseEmbedding:
    """The library's embedding model as a LlamaIndex one: unit vectors of its dimension."""
    from llama_index.core.base.embeddings.base import BaseEmbedding

    class LibraryEmbedding(BaseEmbedding):  # type: ignore[misc]
        def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
            return [[float(x) for x in row] for row in embedder.embed(texts)]

        def _get_text_embedding(self, text: str) -> list[float]:
            return self._get_text_embeddings([text])[0]

        def _get_query_embedding(self, query: str) -> list[float]:
            return self._get_text_embedding(query)

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return await asyncio.to_thread(self._get_text_embedding, query)

    return LibraryEmbedding(model_name=embedder.name)


def passage_nodes(
    passages: Iterable[tuple[StoredPassage, str, NDArray[np.float32]]],
) -> list[TextNode]:
    """A `TextNode` for each (passage, title, vector); neighbours and videos are relationships.

    `passages` of one video and source follow one another in order.
    """
    from llama_index.core.schema import NodeRelationship, RelatedNodeInfo

    nodes: list[TextNode] = []
    for stored, title, vector in passages:
        node = _node(stored.id, stored.passage.text, _facts(stored, title))
        node.embedding = [float(x) for x in vector]
        node.relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id=stored.video_id)
        if nodes and _same_track(nodes[-1], node):
            before = nodes[-1]
            before.relationships[NodeRelationship.NEXT] = RelatedNodeInfo(node_id=node.node_id)
            node.relationships[NodeRelationship.PREVIOUS] = RelatedNodeInfo(node_id=before.node_id)
        nodes.append(node)
    return nodes


def _same_track(one: TextNode, other: TextNode) -> bool:
    return all(one.metadata[key] == other.metadata[key] for key in ("video_id", "source"))


def _facts(stored: StoredPassage, title: str) -> dict[str, Any]:
    passage = stored.passage
    return {
        "video_id": stored.video_id,
        "title": title,
        "source": passage.source,
        "start": passage.start,
        "end": passage.end,
    }


# ---------------------------------------------------------------- what is handed over


def hypothetical(query: QueryBundle) -> list[str] | None:
    """The texts to search with beside the question; None where the query says nothing of them."""
    if query.custom_embedding_strs is None:
        return None
    return [text for text in query.custom_embedding_strs if text != query.query_str]


def streamed(
    events: Iterator[AnswerEvent], sources: list[NodeWithScore], told: dict[str, Any]
) -> Iterator[str]:
    """The sentences of an answer with their markers; fills `sources` and `told` as they come.

    What has no sentence that is carried, an abstention, is told at the end.
    """
    shown = False
    for event in events:
        if isinstance(event, SentenceReady):
            sources += [citation_node(citation) for citation in event.citations]
            yield " " * shown + written((event.sentence,), "short")
            shown = True
        elif isinstance(event, Answer):
            told.update(answer_facts(event))
            if not shown:
                yield event.answer


def answer_facts(answer: Answer) -> dict[str, Any]:
    return {
        "abstained": answer.abstained,
        "confidence": answer.confidence,
        "verdicts": [sentence.verdict for sentence in answer.sentences],
    }


def moment_node(moment: Moment) -> NodeWithScore:
    metadata = {
        "video_id": moment.video_id,
        "title": moment.title,
        "start": moment.start,
        "end": moment.end,
        "passages": [passage.id for passage in moment.passages],
    }
    return _scored(_node(moment.passages[0].id, moment.text, metadata), moment.score)


def citation_node(citation: Citation) -> NodeWithScore:
    metadata = {
        "video_id": citation.video_id,
        "title": citation.title,
        "start": citation.start,
        "end": citation.end,
        "source": citation.source,
        "verdict": citation.verdict,
        "link": citation.link,
        "marker": citation.marker,
    }
    return _scored(_node(f"{citation.video_id}#{citation.start:.3f}", citation.quote, metadata))


def _node(name: str, text: str, metadata: Mapping[str, Any]) -> TextNode:
    from llama_index.core.schema import TextNode

    # Times and ids are for programs: they are kept out of what an LLM or an embedder reads.
    hidden = [key for key in metadata if key != "title"]
    return TextNode(
        id_=name,
        text=text,
        metadata=dict(metadata),
        excluded_llm_metadata_keys=hidden,
        excluded_embed_metadata_keys=[*hidden, "title"],
    )


def _scored(node: TextNode, score: float | None = None) -> NodeWithScore:
    from llama_index.core.schema import NodeWithScore

    return NodeWithScore(node=node, score=score)
