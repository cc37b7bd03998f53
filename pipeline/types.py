"""The values that flow through Footnote, and the protocols of the roles that make them.

Times are float seconds on one clock: zero is the container's start time, what a player shows
as 0:00. Every timed value is checked when it is made, so that a wrong time fails where it is
born and not in an answer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ClockError

Source = Literal["speech", "caption", "screen", "sound", "chapter", "summary"]
Verdict = Literal["supported", "partly", "unsupported", "contradicted", "unchecked"]

# The order is the code stored in the passage table: append, never reorder.
SOURCES: tuple[Source, ...] = ("speech", "caption", "screen", "sound", "chapter", "summary")
# What was perceived. Chapters and summaries are derived from it: searchable, never cited.
CITABLE: frozenset[Source] = frozenset(("speech", "caption", "screen", "sound"))
DERIVED: frozenset[Source] = frozenset(SOURCES) - CITABLE
# How each was perceived, in a word or two: to people and to language models.
HOW: Mapping[Source, str] = {
    "speech": "said", "caption": "seen", "screen": "on screen", "sound": "heard",
}  # fmt: skip

Audio = NDArray[np.float32]  # (samples,), mono, 16 kHz, in [-1, 1]
Image = NDArray[np.uint8]  # (height, width, 3), RGB
Vectors = NDArray[np.float32]  # (n, dimension), rows of unit length

SAMPLE_RATE = 16_000
# Loudness (root mean square) of each channel of a track, (n, channels), a row for every
# LEVEL_SECONDS on the clock; (0, 0) where there is only one channel, or it was not asked for.
Levels = NDArray[np.float32]
LEVEL_SECONDS = 0.05
MAX_MOMENT_SECONDS = 60.0


def check_interval(start: float, end: float, what: str) -> None:
    """Raise `ClockError` unless 0 <= start < end and both are finite."""
    if not (math.isfinite(start) and math.isfinite(end) and 0 <= start < end):
        raise ClockError(f"{what}: {start} to {end} is not an interval with 0 <= start < end")


def clock(seconds: float) -> str:
    """`m:ss`, `h:mm:ss` from an hour on; rounded down, as players do."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


# ---------------------------------------------------------------- timed text

# Begins a flag of speech that nobody said: shown, but in no passage and under no citation.
INVENTED = "invented: "
# Begins a flag that says what stood in a text before it was corrected: no doubt about it.
CORRECTED = "corrected: "
# Begins a flag that says for which question a frame was looked at: no doubt about what it shows.
LOOKED = "seen for: "
# The flag of a chapter that the file, or what was published with it, gives itself.
FROM_FILE = "from the file"


def are_doubts(flags: Iterable[str]) -> bool:
    """Whether one of the flags of a segment is a reason not to trust its text."""
    return any(not flag.startswith((CORRECTED, FROM_FILE, LOOKED)) for flag in flags)


@dataclass(frozen=True, slots=True)
class Word:
    """One word with its times. `probability` is 1.0 where the maker gives none."""

    start: float
    end: float
    text: str
    probability: float = 1.0


@dataclass(frozen=True, slots=True)
class Segment:
    """The smallest timed text: one utterance, one caption, one screen of text."""

    source: Source
    start: float
    end: float
    text: str
    speaker: str = ""
    language: str = ""  # ISO 639-1, "" when unknown
    flags: tuple[str, ...] = ()  # why this text is doubtful, "" never among them
    words: tuple[Word, ...] = ()

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise ClockError(f"unknown source {self.source!r}; one of {', '.join(SOURCES)}")
        check_interval(self.start, self.end, f"{self.source} segment {self.text[:40]!r}")

    @property
    def invented(self) -> bool:
        """Whether nobody said or showed this: it is kept, but neither searched nor cited."""
        return any(flag.startswith(INVENTED) for flag in self.flags)

    @property
    def doubtful(self) -> bool:
        """Whether there is a reason not to trust this text."""
        return are_doubts(self.flags)

    @property
    def confidence(self) -> float:
        """Mean probability of its words, in [0, 1]; 1.0 where the maker gives none."""
        return sum(w.probability for w in self.words) / len(self.words) if self.words else 1.0


