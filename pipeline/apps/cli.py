"""The `footnote` command: arguments in, a table for people or one JSON object for programs out.

Heavy rooms are imported inside the commands, so that `footnote --help` answers at once.
Exit codes: 0 ok, 1 a bug, 2 usage, 3 a missing model, 4 some videos or rows failed or a saved
answer does not hold, 5 an index needs repair, 130 interrupted.
"""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.exceptions import Abort, Exit, TyperException

from pipeline import __version__
from pipeline.errors import FootnoteError, IndexDamaged, NoRoom, UsageError

if TYPE_CHECKING:
    from pipeline.library import AddResult, Library
    from pipeline.settings import Settings
    from pipeline.types import Filters, Source

app = typer.Typer(
    help="Question answering over a video library: every sentence with a checked footnote.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)

LibraryOption = Annotated[
    Path | None,
    typer.Option(
        "--library", help="The library's folder [env FOOTNOTE_LIBRARY; ./footnote-library]."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
VideoOption = Annotated[
    list[str] | None, typer.Option("--video", help="Only this video (repeatable).")
]
SourceOption = Annotated[
    list[str] | None,
    typer.Option("--source", help="Only speech, caption, screen, sound, chapter or summary."),
]
FolderOption = Annotated[str, typer.Option("--folder", help="Only videos under this folder.")]
AfterOption = Annotated[str, typer.Option("--after", help="Only videos dated D or later (ISO).")]
BeforeOption = Annotated[str, typer.Option("--before", help="Only videos dated before D (ISO).")]
PersonOption = Annotated[
    list[str] | None, typer.Option("--person", help="Only videos by or with them (repeatable).")
]
TagOption = Annotated[
    list[str] | None, typer.Option("--tag", help="Only videos with this tag (repeatable).")
]
PlaceOption = Annotated[
    list[str] | None, typer.Option("--place", help="Only videos from this place (repeatable).")
]


def _version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"footnote {__version__}\n")
        raise Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version.")
    ] = False,
) -> None:
    """Question answering over a video library: every sentence with a checked footnote."""


# ---------------------------------------------------------------- filling a library


@app.command()
def add(
    paths: Annotated[list[Path], typer.Argument(help="Videos, or folders of them.")],
    profile: Annotated[
        str | None, typer.Option(help="embedded, auto, local or server: which models to use.")
    ] = None,
    engine: Annotated[str, typer.Option(help="local.")] = "local",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Forecast what it takes, and do nothing.")
    ] = False,
    budget: Annotated[
        str | None,
        typer.Option(help="Most to spend on captions: 200calls, 10min or 2usd."),
    ] = None,
    more: Annotated[
        bool, typer.Option("--more", help="A new budget; without --budget: no limit.")
    ] = False,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> int:
    """Add videos: read their speech and screens, and index them. Resumable; safe to repeat."""
    from pipeline.apps import forecasts, render
    from pipeline.ingest.spending import read_allowance
    from pipeline.library import forecast_of, plan_of

    if engine != "local":
        raise UsageError(f"engine {engine!r} is not there", "footnote add --engine local PATH...")
    settings = _settings(library, profile)
    wanted = read_allowance(budget) if budget is not None else None
    plan = plan_of(paths, settings)
    if as_json and not dry_run:
        with _library(settings, create=True) as opened:
            result = opened.add(paths, None, wanted, more)
        _emit(as_json, render.add_json(result), None)
        return _add_code(result)
    with render.progress(quiet=as_json) as watch:
        forecasting = forecast_of(paths, settings, wanted, more, watch)
    expected = forecasting.now()
    to = render.out if dry_run else render.log
    if not as_json:
        render.plan(plan, to)
        forecasts.table(expected, to)
    if dry_run:
        told = {"plan": render.plain(plan), "forecast": render.plain(expected)}
        _emit(as_json, told, lambda: None)
        return 0
    with _library(settings, create=True) as opened, render.progress(quiet=False) as progress:
        watch = forecasts.AfterFirst(expected, forecasting.now, render.log, progress)
        result = opened.add(paths, watch, wanted, more)
    render.added(result)
    forecasts.after(expected, result, render.log)
    return _add_code(result)


def _add_code(result: AddResult) -> int:
    return 4 if any(v.status in ("partial", "failed") for v in result.videos) else 0


