"""`footnote edit`: a correction is found at once, survives reading again, and can be taken back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import UsageError
from pipeline.ingest.correcting import correct_segment, segment_at
from pipeline.ingest.embedding import embed_segments, write_passages
from pipeline.library import Library
from pipeline.models.embedding import load_embedder
from pipeline.settings import Settings
from pipeline.store.catalog import Catalog
from pipeline.store.passages import EmbeddingSpace
from pipeline.store.patching import apply
from pipeline.store.pictures import StoredShot
from pipeline.types import Correction, Segment, Video, Word
from tests import clips
from tests.command import Footnote, write_rows

OWL = {"start": 2, "end": 6, "text": "The towel hunts moles at night."}
BOAT = {"start": 6, "end": 9.5, "text": "The ferry leaves the harbour at noon."}
LATE = {"start": 400, "end": 404, "text": "Nobody saw the badger."}
RIGHT = "The owl hunts voles at night."


@pytest.fixture(autouse=True)
def no_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chapters and summaries have a test of their own."""
    monkeypatch.setenv("FOOTNOTE_LEVELS", "none")


@pytest.fixture
def talk(footnote: Footnote, tmp_path: Path) -> Footnote:
    """An imported talk whose first utterance was misheard."""
    footnote.json("import", write_rows(tmp_path / "rows.jsonl", OWL, BOAT, LATE))
    return footnote


def texts(footnote: Footnote, video: str = "talk") -> list[str]:
    return [segment["text"] for segment in footnote.json("show", video)["segments"]]


def words_hit(footnote: Footnote, query: str) -> bool:
    """Whether the words of the query are in the word index now."""
    moment = footnote.json("search", query)["moments"][0]
    return bool(moment["why"].get("words_question", 0) > 0 and query in moment["text"])


def dump(footnote: Footnote) -> list[tuple[Any, ...]]:
    with Catalog(footnote.library) as catalog:
        return [row for row in catalog.dump() if row[0] != "corrections"]


# ---------------------------------------------------------------- one correction


def test_a_corrected_segment_is_found_by_its_new_words_at_once(talk: Footnote) -> None:
    assert not words_hit(talk, "owl hunts voles")
    with Catalog(talk.library) as catalog:
        before = {stored.id: stored.row for stored in catalog.passages_of("talk")}
    done = talk.json("edit", "talk", "--at", "2.5", "--text", RIGHT)
    (correction,) = done["corrections"]
    assert (correction["replaced"], correction["value"]) == (OWL["text"], RIGHT)
    assert done["passages"] == 1
    assert texts(talk) == [RIGHT, BOAT["text"], LATE["text"]]
    assert words_hit(talk, "owl hunts voles")
    assert not words_hit(talk, "towel hunts moles")
    with Catalog(talk.library) as catalog:
        after = {stored.id: stored.row for stored in catalog.passages_of("talk")}
    assert after.keys() == before.keys()
    assert after["talk:speech:1"] == before["talk:speech:1"], "the other passage was not touched"
    assert after["talk:speech:0"] != before["talk:speech:0"]
    answer = talk.json("ask", "Which owl hunts voles at night?")
    assert answer["citations"][0]["quote"] == RIGHT


def test_undo_brings_back_exactly_what_was_read(talk: Footnote) -> None:
    before = dump(talk)
    talk.json("edit", "talk", "--at", "0:02", "--text", RIGHT, "--speaker", "Ada")
    assert talk.json("show", "talk")["segments"][0]["speaker"] == "Ada"
    talk.json("edit", "talk", "--at", "0:02", "--text", "The owl sleeps.")
    undone = talk.json("edit", "talk", "--undo")
    assert undone["undone"] and undone["corrections"][0]["value"] == "The owl sleeps."
    assert texts(talk)[0] == RIGHT
    both = talk.json("edit", "talk", "--undo")["corrections"]
    assert [correction["field"] for correction in both] == ["text", "speaker"]
    assert dump(talk) == before
    assert not words_hit(talk, "owl hunts voles")
    assert talk.json("edit", "talk", "--undo", code=2)["error"]["code"] == "usage"


