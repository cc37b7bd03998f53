"""Sentences and packing: nothing lost, nothing out of order, no wrong time, no limit exceeded."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ingest.clock import SegmentClock
from pipeline.ingest.passages import CountTokens, pack
from pipeline.ingest.sentences import ends_sentence, sentences
from pipeline.types import Passage, Segment, Source, Word


def count_words(texts: Sequence[str]) -> list[int]:
    """A tokenizer of words with two special tokens."""
    return [len(text.split()) + 2 for text in texts]


def count_bytes(texts: Sequence[str]) -> list[int]:
    """A tokenizer for which joining two texts costs a token more than the two."""
    return [len(text.encode()) + 2 for text in texts]


def speech(start: float, end: float, text: str, speaker: str = "") -> Segment:
    return Segment("speech", start, end, text, speaker)


def packed(segments: Sequence[Segment], limit: int = 256, **options: Any) -> list[Passage]:
    return pack(segments, count_words, max_tokens=limit, **options)


def bare(texts: Sequence[str]) -> str:
    return "".join("".join(texts).split())


# ---------------------------------------------------------------- sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        (
            "Dr. Smith paid 3.5 dollars, e.g. for tea.",
            ["Dr. Smith paid 3.5 dollars, e.g. for tea."],
        ),
        ("He left at 5 p.m. Then he slept.", ["He left at 5 p.m.", "Then he slept."]),
        (
            "J. K. Rowling wrote it. So did I. Then",
            ["J. K. Rowling wrote it.", "So did I.", "Then"],
        ),
        ("The U.S. Army came to the U.S. It left.", ["The U.S. Army came to the U.S.", "It left."]),
        ('"Really?" he asked. Yes... maybe.', ['"Really?" he asked.', "Yes... maybe."]),
        ("No. 5 is alive. He said no. Then.", ["No. 5 is alive.", "He said no.", "Then."]),
        ("今日は。元気ですか？はい！", ["今日は。", "元気ですか？", "はい！"]),  # noqa: RUF001
        ("Это я. Ладно! Да?", ["Это я.", "Ладно!", "Да?"]),
        ("यह है। वह है।", ["यह है।", "वह है।"]),
        ("Am 3. Oktober war es. Und dann?", ["Am 3. Oktober war es.", "Und dann?"]),
        ("It is so.[1] And so. [2][3] Next", ["It is so.[1]", "And so. [2][3]", "Next"]),
        ("1. First thing. 2. Second", ["1. First thing.", "2. Second"]),
        ("See example.com/a.b for it. ok then.", ["See example.com/a.b for it.", "ok then."]),
        ("Points:\n- one\n- two", ["Points:", "- one", "- two"]),
        ("A line\nthat wraps\n\nA paragraph", ["A line\nthat wraps", "A paragraph"]),
        ("...", ["..."]),
        (" \n ", []),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text: str, expected: list[str]) -> None:
    assert [text[a:b] for a, b in sentences(text)] == expected


def test_every_line_of_a_screen_is_a_sentence() -> None:
    text = "Agenda\nWhat we did\nWhat we will do"
    assert len(sentences(text)) == 1
    assert [text[a:b] for a, b in sentences(text, lines=True)] == text.split("\n")


@given(st.text(alphabet="ab A.!?。 \n\"')[1]-…", max_size=80), st.booleans())
def test_sentences_hold_all_text_in_order(text: str, lines: bool) -> None:
    spans = sentences(text, lines=lines)
    assert bare([text[a:b] for a, b in spans]) == bare([text])
    assert all(a < b and text[a:b] == text[a:b].strip() for a, b in spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


@pytest.mark.parametrize(
    ("text", "ends"),
    [("It works.", True), ('He said "no."  ', True), ("and then", False), ("with Dr.", False)],
)
def test_ends_sentence(text: str, ends: bool) -> None:
    assert ends_sentence(text) is ends


# ---------------------------------------------------------------- the clock of a segment


def test_parts_of_a_segment_carry_the_times_of_their_words() -> None:
    words = tuple(
        Word(10 + i, 10.8 + i, word) for i, word in enumerate(["a", "b.", "c", "d.", "e"])
    )
    segment = Segment("speech", 10, 15, "a b. c d. e", words=words)
    times = SegmentClock(segment).intervals([(0, 4), (5, 9), (10, 11)])
    assert times == [
        (10, pytest.approx(11.8, abs=0.01)),
        (pytest.approx(12, abs=0.01), pytest.approx(13.8, abs=0.01)),
        (pytest.approx(14, abs=0.01), 15),
    ]


@given(
    st.lists(st.tuples(st.floats(0, 99), st.floats(0, 99)), max_size=8),
    st.lists(st.integers(1, 9), min_size=1, max_size=8),
)
def test_times_inside_a_segment_ascend_whatever_its_words_say(
    times: list[tuple[float, float]], lengths: list[int]
) -> None:
    text = " ".join("x" * length for length in lengths)
    words = tuple(Word(*time, word) for time, word in zip(times, text.split(), strict=False))
    spans = [(m, m + 1) for m in range(0, len(text), 2)]
    found = SegmentClock(Segment("speech", 20, 30, text, words=words)).intervals(spans)
    assert found[0][0] == 20 and found[-1][1] == 30
    assert all(start < end for start, end in found)
    assert all(before[1] <= after[0] for before, after in pairwise(found))


# ---------------------------------------------------------------- packing


def test_utterances_are_packed_to_about_thirty_seconds_at_sentence_ends() -> None:
    thirds = ("The first third of a sentence", "its second third", "and its end.")
    segments = [speech(4 * i, 4 * i + 4, thirds[i % 3]) for i in range(90)]
    passages = packed(segments)
    assert 9 <= len(passages) <= 15
    assert all(passage.text.endswith("end.") for passage in passages)
    assert all(24 <= passage.end - passage.start <= 36 for passage in passages)
    assert [passage.first for passage in passages[1:]] == [p.last + 1 for p in passages[:-1]]


def test_an_end_is_where_the_pause_the_speaker_or_the_shot_changes() -> None:
    def cut(segments: Sequence[Segment], **options: Any) -> int:
        return packed(segments, **options)[0].last

    even = [speech(5 * i, 5 * i + 5, "Something is said.") for i in range(12)]
    assert cut(even) == 5
    paused = even[:5] + [speech(s.start + 2, s.end + 2, s.text) for s in even[5:]]
    assert cut(paused) == 4
    turn = [speech(s.start, s.end, s.text, "A" if i < 7 else "B") for i, s in enumerate(even)]
    assert cut(turn) == 6
    assert cut(even, boundaries=[25.0]) == 4


def test_a_long_silence_always_cuts_and_a_crumb_never_remains() -> None:
    assert len(packed([speech(0, 2, "Hello"), speech(33, 35, "there.")])) == 2
    segments = [speech(0, 2, "Hello."), speech(40, 70, "A whole thought."), speech(70, 72, "Yes.")]
    assert [(p.start, p.end) for p in packed(segments)] == [(0, 2), (40, 72)]


def test_a_long_utterance_is_cut_at_sentences_and_never_longer_than_a_moment() -> None:
    text = "This is one sentence of ten words and then some. " * 60
    passages = packed([speech(100, 400, text), speech(400, 401, "Yeah.")])
    assert all(passage.end - passage.start <= 45 for passage in passages)
    assert all(passage.text.endswith(".") for passage in passages)
    assert passages[0].start == 100 and passages[-1].end == 401
    assert passages[-1].text.endswith("some. Yeah.")
    assert {(p.first, p.last) for p in passages} == {(0, 0), (0, 1)}


def test_a_long_utterance_without_full_stops_is_cut_between_words() -> None:
    text = "word after word " * 100
    passages = packed([speech(0, 120, text)])
    assert len(passages) >= 3
    assert set(" ".join(p.text for p in passages).split()) == {"word", "after"}


def test_one_word_of_two_minutes_is_said_where_it_begins() -> None:
    passages = packed([speech(7, 127, "Yes"), speech(127, 130, "And so on.")])
    assert [(p.start, p.end, p.text) for p in passages] == [
        (7, 52, "Yes"),
        (127, 130, "And so on."),
    ]


@pytest.mark.parametrize("source", ["caption", "screen"])
def test_what_is_seen_keeps_its_interval(source: Source) -> None:
    """A caption of 5 minutes is one passage; short ones pack; a full screen keeps its time."""
    long = Segment(source, 0, 300, "A man stands there. Nothing else happens.")
    short = [Segment(source, 300 + 5 * i, 305 + 5 * i, f"Thing {i}") for i in range(4)]
    joint = {"caption": " ", "screen": "\n"}[source]
    assert [(p.start, p.end, p.text) for p in packed([long, *short])] == [
        (0, 300, long.text),
        (300, 320, joint.join(s.text for s in short)),
    ]
    full = packed([Segment(source, 7, 300, "a line of text\n" * 100)], limit=64)
    assert len(full) > 1 and {(p.start, p.end) for p in full} == {(7, 300)}


def test_captions_are_not_stretched_and_a_longer_one_stands_alone() -> None:
    spans = [(0, 20), (5, 28), (10, 60), (61, 80), (70, 100)]
    segments = [Segment("caption", a, b, f"From {a} to {b}.") for a, b in spans]
    assert [(p.start, p.end) for p in packed(segments)] == [(0, 28), (10, 60), (61, 80), (70, 100)]


@pytest.mark.parametrize("count", [count_words, count_bytes])
@pytest.mark.parametrize("text", ["x" * 1_000_000, "x y. " * 40_000, ".," * 100_000, "é" * 99_999])
def test_a_huge_text_neither_hangs_nor_exceeds_the_limit(count: CountTokens, text: str) -> None:
    began = time.perf_counter()
    passages = pack([speech(5, 30, text)], count, max_tokens=256)
    assert bare([p.text for p in passages]) == bare([text])
    assert max(count([p.text for p in passages])) <= 256
    assert max(len(p.text) for p in passages) < 10_000
    assert all(a.start < a.end <= b.start for a, b in pairwise(passages))
    assert time.perf_counter() - began < 30


def test_the_limit_holds_for_the_joined_text() -> None:
    segments = [speech(i, i + 1, "abcd") for i in range(12)]
    passages = pack(segments, count_bytes, max_tokens=20)  # four of them and three spaces: 21
    assert max(count_bytes([passage.text for passage in passages])) <= 20
    assert " ".join(passage.text for passage in passages) == " ".join(["abcd"] * 12)


def test_tokens_are_counted_in_few_calls() -> None:
    calls = []

    def count(texts: Sequence[str]) -> list[int]:
        calls.append(len(texts))
        return count_words(texts)

    segments = [speech(i, i + 1, "Some words here.") for i in range(20_000)]
    assert len(pack(segments, count, max_tokens=256)) > 600
    assert len(calls) <= 4


@pytest.mark.parametrize(
    "segments",
    [
        [speech(5, 6, "b"), speech(1, 2, "a")],
        [speech(1, 2, "a"), Segment("screen", 3, 4, "b")],
    ],
)
def test_segments_out_of_order_or_of_two_sources_are_refused(segments: list[Segment]) -> None:
    with pytest.raises(ValueError, match="segments"):
        packed(segments)


def test_nothing_and_blank_text_make_no_passage() -> None:
    assert packed([]) == []
    assert packed([speech(0, 1, "  \n ")]) == []


SOURCES = st.sampled_from(["speech", "caption", "screen"])
TEXTS = st.text(alphabet="abcdef AB.!?,。 \n…é", min_size=0, max_size=120)
TIMES = st.floats(0, 400, allow_nan=False)


@st.composite
def tracks(draw: st.DrawFn) -> list[Segment]:
    source: Source = draw(SOURCES)
    rows = draw(st.lists(st.tuples(TIMES, st.floats(0.01, 200), TEXTS), max_size=12))
    times = sorted((start, start + length) for start, length, _ in rows)
    return [
        Segment(source, start, end, text, draw(st.sampled_from(["", "A", "B"])))
        for (start, end), (_, _, text) in zip(times, rows, strict=True)
    ]


@given(tracks(), st.sampled_from([count_words, count_bytes]), st.integers(16, 80), st.booleans())
def test_packing_keeps_text_order_limits_and_times(
    segments: list[Segment], count: CountTokens, limit: int, shots: bool
) -> None:
    boundaries = [10.0, 50.0, 51.0] if shots else []
    passages = pack(segments, count, max_tokens=limit, boundaries=boundaries)
    assert bare([p.text for p in passages]) == bare([s.text for s in segments])
    assert all(tokens <= limit for tokens in count([p.text for p in passages]))
    for passage in passages:
        members = segments[passage.first : passage.last + 1]
        assert min(s.start for s in members) <= passage.start < passage.end
        assert passage.end <= max(s.end for s in members)
        assert bare([passage.text]) in bare([s.text for s in members])
        one = len([s for s in members if s.text.strip()]) == 1 and passage.source != "speech"
        longest = 45 if passage.source == "speech" else 30
        assert one or passage.end - passage.start <= longest + 1e-9
    assert all(a.last <= b.first for a, b in pairwise(passages))
    if passages and all(a.end <= b.start for a, b in pairwise(segments)):
        ordered = (a.end <= b.start or a.first == b.first for a, b in pairwise(passages))
        assert all(ordered)
    assert passages == pack(segments, count, max_tokens=limit, boundaries=boundaries)
