"""Uploads: the raw body is a file, streamed to the library's own folder and looked at before it is
added. What is no video or sound by its content leaves nothing behind, nor does an upload that
breaks off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response
from starlette.requests import ClientDisconnect

from pipeline.apps.serving.context import Context
from pipeline.apps.serving.files import is_there
from pipeline.apps.serving.incoming import Incoming, safe_name, sweep
from pipeline.apps.serving.pool import Busy
from pipeline.apps.serving.problems import Refused
from pipeline.errors import MediaError
from pipeline.media.child import MediaReader

UPLOADS = 4  # at once
_WRITTEN_AT_ONCE = 1 << 20
_LOOKING = 60.0  # seconds that a look at the content may take
_RAW = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}

T = TypeVar("T")


def router(context: Context) -> APIRouter:
    routes = APIRouter(prefix="/api", tags=["jobs"])
    desk = _Desk(context)

    @routes.post(
        "/uploads",
        status_code=202,
        openapi_extra={"requestBody": {"required": True, **_RAW}},
    )
    async def upload(
        request: Request, name: Annotated[str, Query(min_length=1, max_length=1000)]
    ) -> Response:
        """Add a video: 202 with the job that reads it, or 200 with the video that has the same
        content already (`job_id` is "" then)."""
        wanted = safe_name(name)
        try:
            return await desk.receive(request, wanted)
        except ClientDisconnect:
            return Response(status_code=400)  # which nobody is there to read

    return routes


class _Desk:
    """Takes uploads in, `UPLOADS` at once."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._taken = 0
        self._threads = ThreadPoolExecutor(UPLOADS, thread_name_prefix="footnote-uploads")
        sweep(context.library.path)

    async def receive(self, request: Request, name: str) -> Response:
        """Raises `Refused` (413, 415), `NoRoom`, `Busy`, `ClientDisconnect`."""
        if self._taken >= UPLOADS:
            raise Busy("an upload")
        self._taken += 1
        try:
            library, most = self._context.library.path, self._context.options.upload_bytes
            incoming = await self._run(lambda: Incoming(library, most), Incoming.discard)
            try:
                await self._write(request, incoming)
                return await self._run(lambda: self._take_in(incoming, name))
            finally:
                await self._run(incoming.discard)
        finally:
            self._taken -= 1

    async def _write(self, request: Request, incoming: Incoming) -> None:
        length = request.headers.get("content-length", "")
        if length.isdigit():
            await self._run(lambda: incoming.expect(int(length)))
        waiting: list[bytes] = []
        async for data in request.stream():
            waiting.append(data)
            if sum(map(len, waiting)) >= _WRITTEN_AT_ONCE:
                await self._flush(incoming, waiting)
        await self._flush(incoming, waiting)

    async def _flush(self, incoming: Incoming, waiting: list[bytes]) -> None:
        together = b"".join(waiting)
        waiting.clear()
        await self._run(lambda: incoming.write(together))

    def _take_in(self, incoming: Incoming, name: str) -> Response:
        """The answer to a file that has arrived. In a thread."""
        sha256, library = incoming.finish(), self._context.library
        for video in library.with_content(sha256):
            if is_there(video):  # else this is its file again
                return JSONResponse({"job_id": "", "video_id": video.video_id, "known": True})
        self._check_content(incoming.path, name)
        path = incoming.keep(name)
        try:
            job_id = self._context.jobs.add(library, [path])
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return JSONResponse({"job_id": job_id, "name": path.name, "known": False}, 202)

    def _check_content(self, path: Path, name: str) -> None:
        """Raises `Refused` (415) that says what it is instead of a video."""
        settings = self._context.library.settings
        with MediaReader(settings.media_memory_mb, _LOOKING) as reader:
            try:
                info = reader.probe(path)
            except MediaError as error:
                message = error.message.replace(path.name, name)
                raise Refused(415, message, "give a video or a sound file") from error
        if not info.video and not info.audio:
            raise Refused(415, f"{name} has neither pictures nor sound")

    async def _run(self, work: Callable[[], T], unwanted: Callable[[T], None] | None = None) -> T:
        """In a thread, to its end: what is half done cannot be cleaned up.

        `unwanted` gets, in a thread, what was made for a request that is gone meanwhile.
        """
        running: asyncio.Future[Any] = asyncio.get_running_loop().run_in_executor(
            self._threads, work
        )
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait((running,))
            if unwanted is not None and running.exception() is None:
                await self._run(partial(unwanted, running.result()))
            raise
