"""Subtitles, tables, chapters and pages: what is read back is what was said, and nothing else."""

from __future__ import annotations

import base64
import csv
import io
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.errors import UsageError
from pipeline.export.chapter_list import youtube_chapters
from pipeline.export.page import answer_page, video_page
from pipeline.export.subtitles import LONGEST, cues_of, subrip, webvtt, within
from pipeline.export.table import CITATIONS, citations_table, segments_table
from pipeline.media.cues import SubtitleTrack
from pipeline.media.subtitles import read_sidecar
from pipeline.types import Place, Segment, SummarySentence, TitledSpan, Video, Word
from tests.answer_made import texts, timed
from tests.export_made import COUNCIL, EVIL, FERRY, IMPORTED, answered, cited

SENTENCE = "The ferry leaves the harbour of the island at noon on every day of the week."


def spoken(start: float, end: float, text: str, speaker: str = "") -> Segment:
    return Segment("speech", start, end, text, speaker)


def read_back(text: str, path: Path) -> SubtitleTrack:
    path.write_text(text, encoding="utf-8")
    return read_sidecar(path)


# ---------------------------------------------------------------- subtitles


def test_long_talk_is_divided_into_what_can_be_read() -> None:
    cues = cues_of([spoken(10, 40, " ".join([SENTENCE] * 5))])
    assert all(len(cue.text) <= LONGEST for cue in cues)
    assert " ".join(cue.text for cue in cues) == " ".join([SENTENCE] * 5)
    assert (cues[0].start, cues[-1].end) == (10, pytest.approx(40))
    assert all(a.end <= b.start + 1e-9 for a, b in pairwise(cues))
    assert all(0.5 < cue.end - cue.start <= 10 for cue in cues)
    assert sum(cue.text.endswith(".") for cue in cues) >= 4, "it is divided between sentences"


def test_times_of_words_place_the_subtitles() -> None:
    words = [Word(0, 1, "Here"), Word(1, 2, "we"), Word(2, 3, "are.")]
    words += [Word(20 + n, 21 + n, f"word{n:02}") for n in range(5)]
    text = " ".join(word.text for word in words)
    cues = cues_of([Segment("speech", 0, 25, text, words=tuple(words))])
    assert (cues[0].text, cues[0].end) == ("Here we are.", 3)
    assert cues[1].start == 20
    corrected = Segment("speech", 0, 25, text.replace("Here", "There"), words=tuple(words))
    assert cues_of([corrected])[0].text.startswith("There"), "text before times that do not fit"


def test_vtt_and_srt_are_read_back_as_they_were_said(tmp_path: Path) -> None:
    segments = [spoken(1.0, 3.5, "Tom & Jerry: 3 < 5 > 2.", "Ann"), spoken(3600.25, 3602, "Later.")]
    for text, name in (
        (webvtt(cues_of(segments), "en"), "a.vtt"),
        (subrip(cues_of(segments)), "a.srt"),
    ):
        track = read_back(text, tmp_path / name)
        assert [(s.start, s.end) for s in track.segments] == [(1.0, 3.5), (3600.25, 3602.0)]
        assert "Tom & Jerry: 3 < 5 > 2." in track.segments[0].text
        assert track.problems == ()
    vtt = read_back(webvtt(cues_of(segments), "en"), tmp_path / "a.vtt")
    assert (vtt.language, vtt.segments[0].speaker) == ("en", "Ann")


@given(st.lists(texts, min_size=1, max_size=4))
def test_nothing_that_is_said_breaks_a_subtitle_file(said: list[str]) -> None:
    hostile = [f"{EVIL}\n\n00:00:00.000 --> 00:10:00.000\n{text}" for text in said]
    segments = [spoken(n * 5.0, n * 5.0 + 5, text) for n, text in enumerate(hostile)]
    cues = cues_of(segments)
    vtt, srt = webvtt(cues), subrip(cues)
    assert vtt.count("-->") == srt.count("-->") == len(cues)
    assert len(re.findall(r"^\d\d:\d\d:\d\d\.\d{3} --> ", vtt, re.MULTILINE)) == len(cues)
    assert "\x1b" not in vtt + srt and "<script" not in vtt + srt
    blocks = vtt.rstrip("\n").split("\n\n")
    assert len(blocks) == len(cues) + 1, "no empty line inside a cue"