@dataclass(frozen=True, slots=True)
class Turn:
    """From when to when one speaker has the word."""

    start: float
    end: float
    speaker: str

    def __post_init__(self) -> None:
        check_interval(self.start, self.end, f"turn of {self.speaker!r}")


@dataclass(frozen=True, slots=True)
class Window:
    """A few seconds of a passage: characters [left, right) of its text, and their time."""

    start: float
    end: float
    left: int
    right: int


@dataclass(frozen=True, slots=True)
class Passage:
    """Consecutive segments of one source, packed to about 30 s: what is embedded and indexed.

    `first` and `last` are inclusive ordinals into the video's segments of that source in
    (start, end) order. A segment too long for one passage is cut; a part of it may lie in a
    passage with its neighbours, so a segment can be the `last` of one and the `first` of the
    next, and `text` can hold less than the whole of either.

    `windows` are the passage in steps of a few seconds, by time: what is compared with a question
    to tell where in the passage the answer lies. Empty where it is not longer than one of them.
    """

    source: Source
    start: float
    end: float
    text: str
    first: int
    last: int
    windows: tuple[Window, ...] = ()

    def __post_init__(self) -> None:
        check_interval(self.start, self.end, f"{self.source} passage {self.text[:40]!r}")


# ---------------------------------------------------------------- the library


@dataclass(frozen=True, slots=True)
class Video:
    """One video as the catalog knows it. `path` is "" for text imported without a file."""

    video_id: str
    title: str
    path: str = ""
    duration: float = 0.0  # decoded seconds, or the end of the last imported row
    sha256: str = ""
    size: int = 0
    modified_ns: int = 0
    sidecars: tuple[tuple[str, int, int], ...] = ()  # (path, size, modified_ns)
    date: str = ""  # ISO 8601, UTC; "" when unknown
    language: str = ""
    url: str = ""
    added: str = ""  # ISO 8601, UTC
    media: Mapping[str, object] = field(default_factory=dict)  # facts of the container

    @property
    def file(self) -> str:
        """The file that was read; "" where a path only came with imported text: what lies there
        may be anything, and is nobody's to open."""
        return self.path if self.sha256 else ""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is known of a video beside its text; empty where nothing is."""

    title: str = ""
    date: str = ""  # ISO 8601, UTC
    people: tuple[str, ...] = ()  # who made it, who is in it
    place: str = ""
    tags: tuple[str, ...] = ()
    description: str = ""
    url: str = ""
    language: str = ""  # ISO 639-1


# Who says so, the most trusted first: a user's correction, an import, files beside the video, the
# container's own tags, and what was known when nobody said anything (the file's name and time).
Origin = Literal["edit", "import", "sidecar", "container", "file"]
ORIGINS: tuple[Origin, ...] = ("edit", "import", "sidecar", "container", "file")


@dataclass(frozen=True, slots=True)
class Correction:
    """One value that a user has corrected. Those of one command share `edit`.

    Of a segment: `field` is "text" or "speaker", `said` the text it had, times those it had. Of
    the video itself: `source` is "", `field` a field of `Metadata`, and values are JSON lists.
    `fits` is False where what was read since has nothing that it applies to.
    """

    edit: int
    field: str
    replaced: str
    value: str
    source: str = ""
    start: float = 0.0
    end: float = 0.0
    said: str = ""
    made: str = ""  # ISO 8601, UTC
    fits: bool = True


# What makes a video's text and passages.
TEXT_STAGES = ("speech", "screen", "captions", "sounds", "passages")
# What is done with every video, in order; `sounds` only where a sound model is set, the last one
# where a frame model is.
STAGES = ("probe", "frames", *TEXT_STAGES, "levels", "frame_vectors")
# The key of text that `footnote import` brought: no stage made it, so no stage redoes it.
IMPORTED = "imported"

StageStatus = Literal["done", "pending", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class StageRecord:
    """What became of one stage of one video. `key` names its inputs, parameters and model."""

    name: str
    status: StageStatus
    key: str = ""
    reason: str = ""
    seconds: float = 0.0
    model_calls: int = 0


VideoStatus = Literal["added", "unchanged", "updated", "moved", "partial", "failed"]


@dataclass(frozen=True, slots=True)
class VideoReport:
    """What `add` or `import` did with one video. `reason` is one line, "" when all went well."""

    video_id: str
    path: str
    status: VideoStatus
    stages: Mapping[str, StageRecord]
    reason: str = ""


BudgetUnit = Literal["calls", "min", "usd"]


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much may be spent on looking at pictures with a vision model.

    Minutes are those in which at least one call was under way.
    """

    amount: float
    unit: BudgetUnit

    def __str__(self) -> str:
        unit = "call" if self.unit == "calls" and self.amount == 1 else self.unit
        return f"{self.amount:g} {unit}"


