"""Every module of routes, in the order in which they are asked."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from fastapi import APIRouter

from pipeline.apps.serving import (
    chatting,
    docs,
    job_routes,
    looking_up,
    openai_api,
    pages,
    questions,
)
from pipeline.apps.serving.context import Context

_BEING_WRITTEN = ("media", "uploads", "exports")


def routers(context: Context) -> list[APIRouter]:
    own = (looking_up, questions, chatting, job_routes, openai_api)
    found = [module.router(context) for module in own]
    for name in _BEING_WRITTEN:
        if (module := _module(name)) is not None and hasattr(module, "router"):
            found.append(module.router(context))
    return [*found, docs.router(), pages.router()]


def playback(context: Context, video_id: str) -> dict[str, Any]:
    media = _module("media")
    if media is None or not hasattr(media, "playback"):
        return {"kind": "none", "url": "", "mime": ""}
    facts: dict[str, Any] = media.playback(context, video_id)
    return facts


def _module(name: str) -> Any:
    full = f"pipeline.apps.serving.{name}"
    if name == "exports" and not importlib.util.find_spec("pipeline.apps.export"):
        return None
    return importlib.import_module(full) if importlib.util.find_spec(full) else None
