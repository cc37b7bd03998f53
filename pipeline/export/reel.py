"""A highlight reel: what an answer cites as one film, with a title card before each video.

The plan is made of values alone, so that what is written about a reel (its subtitles, its chapters)
can be had without making it. Making goes scene by scene in a child process: memory does not grow
with its length, and a file that breaks its decoder costs its own scenes, which are told.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

from pipeline.answer.evidence import clock
from pipeline.errors import MediaError, UsageError
from pipeline.export.cited import CARRIED, Claim, Piece, pieces_of
from pipeline.export.subtitles import Cue, cues_of, within
from pipeline.export.timecode import USUAL_RATE, standard_rate
from pipeline.export.timeline import FootageOf, one_line
from pipeline.media import scenes
from pipeline.media.child import MediaReader
from pipeline.media.footage import Footage
from pipeline.media.lettering import OWN_FONT, Card, chosen_font
from pipeline.types import Segment, TitledSpan, Video

Subtitles = Literal["burned", "sidecar", "none"]
SUBTITLES: tuple[Subtitles, ...] = ("burned", "sidecar", "none")

MARGIN = 0.2  # seconds around what is cited, over which scenes fade
_CARD = 2.5  # seconds that a title card stands
_LARGEST = (1920, 1080)  # of the long and the short side
_SMALLEST = 480  # pixels of the short side: a title must be read
_SIZE = (1280, 720)  # of a reel of nothing but sound
_SLOWEST = Fraction(24)  # frames a second: fades are seen at fewer
_TITLE = 90  # characters of a chapter


@dataclass(frozen=True, slots=True)
class Scene:
    """A part of a video from `start`, `frames` long; `card` stands before it, for `card_frames`."""

    piece: Piece
    start: float
    frames: int
    cues: tuple[Cue, ...] = ()
    card: Card | None = None
    card_frames: int = 0


@dataclass(frozen=True, slots=True)
class ReelPlan:
    """`notes` say what is left out, and why."""

    title: str
    look: scenes.Look
    scenes: tuple[Scene, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reel:
    """A reel as it was made: chapters and subtitles on its own clock, in seconds."""

    path: Path
    seconds: float
    clips: int
    chapters: tuple[TitledSpan, ...]
    cues: tuple[Cue, ...]
    notes: tuple[str, ...]


def chosen_subtitles(name: str) -> Subtitles:
    """Raises `UsageError` for a way to show subtitles that is none."""
    for known in SUBTITLES:
        if known == name:
            return known
    raise UsageError(f"--subtitles {name!r} is not there", f"one of {', '.join(SUBTITLES)}")


# ---------------------------------------------------------------- the plan


def plan_reel(
    title: str,
    claims: Sequence[Claim],
    videos: dict[str, Video],
    footage_of: FootageOf,
    spoken: Callable[[str], Sequence[Cue]],
    font: str = "",
) -> ReelPlan:
    """What an answer's reel consists of. A sentence that its citations do not carry is not in it.

    `spoken` gives the subtitles of a video's speech. Raises `UsageError` where nothing is left.
    """
    carried = [claim for claim in claims if claim.verdict in CARRIED]
    if not carried:
        raise UsageError("the answer has no citation to show", "footnote ask QUESTION --json")
    pieces = pieces_of(carried, videos, MARGIN)
    footages = {p.video.video_id: footage_of(p.video) for p in pieces}
    look = common_look([(footages[p.video.video_id], p.end - p.start) for p in pieces], font)
    made: list[Scene] = []
    for piece in pieces:
        same = bool(made) and made[-1].piece.video.video_id == piece.video.video_id
        cues = tuple(_cues(piece, spoken(piece.video.video_id)))
        scene = Scene(piece, piece.start, look.frames(piece.end - piece.start), cues)
        if not same:
            scene = replace(scene, card=_card_of(scene), card_frames=look.frames(_CARD))
        made.append(scene)
    left = {c.citation.marker for c in claims} - {c.citation.marker for c in carried}
    notes = [f"[{marker}] is left out: it does not carry its sentence" for marker in sorted(left)]
    return ReelPlan(one_line(title), look, tuple(made), (*notes, *_font_notes(made, font)))


def _cues(piece: Piece, spoken: Sequence[Cue]) -> list[Cue]:
    """What is said in a piece; where nothing is, what is cited of it, in brackets."""
    said = within(spoken, piece.start, piece.end)
    if said:
        return said
    cited = {claim.citation.marker: claim.citation for claim in piece.claims}.values()
    shown = [Segment(c.source, c.start, c.end, c.quote) for c in cited if c.source != "speech"]
    return within(cues_of(shown), piece.start, piece.end)


def common_look(parts: Sequence[tuple[Footage, float]], font: str = "") -> scenes.Look:
    """The size and the rate that most seconds of the footage have, within what plays anywhere."""
    seen = [(footage, seconds) for footage, seconds in parts if footage.width]
    rates: dict[Fraction, float] = {}
    sizes: dict[tuple[int, int], float] = {}
    for footage, seconds in seen:
        rate = standard_rate(footage.rate)
        rates[rate] = rates.get(rate, 0.0) + seconds
        size = _sized(footage.width, footage.height)
        sizes[size] = sizes.get(size, 0.0) + seconds
    rate = max(rates, key=lambda r: (rates[r], r)) if rates else USUAL_RATE
    size = max(sizes, key=lambda s: (sizes[s], s)) if sizes else _SIZE
    return scenes.Look(size, rate if rate >= _SLOWEST - 1 else USUAL_RATE, font=font)


def _sized(width: int, height: int) -> tuple[int, int]:
    """A size of the same shape that is neither too large to play nor too small to read."""
    long, short = max(width, height), min(width, height)
    scale = max(1.0, _SMALLEST / short)
    scale = min(scale, _LARGEST[0] / long, _LARGEST[1] / short)
    return 2 * round(width * scale / 2), 2 * round(height * scale / 2)


def _card_of(scene: Scene) -> Card:
    """The video's title, when it is of, and where in it the scene is from."""
    video = scene.piece.video
    cited = [claim.citation for claim in scene.piece.claims]
    when = video.date or next((c.date for c in cited if c.date), "")
    lines = (when[:10], f"from {clock(scene.start)}")
    return Card(one_line(video.title or video.video_id), tuple(filter(None, lines)))