@app.command()
def watch(
    folder: Annotated[Path, typer.Argument(help="A folder of videos.")],
    settle: Annotated[
        float,
        typer.Option(
            min=0.1, max=3600.0, help="Seconds without a change until a file counts as written."
        ),
    ] = 5.0,
    remove: Annotated[
        bool,
        typer.Option("--remove", help="Remove videos whose file was deleted; else that is told."),
    ] = False,
    profile: Annotated[
        str | None, typer.Option(help="embedded, auto, local or server: which models to use.")
    ] = None,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> int:
    """Add what appears in a folder, until Ctrl-C; follows renames. --json tells all at the end."""
    from pipeline.apps import watching

    with _library(_settings(library, profile), create=True) as opened:
        log = watching.watch_folder(opened, folder, settle=settle, remove=remove, quiet=as_json)
    _emit(as_json, watching.log_json(log), lambda: None)
    return 4 if log.failed else 0


@app.command("import")
def import_(
    file: Annotated[
        Path,
        typer.Argument(
            help="Rows (JSONL), subtitles, a Whisper transcript, an .info.json, or a folder."
        ),
    ],
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> int:
    """Import timed text made elsewhere; no video file is needed."""
    from pipeline.apps import render

    with (
        _library(library, create=True) as opened,
        render.progress(quiet=as_json) as progress,
    ):
        result = opened.import_text(file, progress=progress)
    _emit(as_json, render.import_json(result), lambda: render.imported(result))
    return 4 if result.errors else 0


@app.command()
def edit(
    video: Annotated[str, typer.Argument(help="An id, a unique prefix of one, or a path.")],
    at: Annotated[
        str, typer.Option("--at", help="The segment at this time: seconds, m:ss or h:mm:ss.")
    ] = "",
    segment: Annotated[
        int | None, typer.Option("--segment", min=1, help="The segment of this number in `show`.")
    ] = None,
    source: Annotated[str | None, typer.Option("--source", help="The segment's source.")] = None,
    text: Annotated[str | None, typer.Option("--text", help="What it should say.")] = None,
    speaker: Annotated[str | None, typer.Option("--speaker", help="Who says it.")] = None,
    title: Annotated[str | None, typer.Option("--title", help="The video's title.")] = None,
    date: Annotated[str | None, typer.Option("--date", help="Its date (ISO).")] = None,
    place: Annotated[str | None, typer.Option("--place", help='Where; "" for nowhere.')] = None,
    person: Annotated[
        list[str] | None, typer.Option("--person", help='Who made it or is in it; "" for nobody.')
    ] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help='Its tags; "" for none.')] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take back the last edit.")] = False,
    list_edits: Annotated[bool, typer.Option("--list", help="List the edits.")] = False,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> int:
    """Correct what a segment says, or what is known of a video. Survives reading it again."""
    from pipeline.apps import player, render

    facts = {"title": title, "date": date, "place": place, "people": person, "tags": tag}
    given = {name: value for name, value in facts.items() if value is not None}
    named = bool(at or given) or any(v is not None for v in (segment, source, text, speaker))
    if (undo or list_edits) and (named or undo == list_edits):
        raise UsageError("--undo and --list take nothing else", "footnote edit VIDEO --undo")
    with _library(library) as opened:
        if list_edits:
            edited = opened.edits(video)
        elif undo:
            edited = opened.undo_edit(video)
        else:
            # What is shown as 0:42 begins somewhere in that second.
            within = 1.0 if at and "." not in at else 0.0
            (chosen,) = _sources([source]) if source else (None,)
            edited = opened.edit(
                video,
                at=player.seconds_of(at) if at else None,
                within=within,
                segment=segment,
                source=chosen,
                text=text,
                speaker=speaker,
                **given,
            )
    shown = render.edited_json(edited, undone=undo)
    _emit(as_json, shown, lambda: render.edited(edited, undone=undo))
    return 0


@app.command()
def remove(
    videos: Annotated[list[str], typer.Argument(help="Ids, unique prefixes or paths.")],
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> int:
    """Remove videos from the library. The video files themselves stay where they are."""
    from pipeline.apps import render

    with _library(library) as opened:
        removed = opened.remove(videos)
    _emit(as_json, {"removed": removed}, lambda: render.removed(removed))
    return 0


# ---------------------------------------------------------------- looking into it


@app.command("list")
def list_(library: LibraryOption = None, as_json: JsonOption = False) -> int:
    """List the videos, what is known of each, and what is pending."""
    from pipeline.apps import render

    with _library(library) as opened:
        videos = opened.videos()
    rows = [render.listed_json(video) for video in videos]
    _emit(as_json, {"videos": rows}, lambda: render.videos(videos))
    return 0


@app.command()
def show(
    video: Annotated[str, typer.Argument(help="An id, a unique prefix of one, or a path.")],
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> int:
    """Show one video's timed text."""
    from pipeline.apps import render

    with _library(library) as opened:
        summary, segments = opened.show(video)
    _emit(as_json, render.show_json(summary, segments), lambda: render.show(summary, segments))
    return 0


@app.command()
def chapters(
    video: Annotated[str, typer.Argument(help="An id, a unique prefix of one, or a path.")],
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> int:
    """List one video's chapters, in the form that goes below a video."""
    from pipeline.apps import render

    with _library(library) as opened:
        found = opened.chapters(video)
    _emit(as_json, render.plain(found), lambda: render.chapters(found))
    return 0


@app.command()
def summary(
    video: Annotated[str, typer.Argument(help="An id, a unique prefix of one, or a path.")],
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> int:
    """Summarise one video, each sentence with the time it is taken from."""
    from pipeline.apps import render

    with _library(library) as opened:
        found = opened.summary(video)
    _emit(as_json, render.plain(found), lambda: render.summary(found))
    return 0


@app.command()
def status(library: LibraryOption = None, as_json: JsonOption = False) -> int:
    """Counts, hours, disk use, models, and work that is pending."""
    from pipeline.apps import render

    with _library(library) as opened:
        facts = opened.status()
    _emit(as_json, facts, lambda: render.status(facts))
    return 0


@app.command()
def play(
    video: Annotated[str, typer.Argument(help="An id, a unique prefix of one, or a path.")],
    time: Annotated[str, typer.Argument(help="Seconds, m:ss or h:mm:ss.")],
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> int:
    """Open the video at a time, in mpv, VLC or the browser."""
    from pipeline.apps import player, render

    with _library(library) as opened:
        path, seconds = opened.locate(video, player.seconds_of(time))
    command = player.open_at(path, seconds, opened.path)
    opened_at = {"path": path, "time": seconds, "command": command}
    _emit(as_json, opened_at, lambda: render.played(opened_at))
    return 0


# ---------------------------------------------------------------- asking


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="What to look for.")] = "",
    image: Annotated[
        Path | None,
        typer.Option(help="A picture to look for; QUERY says what should be different in it."),
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="How many moments.")] = 10,
    every: Annotated[
        bool, typer.Option("--all", help="Every moment that matches, however many (no -k).")
    ] = False,
    video: VideoOption = None,
    source: SourceOption = None,
    folder: FolderOption = "",
    after: AfterOption = "",
    before: BeforeOption = "",
    person: PersonOption = None,
    tag: TagOption = None,
    place: PlaceOption = None,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> int:
    """Find the moments where something is said or shown."""
    from pipeline.apps import render

    if not query and image is None:
        raise UsageError("there is nothing to look for", 'footnote search "what you look for"')
    if every and image is not None:
        raise UsageError("--all and --image exclude each other", "give one")
    filters = _filters(video, source, folder, after, before, person, tag, place)
    with _library(library) as opened:
        if every:
            listing = opened.find_all(query, filters=filters)
            _emit(as_json, render.plain(listing), lambda: render.listing(listing, opened.path))
            return 0
        if image is None:
            found = opened.search(query, k=k, filters=filters)
        else:
            found = opened.search_image(image, query, k=k, filters=filters)
    _emit(as_json, render.plain(found), lambda: render.moments(found, opened.path))
    return 0


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="The question.")],
    k: Annotated[
        int | None, typer.Option("-k", min=1, max=1000, help="From how many moments at most.")
    ] = None,
    video: VideoOption = None,
    source: SourceOption = None,
    folder: FolderOption = "",
    after: AfterOption = "",
    before: BeforeOption = "",
    person: PersonOption = None,
    tag: TagOption = None,
    place: PlaceOption = None,
    form: Annotated[
        str,
        typer.Option(
            help="short, explained, compare, list, howto or timeline; else as the question asks."
        ),
    ] = "",
    steps: Annotated[
        int | None,
        typer.Option(min=0, max=100, help="How often to look further when that is not enough."),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show how the moments, and the answer, were found.")
    ] = False,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> int:
    """Answer a question, every sentence with a footnote to the moment it comes from."""
    from pipeline.apps import render
    from pipeline.retrieve.framing import is_whole_library

    with _library(library) as opened:
        filters = _filters(video, source, folder, after, before, person, tag, place)
        if not as_json and render.out.is_terminal:
            events = opened.ask_stream(question, k=k, filters=filters, form=form, steps=steps)
            render.answer_events(events, opened.path, explain=explain)
        else:
            answer = opened.ask(question, k=k, filters=filters, form=form, steps=steps)
            shown = render.answer_json(answer, explain=explain)
            _emit(as_json, shown, lambda: render.answer(answer, opened.path, explain=explain))
    if not as_json and is_whole_library(question):
        render.for_all(question, opened.path)
    return 0


@app.command()
def chat(
    session: Annotated[
        str | None, typer.Option(help="Go on with the chat of this name, or begin it.")
    ] = None,
    list_chats: Annotated[bool, typer.Option("--list", help="List the chats.")] = False,
    forget: Annotated[str | None, typer.Option(help="Delete the chat of this name.")] = None,
    video: VideoOption = None,
    source: SourceOption = None,
    folder: FolderOption = "",
    after: AfterOption = "",
    before: BeforeOption = "",
    person: PersonOption = None,
    tag: TagOption = None,
    place: PlaceOption = None,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> int:
    """Ask questions that build on each other, one a line. Kept in the library, by name."""
    from pipeline.apps import chatting, render

    if (session is not None) + list_chats + (forget is not None) > 1:
        raise UsageError("--session, --list and --forget exclude each other", "give one")
    filters = _filters(video, source, folder, after, before, person, tag, place)
    with _library(library) as opened:
        if list_chats:
            chats = opened.chats()
            shown = {"chats": [render.plain(one) for one in chats]}
            _emit(as_json, shown, lambda: chatting.listed(chats))
        elif forget is not None:
            opened.forget_chat(forget)
            _emit(as_json, {"forgotten": forget}, lambda: render.removed([forget]))
        elif as_json:
            _emit(True, chatting.replies(opened.chat(session, filters=filters)), None)
        else:
            chatting.converse(opened.chat(session, filters=filters), opened)
    return 0


@app.command()
def look(
    video: Annotated[str, typer.Argument(help="An id, a unique prefix of one, or a path.")],
    start: Annotated[str, typer.Argument(help="Seconds, m:ss or h:mm:ss.")],
    end: Annotated[str, typer.Argument(help="Seconds, m:ss or h:mm:ss.")],
    question: Annotated[str, typer.Argument(help="What the pictures should tell.")],
    frames: Annotated[int, typer.Option(help="At most so many pictures (1 to 16).")] = 6,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> int:
    """Ask the caption model what a part of a video shows; what it sees can be searched then."""
    from pipeline.apps import player, render

    begin, stop = player.seconds_of(start), player.seconds_of(end)
    with _library(library) as opened:
        found = opened.look(video, begin, stop, question, frames=frames)
    _emit(as_json, render.look_json(found), lambda: render.look(found, opened.path))
    return 0


@app.command()
def report(
    topic: Annotated[str, typer.Argument(help="What it should be about.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write it there instead of showing it.")
    ] = None,
    form: Annotated[
        str, typer.Option("--format", help="md, html or json; else as FILE is called, else md.")
    ] = "",
    k: Annotated[
        int | None, typer.Option("-k", min=1, max=1000, help="From how many moments at most.")
    ] = None,
    video: VideoOption = None,
    source: SourceOption = None,
    folder: FolderOption = "",
    after: AfterOption = "",
    before: BeforeOption = "",
    person: PersonOption = None,
    tag: TagOption = None,
    place: PlaceOption = None,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> int:
    """Write an article on a topic over many videos, every sentence cited and checked."""
    from pipeline.apps import papers, render

    papers.check_place(output)
    chosen = papers.chosen_format(output, form)
    filters = _filters(video, source, folder, after, before, person, tag, place)
    with _library(library) as opened:
        made = opened.report(topic, k=k, filters=filters)
    shown = render.plain(made)
    page = papers.page(made, chosen, shown)
    if output is not None:
        papers.write(output, page)
        _emit(as_json, shown, lambda: render.reported(made, output))
    else:
        _emit(as_json, shown, lambda: sys.stdout.write(page))
    return 0


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="What ask --json or report --json wrote.")],
    own: Annotated[
        bool,
        typer.Option("--bundle", help="Against the evidence that a report carries, not a library."),
    ] = False,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> int:
    """Check a saved answer or report again: every quote, time, link and verdict."""
    from pipeline.apps import papers, render

    found = papers.verify(file, _settings(library), own=own)
    _emit(as_json, render.plain(found), lambda: render.verification(found))
    return 0 if found.ok else 4


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="And the port.")] = 8460,
    token: Annotated[
        str, typer.Option(help="What is asked of everybody; beyond loopback one is made up.")
    ] = "",
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Another name it is reached under (repeatable).")
    ] = None,
    allow_path: Annotated[
        list[Path] | None,
        typer.Option(help="Only add videos by path from this folder (repeatable)."),
    ] = None,
    open_page: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in a browser.")
    ] = False,
    profile: Annotated[
        str | None, typer.Option(help="embedded, auto, local or server: which models to use.")
    ] = None,
    library: LibraryOption = None,
) -> int:
    """Serve the library as a web page and an API, on this machine alone unless told otherwise."""
    from pipeline.apps import server

    settings = _settings(library, profile)
    options = server.options_for(
        settings, host, port, token, tuple(allow_host or ()), tuple(allow_path or ())
    )
    with _library(settings, create=True) as opened:
        server.serve(opened, options, open_page=open_page)
    return 0


