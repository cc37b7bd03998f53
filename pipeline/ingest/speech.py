"""Speech to timed text: the subtitle track to trust, or the transcriber's own.

A transcriber is given speech only, in chunks cut at silences: it invents text in silence, and a
chunk is what a killed run can lose. (Bain et al. 2023, "WhisperX", section 3.1: cut and merge by
voice activity, with the cut at the least active point.)
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from pipeline.ingest.clock import SegmentClock
from pipeline.ingest.glossary import Glossary
from pipeline.ingest.outputs import (
    GetOutput,
    PutOutput,
    Report,
    output_key,
    segments_from_json,
    segments_to_json,
)
from pipeline.ingest.sentences import sentences
from pipeline.ingest.speakers import with_speakers
from pipeline.ingest.speech_checks import check_speech
from pipeline.types import (
    INVENTED,
    SAMPLE_RATE,
    Audio,
    Samples,
    Segment,
    SpeechDetector,
    Transcriber,
    Turn,
    Word,
)

Interval = tuple[float, float]

# Whisper's window is 30 s; what lies beyond it is lost, so chunks stay clear of it.
LONGEST_CHUNK = 28.0
# Each chunk costs the transcriber a full window, so speech is gathered over short silences.
_LONGEST_SILENCE = 4.0
_PADDING = 0.2  # detectors cut first and last consonants
# Below this the transcriber guesses the language from too little.
_ENOUGH_TO_TELL_LANGUAGE = 10.0
LONGEST_UTTERANCE = 15.0

# Detection runs over windows, so that hours of audio are never in memory at once.
_WINDOW = 600.0
_LEAD_IN = 2.0  # heard before a window, for the detector to settle in
_FRAME = 0.03  # seconds over which loudness is measured


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was heard, segments as the recogniser gave them; those that nobody said are flagged.

    `dropped` is what lay outside the audio it was heard in, times on the video's clock.
    """

    segments: tuple[Segment, ...]
    dropped: tuple[Segment, ...]
    model_calls: int


def transcribe(
    audio: Samples,
    detector: SpeechDetector,
    transcriber: Transcriber,
    *,
    language: str = "",
    terms: Sequence[str] = (),
    get_output: GetOutput,
    put_output: PutOutput,
    progress: Report | None = None,
) -> Transcript:
    """`speech` segments of `audio` (16 kHz, read a window at a time).

    Times count from the start of `audio`; none lies beyond its end. Each chunk's text is kept
    under the hash of its samples as soon as it is made. A chunk too short to tell its language is
    taken to be in that of the last one that was not. `terms` are what the transcriber is told to
    expect. `progress` is called with seconds of speech.
    """
    speech = detect_speech(audio, detector, get_output, put_output)
    chunks = speech_chunks(audio, speech)
    total = sum(end - start for start, end in chunks)
    kept: list[Segment] = []
    dropped: list[Segment] = []
    done, calls, heard = 0.0, 0, ""
    for start, end in chunks:
        samples = _samples(audio, start, end)
        short = end - start < _ENOUGH_TO_TELL_LANGUAGE
        hint = language or (heard if short else "")
        told = ["\n".join(terms)] if terms else []
        key = output_key("transcript-1", transcriber.name, hint, samples.tobytes(), *told)
        output = get_output(key)
        if output is None:
            output = segments_to_json(transcriber.transcribe(samples, hint, terms))
            put_output(key, output)
            calls += 1
        inside, outside = clip(segments_from_json(output), len(samples) / SAMPLE_RATE)
        heard = heard if short else _language_of(inside) or heard
        origin = round(start * SAMPLE_RATE) / SAMPLE_RATE
        kept += [shift(segment, origin) for segment in inside if segment.text.strip()]
        dropped += [shift(segment, origin) for segment in outside]
        done += end - start
        if progress:
            progress(done, total)
    # Again on the video's clock: a sum of floats may end a hair after the audio does.
    kept, late = clip(kept, len(audio) / SAMPLE_RATE)
    return Transcript(tuple(check_speech(kept, speech, terms)), (*dropped, *late), calls)


def _samples(audio: Samples, start: float, end: float) -> Audio:
    return np.array(audio[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)], np.float32)


def _language_of(segments: Sequence[Segment]) -> str:
    """The language of most of the text, "" if the transcriber names none."""
    characters: dict[str, int] = {}
    for segment in segments:
        characters[segment.language] = characters.get(segment.language, 0) + len(segment.text)
    return max(characters, key=lambda language: characters[language], default="")


# ---------------------------------------------------------------- where speech is


def detect_speech(
    audio: Samples, detector: SpeechDetector, get_output: GetOutput, put_output: PutOutput
) -> list[Interval]:
    """(start, end) of speech in all of `audio`, ascending and disjoint, window by window."""
    duration = len(audio) / SAMPLE_RATE
    found: list[Interval] = []
    for number in range(int(np.ceil(duration / _WINDOW))):
        begin = number * _WINDOW
        heard_from = max(0.0, begin - _LEAD_IN)
        samples = _samples(audio, heard_from, min(begin + _WINDOW, duration))
        key = output_key("speech-activity-1", detector.name, samples.tobytes())
        output = get_output(key)
        if output is None:
            output = json.dumps(detector.detect(samples)).encode()
            put_output(key, output)
        for start, end in json.loads(output):
            start, end = max(start + heard_from, begin), min(end + heard_from, duration)
            if start >= end:
                continue
            if found and start - found[-1][1] < _FRAME:
                found[-1] = (found[-1][0], max(end, found[-1][1]))
            else:
                found.append((start, end))
    return found