def test_corrections_are_listed(talk: Footnote) -> None:
    assert talk.json("edit", "talk", "--list")["corrections"] == []
    talk.json("edit", "talk", "--segment", "1", "--text", RIGHT)
    talk.json("edit", "talk", "--place", "Oslo")
    first, second = talk.json("edit", "talk", "--list")["corrections"]
    assert (first["source"], first["start"], first["fits"]) == ("speech", 2.0, True)
    assert (second["field"], second["replaced"], second["value"]) == ("place", None, ["Oslo"])
    shown = talk.run("edit", "talk", "--list").out
    assert RIGHT in shown and "Oslo" in shown


def test_only_the_passage_of_the_segment_is_made_again(tmp_path: Path) -> None:
    embedder = load_embedder("fake:64", Settings())
    said = [Segment("speech", at, at + 3.0, f"word {at} and more words") for at in range(0, 90, 3)]
    shots = [StoredShot(0, 27.0, {}), StoredShot(27.0, 54.0, {}), StoredShot(54.0, 90, {})]
    with Catalog(tmp_path, create=True) as catalog:
        catalog.put_video(Video("v", "v", duration=90.0))
        catalog.replace_shots("v", shots)
        catalog.claim_embedding_space(EmbeddingSpace("fake:64", 64))
        catalog.replace_segments("v", "speech", said)
        bounds = [shot.start for shot in shots]
        made = embed_segments(catalog, embedder, {"speech": said}, seconds=30, boundaries=bounds)
        write_passages(catalog, "v", made)
        before = {stored.idx: stored for stored in catalog.passages_of("v")}
        mended = "mended text and more words"
        edited = correct_segment(
            catalog, embedder, "v", said[-1], text=mended, speaker=None, seconds=30
        )
        after = {stored.idx: stored for stored in catalog.passages_of("v")}
        assert len(before) > 2 and edited.passages == 1
        *same, last = sorted(after)
        assert all(after[idx].row == before[idx].row for idx in same)
        assert after[last].passage.text.endswith(mended)
        text = after[last].passage.text
        vectors = catalog.vectors_of([after[last].row])[after[last].row]
        assert np.allclose(vectors, embedder.embed([text])[0])


# ---------------------------------------------------------------- reading it again


def test_a_correction_survives_the_same_text_read_again(talk: Footnote, tmp_path: Path) -> None:
    talk.json("edit", "talk", "--at", "2", "--text", RIGHT)
    done = talk.json("import", write_rows(tmp_path / "rows.jsonl", OWL, BOAT))
    assert done["videos"][0]["reason"] == ""
    assert texts(talk) == [RIGHT, BOAT["text"]]
    assert words_hit(talk, "owl hunts voles")


def test_a_correction_is_merged_into_a_different_reading(talk: Footnote, tmp_path: Path) -> None:
    talk.json("edit", "talk", "--at", "2", "--text", RIGHT)
    cut = [
        {"start": 2.2, "end": 3.9, "text": "So: the towel hunts"},
        {"start": 4, "end": 6.5, "text": "bowls at night, always. The ferry"},
    ]
    talk.json("import", write_rows(tmp_path / "rows.jsonl", *cut, BOAT))
    assert texts(talk)[:2] == ["So: the owl hunts", "voles at night, always. The ferry"]
    assert words_hit(talk, "voles")
    talk.json("edit", "talk", "--undo")
    assert texts(talk)[:2] == [cut[0]["text"], cut[1]["text"]], "as it was read the last time"


def test_a_correction_that_no_longer_fits_is_kept_and_said(talk: Footnote, tmp_path: Path) -> None:
    talk.json("edit", "talk", "--at", "2", "--text", RIGHT)
    other = {**OWL, "text": "Completely different words were spoken."}
    (video,) = talk.json("import", write_rows(tmp_path / "rows.jsonl", other))["videos"]
    assert "no longer fits" in video["reason"] and RIGHT in video["reason"]
    assert texts(talk) == [other["text"]]
    assert talk.json("edit", "talk", "--list")["corrections"][0]["fits"] is False
    assert "no longer fits" in talk.run("edit", "talk", "--list").out
    talk.json("import", write_rows(tmp_path / "rows.jsonl", OWL))
    assert texts(talk) == [RIGHT], "it fits again"
    assert talk.json("edit", "talk", "--list")["corrections"][0]["fits"] is True