@dataclass(frozen=True, slots=True)
class Spent:
    """What looking at pictures took: calls, the seconds during which any was under way, tokens."""

    calls: int = 0
    seconds: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            self.calls + other.calls,
            self.seconds + other.seconds,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.usd + other.usd,
        )


@dataclass(frozen=True, slots=True)
class BudgetState:
    """A library's budget and what of it is spent; `allowance` is None where nothing limits it."""

    number: int
    allowance: Allowance | None
    spent: Spent
    opened: str = ""  # ISO 8601, UTC


@dataclass(frozen=True, slots=True)
class ProgressEvent:
    """How far one stage of one video is. `total` is 0 while it is not known."""

    video: str  # the file's name
    stage: str
    done: float
    total: float
    unit: str = "s"


class Progress(Protocol):
    """Called from any thread while work goes on."""

    def __call__(self, event: ProgressEvent) -> None: ...


@dataclass(frozen=True, slots=True)
class VideoSummary:
    """One row of `footnote list`."""

    video_id: str
    title: str
    path: str
    duration: float
    added: str
    sources: Mapping[str, int]  # source -> number of segments
    pending: tuple[str, ...]  # stages
    date: str = ""
    people: tuple[str, ...] = ()
    place: str = ""
    tags: tuple[str, ...] = ()
    url: str = ""
    description: str = ""  # of a single video only: it can be long


@dataclass(frozen=True, slots=True)
class TitledSpan:
    """One chapter. `from_file`: the file, or what was published with it, names it so."""

    start: float
    end: float
    title: str
    from_file: bool = False


