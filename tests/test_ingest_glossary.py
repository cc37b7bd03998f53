"""A user's names and terms in place of near misses; common words are never touched."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import SettingsError
from pipeline.ingest.glossary import Glossary, edits, sound_of
from pipeline.ingest.speech import finish
from pipeline.models.vocabulary import common_words
from pipeline.settings import load_settings
from pipeline.store.glossary import read_glossary
from pipeline.types import Segment, Turn, Word
from tests import clips
from tests.command import Footnote

TERMS = (
    "Kubernetes", "Taproot", "Schnorr", "Lightning Network", "Anna Kowalska", "PostgreSQL",
    "Miniscript", "Footnote", "Apple", "Martens", "Wuille", "UTXO",
)  # fmt: skip
COMMON = common_words()
GLOSSARY = Glossary(TERMS, COMMON)


def corrected(text: str, language: str = "en") -> str:
    return GLOSSARY.correct(Segment("speech", 0, 1, text, language=language)).text


@pytest.mark.parametrize(
    ("heard", "meant"),
    [
        ("We run Cubernetes here.", "We run Kubernetes here."),
        ("a toproot output", "a Taproot output"),
        ("Shnorr signatures, schnorr too", "Schnorr signatures, Schnorr too"),
        ("the lightning netwerk", "the Lightning Network"),
        ("anna kovalska spoke", "Anna Kowalska spoke"),
        ("in Post gresql and postgresql", "in PostgreSQL and PostgreSQL"),
        ("a mini-skript", "a Miniscript"),
        ("minniscript's rules", "Miniscript's rules"),
    ],
)
def test_a_near_miss_is_written_as_the_user_writes_it(heard: str, meant: str) -> None:
    assert corrected(heard) == meant


@pytest.mark.parametrize(
    "text",
    [
        "an apple and a footnote, two footnotes",  # common words that are terms as well
        "taproots and the Kowalskis",  # inflected
        "Anna said, and Anna Kowalski agreed",  # another name
        "and kowalsky and mart ends",
        "martin, marten and the market",
        "BIP340-schnorr_x @taprot taprot.io utxos tap root",
        "will, while and wile",
        "Kubernetes and Schnorr's Taproot on the Lightning Network",
        "",
    ],
)
def test_other_words_stay(text: str) -> None:
    segment = Segment("speech", 0, 1, text, language="en")
    assert GLOSSARY.correct(segment) == segment


def test_everyday_talk_is_untouched_by_any_glossary_of_near_words() -> None:
    """Terms made by misspelling the very words that are said."""
    text = (
        "The quick reply was that nobody should expect the harbour office to answer before winter "
        "because several people leave their letters unopened and the printer broke again yesterday"
    )
    terms = [word[:2] + "q" + word[3:] for word in text.split() if len(word) > 4]
    segment = Segment("speech", 0, 1, text, language="en")
    assert Glossary(terms, COMMON).correct(segment) == segment


@pytest.mark.parametrize("language", ["de", "fr", "es"])
def test_in_other_languages_only_long_words_by_one_letter(language: str) -> None:
    assert corrected("Kubernettes läuft", language) == "Kubernetes läuft"
    assert corrected("Cubernettes läuft") == "Kubernetes läuft"
    assert corrected("Cubernettes läuft", language) == "Cubernettes läuft"
    assert corrected("toprut and shnor", language) == "toprut and shnor"


def test_a_common_word_is_no_part_of_a_near_miss() -> None:
    both = Glossary(["Wuille Martens"], COMMON)
    segment = Segment("speech", 0, 1, "then wuille martins came", language="en")
    assert both.correct(segment) == segment
    missed = Segment("speech", 0, 1, "then wuille mahrtens came", language="en")
    assert both.correct(missed).text == "then Wuille Martens came"


def test_between_two_terms_that_are_as_near_nothing_is_chosen() -> None:
    both = Glossary(["Braddon", "Bradden"], COMMON)
    segment = Segment("speech", 0, 1, "then braddin came", language="en")
    assert both.correct(segment) == segment


def test_what_stood_there_is_kept_and_words_keep_their_times() -> None:
    words = tuple(
        Word(float(at), at + 1.0, text, 0.9 - at / 10)
        for at, text in enumerate(["the", "lightning", "netwerk,", "post", "gresql."])
    )
    segment = Segment(
        "speech", 0, 5, "the lightning netwerk, post gresql.", language="en", words=words
    )
    fixed = GLOSSARY.correct(segment)
    assert fixed.text == "the Lightning Network, PostgreSQL."
    assert [(w.start, w.end, w.text) for w in fixed.words] == [
        (0, 1, "the"),
        (1, 3, "Lightning Network,"),
        (3, 5, "PostgreSQL."),
    ]
    assert fixed.flags == (
        "corrected: lightning netwerk to Lightning Network",
        "corrected: post gresql to PostgreSQL",
    )
    assert not fixed.doubtful and not fixed.invented
    assert (fixed.start, fixed.end) == (0, 5)


def test_only_what_was_said_is_finished() -> None:
    invented = Segment("speech", 0, 1, "toproot", language="en", flags=("invented: loop",))
    spoken = Segment("speech", 1, 2, "toproot", language="en")
    finished = finish([invented, spoken], GLOSSARY, [Turn(0, 3, "Anna")])
    assert finished[0] == invented
    assert (finished[1].text, finished[1].speaker) == ("Taproot", "Anna")


@given(st.text(max_size=60))
def test_whatever_is_said_has_an_end_and_corrections_are_stable(text: str) -> None:
    once = corrected(text)
    assert corrected(once) == once


short = st.text("abcd", max_size=6)


@given(short, short)
def test_edits_are_a_distance(a: str, b: str) -> None:
    assert edits(a, b, 9) == edits(b, a, 9)
    assert (edits(a, b, 9) == 0) == (a == b)
    assert abs(len(a) - len(b)) <= edits(a, b, 9) <= max(len(a), len(b))
    assert edits(a, b, 1) in (edits(a, b, 9), 2)


def test_swapped_letters_are_one_edit() -> None:
    assert edits("taprtoo", "taproto", 3) == 1
    assert edits("kubernetes", "cooper", 3) == 4, "more than was asked for"


@pytest.mark.parametrize(
    ("a", "b", "alike"),
    [("cubernetes", "kubernetes", True), ("shnorr", "schnorr", True), ("phrase", "frase", True),
     ("taproot", "tabroot", False), ("miniscript", "minnyscript", True)],
)  # fmt: skip
def test_words_that_sound_the_same(a: str, b: str, alike: bool) -> None:
    assert (sound_of(a) == sound_of(b)) == alike


# ---------------------------------------------------------------- common words


def test_common_words_and_their_inflections_are_known() -> None:
    for word in ("house", "houses", "Voltages", "programming", "Berlin", "weather", "zwischen"):
        assert word in COMMON
    for word in ("taproot", "kovalska", "mempool", "netwerk"):
        assert word not in COMMON


def test_they_need_neither_whisper_nor_torch() -> None:
    code = (
        "import sys\nfrom pipeline.models.vocabulary import common_words\n"
        "assert 'house' in common_words()\n"
        "sys.exit(bool({'torch', 'whisper', 'tiktoken'} & set(sys.modules)))\n"
    )
    root = Path(__file__).resolve().parent.parent
    assert subprocess.run([sys.executable, "-c", code], cwd=root).returncode == 0


# ---------------------------------------------------------------- where it comes from


def test_the_librarys_file_has_a_term_on_each_line(tmp_path: Path) -> None:
    assert read_glossary(tmp_path) == ()
    text = "\ufeff# names\nAnna  Kowalska\n\nTaproot # a soft fork\nTaproot\n"
    (tmp_path / "glossary.txt").write_text(text, encoding="utf-8")
    assert read_glossary(tmp_path) == ("Anna Kowalska", "Taproot")
    (tmp_path / "glossary.txt").write_bytes(b"\xff\xfe\x00bad")
    with pytest.raises(SettingsError, match="glossary"):
        read_glossary(tmp_path)


def test_lists_come_from_a_file_as_lists_and_from_the_environment_with_commas(
    tmp_path: Path,
) -> None:
    (tmp_path / "footnote.toml").write_text('glossary = ["Anna Kowalska", "Taproot"]')
    assert load_settings(environment={}, folder=tmp_path).glossary == ("Anna Kowalska", "Taproot")
    given_ones = {"FOOTNOTE_GLOSSARY": "Schnorr, Taproot,", "FOOTNOTE_SPEAKERS": "Anna"}
    settings = load_settings(environment=given_ones, folder=tmp_path)
    assert settings.glossary == ("Schnorr", "Taproot")
    assert settings.speakers == ("Anna",)


def test_a_glossary_redoes_what_was_heard_and_not_what_people_wrote(
    footnote: Footnote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOOTNOTE_SPEECH_MODEL", "fake:the toproot talk")
    monkeypatch.setenv("FOOTNOTE_SPEECH_DETECTOR", "fake:loudness")
    media = tmp_path / "media"
    media.mkdir()
    for name in ("heard", "written"):
        tone = clips.Track([clips.Tone(0.5, 2.0, len(name) * 90.0)], end=3.0, codec="pcm_s16le")
        clips.write(media / f"{name}.wav", tracks=[tone])
    (media / "written.srt").write_text("1\n00:00:00,500 --> 00:00:02,000\nThe toproot talk\n")
    first = footnote.json("add", media)
    (footnote.library / "glossary.txt").write_text("Taproot\n")
    again = footnote.json("add", media)
    assert footnote.json("show", "written")["segments"][0]["text"] == "The toproot talk"
    assert again["videos"][1]["stages"] == first["videos"][1]["stages"], "no stage ran"
    (heard,) = footnote.json("show", "heard")["segments"]
    assert heard["text"] == "the Taproot talk"
    assert heard["flags"] == ["corrected: toproot to Taproot"]
    assert footnote.json("search", "taproot")["moments"][0]["video_id"] == "heard"
    third = footnote.json("add", media)
    assert third["videos"][0]["stages"] == again["videos"][0]["stages"]