def test_what_was_not_said_is_told_apart_and_what_was_invented_left_out() -> None:
    sign = Segment("screen", 0, 30, "Saturday closed\nSunday 9 to 5")
    ghost = Segment("speech", 1, 2, "Thanks for watching", flags=("invented: silence",))
    assert [cue.text for cue in cues_of([sign, ghost])] == [
        "[on screen: Saturday closed Sunday 9 to 5]"
    ]


def test_a_speaker_is_named_where_another_begins() -> None:
    talk = [spoken(0, 2, "One.", "Ann"), spoken(2, 4, "Two.", "Ann"), spoken(4, 6, "Three.", "Bob")]
    assert [cue.speaker for cue in cues_of(talk)] == ["Ann", "", "Bob"]
    assert subrip(cues_of(talk)).count("Ann: ") == 1


def test_a_part_of_a_talk_has_its_subtitles_on_its_own_clock() -> None:
    talk = cues_of([timed(10.0, "one two three four"), spoken(14, 16, "Then this.")])
    cut = within(talk, 11.0, 15.5)
    assert [(cue.text, cue.start, cue.end) for cue in cut] == [
        ("one two three four", 0, 1.0),
        ("Then this.", 3.0, 4.5),
    ]
    assert within(talk, 100, 110) == []


# ---------------------------------------------------------------- tables


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_is_a_formula(sign: str) -> None:
    evil = f"{sign}1+cmd|' /C calc'!A0"
    saved = answered([cited(1, Video("v", evil), 1, 2, quote=evil)], (evil, (1,), "supported"))
    (row,) = rows(citations_table(saved, {1: evil}))
    assert {row[name] for name in ("title", "quote", "claims", "link")} == {"'" + evil}
    (row,) = rows(segments_table([(1, spoken(0, 1, evil, speaker=evil))]))
    assert (row["text"], row["speaker"]) == ("'" + evil, "'" + evil)


def test_a_table_holds_every_citation_with_all_that_cites_it() -> None:
    saved = answered(
        [cited(1, COUNCIL, 4.5, 6.25, 'She said: "no, never"'), cited(2, FERRY, 65.0, 66.0)],
        ("One.", (1, 2), "supported"),
        ("Two.", (1,), "partly"),
    )
    text = citations_table(saved, {1: "file:///a#t=4.5"})
    assert text.splitlines()[0] == ",".join(CITATIONS)
    first, second = rows(text)
    assert (first["start"], first["end"], first["date"]) == ("4.5", "6.25", "2024-09-03")
    assert first["quote"] == 'She said: "no, never"'
    assert first["claims"] == "One.\nTwo."
    assert (second["time"], second["link"]) == ("01:05", "")
    assert text.endswith("\r\n")


# ---------------------------------------------------------------- chapters


def spans(*starts: float) -> list[TitledSpan]:
    return [TitledSpan(s, s + 1, f"Chapter {n}") for n, s in enumerate(starts, 1)]


def test_chapters_are_as_youtube_wants_them() -> None:
    listed = youtube_chapters(spans(0, 12.9, 75, 3700), 4000)
    assert listed == "0:00 Chapter 1\n0:12 Chapter 2\n1:15 Chapter 3\n1:01:40 Chapter 4\n"


def test_the_first_chapter_begins_at_zero() -> None:
    assert youtube_chapters(spans(4, 20, 40), 60).startswith("0:00 Chapter 1\n")
    assert youtube_chapters(spans(30, 60), 90).splitlines() == [
        "0:00 Beginning", "0:30 Chapter 1", "1:00 Chapter 2",
    ]  # fmt: skip


def test_chapters_under_ten_seconds_are_joined() -> None:
    listed = youtube_chapters(spans(0, 9, 20, 29.5, 40, 95), 100)
    assert [line.split()[0] for line in listed.splitlines()] == ["0:00", "0:20", "0:40"]


@pytest.mark.parametrize("found", [spans(), spans(0, 30), spans(0, 5, 9, 14)])
def test_fewer_than_three_are_none(found: list[TitledSpan]) -> None:
    with pytest.raises(UsageError, match="3 chapters or more"):
        youtube_chapters(found, 60)


