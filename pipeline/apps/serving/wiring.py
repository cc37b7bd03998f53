"""Every module of routes, in the order in which they are asked."""

from __future__ import annotations

from fastapi import APIRouter

from pipeline.apps.serving import (
    chatting,
    docs,
    exports,
    job_routes,
    looking_up,
    media,
    openai_api,
    pages,
    questions,
    uploads,
)
from pipeline.apps.serving.context import Context

_API = (looking_up, media, questions, exports, chatting, job_routes, uploads, openai_api)


def routers(context: Context) -> list[APIRouter]:
    return [*(module.router(context) for module in _API), docs.router(), pages.router()]
