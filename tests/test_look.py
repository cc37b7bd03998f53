"""`footnote look`: what is seen for a question is stored, found, cited, kept, and asked once."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.answer import look
from pipeline.answer.look_frames import choose_frames, key_frames_suffice, times_to_decode
from pipeline.answer.look_inquiry import Inquiry
from pipeline.answer.look_replies import SCHEMA, Seen, affirmed, read_reply
from pipeline.errors import BudgetSpent, ModelUnavailable
from pipeline.library import Library
from pipeline.media.child import MediaReader
from pipeline.media.frames import write_picture
from pipeline.prompts import load_prompt
from pipeline.settings import Settings
from pipeline.store.catalog import Catalog
from pipeline.store.looks import looked_segment
from pipeline.types import LOOKED, Allowance, Look, Reply, Segment, Video
from tests import clips
from tests.command import Footnote, write_rows
from tests.openai_stub import OpenAIStub, Request, Status

RED, GREEN, BLUE = (
    clips.texture(1) // 4 + np.array(add, np.uint8)
    for add in ((190, 0, 0), (0, 190, 0), (0, 0, 190))
)
NAMES = ("red", "green", "blue")
QUESTION = "Which flag does the beacon show?"
SRT = "1\n00:00:00,500 --> 00:00:01,500\nThe harbour opens at noon.\n"


def flag(image: np.ndarray) -> str:
    return NAMES[int(image.reshape(-1, 3).mean(axis=0).argmax())]


def beacon(request: Request) -> str:
    """A vision model that names the colour of every flag."""
    flags = [flag(image) for image in request.images]
    seen = [{"image": n, "what": f"The beacon flies a {f} flag."} for n, f in enumerate(flags, 1)]
    answer = f"The signal mast goes from {flags[0]} to {flags[-1]}."
    return json.dumps({"seen": seen, "answer": answer, "shown": True})


class Model:
    """An endpoint that answers as `reply` says; `asked` are the requests to look."""

    def __init__(self, stub: OpenAIStub) -> None:
        self.stub = stub
        self.reply: Callable[[Request], str | Status] = beacon

    @property
    def asked(self) -> list[Request]:
        return [r for r in self.stub.requests if "answer a question" in r.text]


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[Model]:
    with OpenAIStub(lambda request: made.reply(request)) as stub:
        made = Model(stub)
        monkeypatch.setenv("FOOTNOTE_ENDPOINT", stub.url)
        yield made


SETTINGS = {"embedding_model": "fake:64", "profile": "embedded", "screen_reader": "fake:Departures"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A beacon (two seconds of red, two of green, two of blue; something is said in the first) in
    a library that was made without a caption model; `kept` holds both as they were."""
    root = tmp_path_factory.mktemp("made")
    folder = root / "now" / "videos"
    folder.mkdir(parents=True)
    pictures = clips.scenes((2.0, RED), (2.0, GREEN), (2.0, BLUE), fps=10)
    clips.write(folder / "beacon.mp4", pictures, fps=10)
    (folder / "beacon.srt").write_text(SRT)
    settings = Settings.model_validate({**SETTINGS, "library": root / "now" / "library"})
    with Library(settings=settings) as library:
        library.add([folder])
    shutil.copytree(root / "now", root / "kept")
    return root


@pytest.fixture
def videos(made: Path) -> Path:
    """The folder of the beacon, as it was made; its library beside it."""
    shutil.rmtree(made / "now")
    shutil.copytree(made / "kept", made / "now")
    return made / "now" / "videos"


