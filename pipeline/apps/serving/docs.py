"""The API's documentation as a page of this server: FastAPI's own loads its scripts from elsewhere.

Written from the OpenAPI document (`/openapi.json`), without a script.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Footnote API</title>
<link rel="stylesheet" href="/docs/style.css"></head><body><main><h1>Footnote API</h1>
<p>{about} The same as <a href="/openapi.json">OpenAPI</a>. <a href="/">To the page</a></p>
{routes}<h2>Shapes</h2>{shapes}</main></body></html>"""
_STYLE = """:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}
main{max-width:60rem;margin:auto;padding:1rem}h3{font-size:1rem;margin:1.5rem 0 .3rem}
code,pre{font-family:ui-monospace,monospace;font-size:.9em;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;
padding:.2rem .6rem .2rem 0;border-bottom:1px solid color-mix(in srgb,currentColor 20%,transparent)}
.method{display:inline-block;min-width:4.5rem;font-weight:600}details{margin:.4rem 0}
"""


def router() -> APIRouter:
    routes = APIRouter(include_in_schema=False)

    @routes.get("/docs")
    async def docs(request: Request) -> Response:
        return HTMLResponse(page(request.app.openapi()))

    @routes.get("/docs/style.css")
    async def style() -> Response:
        return Response(_STYLE, media_type="text/css")

    return routes


def page(document: Mapping[str, Any]) -> str:
    """An OpenAPI document as HTML."""
    routes = "".join(
        _route(path, method, route)
        for path, methods in document["paths"].items()
        for method, route in methods.items()
    )
    shapes = document.get("components", {}).get("schemas", {})
    named = "".join(_shape(name, shape) for name, shape in sorted(shapes.items()))
    about = html.escape(document["info"].get("description", ""))
    return _PAGE.format(about=about, routes=routes, shapes=named)


def _route(path: str, method: str, route: Mapping[str, Any]) -> str:
    head = f'<span class="method">{method.upper()}</span> <code>{html.escape(path)}</code>'
    told = html.escape(route.get("description", ""))
    rows = "".join(
        f"<tr><td><code>{html.escape(one['name'])}</code></td><td>{html.escape(one['in'])}</td>"
        f"<td>{_kind(one.get('schema', {}))}</td></tr>"
        for one in route.get("parameters", ())
    )
    table = f"<table>{rows}</table>" if rows else ""
    body = "".join(
        f"<p>Body: {_kind(content.get('schema', {}))}</p>"
        for content in route.get("requestBody", {}).get("content", {}).values()
    )
    answers = "".join(f"<p>{line}</p>" for line in _answers(route))
    return f"<section><h3>{head}</h3><p>{told}</p>{table}{body}{answers}</section>"


def _answers(route: Mapping[str, Any]) -> Iterator[str]:
    for status, response in route.get("responses", {}).items():
        for mime, content in response.get("content", {}).items():
            if status.startswith("2"):
                told = f"{html.escape(status)} <code>{html.escape(mime)}</code>"
                yield f"{told} {_kind(content.get('schema', {}))}"


def _shape(name: str, shape: Mapping[str, Any]) -> str:
    shown = html.escape(json.dumps(shape.get("properties", shape), indent=1, ensure_ascii=False))
    named = html.escape(name)
    return (
        f'<details id="{named}"><summary><code>{named}</code></summary><pre>{shown}</pre></details>'
    )


def _kind(schema: Mapping[str, Any]) -> str:
    """A schema in a word, with a link to its shape where it has a name."""
    if "$ref" in schema:
        name = html.escape(str(schema["$ref"]).rsplit("/", 1)[-1])
        return f'<a href="#{name}"><code>{name}</code></a>'
    if options := schema.get("anyOf"):
        return " or ".join(map(_kind, options))
    if "enum" in schema:
        return html.escape(", ".join(map(str, schema["enum"])))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    default = schema.get("default")
    told = "" if default in (None, "", []) else f" (default {html.escape(str(default))})"
    return html.escape(str(schema.get("type", ""))) + told
