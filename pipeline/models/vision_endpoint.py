"""Captions behind an OpenAI-compatible endpoint: several frames in one message, several at once.

Such endpoints agree on little beyond the messages. What one refuses by name (a schema for the
reply, a temperature, the old name of the token limit) is left out, and left out from then on.
"""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextvars import copy_context
from typing import Any

from pipeline.errors import ModelUnavailable
from pipeline.models.endpoint import EndpointClient, Rejected, endpoint_of
from pipeline.models.replies import answer_of
from pipeline.models.vision_pictures import pictures_of
from pipeline.settings import Settings
from pipeline.types import CaptionRequest, Deliver, Reply

_JPEG_QUALITY = 85
# Attempts at an endpoint that is busy: about two minutes, as a limit per minute asks for.
_PATIENCE = 9
# What a caption says where an endpoint withholds it and gives no words for that.
WITHHELD = "I cannot describe this: the endpoint's content filter withheld the reply."
_FILTERED = "content_filter"
# Parts of a request that some models refuse, as their messages call them.
_REFUSABLE = ("temperature", "max_tokens", "response_format")
# Keys of a JSON schema that OpenAI's strict mode refuses, and that constrain nothing.
_UNWANTED = ("default", "title", "description")


class EndpointCaptioner:
    """Frames as base64 JPEG beside the prompt, in one message per request.

    `width` requests are in flight at most, over all threads that call.
    """

    concurrent = True  # each request is answered by itself: none need wait for others

    def __init__(self, model: str, settings: Settings) -> None:
        self.name = f"openai:{model}"
        self.width = settings.endpoint_requests
        self._model = model
        self._endpoint = endpoint_of(settings)
        self._client = EndpointClient(self._endpoint, model, _PATIENCE)
        self._free = threading.BoundedSemaphore(self.width)
        self._refused: frozenset[str] = frozenset()

    def caption(
        self, requests: Sequence[CaptionRequest], deliver: Deliver | None = None
    ) -> list[Reply]:
        """One reply per request, in order; see `Captioner`.

        A request that the endpoint rejects does not keep the others from being asked; any other
        failure does, but what is in flight is waited for and delivered.
        """
        replies: dict[int, Reply] = {}
        failures: list[ModelUnavailable] = []
        with ThreadPoolExecutor(self.width) as pool:
            # Each in a copy of this context: who gives the work up is told by it.
            places = {
                pool.submit(copy_context().run, self._one, request): at
                for at, request in enumerate(requests)
            }
            try:
                for future in as_completed(places):
                    if future.cancelled():
                        continue
                    try:
                        replies[places[future]] = reply = future.result()
                    except ModelUnavailable as error:
                        failures.append(error)
                        if not isinstance(error, Rejected):
                            _cancel(places)
                        continue
                    if deliver:
                        deliver(places[future], reply)
            except BaseException:  # the caller's own, or Ctrl-C: what has not begun never will
                _cancel(places)
                raise
        if failures:
            raise failures[0]
        return [replies[at] for at in range(len(requests))]

    def _one(self, request: CaptionRequest) -> Reply:
        with self._free:
            refused = self._refused
            message = _message(request)
            while True:
                try:
                    answer = self._client.post(
                        f"{self._endpoint.url}/chat/completions",
                        json=self._body(request, message, refused),
                    )
                except Rejected as error:
                    if _FILTERED in error.told:
                        return Reply(WITHHELD)
                    more = _newly_refused(error, request, refused)
                    if not more:
                        raise
                    refused |= {more}
                    continue
                self._refused |= refused  # only now is it clear that this was what it minded
                return _reply(answer.json())

    def _body(
        self, request: CaptionRequest, message: Mapping[str, object], refused: frozenset[str]
    ) -> dict[str, object]:
        limit = "max_completion_tokens" if "max_tokens" in refused else "max_tokens"
        body: dict[str, object] = {
            "model": self._model,
            "messages": [message],
            limit: request.max_tokens,
        }
        if "temperature" not in refused:
            body["temperature"] = 0
        if request.schema is not None and "response_format" not in refused:
            schema = {"name": "caption", "strict": True, "schema": strict_schema(request.schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body


def _cancel(futures: Mapping[Future[Reply], int]) -> None:
    for future in futures:
        future.cancel()


def _newly_refused(error: Rejected, request: CaptionRequest, refused: frozenset[str]) -> str:
    """What to leave out next, "" where nothing is left to try.

    A server that knows no `response_format` need not name it: it may fail over the schema.
    """
    for part in _REFUSABLE:
        if part in error.told and part not in refused:
            return part
    asked = request.schema is not None and "response_format" not in refused
    return "response_format" if asked else ""


def _message(request: CaptionRequest) -> dict[str, object]:
    pictures = [
        {"type": "image_url", "image_url": {"url": _data_url(picture)}}
        for picture in pictures_of(request)
    ]
    return {"role": "user", "content": [*pictures, {"type": "text", "text": request.prompt}]}


def _data_url(picture: Any) -> str:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=_JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def _reply(answer: Mapping[str, Any]) -> Reply:
    """The first choice; a refusal is a reply in words, which the caller looks at."""
    choice = answer["choices"][0]
    message, finished = choice["message"], choice.get("finish_reason")
    text = answer_of(_text(message.get("content"))) or str(message.get("refusal") or "")
    usage = answer.get("usage") or {}
    return Reply(
        text or (WITHHELD if finished == _FILTERED else ""),
        int(usage.get("prompt_tokens") or 0),
        int(usage.get("completion_tokens") or 0),
        cut=finished == "length",
    )


def _text(content: object) -> str:
    """A message's content, which is a text or a list of parts."""
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return str(content or "")


# ---------------------------------------------------------------- schemas


def strict_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """`schema` as OpenAI's strict mode wants one: every property required, and no others.

    A pydantic model with defaults does not say so by itself. A model that has nothing to say of a
    property then says so with an empty value.
    """
    made = {key: _strict(key, value) for key, value in schema.items() if key not in _UNWANTED}
    if "properties" in made:
        made |= {"required": list(made["properties"]), "additionalProperties": False}
    return made


def _strict(key: str, value: Any) -> Any:
    if key in ("properties", "$defs", "definitions"):  # keyed by the user's names
        return {name: strict_schema(part) for name, part in value.items()}
    if isinstance(value, Mapping):
        return strict_schema(value)
    if isinstance(value, list):
        return [strict_schema(part) if isinstance(part, Mapping) else part for part in value]
    return value
