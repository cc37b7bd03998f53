"""A prompt to text, through LlamaIndex's LLM objects.

openai:MODEL            any OpenAI-compatible endpoint: OpenAI, Ollama, vLLM, llama.cpp, ...
huggingface:MODEL       a name on the hub or a folder, in this process (extra `local`)
fake:echo               says what it is asked; fake:FILE.jsonl replies from a script;
                        fake:TEXT always replies TEXT
wrap(llm)               a LlamaIndex LLM object that the caller made
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from pipeline.errors import FootnoteError, ModelUnavailable, SettingsError
from pipeline.models.endpoint import (
    EndpointClient,
    endpoint_of,
    find_local_endpoint,
    list_models,
)
from pipeline.models.registry import load_named
from pipeline.settings import Settings
from pipeline.types import LanguageModel, Reply

__all__ = [
    "LlamaIndexModel",
    "ScriptedModel",
    "find_local_endpoint",
    "list_models",
    "load_language_model",
    "wrap",
]

_MAX_NEW_TOKENS = 1024
# What models that reason aloud put before their answer (DeepSeek-R1, Qwen3).
_THOUGHT_START, _THOUGHT_END = "<think>", "</think>"


def load_language_model(name: str, settings: Settings | None = None) -> LanguageModel:
    """The language model called "provider:model".

    An endpoint is not asked for anything yet. Raises `SettingsError` for a name that cannot be
    one, `ModelUnavailable` for a package, a model or an endpoint that is missing.
    """
    settings = settings or Settings()
    loaders: dict[str, Callable[[str], LanguageModel]] = {
        "openai:MODEL": partial(_openai, settings),
        "huggingface:MODEL": partial(_huggingface, settings),
        "fake:SCRIPT": _fake,
    }
    return load_named("language_model", name, loaders)


def wrap(llm: Any, name: str = "") -> LanguageModel:
    """A LlamaIndex LLM object as a `LanguageModel`; `name` enters cache keys."""
    return LlamaIndexModel(llm, name or f"{llm.class_name()}:{llm.metadata.model_name}")


class LlamaIndexModel:
    """`llm` is the LlamaIndex object itself, for those who build on LlamaIndex."""

    def __init__(
        self,
        llm: Any,
        name: str,
        *,
        client: EndpointClient | None = None,
        count: Callable[[str], int] | None = None,
    ) -> None:
        self.llm = llm
        self.name = name
        self._client = client
        self._count = count or (lambda text: 0)

    def complete(self, prompt: str, system: str = "") -> Reply:
        """One reply, greedy where the model was loaded by Footnote. Raises `ModelUnavailable`.

        Token counts are the endpoint's or the tokenizer's, 0 where there is neither.
        """
        try:
            response = self.llm.chat(_messages(prompt, system))
        except Exception as error:  # a caller's LLM object may raise anything at all
            raise self._failure(error) from error
        text = without_thoughts(response.message.content or "")
        if not text:
            raise self._empty()
        told = response.additional_kwargs or {}
        return Reply(
            text,
            int(told.get("prompt_tokens") or self._count(f"{system} {prompt}")),
            int(told.get("completion_tokens") or self._count(text)),
        )

    def stream(self, prompt: str, system: str = "") -> Iterator[str]:
        """The reply in pieces, as they are made. Raises `ModelUnavailable`, midway too."""
        said = False
        try:
            chunks = self.llm.stream_chat(_messages(prompt, system))
            for piece in _after_thoughts(chunk.delta or "" for chunk in chunks):
                said = said or bool(piece.strip())
                yield piece
        except Exception as error:
            raise self._failure(error) from error
        if not said:
            raise self._empty()

    def _failure(self, error: BaseException) -> FootnoteError:
        """The endpoint client's own finding where there is one, else the error's first line."""
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, FootnoteError):
                return cause
            if self._client and isinstance(cause, httpx.HTTPError):  # midway through a stream
                return self._client.failure(cause)
            cause = cause.__cause__
        first = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        return ModelUnavailable(
            f"the language model {self.name} failed: {type(error).__name__}: {first}",
            "run the same command again, or choose another FOOTNOTE_LANGUAGE_MODEL",
        )

    def _empty(self) -> ModelUnavailable:
        return ModelUnavailable(
            f"the language model {self.name} gave an empty reply",
            "give the model more room to answer, or choose another FOOTNOTE_LANGUAGE_MODEL",
        )


def _messages(prompt: str, system: str) -> list[Any]:
    from llama_index.core.llms import ChatMessage

    asked = [ChatMessage(role="user", content=prompt)]
    return [ChatMessage(role="system", content=system), *asked] if system else asked


def without_thoughts(text: str) -> str:
    """`text` without a leading block of reasoning, stripped."""
    return "".join(_after_thoughts([text])).strip()


def _after_thoughts(pieces: Iterator[str] | Sequence[str]) -> Iterator[str]:
    """The pieces from where a leading block of reasoning ends; all of them without one."""
    held, deciding, thinking = "", True, False
    for piece in pieces:
        if not deciding and not thinking:
            yield piece
            continue
        held += piece
        if deciding:
            start = held.lstrip()
            if start and len(start) < len(_THOUGHT_START) and _THOUGHT_START.startswith(start):
                continue
            if not start:
                continue
            deciding, thinking = False, start.startswith(_THOUGHT_START)
        if thinking and _THOUGHT_END in held:
            held, thinking = held.split(_THOUGHT_END, 1)[1].lstrip(), False
        if not thinking:
            yield held
            held = ""
    if deciding and held:
        yield held


# ---------------------------------------------------------------- backends


def _openai(settings: Settings, model: str) -> LanguageModel:
    from llama_index.llms.openai_like import OpenAILike

    endpoint = endpoint_of(settings)
    client = EndpointClient(endpoint, model)
    llm = OpenAILike(
        model=model,
        api_base=endpoint.url,
        # Never empty: LlamaIndex would send OPENAI_API_KEY to whatever the endpoint is.
        api_key=endpoint.api_key or "none",
        is_chat_model=True,
        context_window=settings.context_window,
        temperature=0.0,
        timeout=endpoint.timeout,
        max_retries=0,  # EndpointClient's matter
        http_client=client,
    )
    return LlamaIndexModel(llm, f"openai:{model}", client=client)


def _huggingface(settings: Settings, model: str) -> LanguageModel:
    from pipeline.models.weights import hub_folder, quiet_transformers, unusable

    try:
        from llama_index.llms.huggingface import HuggingFaceLLM
        from transformers import AutoTokenizer
    except ImportError as error:
        raise ModelUnavailable(
            "huggingface: language models need the extra `local`",
            "pip install 'footnote-video[local]'",
        ) from error
    folder = str(hub_folder(model))
    with unusable(f"the language model {model}"):
        quiet_transformers()
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        llm = HuggingFaceLLM(
            model_name=folder,
            tokenizer_name=folder,
            tokenizer=tokenizer,
            is_chat_model=True,
            context_window=_window(folder, settings),
            max_new_tokens=_MAX_NEW_TOKENS,
            device_map="auto",
            model_kwargs={"dtype": "auto", "local_files_only": True},
            generate_kwargs={"do_sample": False},
        )
    return LlamaIndexModel(
        llm, f"huggingface:{model}", count=lambda text: len(tokenizer.encode(text))
    )


def _window(folder: str, settings: Settings) -> int:
    """Tokens that the model takes, or the settings allow, whichever is less."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder, local_files_only=True).get_text_config()
    own = getattr(config, "max_position_embeddings", None) or settings.context_window
    return min(int(own), settings.context_window)


