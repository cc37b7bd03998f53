"""What lies beside a video: transcripts, chapters, what yt-dlp knows of it; whole and broken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import MediaError
from pipeline.ingest.tracks import choose_tracks
from pipeline.media.bundles import content_of, is_rows, read_bundle
from pipeline.media.chapters import from_description, read_chapters
from pipeline.media.child import MediaReader
from pipeline.media.probe import Chapter, probe
from pipeline.media.published import read_published
from pipeline.media.sidecars import belongs, kind_of, stem_of
from pipeline.media.subtitles import read_sidecar, read_sidecars
from pipeline.media.transcripts import read_transcript
from pipeline.types import Metadata
from tests import clips

SAID = [(0.5, 2.0, "The owl hunts voles at night."), (2.5, 3.5, "The ferry leaves at noon.")]
SRT = """1
00:00:00,500 --> 00:00:02,000
The owl hunts voles at night.

2
00:00:02,500 --> 00:00:03,500
The ferry leaves at noon.
"""


def words(start: float, text: str) -> list[dict[str, Any]]:
    return [
        {"word": f" {word}", "start": start + i / 4, "end": start + (i + 1) / 4, "probability": 0.9}
        for i, word in enumerate(text.split())
    ]


def whisper(*, timed: bool = True, **more: Any) -> dict[str, Any]:
    """A result as openai-whisper writes it."""
    segments = [
        {
            "id": number,
            "start": start,
            "end": end,
            "text": f" {text}",
            "avg_logprob": -0.2,
            "no_speech_prob": 0.01,
            "compression_ratio": 1.1,
            **({"words": words(start, text)} if timed else {}),
        }
        for number, (start, end, text) in enumerate(SAID)
    ]
    return {"text": "", "segments": segments, "language": "en", **more}


def written(path: Path, content: object) -> Path:
    """A file of text, of bytes, or of JSON."""
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, encoding="utf-8")
    return path


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("name", "kind", "stem"),
    [
        ("a talk [x-1].en-orig.vtt", "subtitles", "a talk [x-1]"),
        ("v1.2 notes.srt", "subtitles", "v1.2 notes"),
        ("talk.info.json", "info", "talk"),
        ("talk.json", "transcript", "talk"),
        ("talk.en.tsv", "transcript", "talk"),
        ("talk.chapters.vtt", "chapters", "talk"),
        ("talk.chapters.json", "chapters", "talk"),
        ("talk.ffmeta", "chapters", "talk"),
        ("talk.description", "description", "talk"),
    ],
)
def test_a_name_tells_what_a_file_is_for(name: str, kind: str, stem: str) -> None:
    assert (kind_of(name), stem_of(Path(name))) == (kind, stem)
    assert belongs(Path(name), stem, ".mp4")


@pytest.mark.parametrize("name", ["talk.mp4", "talk.doc", "talk.jsonl", "talk"])
def test_other_files_are_none(name: str) -> None:
    assert kind_of(name) is None


# ---------------------------------------------------------------- transcripts


def test_whisper_json_gives_speech_with_word_times_and_doubts(tmp_path: Path) -> None:
    result = whisper()
    result["segments"][1]["no_speech_prob"] = 0.9
    track = read_transcript(written(tmp_path / "t.json", result))
    assert track is not None
    assert [(s.start, s.end, s.text) for s in track.segments] == SAID
    assert (track.language, track.origin, track.problems) == ("en", "t.json", ())
    first = track.segments[0].words[0]
    assert (first.text, first.start, first.end, first.probability) == ("The", 0.5, 0.75, 0.9)
    assert [segment.flags for segment in track.segments] == [(), ("no_speech",)]


def test_tsv_and_whisper_cpp_are_in_milliseconds(tmp_path: Path) -> None:
    rows = "".join(f"{start * 1000:.0f}\t{end * 1000:.0f}\t{text}\n" for start, end, text in SAID)
    cpp = {
        "result": {"language": "en"},
        "transcription": [
            {"offsets": {"from": int(a * 1000), "to": int(b * 1000)}, "text": f" {t}"}
            for a, b, t in SAID
        ],
    }
    tsv = read_transcript(written(tmp_path / "t.tsv", f"start\tend\ttext\n{rows}"))
    other = read_transcript(written(tmp_path / "t.json", cpp))
    for track in (tsv, other):
        assert track is not None
        assert [(s.start, s.end, s.text) for s in track.segments] == SAID
    assert other is not None and other.language == "en"


def test_rows_that_cannot_be_used_are_counted_and_the_others_kept(tmp_path: Path) -> None:
    bad = (
        '{"segments": [{"start": NaN, "end": 2, "text": "a"}, {"start": 3, "end": 1, "text": "b"},'
        '{"start": -1, "end": 1, "text": "c"}, {"start": 0, "end": 1e999, "text": "d"},'
        '{"start": 0, "end": 1, "text": 5}, 7, {"start": true, "end": 1, "text": "e"},'
        '{"start": 1, "end": 2, "text": "good", "words": [{"word": "good"}, 3, {"start": 1}]},'
        '{"start": 2, "end": 2, "text": "short"}, {"start": 3, "end": 4, "text": " "}]}'
    )
    track = read_transcript(written(tmp_path / "t.json", bad))
    assert track is not None
    assert [(s.text, s.start) for s in track.segments] == [("good", 1.0), ("short", 2.0)]
    assert all(segment.end > segment.start for segment in track.segments)
    assert track.segments[0].words == ()
    assert track.problems == ("rows left out, as they have no usable time or text: 7",)


def test_words_stay_inside_their_segment_and_in_order(tmp_path: Path) -> None:
    result = whisper()
    result["segments"][0]["words"] = [
        {"word": "The", "start": 0.0, "end": 0.8},
        {"word": "owl", "start": 0.7, "end": 1.0, "score": 0.5},
        {"word": "2024"},  # WhisperX gives numbers no times
        {"word": "hunts", "start": 1.9, "end": 7.0, "score": 5},
    ]
    track = read_transcript(written(tmp_path / "t.json", result))
    assert track is not None
    said = [(w.text, w.start, w.end, w.probability) for w in track.segments[0].words]
    assert said == [("The", 0.5, 0.8, 1.0), ("owl", 0.8, 1.0, 0.5), ("hunts", 1.9, 2.0, 1.0)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.json", {"name": "a package", "version": 1}),
        ("t.json", [1, 2]),
        ("t.json", {"segments": "north"}),
        ("t.json", {"segments": [{"x": 1, "y": 2}]}),
        ("t.tsv", "city\tcountry\nParis\tFrance\n"),
    ],
)
def test_json_and_tsv_of_other_programs_are_passed_over(
    tmp_path: Path, name: str, content: object
) -> None:
    path = written(tmp_path / name, content)
    assert read_transcript(path) is None
    assert read_sidecars([path]) == ([], [])


def test_whisper_is_the_last_choice(tmp_path: Path) -> None:
    result = whisper()
    result["segments"][0]["text"] = " The towel haunts moles all night long."
    tracks, _ = read_sidecars(
        [written(tmp_path / "t.json", result), written(tmp_path / "t.en.srt", SRT)]
    )
    (chosen,) = choose_tracks(tracks)
    assert chosen.origin == "t.en.srt"


def test_whispers_word_times_are_those_of_its_own_subtitles(tmp_path: Path) -> None:
    tracks, _ = read_sidecars(
        [
            written(tmp_path / "t.json", whisper()),
            written(tmp_path / "t.srt", SRT),
            written(tmp_path / "t.tsv", "start\tend\ttext\n0\t9000\tanother text altogether\n"),
        ]
    )
    chosen = choose_tracks(tracks)[0]
    assert chosen.origin == "t.json"
    assert chosen.segments[0].words


def test_a_transcript_with_words_comes_before_one_without(tmp_path: Path) -> None:
    tsv = "start\tend\ttext\n500\t2000\tThe owl hunts voles at night.\n"
    tracks, _ = read_sidecars(
        [written(tmp_path / "t.en.tsv", tsv), written(tmp_path / "t.json", whisper())]
    )
    assert [track.origin for track in choose_tracks(tracks)] == ["t.json"]


# ---------------------------------------------------------------- chapters

WANTED = (Chapter(0, 60, "Intro"), Chapter(60, 90.5, "The owl = a bird"), Chapter(90.5, 120, "End"))
FFMETADATA = r""";FFMETADATA1
title=A talk
# a remark
[CHAPTER]
TIMEBASE=1/1000
START=0
END=60000
title=Intro
[CHAPTER]
TIMEBASE=1/10
START=600
END=905
title=The owl \= a bird
[CHAPTER]
TIMEBASE=1/1
START=90.5
title=End
[STREAM]
title=no chapter
"""
OGM = """CHAPTER01=00:00:00.000
CHAPTER01NAME=Intro
CHAPTER02=00:01:00.000
CHAPTER02NAME=The owl = a bird
CHAPTER03=00:01:30.500
CHAPTER03NAME=End
"""
VTT = """WEBVTT
Kind: chapters

