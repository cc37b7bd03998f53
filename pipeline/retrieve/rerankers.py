"""Which reranker the settings choose, made of a library's own models and frames.

cross-encoder:MODEL     a model that reads question and passage together
late                    the library's embedding model, token by token; without a language model's
                        passages it helps speech a little, beside them it does not
llm                     the language model, which sees ten moments at a time
vlm                     the caption model, which sees ten moments' frames at a time
fake:words              words in common
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pipeline.ingest.screen_text import open_image
from pipeline.models.registry import load_named
from pipeline.prompts import load_prompt
from pipeline.retrieve.rerank import CROSS_ENCODER_SHARE, LATE_SHARE, ScoringReranker
from pipeline.retrieve.rerank_frames import FrameJudge
from pipeline.retrieve.rerank_listwise import LanguageJudge, ListwiseReranker
from pipeline.store.work import LIBRARY_OWNER
from pipeline.types import Budget, Image, Moment, Reranker

if TYPE_CHECKING:
    from pipeline.models.shelf import Shelf
    from pipeline.retrieve.rerank_listwise import Judge
    from pipeline.settings import Settings
    from pipeline.store.catalog import Catalog


def load_reranker(settings: Settings, shelf: Shelf, catalog: Catalog) -> Reranker | None:
    """The reranker of `settings.rerank_model`, None when that is "".

    Raises `SettingsError` for a name that cannot be one, `ModelUnavailable` for a model that is
    not to be had. Cheap once the model is loaded: the shelf keeps it.
    """
    if not settings.rerank_model:
        return None

    def listwise(judge: Judge) -> Reranker:
        return ListwiseReranker(
            judge,
            catalog.get_output,
            lambda key, value: catalog.put_output(key, LIBRARY_OWNER, value),
        )

    def llm(_: str) -> Reranker:
        prompt = load_prompt("rerank", settings.prompt_folders)
        return listwise(LanguageJudge(shelf.language_model(), prompt, settings.context_window))

    def vlm(_: str) -> Reranker:
        prompt = load_prompt("rerank_frames", settings.prompt_folders)
        frames = lambda moment: frames_of(catalog, moment)  # noqa: E731
        judge = FrameJudge(shelf.captioner(), prompt, frames, settings.context_window)
        return listwise(judge)

    def scoring(share: float) -> Callable[[str], Reranker]:
        return lambda _: ScoringReranker(shelf.passage_scorer(), share)

    loaders: dict[str, Callable[[str], Reranker]] = {
        "cross-encoder:MODEL": scoring(CROSS_ENCODER_SHARE),
        "late": scoring(LATE_SHARE),
        "llm": llm,
        "vlm": vlm,
        "fake:words": scoring(CROSS_ENCODER_SHARE),
    }
    return load_named("rerank_model", settings.rerank_model, loaders)


def budget_of(settings: Settings) -> Budget:
    return Budget(settings.rerank_moments, settings.rerank_calls, settings.rerank_ms)


def frames_of(catalog: Catalog, moment: Moment) -> list[Image]:
    """The key frames within the moment, by time; where there is none, the last one before it,
    which is still what stands on the screen. Raises `MediaError` for one that cannot be read."""
    frames = catalog.frames(moment.video_id)
    within = [frame for frame in frames if moment.start <= frame.time < moment.end]
    before = [frame for frame in frames if frame.time < moment.start][-1:]
    return [open_image(catalog.folder / frame.path) for frame in within or before]
