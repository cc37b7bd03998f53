"""`footnote serve`: a library as a web page, an HTTP API and a model of OpenAI's protocol.

    app = create_app(library, ServerOptions())          # an ASGI application
    serve(library, ServerOptions(port=8460))            # until Ctrl-C

Imported by its command only: it loads FastAPI.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import sys
import webbrowser
from collections.abc import AsyncIterator
from pathlib import Path

from fastapi import FastAPI
from starlette.types import ASGIApp

from pipeline import __version__
from pipeline.apps.jobs import Jobs
from pipeline.apps.serving import wiring
from pipeline.apps.serving.context import Context, ServerOptions, is_loopback
from pipeline.apps.serving.leaving import Leaving
from pipeline.apps.serving.pool import WorkPool
from pipeline.apps.serving.problems import handle_problems
from pipeline.apps.serving.security import Guard
from pipeline.errors import FootnoteError, UsageError
from pipeline.library import Library
from pipeline.settings import Settings

__all__ = [
    "Context",
    "ServerOptions",
    "create_app",
    "listen",
    "make_context",
    "options_for",
    "serve",
]

_CONNECTIONS = 512
_BACKLOG = 256
_ENDING_SECONDS = 1
_JOB_SECONDS = 30  # in which a job under way stops; after that it loses what it does just now


def make_context(library: Library, options: ServerOptions) -> Context:
    """What routes are given; the pools and the jobs have no thread yet."""
    waiting = options.waiting
    return Context(
        library,
        options,
        reads=WorkPool("reads", max(2, os.cpu_count() or 2), waiting),
        searches=WorkPool("searches", options.searches, waiting),
        asks=WorkPool("asks", options.asks, waiting),
        media=WorkPool("media", 4, waiting),
        jobs=Jobs(kept=options.jobs_kept),
    )


def create_app(library: Library, options: ServerOptions) -> FastAPI:
    """The application over an open library, which stays the caller's to close.

    Work under way is given up when the application is shut down. `app.state.context` is what its
    routes were given.
    """
    context = make_context(library, options)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        warming = asyncio.create_task(_warm_up(context))
        yield
        warming.cancel()
        close(context)

    app = FastAPI(
        title="Footnote",
        version=__version__,
        description="Question answering over a video library, every sentence with a footnote.",
        docs_url=None,  # FastAPI's own page loads its scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    handle_problems(app)
    for router in wiring.routers(context):
        app.include_router(router)
    # The last one added sees a request first.
    app.add_middleware(Leaving)
    app.add_middleware(Guard, options=options)
    app.state.context = context
    return app


async def _warm_up(context: Context) -> None:
    """Load what the first search would wait for."""

    def search() -> None:
        with contextlib.suppress(FootnoteError):  # the first search says what is wrong
            context.library.search("footnote", k=1, hypothetical=())

    await context.searches.run(search)


def close(context: Context) -> None:
    """Give up all work; a job under way stops at its next report."""
    for pool in (context.reads, context.searches, context.asks, context.media):
        pool.close()
    context.jobs.close()


def options_for(
    settings: Settings,
    host: str,
    port: int,
    token: str = "",
    allow_hosts: tuple[str, ...] = (),
    allow_paths: tuple[Path, ...] = (),
) -> ServerOptions:
    """The options of a command line. Whoever could be reached by others gets a token.

    Other names than loopback's mean that a proxy passes on what others ask.
    """
    token = token or settings.serve_token.get_secret_value()
    if not token and (allow_hosts or not is_loopback(host)):
        token = secrets.token_urlsafe(24)
    return ServerOptions(
        host,
        port,
        token,
        allow_hosts,
        tuple(path.expanduser().resolve() for path in allow_paths),
        asks=settings.serve_asks,
    )


def address(options: ServerOptions, path: str = "") -> str:
    """Where a browser on this machine finds the page, with the token if there is one."""
    anywhere = options.host in ("0.0.0.0", "::", "")
    host = "127.0.0.1" if anywhere else options.host
    host = f"[{host}]" if ":" in host else host
    token = f"?token={options.token}" if options.token else ""
    return f"http://{host}:{options.port}/{path}{token}"


def serve(library: Library, options: ServerOptions, *, open_page: bool = False) -> None:
    """Serve until Ctrl-C. Raises `UsageError` where the port cannot be had."""
    app = create_app(library, options)
    try:
        listen(app, options, open_page=open_page)
    finally:
        close(app.state.context)
        app.state.context.jobs.join(_JOB_SECONDS)


def listen(
    app: ASGIApp, options: ServerOptions, path: str = "", *, open_page: bool = False
) -> None:
    """Run an application until Ctrl-C; `path` is where it has its page, or what else it is for.

    Raises `UsageError` where the port cannot be had.
    """
    import uvicorn

    with _listening(options) as listening:
        page = address(options, path)
        sys.stderr.write(f"Footnote is at {page}  (Ctrl-C ends it)\n")
        if not is_loopback(options.host):
            sys.stderr.write("  others reach it under this machine's name or address\n")
        if open_page:
            webbrowser.open(page)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            proxy_headers=False,  # who a request comes from is not for the request to say
            server_header=False,
            limit_concurrency=_CONNECTIONS,
            timeout_graceful_shutdown=_ENDING_SECONDS,
        )
        with contextlib.suppress(KeyboardInterrupt):  # that is how a server ends
            uvicorn.Server(config).run(sockets=[listening])


def _listening(options: ServerOptions) -> socket.socket:
    """A socket that nobody is turned away from any more. Raises `UsageError`."""
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((options.host, options.port))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise UsageError(
            f"{options.host}:{options.port} cannot be listened on: {error.strerror}",
            "another --port PORT",
        ) from error
    return listening
