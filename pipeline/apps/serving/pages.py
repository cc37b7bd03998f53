"""The web page: the same HTML for every address of it, and the files that it loads.

A file is named by the list of what lies in the folder, never by the request: there is no path to
climb out of. The files are small: they are kept in memory, and read again when they change.
"""

from __future__ import annotations

import hashlib
import mimetypes
import os
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response

from pipeline.apps.serving.problems import Refused

WEB = Path(__file__).resolve().parent.parent / "web"
PAGES = ("/", "/video/{video_id:path}", "/chat", "/chat/{chat_id}", "/library", "/add", "/status")
_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    mime: str
    tag: str
    stamp: tuple[int, int]


class StaticFiles:
    """The files of one folder, by name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, _File] = {}

    def answer(self, name: str, request: Request) -> Response:
        """The file, or 304 where the client has it. Raises `Refused` (404)."""
        file = self._file(name)
        headers = {"ETag": file.tag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == file.tag:
            return Response(status_code=304, headers=headers)
        return Response(file.content, media_type=file.mime, headers=headers)

    def _file(self, name: str) -> _File:
        path = self._known(name)
        facts = path.stat()
        stamp = (facts.st_mtime_ns, facts.st_size)
        kept = self._files.get(name)
        if kept is None or kept.stamp != stamp:
            content = path.read_bytes()
            tag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
            kept = self._files[name] = _File(content, _mime(path), tag, stamp)
        return kept

    def _known(self, name: str) -> Path:
        # The folder is walked only for what is not known yet.
        if name not in self._files and name not in self._names():
            raise Refused(404, "there is no such file")
        path = self._folder / name
        if path.is_symlink() or not path.is_file():
            raise Refused(404, "there is no such file")
        return path

    def _names(self) -> set[str]:
        """Of all files, links and what lies behind links left out."""
        return {
            os.path.relpath(os.path.join(folder, name), self._folder).replace(os.sep, "/")
            for folder, _, names in os.walk(self._folder)
            for name in names
            if not os.path.islink(os.path.join(folder, name))
        }


def _mime(path: Path) -> str:
    suffix = path.suffix.lower()
    return _TYPES.get(suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def router(folder: Path = WEB) -> APIRouter:
    """The page and its files; no part of the API."""
    routes = APIRouter(include_in_schema=False)
    files = StaticFiles(folder)

    async def page(request: Request) -> Response:
        return files.answer("index.html", request)

    for address in PAGES:
        routes.add_api_route(address, page, methods=["GET", "HEAD"])

    @routes.api_route("/static/{name:path}", methods=["GET", "HEAD"])
    async def static(name: str, request: Request) -> Response:
        return files.answer(name, request)

    @routes.api_route("/favicon.ico", methods=["GET", "HEAD"])
    async def icon(request: Request) -> Response:
        return files.answer("favicon.svg", request)

    return routes