@dataclass(frozen=True, slots=True)
class Chapters:
    """The chapters of a video, by time. `note` says why there are none, or what is to come."""

    video_id: str
    title: str
    chapters: tuple[TitledSpan, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was perceived: what a reader is sent to."""

    start: float
    end: float
    source: Source


@dataclass(frozen=True, slots=True)
class SummarySentence:
    """A sentence of a summary, and the places that it is taken from."""

    text: str
    citations: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """The summary of a video. `note` says why there is none, or what is to come."""

    video_id: str
    title: str
    summary: str
    sentences: tuple[SummarySentence, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One finding of `footnote doctor`. `repair` is the command that mends it."""

    name: str
    ok: bool
    detail: str = ""
    repair: str = ""


@dataclass(frozen=True, slots=True)
class Filters:
    """What a search is restricted to; empty means no restriction.

    `after` (inclusive) and `before` (exclusive) compare ISO dates with the video's date. One of
    `people`, of `tags` and of `places` must be the video's: all words of it, in any case.
    """

    videos: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    folder: str = ""
    after: str = ""
    before: str = ""
    people: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    places: tuple[str, ...] = ()


# ---------------------------------------------------------------- search and answer


@dataclass(frozen=True, slots=True)
class MomentPassage:
    """A passage as a moment shows it. `doubt` is the share of its text that is doubtful."""

    id: str
    source: Source
    start: float
    end: float
    text: str
    doubt: float = 0.0


@dataclass(frozen=True, slots=True)
class Moment:
    """An interval of one video with the passages, of all sources, that lie in it."""

    video_id: str
    title: str
    start: float
    end: float
    score: float
    text: str
    passages: tuple[MomentPassage, ...]
    why: Mapping[str, float]  # signal name -> its part of the score


@dataclass(frozen=True, slots=True)
class SearchResult:
    query: str
    moments: tuple[Moment, ...]
    took_ms: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Entry(Moment):
    """A moment of a complete list. `same_as` is the place in the list, from 1, of the first entry
    of another video that has nearly the same text (a re-upload); 0 when there is none."""

    same_as: int = 0


@dataclass(frozen=True, slots=True)
class VideoCount:
    """How many entries of a list are of one video."""

    video_id: str
    title: str
    count: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a complete list was made from, and why it may lack something.

    `videos`, `hours`, `passages` and `sources` (passages by source) are what `filters` let
    through, and all of that was scanned. `no_text` of these videos have no passage at all, and
    `pending` says of how many each stage that makes text is still to be done. `below` passages
    scored just below `threshold` and are not in the list.
    """

    looked_for: str  # the question without its frame
    videos: int
    hours: float
    passages: int
    sources: Mapping[str, int]
    no_text: int
    pending: Mapping[str, int]
    filters: Filters
    threshold: float
    below: int


@dataclass(frozen=True, slots=True)
class Listing:
    """Every moment that matches, by video id and start, and how many there are of each video."""

    query: str
    moments: tuple[Entry, ...]
    videos: tuple[VideoCount, ...]  # most first, then by id
    coverage: Coverage
    took_ms: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Citation:
    """A moment tightened to the words that carry one claim. `quote` is stored text, verbatim."""

    marker: int
    video_id: str
    title: str
    start: float
    end: float
    quote: str
    source: Source
    verdict: Verdict
    link: str
    date: str = ""  # the video's, ISO 8601; "" when unknown
    speaker: str = ""  # who says the quote; "" when unknown


@dataclass(frozen=True, slots=True)
class Sentence:
    text: str
    citations: tuple[int, ...]  # markers
    verdict: Verdict


# How an answer is written: a sentence or two, a longer explanation, what each of several videos
# says, one item a line, one step a line, one event a line.
Form = Literal["short", "explained", "compare", "list", "howto", "timeline"]
FORMS: tuple[Form, ...] = ("short", "explained", "compare", "list", "howto", "timeline")
# Forms whose sentences each stand on a line of their own.
IN_LINES: frozenset[Form] = frozenset(("list", "howto", "timeline"))


@dataclass(frozen=True, slots=True)
class Nearby:
    """A moment that was found near to a question that the library does not answer."""

    video_id: str
    title: str
    start: float
    end: float
    text: str


StepAction = Literal["answer", "search", "look", "zoom"]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was done on the way to an answer: the first answer, then search, look, zoom.

    Each of the latter is followed by another answer where it found something: `confidence` is that
    answer's, and `kept` whether it is the best so far. `spent` holds the calls of the decision,
    the action and the answer; its seconds are all that the step took.
    """

    action: StepAction
    why: str
    found: str  # in a line
    query: str = ""
    video_id: str = ""
    start: float = 0.0  # of a look
    end: float = 0.0
    new_moments: int = 0
    confidence: float = 0.0
    kept: bool = False
    spent: Spent = Spent()


@dataclass(frozen=True, slots=True)
class Trace:
    """What an agent did, why it stopped, and all that it spent; `failed` names what broke off."""

    steps: tuple[Step, ...]
    stopped: str
    spent: Spent
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """`nearby` and `missing`, where it abstained: what was found near, and what the library lacks.

    `contradictions` are pairs of markers of citations of two videos that say different things of
    the same, the later video's first. `incomplete` says why a streamed answer broke off.
    """

    question: str
    answer: str  # holds [n], n a marker; sentences on lines of their own in the forms IN_LINES
    abstained: bool
    confidence: float
    sentences: tuple[Sentence, ...]
    citations: tuple[Citation, ...]
    moments: tuple[Moment, ...]
    usage: Mapping[str, float]
    took_ms: Mapping[str, float]
    form: Form = "short"
    nearby: tuple[Nearby, ...] = ()
    missing: tuple[str, ...] = ()
    contradictions: tuple[tuple[int, int], ...] = ()
    incomplete: str = ""
    trace: Trace | None = None  # None where no agent was at work


@dataclass(frozen=True, slots=True)
class ChatTurn:
    """One question of a chat and its answer; `number` counts from 1 in its session.

    `understood` is the question that was answered: it makes sense by itself, and is `asked` where
    that does. `videos` are the ids of those it was narrowed to. `clarify` are the readings offered
    instead of an answer where the question has several, with the ids of their videos in `offered`.
    Markers count from 1 in each answer: citation [2] of turn 3 is "3.2".
    """

    number: int
    asked: str
    understood: str
    answer: Answer
    videos: tuple[str, ...] = ()
    clarify: tuple[str, ...] = ()
    offered: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChatSummary:
    """One session of `footnote chat --list`; times ISO 8601, UTC."""

    session: str
    turns: int
    begun: str
    last: str
    asked: str  # first


@dataclass(frozen=True, slots=True)
class QuestionUnderstood:
    """The first event of a streamed turn of a chat: the question as it makes sense by itself, and
    the ids of the videos it is narrowed to; or the readings that are offered instead of an answer.
    """

    asked: str
    standalone: str
    videos: tuple[str, ...] = ()
    clarify: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EvidenceFound:
    """The first event of a streamed answer: what it will be made from, `statements` of it."""

    question: str
    form: Form
    statements: int
    moments: tuple[Moment, ...]


@dataclass(frozen=True, slots=True)
class SentenceReady:
    """A sentence that was checked, with those of its citations that no earlier one had."""

    sentence: Sentence
    citations: tuple[Citation, ...]


# A streamed answer: one `EvidenceFound`, a `SentenceReady` for each sentence, the `Answer`.
AnswerEvent = EvidenceFound | SentenceReady | Answer
# A streamed turn of a chat: one `QuestionUnderstood`, the events of its answer (the `Answer` alone
# where nothing is searched), and the `ChatTurn` that was stored.
ChatEvent = QuestionUnderstood | AnswerEvent | ChatTurn


@dataclass(frozen=True, slots=True)
class ReportSection:
    title: str
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True)
class SourceVideo:
    """What identifies a cited video to somebody who does not have the library."""

    video_id: str
    title: str
    date: str = ""  # ISO 8601; "" when unknown
    duration: float = 0.0
    sha256: str = ""
    url: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class SourceText:
    """A stored segment that a citation was taken from, or that stands around it."""

    video_id: str
    segment: Segment


