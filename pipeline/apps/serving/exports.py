"""Routes that hand out files to keep: a video's text, an answer's moments for an editing program.

Who does not sit at this machine is told no folder of it: files are named, not where they lie.
A reel takes minutes: it is a job, and its file is fetched when the job is done.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Body, Request
from fastapi.responses import FileResponse, JSONResponse, Response

from pipeline.apps.export import exported
from pipeline.apps.job import JobResult
from pipeline.apps.serving.context import Context
from pipeline.apps.serving.looking_up import is_here
from pipeline.types import Progress

REEL = "reel"


def router(context: Context) -> APIRouter:
    routes = APIRouter(prefix="/api", tags=["export"])
    library = context.library

    @routes.get("/videos/{video_id}/export", response_class=Response)
    async def of_video(video_id: str, format: str, request: Request) -> Response:
        """A video's text and chapters: vtt, srt, csv, html, otio, edl, fcpxml or chapters."""
        here = is_here(request)
        return download(
            *await context.reads.run(lambda: exported(library, video_id, format, folders=here))
        )

    @routes.post("/answers/export", response_class=Response)
    async def of_answer(
        answer: Annotated[dict[str, Any], Body()], format: str, request: Request
    ) -> Response:
        """What an answer (as `/api/ask` gives it) cites; 202 with a job for a reel."""
        if format == REEL:

            def film(progress: Progress) -> JobResult:
                made, mime, name = exported(library, answer, REEL, progress=progress)
                assert isinstance(made, Path)
                return JobResult(file=made, mime=mime, name=name)

            return JSONResponse({"job_id": context.jobs.submit(REEL, (), film)}, 202)
        here = is_here(request)
        return download(
            *await context.reads.run(lambda: exported(library, answer, format, folders=here))
        )

    return routes


def download(content: bytes | Path, mime: str, name: str) -> Response:
    """A file that a browser keeps and does not show."""
    if isinstance(content, Path):
        return FileResponse(content, media_type=mime, filename=name)
    disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    return Response(content, media_type=mime, headers={"Content-Disposition": disposition})
