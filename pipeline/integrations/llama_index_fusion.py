"""LlamaIndex's own `QueryFusionRetriever` over rankings that are made elsewhere.

What a LlamaIndex user gets from its hybrid search: a vector retriever and a BM25 retriever, each
asked the question and every generated query, fused by LlamaIndex. The two retrievers hand on
rankings of the same passages that Footnote searches, so that only the fusion differs. Importing
LlamaIndex takes about a second and happens when a fusion is made.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

Ranking = Sequence[tuple[int, float]]  # (position of a passage, score), best first
FusionMode = Literal["reciprocal_rerank", "relative_score", "dist_based_score", "simple"]


def llama_index_installed() -> bool:
    """Whether `llama_index.core` can be imported; it is not imported."""
    try:
        return importlib.util.find_spec("llama_index.core") is not None
    except ModuleNotFoundError:  # the package above it is not there
        return False


class QueryFusion:
    """`QueryFusionRetriever` as a function from a question to positions, best first."""

    def __init__(self) -> None:
        self._retriever, self._model = _parts()
        self._nodes: dict[int, Any] = {}  # a node is made once, its score is given every time

    def rank(
        self,
        question: str,
        generated: Sequence[str],
        rankings: Sequence[Mapping[str, Ranking]],
        mode: FusionMode,
        k: int,
    ) -> list[int]:
        """The best `k` positions for `question` and the `generated` queries.

        `rankings` has one mapping per retriever, from every query to its list. The generated
        queries reach LlamaIndex as a language model's reply, one on a line, as its prompt asks.
        """
        from llama_index.core.retrievers import QueryFusionRetriever

        lines = [_line(query) for query in generated]
        fused = QueryFusionRetriever(
            [self._retriever(self._nodes_by(ranking)) for ranking in rankings],
            llm=self._model(reply="\n".join(lines)),  # never the default, which is OpenAI's
            mode=mode,
            similarity_top_k=k,
            num_queries=1 + len(lines),
            use_async=False,
        )
        return [int(found.node.node_id) for found in fused.retrieve(question)]

    def _nodes_by(self, ranking: Mapping[str, Ranking]) -> Callable[[str], list[Any]]:
        by_line = {_line(query): ranked for query, ranked in ranking.items()}
        return lambda query: self._scored(by_line[_line(query)])

    def _scored(self, ranking: Ranking) -> list[Any]:
        from llama_index.core.schema import NodeWithScore, TextNode

        for position, _ in ranking:
            if position not in self._nodes:
                # Equal texts would be one node to the fusion, whose identity is the text's hash.
                self._nodes[position] = TextNode(id_=str(position), text=str(position))
        # The fusion writes over the scores of what it is given.
        return [NodeWithScore(node=self._nodes[i], score=score) for i, score in ranking]


def _line(query: str) -> str:
    """A query as LlamaIndex reads it from a reply: on one line, without a code fence's marks."""
    return " ".join(query.split()).strip("` ")


def _parts() -> tuple[Any, Any]:
    """The classes of a retriever that calls a function and of a model with a fixed reply."""
    from llama_index.core.llms import CompletionResponse, CustomLLM, LLMMetadata
    from llama_index.core.retrievers import BaseRetriever
    from llama_index.core.schema import NodeWithScore, QueryBundle

    class RankedNodes(BaseRetriever):  # type: ignore[misc]
        def __init__(self, nodes: Callable[[str], list[NodeWithScore]]) -> None:
            super().__init__()
            self._ranked = nodes

        def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
            return self._ranked(query_bundle.query_str)

    class FixedReply(CustomLLM):  # type: ignore[misc]
        reply: str

        @property
        def metadata(self) -> LLMMetadata:
            return LLMMetadata(model_name="recorded")

        def complete(self, prompt: str, formatted: bool = False, **_: Any) -> CompletionResponse:
            return CompletionResponse(text=self.reply)

        def stream_complete(self, prompt: str, formatted: bool = False, **_: Any) -> Any:
            raise NotImplementedError("the fusion asks for whole replies")

    return RankedNodes, FixedReply
