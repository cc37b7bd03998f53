"""What requests and answers hold, for the documentation of the API and for checking requests.

Search results, answers and turns are the values of `pipeline.types`, as `--json` shows them; what
stands here is what they do not cover.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipeline.types import FORMS, SOURCES, Filters, Form, Source

LONGEST_QUESTION = 4000  # characters
MOST_NAMES = 1000


class Asked(BaseModel):
    """A question, and what its answer may be made from."""

    model_config = ConfigDict(extra="forbid")

    question: str = Field(min_length=1, max_length=LONGEST_QUESTION)
    video: list[str] = Field(default=[], max_length=MOST_NAMES)
    source: list[Source] = Field(default=[], max_length=len(SOURCES))
    folder: str = ""
    after: str = ""
    before: str = ""
    person: list[str] = Field(default=[], max_length=MOST_NAMES)
    tag: list[str] = Field(default=[], max_length=MOST_NAMES)
    place: list[str] = Field(default=[], max_length=MOST_NAMES)
    form: Form | Literal[""] = Field(default="", description=f"One of {', '.join(FORMS)}.")
    k: int | None = Field(default=None, ge=1, le=1000, description="From how many moments at most.")

    def filters(self) -> Filters:
        return Filters(
            tuple(self.video),
            tuple(self.source),
            self.folder,
            self.after,
            self.before,
            tuple(self.person),
            tuple(self.tag),
            tuple(self.place),
        )


class ChatQuestion(BaseModel):
    model_config = ConfigDict(extra="forbid")

    question: str = Field(min_length=1, max_length=LONGEST_QUESTION)


class NewChat(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Paths(BaseModel):
    """Files and folders of the server's machine."""

    model_config = ConfigDict(extra="forbid")

    paths: list[str] = Field(min_length=1, max_length=MOST_NAMES)


# ---------------------------------------------------------------- answers


class Problem(BaseModel):
    code: str
    message: str
    hint: str


class Problems(BaseModel):
    """Every failure."""

    error: Problem


class Status(BaseModel):
    model_config = ConfigDict(extra="allow")

    version: str
    library: str
    counts: dict[str, int]
    hours: float
    disk_bytes: dict[str, int]
    models: dict[str, str]
    pending: dict[str, int]
    generations: dict[str, int]


class DoctorCheck(BaseModel):
    name: str
    ok: bool
    detail: str
    repair: str


class Doctor(BaseModel):
    ok: bool
    checks: list[DoctorCheck]


class ListedVideo(BaseModel):
    video_id: str
    title: str
    path: str
    duration: float
    added: str
    sources: dict[str, int]
    pending: list[str]
    date: str
    people: list[str]
    place: str
    tags: list[str]
    url: str
    thumbnail: str


class Videos(BaseModel):
    videos: list[ListedVideo]
    total: int


class ShownSegment(BaseModel):
    source: Source
    start: float
    end: float
    text: str
    speaker: str
    flags: list[str]
    number: int


class ShownChapter(BaseModel):
    start: float
    end: float
    title: str


class Playback(BaseModel):
    kind: Literal["direct", "remux", "transcode", "frames", "none"]
    url: str
    mime: str


class Shown(ListedVideo):
    description: str
    segments: list[ShownSegment]
    chapters: list[ShownChapter]
    summary: str
    playback: Playback
    subtitles: str


class StageShown(BaseModel):
    status: str
    done: float
    total: float
    unit: str


class JobShown(BaseModel):
    job_id: str
    kind: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    created: str
    paths: list[str]
    progress: dict[str, dict[str, StageShown]] = Field(description="File name, stage.")
    videos: list[dict[str, Any]] = Field(description="As in `footnote add --json`.")
    file: str = Field(description="Where to fetch what was made.")
    error: Problem | None


class JobsShown(BaseModel):
    jobs: list[JobShown]


class JobBegun(BaseModel):
    job_id: str


class ChatBegun(BaseModel):
    chat_id: str


class ListedChat(BaseModel):
    chat_id: str
    turns: int
    begun: str
    last: str
    asked: str


class Chats(BaseModel):
    chats: list[ListedChat]


class ChatShown(BaseModel):
    chat_id: str
    turns: list[dict[str, Any]] = Field(description="As in `footnote chat --json`.")