@dataclass(frozen=True, slots=True)
class Report:
    """An article on a topic, and the stored text that its citations can be checked against.

    `sections` are empty where the library has nothing on the topic. Every marker in them is that
    of a citation; `contradictions` are as in `Answer`. `videos` and `evidence` hold what is cited
    with what stands around it. `notes` say what a reader should know: why it broke off, what could
    not be done. `embedding` and `verifier` name what the verdicts were given with.
    """

    topic: str
    made: str  # ISO 8601, UTC
    sections: tuple[ReportSection, ...]
    citations: tuple[Citation, ...]
    contradictions: tuple[tuple[int, int], ...]
    videos: tuple[SourceVideo, ...]
    evidence: tuple[SourceText, ...]
    embedding: str
    verifier: str
    usage: Mapping[str, float]
    took_ms: Mapping[str, float]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckedCitation:
    """A citation of a saved answer, checked again. `faults` say what is not as it stands there."""

    marker: int
    video_id: str
    start: float
    end: float
    was: Verdict
    now: Verdict
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckedSentence:
    """A sentence of a saved answer with the verdict it had, and the one it has."""

    text: str
    citations: tuple[int, ...]
    was: Verdict
    now: Verdict
    worse: bool


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of checking a saved answer or report again.

    `ok`: no sentence is worse than it says or without support, no citation has a fault, and
    nothing else is wrong (`faults`). `against` is "library", or "file": the file's own evidence,
    which shows that it agrees with itself, not that a video says so.
    """

    subject: str  # the question, or the topic
    against: Literal["library", "file"]
    ok: bool
    sentences: tuple[CheckedSentence, ...]
    citations: tuple[CheckedCitation, ...]
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """What a vision model saw in the frames of an interval when it was asked a question.

    `text` is its answer, which says what is missing where it was not `found`; `times` are those of
    the frames it looked at. `segments` are stored and searched: none where it was not found.
    `cached`: the same was asked before, and no model was. `note` is what else a user should know.
    """

    video_id: str
    title: str
    start: float
    end: float
    question: str
    text: str
    times: tuple[float, ...]
    segments: tuple[Segment, ...]
    found: bool
    model_calls: int
    cached: bool
    took_ms: Mapping[str, float]
    note: str = ""


# ---------------------------------------------------------------- roles


class Embedder(Protocol):
    """Text to unit vectors. `name` enters cache keys and the library's metadata."""

    name: str
    dimension: int
    max_tokens: int

    def embed(self, texts: Sequence[str]) -> Vectors:
        """(n, dimension) float32, each row of unit length, in the order given."""
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens per text, special tokens included, without truncation."""
        ...


class Samples(Protocol):
    """Sound of any length that need not be in memory: a part of it, `[first:last]`, is."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> Audio: ...