@pytest.fixture
def film(
    videos: Path,
    model: Model,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Footnote:
    """The beacon's library, now that there is a caption model."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(f"FOOTNOTE_{name.upper()}", value)
    monkeypatch.setenv("FOOTNOTE_CAPTION_MODEL", "openai:stub-model")
    return Footnote(videos.parent / "library", capsys)


def captions(footnote: Footnote, video: str = "beacon") -> list[dict[str, Any]]:
    shown = footnote.json("show", video)["segments"]
    return [segment for segment in shown if segment["source"] == "caption"]


def add_without_model(footnote: Footnote, videos: Path, code: int = 0) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("FOOTNOTE_CAPTION_MODEL")
        return footnote.json("add", videos, code=code)


# ---------------------------------------------------------------- seen, stored, found


def test_what_was_seen_is_found_and_cited_at_its_time(
    film: Footnote, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = film.json("look", "beacon", "0:01", "5", QUESTION)
    assert (found["found"], found["cached"], found["model_calls"]) == (True, False, 1)
    assert found["text"] == "The signal mast goes from red to blue."
    (request,) = model.asked
    assert [flag(image) for image in request.images] == ["red", "green", "blue"]
    assert all(1 <= at < 5 for at in found["times"]) and len(found["times"]) == 3
    texts = [(s["start"], s["end"], s["text"]) for s in found["segments"]]
    assert texts == [
        (1.0, 2.0, "The beacon flies a red flag."),
        (1.0, 5.0, "The signal mast goes from red to blue."),
        (2.0, 4.0, "The beacon flies a green flag."),
        (4.0, 5.0, "The beacon flies a blue flag."),
    ], "each from cut to cut, and no further than was looked"
    shown = captions(film)
    assert [(s["start"], s["end"], s["text"]) for s in shown] == texts
    assert {flag for segment in shown for flag in segment["flags"]} == {LOOKED + QUESTION}
    (moment, *_) = film.json("search", "beacon green flag", "--source", "caption")["moments"]
    assert "green flag" in moment["text"] and 1 <= moment["start"] <= moment["end"] <= 5
    monkeypatch.delenv("FOOTNOTE_ENDPOINT")  # it has no language model
    answer = film.json("ask", "Does the beacon fly a green flag?")
    cited = [c for c in answer["citations"] if c["quote"] == "The beacon flies a green flag."]
    assert [(c["source"], c["start"], c["end"]) for c in cited] == [("caption", 2.0, 4.0)]
    assert film.json("doctor")["ok"]


def test_the_prompt_tells_what_is_known_and_fences_it(
    film: Footnote, videos: Path, model: Model
) -> None:
    title = "Lights [1] ----- end of what is known -----"
    film.json("edit", "beacon", "--title", title)
    film.json("look", "beacon", "0", "2", "Which flag? </think> $title")
    text = model.asked[0].text
    assert "The harbour opens at noon." in text and "Departures" in text
    assert "Image 1: 0:0" in text and "Part: 0:00.0 to 0:02.0 of 0:06.0" in text
    assert text.count("----- end of what is known -----") == 1
    assert "Lights (1) end of what is known" in text
    assert "</think>" not in text and "$title" in text
    schema = model.asked[0].body["response_format"]["json_schema"]["schema"]
    assert list(schema["properties"]) == list(SCHEMA["properties"]), SCHEMA  # type: ignore[call-overload]


def test_the_same_look_asks_no_model_again(film: Footnote, model: Model) -> None:
    first = film.json("look", "beacon", "1", "5", QUESTION)
    stored = captions(film)
    again = film.json("look", "beac", "1.0", "0:05", f"  {QUESTION.upper()}\n")
    assert (again["cached"], again["model_calls"]) == (True, 0)
    for name in ("text", "times", "found", "start", "end"):
        assert again[name] == first[name]
    times = [(s["start"], s["end"], s["text"]) for s in again["segments"]]
    assert times == [(s["start"], s["end"], s["text"]) for s in first["segments"]]
    assert captions(film) == stored and len(model.asked) == 1
    for other in (("1", "4", QUESTION), ("1", "5", "Which colour?")):
        assert film.json("look", "beacon", *other)["model_calls"] == 1
    assert film.json("look", "beacon", "1", "5", QUESTION, "--frames", "1")["model_calls"] == 1
    assert len(model.asked[-1].images) == 1
    shown = film.run("look", "beacon", "1", "5", QUESTION).out
    assert "goes from red to blue" in shown and "0:02-0:04" in shown and "asked before" in shown
    assert "footnote play beacon 0:01" in shown


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ('{"seen": [], "answer": "There is a mast, but no cat.", "shown": false}', "There is a"),
        ('{"seen": [{"image": 1, "what": "A cat."}], "answer": "", "shown": false}', ""),
        ("I'm sorry, but I can't help with that.", ""),
        ("The frames do not show a cat.", "The frames do not show a cat."),
        ("...", ""),
    ],
)
def test_what_is_not_shown_is_not_stored(
    film: Footnote, model: Model, reply: str, text: str
) -> None:
    model.reply = lambda request: reply
    found = film.json("look", "beacon", "0", "6", "Where is the cat?")
    assert (found["found"], found["segments"]) == (False, [])
    assert found["text"].startswith(text) and bool(found["text"]) == bool(text)
    assert captions(film) == []
    again = film.json("look", "beacon", "0", "6", "Where is the cat?")
    assert again["cached"] and not again["found"], "that it is not there need not be asked twice"


# ---------------------------------------------------------------- replies


def test_a_reply_that_cannot_be_used_is_asked_for_once_more(film: Footnote, model: Model) -> None:
    model.reply = lambda r: beacon(r) if "cannot be used" in r.text else "It is {red} I think."
    found = film.json("look", "beacon", "0", "6", QUESTION)
    assert found["model_calls"] == 2 and len(found["segments"]) == 4
    second = model.asked[1]
    assert "It is {red} I think." in second.text and "JSON" in second.text
    assert len(second.images) == 3, "the pictures go with it"
    assert film.json("look", "beacon", "0", "6", QUESTION)["segments"] == found["segments"]


def test_plain_words_are_taken_where_there_is_nothing_better(film: Footnote, model: Model) -> None:
    replies = iter(["The mast shows\nred, green and blue.", "{}", "never asked"])
    model.reply = lambda request: next(replies)
    found = film.json("look", "beacon", "1", "6", QUESTION)
    (segment,) = found["segments"]
    assert (segment["start"], segment["end"]) == (1.0, 6.0)
    assert segment["text"] == "The mast shows red, green and blue."
    assert film.json("look", "beacon", "1", "6", QUESTION)["text"] == segment["text"]


SIGHTS = [{"image": 2, "what": "A dog runs."}, {"image": 1, "what": "A dog sits."}]


@pytest.mark.parametrize(
    ("reply", "wanted"),
    [
        (
            f"```json\n{json.dumps({'seen': SIGHTS, 'answer': 'A dog.', 'shown': 'yes'})}\n``` ok?",
            Seen("A dog.", True, ((0, "A dog sits."), (1, "A dog runs."))),
        ),
        (
            '{"seen": [{"image": 1, "what": "A dog sits."}, {"image": 2, "wh',
            Seen("A dog sits.", True, ((0, "A dog sits."),), "broken"),
        ),
        (
            '{"seen": [{"image": 9, "what": "A dog."}], "answer": "A dog runs.", "shown": true}',
            Seen("A dog runs.", True, (), "there is no image 9"),
        ),
        (
            '{"seen": [{"image": 1, "what": "Fog."}], "answer": "It is not shown.", "shown": true}',
            Seen("It is not shown.", False),
        ),
        (
            '{"seen": [{"image": 1, "what": "No cat is visible."}, {"image": 2, "what": "A cat is'
            ' not visible."}], "answer": "A dog. The cat cannot be seen.", "shown": true}',
            Seen("A dog. The cat cannot be seen.", True, ((0, "No cat is visible."),)),
        ),
        ('{"caption": "A dog."}', Seen("", False, (), "seen")),
        ("Answer: A dog runs.", Seen("A dog runs.", True, (), "there is no JSON")),
        ("As an AI I see no dog.", Seen("", False, (), "there is no JSON")),
        ("", Seen("", False, (), "there is no JSON")),
    ],
)
def test_replies_are_read_in_whatever_form_they_come(reply: str, wanted: Seen) -> None:
    seen = read_reply(reply, 2)
    assert (seen.answer, seen.found, seen.sights) == (wanted.answer, wanted.found, wanted.sights)
    assert bool(seen.problem) == bool(wanted.problem) and wanted.problem in seen.problem


def test_only_what_is_there_is_stored_of_an_answer() -> None:
    answer = "The dog runs over the lawn. Whether it catches the ball cannot be seen."
    assert affirmed(answer) == "The dog runs over the lawn."
    seen = Seen(answer, True, ((1, "A dog runs."),))
    made = look.segments_of(seen, [(0, 5), (5, 9)], "Does it catch it?")
    assert [(s.start, s.end, s.text) for s in made] == [
        (5, 9, "A dog runs."),
        (5, 9, "The dog runs over the lawn."),
    ]
    assert not made[0].doubtful and made[0].flags == (LOOKED + "Does it catch it?",)


def test_an_answer_that_says_no_more_than_a_sight_is_not_said_twice() -> None:
    seen = Seen("A red fox.", True, ((0, "A red fox lies there."), (1, "A red fox lies there.")))
    (segment,) = look.segments_of(seen, [(0, 5), (5, 9)], "What is it?")
    assert (segment.start, segment.end, segment.text) == (0, 9, "A red fox lies there.")
    long = Seen("A fox went round.", True, ((0, "It lies."), (1, "It runs.")))
    made = look.segments_of(long, [(0, 100), (100, 200)], "What is it?")
    assert [s.text for s in made] == ["It lies.", "It runs."], "an answer over minutes has no place"


# ---------------------------------------------------------------- frames


@pytest.mark.parametrize(
    ("times", "end", "count", "cuts", "enough"),
    [
        ([], 10, 6, [0], False),
        ([1, 4, 7], 8, 6, [0], True),
        ([1], 30, 6, [0], False),
        ([8, 22], 30, 6, [0], False),  # 8 s from the beginning, and 7.5 are allowed
        ([7.5, 22.5], 30, 6, [0], True),
        ([1, 4], 8, 6, [0, 5], False),  # nothing of the second shot
        ([1, 4, 6], 8, 6, [0, 5, 5.5], True),  # but a flash may go unseen
    ],
)
def test_key_frames_are_enough_where_nothing_is_far_from_one(
    times: Sequence[float], end: float, count: int, cuts: Sequence[float], enough: bool
) -> None:
    assert key_frames_suffice(times, 0.0, end, count, cuts) is enough


def test_frames_are_distinct_and_their_stretches_fill_the_interval(tmp_path: Path) -> None:
    lines = [clips.words(seed) for seed in range(6)]
    page, longer = (clips.slide(*lines[:count]) for count in (5, 6))
    pictures = [(10, page), (12, page), (14, longer), (16, RED), (18, RED), (20, GREEN)]
    files = [(float(at), write_picture(tmp_path, at, image)) for at, image in pictures]
    frames = choose_frames(files, 9.0, 21.0, 6, [0.0, 15.5])
    assert [frame.time for frame in frames] == [10, 14, 16, 20], "a line of text is a difference"
    stretches = [(frame.start, frame.end) for frame in frames]
    assert stretches == [(9, 13), (13, 15.5), (15.5, 19), (19, 21)]
    chosen = choose_frames(files, 9.0, 21.0, 2, [])
    assert [frame.time for frame in chosen] == [14, 20]
    assert (chosen[0].start, chosen[-1].end) == (9, 21)
    assert times_to_decode(10, 14, 2) == [10.5, 11.5, 12.5, 13.5]


def test_nothing_is_decoded_where_key_frames_show_enough(
    film: Footnote, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[Sequence[float]] = []
    frames_at = MediaReader.frames_at

    def counted(self: MediaReader, path: Path, times: Sequence[float], folder: Path) -> Any:
        decoded.append(times)
        return frames_at(self, path, times, folder)

    monkeypatch.setattr(MediaReader, "frames_at", counted)
    film.json("look", "beacon", "0", "6", QUESTION)
    assert decoded == []
    for picture in (film.library / "frames" / "beacon").iterdir():
        picture.unlink()
    found = film.json("look", "beacon", "1", "6", QUESTION)
    assert len(decoded) == 1 and all(1 < at < 6 for at in decoded[0])
    assert [flag(image) for image in model.asked[-1].images] == ["red", "green", "blue"]
    assert [s["end"] for s in found["segments"] if "flies" in s["text"]] == [2.0, 4.0, 6.0]


# ---------------------------------------------------------------- what can be looked at


def test_an_interval_is_cut_to_the_video_and_refused_outside_it(
    film: Footnote, model: Model
) -> None:
    found = film.json("look", "beacon", "5", "1:00", QUESTION)
    assert (found["start"], found["end"]) == (5.0, 6.0)
    for start, end in (("6", "9"), ("3", "3"), ("4", "2"), ("soon", "2")):
        assert film.json("look", "beacon", start, end, QUESTION, code=2)["error"]["message"]
    outside = film.json("look", "beacon", "6", "9", QUESTION, code=2)["error"]
    assert "beacon, which lasts 6.0 s" in outside["message"]
    for frames in ("0", "17"):
        film.json("look", "beacon", "0", "2", QUESTION, "--frames", frames, code=2)
    assert film.json("look", "beacon", "0", "2", "  ", code=2)["error"]["code"] == "usage"
    assert film.json("look", "x", "0", "2", "?", code=2)["error"]["code"] == "video_not_found"
    assert len(model.asked) == 1


def test_a_long_interval_says_that_it_was_looked_at_here_and_there() -> None:
    video = Video("v", "v", "v.mp4", 900.0, "ab", media={"video": {"index": 0}})
    what = look.wanted(video, -3, 300, "?", 6)
    assert (what.start, what.end) == (0, 300)
    note = look._note(what, 6)
    assert "300 s" in note and "6 frames" in note
    assert look._note(look.wanted(video, 0, 60, "?", 6), 6) == ""


def test_a_video_that_cannot_be_looked_at_is_named(
    film: Footnote, videos: Path, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film.json("import", write_rows(tmp_path / "rows.jsonl", {"start": 0, "end": 5, "text": "Hi."}))
    told = film.json("look", "talk", "0", "2", QUESTION, code=2)["error"]["message"]
    assert "talk was imported without its file" in told
    clips.write(videos / "song.mp4", tracks=[clips.Track([clips.Tone(0, 2)], 0, 2)])
    add_without_model(film, videos)
    assert "no picture" in film.json("look", "song", "0", "2", "?", code=2)["error"]["message"]
    other = tmp_path / "elsewhere.mp4"
    (videos / "beacon.mp4").rename(other)
    gone = film.json("look", "beacon", "0", "2", QUESTION, code=2)["error"]["message"]
    assert str(videos / "beacon.mp4") in gone and "not there" in gone
    clips.write(videos / "beacon.mp4", clips.scenes((2.0, GREEN), fps=10), fps=10)
    changed = film.json("look", "beacon", "0", "2", QUESTION, code=2)["error"]
    assert "has changed" in changed["message"] and "footnote add" in changed["hint"]
    monkeypatch.delenv("FOOTNOTE_CAPTION_MODEL")
    lacking = film.json("look", "beacon", "0", "2", QUESTION, code=3)["error"]
    assert lacking["code"] == "model_unavailable" and "caption model" in lacking["message"]
    assert model.asked == []


# ---------------------------------------------------------------- kept


def test_adding_again_keeps_it_and_asks_no_model(
    film: Footnote, videos: Path, model: Model
) -> None:
    film.json("look", "beacon", "1", "5", QUESTION)
    stored, asked = captions(film), len(model.stub.requests)
    with Catalog(film.library) as catalog:
        before = list(catalog.dump())
    (report,) = add_without_model(film, videos)["videos"]
    assert report["status"] == "unchanged"
    (videos / "beacon.srt").write_text(SRT.replace("noon", "midnight"))
    (report,) = add_without_model(film, videos)["videos"]
    assert report["status"] == "updated"
    (videos / "beacon.srt").write_text(SRT)
    add_without_model(film, videos)
    assert captions(film) == stored and len(model.stub.requests) == asked
    with Catalog(film.library) as catalog:
        kept = {"segments", "passages", "looks"}
        after = [row for row in catalog.dump() if row[0] in kept]
        assert after == [row for row in before if row[0] in kept]


def test_it_stays_when_captions_are_made_anew_when_the_file_moves_and_in_a_new_index(
    film: Footnote, videos: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    film.json("look", "beacon", "1", "5", QUESTION)
    stored = captions(film)
    monkeypatch.setenv("FOOTNOTE_CAPTION_MODEL", "fake:A pier with a mast.")
    film.json("add", videos)
    both = captions(film)
    assert [segment for segment in both if segment["flags"]] == [
        {**segment, "number": now["number"]}
        for segment, now in zip(stored, [s for s in both if s["flags"]], strict=True)
    ]
    assert any(segment["text"] == "A pier with a mast." for segment in both), both
    (videos / "beacon.mp4").rename(videos / "renamed.mp4")
    (videos / "beacon.srt").rename(videos / "renamed.srt")
    film.json("add", videos)
    film.json("reindex", "--embedding", "fake:32")
    monkeypatch.setenv("FOOTNOTE_EMBEDDING_MODEL", "fake:32")
    assert captions(film) == both
    (moment, *_) = film.json("search", "beacon green flag", "--source", "caption")["moments"]
    assert "green flag" in moment["text"]
    monkeypatch.setenv("FOOTNOTE_CAPTION_MODEL", "openai:stub-model")
    assert film.json("look", "beacon", "1", "5", QUESTION)["cached"]
    assert film.json("doctor")["ok"]


def test_it_is_corrected_and_taken_back_as_any_segment(film: Footnote, videos: Path) -> None:
    film.json("look", "beacon", "0", "2", QUESTION)
    stored = captions(film)
    number = str(stored[0]["number"])
    film.json("edit", "beacon", "--segment", number, "--text", "The mast flies an orange flag.")
    film.json("look", "beacon", "4", "6", QUESTION)
    add_without_model(film, videos)
    texts = [segment["text"] for segment in captions(film)]
    assert "The mast flies an orange flag." in texts and stored[0]["text"] not in texts
    film.json("edit", "beacon", "--undo")
    assert captions(film)[: len(stored)] == stored
    assert len(captions(film)) == len(texts), "nothing is there twice"


def test_it_goes_with_the_content_and_with_the_video(
    film: Footnote, videos: Path, model: Model
) -> None:
    film.json("look", "beacon", "1", "5", QUESTION)
    clips.write(videos / "beacon.mp4", clips.scenes((4.0, GREEN), (1.0, RED), fps=10), fps=10)
    (videos / "beacon.srt").unlink()
    add_without_model(film, videos)
    assert captions(film) == []
    with Catalog(film.library) as catalog:
        assert catalog.value("SELECT count(*) FROM looks") == 0
    again = film.json("look", "beacon", "1", "5", QUESTION)
    assert not again["cached"] and again["segments"][0]["text"] == "The beacon flies a green flag."
    film.json("remove", "beacon")
    with Catalog(film.library) as catalog:
        assert catalog.value("SELECT count(*) FROM looks") == 0
        assert catalog.value("SELECT count(*) FROM outputs WHERE key LIKE 'look-%'") == 0


def test_a_look_while_add_works_on_the_video_is_taken_in_by_it(
    film: Footnote, videos: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.library._LOOK_PATIENCE", 0.1)
    with Catalog(film.library) as catalog:
        assert catalog.claim("beacon", "add", "elsewhere:1:x", 60)
    found = film.json("look", "beacon", "1", "5", QUESTION)
    assert found["found"] and "footnote add is working on beacon" in found["note"]
    assert captions(film) == []
    with Catalog(film.library) as catalog:
        catalog.release("beacon", "add", "elsewhere:1:x")
    add_without_model(film, videos)
    assert len(captions(film)) == 4
    (moment, *_) = film.json("search", "beacon green flag", "--source", "caption")["moments"]
    assert "green flag" in moment["text"]
    assert film.json("look", "beacon", "1", "5", QUESTION)["cached"] and len(model.asked) == 1


def test_a_look_that_was_killed_before_it_could_be_found_is_found_the_next_time(
    film: Footnote, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(self: Library, video_id: str) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Library, "_take_in_looks", killed)
        assert film.run("look", "beacon", "1", "5", QUESTION).code == 130
    assert captions(film) == []
    assert film.json("look", "beacon", "1", "5", QUESTION)["model_calls"] == 0
    assert len(captions(film)) == 4 and len(model.asked) == 1


# ---------------------------------------------------------------- the store


def test_the_catalog_keeps_a_look_once_and_only_of_the_content_that_is_there(
    tmp_path: Path,
) -> None:
    seen = [looked_segment("why?", 1, 5, "a mast"), looked_segment("why?", 2, 9, "a flag")]
    with Catalog(tmp_path, create=True) as catalog:
        catalog.put_video(Video("v", "v", duration=8.0, sha256="new"))
        for _ in range(2):
            catalog.put_look("v", "new", "key", "why?", seen)
        catalog.put_look("v", "old", "key", "why?", [looked_segment("why?", 1, 2, "a ship")])
        assert list(catalog.waiting_looks("v").values()) == seen[:1], "the other ends too late"
        assert catalog.looked("v") == []
        caption = Segment("caption", 0, 8, "a harbour")
        catalog.replace_segments("v", "caption", [caption])
        assert catalog.segments("v") == [caption], "a look that waits is in no passage yet"
        catalog.take_in_looks(catalog.waiting_looks("v"))
        catalog.replace_segments("v", "caption", [caption])
        assert catalog.segments("v") == [caption, seen[0]]
        catalog.replace_segments("v", "caption", catalog.segments("v"))
        assert catalog.segments("v") == [caption, seen[0]]
        catalog.replace_segments("v", "speech", [Segment("speech", 0, 1, "hi")])
        assert len(catalog.segments("v")) == 3
        assert catalog.value("SELECT count(*) FROM looks WHERE sha256 = 'old'") == 0


# ---------------------------------------------------------------- paid for, and from Python


class Saying:
    """A captioner that says the same again and again, and counts."""

    name = "fake:saying"
    width = 1

    def __init__(self, text: str) -> None:
        self.calls, self._text = 0, text

    def caption(self, requests: Sequence[Any], deliver: object = None) -> list[Reply]:
        self.calls += 1
        return [Reply(self._text, 10, 2)]


def test_looks_are_paid_from_the_budget_of_the_library(film: Footnote, model: Model) -> None:
    with Catalog(film.library) as catalog:
        catalog.open_budget(Allowance(1, "calls"))
    film.json("look", "beacon", "0", "6", QUESTION)
    error = film.json("look", "beacon", "0", "4", QUESTION, code=2)["error"]
    assert error["code"] == "budget_spent" and "footnote add --more" in error["hint"]
    assert film.json("look", "beacon", "0", "6", QUESTION)["cached"], "what is known costs nothing"
    assert len(model.asked) == 1
    with Catalog(film.library) as catalog:
        state = catalog.budget()
        assert state is not None and state.spent.calls == 1
        catalog.open_budget(Allowance(1, "calls"))
    model.reply = lambda request: "A mast."
    assert film.json("look", "beacon", "0", "4", QUESTION)["model_calls"] == 1, "none is left"
    with Catalog(film.library) as catalog:
        catalog.open_budget(Allowance(1, "calls"))
    model.reply = lambda request: Status(400)
    assert film.json("look", "beacon", "0", "3", QUESTION, code=3)["error"]["message"]
    with Catalog(film.library) as catalog:
        state = catalog.budget()
        assert state is not None and state.spent.calls == 0, "a call that failed is given back"


class Failing:
    """An endpoint that is down."""

    name = "fake:failing"
    width = 1

    def caption(self, requests: Sequence[Any], deliver: object = None) -> list[Reply]:
        raise ModelUnavailable("the endpoint is down")


class Counting:
    """A spender without limit."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def take(self) -> bool:
        self.events.append("take")
        return True

    def book(self, reply: Reply, seconds: float) -> None:
        self.events.append("book")

    def give_back(self) -> None:
        self.events.append("give back")


def test_a_call_that_fails_is_not_paid_for(film: Footnote) -> None:
    spender = Counting()
    prompts = {name: load_prompt(name) for name in look.PROMPTS}
    with Catalog(film.library) as catalog:
        what = look.wanted(catalog.video("beacon"), 0, 6, QUESTION, 3)
        for captioner in (Failing(), Saying("A mast.")):
            with contextlib.suppress(ModelUnavailable), MediaReader() as media:
                look.look_at(
                    what, catalog, "m", lambda c=captioner: c, media.frames_at, prompts, spender
                )
    assert spender.events == ["take", "give back", *["take", "book"] * 2]


class Broke:
    """A spender that has nothing."""

    def take(self) -> bool:
        return False

    def book(self, reply: Reply, seconds: float) -> None:
        pytest.fail("nothing was taken")

    def give_back(self) -> None:
        pytest.fail("nothing was taken")


def test_the_facade_looks(film: Footnote, videos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Saying("A mast with a light.")
    monkeypatch.setattr("pipeline.models.vision.load_captioner", lambda name, settings: model)
    values = {**SETTINGS, "library": film.library, "caption_model": "fake:saying"}
    settings = Settings.model_validate(values)
    with Library(settings=settings) as library:
        path = str(videos / "beacon.mp4")
        found = library.look(path, 0.0, 2.0, "What is there?", frames=2)
        assert isinstance(found, Look) and found.model_calls == model.calls == 2
        assert (found.video_id, found.title, found.text) == ("beacon",) * 2 + (
            "A mast with a light.",
        )
        assert library.look("beacon", 0.0, 2.0, "what is  there?", frames=2).cached
        assert model.calls == 2
        assert "A mast with a light." in library.search("mast with a light").moments[0].text
        with pytest.raises(BudgetSpent):
            Inquiry("?", model, {}, Broke(), lambda *_: None).ask([], {})
    bare = Settings.model_validate({**values, "caption_model": ""})
    with Library(settings=bare) as library, pytest.raises(ModelUnavailable, match="caption model"):
        library.look("beacon", 0.0, 2.0, "What is there?")
