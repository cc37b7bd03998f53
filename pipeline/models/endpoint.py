"""One HTTP client for every OpenAI-compatible endpoint: what is retried, and what is said.

Language and vision go through `EndpointClient`, LlamaIndex's and openai's own objects too, so
that an endpoint that is down, slow, busy or talks nonsense is treated alike everywhere: busy
(429) and broken (5xx) answers are asked again a few times with growing waits, everything else
fails at once, and every failure is one line that names the endpoint. A busy endpoint makes all
threads of a client wait (`models.pacing`).
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import httpx

from pipeline.errors import ModelUnavailable
from pipeline.models import cancelling
from pipeline.models.pacing import Pace, asked_to_wait, spread
from pipeline.settings import Settings

OPENAI = "https://api.openai.com/v1"
# Ollama, LM Studio, llama.cpp's server, vLLM.
LOCAL_PORTS = (11434, 1234, 8080, 8000)

_LOOK_AROUND_SECONDS = 0.3
_CONNECT_SECONDS = 5.0  # a model may think for minutes, but a server accepts at once
_TOO_MANY = 429
_BUSY = frozenset((_TOO_MANY, 500, 502, 503, 504))
_ATTEMPTS = 4
_FIRST_WAIT = 0.5  # then twice that, and so on
_LONGEST_WAIT = 60.0  # a server that asks for more is told to the user instead
# What such endpoints also list, and what does not chat.
_NOT_CHAT = ("embed", "rerank", "whisper", "tts", "bge-", "minilm")


class LocalEndpoint(NamedTuple):
    url: str
    model: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to ask, `url` up to and with `/v1`, and how long to wait for an answer."""

    url: str
    api_key: str
    timeout: float
    requests_per_minute: float = 0.0  # 0: as many as it takes


def endpoint_of(settings: Settings) -> Endpoint:
    """The settings' endpoint; OpenAI's own when there is only a key.

    An address without a path is given `/v1`, which all such servers have. Raises
    `ModelUnavailable` when neither is set.
    """
    key = settings.api_key.get_secret_value()
    address = settings.endpoint.strip() or (OPENAI if key else "")
    if not address:
        raise ModelUnavailable(
            "no endpoint is set for an openai: model",
            "set FOOTNOTE_ENDPOINT, such as http://localhost:11434/v1",
        )
    limit = settings.endpoint_requests_per_minute
    return Endpoint(_with_version(address), key, settings.endpoint_timeout, limit)


def _with_version(address: str) -> str:
    address = address if "://" in address else f"http://{address}"
    address = address.rstrip("/").removesuffix("/chat/completions")
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        url = httpx.URL()
    if not url.host or url.scheme not in ("http", "https"):
        raise ModelUnavailable(
            f"the endpoint {address!r} is no web address",
            "set FOOTNOTE_ENDPOINT, such as http://localhost:11434/v1",
        )
    return address if url.path.strip("/") else f"{address}/v1"


class Rejected(ModelUnavailable):
    """The endpoint found fault with this request (400, 413, 422): others may well be answered.

    `told` is its own message and names of what it did not like, "" where it says nothing.
    """

    told = ""