def _font_notes(made: Sequence[Scene], font: str) -> list[str]:
    """Which letters cannot be drawn; raises `SettingsError` for a font that cannot be read."""
    texts = [cue.text for scene in made for cue in scene.cues]
    texts += [scene.card.title for scene in made if scene.card]
    text = "".join(dict.fromkeys("".join(texts)))
    used = chosen_font(text, font)
    missing = used.missing(used.drawable(text))
    notes = []
    if missing:
        shown = " ".join(missing[:12]) + (" ..." if len(missing) > 12 else "")
        notes.append(f"the font {used.name} cannot draw {shown}: set reel_font to one that can")
    elif used.name == OWN_FONT and used.missing(text):
        notes.append("accents are left out by Pillow's own font: set reel_font to another")
    return notes


# ---------------------------------------------------------------- what it comes to


def chapters_of(made: Sequence[Scene], look: scenes.Look) -> list[TitledSpan]:
    """A chapter for each scene, its title card included, named after what is claimed."""
    found: list[TitledSpan] = []
    at = 0
    for scene in made:
        end = at + scene.card_frames + scene.frames
        seconds = float(at / look.rate), float(end / look.rate)
        found.append(TitledSpan(*seconds, _chapter_title(scene.piece)))
        at = end
    return found


def _chapter_title(piece: Piece) -> str:
    first = piece.claims[0]
    return f"[{first.citation.marker}] {one_line(first.text, _TITLE)}"


def cues_on_reel(made: Sequence[Scene], look: scenes.Look) -> list[Cue]:
    """The subtitles of all scenes on the reel's clock."""
    found: list[Cue] = []
    at = 0
    for scene in made:
        begin = float((at + scene.card_frames) / look.rate)
        found += [replace(c, start=c.start + begin, end=c.end + begin) for c in scene.cues]
        at += scene.card_frames + scene.frames
    return found


