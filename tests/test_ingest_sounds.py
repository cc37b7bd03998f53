"""Sound events: from when to when, in words; and files that hold nothing but sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ingest.sounds import BATCH, SoundText, hear_sounds, readable
from pipeline.models.sounds import load_sound_classifier
from pipeline.types import SAMPLE_RATE, Audio, SoundClassifier
from tests import clips
from tests.command import Footnote

Spans = Sequence[tuple[float, float, float]]  # (start, end, hertz)


def audio_of(duration: float, spans: Spans) -> Audio:
    tones = [clips.Tone(*span) for span in spans]
    return clips.tone_samples(clips.Track(tones, 0.0, duration), SAMPLE_RATE)


def heard(audio: Audio, classifier: SoundClassifier | str = "fake:pitch") -> SoundText:
    kept: dict[str, bytes] = {}
    if isinstance(classifier, str):
        classifier = load_sound_classifier(classifier)
    return hear_sounds(audio, classifier, get_output=kept.get, put_output=kept.__setitem__)


def events(
    audio: Audio, classifier: SoundClassifier | str = "fake:pitch"
) -> list[tuple[float, float, str]]:
    return [(s.start, s.end, s.text) for s in heard(audio, classifier).segments]


class Scripted:
    """Says what the loudness of a window tells: 0.1 k stands for the k-th entry of a script."""

    name = "scripted"
    seconds = 2.0

    def __init__(self, *script: Mapping[str, float]) -> None:
        self._script = script
        self.sizes: list[int] = []

    def classify(self, windows: Sequence[Audio]) -> list[Mapping[str, float]]:
        self.sizes.append(len(windows))
        return [self._script[round(float(np.median(w)) * 10) - 1] for w in windows]


def levels(*entries: int, seconds: float = 4.0) -> Audio:
    """`seconds` of each entry of a script."""
    count = round(seconds * SAMPLE_RATE)
    return np.repeat(np.array(entries, np.float32) / 10, count)


# ---------------------------------------------------------------- from when to when


def test_a_sound_is_there_when_it_is_heard() -> None:
    found = events(audio_of(60, [(10, 20, 500), (30, 45, 3000)]))
    assert [text for *_, text in found] == ["music", "alarm"]
    np.testing.assert_allclose([(a, b) for a, b, _ in found], [(10, 20), (30, 45)], atol=1.0)
    assert all(segment.source == "sound" for segment in heard(audio_of(5, [(0, 5, 500)])).segments)


def test_it_begins_high_and_goes_on_while_it_is_not_low() -> None:
    script = Scripted({"Applause": 0.9}, {"Applause": 0.3}, {"Applause": 0.06})
    ((start, end, text),) = events(levels(3, 2, 1, 2, 3, 3, 2, 3), script)
    assert text == "applause"
    assert (start, end) == (pytest.approx(4, abs=1), pytest.approx(16, abs=1))
    assert events(levels(2, 2, 2), script) == [], "never loud enough to begin"


def test_a_short_gap_is_bridged_and_a_long_one_is_not() -> None:
    one = events(audio_of(30, [(5, 12, 500), (14, 20, 500)]))
    assert [(a, b) for a, b, _ in one] == [(pytest.approx(5, abs=1), pytest.approx(20, abs=1))]
    two = events(audio_of(40, [(5, 12, 500), (22, 30, 500)]))
    assert len(two) == 2


def test_labels_of_speech_and_places_are_no_events() -> None:
    labels = (
        "Speech", "Male speech, man speaking", "Conversation", "Narration, monologue",
        "Inside, small room", "Outside, rural or natural", "Silence", "Whispering",
    )  # fmt: skip
    assert events(levels(1, 1), Scripted(dict.fromkeys(labels, 0.9))) == []
    assert [t for *_, t in events(levels(1, 1), Scripted({"Male singing": 0.9}))] == [
        "male singing"
    ]


def test_what_sounds_at_the_same_time_is_one_segment_the_surest_first() -> None:
    script = Scripted({"Guitar": 0.5, "Music": 0.8, "Dog": 0.02}, {"Music": 0.8})
    assert events(levels(1, 1), script) == [(0.0, 8.0, "music, guitar")]
    apart = events(levels(1, 2, 2, 2, 2), script)
    assert [text for *_, text in apart] == ["guitar", "music"]


def test_labels_are_words() -> None:
    assert readable("Fire_alarm") == "fire alarm"
    assert readable("Fire engine, fire truck (siren)") == "fire engine, fire truck (siren)"


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.9, 2.0, 2.1])
def test_however_short_it_is(seconds: float) -> None:
    audio = audio_of(seconds, [(0, 9, 500)])
    found = events(audio)
    assert [text for *_, text in found] == (["music"] if seconds else [])
    assert all(0 <= start < end <= len(audio) / SAMPLE_RATE for start, end, _ in found)


spans = st.lists(
    st.tuples(st.floats(0, 30), st.floats(0, 30), st.sampled_from([100.0, 500.0, 3000.0])),
    max_size=4,
)


@given(st.floats(0.1, 30), spans)
def test_times_lie_in_the_sound_and_one_label_never_overlaps_itself(
    duration: float, spans: Spans
) -> None:
    audio = audio_of(duration, [(min(a, b), max(a, b), hertz) for a, b, hertz in spans])
    segments = heard(audio).segments
    assert list(segments) == sorted(segments, key=lambda s: (s.start, s.end))
    assert all(0 <= s.start < s.end <= len(audio) / SAMPLE_RATE + 1e-9 for s in segments)
    for label in ("hum", "music", "alarm"):
        own = [s for s in segments if label in s.text]
        assert all(a.end <= b.start for a, b in pairwise(own))


# ---------------------------------------------------------------- what it costs


def test_silence_costs_nothing_and_nothing_is_heard_twice() -> None:
    assert heard(np.zeros(600 * SAMPLE_RATE, np.float32)) == SoundText((), 0)
    kept: dict[str, bytes] = {}
    audio, classifier = audio_of(60, [(3, 50, 500)]), load_sound_classifier("fake:pitch")
    first = hear_sounds(audio, classifier, get_output=kept.get, put_output=kept.__setitem__)
    again = hear_sounds(audio, classifier, get_output=kept.get, put_output=kept.__setitem__)
    assert first.model_calls > 1 and again.model_calls == 0
    assert again.segments == first.segments


def test_a_killed_run_loses_one_batch_and_a_batch_is_all_that_is_in_memory() -> None:
    audio = levels(*[1, 2, 2, 1, 2] * 8, seconds=3.7)  # no batch is like another
    kept: dict[str, bytes] = {}

    class Dies(Scripted):
        def classify(self, windows: Sequence[Audio]) -> list[Mapping[str, float]]:
            if len(self.sizes) == 3:
                raise KeyboardInterrupt
            return super().classify(windows)

    hums = {"Hum": 0.9}, {"Hum": 0.8}
    with pytest.raises(KeyboardInterrupt):
        hear_sounds(audio, Dies(*hums), get_output=kept.get, put_output=kept.__setitem__)
    rest, all_of_it = Scripted(*hums), Scripted(*hums)
    whole = hear_sounds(audio, rest, get_output=kept.get, put_output=kept.__setitem__)
    assert whole.model_calls == len(rest.sizes)
    assert whole.segments == heard(audio, all_of_it).segments
    assert len(all_of_it.sizes) == len(rest.sizes) + 3
    assert max(all_of_it.sizes) <= BATCH
    assert [(s.start, s.end) for s in whole.segments] == [(0, 148)]


def test_progress_ends_at_the_end() -> None:
    told: list[tuple[float, float]] = []
    hear_sounds(
        audio_of(61, []),
        load_sound_classifier("fake:pitch"),
        get_output={}.get,
        put_output=lambda key, value: None,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told[-1][0] == pytest.approx(61, abs=1) and {total for _, total in told} == {61.0}


# ---------------------------------------------------------------- as a stage


@pytest.fixture
def film(tmp_path: Path) -> Path:
    tones = [clips.Tone(4.0, 10.0, 500), clips.Tone(12.0, 18.0, 3000)]
    return clips.write(
        tmp_path / "film.mkv",
        clips.scenes((20.0, clips.texture(1)), fps=5),
        fps=5,
        tracks=[clips.Track(tones, 0.0, 20.0)],
    )


def test_sounds_are_searched_and_cited_where_a_model_is_set(
    footnote: Footnote, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOOTNOTE_SCREEN_READER", "fake:Harbour")
    first = footnote.json("add", film)["videos"][0]["stages"]
    assert "sounds" not in first, "it is planned only where a model is set"
    monkeypatch.setenv("FOOTNOTE_SOUND_MODEL", "transformers:/no/such/folder")
    pending = footnote.json("add", film)["videos"][0]["stages"]
    assert pending["sounds"]["status"] == "pending"
    assert "no model folder" in pending["sounds"]["reason"]
    monkeypatch.setenv("FOOTNOTE_SOUND_MODEL", "fake:pitch")
    done = footnote.json("add", film)["videos"][0]["stages"]
    assert (done["sounds"]["status"], done["sounds"]["model_calls"]) == ("done", 2)
    assert {name: done[name] for name in ("frames", "screen")} == {
        name: first[name] for name in ("frames", "screen")
    }
    shown = [s for s in footnote.json("show", "film")["segments"] if s["source"] == "sound"]
    assert [s["text"] for s in shown] == ["music", "alarm"]
    np.testing.assert_allclose([(s["start"], s["end"]) for s in shown], [(4, 10), (12, 18)], atol=1)
    found = footnote.json("search", "alarm", "--source", "sound")["moments"][0]
    assert found["video_id"] == "film" and "alarm" in found["text"]
    assert footnote.json("list")["videos"][0]["sources"]["sound"] == 2
    again = footnote.json("add", film)["videos"][0]
    assert (again["status"], again["stages"]) == ("unchanged", done)
    monkeypatch.delenv("FOOTNOTE_SOUND_MODEL")
    assert footnote.json("add", film)["videos"][0]["stages"] == done, "what was heard stays"


# ---------------------------------------------------------------- files of sound alone

CODECS = {
    ".mp3": "libmp3lame", ".wav": "pcm_s16le", ".m4a": "aac", ".flac": "flac", ".ogg": "libopus",
    ".opus": "libopus",
}  # fmt: skip


def test_sound_files_are_as_good_as_videos(
    footnote: Footnote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOOTNOTE_SPEECH_MODEL", "fake:the ferry leaves")
    monkeypatch.setenv("FOOTNOTE_SPEECH_DETECTOR", "fake:loudness")
    monkeypatch.setenv("FOOTNOTE_CAPTION_MODEL", "fake:colours")
    media = tmp_path / "media"
    media.mkdir()
    cover = clips.texture(7, (120, 120))
    for number, (extension, codec) in enumerate(CODECS.items()):
        tone = clips.Track([clips.Tone(2.0, 4.0, 300.0 + number)], end=6.0, codec=codec)
        name = f"talk{extension[1:]}{extension}"
        art = cover if extension in (".mp3", ".flac") else None
        clips.write(media / name, tracks=[tone], cover=art, metadata={"title": f"A {extension}"})
    report = footnote.json("add", media)
    assert {Path(v["path"]).suffix for v in report["videos"]} == set(CODECS)
    for video in report["videos"]:
        stages = {name: record["status"] for name, record in video["stages"].items()}
        assert stages == {
            "probe": "done", "frames": "skipped", "speech": "done", "screen": "skipped",
            "captions": "skipped", "passages": "done", "levels": "done",
        }, video["path"]  # fmt: skip
        assert video["stages"]["screen"]["reason"] == "no picture"
        (said,) = footnote.json("show", video["video_id"])["segments"]
        assert said["start"] == pytest.approx(2.0, abs=0.75)
    rows = footnote.json("list")["videos"]
    assert all(row["pending"] == [] and row["sources"] == {"speech": 1} for row in rows)
    assert all(row["duration"] == pytest.approx(6.0, abs=0.1) for row in rows)
    assert {row["title"] for row in rows} == {f"A {extension}" for extension in CODECS}
    assert "0:06" in footnote.run("show", "talkmp3").out
    again = footnote.json("add", media)
    assert {video["status"] for video in again["videos"]} == {"unchanged"}


def test_subtitles_beside_a_sound_file_are_its_speech(footnote: Footnote, tmp_path: Path) -> None:
    tone = clips.Track([clips.Tone(0.5, 2.0)], end=3.0, codec="libmp3lame")
    path = clips.write(tmp_path / "talk.mp3", tracks=[tone])
    (tmp_path / "talk.srt").write_text("1\n00:00:00,500 --> 00:00:02,000\nThe ferry leaves.\n")
    footnote.json("add", path)
    answer = footnote.json("search", "ferry")["moments"][0]
    assert (answer["video_id"], answer["start"], answer["end"]) == ("talk", 0.5, 2.0)
