"""Who may ask the server, for what: checked before any route sees a request.

    host      the name it was asked under is one of its own: a page elsewhere whose name was made to
              point here (DNS rebinding) is refused
    origin    a page of another site can neither act here nor read: `Origin` is the server's own,
              and `Sec-Fetch-Site` says so, except for a link that is followed
    token     in `Authorization: Bearer`, or in a cookie that opening /?token=... sets
    body      JSON, or the bytes of an upload, and no longer than it may be

Every answer carries the headers that keep a browser from guessing, framing and loading elsewhere.
"""

from __future__ import annotations

import hashlib
import hmac
import html
import ipaddress
import socket
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.apps.serving.context import LONGEST_BODY, ServerOptions, is_loopback
from pipeline.apps.serving.problems import Refused, problem, unexpected

UPLOADS = "/api/uploads"
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
_READING = ("GET", "HEAD")
_MONTH = 30 * 24 * 3600  # seconds a browser remembers the token
# What a form of another site can send without being asked first (Fetch standard, 4.9).
_SIMPLE = ("", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data")

CONTENT_POLICY = "; ".join((
    "default-src 'self'",
    "img-src 'self' data: blob:",
    "media-src 'self' blob:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
))  # fmt: skip
_HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

_ASK_FOR_TOKEN = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width">{again}<title>Footnote</title>
<h1>Footnote</h1><form action="/" method="get"><label>Token
<input name="token" type="password" autocomplete="current-password" required autofocus></label>
<button>Open</button></form><p>footnote serve has printed it.</p></html>"""
# A link from elsewhere comes without the cookie (SameSite=Strict); asked again from here, with it.
_AGAIN = '<meta http-equiv="refresh" content="0;url={url}">'


class Guard:
    """ASGI middleware: lets through what may pass, and answers the rest."""

    def __init__(self, app: ASGIApp, options: ServerOptions) -> None:
        self._app = app
        self._options = options
        self._hosts = _own_hosts(options)
        # Browsers tell a cookie to all ports of a host: each server has its own.
        self._cookie = f"footnote_{options.port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return  # there is no websocket here
        guarded = _Guarded(send)
        headers = Headers(scope=scope)
        try:
            self._check(scope, headers)
            answer = self._entrance(scope, headers)
        except Refused as error:
            answer = problem(error, scope["path"])
        if answer is not None:
            await answer(scope, receive, guarded)
            return
        limited = receive if scope["path"] == UPLOADS else _limited(receive, LONGEST_BODY)
        try:
            await self._app(scope, limited, guarded)
        except Exception as error:
            told = problem(unexpected(error), scope["path"])  # logged in any case
            if guarded.begun:
                raise
            await told(scope, receive, guarded)

    # ------------------------------------------------------------ what is checked

    def _check(self, scope: Scope, headers: Headers) -> None:
        """Raises `Refused` for a host, an origin or a body that may not pass."""
        host = headers.get("host", "")
        name = _host_name(host)
        if not (name in self._hosts or self._is_address(name)):
            raise Refused(
                403,
                "this server is not known under that name",
                "footnote serve --allow-host NAME",
                code="host",
            )
        _check_origin(scope["method"], host, headers)
        if scope["method"] not in _READING:
            _check_body(scope["path"], headers)

    def _is_address(self, name: str) -> bool:
        """An address is no name that can be pointed elsewhere; where only this machine can reach
        the server, others are not its own all the same."""
        if is_loopback(self._options.host):
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def _entrance(self, scope: Scope, headers: Headers) -> Response | None:
        """The answer to who comes with a token in the address, or without any; None: go on."""
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        token = self._options.token
        given = query.pop("token", None)
        if scope["method"] == "GET" and given is not None and not scope["path"].startswith("/api"):
            back = RedirectResponse(_address(scope["path"], query), 303)
            if token and _same(given, token):
                back.set_cookie(
                    self._cookie, _cookie_of(token), _MONTH, httponly=True, samesite="strict",
                    secure=_is_https(scope, headers),
                )  # fmt: skip
            return back
        if not token or self._has_token(headers):
            return None
        if "text/html" not in headers.get("accept", ""):
            raise Refused(
                401,
                "a token is needed",
                "Authorization: Bearer TOKEN",
                headers={"WWW-Authenticate": "Bearer"},
            )
        again = ""
        if headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            again = _AGAIN.format(url=html.escape(_address(scope["path"], query), quote=True))
        return HTMLResponse(_ASK_FOR_TOKEN.format(again=again), 401)

    def _has_token(self, headers: Headers) -> bool:
        token = self._options.token
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _same(bearer.strip(), token):
            return True
        wanted = _cookie_of(token)
        cookies = (part.strip().partition("=") for part in headers.get("cookie", "").split(";"))
        return any(n == self._cookie and _same(value, wanted) for n, _, value in cookies)


def is_local(client: tuple[str, int] | None, headers: Headers) -> bool:
    """Whether a request comes from this machine, and not through a proxy that runs on it."""
    return (
        client is not None
        and is_loopback(client[0])
        and _host_name(headers.get("host", "")) in _LOOPBACK_NAMES
        and not any(name in headers for name in ("forwarded", "x-forwarded-for", "via"))
    )


def _own_hosts(options: ServerOptions) -> frozenset[str]:
    names = {*_LOOPBACK_NAMES, *(name.lower().strip("[]") for name in options.allow_hosts)}
    if not is_loopback(options.host):
        names |= {options.host.lower().strip("[]"), socket.gethostname().lower()}
    return frozenset(names)


def _host_name(host: str) -> str:
    """The name in a Host header, without port and brackets, lower case; "" for nonsense."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port
        return "" if parts.username or parts.path else (parts.hostname or "")
    except ValueError:
        return ""


def _check_origin(method: str, host: str, headers: Headers) -> None:
    origin = headers.get("origin")
    foreign = origin is not None and _netloc(origin) != host.lower()
    site = headers.get("sec-fetch-site", "none")
    if site not in ("none", "same-origin"):
        # A link that is followed, or typed, only reads, and shows what it reads to the user.
        followed = method in _READING and headers.get("sec-fetch-mode") == "navigate"
        foreign = foreign or not followed
    if foreign:
        raise Refused(403, "a page of another site asked for this", code="origin")


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _check_body(path: str, headers: Headers) -> None:
    kind = headers.get("content-type", "").split(";")[0].strip().lower()
    length = headers.get("content-length", "0")
    empty = length == "0" and "transfer-encoding" not in headers
    if path == UPLOADS:
        if kind in _SIMPLE:
            raise Refused(
                415, "an upload is the file itself", "Content-Type: application/octet-stream"
            )
        return
    if not empty and kind != "application/json":
        raise Refused(415, "the body is JSON", "Content-Type: application/json")
    if length.isdigit() and int(length) > LONGEST_BODY:
        raise Refused(413, f"the body is longer than {LONGEST_BODY} bytes")


def _limited(receive: Receive, most: int) -> Receive:
    """`receive` that raises after `most` bytes, whatever length was announced."""
    read = 0

    async def limited() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > most:
            # The kind of error that FastAPI leaves alone while it reads a body.
            raise HTTPException(413, f"the body is longer than {most} bytes")
        return message

    return limited


# ---------------------------------------------------------------- tokens and headers


def _same(given: str, wanted: str) -> bool:
    """In a time that does not tell how much of it is right."""
    return hmac.compare_digest(given.encode(), wanted.encode())


def _cookie_of(token: str) -> str:
    """The cookie proves the token and does not hold it."""
    return hmac.new(token.encode(), b"footnote cookie", hashlib.sha256).hexdigest()


def _is_https(scope: Scope, headers: Headers) -> bool:
    return "https" in (scope["scheme"], headers.get("x-forwarded-proto", ""))


def _address(path: str, query: dict[str, str]) -> str:
    """On this server: `//elsewhere` would be another."""
    own = "/" + path.lstrip("/\\")
    return f"{own}?{urlencode(query)}" if query else own


class _Guarded:
    """Sends an answer with the headers of all; `begun` tells whether its status is sent."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)