class SpeechDetector(Protocol):
    """Where somebody speaks."""

    name: str

    def detect(self, audio: Audio) -> list[tuple[float, float]]:
        """(start, end) of speech, seconds from the start of `audio`, ascending, disjoint."""
        ...


class Transcriber(Protocol):
    """Speech to timed text."""

    name: str

    def transcribe(
        self, audio: Audio, language: str = "", terms: Sequence[str] = ()
    ) -> list[Segment]:
        """`speech` segments with words; times count from the start of `audio`.

        `terms` are names and words that may be said, as they are written, most important first.
        """
        ...


class Diariser(Protocol):
    """Who has the word when."""

    name: str

    def turns(self, audio: Samples, levels: Levels) -> list[Turn]:
        """Turns by start, of one speaker disjoint; none where it cannot tell anybody apart.

        `levels` are the channels of the track that `audio` was mixed from. Speakers are named
        in the way of the diariser: "left", "SPEAKER_00".
        """
        ...


class SoundClassifier(Protocol):
    """What a stretch of sound is: music, applause, barking."""

    name: str
    seconds: float  # how much it listens to at once

    def classify(self, windows: Sequence[Audio]) -> list[Mapping[str, float]]:
        """Per window, label -> score in [0, 1]; labels below a twentieth may be left out."""
        ...


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line read from a frame: box is (left, top, right, bottom) in pixels of that frame."""

    text: str
    box: tuple[float, float, float, float]
    confidence: float


class ScreenReader(Protocol):
    """A frame to the lines of text on it."""

    name: str

    def read(self, image: Image) -> list[TextLine]:
        """Lines in reading order; empty where there is no text."""
        ...


@dataclass(frozen=True, slots=True)
class CaptionRequest:
    """The frames of one shot, with what is already known about them, to be described."""

    images: tuple[Image, ...]
    times: tuple[float, ...]
    prompt: str
    # A JSON schema of the reply, for backends that can hold a model to one; the prompt says it too.
    schema: Mapping[str, object] | None = None
    max_tokens: int = 256


@dataclass(frozen=True, slots=True)
class Reply:
    """What a language or vision model said, and what it took."""

    text: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cut: bool = False  # the reply was not at its end when it had all its tokens
    estimated: bool = False  # nobody counted the tokens


class Deliver(Protocol):
    """Called with a request's place and its reply, as soon as there is one."""

    def __call__(self, place: int, reply: Reply, /) -> None: ...


