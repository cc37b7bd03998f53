"""The sample library: the committed files are whole, and they agree with each other on times."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pysubs2
import pytest

DATA = Path(__file__).resolve().parent.parent / "data"
VIDEOS = sorted([*(DATA / "videos").glob("*.mp4"), *(DATA / "videos").glob("*.mkv")])
SIDECARS = sorted([*(DATA / "videos").glob("*.srt"), *(DATA / "videos").glob("*.vtt")])


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


@cache
def decoded_seconds(video_id: str) -> float:
    """When the last frame ends, by decoding every one."""
    (path,) = (path for path in VIDEOS if path.stem == video_id)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = [frame.time for frame in container.decode(stream)]
        assert frames[0] == 0.0
        return frames[-1] + 1 / float(stream.average_rate)


@cache
def truth() -> dict[str, list[dict[str, Any]]]:
    by_video = defaultdict(list)
    for row in rows("truth.jsonl"):
        by_video[row["video_id"]].append(row)
    return dict(by_video)


def spoken(video_id: str) -> list[tuple[float, float, str]]:
    return [(r["start"], r["end"], r["text"]) for r in truth()[video_id] if r["kind"] == "speech"]


def agree(found: list[tuple[float, float, str]], video_id: str) -> None:
    expected = spoken(video_id)
    assert [text for _, _, text in found] == [text for _, _, text in expected]
    for (start, end, _), (true_start, true_end, _) in zip(found, expected, strict=True):
        assert (start, end) == pytest.approx((true_start, true_end), abs=0.002)


def test_small_enough_to_commit() -> None:
    files = [p for p in DATA.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    assert sum(path.stat().st_size for path in files) < 15_000_000


def test_enough_video() -> None:
    assert len(VIDEOS) >= 6
    assert sum(decoded_seconds(path.stem) for path in VIDEOS) >= 480


def test_truth_covers_every_video_and_stays_inside_it() -> None:
    assert set(truth()) == {path.stem for path in VIDEOS}
    for video_id, found in truth().items():
        assert len({row["id"] for row in found}) == len(found)
        for row in found:
            assert row["kind"] in ("speech", "screen", "scene")
            assert row["text"].strip()
            assert 0 <= row["start"] < row["end"] <= decoded_seconds(video_id) + 0.001


def test_nobody_speaks_over_anybody() -> None:
    for video_id in truth():
        for (_, end, _), (start, _, _) in pairwise(spoken(video_id)):
            assert end < start


@pytest.mark.parametrize("path", SIDECARS, ids=lambda path: path.name)
def test_sidecar_says_what_is_said_when_it_is_said(path: Path) -> None:
    cues = pysubs2.load(str(path), encoding="utf-8")
    found = [
        (
            cue.start / 1000,
            cue.end / 1000,
            " ".join(re.sub(r"<[^>]*>", "", cue.plaintext).split()),
        )
        for cue in cues
    ]
    agree(found, path.stem)


def test_subtitle_stream_says_what_is_said_when_it_is_said() -> None:
    found = []
    with av.open(str(DATA / "videos" / "weather-balloon-launch.mkv")) as container:
        for packet in container.demux(container.streams.subtitles[0]):
            if packet.size:
                start = float(packet.pts * packet.time_base)
                length = float(packet.duration * packet.time_base)
                found.append((start, start + length, " ".join(bytes(packet).decode().split())))
    agree(found, "weather-balloon-launch")


def test_word_times_climb_inside_their_cue() -> None:
    text = (DATA / "videos" / "tidal-greenhouse-talk-v1.vtt").read_text(encoding="utf-8")
    cues = [block for block in text.split("\n\n") if "-->" in block]
    assert len(cues) == len(spoken("tidal-greenhouse-talk-v1"))
    for cue in cues:
        stamps = re.findall(r"(\d+):(\d+):(\d+\.\d+)", cue)
        start, end, *words = [int(h) * 3600 + int(m) * 60 + float(s) for h, m, s in stamps]
        assert len(words) == len(re.sub(r"<[^>]*>", "", cue.split("\n", 1)[1]).split()) - 1
        assert all(earlier < later for earlier, later in pairwise([start, *words, end]))


def loudness(video_id: str) -> list[float]:
    """The loudest sample of each tenth of a second, 0 to 1."""
    (path,) = (path for path in VIDEOS if path.stem == video_id)
    tenths: dict[int, float] = defaultdict(float)
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            samples = abs(frame.to_ndarray()[0])
            for begin in range(0, len(samples), 256):
                at = int((frame.time + begin / frame.sample_rate) * 10)
                tenths[at] = max(tenths[at], float(samples[begin : begin + 256].max()))
    return [tenths[at] for at in range(max(tenths) + 1)]


def test_the_voice_is_heard_when_the_truth_says_so() -> None:
    for video_id in truth():
        if not spoken(video_id):
            continue
        heard = loudness(video_id)
        for start, end, _ in spoken(video_id):
            assert heard[int(start * 10 + 1)] > 0.02
            assert max(heard[int(end * 10 - 4) : int(end * 10)]) > 0.02
        for (_, end, _), (start, _, _) in pairwise(spoken(video_id)):
            silence = heard[int(end * 10 + 1) + 1 : int(start * 10 - 1)]
            assert max(silence, default=0.0) < 0.01


def test_only_the_three_silent_carriers_lack_subtitles() -> None:
    with_sound, with_text = set(), {path.stem for path in SIDECARS}
    chapters = set()
    for path in VIDEOS:
        with av.open(str(path)) as container:
            assert container.metadata["title"]
            assert re.match(r"\d{4}-\d\d-\d\dT", container.metadata["creation_time"])
            if container.streams.audio:
                with_sound.add(path.stem)
            if container.streams.subtitles:
                with_text.add(path.stem)
            if container.chapters():
                chapters.add(path.stem)
    assert with_sound - with_text == {"night-sky-guide"}
    assert set(truth()) - with_sound == {"tide-logger-setup", "great-storm-1974-film"}
    assert chapters == {"night-sky-guide", "weather-balloon-launch"}


def test_fifty_questions_ten_unanswerable_half_held_out() -> None:
    questions = rows("questions.jsonl")
    assert len({question["qid"] for question in questions}) == 50
    assert len({question["question"] for question in questions}) == 50
    unanswerable = [q for q in questions if q["type"] == "unanswerable"]
    assert len(unanswerable) == 10
    assert all(bool(q["gold"]) == bool(q["answer"]) for q in questions)
    assert [q for q in questions if not q["gold"]] == unanswerable
    kinds = Counter(q["type"] for q in questions)
    held_out = Counter(q["type"] for q in questions if q["held_out"])
    assert held_out.total() == 25
    assert all(2 * held_out[kind] == count for kind, count in kinds.items())
    assert kinds["visual"] <= 3


def test_gold_is_the_evidence_and_inside_the_video() -> None:
    for question in rows("questions.jsonl"):
        for gold, evidence in zip(question["gold"], question["evidence"], strict=True):
            video_id, _, identifiers = evidence.partition("#")
            named = {row["id"]: row for row in truth()[video_id]}
            first, *rest = identifiers.split("..")
            last = rest[0] if rest else first
            assert gold["video_id"] == video_id
            assert gold["start"] == named[first]["start"]
            assert gold["end"] == named[last]["end"]
            assert gold["start"] < gold["end"] <= decoded_seconds(video_id) + 0.001


def test_expansions_are_for_the_questions_that_are_not_held_out() -> None:
    open_questions = {q["qid"] for q in rows("questions.jsonl") if not q["held_out"]}
    expansions = rows("expansions.jsonl")
    assert {row["qid"] for row in expansions} == open_questions
    assert len(expansions) == 25
    assert all(len(row["passages"]) == 2 for row in expansions)
