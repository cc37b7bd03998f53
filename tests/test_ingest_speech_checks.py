"""Speech that nobody said is flagged and not searched; what people say survives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.answer.statements import statements
from pipeline.ingest.passages import pack
from pipeline.ingest.speech import count_invented
from pipeline.ingest.speech_checks import check_speech, loops, too_fast
from pipeline.ingest.stock_phrases import folded, is_farewell
from pipeline.types import Segment, Video, Word
from tests import clips
from tests.command import Footnote
from tests.store_made import made_catalog, made_vectors

EVERYWHERE = [(0.0, 1e6)]


def said(
    text: str,
    start: float = 0.0,
    seconds: float = 0.0,
    flags: tuple[str, ...] = (),
    sure: float = 0.9,
) -> Segment:
    """A machine's segment, its words evenly spread, by default at three words a second."""
    texts = text.split()
    step = (seconds or max(len(texts), 2) / 3) / max(len(texts), 1)
    words = tuple(
        Word(start + at * step, start + (at + 1) * step, word, sure)
        for at, word in enumerate(texts)
    )
    end = words[-1].end if words else start + 1
    return Segment("speech", start, end, text, flags=flags, words=words)


def talk(*texts: str) -> list[Segment]:
    """Segments one after the other."""
    segments: list[Segment] = []
    for text in texts:
        segments.append(said(text, segments[-1].end + 0.2 if segments else 0.0))
    return segments


def reasons(segments: list[Segment], speech: list[tuple[float, float]] = EVERYWHERE) -> list[str]:
    flags = [" ".join(segment.flags) for segment in check_speech(segments, speech)]
    return [flag.removeprefix("invented: ") for flag in flags]


# ---------------------------------------------------------------- phrases that people say too

PHRASES = (
    "Thank you.",
    "Thanks for watching!",
    "Thank you for watching. Please subscribe!",
    "you",
    "Vielen Dank fürs Zuschauen.",
    "Merci d'avoir regardé cette vidéo.",
    "¡Suscríbete al canal!",
    "Продолжение следует...",
    "ご視聴ありがとうございました",
    "谢谢大家。",
    "시청해 주셔서 감사합니다.",
    "شكراً للمشاهدة",
)


@pytest.mark.parametrize("phrase", PHRASES)
@pytest.mark.parametrize(
    ("doubted", "speech"),
    [
        ({}, [(0.0, 4.0)]),
        ({"flags": ("no_speech",)}, EVERYWHERE),
        ({"flags": ("low_confidence",)}, EVERYWHERE),
        ({"sure": 0.3}, EVERYWHERE),
        ({"seconds": 25.0}, EVERYWHERE),
    ],
    ids=["half in silence", "no speech", "low confidence", "unlikely words", "drawn out"],
)
def test_a_stock_phrase_that_the_sound_speaks_against_is_invented(
    phrase: str, doubted: dict[str, Any], speech: list[tuple[float, float]]
) -> None:
    made = said(phrase, 3.6, **{"seconds": 2.0, **doubted})
    (flagged,) = check_speech([made], speech)
    assert flagged.flags == (*made.flags, "invented: stock phrase")
    assert replace(flagged, flags=made.flags) == made, "nothing else is changed"


@pytest.mark.parametrize("phrase", PHRASES)
def test_a_phrase_in_real_speech_survives(phrase: str) -> None:
    segments = talk("And that is all I have for today.", phrase, "Are there any questions?")
    assert check_speech(segments, EVERYWHERE) == segments


@pytest.mark.parametrize(
    "text",
    [
        "Thank you for the invitation to speak here.",
        "You",  # a word of an answer, said clearly
        "Thanks for watching the kettle while I was out.",
        "Subtitles by default are off in this player.",
        "The captions are made by volunteers.",
        "She said bye bye and closed the door.",
    ],
)
def test_a_phrase_within_a_sentence_is_speech(text: str) -> None:
    segments = talk("Let me begin.", text, "And so it goes on.")
    assert reasons(segments) == ["", "", ""]


@pytest.mark.parametrize(
    ("text", "in_the_middle"),
    [
        ("Subtitles by the Amara.org community", True),
        ("Sous-titres réalisés para la communauté d'Amara.org", True),
        ("Субтитры создавал DimaTorzok", True),
        ("Subtitles by Ann Example", False),
        ("Untertitel im Auftrag des ZDF, 2021", False),
        ("Undertexter av Bengt Exempel", False),
        ("字幕by某某", False),
    ],
)
def test_credits_are_invented_where_subtitles_have_them(text: str, in_the_middle: bool) -> None:
    before, after = said("We leave at noon.", 0.0), said("So be there in time.", 9.0)
    at_the_end = [before, said(text, 9.0)]
    assert reasons(at_the_end)[-1] == "stock phrase"
    among = [before, said(text, 4.0), after]
    assert reasons(among)[1] == ("stock phrase" if in_the_middle else "")
    assert reasons(among, [(0, 3.0), (8.0, 20.0)])[1] in ("stock phrase", "nobody speaks")


