"""A library as LlamaIndex parts: a retriever of moments and a query engine with citations.

The adapters take callables and not the library, so that this room stays below it. LlamaIndex is
imported when a part is made (it takes about a second).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pipeline.types import Answer, Citation, Moment, SearchResult

if TYPE_CHECKING:
    from llama_index.core.query_engine import CustomQueryEngine
    from llama_index.core.retrievers import BaseRetriever


def moment_retriever(search: Callable[[str], SearchResult]) -> BaseRetriever:
    """A LlamaIndex retriever whose nodes are moments, best first, with Footnote's scores."""
    from llama_index.core.retrievers import BaseRetriever
    from llama_index.core.schema import NodeWithScore, QueryBundle

    class MomentRetriever(BaseRetriever):  # type: ignore[misc]
        def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
            found = search(query_bundle.query_str)
            return [_scored_node(moment) for moment in found.moments]

    return MomentRetriever()


def answer_engine(ask: Callable[[str], Answer]) -> CustomQueryEngine:
    """A LlamaIndex query engine that answers as `footnote ask` does; sources are the citations."""
    from llama_index.core.base.response.schema import Response
    from llama_index.core.query_engine import CustomQueryEngine

    class AnswerEngine(CustomQueryEngine):  # type: ignore[misc]
        def custom_query(self, query_str: str) -> Response:
            answer = ask(query_str)
            return Response(
                response=answer.answer,
                source_nodes=[_citation_node(citation) for citation in answer.citations],
                metadata={"abstained": answer.abstained, "confidence": answer.confidence},
            )

    return AnswerEngine()


def _scored_node(moment: Moment) -> Any:
    metadata = {
        "video_id": moment.video_id,
        "title": moment.title,
        "start": moment.start,
        "end": moment.end,
        "passages": [passage.id for passage in moment.passages],
    }
    return _node(moment.passages[0].id, moment.text, moment.score, metadata)


def _citation_node(citation: Citation) -> Any:
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
    name = f"{citation.video_id}#{citation.start:.3f}"
    return _node(name, citation.quote, None, metadata)


def _node(name: str, text: str, score: float | None, metadata: dict[str, Any]) -> Any:
    from llama_index.core.schema import NodeWithScore, TextNode

    # Times and ids are for programs: they are kept out of what an LLM or an embedder reads.
    hidden = [key for key in metadata if key != "title"]
    node = TextNode(
        id_=name,
        text=text,
        metadata=metadata,
        excluded_llm_metadata_keys=hidden,
        excluded_embed_metadata_keys=hidden,
    )
    return NodeWithScore(node=node, score=score)
