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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from pipeline.errors import FootnoteError, ModelUnavailable, SettingsError
from pipeline.models.endpoint import (
    EndpointClient,
    Rejected,
    endpoint_of,
    find_local_endpoint,
    list_models,
)
from pipeline.models.registry import load_named
from pipeline.models.replies import after_thoughts, answer_of, estimated_tokens
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
# How a server that does not know the option says so.
_COUNTS = re.compile(r"stream_options|include_usage|extra|unknown|unexpected|unrecogni[sz]ed")


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
        self._count = count
        self._counts_refused = False

    def complete(self, prompt: str, system: str = "") -> Reply:
        """One reply, greedy where the model was loaded by Footnote. Raises `ModelUnavailable`.

        Token counts are the endpoint's or the tokenizer's, estimated where there is neither.
        """
        try:
            response = self.llm.chat(_messages(prompt, system))
        except Exception as error:  # a caller's LLM object may raise anything at all
            raise self._failure(error) from error
        text = answer_of(response.message.content or "")
        if not text:
            raise self._empty()
        return self._counted(text, f"{system} {prompt}", response.additional_kwargs or {})

    def stream(self, prompt: str, system: str = "") -> Iterator[str | Reply]:
        """The reply in pieces, as they are made, and then whole. Raises `ModelUnavailable`, midway
        too. An endpoint is asked to count the tokens; one that does not know how is asked again."""
        chunks = _Chunks()
        said: list[str] = []
        try:
            for piece in after_thoughts(chunks.drawn(self._asked(_messages(prompt, system)))):
                said.append(piece)
                yield piece
        except Exception as error:
            raise self._failure(error) from error
        text = "".join(said).strip()
        if not text:
            raise self._empty()
        yield self._counted(text, f"{system} {prompt}", chunks.told)

    def _asked(self, messages: Sequence[Any]) -> Iterator[Any]:
        """The chunks of a streamed reply, with a count of the tokens where that can be had."""
        if self._client is None or self._counts_refused:
            yield from self._chunks(messages)
            return
        try:
            yield from self._chunks(messages, stream_options={"include_usage": True})
        except Exception as error:
            refusal = self._failure(error)
            if not (isinstance(refusal, Rejected) and _COUNTS.search(refusal.told)):
                raise
            yield from self._chunks(messages)
            self._counts_refused = True  # only now is it clear that this was what it minded

    def _chunks(self, messages: Sequence[Any], **options: Any) -> Iterator[Any]:
        """The chunks; whoever leaves hangs up. The endpoint would go on writing otherwise: openai's
        stream refers to itself, and is closed when garbage is collected."""
        answer: httpx.Response | None = None
        try:
            for chunk in self.llm.stream_chat(messages, **options):
                if answer is None and self._client:
                    answer = self._client.answer
                yield chunk
        finally:
            if answer is not None:
                answer.close()

    def _counted(self, text: str, asked: str, told: Mapping[str, Any]) -> Reply:
        """A reply with its tokens: as they were `told`, else counted, else estimated."""
        counts = [_number(told.get(name)) for name in ("prompt_tokens", "completion_tokens")]
        counted = all(counts) or self._count is not None
        count = self._count or estimated_tokens
        asking, saying = counts[0] or count(asked), counts[1] or count(text)
        return Reply(text, asking, saying, estimated=not counted)

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


class _Chunks:
    """The chunks of a stream, of which the texts are drawn and the token counts kept."""

    def __init__(self) -> None:
        self.told: dict[str, Any] = {}

    def drawn(self, chunks: Iterable[Any]) -> Iterator[str]:
        for chunk in chunks:
            self.told |= chunk.additional_kwargs or {}
            yield chunk.delta or ""


def _number(count: object) -> int:
    """A count that an endpoint gave; 0 for what is none."""
    return count if isinstance(count, int) and count > 0 else 0


def _messages(prompt: str, system: str) -> list[Any]:
    from llama_index.core.llms import ChatMessage

    asked = [ChatMessage(role="user", content=prompt)]
    return [ChatMessage(role="system", content=system), *asked] if system else asked


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

    def stream(self, prompt: str, system: str = "") -> Iterator[str | Reply]:
        """The reply word by word, and then whole."""
        reply = self.complete(prompt, system)
        yield from re.findall(r"\s*\S+|\s+$", reply.text)
        yield reply


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
