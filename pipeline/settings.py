"""One frozen settings object: defaults < footnote.toml < FOOTNOTE_* environment < flags."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from pipeline.errors import SettingsError

ENVIRONMENT_PREFIX = "FOOTNOTE_"
SETTINGS_FILE = "footnote.toml"


class Settings(BaseSettings):
    """Everything a user can choose.

    A model is named "provider:model"; "" leaves the choice to the profile.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """`load_settings` alone layers the sources, so that every layer is checked by name."""
        return (init_settings,)

    library: Path = Path("footnote-library")
    """The library's folder."""
    profile: Literal["embedded", "auto", "local", "server"] = "auto"
    """Which models are taken where none is named."""

    # ------------------------------------------------------------ models, "provider:model"

    embedding_model: str = "onnx:all-MiniLM-L6-v2"
    """Embeds text. Fixed when a library is made; `footnote reindex` changes it."""
    speech_model: str = ""
    """Transcribes: `whisper:SIZE` or `faster-whisper:SIZE`."""
    caption_model: str = ""
    """Describes pictures: `transformers:MODEL` or `openai:MODEL`."""
    language_model: str = ""
    """Writes answers: `openai:MODEL` at the endpoint, or `huggingface:MODEL` in this process."""
    screen_reader: str = "rapidocr"
    """Reads the screen."""
    speech_detector: str = "silero"
    """Tells where somebody speaks, so that silence is not transcribed."""
    diarisation: str = ""
    """Who speaks: `none`, `channels`, `pyannote:MODEL`; empty: by channels where two clearly take
    turns on them."""
    sound_model: str = ""
    """`transformers:MODEL` names music, applause, barking; empty: nothing does."""
    frame_model: str = ""
    """Embeds key frames, to search by pictures; empty: there is no such search."""

    # ------------------------------------------------------------ an OpenAI-compatible endpoint

    endpoint: str = ""
    """Its URL, ending in /v1, for the caption and language models `openai:MODEL`."""
    api_key: SecretStr = SecretStr("")
    """The endpoint's key. It is never stored or shown."""
    endpoint_timeout: float = 120.0
    """Seconds that one request may take."""
    endpoint_requests: int = Field(default=4, ge=1)
    """Most captions asked for at once."""
    endpoint_requests_per_minute: float = Field(default=0, ge=0)
    """0: no limit but what the endpoint says."""
    context_window: int = 8192
    """Tokens that the language model reads and writes at most."""

    # ------------------------------------------------------------ cost and speed

    price_per_million_input: float = Field(default=0, ge=0)
    """USD for a million tokens read, for `--budget 2usd` and the forecast of `add --dry-run`."""
    price_per_million_output: float = Field(default=0, ge=0)
    """USD for a million tokens written."""
    price_per_call: float = Field(default=0, ge=0)
    """USD for a call."""
    speeds: str = ""
    """A file that remembers how fast this machine is, for the forecast; `none`: no file, empty:
    speeds.json in the user's cache folder."""
    caption_batch: int = Field(default=0, ge=0)
    """Captions that a model in this process makes at once; 0: 8 on a GPU, 1 without."""
    videos_at_once: int = Field(default=4, ge=1)
    """Videos in flight: one is decoded while another is described."""

    # ------------------------------------------------------------ text

    language: str = ""
    """Language of the speech, ISO 639-1; empty lets Whisper tell."""
    glossary: tuple[str, ...] = ()
    """Names and terms as they are written; and see glossary.txt in the library."""
    speakers: tuple[str, ...] = ()
    """Names for the left and the right channel, or for speaker 0, 1 ..."""
    passage_seconds: float = 30.0
    """About how long a passage is."""
    levels: Literal["auto", "model", "text", "none"] = "auto"
    """Chapters and summaries: `auto` asks the language model, where there is one, about videos that
    are added; `model` about imported ones too; `text` asks none; `none` makes neither."""

    # ------------------------------------------------------------ pictures

    screen_frames_per_second: float = 2.0
    """How often the screen is looked at for text."""
    max_key_frames_per_shot: int = 3
    """Or one for every 8 seconds of it, where that is more."""
    caption_seconds: float = Field(default=60.0, ge=1)
    """A call of the caption model for so many seconds of video at most, on average; where little
    is new, or words tell it already, there are fewer."""
    caption_images: int = Field(default=6, ge=1)
    """Pictures that a call is shown."""

    # ------------------------------------------------------------ search

    expansion: Literal["hyde", "grounded", "decompose", "none"] = "grounded"
    """What the language model writes to search with."""
    expansion_passages: int = 2
    """How many hypothetical passages it writes; 0: none."""
    rerank_model: str = ""
    """`cross-encoder:MODEL`, `late`, `llm`, `vlm`, `fake:words`; empty: none."""
    rerank_moments: int = 20
    """How many of the moments found it looks at."""
    rerank_calls: int = 4
    """Most calls of the model for a search."""
    rerank_ms: float = 20_000.0
    """No call begins after so many milliseconds."""

    # ------------------------------------------------------------ answers

    evidence_moments: int = 16
    """Moments that the evidence of an answer is chosen from."""
    answer_frames: int = Field(default=0, ge=0, le=16)
    """Key frames of the best moments that the caption model, which then writes the answer, sees."""
    agent_steps: int = Field(default=0, ge=0)
    """How often an answer that is not enough looks further: searches again, zooms, looks; 0: never.
    """
    agent_calls: int = Field(default=8, ge=0)
    """No step of the agent begins when so many calls would be passed."""
    agent_seconds: float = Field(default=120.0, ge=0)
    """Or so many seconds."""
    agent_usd: float = Field(default=0, ge=0)
    """Or so many USD; 0: no limit."""
    verify_model: str = ""
    """Who judges what the text itself does not settle: `nli:MODEL`, `llm`, `fake:words`; empty:
    nobody."""
    unsupported: Literal["drop", "strike"] = "drop"
    """A sentence that nothing carries is dropped, or shown struck and labelled."""
    report_moments: int = Field(default=60, ge=1, le=1000)
    """Moments that a report is made from."""
    report_sections: int = Field(default=6, ge=1, le=12)
    """Its sections at most."""
    report_calls: int = Field(default=9, ge=2)
    """Its calls of the language model at most."""

    # ------------------------------------------------------------ export

    reel_font: Path | None = None
    """A font file (.ttf, .otf) for the title cards and subtitles of reels; empty: one of the system
    that has the letters, else Pillow's own, which knows little more than ASCII."""

    # ------------------------------------------------------------ where things are kept

    chroma: str = ""
    """A Chroma server's URL; empty keeps the vectors inside the library."""
    prompts: Path | None = None
    """A folder whose files replace prompts of the same name."""

    # ------------------------------------------------------------ footnote serve

    serve_token: SecretStr = SecretStr("")
    """What is asked of everybody who reaches the server; --token goes before it."""
    serve_asks: int = Field(default=4, ge=1)
    """Questions that are answered at once; others wait."""

    # ------------------------------------------------------------ hostile files, and faults

    media_timeout: float = 3600.0
    """Seconds that one pass over one file may take."""
    media_memory_mb: int = 4096
    """Memory that the process which reads a file may take."""
    debug: bool = False
    """FOOTNOTE_DEBUG=1: the command line shows where a bug was raised."""

    @field_validator("glossary", "speakers", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        """The environment and the flags give a list as one text, with commas."""
        if not isinstance(value, str):
            return value
        return tuple(part for part in map(str.strip, value.split(",")) if part)

    @property
    def prompt_folders(self) -> tuple[Path, ...]:
        """Folders searched before the shipped prompts: the settings', then the library's."""
        own = (self.prompts,) if self.prompts else ()
        return (*own, self.library / "prompts")


def load_settings(
    flags: Mapping[str, Any] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Settings:
    """Settings from their layers, lowest first: defaults, footnote.toml, environment, flags.

    footnote.toml is read from `folder` (the current one when None) and then from the library,
    whose values win. Raises `SettingsError` that names the nearest known key.
    """
    environment = os.environ if environment is None else environment
    values = _read_file((folder or Path.cwd()) / SETTINGS_FILE)
    from_environment = {
        name[len(ENVIRONMENT_PREFIX) :].lower(): value
        for name, value in environment.items()
        if name.startswith(ENVIRONMENT_PREFIX) and value
    }
    _check_names(from_environment, "the environment", ENVIRONMENT_PREFIX)
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    _check_names(given, "the flags")
    upper = {**from_environment, **given}
    library = Path(
        upper.get("library", values.get("library", Settings.model_fields["library"].default))
    )
    values |= {k: v for k, v in _read_file(library / SETTINGS_FILE).items() if k != "library"}
    try:
        return Settings.model_validate({**values, **upper})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"setting {name}: {first['msg']}", "see the settings in the README"
        ) from error


def _read_file(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}", f"correct {path}") from error
    _check_names(values, str(path))
    return values


def _check_names(values: Mapping[str, Any], where: str, prefix: str = "") -> None:
    known = list(Settings.model_fields)
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
            shown = prefix + (name.upper() if prefix else name)
            nearest = prefix + (near.upper() if prefix else near)
            raise SettingsError(f"unknown setting {shown} in {where}", f"did you mean {nearest}?")
