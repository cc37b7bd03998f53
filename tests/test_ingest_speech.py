"""Speech: the right subtitle track, every word at its second, nothing transcribed twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.ingest.outputs import segments_from_json, segments_to_json
from pipeline.ingest.speech import (
    LONGEST_CHUNK,
    Transcript,
    clip,
    detect_speech,
    finish,
    speech_chunks,
    split_utterance,
    transcribe,
)
from pipeline.ingest.tracks import choose_tracks
from pipeline.types import SAMPLE_RATE, Audio, Segment, Turn, Word

WORD_SECONDS = 0.5


class LoudIsSpeech:
    """A detector that calls every tenth of a second that is not silent speech."""

    name = "loud"

    def detect(self, audio: Audio) -> list[tuple[float, float]]:
        size = SAMPLE_RATE // 10
        loud = [np.abs(audio[at : at + size]).max() > 0.1 for at in range(0, len(audio), size)]
        edges = np.flatnonzero(np.diff([0, *loud, 0]))
        end = len(audio) / SAMPLE_RATE
        return [(a / 10, min(b / 10, end)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


class SaysTheLoudness:
    """A transcriber that writes one word per half second, naming the amplitude it hears, as one
    segment, and, as Whisper does, something more in the padding after the end."""

    name = "loudness"

    def __init__(self, language: Callable[[Audio], str] = lambda _: "en") -> None:
        self.heard: list[tuple[int, str]] = []
        self._language = language

    def transcribe(
        self, audio: Audio, language: str = "", terms: Sequence[str] = ()
    ) -> list[Segment]:
        self.heard.append((len(audio), language))
        words = []
        for start in np.arange(0, len(audio) / SAMPLE_RATE - 0.25, WORD_SECONDS).tolist():
            at = round((start + 0.25) * SAMPLE_RATE)
            said = f"w{round(float(np.abs(audio[at : at + 200]).max()) * 1000)}"
            words.append(Word(start, start + WORD_SECONDS, said + "." * (len(words) % 8 == 7)))
        spoken = language or self._language(audio)
        text = " ".join(word.text for word in words)
        return [
            Segment("speech", 0, words[-1].end, text, language=spoken, words=tuple(words)),
            Segment("speech", 29.0, 30.0, "Thanks for watching!", language=spoken),
        ]


def audio_of(*parts: tuple[float, float]) -> Audio:
    """(seconds, amplitude) one after the other."""
    pieces = [np.full(round(s * SAMPLE_RATE), a, np.float32) for s, a in parts]
    return np.concatenate(pieces)


class Outputs(dict[str, bytes]):
    def heard_by(
        self, audio: Audio, transcriber: SaysTheLoudness, language: str = ""
    ) -> Transcript:
        return transcribe(
            audio,
            LoudIsSpeech(),
            transcriber,
            language=language,
            get_output=self.get,
            put_output=self.__setitem__,
        )


def test_words_are_at_the_second_where_they_are_said() -> None:
    """Each second has its own loudness, so every word tells when it was said."""
    seconds = [(1.0, 0.0 if 20 <= i < 30 or 45 <= i < 47 else 0.2 + i / 1000) for i in range(90)]
    transcript = Outputs().heard_by(audio_of(*seconds), SaysTheLoudness())
    words = [word for segment in transcript.segments for word in segment.words]
    loud = [word for word in words if word.text.strip(".") != "w0"]
    assert len(loud) > 140
    for word in loud:
        said_at = int(word.text.strip("w.")) - 200
        assert said_at - 0.5 <= word.start <= said_at + 1 <= word.end + 1
    assert not [w for w in words if 20.5 < w.start < 29 and w.text.strip(".") == "w0"]


def test_times_stay_inside_the_audio_and_what_does_not_is_reported() -> None:
    audio = audio_of((3, 0.0), (7.03, 0.5))
    transcript = Outputs().heard_by(audio, SaysTheLoudness())
    assert transcript.segments
    assert all(s.end <= len(audio) / SAMPLE_RATE for s in transcript.segments)
    assert all(w.end <= s.end for s in transcript.segments for w in s.words)
    assert [s.text for s in transcript.dropped] == ["Thanks for watching!"]


def test_a_killed_run_loses_at_most_one_chunk() -> None:
    audio = audio_of(*[(1.0, 0.2 + i / 1000) for i in range(80)])
    whole = Outputs().heard_by(audio, SaysTheLoudness())
    kept = Outputs()

    class Dies(SaysTheLoudness):
        def transcribe(
            self, audio: Audio, language: str = "", terms: Sequence[str] = ()
        ) -> list[Segment]:
            if len(self.heard) == 2:
                raise KeyboardInterrupt
            return super().transcribe(audio, language, terms)

    with pytest.raises(KeyboardInterrupt):
        kept.heard_by(audio, Dies())
    again = kept.heard_by(audio, SaysTheLoudness())
    assert again.model_calls == whole.model_calls - 2 > 0
    assert again.segments == whole.segments
    assert kept.heard_by(audio, SaysTheLoudness()).model_calls == 0


def test_the_language_asked_for_is_used_and_part_of_the_key() -> None:
    audio, kept = audio_of((12, 0.5)), Outputs()
    assert kept.heard_by(audio, SaysTheLoudness(), "de").segments[0].language == "de"
    assert kept.heard_by(audio, SaysTheLoudness(), "").segments[0].language == "en"


def test_a_short_chunk_takes_the_language_of_the_long_one_before() -> None:
    transcriber = SaysTheLoudness(lambda audio: "fr" if len(audio) > 10 * SAMPLE_RATE else "cy")
    audio = audio_of((12, 0.5), (8, 0), (2, 0.5))
    transcript = Outputs().heard_by(audio, transcriber)
    assert [language for _, language in transcriber.heard] == ["", "fr"]
    assert {segment.language for segment in transcript.segments} == {"fr"}


def test_silence_costs_nothing() -> None:
    transcriber = SaysTheLoudness()
    assert Outputs().heard_by(audio_of((100, 0)), transcriber) == Transcript((), (), 0)
    assert Outputs().heard_by(np.zeros(0, np.float32), transcriber).segments == ()


def test_progress_counts_seconds_of_speech() -> None:
    told: list[tuple[float, float]] = []
    transcribe(
        audio_of((40, 0.5), (20, 0), (5, 0.5)),
        LoudIsSpeech(),
        SaysTheLoudness(),
        get_output={}.get,
        put_output=lambda key, value: None,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told[-1][0] == pytest.approx(told[-1][1]) == pytest.approx(45.4)


def test_hours_are_heard_in_windows_without_cutting_a_word_at_their_edges() -> None:
    audio = audio_of((590, 0), (20, 0.5), (600, 0), (1, 0.5))
    lengths = []

    class Detector(LoudIsSpeech):
        def detect(self, audio: Audio) -> list[tuple[float, float]]:
            lengths.append(len(audio) / SAMPLE_RATE)
            return super().detect(audio)

    kept = Outputs()
    found = detect_speech(audio, Detector(), kept.get, kept.__setitem__)
    assert found == [(590, 610), (1210, 1211)]
    assert max(lengths) <= 602
    detect_speech(audio, Detector(), kept.get, kept.__setitem__)
    assert len(lengths) == 3


def test_speech_without_a_pause_is_cut_at_the_quietest_moment() -> None:
    quiet = audio_of((24, 0.5), (0.3, 0.05), (26, 0.5))
    chunks = speech_chunks(quiet, [(0, 50.3)])
    assert chunks[0][1] == pytest.approx(24.15, abs=0.2)
    assert chunks[0][1] == chunks[1][0]


@settings(max_examples=40)
@given(st.lists(st.tuples(st.floats(0.05, 40), st.floats(0.05, 12)), max_size=6))
def test_chunks_hold_all_speech_and_are_short_and_disjoint(
    parts: list[tuple[float, float]],
) -> None:
    audio = audio_of((0.5, 0), *[p for s, q in parts for p in ((s, 0.5), (q, 0.0))])
    speech, at = [], 0.5
    for spoken, quiet in parts:
        speech.append((at, at + spoken))
        at += spoken + quiet
    chunks = speech_chunks(audio, speech)
    assert all(0 <= a < b <= len(audio) / SAMPLE_RATE + 1e-3 for a, b in chunks)
    assert all(b - a <= LONGEST_CHUNK for a, b in chunks)
    assert all(before[1] <= after[0] for before, after in pairwise(chunks))
    for start, end in speech:
        covered = sum(max(0.0, min(b, end) - max(a, start)) for a, b in chunks)
        assert covered == pytest.approx(end - start, abs=1e-6)


# ---------------------------------------------------------------- utterances


def test_a_long_utterance_is_split_at_sentence_ends_by_its_words() -> None:
    said = [
        "One",
        "two",
        "three",
        "four.",
        "Five",
        "six.",
        "Seven",
        "eight",
        "nine",
        "ten.",
        "Eleven",
        "twelve.",
    ]
    words = tuple(Word(2.0 * i, 2.0 * i + 1.5, word) for i, word in enumerate(said))
    whole = Segment("speech", 0, 24, " ".join(said), "Ann", "en", ("unsure",), words)
    parts = split_utterance(whole, 12.5)
    assert [part.text for part in parts] == [
        "One two three four. Five six.",
        "Seven eight nine ten. Eleven twelve.",
    ]
    assert [(p.start, p.end) for p in parts] == [
        (0, pytest.approx(11.5, abs=0.01)),
        (pytest.approx(12, abs=0.01), 24),
    ]
    assert [" ".join(w.text for w in part.words) for part in parts] == [p.text for p in parts]
    assert {(p.speaker, p.language, p.flags) for p in parts} == {("Ann", "en", ("unsure",))}
    assert split_utterance(whole, 30) == [whole]


def test_clip_ends_what_straddles_the_end_and_names_what_is_beyond() -> None:
    word = Word(9, 11, "on")
    segments = [
        Segment("speech", 0, 5, "a"),
        Segment("speech", 8, 11, "going on", words=(word,)),
        Segment("speech", 10, 12, "gone"),
    ]
    inside, outside = clip(segments, 10)
    assert [(s.start, s.end) for s in inside] == [(0, 5), (8, 10)]
    assert inside[1].words[0].end == 10
    assert [s.text for s in outside] == ["gone"]


def test_segments_survive_being_kept() -> None:
    segments = [
        Segment(
            "speech", 1.1, 2.2, "héllo \ud83d", "Ann", "en", ("x",), (Word(1.1, 2.2, "h", 0.5),)
        ),
        Segment("screen", 0, 1, "b"),
    ]
    assert segments_from_json(segments_to_json(segments)) == segments


# ---------------------------------------------------------------- subtitle tracks


@dataclass(frozen=True)
class Track:
    language: str
    origin: str
    segments: tuple[Segment, ...]


def track(
    language: str, origin: str, text: str = "the same old words again", words: bool = False
) -> Track:
    timed = (Word(0, 1, "the"),) if words else ()
    return Track(language, origin, (Segment("speech", 0, 5, text, words=timed),))


def test_one_track_per_language_in_the_order_of_trust() -> None:
    formats = ["stream 3", "talk.sbv", "talk.ass", "talk.srt", "talk.vtt"]
    given_tracks = [track("en", origin) for origin in formats]
    while given_tracks:
        assert choose_tracks(given_tracks)[0].origin == given_tracks[-1].origin
        assert len(choose_tracks(given_tracks)) == 1
        given_tracks.pop()
    timed = track("en", "stream 2", words=True)
    assert choose_tracks([track("en", "talk.vtt"), timed])[0].origin == "stream 2"
    full = track("en", "stream 1", "all of the words that are said in it")
    assert choose_tracks([track("en", "stream 0", "forced"), full])[0].origin == "stream 1"


def test_a_track_without_a_language_is_told_by_its_words() -> None:
    german = track("de", "stream 1", "immer wieder dieselben alten Wörter")
    chosen = choose_tracks([track("", "talk.vtt"), track("en", "talk.srt"), german])
    assert [(c.language, c.origin) for c in chosen] == [("en", "talk.vtt"), ("de", "stream 1")]
    assert {segment.language for segment in chosen[0].segments} == {"en"}
    assert len(choose_tracks([track("eng", "stream 1"), track("en-GB", "talk.srt")])) == 1
    japanese = track("ja", "b.srt", "これは日本語で書かれた字幕のトラックです")
    assert len(choose_tracks([track("", "a.srt"), japanese])) == 2


def test_an_empty_track_is_no_track() -> None:
    assert choose_tracks([track("en", "talk.vtt", " "), Track("en", "b.srt", ())]) == []


# ---------------------------------------------------------------- what is told, judged and finished


def test_terms_reach_the_transcriber_and_are_part_of_the_key() -> None:
    told: list[tuple[str, ...]] = []

    class Listens(SaysTheLoudness):
        def transcribe(
            self, audio: Audio, language: str = "", terms: Sequence[str] = ()
        ) -> list[Segment]:
            told.append(tuple(terms))
            return super().transcribe(audio, language, terms)

    kept: dict[str, bytes] = {}
    for terms in ((), ("Taproot",), ("Taproot",), ("Taproot", "Schnorr")):
        transcribe(
            audio_of((12, 0.5)),
            LoudIsSpeech(),
            Listens(),
            terms=terms,
            get_output=kept.get,
            put_output=kept.__setitem__,
        )
    assert told == [(), ("Taproot",), ("Taproot", "Schnorr")]


def test_what_the_detector_did_not_hear_is_judged_over_all_chunks() -> None:
    """A transcriber that says one sentence in every chunk is in a loop from the second on."""

    class SaysOneThing(SaysTheLoudness):
        def transcribe(
            self, audio: Audio, language: str = "", terms: Sequence[str] = ()
        ) -> list[Segment]:
            return [Segment("speech", 0, 2, "We go to the market.", language="en")]

    gaps = [part for _ in range(5) for part in ((2.0, 0.5), (6.0, 0.0))]
    segments = Outputs().heard_by(audio_of(*gaps), SaysOneThing()).segments
    assert [segment.flags for segment in segments] == [(), *[("invented: loop",)] * 4]


def test_finishing_names_speakers_and_cuts_long_utterances_by_their_words() -> None:
    said = "One two. Three four. Five six."
    words = tuple(Word(3.5 * at, 3.5 * at + 3, word) for at, word in enumerate(said.split()))
    whole = Segment("speech", 0, 21, said, "", "en", (), words)
    turns = [Turn(0, 7, "Anna"), Turn(7, 21, "Bert")]
    parts = finish([whole], None, turns)
    assert [(part.speaker, part.text) for part in parts] == [
        ("Anna", "One two."),
        ("Bert", "Three four. Five six."),
    ]
    assert [part.text for part in finish([whole], None, [])] == [
        "One two. Three four.",
        "Five six.",
    ]
    assert parts[0].words + parts[1].words == words