class Spender(Protocol):
    """What calls of a model are paid from; see `ingest.spending`."""

    def take(self) -> bool:
        """Reserve one call; False when nothing is left."""
        ...

    def book(self, reply: Reply, seconds: float) -> None:
        """A reserved call that was made, and what it took."""
        ...

    def give_back(self) -> None:
        """A reserved call that was not made."""
        ...


class Captioner(Protocol):
    """Frames to a description.

    `width` is how many requests it works on at once: what it is handed at a time. It can shrink,
    where a model finds out how much fits into memory.
    """

    name: str
    width: int

    def caption(
        self, requests: Sequence[CaptionRequest], deliver: Deliver | None = None
    ) -> list[Reply]:
        """One reply per request, in order; an empty one is the caller's to judge.

        `deliver` is called with each of them as it is made, in any order, one at a time, from the
        thread that called: when one request fails, what the others have cost is not lost. Raises
        `ModelUnavailable`, after everything that was under way is delivered.
        """
        ...


class DualEncoder(Protocol):
    """Pictures and texts to unit vectors of one space (CLIP). `name` enters cache keys."""

    name: str
    dimension: int

    def embed_images(self, images: Sequence[Image]) -> Vectors:
        """(n, dimension) float32, each row of unit length, in the order given."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """(n, dimension) float32, each row of unit length, in the order given."""
        ...


class LanguageModel(Protocol):
    """A prompt to text. LlamaIndex `LLM` objects are wrapped into this by `models.language`."""

    name: str

    def complete(self, prompt: str, system: str = "") -> Reply:
        """One reply, never empty. Raises `ModelUnavailable`."""
        ...

    def stream(self, prompt: str, system: str = "") -> Iterator[str | Reply]:
        """The reply in pieces as they are made, and at the end the whole of it with its tokens.

        Raises `ModelUnavailable`, midway too.
        """
        ...


@dataclass(frozen=True, slots=True)
class Budget:
    """What reranking one search may take.

    `moments` are looked at, the best ones; a model is called at most `calls` times, and no call
    begins after `ms` milliseconds. Calls whose replies were kept count as calls all the same.
    """

    moments: int = 20
    calls: int = 4
    ms: float = 20_000.0


@dataclass(frozen=True, slots=True)
class Reranked:
    """All the moments that were given, best first, `score` and `why` as their order says.

    `reason` says what was left as it was and why, "" when the whole list was looked at.
    """

    moments: tuple[Moment, ...]
    calls: int = 0
    reason: str = ""


class Reranker(Protocol):
    """Moments in a better order: the last step of a search."""

    name: str

    def rerank(self, query: str, moments: Sequence[Moment], budget: Budget) -> Reranked:
        """The same moments, none lost, none new. Equal ones keep the order they came in.

        The same input gives the same list; where time ran out, the same list for the same
        number of calls made. Raises `ModelUnavailable`.
        """
        ...


class PassageScorer(Protocol):
    """How well texts answer a question, each by itself."""

    name: str

    def score(self, query: str, texts: Sequence[str]) -> NDArray[np.float64]:
        """(n,) higher is better; scores compare within one query only."""
        ...


class InferenceModel(Protocol):
    """Whether a hypothesis follows from a premise (natural language inference)."""

    name: str
    max_tokens: int  # of a pair, its special tokens included; a longer premise is cut

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens per text, without special ones and without truncation."""
        ...

    def infer(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
        """Of (premise, hypothesis), (n, 3): entailment, neutral, contradiction, in [0, 1]; each
        row sums to 1."""
        ...


# ---------------------------------------------------------------- the passage index


@dataclass(frozen=True, slots=True)
class PassageTable:
    """All passages of a library as columns; position i in every array is one passage.

    `video[i]` indexes `videos`; `source[i]` indexes `SOURCES`. Rows of one generation keep
    their position; positions are meaningless across generations.
    """

    rows: NDArray[np.int64]  # (n,) the catalog's row id
    video: NDArray[np.int32]  # (n,)
    source: NDArray[np.uint8]  # (n,)
    start: NDArray[np.float64]  # (n,)
    end: NDArray[np.float64]  # (n,)
    videos: tuple[str, ...]  # video ids

    def __len__(self) -> int:
        return len(self.rows)


_DERIVED_CODES = np.array([source in DERIVED for source in SOURCES])


def derived_passages(table: PassageTable) -> NDArray[np.bool_]:
    """(n,) which passages are of chapters and summaries."""
    derived: NDArray[np.bool_] = _DERIVED_CODES[table.source]
    return derived


@dataclass(frozen=True, slots=True)
class PassageWindows:
    """The windows of one passage, by time: at least one, which may be the whole passage.

    Vectors are of unit length to within one part in a hundred.
    """

    start: NDArray[np.float64]  # (w,)
    end: NDArray[np.float64]  # (w,)
    texts: tuple[str, ...]
    language: str
    vectors: Vectors  # (w, dimension)


class PassageIndex(Protocol):
    """A consistent view of one generation of a library, for searching."""

    generation: int
    table: PassageTable

    def propose(self, vectors: Vectors, count: int) -> NDArray[np.int64]:
        """Positions that are likely among the `count` nearest to any row of `vectors` (q, d).

        Ascending, no repeats, at most q * count; approximate when a vector index answers.
        """
        ...

    def cosine(
        self, vectors: Vectors, positions: NDArray[np.int64] | None = None
    ) -> NDArray[np.float32]:
        """(q, n) exact cosines with the passages at `positions`, all passages when None."""
        ...

    def words(
        self, queries: Sequence[str], count: int, allowed: NDArray[np.bool_] | None = None
    ) -> list[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """Per query the positions and BM25 scores of its best `count` passages.

        `allowed` (n,) restricts the passages. Score descending, ties by position.
        """
        ...

    def windows(self, positions: NDArray[np.int64]) -> list[PassageWindows | None]:
        """The windows of each passage; None for one that was deleted meanwhile."""
        ...

    def rarity(self, terms: Sequence[str]) -> NDArray[np.float64]:
        """(t,) BM25's inverse document frequency of index terms, greater for rarer ones."""
        ...

    def term_counts(self, query: str) -> Mapping[str, int]:
        """The index terms of a query, in the library's languages, and how often each is said."""
        ...

    def doubt(self, positions: NDArray[np.int64]) -> NDArray[np.float64]:
        """(p,) the share of each passage's text that there is a reason not to trust, in [0, 1]."""
        ...

    def texts(self, positions: Sequence[int] | NDArray[np.int64]) -> list[str]: ...

    def passage_ids(self, positions: Sequence[int] | NDArray[np.int64]) -> list[str]: ...


class FrameIndex(Protocol):
    """A consistent view of one generation of a library's embedded key frames.

    In `table`, `start` and `end` are the stretch that a frame stands for, from its time to the
    next one's; `source` says nothing. The stretches of one video do not overlap.
    """

    generation: int

    @property
    def table(self) -> PassageTable: ...

    def propose(self, vectors: Vectors, count: int) -> NDArray[np.int64]:
        """See `PassageIndex`."""
        ...

    def cosine(
        self, vectors: Vectors, positions: NDArray[np.int64] | None = None
    ) -> NDArray[np.float32]:
        """See `PassageIndex`."""
        ...

    def standing(self, video_id: str, start: float, end: float) -> NDArray[np.int64]:
        """Positions of the frames whose stretch overlaps the interval, by time."""
        ...
