"""Subtitles become speech: exact times, each line once, nothing that is not said."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import MediaError
from pipeline.media.cues import make_cue, parse_time, to_segments
from pipeline.media.probe import probe
from pipeline.media.sidecars import find_sidecars
from pipeline.media.subtitles import read_sidecar, read_subtitles
from pipeline.media.text_file import decode_text
from pipeline.types import Segment
from tests import clips

GREY = clips.colour(90, 90, 90)


def read(folder: Path, name: str, text: str | bytes) -> list[Segment]:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(read_sidecar(path).segments)


def told(segments: list[Segment]) -> list[tuple[float, float, str]]:
    return [(segment.start, segment.end, segment.text) for segment in segments]


# ---------------------------------------------------------------- formats

SRT = """1
00:00:01,500 --> 00:00:03,250
<i>Good</i> morning &amp; welcome,
{\\an8}everybody.

2
00:01:00,000 --> 00:01:02,000 X1:10 Y1:20
Second.
"""
VTT = """WEBVTT - a title
Kind: captions

STYLE
::cue { color: red }

NOTE
this is said by nobody

opening
00:01.500 --> 00:03.250 align:start line:80%
<c.yellow>Good</c> morning &amp; welcome,
everybody.

second cue
01:00.000 --> 01:02.000
Second.
"""
ASS = """[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, \
Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, \
Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,20,&H00FFFFFF,&H000000FF,&H00000000,&H00000000,0,0,0,0,100,100,0,0,1,2,2,2,\
10,10,10,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:01:00.00,0:01:02.00,Default,,0,0,0,,Second.
Comment: 0,0:00:00.00,0:00:09.00,Default,,0,0,0,,Nobody says this.
Dialogue: 0,0:00:00.00,0:00:09.00,Default,,0,0,0,,{\\p1}m 0 0 l 100 0 100 100{\\p0}
Dialogue: 0,0:00:01.50,0:00:03.25,Default,,0,0,0,,{\\i1}Good{\\i0} morning & welcome,\\Neverybody.
"""
SBV = """0:00:01.500,0:00:03.250
Good morning & welcome,
everybody.

0:01:00.000,0:01:02.000
Second.
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.srt", SRT),
        ("x.SRT", "\ufeff" + SRT.replace("\n", "\r\n")),
        ("x.vtt", VTT),
        ("x.ass", ASS),
        ("x.sbv", SBV),
        ("x.srt", SRT.encode("utf-16")),
        ("x.srt", SRT.encode("utf-16-le")),
    ],
)
def test_every_format_gives_the_same_speech(tmp_path: Path, name: str, text: str) -> None:
    assert told(read(tmp_path, name, text)) == [
        (1.5, 3.25, "Good morning & welcome, everybody."),
        (60.0, 62.0, "Second."),
    ]


def test_lines_of_blanks_between_cues_do_not_add_the_next_cues_name(tmp_path: Path) -> None:
    text = (
        "WEBVTT\n \none\n00:01.000 --> 00:02.000\nHello\n  \ntwo\n00:03.000 --> 00:04.000\nthere\n"
    )
    assert told(read(tmp_path, "x.vtt", text)) == [(1.0, 2.0, "Hello"), (3.0, 4.0, "there")]


