"""The index of words: what is said is found, in any language, ranked as BM25 ranks it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.errors import IndexDamaged
from pipeline.store import word_writer
from pipeline.store.analysis import fold, passage_terms, query_terms, terms_of_each
from pipeline.store.catalog import Catalog
from pipeline.store.word_writer import WordIndexWriter
from pipeline.store.words import Sieve, WordIndex, restriction
from pipeline.types import SOURCES
from tests.store_made import WORDS, add_video, made_catalog


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with made_catalog(tmp_path) as made:
        yield made


def opened(catalog: Catalog) -> WordIndex:
    folder = catalog.folder / "index" / "words"
    WordIndexWriter(folder, SOURCES).advance(catalog, catalog.generation())
    return WordIndex(folder)


def found(index: WordIndex, query: str, count: int = 10) -> list[int]:
    return index.best(query_terms(query, index.languages), count)[0].tolist()


# ---------------------------------------------------------------- terms


@given(
    st.lists(st.text("aB's \x1f\n-1\N{LATIN SMALL LETTER E WITH ACUTE}", max_size=90), max_size=6),
    st.sampled_from(["", "en", "fr", "de-AT", "xx"]),
)
def test_terms_of_many_texts_are_those_of_each(texts: list[str], language: str) -> None:
    alone = [passage_terms(text, language) for text in texts]
    assert terms_of_each(texts, language) == alone


@pytest.mark.parametrize(
    ("text", "language", "terms"),
    [
        ("The Café's RUNNING, don't stop", "en", ["the", "cafe", "run", "dont", "stop"]),
        ("l'eau d\u2019été", "fr", ["l", "eau", "d", "ete"]),
        ("naïve Straße Æon", "xx", ["naive", "strasse", "aeon"]),
        ("красный ёлка", "ru", ["красн", "елк"]),
        ("東京タワー", "ja", ["東京", "京タ", "タワ", "ワー", *"東京タワー"]),
        ("ｶﾀｶﾅ", "ja", ["カタ", "タカ", "カナ", *"カタカナ"]),
        ("猫", "ja", ["猫"]),
        ("in 東京 now", "en", ["in", "now", "東京", "東", "京"]),
        ("पानी", "xx", ["पानी"]),
        ("snake_case 3.5 " + "x" * 65, "en", ["snake", "case", "3", "5"]),
        ("", "en", []),
    ],
)
def test_terms_of_a_passage(text: str, language: str, terms: list[str]) -> None:
    assert passage_terms(text, language) == terms


def test_question_terms_are_counted_and_take_each_languages_form() -> None:
    assert query_terms("running and running", ["en"]) == Counter(run=2, **{"and": 1})
    assert query_terms("running", ["de", "en"]) == Counter(run=1, running=1)
    assert query_terms("running") == Counter(run=1)
    assert query_terms("タワー", ["ja"]) == Counter(["タワ", "ワー"])


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
@example("İI\u0307")
@example("\ud800 lone")
def test_folding_is_stable_and_any_text_has_terms(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    for term in passage_terms(text, "en"):
        assert term and not any(c.isspace() for c in term)


# ---------------------------------------------------------------- finding


@pytest.mark.parametrize(
    ("query", "row"),
    [
        ("validates", 1),
        ("NODE", 1),
        ("cafe", 2),
        ("café", 2),
        ("タワー", 3),
        ("東", 3),
        ("häuser", 4),
        ("haus", 4),
        ("서울", 5),
        ("ภาษา", 6),
    ],
)
def test_every_language_is_found(catalog: Catalog, query: str, row: int) -> None:
    add_video(catalog, "en", ["The node's validating a block"], language="en")
    add_video(catalog, "fr", ["Les cafés de Paris"], language="fr")
    add_video(catalog, "ja", ["東京タワーに行きました"], language="ja")
    add_video(catalog, "de", ["Die alten Häuser"], language="de")
    add_video(catalog, "ko", ["서울에서 왔어요"], language="ko")
    add_video(catalog, "th", ["ผมพูดภาษาไทย"], language="th")
    index = opened(catalog)
    assert index.languages == ("de", "en", "fr", "ja", "ko", "th")
    assert found(index, query)[:1] == [row]


@pytest.mark.parametrize(
    "query", ["a: b", '"', "(", "text:[a TO b]", "AND OR", "-x", "*", "", "🙂"]
)
def test_nothing_a_user_types_is_an_error(catalog: Catalog, query: str) -> None:
    add_video(catalog, "talk", ["plain words"])
    assert found(opened(catalog), query) == []


def test_scores_are_bm25(catalog: Catalog) -> None:
    said = ["lamp lamp river", "lamp stone", "violin", "stone stone stone stone"]
    add_video(catalog, "talk", said)
    rows, scores = opened(catalog).best(query_terms("lamp stone stone"), 10)

    documents = [Counter(text.split()) for text in said]
    mean = sum(d.total() for d in documents) / len(documents)

    def bm25(document: Counter[str], term: str, weight: int) -> float:
        containing = sum(term in d for d in documents)
        idf = math.log(1 + (len(documents) - containing + 0.5) / (containing + 0.5))
        norm = 1.2 * (0.25 + 0.75 * document.total() / mean)
        return weight * idf * 2.2 * document[term] / (document[term] + norm)

    expected = [bm25(d, "lamp", 1) + bm25(d, "stone", 2) for d in documents]
    order = np.argsort(-np.array(expected))[:3]
    assert rows.tolist() == (order + 1).tolist()
    np.testing.assert_allclose(scores, np.array(expected)[order], rtol=1e-5)


def test_ties_come_by_row_also_at_the_cut(catalog: Catalog) -> None:
    for number in range(4):  # several of Tantivy's segments
        add_video(catalog, f"talk-{number}", ["the same words"] * 60)
        index = opened(catalog)
    for count in (1, 7, 61, 240):
        assert found(index, "same words", count) == list(range(1, count + 1))
    assert found(index, "same words", 1000) == list(range(1, 241))


def made_library(catalog: Catalog) -> None:
    draw = np.random.default_rng(5)
    for number in range(12):
        source = "caption" if number % 3 == 0 else "speech"
        texts = [" ".join(draw.choice(WORDS, 6)) for _ in range(40)]
        add_video(catalog, f"talk-{number}", texts, source=source)


def test_a_restriction_gives_what_filtering_afterwards_gives(catalog: Catalog) -> None:
    made_library(catalog)
    index = opened(catalog)
    video = {row: (row - 1) // 40 + 1 for row in range(1, 481)}
    everything = index.best(query_terms("lamp river river"), 480)
    for only, allowed in (
        (restriction(videos=[2, 5, 7]), lambda r: video[r] in (2, 5, 7)),
        (restriction(sources=[1]), lambda r: (video[r] - 1) % 3 == 0),
        (restriction(videos=[1, 2], sources=[0]), lambda r: video[r] == 2),
        (restriction(rows=[3, 77, 78]), lambda r: r in (3, 77, 78)),
    ):
        rows, scores = index.best(query_terms("lamp river river"), 20, sieves=[Sieve(only)])
        kept = [i for i, row in enumerate(everything[0].tolist()) if allowed(row)][:20]
        assert rows.tolist() == everything[0][kept].tolist()
        np.testing.assert_allclose(scores, everything[1][kept], rtol=1e-6)


@pytest.mark.parametrize("expected", [[1.0], [0.01], [1.0, 0.9]])
def test_what_is_kept_is_exact_however_wrong_the_expectation(
    catalog: Catalog, expected: list[float]
) -> None:
    made_library(catalog)
    index = opened(catalog)
    terms = query_terms("lamp river")
    everything = index.best(terms, 480)[0]
    wanted = everything[everything % 37 == 0][:9]
    rows, _ = index.best(
        terms, 9, keep=lambda r: r % 37 == 0, sieves=[Sieve(None, e) for e in expected]
    )
    assert rows.tolist() == wanted.tolist()


# ---------------------------------------------------------------- keeping up


def same_answers(catalog: Catalog, index: WordIndex, query: str) -> None:
    """The index answers as one that was built anew."""
    fresh_folder = catalog.folder / "fresh"
    writer = WordIndexWriter(fresh_folder, SOURCES)
    writer.remove()
    writer.advance(catalog, catalog.generation())
    mine, theirs = (i.best(query_terms(query), 50) for i in (index, WordIndex(fresh_folder)))
    assert mine[0].tolist() == theirs[0].tolist()
    np.testing.assert_allclose(mine[1], theirs[1], rtol=1e-6)


def test_what_was_removed_leaves_the_statistics(catalog: Catalog) -> None:
    made_library(catalog)
    opened(catalog)
    for number in range(0, 10, 2):
        catalog.remove_video(f"talk-{number}")
        same_answers(catalog, opened(catalog), "lamp river stone")


def test_a_large_index_is_rewritten_only_when_enough_is_dead(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(word_writer, "_SMALL", 0)
    monkeypatch.setattr(word_writer, "_DEAD_SHARE", 0.1)
    made_library(catalog)
    folder = catalog.folder / "index" / "words"
    assert len(opened(catalog)) == 480
    [data] = folder.glob("data-*")
    add_video(catalog, "talk-0", ["just this"], source="caption")
    assert len(opened(catalog)) == 441
    assert list(folder.glob("data-*")) == [data]
    assert 1 not in found(opened(catalog), "lamp", 500)
    catalog.remove_video("talk-1")
    assert len(opened(catalog)) == 401
    assert list(folder.glob("data-*")) != [data]
    same_answers(catalog, opened(catalog), "lamp river stone")


def test_an_open_index_is_a_snapshot(catalog: Catalog) -> None:
    add_video(catalog, "a", ["lamp"])
    before = opened(catalog)
    add_video(catalog, "b", ["lamp"])
    catalog.remove_video("a")
    after = opened(catalog)
    assert found(before, "lamp") == [1] and found(after, "lamp") == [2]


def test_passages_committed_before_a_crash_are_not_doubled(catalog: Catalog) -> None:
    add_video(catalog, "a", ["lamp"])
    opened(catalog)
    state = catalog.folder / "index" / "words" / "state.json"
    before = state.read_bytes()
    add_video(catalog, "b", ["lamp", "river"])
    opened(catalog)
    state.write_bytes(before)  # as if it died between Tantivy's commit and ours
    index = opened(catalog)
    assert len(index) == 3 and found(index, "lamp") == [1, 2]


@pytest.mark.parametrize("victim", ["state.json", "meta.json", "*.term"])
def test_a_damaged_index_is_built_anew(catalog: Catalog, victim: str) -> None:
    add_video(catalog, "a", ["lamp"])
    opened(catalog)
    folder = catalog.folder / "index" / "words"
    for path in folder.rglob(victim):
        path.unlink()  # a file that Tantivy still has mapped must not be cut short under it
        path.write_bytes(b"{")
    add_video(catalog, "b", ["lamp"])
    assert found(opened(catalog), "lamp") == [1, 2]


def test_damage_that_a_reader_meets_names_the_repair(catalog: Catalog) -> None:
    add_video(catalog, "a", ["lamp"])
    opened(catalog)
    for path in (catalog.folder / "index" / "words").rglob("*.term"):
        path.unlink()
    with pytest.raises(IndexDamaged) as caught:
        WordIndex(catalog.folder / "index" / "words")
    assert caught.value.hint == "footnote doctor --repair"
