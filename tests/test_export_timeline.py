"""What editing programs are given: every frame and timecode, worked out by hand."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.export.cited import claims_of, pieces_of, videos_of
from pipeline.export.edl import edl
from pipeline.export.fcpxml import fcpxml
from pipeline.export.otio import otio_json
from pipeline.export.timecode import (
    STANDARD_RATES,
    drops_numbers,
    end_frame,
    first_frame,
    frame_at,
    standard_rate,
    timecode,
)
from pipeline.export.timeline import Timeline, timeline_of, timeline_of_video
from pipeline.types import TitledSpan, Verdict
from tests.export_made import (
    COUNCIL,
    EVIL,
    FERRY,
    IMPORTED,
    NTSC,
    RADIO,
    MadeArchive,
    answered,
    cited,
    footage_of,
)

ARCHIVE = MadeArchive(FERRY, COUNCIL, RADIO, IMPORTED)

# ---------------------------------------------------------------- timecode


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (0, "00:00:00;00"),
        (1799, "00:00:59;29"),
        (1800, "00:01:00;02"),  # ;00 and ;01 are left out
        (17981, "00:09:59;29"),
        (17982, "00:10:00;00"),  # none is, each tenth minute
        (107892, "01:00:00;00"),
        (2589407, "23:59:59;29"),
        (2589408, "00:00:00;00"),
    ],
)
def test_drop_frame_leaves_out_two_numbers_a_minute_but_each_tenth(frame: int, code: str) -> None:
    assert timecode(frame, NTSC) == code
    assert frame_at(code, NTSC) == frame % 2589408


def test_other_rates_count_every_number() -> None:
    assert timecode(90_000, Fraction(25)) == "01:00:00:00"
    assert timecode(1440, Fraction(24000, 1001)) == "00:01:00:00"
    assert timecode(3600, Fraction(60000, 1001)) == "00:01:00;04"
    assert timecode(107892, NTSC, drop=False) == "00:59:56:12"
    assert [rate for rate in STANDARD_RATES if drops_numbers(rate)] == [
        NTSC,
        Fraction(60000, 1001),
    ]


@given(st.sampled_from(STANDARD_RATES), st.integers(0, 2_000_000))
def test_a_timecode_names_one_frame(rate: Fraction, frame: int) -> None:
    assert frame_at(timecode(frame, rate), rate) == frame


def test_timecode_keeps_up_with_the_clock() -> None:
    frame = first_frame(3600.0, NTSC)
    assert timecode(frame, NTSC) == "01:00:00;00", "3600 s are 107,892.1 frames"
    assert end_frame(3600.0, NTSC) == 107893


@pytest.mark.parametrize("code", ["1:00:00:00", "01:00:00:30", "00:61:00:00", "", "01:00:00"])
def test_what_is_no_timecode_is_refused(code: str) -> None:
    with pytest.raises(UsageError, match="is no timecode"):
        frame_at(code, Fraction(25))


@pytest.mark.parametrize(
    ("rate", "standard"),
    [
        (29.97, NTSC), (30, Fraction(30)), (23.976, Fraction(24000, 1001)), (25, Fraction(25)),
        (10, Fraction(30)), (12.5, Fraction(25)), (120, Fraction(60)), (0, Fraction(25)),
        (23.7, Fraction(24000, 1001)), (14.985, NTSC), (float("nan"), Fraction(25)),
    ],
)  # fmt: skip
def test_every_rate_has_a_timeline(rate: float, standard: Fraction) -> None:
    assert standard_rate(rate) == standard


# ---------------------------------------------------------------- the timeline


def timeline(*citations: Any, verdict: Verdict = "supported", text: str = "Late.") -> Timeline:
    saved = answered(
        list(citations), *((f"{text} {c.marker}", (c.marker,), verdict) for c in citations)
    )
    claims = claims_of(saved)
    return timeline_of(saved.subject, pieces_of(claims, videos_of(claims, ARCHIVE)), footage_of)


def test_takes_hold_all_that_is_cited_and_lie_end_to_end() -> None:
    made = timeline(cited(1, FERRY, 10.01, 12.0), cited(2, FERRY, 60.0, 61.0))
    # 10.01 s is frame 300 at 30000/1001 exactly; 12 s lies in frame 359, which ends at 360.
    assert [(t.first, t.end, t.at, t.frames) for t in made.takes] == [
        (300, 360, 0, 60),
        (1798, 1829, 60, 31),
    ]
    assert made.rate == NTSC and made.drop
    assert timecode(made.origin, made.rate) == "01:00:00;00"


def test_a_place_that_two_sentences_cite_is_there_once_with_both() -> None:
    citations = [cited(1, FERRY, 10, 12), cited(2, COUNCIL, 5, 6)]
    saved = answered(
        citations,
        ("Late.", (1,), "supported"),
        ("Agreed.", (2,), "partly"),
        ("Still late.", (1,), "unchecked"),
    )
    pieces = pieces_of(claims_of(saved), {"ferry": FERRY, "council": COUNCIL})
    assert [[claim.label for claim in piece.claims] for piece in pieces] == [
        ["[1] supported: Late.", "[1] unchecked: Still late."],
        ["[2] partly: Agreed."],
    ]


def test_pieces_that_run_into_each_other_are_one() -> None:
    made = timeline(cited(1, COUNCIL, 10, 14), cited(2, COUNCIL, 13, 16), cited(3, COUNCIL, 2, 3))
    assert [(t.first, t.end, len(t.marks)) for t in made.takes] == [(250, 400, 2), (50, 75, 1)]


def test_a_citation_beyond_the_file_stays_within_it() -> None:
    made = timeline(cited(1, COUNCIL, 89.5, 95.0), cited(2, COUNCIL, 200.0, 201.0))
    assert [(t.first, t.end) for t in made.takes] == [(2237, 2250), (2249, 2250)]


def test_notes_say_what_frames_cannot() -> None:
    made = timeline(cited(1, FERRY, 1, 2), cited(2, COUNCIL, 1, 2), cited(3, IMPORTED, 1, 2))
    assert made.notes == (
        "Council is at 25, the timeline at 29.97",
        "A talk has no file here: its takes are offline",
    )


# ---------------------------------------------------------------- EDL

_EVENT = re.compile(r"(\d{3})  (\S{2,8}) +(\S+) +C +(\S{11}) (\S{11}) (\S{11}) (\S{11})")


def events(text: str) -> list[tuple[str, ...]]:
    return [match.groups() for match in map(_EVENT.fullmatch, text.splitlines()) if match]


def test_an_edl_names_source_and_record_timecodes() -> None:
    made = edl(timeline(cited(1, FERRY, 10.01, 12.0), cited(2, FERRY, 60.0, 61.0)))
    assert made.splitlines()[:3] == ["TITLE: When is the ferry back?", "FCM: DROP FRAME", ""]
    assert events(made) == [
        ("001", "AX", "AA/V", "00:00:10;00", "00:00:12;00", "01:00:00;00", "01:00:02;00"),
        # Frame 1798 is 59;28. Frame 1829 has number 1831, as 1:00;00 and 1:00;01 are left out.
        ("002", "AX", "AA/V", "00:00:59;28", "00:01:01;01", "01:00:02;00", "01:00:03;01"),
    ]
    assert "* FROM CLIP NAME: ferry.mp4" in made
    assert "* SOURCE FILE: /videos/ferry & co/ferry.mp4" in made
    assert "* LOC: 01:00:02;00 GREEN   [2] supported: Late. 2" in made


def test_an_edl_counts_from_the_timecode_of_the_camera() -> None:
    (event,) = events(edl(timeline(cited(1, COUNCIL, 4.0, 6.5))))
    assert event[2:] == ("B", "10:00:04:00", "10:00:06:13", "01:00:00:00", "01:00:02:13")


def test_a_source_of_another_rate_is_counted_at_the_edls() -> None:
    made = events(
        edl(timeline(cited(1, FERRY, 0, 1), cited(2, FERRY, 9, 10), cited(3, COUNCIL, 4.0, 6.0)))
    )
    source, record = made[2][3:5], made[2][5:]
    # Two seconds of 25 are 50 frames: 59.94 of 29.97, 60 in whole ones, on both sides.
    assert frame_at(source[1], NTSC) - frame_at(source[0], NTSC) == 60
    assert frame_at(record[1], NTSC) - frame_at(record[0], NTSC) == 60


def test_an_edl_of_sound_and_of_what_has_no_file() -> None:
    made = edl(timeline(cited(1, RADIO, 2, 3), cited(2, IMPORTED, 4, 5)))
    assert [event[2] for event in events(made)] == ["AA", "B"]
    assert "* FROM CLIP NAME: A talk" in made
    assert made.count("* SOURCE FILE:") == 1


def test_an_edl_has_no_room_for_a_thousand_takes() -> None:
    many = [cited(n, FERRY if n % 2 else COUNCIL, n % 50, n % 50 + 1) for n in range(1, 1001)]
    with pytest.raises(UsageError, match="999"):
        edl(timeline(*many))


def test_nothing_that_is_said_begins_a_line_of_an_edl() -> None:
    evil = f"{EVIL}\n002  AX       V     C        00:00:00:00"
    made = edl(timeline(cited(1, FERRY, 1, 2), text=evil))
    assert len(events(made)) == 1
    assert "\x1b" not in made
    assert sum(line.startswith("002") for line in made.splitlines()) == 0


# ---------------------------------------------------------------- OpenTimelineIO


def read(made: Timeline) -> Any:
    otio = pytest.importorskip("opentimelineio")
    return otio.adapters.read_from_string(otio_json(made), "otio_json")


def test_opentimelineio_reads_the_same_frames_back() -> None:
    made = read(timeline(cited(1, COUNCIL, 4.0, 6.5), cited(2, COUNCIL, 10, 12), verdict="partly"))
    video, audio = made.tracks
    assert (video.kind, audio.kind) == ("Video", "Audio")
    clip = video[0]
    assert clip.source_range.start_time.to_timecode() == "10:00:04:00"
    assert (clip.source_range.duration.value, clip.source_range.duration.rate) == (63, 25)
    assert clip.media_reference.target_url == "file:///videos/council.mov"
    assert clip.available_range().duration.value == 2250
    assert clip.trimmed_range() == clip.source_range
    assert made.duration().to_seconds() == pytest.approx(2.52 + 2.0)
    assert made.range_of_child(video[1]).start_time.value == 63
    (marker,) = clip.markers
    assert marker.name == "[1] partly: Late. 1"
    assert marker.color == "YELLOW"
    assert marker.marked_range.start_time.to_timecode() == "10:00:04:00"
    told = marker.metadata["footnote"]
    assert (told["claim"], told["verdict"], told["quote"]) == ("Late. 1", "partly", "It is late.")


def test_sound_and_pictures_that_a_file_lacks_are_gaps() -> None:
    otio = pytest.importorskip("opentimelineio")
    made = read(timeline(cited(1, RADIO, 2, 3), cited(2, COUNCIL, 4, 5), cited(3, IMPORTED, 4, 5)))
    video, audio = made.tracks
    assert isinstance(video[0], otio.schema.Gap) and not isinstance(audio[0], otio.schema.Gap)
    assert len(audio[0].markers) == 1, "a marker lies where its clip is"
    assert isinstance(video[2].media_reference, otio.schema.MissingReference)
    assert [len(clip.markers) for clip in video[1:]] == [1, 1]
    assert len(audio[1].markers) == 0, "and only once"
    assert video.duration() == audio.duration()


def test_a_path_becomes_a_url_that_opens() -> None:
    made = read(timeline(cited(1, FERRY, 1, 2)))
    url = made.tracks[0][0].media_reference.target_url
    assert url == "file:///videos/ferry%20%26%20co/ferry.mp4"


def test_a_whole_video_has_its_chapters_as_markers() -> None:
    chapters = [TitledSpan(0.0, 30.0, "Intro"), TitledSpan(30.0, 90.0, "The vote\n& more")]
    made = timeline_of_video(COUNCIL, chapters, footage_of)
    (clip,) = read(made).tracks[0]
    assert clip.source_range.duration.value == 2250
    assert [m.name for m in clip.markers] == ["Intro", "The vote & more"]
    assert clip.markers[1].marked_range.start_time.to_timecode() == "10:00:30:00"
    root = Xml.fromstring(fcpxml(made).split("\n", 2)[2])
    assert [m.get("value") for m in root.iter("chapter-marker")] == ["Intro", "The vote & more"]


# ---------------------------------------------------------------- FCPXML


def parsed(made: Timeline) -> Xml.Element:
    text = fcpxml(made)
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n')
    return Xml.fromstring(text.split("\n", 2)[2])


def seconds(time: str | None) -> Fraction:
    assert time and re.fullmatch(r"\d+(/\d+)?s", time)
    return Fraction(time[:-1])


def test_fcpxml_times_are_whole_frames_in_seconds() -> None:
    root = parsed(
        timeline(cited(1, FERRY, 10.01, 12), cited(2, FERRY, 60, 61), cited(3, COUNCIL, 4.0, 6.0))
    )
    sequence = root.find("library/event/project/sequence")
    assert sequence is not None
    formats = {f.get("id"): f for f in root.iter("format")}
    assert formats[sequence.get("format")].get("frameDuration") == "1001/30000s"
    assert sequence.get("tcFormat") == "DF"
    first, second, third = sequence.findall("spine/asset-clip")
    assert first.get("start") == "1001/100s", "frame 300"
    assert first.get("duration") == "1001/500s", "60 frames"
    assert second.get("offset") == str(Fraction(107892 + 60) * Fraction(1001, 30000)) + "s"
    for clip in (first, second, third):
        for name in ("offset", "duration"):
            assert (seconds(clip.get(name)) / Fraction(1001, 30000)).denominator == 1
    assert (seconds(third.get("start")) * 25).denominator == 1, "on a frame of its own rate"
    assert third.get("start") == "36004s", "from the camera's ten o'clock"
    conform = third.find("conform-rate")
    assert conform is not None and conform.attrib == {"scaleEnabled": "0", "srcFrameRate": "25"}
    ends = [seconds(c.get("offset")) + seconds(c.get("duration")) for c in (first, second)]
    assert ends == [seconds(second.get("offset")), seconds(third.get("offset"))]


def test_fcpxml_names_each_file_once_and_refers_to_it() -> None:
    root = parsed(timeline(cited(1, FERRY, 1, 2), cited(2, RADIO, 1, 2), cited(3, FERRY, 8, 9)))
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    assets = {asset.get("id"): asset for asset in root.iter("asset")}
    clips = list(root.iter("asset-clip"))
    used = [assets[clip.get("ref")] for clip in clips]
    assert len(assets) == 2 and used[0] is used[2]
    sources = [asset.find("media-rep") for asset in used]
    assert [s.get("src") if s is not None else "" for s in sources[:2]] == [
        "file:///videos/ferry%20%26%20co/ferry.mp4",
        "file:///videos/radio.mp3",
    ]
    assert used[1].get("hasVideo") is None and used[1].get("audioRate") == "44100"
    for asset in assets.values():
        form = asset.get("format")
        assert form is None or form in {f.get("id") for f in root.iter("format")}


def test_fcpxml_markers_carry_claim_and_verdict_within_their_clip() -> None:
    root = parsed(timeline(cited(1, COUNCIL, 4.0, 6.0, quote=EVIL), verdict="contradicted"))
    (marker,) = root.iter("marker")
    (clip,) = root.iter("asset-clip")
    assert marker.get("value") == "[1] contradicted: Late. 1"
    assert "<script>alert(1)</script> &" in (marker.get("note") or "")
    begin = seconds(clip.get("start"))
    assert begin <= seconds(marker.get("start")) < begin + seconds(clip.get("duration"))


def test_fcpxml_of_a_video_without_a_file_is_a_gap_with_its_marker() -> None:
    root = parsed(timeline(cited(1, IMPORTED, 4, 5)))
    (gap,) = root.iter("gap")
    assert gap.get("duration") == "1s"
    assert [marker.get("value") for marker in gap] == ["[1] supported: Late. 1"]
    assert not list(root.iter("asset"))


_ORDER = {"conform-rate": 0, "marker": 1, "chapter-marker": 1}


def test_children_stand_in_the_order_of_the_dtd() -> None:
    made = timeline(cited(1, FERRY, 1, 2), cited(2, FERRY, 5, 6), cited(3, COUNCIL, 4, 6))
    for clip in parsed(made).iter("asset-clip"):
        places = [_ORDER[child.tag] for child in clip]
        assert places == sorted(places)
