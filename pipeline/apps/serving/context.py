"""What every route of the server is given: the library, the options, the pools, the jobs."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from pipeline.apps.jobs import Jobs
from pipeline.apps.serving.pool import WorkPool
from pipeline.errors import UsageError
from pipeline.library import Library

LONGEST_BODY = 4 << 20  # bytes of a JSON request: a whole answer comes back to be exported
SHORTEST_TOKEN = 16  # characters
DEFAULT_PORT = 8460


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """How a library is served, and to whom.

    `token` "": nobody is asked for one, which is allowed on a loopback address only. `allow_hosts`
    are names under which the server is reached beside its own. `allow_paths` are the folders that
    videos may be added from by path; empty: any, but only for who sits at this machine.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    token: str = ""
    allow_hosts: tuple[str, ...] = ()
    allow_paths: tuple[Path, ...] = ()
    upload_bytes: int = 16 << 30
    searches: int = 2  # at once
    asks: int = 4
    waiting: int = 128  # in each queue, before a 503
    jobs_kept: int = 100
    keep_alive: float = 10.0  # seconds between the comment lines of an idle event stream

    def __post_init__(self) -> None:
        if self.token and len(self.token) < SHORTEST_TOKEN:
            raise UsageError(
                f"the token is shorter than {SHORTEST_TOKEN} characters", "footnote serve --token"
            )
        if not self.token and not is_loopback(self.host):
            raise UsageError(
                f"{self.host} can be reached by others: it is served with a token only",
                "footnote serve --host HOST --token TOKEN",
            )


@dataclass(frozen=True, slots=True)
class Context:
    """Handed to `router(context)` of every module of routes.

    Work that takes more than a millisecond runs in a pool: `reads` looks things up, `searches`
    searches, `asks` asks models, `media` decodes.
    """

    library: Library
    options: ServerOptions
    reads: WorkPool
    searches: WorkPool
    asks: WorkPool
    media: WorkPool
    jobs: Jobs


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