# ---------------------------------------------------------------- making it


@dataclass(slots=True)
class _Made:
    """The files of the scenes that could be made, and of what they are."""

    files: list[str] = field(default_factory=list)
    scenes: list[Scene] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    error: MediaError | None = None


def make_reel(
    plan: ReelPlan,
    target: Path,
    media: MediaReader,
    *,
    burn: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Reel:
    """Write the reel to `target`, an MP4, whole or not at all.

    Takes the disk space of the reel and of its sound uncompressed (12 MB a minute) beside it while
    it is made. `progress` gets (scenes done, of so many). Raises `UsageError` where no video of it
    has a file, `MediaError` where none of its scenes can be made.
    """
    if target.suffix.lower() != ".mp4":
        raise UsageError(f"a reel is an MP4, not {target.suffix or target.name}", "-o reel.mp4")
    folder = Path(tempfile.mkdtemp(prefix=".reel-", dir=target.parent))
    try:
        made = _film(plan, folder, media, burn, progress)
        if not made.scenes:
            raise made.error or UsageError(
                "none of the cited videos has a file here: there is nothing to film",
                "--format html, csv, vtt or otio needs none",
            )
        chapters = chapters_of(made.scenes, plan.look)
        rows = [(c.start, c.end, c.title) for c in chapters]
        draft = folder / target.name
        media.run(scenes.join, made.files, str(draft), plan.look, rows, plan.title)
        draft.replace(target)
    finally:
        shutil.rmtree(folder)
    return Reel(
        target,
        chapters[-1].end,
        len(made.scenes),
        tuple(chapters),
        tuple(cues_on_reel(made.scenes, plan.look)),
        (*plan.notes, *made.notes),
    )


def _film(
    plan: ReelPlan,
    folder: Path,
    media: MediaReader,
    burn: bool,
    progress: Callable[[int, int], None] | None,
) -> _Made:
    made = _Made()
    for number, scene in enumerate(plan.scenes):
        if progress:
            progress(number, len(plan.scenes))
        try:
            _film_scene(scene, number, folder, media, burn, plan.look, made)
        except MediaError as error:
            made.error = made.error or error
            made.notes.append(f"left out: {error.message}")
    if progress:
        progress(len(plan.scenes), len(plan.scenes))
    return made


def _film_scene(
    scene: Scene,
    number: int,
    folder: Path,
    media: MediaReader,
    burn: bool,
    look: scenes.Look,
    made: _Made,
) -> None:
    """Add the files of one scene to `made`. Raises `MediaError`."""
    video = scene.piece.video
    if not video.file or not Path(video.file).exists():
        where = "is not there any more" if video.file else "was imported without a file"
        made.notes.append(f"left out: {one_line(video.title)} {where}")
        return
    if video.duration and scene.start >= video.duration:
        made.notes.append(f"left out: {one_line(video.title)} ends before {clock(scene.start)}")
        return
    body = str(folder / f"{number:04}b{scenes.SCENE_SUFFIX}")
    cues = [scenes.Cue(c.start, c.end, one_line(c.text)) for c in scene.cues] if burn else []
    still = Card(one_line(video.title), (f"sound only, from {clock(scene.start)}",))
    media.run(scenes.film_stretch, video.file, scene.start, scene.frames, cues, still, body, look)
    # What was filmed last tells, not what was planned: the scene with the card may be left out.
    if made.scenes and made.scenes[-1].piece.video.video_id == video.video_id:
        scene = replace(scene, card=None, card_frames=0)
    else:
        card, frames = _card_of(scene), look.frames(_CARD)
        file = str(folder / f"{number:04}a{scenes.SCENE_SUFFIX}")
        media.run(scenes.film_card, card, frames, file, look)
        made.files.append(file)
        scene = replace(scene, card=card, card_frames=frames)
    made.files.append(body)
    made.scenes.append(scene)
