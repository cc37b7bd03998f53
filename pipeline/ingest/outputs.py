"""What models said, kept under a key of what they were given: never computed twice.

A stage asks for an output by key before it calls a model and hands in each one as soon as it is
made, so that a killed run loses at most the call in flight. Keys are made of contents (hashes of
audio, of image files, of rendered prompts) and of the model's name, never of paths or times, so
the same second of jingle is transcribed once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from itertools import starmap

from pipeline.types import Segment, Word

GetOutput = Callable[[str], bytes | None]  # key -> what was kept, None when nothing was
PutOutput = Callable[[str, bytes], None]
Report = Callable[[float, float], None]  # (done, total), in the stage's unit


def output_key(kind: str, *parts: str | bytes) -> str:
    """A key for an output of this kind; parts are hashed with their lengths, so they cannot run
    into each other."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return f"{kind}:{digest.hexdigest()[:40]}"


def segments_to_json(segments: Sequence[Segment]) -> bytes:
    rows = [
        [
            segment.source,
            segment.start,
            segment.end,
            segment.text,
            segment.speaker,
            segment.language,
            segment.flags,
            [(word.start, word.end, word.text, word.probability) for word in segment.words],
        ]
        for segment in segments
    ]
    return json.dumps(rows).encode()


def segments_from_json(data: bytes) -> list[Segment]:
    return [
        Segment(
            source, start, end, said, speaker, language, tuple(flags), tuple(starmap(Word, words))
        )
        for source, start, end, said, speaker, language, flags, words in json.loads(data)
    ]