# ---------------------------------------------------------------- where nobody speaks


def test_words_where_the_detector_heard_nobody_are_invented() -> None:
    segments = [said("The ferry leaves at noon.", 0.0), said("And the owl hunts voles.", 10.0)]
    assert reasons(segments, [(0.0, 2.0)]) == ["", "nobody speaks"]
    assert reasons(segments, [(0.0, 2.0), (10.4, 11.5)]) == ["", ""]


def test_words_over_the_edge_of_speech_are_not() -> None:
    """Word times are off by a few tenths of a second."""
    assert reasons([said("No.", 2.2, 0.3)], [(0.0, 2.0)]) == [""]


def test_what_a_recogniser_doubts_twice_is_invented() -> None:
    text = "The mayor was born in Leeds."
    assert reasons([said(text, 0, 2, ("low_confidence",))]) == ["low_confidence"]
    assert reasons([said(text, 0, 2, ("no_speech",))]) == ["no_speech"]
    (both,) = check_speech([said(text, 0, 2, ("low_confidence", "no_speech"))], EVERYWHERE)
    assert both.flags == ("low_confidence", "no_speech", "invented: unsure")


@pytest.mark.parametrize(
    "text",
    [
        "[Music]",
        "♪",
        "♪ ♪ ♪",
        "(applause)",
        "[MUSIC PLAYING]",
        "*laughs*",
        "(音楽)",
        "...",
        "【拍手】",
    ],
)
def test_a_description_of_sound_is_no_speech(text: str) -> None:
    assert reasons([said(text)]) == ["no words"]


@pytest.mark.parametrize("text", ["♪ Over the hills ♪", "[Anna] It is 1995.", "1995", "五"])
def test_words_beside_notes_and_brackets_are(text: str) -> None:
    assert reasons([said(text)]) == [""]


# ---------------------------------------------------------------- faster than anybody speaks


def test_words_that_nobody_could_say_in_the_time_are_invented() -> None:
    text = "and then we took the ferry over to the other side of the bay"
    assert reasons([said(text, 0, 0.9)]) == ["too fast"]
    assert reasons([said(text, 0, 2.0)]) == [""], "seven words a second are a fast speaker"
    assert too_fast(said("今日は天気がいいから散歩に行きましょうと彼は言いました", 0, 0.5))
    assert not too_fast(said("今日は天気がいいから散歩に行きましょうと彼は言いました", 0, 3.0))
    assert not too_fast(said("Oh no.", 0, 0.1)), "a word or two is only timed badly"


# ---------------------------------------------------------------- loops

SENTENCE = "I'm going to go to the kitchen and get some water."


@pytest.mark.parametrize(
    "text",
    [
        " ".join([SENTENCE] * 6),
        "the " * 30,
        "So. " * 24,
        "and then we went to the " * 7,
        "ありがとう" * 12,
        "no no no no no no no no no",
        "We begin here. " + "to the right, " * 12,
    ],
)
def test_a_phrase_again_and_again_in_one_segment_is_a_loop(text: str) -> None:
    assert loops(text)
    assert reasons([said(text)]) == ["loop"]


@pytest.mark.parametrize(
    "text",
    [
        SENTENCE,
        "No, no, no, no, that is not what I meant.",
        "Yes we can. Yes we can. Yes we can.",
        "It is what it is, and that is that, and what was is what was.",
        "Row, row, row your boat, gently down the stream.",
        "それはそれは、とてもとても美しい花でした。",
        "",
    ],
)
def test_people_repeat_themselves_too(text: str) -> None:
    assert not loops(text)


def test_a_segment_again_and_again_is_a_loop_and_its_first_may_be_true() -> None:
    segments = talk("We start here.", *[SENTENCE] * 5, "That is all.")
    assert reasons(segments) == ["", "", "loop", "loop", "loop", "loop", ""]
    assert reasons(talk(*[SENTENCE] * 3)) == ["", "", ""], "three times is emphasis"
    assert reasons(talk(*["Yes."] * 5)) == [""] * 5, "five short answers are answers"
    assert reasons(talk(*["Yes."] * 7)) == ["", *["loop"] * 6]


def test_two_segments_that_take_turns_are_a_loop() -> None:
    pair = ["Where are you going now?", "I'm going to the kitchen."]
    assert reasons(talk(*pair, *pair, *pair)) == ["", "", "loop", "loop", "loop", "loop"]
    assert reasons(talk(*pair, *pair)) == [""] * 4


def test_the_same_sentence_at_every_stop_is_no_loop() -> None:
    """An announcement, minutes apart."""
    segments = [said(SENTENCE, 120.0 * at) for at in range(8)]
    assert reasons(segments) == [""] * 8