def test_text_of_old_files_is_read(tmp_path: Path) -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\nDéjà vu “naïve”\n".encode("cp1252")
    assert read(tmp_path, "x.srt", text)[0].text == "Déjà vu “naïve”"
    assert decode_text("日本語".encode()) == "日本語"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("x.vtt", b"", "empty"),
        ("x.srt", b"  \n\n ", "empty"),
        ("x.srt", b"nothing here has a time\n", "subtitles"),
        ("x.vtt", b"WEBVTT\n\n", "no subtitles"),
        (
            "x.ass",
            b"[Script Info]\n[V4+ Styles]\n[Events]\nDialogue: 0,soon,later,Default,,0,0,0,,hi",
            "subtitles",
        ),
        ("x.srt", b"\x00\x01\x02\xff" * 500, "x.srt"),
    ],
)
def test_garbage_is_one_line(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    with pytest.raises(MediaError) as raised:
        read(tmp_path, name, content)
    assert says in raised.value.message
    assert name in raised.value.message
    assert "\n" not in raised.value.message


# ---------------------------------------------------------------- what is said, once

YOUTUBE = """WEBVTT
Kind: captions
Language: en

00:00:01.599 --> 00:00:03.909 align:start position:0%
~
this<00:00:01.920><c> audiobook</c><00:00:02.480><c> is</c><00:00:02.560><c> in</c>

00:00:03.909 --> 00:00:03.919 align:start position:0%
this audiobook is in
~

00:00:03.919 --> 00:00:05.349 align:start position:0%
this audiobook is in
the<00:00:04.080><c> public</c><00:00:04.240><c> domain</c>

00:00:05.349 --> 00:00:05.359 align:start position:0%
the public domain
~

00:00:05.359 --> 00:00:07.000 align:start position:0%
the public domain
[Music]

00:00:07.000 --> 00:00:09.000 align:start position:0%
[Music]
yes
""".replace("~", " ")  # lines of one blank


def test_automatic_captions_are_kept_once_with_their_word_times(tmp_path: Path) -> None:
    segments = read(tmp_path, "x.vtt", YOUTUBE)
    assert told(segments) == [
        (1.599, 3.909, "this audiobook is in"),
        (3.919, 5.349, "the public domain"),
        (7.0, 9.0, "yes"),
    ]
    assert {segment.language for segment in segments} == {"en"}
    words = [(word.text, word.start, word.end) for word in segments[0].words]
    assert words == [
        ("this", 1.599, 1.92),
        ("audiobook", 1.92, 2.48),
        ("is", 2.48, 2.56),
        ("in", 2.56, 3.909),
    ]


def test_captions_that_roll_up_are_kept_once() -> None:
    cues = [
        make_cue(1, 2, "a man\nwalks in"),
        make_cue(2, 3, "walks in\nand says"),
        make_cue(3, 4, "and says\nhello"),
        make_cue(9, 10, "hello\nagain"),
    ]
    segments, _ = to_segments(cues)
    assert told(segments) == [
        (1, 2, "a man walks in"),
        (2, 3, "and says"),
        (3, 4, "hello"),
        (9, 10, "hello again"),
    ], "what is said again after a while is said again"


def test_captions_that_are_painted_on_or_repeated_are_one() -> None:
    cues = [make_cue(1, 2, "I"), make_cue(2, 3, "I think"), make_cue(3, 4, "I think so")]
    assert told(to_segments(cues)[0]) == [(1, 4, "I think so")]
    cues = [make_cue(1, 2, "Still here"), make_cue(2, 5, "Still here")]
    assert told(to_segments(cues)[0]) == [(1, 5, "Still here")]


@pytest.mark.parametrize(
    "text", ["[Music]", "♪", "♪♪ [applause] ♪", "(upbeat music)", "*laughs*", "...", "-", "<i></i>"]
)
def test_what_nobody_says_is_left_out(text: str) -> None:
    assert to_segments([make_cue(0, 1, text)])[0] == []


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("♪ we sing ♪", "we sing"),
        ("[sighs] Not again.", "Not again."),
        ("read row[0] and args[i]", "read row[0] and args[i]"),
        ("see (the appendix)", "see (the appendix)"),
        (">> So what?", "So what?"),
        ("- Yes.\n- No.", "Yes. No."),
        ("a < b and c > d", "a < b and c > d"),
        ("<ruby>漢<rt>kan</rt></ruby>字", "漢字"),
        ("&lt;b&gt; is a tag", "<b> is a tag"),
    ],
)
def test_words_are_kept_as_they_are_said(raw: str, text: str) -> None:
    assert [segment.text for segment in to_segments([make_cue(0, 1, raw)])[0]] == [text]


def test_voices_are_speakers() -> None:
    cue = make_cue(1, 4, "<v Ada Lovelace>It weaves.</v>\n<v.loud Charles>Indeed!")
    segments, _ = to_segments([cue])
    assert [(s.speaker, s.text) for s in segments] == [
        ("Ada Lovelace", "It weaves."),
        ("Charles", "Indeed!"),
    ]


def test_names_before_a_colon_are_speakers_when_they_speak_twice() -> None:
    cues = [
        make_cue(1, 2, "ADA: It weaves."),
        make_cue(3, 4, "HTTP: a protocol"),
        make_cue(5, 6, "ADA: Again."),
        make_cue(7, 8, "Note: this."),
    ]
    assert [(s.speaker, s.text) for s in to_segments(cues)[0]] == [
        ("ADA", "It weaves."),
        ("", "HTTP: a protocol"),
        ("ADA", "Again."),
        ("", "Note: this."),
    ]


# ---------------------------------------------------------------- times that cannot be


def test_impossible_cues_are_dropped_and_told(tmp_path: Path) -> None:
    (tmp_path / "x.srt").write_text(
        "1\n00:00:05,000 --> 00:00:04,000\nbackwards\n\n"
        "2\n-00:00:02,000 --> 00:00:01,000\nbefore zero\n\n"
        "3\n00:00:06,000 --> 00:00:06,000\nno time at all\n\n"
        "4\n00:00:07,000 --> 99:59:59,999\nnever ends\n\n"
        "5\n00:00:03,000 --> 00:00:04,000\nlate in the file\n"
    )
    track = read_sidecar(tmp_path / "x.srt")
    assert told(list(track.segments)) == [(3, 4, "late in the file"), (7, 17, "never ends")]
    assert track.problems == (
        "cues left out, as they end before they begin or begin before 0: 3",
        "cues shortened, as they last over a minute: 1",
    )