@given(st.lists(st.floats(0, 500), min_size=3, max_size=30), st.floats(500, 600))
def test_every_list_keeps_the_rules(starts: list[float], duration: float) -> None:
    try:
        listed = youtube_chapters([TitledSpan(s, s + 1, EVIL) for s in starts], duration)
    except UsageError:
        return
    lines = listed.splitlines()
    clocks = [[int(p) for p in line.split()[0].split(":")] for line in lines]
    seconds = [sum(part * 60**n for n, part in enumerate(reversed(c))) for c in clocks]
    assert len(lines) >= 3 and seconds[0] == 0
    assert all(b - a >= 10 for a, b in zip([*seconds], [*seconds[1:], duration], strict=True))
    assert "<" not in listed and ">" not in listed


# ---------------------------------------------------------------- pages


class Page(HTMLParser):
    """Every tag with its attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def of(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


_HARMLESS = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "ol", "ul", "li", "a",
    "span", "sup", "strong", "q", "div", "del", "img", "footer",
}  # fmt: skip


def jpeg(path: Path) -> Path:
    Image.new("RGB", (640, 360), (200, 30, 30)).save(path, "JPEG")
    return path


def test_a_page_of_an_answer_stands_alone(tmp_path: Path) -> None:
    picture = jpeg(tmp_path / "f.jpg")
    saved = answered(
        [cited(1, FERRY, 65.0, 70.0), cited(2, IMPORTED, 3.0, 4.0)],
        ("It is late.", (1,), "supported"),
        ("It sank.", (2,), "contradicted"),
        ("It is blue.", (1, 2), "partly"),
    )
    videos = {"ferry": FERRY, "talk": IMPORTED}
    page = Page(answer_page(saved, videos, lambda v, _: picture if v == "ferry" else None))
    (image,) = page.of("img")
    data = (image["src"] or "").removeprefix("data:image/jpeg;base64,")
    with Image.open(io.BytesIO(base64.b64decode(data))) as opened:
        assert opened.size == (320, 180)
    links = [a["href"] or "" for a in page.of("a")]
    assert "file:///videos/ferry%20%26%20co/ferry.mp4#t=65" in links
    assert "https://x.example/talk#t=3" in links
    anchors = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert {link[1:] for link in links if link.startswith("#")} <= anchors
    policy = next(m for m in page.of("meta") if m.get("http-equiv"))["content"] or ""
    assert "default-src 'none'" in policy and "img-src data:" in policy and "script" not in policy
    assert len(page.of("del")) == 1, "what the video contradicts is struck"
    assert not page.of("script") and not page.of("link") and not page.of("iframe")


def test_nothing_of_a_video_or_of_a_saved_answer_writes_html(tmp_path: Path) -> None:
    evil = f"{EVIL} <img src=x onerror=alert(1)> \"' </style></q><script>"
    bad = Video('"><b>', evil, url="javascript:alert(1)")
    citation = cited(1, bad, 1, 2, quote=evil)
    saved = answered([citation], (evil, (1,), "supported"))
    segment = Segment("screen", 0, 1, evil)
    pages = [
        answer_page(saved, {bad.video_id: bad}, lambda *_: None),
        video_page(
            bad,
            {"Tags": evil},
            [SummarySentence(evil, (Place(0, 1, "screen"),))],
            [TitledSpan(0, 1, evil)],
            [segment, spoken(1, 2, evil, speaker=evil)],
            lambda *_: None,
        ),
    ]
    for page in map(Page, pages):
        assert {tag for tag, _ in page.tags} <= _HARMLESS
        assert not any(name.startswith("on") for _, a in page.tags for name in a)
        assert all((a.get("href") or "#").startswith("#") for a in page.of("a"))
        assert "<script>alert(1)</script>" in page.text


def test_a_damaged_picture_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "f.jpg").write_bytes(b"no picture")
    saved = answered([cited(1, FERRY, 1, 2)], ("Late.", (1,), "supported"))
    for path in (tmp_path / "f.jpg", tmp_path / "gone.jpg"):
        assert not Page(answer_page(saved, {"ferry": FERRY}, lambda *_, p=path: p)).of("img")


def test_an_abstention_is_a_page_too() -> None:
    from pipeline.answer.saved import Saved

    page = Page(answer_page(Saved("Why?", (), (), "The library does not answer this."), {}, None))  # type: ignore[arg-type]
    assert "The library does not answer this." in page.text and not page.of("ol")


def test_talk_of_one_speaker_stands_in_paragraphs() -> None:
    talk = [spoken(n * 10.0, n * 10.0 + 9, f"Part {n}.", "Ann") for n in range(6)]
    page = Page(video_page(COUNCIL, {}, [], [], talk, lambda *_: None))
    assert len(page.of("p")) == 2, "about thirty seconds each"