def test_the_glossary_by_itself_is_what_the_recogniser_was_told() -> None:
    terms = ("Kubernetes", "Anna Kowalska", "Taproot", "Schnorr")
    echo = said("Kubernetes, Anna Kowalska, Taproot.")
    (flagged,) = check_speech([echo], EVERYWHERE, terms)
    assert flagged.flags == ("invented: glossary",)
    spoken = said("Taproot and Schnorr run on Kubernetes.")
    assert check_speech([spoken], EVERYWHERE, terms) == [spoken]
    assert check_speech([echo], EVERYWHERE) == [echo], "without a glossary it was said"


words = st.lists(
    st.text("abcdefghijklmnopqrstuvwxyz", min_size=2, max_size=9), min_size=1, max_size=40
)


@given(st.lists(words, max_size=8))
def test_different_words_at_the_pace_of_speech_are_never_touched(texts: list[list[str]]) -> None:
    segments = talk(*(" ".join([*dict.fromkeys(text), str(at)]) for at, text in enumerate(texts)))
    assert check_speech(segments, EVERYWHERE) == segments


@given(
    st.lists(st.sampled_from(["Thank you.", SENTENCE, "[Music]", "you", "So. " * 9]), max_size=9)
)
def test_judging_again_changes_nothing(texts: list[str]) -> None:
    once = check_speech(talk(*texts), [(0.0, 5.0)])
    assert check_speech(once, [(0.0, 5.0)]) == once


def test_phrases_are_compared_without_case_marks_and_accents() -> None:
    assert folded("Mönsieur  D'Artagnan, À LA prochaine!") == "monsieur dartagnan a la prochaine"
    assert folded("プログラム") == "プログラム", "voiced marks are no accents"
    assert is_farewell("A la PROCHAINE...") and not is_farewell("")


# ---------------------------------------------------------------- in the library


def test_what_is_invented_is_in_no_passage_and_the_rest_keeps_its_place() -> None:
    segments = talk("The ferry leaves at noon.", "[Music]", "The owl hunts voles.")
    checked = check_speech(segments, EVERYWHERE)
    (passage,) = pack(checked, lambda texts: [len(t.split()) for t in texts], max_tokens=99)
    assert passage.text == "The ferry leaves at noon. The owl hunts voles."
    assert (passage.first, passage.last) == (0, 2)
    assert passage.end == segments[2].end
    assert pack(checked[1:2], lambda texts: [1 for _ in texts], max_tokens=99) == []


def test_nothing_cites_it_and_no_passage_has_it_underneath(tmp_path: Path) -> None:
    segments = talk("The ferry leaves at noon.", "Thanks for watching!", "The owl hunts voles.")
    segments[1] = replace(segments[1], flags=("no_speech",))
    checked = check_speech(segments, EVERYWHERE)
    assert [s.text for s in statements("talk", checked)] == [segments[0].text, segments[2].text]
    with made_catalog(tmp_path / "library") as catalog:
        catalog.put_video(Video("talk", "talk", duration=60.0))
        catalog.replace_segments("talk", "speech", checked)
        passages = pack(checked, lambda texts: [len(t.split()) for t in texts], max_tokens=99)
        vectors = made_vectors([passage.text for passage in passages])
        catalog.replace_passages("talk", "speech", passages, vectors)
        (stored,) = catalog.passages_of("talk")
        (under,) = catalog.segments_under([stored.row]).values()
        assert [text for _, text, _ in under] == [segments[0].text, segments[2].text]
        assert catalog.segments("talk") == checked, "it is kept"


def test_they_are_counted_by_reason() -> None:
    checked = check_speech(talk("[Music]", "The owl hunts.", "♪"), EVERYWHERE)
    assert count_invented(checked) == (
        "2 of 3 utterances are invented and not searched: no words 2"
    )
    assert count_invented(checked[1:2]) == ""


def test_an_invention_is_kept_and_shown_but_neither_found_nor_cited(
    footnote: Footnote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same words over a tone of twelve seconds and over one of a second."""
    monkeypatch.setenv("FOOTNOTE_SPEECH_MODEL", "fake:thanks for watching")
    monkeypatch.setenv("FOOTNOTE_SPEECH_DETECTOR", "fake:loudness")
    media = tmp_path / "media"
    media.mkdir()
    for name, seconds in (("drawn", 12.0), ("said", 1.0)):
        tone = clips.Track([clips.Tone(1.0, 1.0 + seconds)], end=14.0, codec="pcm_s16le")
        clips.write(media / f"{name}.wav", tracks=[tone])
    report = footnote.json("add", media)
    assert "1 of 1 utterances are invented" in report["videos"][0]["stages"]["speech"]["reason"]
    (drawn,) = footnote.json("show", "drawn")["segments"]
    assert (drawn["text"], drawn["flags"]) == ("thanks for watching", ["invented: stock phrase"])
    assert footnote.json("show", "said")["segments"][0]["flags"] == []
    assert "1 segment invented: not searched" in footnote.run("show", "drawn").out
    assert footnote.json("status")["counts"]["segments_invented"] == 1
    found = footnote.json("search", "thanks for watching")["moments"]
    assert [moment["video_id"] for moment in found] == ["said"]
