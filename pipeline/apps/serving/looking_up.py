"""Routes that look things up: the state of the library, its videos, what is known of one."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse

from pipeline import __version__
from pipeline.apps import render
from pipeline.apps.serving import shapes
from pipeline.apps.serving.context import Context
from pipeline.apps.serving.media import address, playback
from pipeline.apps.serving.problems import values_without_folders
from pipeline.apps.serving.security import is_local
from pipeline.types import VideoSummary


def router(context: Context) -> APIRouter:
    routes = APIRouter(prefix="/api", tags=["library"])
    library, reads = context.library, context.reads

    @routes.get("/status", response_model=shapes.Status)
    async def status(request: Request) -> JSONResponse:
        """Counts, hours, disk use, models and pending work."""
        facts = await reads.run(library.status)
        return answer(request, {**facts, "version": __version__})

    @routes.get("/doctor", response_model=shapes.Doctor)
    async def doctor(request: Request) -> JSONResponse:
        """Whether the library is whole; nothing is repaired."""
        checks = await reads.run(library.doctor)
        ok = all(check.ok for check in checks)
        return answer(request, {"ok": ok, "checks": render.plain(checks)})

    @routes.get("/videos", response_model=shapes.Videos)
    async def videos(
        request: Request,
        q: str = "",
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        offset: Annotated[int, Query(ge=0)] = 0,
    ) -> JSONResponse:
        """The videos by title; `q`: those whose title, id, people or tags hold all its words."""
        found = await reads.run(lambda: _matching(library.videos(), q))
        rows = [
            {**render.listed_json(video), "thumbnail": thumbnail(video)}
            for video in found[offset : offset + limit]
        ]
        return answer(request, {"videos": rows, "total": len(found)})

    @routes.get("/videos/{video_id}", response_model=shapes.Shown)
    async def video(video_id: str, request: Request) -> JSONResponse:
        """One video with its timed text, chapters and summary, and how it can be played."""
        return answer(request, await reads.run(lambda: shown(context, video_id)))

    return routes


def shown(context: Context, video_id: str) -> dict[str, Any]:
    """Everything that the page of a video shows."""
    library = context.library
    summary, segments = library.show(video_id)
    chapters = library.chapters(summary.video_id).chapters
    return {
        **render.show_json(summary, segments),
        "chapters": [{"start": c.start, "end": c.end, "title": c.title} for c in chapters],
        "summary": library.summary(summary.video_id).summary,
        "thumbnail": thumbnail(summary),
        **_playing(context, summary),
    }


def _playing(context: Context, video: VideoSummary) -> dict[str, Any]:
    spoken = bool(video.sources.get("speech"))
    return {
        "playback": playback(context, video.video_id),
        "subtitles": f"{address(video.video_id)}/subtitles.vtt" if spoken else "",
    }


def thumbnail(video: VideoSummary) -> str:
    """A picture of the video; "" where it has no file."""
    if not video.path:
        return ""
    return f"{address(video.video_id)}/frame?at={round(video.duration / 10, 1)}&width=320"


def _matching(videos: list[VideoSummary], query: str) -> list[VideoSummary]:
    words = query.casefold().split()

    def told(video: VideoSummary) -> str:
        known = (video.title, video.video_id, video.place, *video.people, *video.tags)
        return " ".join(known).casefold()

    kept = [video for video in videos if all(word in told(video) for word in words)]
    return sorted(kept, key=lambda video: (video.title.casefold(), video.video_id))


def answer(request: Request, value: Any) -> JSONResponse:
    """`value` as an answer, see `visible_to`."""
    return JSONResponse(visible_to(request, value))


def visible_to(request: Request, value: Any) -> Any:
    """`value` for who asks: who does not sit at this machine is told no folder of it."""
    return value if is_here(request) else values_without_folders(value)


def is_here(request: Request) -> bool:
    """Whether who asks sits at this machine."""
    client = (request.client.host, request.client.port) if request.client else None
    return is_local(client, request.headers)