class EndpointClient(httpx.Client):
    """An httpx client whose every failure is a `ModelUnavailable` that names the endpoint.

    Answers to chat completions are looked at before anyone builds on them. `patience` is how
    often an endpoint that is busy is asked at most. Thread-safe.
    """

    def __init__(self, endpoint: Endpoint, model: str = "", patience: int = _ATTEMPTS) -> None:
        self.endpoint = endpoint
        self._patience = patience
        self._pace = Pace(endpoint.requests_per_minute)
        self._asked = f"{endpoint.url} ({model})" if model else endpoint.url
        self._answers = threading.local()
        headers = {"Authorization": f"Bearer {endpoint.api_key}"} if endpoint.api_key else {}
        super().__init__(
            headers=headers,
            timeout=endpoint.timeout,
            # A connection costs nothing beside an answer; an idle one that the server closed does.
            limits=httpx.Limits(max_keepalive_connections=0),
            # Proxies of the environment are for the world outside.
            trust_env=not _is_loopback(endpoint.url),
        )

    @property
    def answer(self) -> httpx.Response | None:
        """The answer that this thread was given last, for who reads it through others' objects."""
        return getattr(self._answers, "last", None)

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """As httpx's, after a few attempts; returns only what is usable."""
        limits = request.extensions.get("timeout", {})
        limits["connect"] = min(limits.get("connect") or _CONNECT_SECONDS, _CONNECT_SECONDS)
        if (cancellation := cancelling.current()) is not None:
            request.extensions["trace"] = cancellation.trace
        for attempt in itertools.count():
            self._pace.wait()
            cancelling.check()
            try:
                response = super().send(request, **options)
            except httpx.HTTPError as error:
                dropped = isinstance(error, httpx.RemoteProtocolError | httpx.ReadError)
                if not dropped or attempt >= _ATTEMPTS - 1:
                    raise self.failure(error) from error
                cancelling.pause(spread(_back_off(attempt)), time.sleep)
                continue
            if not self._waited(response, attempt):
                self._answers.last = self._usable(response)
                return response
        raise AssertionError("the last attempt returns or raises")

    def _waited(self, response: httpx.Response, attempt: int) -> bool:
        """Whether to ask again after this answer, to the `attempt`th request from 0, and when."""
        status = response.status_code
        attempts = self._patience if status == _TOO_MANY else _ATTEMPTS
        if status not in _BUSY or attempt >= attempts - 1:
            return False
        asked = asked_to_wait(response.headers)
        if asked > _LONGEST_WAIT:
            return False
        response.close()
        if asked or status == _TOO_MANY:
            self._pace.pause(asked or _back_off(attempt))
        else:
            cancelling.pause(spread(_back_off(attempt)), time.sleep)
        return True

    def failure(self, error: httpx.HTTPError) -> ModelUnavailable:
        """What a request that got no answer, or only part of one, means to the user.

        Raises `GivenUp` where nobody waits for the answer: then it was broken off on purpose.
        """
        cancelling.check()
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            said = str(error) or "no answer"
            return ModelUnavailable(
                f"the endpoint {self._asked} cannot be reached: {said}",
                "start the server, or correct FOOTNOTE_ENDPOINT",
            )
        if isinstance(error, httpx.TimeoutException):
            return ModelUnavailable(
                f"the endpoint {self._asked} gave no answer in {self.endpoint.timeout:g} s",
                "raise FOOTNOTE_ENDPOINT_TIMEOUT, or choose a smaller model",
            )
        return ModelUnavailable(
            f"the endpoint {self._asked} broke off: {error or type(error).__name__}",
            "look at the server's log, then run the same command again",
        )

    def _usable(self, response: httpx.Response) -> httpx.Response:
        if response.is_error:
            response.read()
            raise self._refusal(response)
        if response.request.url.path.endswith("/chat/completions"):
            self._check_completion(response)
        return response

    def _refusal(self, response: httpx.Response) -> ModelUnavailable:
        status, said = response.status_code, _error_text(response)
        told = f"the endpoint {self._asked} answered {status}" + (f": {said}" if said else "")
        if status in (401, 403):
            return ModelUnavailable(told, "set FOOTNOTE_API_KEY")
        if status == 404:
            return ModelUnavailable(
                told, "check the model's name and FOOTNOTE_ENDPOINT, which usually ends in /v1"
            )
        if status == _TOO_MANY:
            wait = asked_to_wait(response.headers)
            again = f"try again in {wait:.0f} s" if wait else "try again later"
            return ModelUnavailable(told, again)
        if status in (400, 413, 422):
            rejected = Rejected(
                told, "if the prompt is too long, ask for fewer moments (FOOTNOTE_EVIDENCE_MOMENTS)"
            )
            rejected.told = response.text[:2000]
            return rejected
        return ModelUnavailable(told, "look at the server's log")

    def _check_completion(self, response: httpx.Response) -> None:
        """Refuse what says it went well and is no completion: a login page, a proxy's notice."""
        streamed = b'"stream":true' in response.request.content.replace(b" ", b"")
        if streamed:
            found = response.headers.get("content-type", "").split(";")[0].strip()
            if found != "text/event-stream":
                response.close()
                raise self._nonsense(found or "an answer without a type")
            return
        try:
            message = response.json()["choices"][0]["message"]
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise self._nonsense(repr(response.text[:60])) from error
        if not isinstance(message, dict):
            raise self._nonsense(repr(response.text[:60]))

    def _nonsense(self, found: str) -> ModelUnavailable:
        return ModelUnavailable(
            f"the endpoint {self._asked} answered with something that is no completion: {found}",
            "check FOOTNOTE_ENDPOINT, which usually ends in /v1",
        )