1
00:00.000 --> 01:00.000
Intro

2
01:00.000 --> 01:30.500
The owl = a bird

3
01:30.500 --> 02:00.000
End
"""
YT_DLP = {
    "chapters": [
        {"start_time": 0.0, "end_time": 60.0, "title": "Intro"},
        {"start_time": 60.0, "end_time": 90.5, "title": "The owl = a bird"},
        {"start_time": 90.5, "end_time": 120.0, "title": "End"},
    ]
}
FFPROBE = {
    "chapters": [
        {"start": s * 1000, "start_time": f"{s:.6f}", "end_time": f"{e}", "tags": {"title": title}}
        for s, e, title in [(0, 60, "Intro"), (60, 90.5, "The owl = a bird"), (90.5, 120, "End")]
    ]
}
PODCAST = {
    "version": "1.2.0",
    "chapters": [
        {"startTime": 0, "title": "Intro"},
        {"startTime": 60, "title": "The owl = a bird"},
        {"startTime": "1:30.5", "title": "End"},
    ],
}
LINES = "0:00 Intro\n1:00 - The owl = a bird\n\n(1:30.5) End\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.txt", FFMETADATA),
        ("t.ffmeta", FFMETADATA.replace("\n", "\r\n")),
        ("t.txt", OGM),
        ("t.chapters.txt", OGM.encode("utf-16")),
        ("t.chapters.vtt", VTT.replace("Kind: chapters\n", "")),
        ("t.vtt", VTT),
        ("t.chapters.json", YT_DLP),
        ("t.chapters.json", YT_DLP["chapters"]),
        ("t.chapters.json", FFPROBE),
        ("t.chapters.json", PODCAST),
        ("t.txt", LINES),
    ],
)
def test_every_format_gives_the_same_chapters(tmp_path: Path, name: str, content: object) -> None:
    path = written(tmp_path / name, content)
    assert read_published([path], 120.0).chapters == WANTED
    assert read_sidecars([path])[0] == [], "chapters are not what is said"


def test_chapters_end_with_the_video_and_never_lie_outside(tmp_path: Path) -> None:
    rows = [(5, "b"), (-1, "before"), (0, "a"), (900, "after"), (float("inf"), "never")]
    path = tmp_path / "t.chapters.json"
    path.write_text(json.dumps([{"start_time": start, "title": title} for start, title in rows]))
    assert read_chapters(path, 8.0) == (Chapter(0, 5, "a"), Chapter(5, 8, "b"))
    assert read_chapters(path)[-1].end > read_chapters(path)[-1].start, "nobody knows the end"


def test_a_description_lists_chapters_only_as_youtube_wants_them() -> None:
    text = "See 12:30 for the fun.\n\n00:00 Intro\n02:10 Owls\n1:00:00 Ferries\n\nThanks!"
    assert [c.title for c in from_description(text, 4000.0)] == ["Intro", "Owls", "Ferries"]
    for other in ("0:00 Intro\n2:00 Owls", "0:10 a\n1:00 b\n2:00 c", "0:00 a\n3:00 b\n2:00 c", ""):
        assert from_description(other) == ()


def test_a_text_that_is_about_something_else_gives_no_chapters(tmp_path: Path) -> None:
    notes = written(tmp_path / "t.txt", "Bring 2 cables.\n10:30 the bus leaves\n")
    subtitles = written(tmp_path / "u.txt", VTT.replace("Kind: chapters\n", ""))
    for path in (notes, subtitles):
        assert read_published([path], 120.0) == read_published([])


# ---------------------------------------------------------------- what yt-dlp knows

INFO: dict[str, Any] = {
    "id": "dQw",
    "title": "Owls of\nthe fjord",
    "upload_date": "20240501",
    "uploader": "Ada Lovelace",
    "channel": "Ada Lovelace",
    "cast": ["Alan Turing"],
    "tags": ["owl", "fjord", "owl"],
    "location": "Bergen, Norway",
    "description": "About owls.\r\n\r\n0:00 Intro\n0:30 Voles\n0:50 Ferries",
    "webpage_url": "https://example.org/watch?v=dQw",
    "language": "en-GB",
    "duration": 61,
    "chapters": None,
    "_type": "video",
}


def test_an_info_says_who_where_when_and_what(tmp_path: Path) -> None:
    read = read_published([written(tmp_path / "t.info.json", INFO)])
    assert read.metadata == Metadata(
        title="Owls of the fjord",
        date="2024-05-01",
        people=("Ada Lovelace", "Alan Turing"),
        place="Bergen, Norway",
        tags=("owl", "fjord"),
        description="About owls.\n\n0:00 Intro\n0:30 Voles\n0:50 Ferries",
        url="https://example.org/watch?v=dQw",
        language="en",
    )
    assert [(c.start, c.end, c.title) for c in read.chapters] == [
        (0, 30, "Intro"), (30, 50, "Voles"), (50, 61, "Ferries"),
    ]  # fmt: skip
    assert (read.duration, read.problems) == (61.0, ())


def test_a_file_of_chapters_comes_before_the_infos_and_those_before_the_descriptions(
    tmp_path: Path,
) -> None:
    info = {**INFO, "chapters": [{"start_time": 0, "end_time": 9, "title": "From the info"}]}
    path = written(tmp_path / "t.info.json", info)
    assert [c.title for c in read_published([path]).chapters] == ["From the info"]
    listed = written(tmp_path / "t.txt", "0:00 From\n0:10 a file\n")
    assert [c.title for c in read_published([path, listed]).chapters] == ["From", "a file"]
    saved = written(tmp_path / "u.description", "0:00 a\n0:10 b\n0:20 c\n")
    assert len(read_published([saved]).chapters) == 3


def test_fields_of_a_wrong_type_are_left_out_and_named(tmp_path: Path) -> None:
    wrong = {
        **INFO, "title": 5, "upload_date": "20241350", "tags": {"a": 1}, "duration": -3,
        "chapters": "none", "webpage_url": "javascript:alert(1)", "uploader": ["a", 7],
    }  # fmt: skip
    read = read_published([written(tmp_path / "t.info.json", wrong)])
    assert read.metadata.title == read.metadata.date == read.metadata.url == ""
    assert read.metadata.place == "Bergen, Norway"
    assert read.metadata.people == ("a", "Ada Lovelace", "Alan Turing")
    (problem,) = read.problems
    for name in ("t.info.json", "title", "upload_date", "tags", "duration", "chapters"):
        assert name in problem


# ---------------------------------------------------------------- broken on purpose

HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \n",
    "truncated": json.dumps(whisper())[:200].encode(),
    "nested": b'{"segments":' + b"[" * 100_000,
    "digits": b'{"duration": ' + b"9" * 10_000 + b"}",
    "binary": bytes(range(256)) * 50,
    "nulls": b"\0" * 5000,
    "surrogate": b'{"title": "\\ud800", "uploader": "\\udfff x", "upload_date": "2024"}',
    "not an object": b"[1, 2, 3]",
    "text": b"nothing to see here\n" * 1000,
    "latin": "título: año".encode("latin-1"),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize(
    "name",
    ["t.info.json", "t.json", "t.tsv", "t.chapters.json", "t.chapters.txt", "t.txt", "t.ffmeta",
     "t.chapters.vtt", "t.vtt", "t.description"],
)  # fmt: skip
def test_no_file_breaks_the_reading_and_each_is_a_line_at_most(
    tmp_path: Path, name: str, content: bytes
) -> None:
    path = written(tmp_path / name, content)
    tracks, problems = read_sidecars([path])
    problems += read_published([path], 60.0).problems
    assert len(problems) <= 1
    assert all(name in problem and "\n" not in problem for problem in problems)
    assert len(problems) + len(tracks) <= 1
    if content.strip() == b"":
        assert problems == [f"{name} is empty"]


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "t.info.json"
    with path.open("wb") as file:
        file.truncate(65 << 20)
    (problem,) = read_published([path]).problems
    assert "too large" in problem


def test_they_are_read_in_a_child_that_outlives_what_is_broken(tmp_path: Path) -> None:
    broken = written(tmp_path / "t.info.json", HOSTILE["nested"])
    fine = written(tmp_path / "u.info.json", INFO)
    subtitles = written(tmp_path / "u.srt", SRT)
    with MediaReader() as reader:
        (problem,) = reader.published([broken]).problems
        assert problem.startswith("t.info.json")
        read = reader.bundle([fine, subtitles])
    assert read.published.metadata.place == "Bergen, Norway"
    assert [segment.text for segment in read.tracks[0].segments] == [text for *_, text in SAID]


# ---------------------------------------------------------------- without a video


def test_content_tells_what_a_file_is_whatever_its_name(tmp_path: Path) -> None:
    for name, content, kind in (
        ("a.txt", VTT.replace("Kind: chapters\n", ""), "subtitles"),
        ("b", SRT, "subtitles"),
        ("c.txt", whisper(), "transcript"),
        ("d.json", INFO, "info"),
        ("e.dat", "start\tend\ttext\n0\t1000\thello\n", "transcript"),
        ("f.md", "# A heading\n", None),
    ):
        path = written(tmp_path / name, content)
        assert content_of(path) == kind, name
        if kind is None:
            with pytest.raises(MediaError, match="holds no subtitles"):
                read_bundle([path])
        else:
            read = read_bundle([path])
            assert read.problems == ()
            assert bool(read.tracks) == (kind != "info")


def test_rows_are_told_from_other_json(tmp_path: Path) -> None:
    row = {"video_id": "v", "start": 0, "end": 1, "text": "x", "source": "speech"}
    assert is_rows(written(tmp_path / "rows.txt", f"\n{json.dumps(row)}\n{json.dumps(row)}\n"))
    assert is_rows(tmp_path / "anything.jsonl")
    for content in (whisper(), INFO, SRT, b"\xff\xfe\x00", "[[[["):
        assert not is_rows(written(tmp_path / "other.json", content))


# ---------------------------------------------------------------- the container's own tags


def test_the_tags_of_a_file_say_who_and_where(tmp_path: Path) -> None:
    path = clips.write(
        tmp_path / "t.mp4",
        clips.scenes((1.0, clips.colour(9, 9, 9))),
        metadata={"title": "A", "artist": "Ada  Lovelace", "comment": "On owls", "genre": "Talk"},
    )
    info = probe(path)
    assert (info.title, info.people, info.description) == ("A", ("Ada Lovelace",), "On owls")
    path = clips.write(
        tmp_path / "t.mkv",
        clips.scenes((1.0, clips.colour(9, 9, 9))),
        metadata={"LOCATION": "+60.3913+005.3221/", "KEYWORDS": "owl, fjord", "director": "Ed"},
    )
    info = probe(path)
    assert (info.place, info.tags, info.people) == ("60.3913, 5.3221", ("owl", "fjord"), ("Ed",))


def test_a_subtitle_file_with_a_strange_name_is_still_read(tmp_path: Path) -> None:
    assert read_sidecar(written(tmp_path / "x.txt", SRT)).segments[0].text == SAID[0][2]