def test_a_correction_survives_changed_sidecars_and_other_stages(
    footnote: Footnote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOOTNOTE_SCREEN_READER", "fake:Departures")
    videos = tmp_path / "videos"
    videos.mkdir()
    clips.write(videos / "film.mp4", clips.scenes((4.0, clips.texture(1)), fps=10), fps=10)
    srt = "1\n00:00:00,500 --> 00:00:02,000\nThe towel hunts moles.\n\n2\n00:00:02,500 --> "
    (videos / "film.srt").write_text(srt + "00:00:03,500\nThe ferry leaves.\n")
    first = footnote.json("add", videos)["videos"][0]
    footnote.json("edit", "film", "--at", "0:00", "--source", "speech", "--text", "The owl hunts.")
    footnote.json("edit", "film", "--at", "1", "--source", "screen", "--text", "Arrivals")
    footnote.json("edit", "film", "--title", "Owls", "--tag", "owl")
    again = footnote.json("add", videos)["videos"][0]
    assert again["status"] == "unchanged"
    assert again["stages"] == first["stages"], "no stage is redone for a correction"
    (videos / "film.srt").write_text(srt + "00:00:03,500\nThe ferry leaves at noon.\n")
    report = footnote.json("add", videos)["videos"][0]
    assert (report["status"], report["reason"]) == ("updated", "")
    assert texts(footnote, "film") == ["Arrivals", "The owl hunts.", "The ferry leaves at noon."]
    shown = footnote.json("show", "film")
    assert (shown["title"], shown["tags"]) == ("Owls", ["owl"])
    (videos / "film.srt").write_text(srt.replace("towel hunts moles", "sun sets on it") + "0:0:3,5")
    report = footnote.json("add", videos)["videos"][0]
    assert report["status"] == "updated", "a correction that does not fit is no failure"
    assert "no longer fits" in report["reason"]


def test_levels_made_of_the_text_are_made_of_the_corrected_text(
    footnote: Footnote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOOTNOTE_LEVELS", "text")
    lines = [{**OWL, "start": at, "end": at + 3, "text": f"Towel {at} flew."} for at in range(5)]
    footnote.json("import", write_rows(tmp_path / "rows.jsonl", *lines))

    def summary() -> str:
        shown = footnote.json("show", "talk")["segments"]
        return " ".join(segment["text"] for segment in shown if segment["source"] == "summary")

    first = summary()
    assert "Towel" in first
    for at in range(5):
        footnote.json("edit", "talk", "--at", str(at), "--text", f"Owl {at} flew.")
    assert "Towel" not in summary() and "Owl" in summary()
    for _ in range(5):
        footnote.json("edit", "talk", "--undo")
    assert summary() == first


# ---------------------------------------------------------------- which segment


def test_a_time_without_a_segment_names_the_nearest(talk: Footnote) -> None:
    error = talk.json("edit", "talk", "--at", "3:00", "--text", "x", code=2)["error"]
    assert error["code"] == "usage"
    assert "6 to 9.5 s" in error["message"] and "ferry" in error["message"]
    assert error["hint"] == "--segment 2"
    for arguments in (
        ("--text", "no segment"),
        ("--at", "1", "--segment", "1", "--text", "two of them"),
        ("--segment", "9", "--text", "x"),
        ("--segment", "1", "--source", "screen", "--text", "x"),
        ("--at", "2", "--text", " \n"),
        ("--at", "2", "--text", OWL["text"]),
        ("--at", "2", "--text", "x", "--title", "both"),
        ("--at", "soon", "--text", "x"),
        ("--at", "2", "--source", "telepathy", "--text", "x"),
        ("--title", " "),
        ("--undo", "--list"),
        ("--undo", "--title", "x"),
        (),
    ):
        assert talk.json("edit", "talk", *arguments, code=2)["error"]["message"]
    assert talk.json("edit", "talk", "--date", "soon", code=4)["error"]["code"] == "row"
    assert talk.json("edit", "nobody", "--title", "x", code=2)["error"]["code"] == "video_not_found"
    assert texts(talk) == [OWL["text"], BOAT["text"], LATE["text"]]


def test_a_time_as_it_is_shown_means_the_segment_that_is_shown_with_it() -> None:
    segments = [
        Segment("speech", 0, 2.4, "one"),
        Segment("speech", 2.4, 5, "two"),
        Segment("screen", 4, 9, "sign"),
    ]
    assert segment_at(segments, 2.0, None)[1].text == "one"
    assert segment_at(segments, 2.0, None, within=1.0)[1].text == "two"
    assert segment_at(segments, 4.5, "speech")[0] == 2
    with pytest.raises(UsageError, match="2 segments") as raised:
        segment_at(segments, 4.5, None)
    assert "--segment 3 (screen at 4 s)" in raised.value.hint
    assert segment_at(segments, 4.0, None)[1].text == "sign", "it begins then"
    derived = [*segments, Segment("summary", 0, 20, "about")]
    assert segment_at(derived, 1.0, None)[1].text == "one", "a summary is not what is meant"
    assert segment_at(derived, 15.0, None)[1].text == "about"


def test_no_add_and_no_edit_at_once(talk: Footnote) -> None:
    with Catalog(talk.library) as catalog:
        assert catalog.claim("talk", "add", "elsewhere:1:x", 60)
    error = talk.json("edit", "talk", "--title", "x", code=2)["error"]
    assert "footnote add is working" in error["message"]


# ---------------------------------------------------------------- the video itself


def test_facts_of_the_video_are_corrected_found_and_taken_back(
    talk: Footnote, tmp_path: Path
) -> None:
    talk.json(
        "edit", "talk", "--title", "Owls", "--date", "2024-05-01", "--person", "Ada Lovelace",
        "--person", "Alan Turing", "--tag", "birds", "--place", "Bergen",
    )  # fmt: skip
    shown = talk.json("show", "talk")
    assert (shown["title"], shown["date"], shown["place"]) == ("Owls", "2024-05-01", "Bergen")
    assert shown["people"] == ["Ada Lovelace", "Alan Turing"]
    for arguments in (("--person", "turing"), ("--tag", "birds"), ("--after", "2024")):
        assert talk.json("search", "ferry", *arguments)["moments"], arguments
    talk.json("import", write_rows(tmp_path / "r.jsonl", {**OWL, "title": "T", "people": ["Z"]}))
    assert talk.json("show", "talk")["people"] == ["Ada Lovelace", "Alan Turing"]
    talk.json("edit", "talk", "--person", "")
    assert talk.json("show", "talk")["people"] == []
    talk.json("edit", "talk", "--undo")
    talk.json("edit", "talk", "--undo")
    shown = talk.json("show", "talk")
    assert (shown["title"], shown["people"], shown["place"]) == ("T", ["Z"], "")


# ---------------------------------------------------------------- merging


def corrected(said: str, value: str, *read: str) -> list[str] | None:
    """The texts read, a second each, after a correction of what was said in all of them."""
    segments = [Segment("speech", at, at + 1.0, text) for at, text in enumerate(read)]
    place = Correction(1, "text", said, value, "speech", 0, max(1, len(read)), said)
    made = apply([place], segments)
    return [segment.text for segment in made.segments] if made.fits == (True,) else None


@pytest.mark.parametrize(
    ("said", "value", "read", "wanted"),
    [
        ("a b c d", "a X c d", ["a b c d"], ["a X c d"]),
        ("a b c d", "a X c d", ["a b c d e"], ["a X c d e"]),
        ("a b c d", "a X c d", ["before that, A  B, c d."], ["before that, A X c d."]),
        ("a b c d", "a X c d", ["a q c d"], ["a X c d"]),
        ("a b c d", "a X c d", ["a b", "c d"], ["a X", "c d"]),
        ("a b c d", "X a b c d", ["well a b c d"], ["well X a b c d"]),
        ("a b c d", "a b c d X", ["a b c d and on"], ["a b c d X and on"]),
        ("a b c d", "a c d", ["so a b c d"], ["so a c d"]),
        ("a b c d e", "A b c D e", ["so a b c d e so"], ["so A b c D e so"]),
        ("b c d", "X c d", ["and on and on y c d"], ["and on and on X c d"]),
        ("a b c d", "a X c d", ["a X c d"], ["a X c d"]),
        ("moles", "voles", ["Moles."], ["voles"]),
        ("日本後の字幕", "日本語の字幕", ["これは日本後の字幕です"], ["これは日本語の字幕です"]),
        ("a b c d", "a X c d", ["q r s t"], None),
        ("a b c d", "a X c d", [], None),
        ("a b c d", "a X c d", ["the cat sat on a mat and had a nap"], None),
    ],
)
def test_a_change_is_merged_word_by_word(
    said: str, value: str, read: list[str], wanted: list[str] | None
) -> None:
    assert corrected(said, value, *read) == wanted


def test_elsewhere_the_same_words_stay() -> None:
    segments = [Segment("speech", at, at + 1, "a b c d") for at in (0, 50, 100)]
    place = Correction(1, "text", "a b c d", "a X c d", "speech", 50, 51, "a b c d")
    made = apply([place], segments)
    assert [segment.text for segment in made.segments] == ["a b c d", "a X c d", "a b c d"]


def test_words_keep_their_times_and_a_persons_text_its_doubts_no_more() -> None:
    said = "the towel hunts moles"
    timed = tuple(Word(i / 2, (i + 1) / 2, word) for i, word in enumerate(said.split()))
    segment = Segment("speech", 0, 2, said, flags=("low_confidence",), words=timed)
    place = Correction(1, "text", said, "the barn owl hunts voles today", "speech", 0, 2, said)
    (made,) = apply([place], [segment]).segments
    times = [(word.text, word.start, word.end) for word in made.words]
    assert times == [
        ("the", 0, 0.5), ("barn", 0.5, 0.75), ("owl", 0.75, 1.0), ("hunts", 1.0, 1.5),
        ("voles", 1.5, 1.75), ("today", 1.75, 2.0),
    ]  # fmt: skip
    assert made.flags == ()


def test_a_speaker_goes_with_all_parts_of_what_was_said() -> None:
    place = Correction(1, "speaker", "", "Ada", "speech", 0, 4, "the owl hunts voles at night")
    read = [
        Segment("speech", 0, 2, "The owl hunts"),
        Segment("speech", 2, 4, "voles at night."),
        Segment("speech", 4, 6, "Thank you."),
    ]
    made = apply([place], read)
    assert [segment.speaker for segment in made.segments] == ["Ada", "Ada", ""]


# ---------------------------------------------------------------- from Python


def test_the_facade_edits(tmp_path: Path) -> None:
    values = {"embedding_model": "fake:64", "profile": "embedded", "levels": "none"}
    settings = Settings.model_validate({"library": tmp_path / "library", **values})
    with Library(settings=settings) as library:
        library.import_text(write_rows(tmp_path / "rows.jsonl", OWL, BOAT))
        done = library.edit("talk", at=3.0, text=RIGHT)
        assert done.passages == 1
        assert library.search("owl hunts voles").moments[0].text.startswith(RIGHT)
        assert [c.value for c in library.edits("talk").corrections] == [RIGHT]
        library.edit("talk", people=["Ada"], title="Owls")
        assert library.show("talk")[0].people == ("Ada",)
        with pytest.raises(UsageError, match="director"):
            library.edit("talk", director="Ada")
        library.undo_edit("talk")
        assert library.undo_edit("talk").corrections[0].value == RIGHT
