"""Summaries: the video's key sentences, or what a language model writes of its parts and fuses;
every sentence with the places that it is taken from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ModelUnavailable
from pipeline.ingest.key_sentences import key_sentences
from pipeline.ingest.slots import slots_of
from pipeline.ingest.transcript import Line
from pipeline.ingest.underneath import summary_of
from pipeline.ingest.written_levels import Told, lost_facts
from pipeline.types import Place, Segment
from tests.command import Footnote, write_rows
from tests.test_ingest_chapters import (
    FERRIES,
    OWLS,
    TOPICS,
    rows,
    strand,
    talk,
    with_levels,
    writer,
)

__all__ = ["with_levels"]  # a fixture


def told(segments: Sequence[Segment], spans: Sequence[tuple[float, float]]) -> list[str]:
    slots = slots_of([strand(segments)], segments[-1].end)
    return [sentence.text for sentence in key_sentences(segments, spans, slots)]


# ---------------------------------------------------------------- key sentences


def test_every_chapter_is_told_of_in_the_order_of_time() -> None:
    segments = talk(*TOPICS)
    spans = [(0.0, 48.0), (48.0, 96.0), (96.0, segments[-1].end)]
    said = told(segments, spans)
    assert len(said) >= 3
    places = [next(i for i, topic in enumerate(TOPICS) if text in topic) for text in said]
    assert places == sorted(places)
    assert set(places) == {0, 1, 2}
    assert len(set(said)) == len(said), "what was said twice is told once"


def test_a_number_and_a_name_count_and_chatter_does_not() -> None:
    texts = [
        "Yeah, so that is that, you know.",
        "The owl hunts voles in the forest.",
        "Maren Oduya counted 412 owls in the forest in 1974.",
        "And it was like that too.",
        "Is the owl in the forest?",
        "The owl sleeps.",
        "Well, right, okay.",
        "They went there, and then they went back.",
    ]
    segments = [Segment("speech", 6.0 * i, 6.0 * i + 5, text) for i, text in enumerate(texts)]
    said = told(segments, [(0.0, segments[-1].end)])
    assert "Maren Oduya counted 412 owls in the forest in 1974." in said
    assert not {texts[0], texts[3], texts[6]} & set(said)


def test_a_sentence_over_two_cues_is_one_and_begins_with_the_first() -> None:
    others = [Segment("speech", 6.0 * i, 6.0 * i + 5, text) for i, text in enumerate(OWLS, 1)]
    segments = [
        Segment("speech", 0.0, 3.0, "In 1974 Maren Oduya saw"),
        Segment("speech", 3.0, 5.6, "the first snowy owl of Sorrel Holm forest."),
        *others,
    ]
    slots = slots_of([strand(segments)], segments[-1].end)
    found = key_sentences(segments, [(0.0, segments[-1].end)], slots)
    whole = "In 1974 Maren Oduya saw the first snowy owl of Sorrel Holm forest."
    (sentence,) = [s for s in found if s.text == whole]
    assert (sentence.start, sentence.end) == (0.0, pytest.approx(5.6, abs=0.1))


def test_speech_without_full_stops_is_told_in_pieces_of_a_fair_length() -> None:
    words = "the owl hunts voles in the forest at night and hears them below the snow"
    segments = [Segment("speech", 4.0 * i, 4.0 * i + 4, f"{words} {i}") for i in range(30)]
    said = told(segments, [(0.0, 120.0)])
    assert said
    assert all(70 <= len(text) <= 320 for text in said)


def test_a_video_of_three_sentences_is_its_own_summary() -> None:
    assert told(talk(OWLS[:3], times=1), [(0.0, 18.0)]) == []


def test_pictures_and_screens_tell_where_nobody_speaks() -> None:
    shown = [
        Segment("caption", 10.0 * i, 10.0 * i + 10, text)
        for i, text in enumerate((*OWLS, *FERRIES))
    ]
    slots = slots_of([strand(shown)], 80.0)
    found = key_sentences(shown, [(0.0, 40.0), (40.0, 80.0)], slots)
    assert {sentence.source for sentence in found} == {"caption"}


def test_nobody_said_what_was_invented() -> None:
    segments = talk(*TOPICS)
    false = "Maren Oduya thanks 412 people for watching this forest owl."
    segments[2] = Segment("speech", 12.0, 17.0, false, flags=("invented: stock phrase",))
    assert false not in told(segments, [(0.0, segments[-1].end)])


# ---------------------------------------------------------------- what a language model writes


def test_sentences_are_taken_with_the_lines_that_they_name() -> None:
    segments = talk(*TOPICS)
    reply = (
        "Here is the summary:\n"
        "- Owls hunt voles in the forest. [0:00, 0:06]\n"
        "2. The ferry is in dry dock for a new gearbox [0:54].\n"
        "A second ferry is wanted by the harbour master.\n"
        "Elephants are entirely unrelated.\n"
        "Bread is baked. [45:00]"
    )
    found = writer(reply).summary("Talk", segments)
    assert [(s.text, [line.start for line in s.lines]) for s in found] == [
        ("Owls hunt voles in the forest.", [0.0, 6.0]),
        ("The ferry is in dry dock for a new gearbox.", [54.0]),
        ("A second ferry is wanted by the harbour master.", [66.0]),
    ], "without a time the nearest line is named; what no line says is left out"


def test_a_reply_without_a_summary_is_a_failure_and_is_not_kept() -> None:
    asked = writer("I'm sorry, I cannot help with that.")
    for _ in range(2):
        with pytest.raises(ModelUnavailable, match="nothing usable"):
            asked.summary("Talk", talk(*TOPICS))
    assert asked.calls == 2


def test_the_same_text_is_asked_about_once() -> None:
    asked = writer("Owls hunt voles in the forest. [0:00]")
    first = asked.summary("Talk", talk(*TOPICS))
    assert asked.summary("Talk", talk(*TOPICS)) == first
    assert asked.calls == 1


def test_parts_are_fused_and_what_fusing_lost_is_put_back() -> None:
    segments = talk(*TOPICS, times=20)
    asked: list[str] = []

    def reply(prompt: str, system: str) -> str:
        asked.append(prompt)
        if "Put back what matters" in prompt:
            return "Owls and ferries. [0:00]\nMaren Oduya paid 48,000 crowns. [0:48]"
        if "Make one summary of the whole" in prompt:
            return "Owls and ferries are told of. [0:00]"
        first = prompt.split("----- transcript -----\n")[1].split(" ")[0]
        return f"Here the director Maren Oduya paid 48,000 crowns. [{first}]"

    found = writer(reply, window=2500).summary("Talk", segments)
    assert "missing: Maren, Oduya, 48,000" in asked[-1]
    assert asked[-1].count("Put back what matters") == 1
    assert [s.text for s in found] == ["Owls and ferries.", "Maren Oduya paid 48,000 crowns."]


def test_where_nothing_is_to_be_put_back_the_summary_stays_as_it_is() -> None:
    def reply(prompt: str, system: str) -> str:
        if "Put back what matters" in prompt:
            return "Nothing is worth putting back."
        if "Make one summary of the whole" in prompt:
            return "Owls and ferries are told of at owls .org. [0:00]"
        first = prompt.split("----- transcript -----\n")[1].split(" ")[0]
        return f"Here the director Maren Oduya looks at a page on .com . [{first}]"

    found = writer(reply, window=2500).summary("Talk", talk(*TOPICS, times=20))
    assert [s.text for s in found] == ["Owls and ferries are told of at owls .org."]


def test_a_fact_is_lost_only_where_no_sentence_has_it() -> None:
    line = (Line(0.0, 1.0, "said: x", "speech"),)
    parts = [Told("Then Ada's 15,000 owls left Bergen at 8:30.", line)]
    assert lost_facts(parts, [Told("Ada had 15000 owls.", line)]) == [
        (parts[0], ("Bergen", "8:30"))
    ]
    assert lost_facts(parts, [Told("Bergen, 8:30: 15,000 owls of Ada leave.", line)]) == []


# ---------------------------------------------------------------- what lies underneath


def test_a_sentence_goes_to_the_fewest_segments_that_hold_its_words() -> None:
    segments = [
        Segment("speech", 0, 5, "The owl hunts voles at night."),
        Segment("screen", 0, 60, "Owls\nvoles"),
        Segment("speech", 5, 9, "It weighs 300 grams."),
        Segment("speech", 50, 59, "The ferry leaves at noon."),
        Segment("summary", 0, 9, "The owl, 300 grams, hunts voles."),
        Segment("summary", 50, 59, "The owl, 300 grams, hunts voles."),
    ]
    (sentence,) = summary_of(segments)
    assert sentence.citations[:2] == (Place(0, 5, "speech"), Place(5, 9, "speech"))
    assert all(place.source != "summary" for place in sentence.citations)


def test_of_a_long_turn_only_the_part_that_is_meant() -> None:
    turn = Segment("speech", 0, 660, "The owl hunts voles. " * 60)
    (sentence,) = summary_of([turn, Segment("summary", 120, 132, "The owl hunts voles.")])
    assert sentence.citations == (Place(120, 132, "speech"),)


# ---------------------------------------------------------------- the command


@pytest.fixture
def imported(footnote: Footnote, tmp_path: Path) -> Footnote:
    footnote.json("import", write_rows(tmp_path / "r.jsonl", *rows(talk(*TOPICS), title="A talk")))
    return footnote


def test_a_summary_names_the_places_it_is_taken_from(imported: Footnote) -> None:
    found: dict[str, Any] = imported.json("summary", "talk")
    assert (found["video_id"], found["title"], found["note"]) == ("talk", "A talk", "")
    assert found["summary"] == " ".join(s["text"] for s in found["sentences"])
    stored = {(s["start"], s["end"]): s for s in imported.json("show", "talk")["segments"]}
    for sentence in found["sentences"]:
        (place,) = sentence["citations"]
        assert place["source"] == "speech"
        assert sentence["text"] == stored[place["start"], place["end"]]["text"]
    lines = imported.run("summary", "talk").out.splitlines()
    assert len(lines) == len(found["sentences"])
    assert all(line.endswith("]") for line in lines)


def test_a_summary_is_sought_only_where_it_is_asked_for(imported: Footnote) -> None:
    asked = imported.json("search", "ferry harbour", "--source", "summary")["moments"]
    assert {p["source"] for m in asked for p in m["passages"]} == {"summary"}
    every = imported.json("search", "--all", "ferry harbour")
    assert set(every["coverage"]["sources"]) == {"speech"}