@app.command("mcp")
def mcp_(
    http: Annotated[
        bool, typer.Option(help="Listen for assistants instead of speaking on stdin and stdout.")
    ] = False,
    host: Annotated[str, typer.Option(help="With --http: the address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="And the port.")] = 8461,
    token: Annotated[
        str, typer.Option(help="What is asked of everybody; beyond loopback one is made up.")
    ] = "",
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Another name it is reached under (repeatable).")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="embedded, auto, local or server: which models to use.")
    ] = None,
    library: LibraryOption = None,
) -> int:
    """Offer the library to chat assistants, by the Model Context Protocol."""
    from pipeline.apps import mcp

    settings = _settings(library, profile)
    with _library(settings) as opened:
        if http:
            from pipeline.apps.server import options_for

            mcp.serve(opened, options_for(settings, host, port, token, tuple(allow_host or ())))
        else:
            mcp.make_server(opened).run("stdio")
    return 0


# ---------------------------------------------------------------- taking out


@app.command()
def clip(
    video: Annotated[str, typer.Argument(help="An id, a unique prefix of one, or a path.")],
    start: Annotated[str, typer.Argument(help="Seconds, m:ss or h:mm:ss.")],
    end: Annotated[str, typer.Argument(help="Seconds, m:ss or h:mm:ss.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The file; its name tells the container.")
    ],
    exact: Annotated[
        bool, typer.Option("--exact", help="Encode anew: from frame to frame, but slower.")
    ] = False,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> int:
    """Write a part of a video to a file, copied where that can be."""
    from pipeline.apps import exporting, player

    begin, stop = player.seconds_of(start), player.seconds_of(end)
    with _library(library) as opened:
        done = opened.clip(video, begin, stop, output, exact=exact)
    _emit(as_json, exporting.clip_json(done), lambda: exporting.clipped(done))
    return 0


@app.command()
def export(
    form: Annotated[
        str,
        typer.Option("--format", help="otio, edl, fcpxml, vtt, srt, csv, html, reel or chapters."),
    ],
    answer: Annotated[Path | None, typer.Option(help="What ask --json wrote.")] = None,
    video: Annotated[str | None, typer.Option(help="An id, a prefix of one, or a path.")] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The file; - is stdout, for formats of text.")
    ] = Path("-"),
    source: Annotated[
        list[str] | None,
        typer.Option("--source", help="With --video: what vtt, srt, csv and html tell."),
    ] = None,
    subtitles: Annotated[
        str, typer.Option(help="Of a reel: burned, sidecar (a .vtt beside it) or none.")
    ] = "burned",
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> int:
    """Take an answer or a video to an editor, a player, a spreadsheet; or make a reel of it."""
    from pipeline.apps import exporting

    exporting.check_asked(answer, video, form, output, as_json=as_json)
    sources = _sources(source or ())
    with _library(library) as opened:
        made = exporting.export(
            opened, answer, video, form, output, sources, subtitles, quiet=as_json
        )
    shown = exporting.export_json(made, output) if output != exporting.STDOUT else {}
    _emit(as_json, shown, lambda: exporting.exported(made, output))
    return 0


# ---------------------------------------------------------------- measuring and mending


@app.command("eval")
def eval_(
    queries: Annotated[
        Path,
        typer.Option(help='JSONL: {"qid","text"}, and "gold","answer","answerable","type".'),
    ],
    qrels: Annotated[
        Path | None,
        typer.Option(help='JSONL: {"qid","video_id","start","end"}; not where rows have "gold".'),
    ] = None,
    expansions: Annotated[
        Path | None,
        typer.Option(help='JSONL of recorded hypothetical passages: {"qid","passages"}'),
    ] = None,
    record_expansions: Annotated[
        Path | None, typer.Option(help="Write hypothetical passages there with the language model.")
    ] = None,
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Measure dense, BM25, rank fusion ... beside it.")
    ] = False,
    answers: Annotated[
        bool, typer.Option("--answers", help="Ask the questions, too, and measure the answers.")
    ] = False,
    judge: Annotated[
        bool,
        typer.Option("--judge", help="With --answers: the language model says which are right."),
    ] = False,
    held_out: Annotated[
        str, typer.Option(help='Which questions by their "held_out": yes, no or all.')
    ] = "all",
    resume: Annotated[
        Path | None,
        typer.Option(help="Keep the result of every question there; a killed run goes on."),
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option("--by", help="A table by source or by type of question (repeatable)."),
    ] = None,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> int:
    """Measure search, and answers, on questions whose moments are known."""
    from pipeline.apps import render
    from pipeline.evaluate.questions import HALVES
    from pipeline.evaluate.run import evaluate

    if expansions and record_expansions:
        raise UsageError("--expansions and --record-expansions exclude each other", "give one")
    if wrong := set(by or ()) - {"source", "type"}:
        raise UsageError(f"--by {min(wrong)!r} is not there", "--by source, or --by type")
    if judge and not answers:
        raise UsageError("--judge judges answers", "--answers --judge")
    half = next((half for half in HALVES if half == held_out), None)
    if half is None:
        raise UsageError(f"--held-out {held_out!r} is not there", "--held-out yes, no or all")
    with _library(library) as opened, render.progress(quiet=as_json) as progress:
        report = evaluate(
            opened,
            queries,
            qrels,
            expansions=expansions,
            record=record_expansions,
            baselines=baselines,
            answers=answers,
            judge=judge,
            held_out=half,
            resume=resume,
            progress=progress,
        )
    _emit(as_json, report, lambda: render.evaluation(report, by or ()))
    return 0


@app.command()
def doctor(
    repair: Annotated[
        bool, typer.Option("--repair", help="Rebuild what is damaged; needs no model.")
    ] = False,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> int:
    """Check the library: catalog, indexes, files, models."""
    from pipeline.apps import render

    with _library(library) as opened:
        checks = opened.doctor(repair=repair)
    ok = all(check.ok for check in checks)
    report = {"ok": ok, "checks": [render.plain(check) for check in checks]}
    _emit(as_json, report, lambda: render.checks(checks))
    if ok:
        return 0
    # A video that was moved is no damage of the library.
    return 4 if [check.name for check in checks if not check.ok] == ["video files"] else 5


@app.command()
def reindex(
    embedding: Annotated[
        str | None, typer.Option(help='Another embedding model, "provider:model".')
    ] = None,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> int:
    """Embed every passage again, with another model or the same one."""
    from pipeline.apps import render

    with _library(library) as opened, render.progress(quiet=as_json) as progress:
        done = opened.reindex(embedding, progress=progress)
    _emit(as_json, done, lambda: render.reindexed(done))
    return 0


# ---------------------------------------------------------------- the way in and out


def _settings(library: Path | None, profile: str | None = None) -> Settings:
    from pipeline.settings import load_settings

    return load_settings({"library": library, "profile": profile})


@contextmanager
def _library(where: Path | Settings | None, *, create: bool = False) -> Iterator[Library]:
    """The library named by a flag, or by settings that were read already."""
    from pipeline.library import Library

    settings = _settings(where) if where is None or isinstance(where, Path) else where
    with Library(settings=settings, create=create) as library:
        yield library


def _filters(
    videos: Sequence[str] | None,
    sources: Sequence[str] | None,
    folder: str,
    after: str,
    before: str,
    people: Sequence[str] | None,
    tags: Sequence[str] | None,
    places: Sequence[str] | None,
) -> Filters:
    from pipeline.types import Filters

    chosen = _sources(sources or ())
    named = (tuple(names or ()) for names in (people, tags, places))
    return Filters(tuple(videos or ()), chosen, folder, after, before, *named)


def _sources(names: Sequence[str]) -> tuple[Source, ...]:
    from pipeline.types import SOURCES

    for name in names:
        if name not in SOURCES:
            raise UsageError(f"unknown source {name!r}", f"one of {', '.join(SOURCES)}")
    return tuple(source for source in SOURCES if source in names)


def _emit(as_json: bool, value: Mapping[str, Any], draw: Any) -> None:
    if as_json:
        sys.stdout.write(json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n")
    else:
        draw()


def _fail(as_json: bool, code: str, message: str, hint: str, exit_code: int) -> int:
    if as_json:
        error = {"error": {"code": code, "message": message, "hint": hint}}
        sys.stdout.write(json.dumps(error, ensure_ascii=False) + "\n")
    else:
        sys.stderr.write(f"footnote: {message}\n" + (f"  try: {hint}\n" if hint else ""))
    return exit_code


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; the exit code is returned, every failure is one clean message."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in arguments
    try:
        code = int(app(args=arguments, prog_name="footnote", standalone_mode=False) or 0)
        # Typer turns Ctrl-C into an exit code of its own.
        return _interrupted(as_json, arguments) if code == 130 else code
    except Exit as error:
        return error.exit_code
    except TyperException as error:
        if error.message.startswith("Usage:"):  # a bare `footnote`
            sys.stdout.write(f"{error.format_message()}\n")
            return error.exit_code
        return _fail(as_json, "usage", error.format_message(), "footnote --help", error.exit_code)
    except FootnoteError as error:
        return _fail(as_json, error.code, error.message, error.hint, error.exit_code)
    except (KeyboardInterrupt, Abort):
        return _interrupted(as_json, arguments)
    except BrokenPipeError:  # `footnote list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if isinstance(error, sqlite3.DatabaseError) and "malformed" in str(error):
            from pipeline.store.database import DAMAGED_HINT

            message = f"library.db is damaged: {error}"
            return _fail(as_json, IndexDamaged.code, message, DAMAGED_HINT, 5)
        if _is_full_disk(error):
            again = "make room; the same command goes on where it stopped"
            return _fail(as_json, NoRoom.code, f"the disk is full ({error})", again, 3)
        if os.environ.get("FOOTNOTE_DEBUG"):
            raise
        message = f"a bug in Footnote: {type(error).__name__}: {error}"
        return _fail(as_json, "bug", message, "FOOTNOTE_DEBUG=1 shows where", 1)


def _interrupted(as_json: bool, arguments: Sequence[str]) -> int:
    again = "the same command; it goes on where it stopped" if arguments[:1] == ["add"] else ""
    return _fail(as_json, "interrupted", "interrupted; what was done is kept", again, 130)


def _is_full_disk(error: Exception) -> bool:
    """Whichever library met it: the operating system's error, or SQLite's."""
    number = getattr(error, "errno", None)
    return number in (errno.ENOSPC, errno.EDQUOT) or "disk is full" in str(error)


if __name__ == "__main__":
    sys.exit(main())
