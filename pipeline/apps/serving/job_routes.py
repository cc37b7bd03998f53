"""Routes of jobs: files are added by path, followed while they are read, and stopped."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse, Response

from pipeline.apps import render
from pipeline.apps.job import ENDED, Following, Job
from pipeline.apps.serving import shapes
from pipeline.apps.serving.context import Context
from pipeline.apps.serving.looking_up import answer, is_here, visible_to
from pipeline.apps.serving.problems import Refused, error_value
from pipeline.apps.serving.questions import STREAM
from pipeline.apps.serving.streams import Events, EventStream, event
from pipeline.errors import UsageError

_STEP = 0.2  # seconds between two tellings of how far a job is


def router(context: Context) -> APIRouter:
    routes = APIRouter(prefix="/api/jobs", tags=["jobs"])
    jobs, library = context.jobs, context.library

    @routes.get("", response_model=shapes.JobsShown)
    async def every(request: Request) -> JSONResponse:
        """The jobs, the latest first; what has ended without its progress and its videos."""
        return answer(request, {"jobs": [job_json(job, brief=True) for job in jobs.all()]})

    @routes.post("", status_code=202, response_model=shapes.JobBegun)
    async def begin(asked: shapes.Paths, request: Request) -> JSONResponse:
        """Add files and folders of the server's machine."""
        allowed = context.options.allow_paths
        local = is_here(request)
        files = await context.reads.run(
            lambda: checked_paths(asked.paths, library.path, allowed, local=local)
        )
        return JSONResponse({"job_id": jobs.add(library, files, told=asked.paths)}, 202)

    @routes.get("/{job_id}", response_model=shapes.JobShown)
    async def one(job_id: str, request: Request) -> JSONResponse:
        """How far a job is, and what it came to."""
        return answer(request, job_json(jobs.get(job_id)))

    @routes.delete("/{job_id}", status_code=202, response_model=shapes.JobShown)
    async def cancel(job_id: str, request: Request) -> JSONResponse:
        """Stop a job. What is done is kept, and the same files added again go on from there."""
        shown = answer(request, job_json(jobs.cancel(job_id)))
        shown.status_code = 202
        return shown

    @routes.get("/{job_id}/events", response_class=Response, responses=STREAM)
    async def events(job_id: str, request: Request) -> Response:
        """`job` when its state changes, `progress` as stages go on; ends with the job."""
        jobs.get(job_id)  # 404 before the stream begins
        return EventStream(followed(context, job_id, request), context.options.keep_alive)

    @routes.get("/{job_id}/file", response_class=Response)
    async def file(job_id: str) -> Response:
        """What a job has made, to be kept."""
        result = jobs.get(job_id).result
        if result.file is None:
            raise Refused(404, "this job has made no file")
        return FileResponse(
            result.file, media_type=result.mime or None, filename=result.name or result.file.name
        )

    return routes


async def followed(context: Context, job_id: str, request: Request) -> Events:
    """The events of a job until it ends. Told in steps: a stage may report a thousand times."""
    changed, loop = asyncio.Event(), asyncio.get_running_loop()

    def wake() -> None:
        try:
            loop.call_soon_threadsafe(changed.set)
        except RuntimeError:
            return  # the server has ended

    with context.jobs.follow(job_id, wake) as following:
        ended = False
        while not ended:
            await changed.wait()
            changed.clear()
            told, ended = _told(following)
            for name, value in told:
                yield event(name, visible_to(request, value))
            if not ended:
                await asyncio.sleep(_STEP)


def _told(following: Following) -> tuple[list[tuple[str, Any]], bool]:
    events, job = following.take()
    told = [("progress", render.plain(one)) for one in events]
    if job is not None:
        told.append(("job", job_json(job)))
    return told, job is not None and job.state in ENDED


def job_json(job: Job, *, brief: bool = False) -> dict[str, Any]:
    """`brief`: of a job that has ended not what may be thousands of rows."""
    brief = brief and job.state in ENDED
    reports = () if brief else job.result.videos
    return {
        "job_id": job.job_id,
        "kind": job.kind,
        "state": job.state,
        "created": job.created,
        "paths": list(job.paths),
        "progress": {} if brief else render.plain(job.progress),
        "videos": [render.report_json(report) for report in reports],
        "file": f"/api/jobs/{job.job_id}/file" if job.result.file else "",
        "error": error_value(job.error) if job.error else None,
    }


def checked_paths(
    paths: Sequence[str], library: Path, allowed: Sequence[Path], *, local: bool
) -> list[Path]:
    """The videos among `paths`, where they may be added: in the folders that are `allowed`,
    whatever links lead there; where none are named, any, but only for who sits at this machine.

    Raises `Refused` (403) for one that may not, and `UsageError` for one that is not there; who
    may not look somewhere is not told what is there.
    """
    from pipeline.ingest.discover import find_media

    if not allowed and not local:
        raise Refused(
            403,
            "files are added by path only by who sits at the server's machine",
            "footnote serve --allow-path FOLDER",
        )
    found = [Path(os.path.abspath(Path(path).expanduser())) for path in paths]
    if any("\0" in path for path in paths):
        raise UsageError("a path has no null characters", "POST /api/jobs")
    _check_inside(found, allowed)
    files = find_media(found, library)
    _check_inside(files, allowed)
    if not files:
        raise UsageError("there is no video and no audio file there", "POST /api/jobs")
    return files


def _check_inside(paths: Sequence[Path], allowed: Sequence[Path]) -> None:
    for path in paths:
        real = path.resolve()
        if allowed and not any(real.is_relative_to(folder) for folder in allowed):
            raise Refused(403, f"{path.name} is not in a folder that videos are added from")
