"""The pictures and the sound of videos: their files in ranges, streams made on the fly, stills."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, BinaryIO
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from pipeline.apps.serving.context import Context
from pipeline.apps.serving.files import FileAnswer, is_there, open_file
from pipeline.apps.serving.live import LiveAnswer, LiveStreams, stream_headers
from pipeline.apps.serving.problems import Refused
from pipeline.apps.serving.stills import KeptPictures, strip_times, width_of
from pipeline.errors import MediaError
from pipeline.media import playable
from pipeline.media.child import MediaReader
from pipeline.media.container import identity
from pipeline.media.live import LiveStream
from pipeline.media.seeking import picture_near
from pipeline.media.thumbnails import encode, frame_near, shrink
from pipeline.types import Image, Video

STREAMS = 4  # at once
_FILE_THREADS = 4
_CACHED = "private, max-age=3600"
_Responses = dict[int | str, dict[str, Any]]
_FILE: dict[str, Any] = {"content": {"video/*": {}, "audio/*": {}}}
_JPEG: _Responses = {200: {"content": {"image/jpeg": {}}}}
# A request for a second beyond the end gets the last moment.
_LAST = 0.5
_DECODING = 20.0  # seconds that a picture may take


def router(context: Context) -> APIRouter:
    routes = APIRouter(prefix="/api/videos/{video_id}", tags=["media"])
    library, pictures = context.library, KeptPictures()
    places = LiveStreams(STREAMS)
    threads = ThreadPoolExecutor(_FILE_THREADS, thread_name_prefix="footnote-files")

    @routes.get("/media", response_class=Response, responses={200: _FILE, 206: _FILE})
    @routes.head("/media", include_in_schema=False)
    async def media(video_id: str, request: Request) -> Response:
        """The file itself; ranges of it, so that a player can seek at once."""
        video = await context.reads.run(lambda: library.video(video_id))
        file, facts = await context.reads.run(lambda: open_file(video), _close)
        return FileAnswer(
            file,
            facts,
            tag=f'"{video.sha256[:32]}"',
            mime=playable.media_type(video.media),
            request=request.headers,
            threads=threads,
        )

    @routes.get("/stream", response_class=Response, responses={200: _FILE})
    @routes.head("/stream", include_in_schema=False)
    async def stream(
        video_id: str, request: Request, start: Annotated[float, Query(ge=0, le=1e7)] = 0.0
    ) -> Response:
        """A fragmented MP4 from that second, or the key frame before it, on; `X-Stream-Start` says
        from where."""
        video = await context.reads.run(lambda: library.video(video_id))
        file, found = await context.reads.run(lambda: open_file(video), _close)
        file.close()
        if video.duration:
            start = min(start, max(0.0, video.duration - _LAST))
        anew = await context.reads.run(lambda: library.is_damaged(video_id))
        memory_mb = library.settings.media_memory_mb
        key = (video.video_id, video.sha256, start)
        playing = places.take(key) or await places.open(
            lambda: LiveStream(video.path, start, like=found, anew=anew, memory_mb=memory_mb)
        )
        if request.method == "HEAD":
            places.keep(key, playing)
            facts = playing.facts
            return Response(headers=stream_headers(facts), media_type=facts.mime)
        return LiveAnswer(playing, places)

    @routes.get("/frame", response_class=Response, responses=_JPEG)
    @routes.head("/frame", include_in_schema=False)
    async def frame(
        video_id: str,
        request: Request,
        at: Annotated[float, Query(ge=0, le=1e7)] = 0.0,
        width: Annotated[int, Query(ge=1, le=100_000)] = 320,
    ) -> Response:
        """What is seen at that second: the stored frame of the shot, at most 1280 pixels wide."""
        video = await context.reads.run(lambda: library.video(video_id))
        tag = f'"{video.sha256[:16]}-{round(at * 1000)}-{width_of(width)}"'
        headers = {"ETag": tag, "Cache-Control": _CACHED}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        made = await context.media.run(
            lambda: _picture(context, pictures, video, at, width_of(width))
        )
        return Response(made, headers=headers, media_type="image/jpeg")

    @routes.get("/strip")
    async def strip(
        video_id: str,
        width: Annotated[int, Query(ge=1, le=100_000)] = 160,
        count: Annotated[int, Query(ge=1, le=200)] = 12,
    ) -> JSONResponse:
        """Pictures along the timeline."""
        return JSONResponse(
            await context.reads.run(lambda: _strip(context, video_id, width, count))
        )

    return routes


def address(video_id: str) -> str:
    """Of a video in the API."""
    return f"/api/videos/{quote(video_id, safe='')}"


def playback(context: Context, video_id: str) -> dict[str, Any]:
    """How a browser shows the video: `{"kind", "url", "mime"}`, see `media.playable`."""
    video = context.library.video(video_id)
    frames, _ = context.library.key_frames(video.video_id)
    there = is_there(video)
    found = playable.playback(
        video.media,
        there=there,
        frames=bool(frames),
        duration=video.duration,
        damaged=context.library.is_damaged(video.video_id),
    )
    urls = {"direct": "media", "remux": "stream", "transcode": "stream", "frames": "strip"}
    place = urls.get(found.kind)
    url = f"{address(video.video_id)}/{place}" if place else ""
    return {"kind": found.kind, "url": url, "mime": found.mime}


def _close(opened: tuple[BinaryIO, os.stat_result]) -> None:
    opened[0].close()


def _picture(
    context: Context, pictures: KeptPictures, video: Video, at: float, width: int
) -> bytes:
    """A stored frame near that second, else what the file shows there. Raises `Refused` (404)."""
    frames, cuts = context.library.key_frames(video.video_id)
    near = frame_near(frames, cuts, at)
    if near is not None:
        time, path = near
        try:
            return pictures.get(
                (video.video_id, video.sha256, time, width), lambda: shrink(path, width)
            )
        except OSError:
            pass  # its file is gone: footnote doctor says so, the video is still there
    key = (video.video_id, video.sha256, "decoded", round(at, 1), width)
    return pictures.get(key, lambda: encode(_decoded(context, video, at, width), width))


def _decoded(context: Context, video: Video, at: float, width: int) -> Image:
    """In a child process, from the key frame before: what is there is not always stored."""
    settings = context.library.settings
    file, facts = open_file(video)
    file.close()
    at = min(at, max(0.0, video.duration - _LAST)) if video.duration else at
    with MediaReader(settings.media_memory_mb, _DECODING) as reader:
        try:
            return reader.run(picture_near, video.path, at, 2 * width, identity(facts))[1]
        except MediaError as error:
            raise Refused(404, f"{video.video_id} has no picture there") from error


def _strip(context: Context, video_id: str, width: int, count: int) -> dict[str, Any]:
    """Each picture under the time of the frame that it shows: neighbours of one shot are one
    picture to the browser."""
    video = context.library.video(video_id)
    frames, cuts = context.library.key_frames(video.video_id)
    picture = f"{address(video.video_id)}/frame"
    shown = []
    for at in strip_times(video.duration, count) if _has_pictures(video) else ():
        near = frame_near(frames, cuts, at)
        query = {"at": near[0] if near else at, "width": width_of(width)}
        shown.append({"at": at, "url": f"{picture}?{urlencode(query)}"})
    return {"frames": shown}


def _has_pictures(video: Video) -> bool:
    return bool(video.duration and video.media.get("video"))