TIMES = st.floats(-10, 200, allow_nan=False)
LINES = st.lists(st.sampled_from(["a b", "c", "d e f", "[Music]", "", "♪"]), max_size=3)


@given(st.lists(st.tuples(TIMES, TIMES, LINES), max_size=12))
def test_segments_are_in_order_and_lie_within_their_cues(
    rows: list[tuple[float, float, list[str]]],
) -> None:
    segments, _ = to_segments([make_cue(a, b, "\n".join(lines)) for a, b, lines in rows])
    starts = [segment.start for segment in segments]
    assert starts == sorted(starts)
    assert all(segment.text for segment in segments)
    for segment in segments:
        assert segment.start in {start for start, _, _ in rows}
        assert segment.end <= max(end for _, end, _ in rows)


@given(st.integers(0, 359_999_999))
def test_time_stamps_are_exact(milliseconds: int) -> None:
    seconds, thousandths = divmod(milliseconds, 1000)
    stamp = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{thousandths:03}"
    assert parse_time(stamp) == pytest.approx(milliseconds / 1000, abs=1e-6)


# ---------------------------------------------------------------- files beside a video


def test_sidecars_are_those_of_the_video(tmp_path: Path) -> None:
    wanted = ["Talk.EN.VTT", "talk.de.srt", "talk.en-orig.vtt", "talk.mp4.ass", "talk.sbv"]
    wanted += ["talk.txt", "talk.json", "talk.tsv", "talk.info.json", "talk.mp4.chapters.json"]
    others = ["talk.part2.srt", "talks.srt", "talk.doc", "other.srt", "talk.en.mp4", "talk 2.srt"]
    others += ["talk.live_chat.json", "talk.mp4", "talk.part2.info.json", "info.json"]
    for name in [*wanted, *others]:
        (tmp_path / name).write_text(SRT)
    (tmp_path / "talk.fr.srt").mkdir()
    assert sorted(path.name for path in find_sidecars(tmp_path / "talk.mp4")) == sorted(wanted)
    assert find_sidecars(tmp_path / "gone" / "talk.mp4") == ()


@pytest.mark.parametrize(
    ("name", "language"),
    [("t.srt", ""), ("t.en.srt", "en"), ("t.pt-BR.srt", "pt"), ("t.ger.sdh.srt", "de")],
)
def test_the_language_is_in_the_name(tmp_path: Path, name: str, language: str) -> None:
    (tmp_path / name).write_text(SRT)
    track = read_sidecar(tmp_path / name)
    assert track.language == language
    assert {segment.language for segment in track.segments} == {language}
    assert track.origin == name


def test_a_bad_sidecar_does_not_stop_the_others(tmp_path: Path) -> None:
    video = clips.write(tmp_path / "t.mp4", clips.scenes((1.0, GREY)))
    (tmp_path / "t.en.srt").write_text("")
    (tmp_path / "t.de.srt").write_text(SRT)
    tracks, problems = read_subtitles(video, find_sidecars(video), probe(video))
    assert [track.language for track in tracks] == ["de"]
    assert problems == ("t.en.srt is empty",)


# ---------------------------------------------------------------- streams inside a video

CUES = [(0.5, 1.75, "Hello {\\i1}there{\\i0}"), (2.0, 3.2, "Second\\Nline")]
TOLD = [(0.5, 1.75, "Hello there"), (2.0, 3.2, "Second line")]


@pytest.mark.parametrize("offset", [0.0, 20.0])
@pytest.mark.parametrize(
    ("name", "codec"), [("x.mp4", "mov_text"), ("x.mkv", "subrip"), ("x.mkv", "ass")]
)
def test_streams_are_read_on_the_clock(
    tmp_path: Path, name: str, codec: str, offset: float
) -> None:
    path = clips.write(
        tmp_path / name,
        clips.scenes((4.0, GREY)),
        subtitles=[clips.Subtitles(CUES, codec, "ger"), clips.Subtitles(CUES[:1], codec, "eng")],
        offset=offset,
    )
    tracks, problems = read_subtitles(path, (), probe(path))
    assert [track.language for track in tracks] == ["de", "en"]
    assert all(track.origin.startswith("stream ") for track in tracks)
    for found, wanted in zip(told(list(tracks[0].segments)), TOLD, strict=True):
        assert found == (pytest.approx(wanted[0]), pytest.approx(wanted[1]), wanted[2])
    assert problems == ()


def test_webvtt_in_matroska_is_read_though_libav_has_no_decoder(tmp_path: Path) -> None:
    path = clips.write(
        tmp_path / "x.mkv",
        clips.scenes((4.0, GREY)),
        subtitles=[clips.Subtitles(CUES, "webvtt", "eng")],
    )
    (stream,) = probe(path).subtitles
    assert stream.codec in ("", "webvtt")
    (track,) = read_subtitles(path)[0]
    assert [text for _, _, text in told(list(track.segments))] == ["Hello there", "Second line"]
