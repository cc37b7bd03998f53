"""Errors as answers: which status each has, and one JSON shape for all.

    {"error": {"code", "message", "hint"}}

A message may name a file; no folder of the server's disk leaves it. What is no error of Footnote
is a bug: it goes to the log, and its text to nobody.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from pipeline.apps.job import JobNotFound, TooManyJobs
from pipeline.apps.serving.pool import Busy
from pipeline.errors import (
    BudgetSpent,
    ClockError,
    EmbeddingMismatch,
    FootnoteError,
    GivenUp,
    LibraryNotFound,
    MediaError,
    ModelUnavailable,
    NoRoom,
    UsageError,
    VideoNotFound,
)

_log = logging.getLogger(__name__)

# The first class that fits.
_STATUS: tuple[tuple[type[FootnoteError], int], ...] = (
    (VideoNotFound, 404),
    (JobNotFound, 404),
    (LibraryNotFound, 409),
    (EmbeddingMismatch, 409),
    (BudgetSpent, 409),
    (UsageError, 400),
    (ClockError, 400),
    (Busy, 503),
    (TooManyJobs, 503),
    (GivenUp, 503),
    (ModelUnavailable, 503),
    (NoRoom, 507),
    (MediaError, 415),
)
OPENAI = "/v1/"  # where errors have OpenAI's shape
_AGAIN = {"Retry-After": "1"}
_CODES = {
    400: "usage", 401: "token", 403: "forbidden", 404: "not_found", 405: "method", 409: "conflict",
    413: "too_large", 415: "content_type", 416: "range", 503: "busy",
}  # fmt: skip
# A path with a folder in it, POSIX or Windows; addresses on the web are left.
_PATH = re.compile(r"(?<![\w:/.])(?:file://)?(?:~?/|[A-Za-z]:\\)(?:[^\s'\"/\\]+[/\\])+")
# Values that name folders, "missing" in a command that is advised.
_FOLDERS = (
    "path", "link", "library", "detail", "repair", "paths", "reason", "missing", "incomplete",
)  # fmt: skip


class Refused(FootnoteError):
    """An answer with a status of its own, such as 404 or 416."""

    def __init__(
        self,
        status: int,
        message: str,
        hint: str = "",
        *,
        code: str = "",
        param: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, hint)
        self.status = status
        self.code = code or _CODES.get(status, "error")
        self.param = param
        self.headers = dict(headers or {})


def without_folders(text: str) -> str:
    """`text` with every path in it cut to its last part."""
    return _PATH.sub("", text)


def values_without_folders(value: Any, name: str = "") -> Any:
    """A JSON value for who does not sit at this machine: what names folders names files."""
    if isinstance(value, dict):
        return {key: values_without_folders(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [values_without_folders(item, name) for item in value]
    return without_folders(value) if isinstance(value, str) and name in _FOLDERS else value


def error_value(error: FootnoteError) -> dict[str, str]:
    return {
        "code": error.code,
        "message": without_folders(error.message),
        "hint": without_folders(error.hint),
    }


def openai_error(error: FootnoteError) -> dict[str, str | None]:
    """The same in OpenAI's shape."""
    value = error_value(error)
    told = f"{value['message']}; {value['hint']}" if value["hint"] else value["message"]
    kind = "invalid_request_error" if status_of(error) < 500 else "server_error"
    param = getattr(error, "param", "") or None
    return {"message": told, "type": kind, "param": param, "code": value["code"]}


def status_of(error: FootnoteError) -> int:
    if isinstance(error, Refused):
        return error.status
    return next((code for kind, code in _STATUS if isinstance(error, kind)), 500)


def problem(error: FootnoteError, path: str = "") -> JSONResponse:
    """The answer to a request of `path` that failed."""
    headers: Mapping[str, str] = _AGAIN if isinstance(error, Busy | TooManyJobs) else {}
    if isinstance(error, Refused):
        headers = error.headers
    value = openai_error(error) if path.startswith(OPENAI) else error_value(error)
    return JSONResponse({"error": value}, status_of(error), headers)


def unexpected(error: Exception) -> FootnoteError:
    """What is told of a bug, which is logged."""
    _log.error("a request failed", exc_info=error)
    return Refused(500, "a bug in Footnote", "see the server's log", code="bug")


def handle_problems(app: FastAPI) -> None:
    """Every failure of a route becomes an answer of that shape."""

    async def refused(request: Request, error: Any) -> Response:
        return problem(error, request.url.path)

    async def invalid(request: Request, error: Any) -> Response:
        where, told = _first(error)
        message = f"{where}: {told}" if where else told
        hint = "GET /docs shows what is expected"
        return problem(Refused(400, message, hint, param=where), request.url.path)

    async def http(request: Request, error: Any) -> Response:
        known = Refused(error.status_code, str(error.detail), headers=error.headers)
        return problem(known, request.url.path)

    app.add_exception_handler(FootnoteError, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)


def _first(error: RequestValidationError) -> tuple[str, str]:
    """The first thing that is wrong with a request: where, and what."""
    found = error.errors()[0]
    where = ".".join(str(part) for part in found["loc"] if part not in ("query", "body", "path"))
    return where, str(found["msg"])
