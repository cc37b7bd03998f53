"""Windows: how passages are cut into them, kept, and looked at."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ingest.embedding import embed_segments, write_passages
from pipeline.ingest.passages import WINDOW_SECONDS, pack
from pipeline.models.embedding import load_embedder
from pipeline.retrieve.fuse import Recipe
from pipeline.retrieve.search import Query, search
from pipeline.retrieve.windows import look_closely
from pipeline.store.catalog import Catalog
from pipeline.store.windows import quantised, restored
from pipeline.types import Embedder, Passage, Segment, Source, Video
from tests.memory_index import memory_index, windowed

EMBEDDER = load_embedder("fake:64")


def said(*texts: str, each: float = 5.0, source: Source = "speech") -> list[Segment]:
    return [Segment(source, each * i, each * (i + 1), text) for i, text in enumerate(texts)]


def count_tokens(texts: list[str]) -> list[int]:
    return [len(text.split()) + 2 for text in texts]


def shown(passage: Passage) -> list[str]:
    return [passage.text[window.left : window.right] for window in passage.windows]


# ---------------------------------------------------------------- cutting


@given(
    st.lists(st.text("ab. \n\N{CJK UNIFIED IDEOGRAPH-4E00}", max_size=60), max_size=20),
    st.sampled_from([1.0, 4.0, 11.0, 45.0]),
    st.sampled_from(["speech", "screen", "caption"]),
)
def test_windows_hold_the_whole_passage_in_order(
    texts: list[str], each: float, source: Source
) -> None:
    segments = said(*(text for text in texts if text.strip()), each=each, source=source)
    for passage in pack(segments, count_tokens, max_tokens=60):
        windows = passage.windows
        if not windows:
            continue
        assert len(windows) > 1
        joined = "".join(shown(passage))
        assert "".join(joined.split()) == "".join(passage.text.split())
        assert all(a.right <= b.left for a, b in pairwise(windows))
        assert windows[0].start == passage.start
        assert all(passage.start <= w.start < w.end <= passage.end for w in windows)
        if source == "speech":
            assert all(w.end - w.start <= WINDOW_SECONDS * 1.5 + 1e-9 or each > 6 for w in windows)


def test_a_long_utterance_is_cut_at_its_sentences() -> None:
    talk = Segment(
        "speech",
        0,
        24,
        "The harbour is old. It was built in 1850. Nobody knows by whom. We like it.",
    )
    (passage,) = pack([talk], count_tokens, max_tokens=60)
    assert len(passage.windows) >= 3
    assert all(text.endswith(".") for text in shown(passage))
    assert passage.windows[-1].end == 24


def test_a_passage_of_one_short_utterance_has_none() -> None:
    (passage,) = pack(said("Good morning."), count_tokens, max_tokens=60)
    assert passage.windows == ()


# ---------------------------------------------------------------- keeping


class Counting:
    """An embedder that remembers what it was asked."""

    def __init__(self, inner: Embedder) -> None:
        self.name, self.dimension, self.max_tokens = inner.name, inner.dimension, inner.max_tokens
        self.count_tokens = inner.count_tokens
        self.inner, self.asked = inner, list[str]()

    def embed(self, texts: list[str]) -> np.ndarray:
        self.asked += texts
        return self.inner.embed(texts)


def stored(catalog: Catalog, embedder: Embedder, video_id: str, segments: list[Segment]) -> None:
    catalog.put_video(Video(video_id, video_id, duration=1000.0))
    catalog.replace_segments(video_id, "speech", segments)
    made = embed_segments(catalog, embedder, {"speech": segments}, seconds=30)
    write_passages(catalog, video_id, made)


LINES = said(
    "The ferry leaves at nine.", "It is never late.", "Bring a coat.", "The sea is cold here."
)


def test_windows_are_stored_with_their_passage_and_go_with_it(tmp_path: Path) -> None:
    with Catalog(tmp_path, create=True) as catalog:
        stored(catalog, EMBEDDER, "trip", LINES)
        (row,) = [found.row for found in catalog.passages_of("trip")]
        windows = catalog.windows_of([row])[row]
        assert windows.texts == tuple(segment.text for segment in LINES)
        assert windows.start.tolist() == [0, 5, 10, 15]
        exact = EMBEDDER.embed(list(windows.texts))
        assert np.abs(windows.vectors - exact).max() < 0.01
        catalog.remove_video("trip")
        assert catalog.windows_of([row]) == {}
        assert catalog.value("SELECT count(*) FROM windows") == 0


def test_no_window_is_embedded_twice(tmp_path: Path) -> None:
    counting = Counting(EMBEDDER)
    with Catalog(tmp_path, create=True) as catalog:
        stored(catalog, counting, "trip", LINES)
        assert len(counting.asked) == 1 + len(LINES)
        stored(catalog, counting, "copy", LINES)
        stored(catalog, counting, "trip", LINES)
    assert len(counting.asked) == 1 + len(LINES)


def test_times_of_windows_that_changed_are_written_anew(tmp_path: Path) -> None:
    later = [*LINES[:2], Segment("speech", 10.5, 15, LINES[2].text), LINES[3]]
    with Catalog(tmp_path, create=True) as catalog:
        stored(catalog, EMBEDDER, "trip", LINES)
        stored(catalog, EMBEDDER, "trip", later)
        (row,) = [found.row for found in catalog.passages_of("trip")]
        assert catalog.windows_of([row])[row].start.tolist() == [0, 5, 10.5, 15]


def test_a_passage_without_windows_counts_as_one(tmp_path: Path) -> None:
    with Catalog(tmp_path, create=True) as catalog:
        stored(catalog, EMBEDDER, "trip", LINES[:1])
        (row,) = [found.row for found in catalog.passages_of("trip")]
        whole = catalog.windows_of([row])[row]
        assert (whole.start.tolist(), whole.end.tolist()) == ([0], [5])
        assert whole.texts == (LINES[0].text,)
        assert np.array_equal(whole.vectors, EMBEDDER.embed([LINES[0].text]))


@given(st.integers(1, 9), st.integers(1, 50), st.integers(0, 10**6))
def test_a_byte_per_dimension_keeps_the_cosine(count: int, dimension: int, seed: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    again = restored(*quantised(vectors))
    assert again.shape == vectors.shape
    assert (again * vectors).sum(axis=1) == pytest.approx(1.0, abs=0.01)
    assert quantised(again) == quantised(vectors) or np.allclose(
        restored(*quantised(again)), again, atol=1e-6
    )


def test_another_embedding_model_makes_the_windows_anew(tmp_path: Path) -> None:
    from pipeline import Library
    from pipeline.settings import load_settings

    file = tmp_path / "rows.jsonl"
    rows = [
        f'{{"video_id":"trip","start":{s.start},"end":{s.end},"text":"{s.text}","source":"speech"}}'
        for s in LINES
    ]
    file.write_text("\n".join(rows), encoding="utf-8")
    settings = load_settings({"profile": "embedded"}, environment={}, folder=tmp_path)
    with Library(tmp_path / "library", settings, embedder=EMBEDDER) as library:
        library.import_rows(file)
        library.reindex("fake:32")
        assert library.search("when does the ferry leave?").moments[0].video_id == "trip"
    with Catalog(tmp_path / "library") as catalog:
        (row,) = [found.row for found in catalog.passages_of("trip", "speech")]
        windows = catalog.windows_of([row])[row]
        exact = load_embedder("fake:32").embed(list(windows.texts))
        assert windows.vectors.shape == (4, 32)
        assert np.abs(windows.vectors - exact).max() < 0.01


# ---------------------------------------------------------------- looking


# The same words, near each other in one passage and scattered over the other.
TOGETHER = windowed(0, "Maria proposed the second ferry.", "Then lunch came.", "It was good soup.")
SCATTERED = windowed(100, "Maria liked the soup.", "Second came lunch.", "Proposed was a ferry.")


def test_words_that_stand_together_count_for_more() -> None:
    index = memory_index([("a", TOGETHER), ("b", SCATTERED)], EMBEDDER)
    question = "second ferry Maria proposed"
    look = look_closely(index, np.array([0, 1]), EMBEDDER.embed([question]), question)
    assert look.words[0] > look.words[1] > 0
    assert look.cosines.shape == (1, 2)
    assert (look.start[0], look.end[0]) == (0, 10)
    ranked = search(index, EMBEDDER, Query(question))
    assert ranked.positions.tolist() == [0, 1]


def test_the_cosine_is_that_of_the_best_window() -> None:
    index = memory_index([("a", TOGETHER)], EMBEDDER)
    vectors = EMBEDDER.embed(["Then lunch came.", "It was good soup."])
    look = look_closely(index, np.array([0]), vectors, "lunch")
    assert look.cosines[:, 0] == pytest.approx([1.0, 1.0], abs=1e-4)


def test_passages_deleted_meanwhile_keep_their_place_and_score_nothing() -> None:
    index = memory_index([("a", TOGETHER), ("b", SCATTERED)], EMBEDDER)
    found = index.windows
    index.windows = lambda positions: [None, *found(positions[1:])]  # type: ignore[method-assign]
    vectors = EMBEDDER.embed(["Maria proposed"])
    look = look_closely(index, np.array([0, 1]), vectors, "Maria proposed")
    assert (look.start[0], look.end[0], look.words[0]) == (0, 30, 0)
    assert look.words[1] > 0


def test_nothing_to_look_at_is_no_error() -> None:
    index = memory_index([("a", TOGETHER)], EMBEDDER)
    look = look_closely(index, np.zeros(0, np.int64), EMBEDDER.embed(["x"]), "x")
    assert look.cosines.shape == (1, 0)


def test_without_a_close_look_passages_are_ranked_by_themselves() -> None:
    index = memory_index([("a", TOGETHER), ("b", SCATTERED)], EMBEDDER)
    ranked = search(index, EMBEDDER, Query("second ferry"), recipe=Recipe(closely=0))
    assert not {"window_question", "window_words"} & set(ranked.names)
    assert len(ranked) == 2


def test_what_is_printed_begins_where_the_moment_does() -> None:
    from pipeline.apps.render import _from_start
    from pipeline.types import MomentPassage

    text = " ".join(f"word{number:03d}" for number in range(100))  # one word in 0.3 s
    passage = MomentPassage("p", "speech", 100.0, 130.0, text)
    assert _from_start(passage, 115.0, 60).startswith("...word050 word051")
    assert _from_start(passage, 100.0, 60).startswith("word000")
    assert _from_start(MomentPassage("p", "screen", 100.0, 130.0, text), 115.0, 60)[:7] == "word000"
    assert _from_start(MomentPassage("p", "speech", 100.0, 130.0, "Short."), 115.0, 60) == "Short."