# ---------------------------------------------------------------- fake


class ScriptedModel:
    """Replies from a list, in order, or from a function of prompt and system prompt."""

    def __init__(
        self, replies: Sequence[str] | Callable[[str, str], str], name: str = "fake:script"
    ) -> None:
        self.name = name
        self.prompts: list[tuple[str, str]] = []  # (prompt, system) of every call
        self._replies = replies

    def complete(self, prompt: str, system: str = "") -> Reply:
        """Tokens are counted as words. `ModelUnavailable` once the script has run out."""
        self.prompts.append((prompt, system))
        if callable(self._replies):
            text = self._replies(prompt, system)
        elif len(self.prompts) <= len(self._replies):
            text = self._replies[len(self.prompts) - 1]
        else:
            raise ModelUnavailable(f"{self.name} has no reply left", "add one to the script")
        return Reply(text, len(f"{system} {prompt}".split()), len(text.split()))

    def stream(self, prompt: str, system: str = "") -> Iterator[str]:
        """The reply word by word."""
        yield from re.findall(r"\s*\S+|\s+$", self.complete(prompt, system).text)


def _fake(script: str) -> LanguageModel:
    name = f"fake:{script}"
    if script == "echo":
        return ScriptedModel(lambda prompt, system: prompt, name)
    if script.endswith(".jsonl"):
        return ScriptedModel(_from_file(Path(script)), name)
    return ScriptedModel(lambda prompt, system: script, name)


def _from_file(path: Path) -> Callable[[str, str], str]:
    """Replies by a script of rows `{"when": TEXT, "reply": TEXT}`: the first `when` that the
    system prompt or the prompt holds; a row without one answers everything."""
    try:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        rows = [(str(row.get("when", "")), str(row["reply"])) for row in map(json.loads, lines)]
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise SettingsError(
            f"{path} is no script of a fake language model: {error}",
            'write rows such as {"when": "bitcoin", "reply": "It is money."}',
        ) from error

    def reply(prompt: str, system: str) -> str:
        for when, text in rows:
            if when in f"{system}\n{prompt}":
                return text
        raise ModelUnavailable(f"{path} has no reply to this prompt", "add a row without `when`")

    return reply