def _back_off(attempt: int) -> float:
    """Seconds to wait after the `attempt`th request, from 0, where the endpoint names none."""
    return min(_FIRST_WAIT * 2.0**attempt, _LONGEST_WAIT)


def _error_text(response: httpx.Response) -> str:
    """The message of an error body in any of the shapes in use, one short line."""
    try:
        body = response.json()
    except ValueError:
        return ""  # an HTML page
    if isinstance(body, dict):
        body = body.get("error") or body.get("message") or body.get("detail") or ""
    if isinstance(body, dict):
        body = body.get("message") or ""
    text = " ".join((body if isinstance(body, str) else json.dumps(body)).split())
    return "".join(letter for letter in text if letter.isprintable())[:200]


def _is_loopback(url: str) -> bool:
    host = httpx.URL(url).host
    return host in ("localhost", "::1") or host.startswith("127.")


# ---------------------------------------------------------------- what an endpoint has


def list_models(endpoint: str, settings: Settings | None = None) -> list[str]:
    """The ids of the models that `endpoint` serves; `settings` gives the key.

    Raises `ModelUnavailable`.
    """
    settings = (settings or Settings()).model_copy(update={"endpoint": endpoint})
    where = endpoint_of(settings)
    with EndpointClient(where) as client:
        models = _model_ids(client.get(f"{where.url}/models"))
    if models is None:
        raise ModelUnavailable(
            f"the endpoint {where.url} lists no models", "check FOOTNOTE_ENDPOINT"
        )
    return models


def find_local_endpoint(ports: tuple[int, ...] = LOCAL_PORTS) -> LocalEndpoint | None:
    """An OpenAI-compatible server on this machine, with its first model that chats.

    All ports are asked at once, 0.3 s in all; the first of `ports` that has one wins.
    """
    with ThreadPoolExecutor(len(ports)) as pool:
        found = list(pool.map(_look, ports))
    return next((endpoint for endpoint in found if endpoint), None)


def _look(port: int) -> LocalEndpoint | None:
    url = f"http://127.0.0.1:{port}/v1"
    try:
        # Plain HTTP: reading the certificates would take longer than the answer.
        reply = httpx.get(
            f"{url}/models", timeout=_LOOK_AROUND_SECONDS, trust_env=False, verify=False
        )
    except httpx.HTTPError:
        return None
    models = (_model_ids(reply) or []) if reply.is_success else []
    chatting = [m for m in models if not any(part in m.lower() for part in _NOT_CHAT)]
    return LocalEndpoint(url, chatting[0]) if chatting else None


def _model_ids(response: httpx.Response) -> list[str] | None:
    """Ids in a model list, None when the body is none."""
    try:
        return [str(model["id"]) for model in response.json()["data"]]
    except (ValueError, KeyError, TypeError):
        return None