def speech_chunks(audio: Samples, speech: Sequence[Interval]) -> list[Interval]:
    """Disjoint chunks of at most `LONGEST_CHUNK` seconds that hold all of `speech`.

    They begin and end in silence, or, where somebody speaks for longer without a pause, at the
    quietest moment of the chunk's last third.
    """
    pieces = [
        piece
        for interval in _padded(speech, len(audio) / SAMPLE_RATE)
        for piece in _short_enough(audio, *interval)
    ]
    chunks: list[Interval] = []
    for start, end in pieces:
        if (
            chunks
            and end - chunks[-1][0] <= LONGEST_CHUNK
            and start - chunks[-1][1] <= _LONGEST_SILENCE
        ):
            chunks[-1] = (chunks[-1][0], end)
        else:
            chunks.append((start, end))
    return chunks


def _padded(speech: Sequence[Interval], duration: float) -> list[Interval]:
    """Intervals with a little silence around them, never reaching into each other."""
    padded = []
    for at, (start, end) in enumerate(speech):
        low = (speech[at - 1][1] + start) / 2 if at else 0.0
        high = (end + speech[at + 1][0]) / 2 if at + 1 < len(speech) else duration
        padded.append((max(start - _PADDING, low), min(end + _PADDING, high)))
    return padded


def _short_enough(audio: Samples, start: float, end: float) -> list[Interval]:
    pieces = []
    while end - start > LONGEST_CHUNK:
        low = start + LONGEST_CHUNK * 2 / 3
        cut = _quietest(audio, low, min(start + LONGEST_CHUNK, end - 1.0))
        pieces.append((start, cut))
        start = cut
    return [*pieces, (start, end)]


def _quietest(audio: Samples, low: float, high: float) -> float:
    """The middle of the quietest moment (five frames, so that no stop consonant wins)."""
    size = round(_FRAME * SAMPLE_RATE)
    samples = _samples(audio, low, high)
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    loudness = np.convolve(np.square(frames).mean(axis=1), np.ones(5) / 5, mode="valid")
    return low + (float(np.argmin(loudness)) + 2.5) * _FRAME


# ---------------------------------------------------------------- utterances


def shift(segment: Segment, seconds: float) -> Segment:
    """The segment and its words `seconds` later."""
    return replace(
        segment,
        start=segment.start + seconds,
        end=segment.end + seconds,
        words=tuple(
            replace(word, start=word.start + seconds, end=word.end + seconds)
            for word in segment.words
        ),
    )


def clip(segments: Sequence[Segment], duration: float) -> tuple[list[Segment], list[Segment]]:
    """(those that begin before `duration`, ending there at the latest; those beyond it)."""
    inside: list[Segment] = []
    outside: list[Segment] = []
    for segment in segments:
        if segment.start >= duration:
            outside.append(segment)
        elif segment.end <= duration:
            inside.append(segment)
        else:
            words = tuple(
                replace(word, start=min(word.start, duration), end=min(word.end, duration))
                for word in segment.words
            )
            inside.append(replace(segment, end=duration, words=words))
    return inside, outside


def finish(
    segments: Sequence[Segment], glossary: Glossary | None, turns: Sequence[Turn]
) -> list[Segment]:
    """What a recogniser wrote, made ready to keep: misspelt terms corrected, speakers named, long
    utterances cut. What nobody said stays as it is."""
    finished: list[Segment] = []
    for segment in segments:
        if segment.invented:
            finished.append(segment)
            continue
        corrected = glossary.correct(segment) if glossary else segment
        for part in with_speakers([corrected], turns):
            finished += split_utterance(part)
    return finished


def count_invented(segments: Sequence[Segment]) -> str:
    """A line that says how many segments nobody said, and why; "" when there are none."""
    reasons = Counter(
        flag.removeprefix(INVENTED)
        for segment in segments
        for flag in segment.flags
        if flag.startswith(INVENTED)
    )
    if not reasons:
        return ""
    why = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items()))
    return f"{reasons.total()} of {len(segments)} utterances are invented and not searched: {why}"


def split_utterance(segment: Segment, seconds: float = LONGEST_UTTERANCE) -> list[Segment]:
    """A segment longer than `seconds` cut at its sentence ends, by the times of its words.

    Parts are as long as they can be within `seconds`; a single longer sentence stays whole, and
    so does a segment without words, whose sentences have no times of their own.
    """
    if segment.end - segment.start <= seconds or not segment.words:
        return [segment]
    spans = sentences(segment.text)
    times = SegmentClock(segment).intervals(spans)
    if any(after[0] < before[1] for before, after in pairwise(times)):
        return [segment]  # no room between its start and end to tell its sentences apart
    parts: list[tuple[int, int, float, float]] = []  # left, right, start, end
    for (left, right), (start, end) in zip(spans, times, strict=True):
        if parts and end - parts[-1][2] <= seconds:
            parts[-1] = (parts[-1][0], right, parts[-1][2], end)
        else:
            parts.append((left, right, start, end))
    if len(parts) <= 1:
        return [segment]
    words = _words_by_part(segment.words, [end for *_, end in parts])
    return [
        replace(segment, start=start, end=end, text=segment.text[left:right], words=said)
        for (left, right, start, end), said in zip(parts, words, strict=True)
    ]


def _words_by_part(words: Sequence[Word], ends: Sequence[float]) -> list[tuple[Word, ...]]:
    """Each word to the part in which its middle lies."""
    parts: list[list[Word]] = [[] for _ in ends]
    for word in words:
        parts[min(bisect_left(ends, (word.start + word.end) / 2), len(ends) - 1)].append(word)
    return [tuple(part) for part in parts]
