"""Language models through their real loading code, and endpoints that misbehave."""

from __future__ import annotations

import email.utils
import itertools
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from pipeline.errors import ModelUnavailable, SettingsError
from pipeline.models import endpoint as endpoints
from pipeline.models import language, pacing
from pipeline.models.language import (
    ScriptedModel,
    find_local_endpoint,
    list_models,
    load_language_model,
    wrap,
)
from pipeline.models.replies import after_thoughts, answer_of
from pipeline.settings import Settings
from pipeline.types import LanguageModel, Reply
from tests import checkpoints
from tests.openai_stub import BreakOff, Clock, Garbage, Hang, OpenAIStub, Request, Status

KINDS = ("fake", "openai", "wrapped", "huggingface")


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between attempts, asked for and not taken."""
    clock = Clock()
    monkeypatch.setattr(endpoints, "time", clock)
    monkeypatch.setattr(pacing, "time", clock)
    return clock.waits


def settings_for(stub: OpenAIStub, **more: object) -> Settings:
    return Settings.model_validate({"endpoint": stub.url, "endpoint_timeout": 20.0, **more})


def ask(stub: OpenAIStub, model: str = "stub-model", **more: object) -> LanguageModel:
    return load_language_model(f"openai:{model}", settings_for(stub, **more))


# ---------------------------------------------------------------- the contract


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.causal_language_model(tmp_path_factory.mktemp("llama"))


@pytest.fixture(params=KINDS)
def model(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LanguageModel]:
    if request.param == "fake":
        yield load_language_model("fake:the sky is blue")
    elif request.param == "openai":
        with OpenAIStub(["the sky is blue"]) as stub:
            yield ask(stub)
    elif request.param == "wrapped":
        from llama_index.core.llms import MockLLM

        yield wrap(MockLLM(max_tokens=4), "mock:4")
    else:
        monkeypatch.setattr(language, "_MAX_NEW_TOKENS", 8)
        yield load_language_model(f"huggingface:{request.getfixturevalue('llama')}")


def test_a_model_completes_and_streams_the_same(model: LanguageModel) -> None:
    reply = model.complete("what is that in the sky", system="the system prompt")
    assert reply.text.strip() == reply.text != ""
    assert reply.prompt_tokens >= 9 and reply.completion_tokens > 0
    assert reply.estimated == ("mock" in model.name)
    *pieces, whole = model.stream("what is that in the sky", system="the system prompt")
    assert len(pieces) > 1
    assert "".join(map(str, pieces)).strip() == reply.text
    assert whole == reply, "it took the same"
    assert model.name and ":" in model.name


# ---------------------------------------------------------------- what is sent


def test_prompt_system_model_and_key_reach_the_server() -> None:
    with OpenAIStub(["Fees rise [1]."], models=["m-7b"], api_key="secret") as stub:
        reply = ask(stub, "m-7b", api_key=SecretStr("secret")).complete("Why?", "Cite.")
    (request,) = stub.requests
    assert request.body["messages"] == [
        {"role": "system", "content": "Cite."},
        {"role": "user", "content": "Why?"},
    ]
    assert request.body["model"] == "m-7b" and request.body["temperature"] == 0
    assert (reply.text, reply.prompt_tokens, reply.completion_tokens) == ("Fees rise [1].", 2, 3)


def test_without_a_key_none_of_the_environments_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-user")
    with OpenAIStub() as stub:
        ask(stub).complete("hello")
    assert "sk-of-the-user" not in str(stub.requests[0].headers)


@pytest.mark.parametrize("tail", ["", "/", "/v1", "/v1/", "/v1/chat/completions"])
def test_an_address_is_understood_with_and_without_its_path(tail: str) -> None:
    with OpenAIStub() as stub:
        address = stub.url.removesuffix("/v1") + tail
        model = load_language_model("openai:stub-model", Settings(endpoint=address))
        assert model.complete("hello").text == "ok"
        assert list_models(address) == ["stub-model"]


def test_a_stream_arrives_while_it_is_made() -> None:
    with OpenAIStub([BreakOff("one two three")]) as stub:
        pieces = ask(stub).stream("count")
        assert next(pieces) == "one"
        assert stub.requests[0].body["stream"] is True
        with pytest.raises(ModelUnavailable, match=r"127\.0\.0\.1.*stub-model.*broke off"):
            list(pieces)


def test_the_tokens_of_a_stream_are_those_that_the_endpoint_counts() -> None:
    with OpenAIStub(["Fees rise [1]."]) as stub:
        *_, reply = ask(stub).stream("Why is that?", "Cite.")
    assert reply == Reply("Fees rise [1].", 4, 3)


@pytest.mark.parametrize("counts", [False, True])
def test_tokens_that_nobody_counts_are_estimated_and_said_to_be(counts: bool) -> None:
    """A server may pass over the wish to have them counted, or refuse it: then it is asked again
    without it, and never asked for it from then on."""

    def reply(request: Request) -> str | Status:
        refused = counts and "stream_options" in request.body
        return Status(400, "Unknown parameter: 'stream_options'.") if refused else "Fees rise [1]."

    with OpenAIStub(reply, counts=False) as stub:
        model = ask(stub)
        for _ in range(2):
            *pieces, whole = model.stream("Why is that?", "Cite.")
            assert "".join(map(str, pieces)) == "Fees rise [1]."
            assert whole == Reply("Fees rise [1].", 5, 4, estimated=True)
    asked = ["stream_options" in request.body for request in stub.requests]
    assert asked == ([True, False, False] if counts else [True, True])


def test_a_prompt_that_is_refused_is_not_sent_twice() -> None:
    with OpenAIStub([Status(400, "context length exceeded")]) as stub:
        with pytest.raises(ModelUnavailable, match="context length"):
            list(ask(stub).stream("hello"))
        assert len(stub.requests) == 1


def test_nonsense_for_counts_is_none() -> None:
    usage = {"prompt_tokens": "many", "completion_tokens": None}
    choice = {"index": 0, "message": {"role": "assistant", "content": "Fees rise."}}
    body = json.dumps({"id": "x", "choices": [choice], "usage": usage}).encode()
    with OpenAIStub([Garbage(body, "application/json")]) as stub:
        assert ask(stub).complete("Why is that?") == Reply("Fees rise.", 4, 3, estimated=True)


# ---------------------------------------------------------------- what comes back wrong


def test_busy_and_broken_answers_are_asked_again(waits: list[float]) -> None:
    with OpenAIStub([Status(429), Status(500), Status(503), "at last"]) as stub:
        assert ask(stub).complete("hello").text == "at last"
    assert len(stub.requests) == 4
    for wait, least in zip(waits, (0.5, 1.0, 2.0), strict=True):
        assert least <= wait <= 1.1 * least


def test_the_server_says_how_long_to_wait(waits: list[float]) -> None:
    date = email.utils.formatdate(time.time() + 30, usegmt=True)
    asked = [Status(429, headers={"retry-after": "7"}), Status(429, headers={"retry-after": date})]
    with OpenAIStub([*asked, "at last"]) as stub:
        assert ask(stub).complete("hello").text == "at last"
    assert 7 <= waits[0] <= 7.7 and 25 < waits[1] <= 33


def test_a_wait_of_an_hour_is_told_and_not_taken(waits: list[float]) -> None:
    with OpenAIStub([Status(429, "quota", headers={"retry-after": "3600"})]) as stub:
        with pytest.raises(ModelUnavailable, match=r"429: quota") as caught:
            ask(stub).complete("hello")
        assert caught.value.hint == "try again in 3600 s"
        assert len(stub.requests) == 1 and waits == []


def test_a_server_that_stays_broken_is_given_up(waits: list[float]) -> None:
    with OpenAIStub([Status(500, "out of memory")]) as stub:
        with pytest.raises(ModelUnavailable, match=r"127\.0\.0\.1.*500: out of memory"):
            ask(stub).complete("hello")
        assert len(stub.requests) == 4 and sum(waits) < 10


def test_a_dropped_connection_is_tried_again(waits: list[float]) -> None:
    with OpenAIStub([BreakOff(), "back"]) as stub:
        assert ask(stub).complete("hello").text == "back"


@pytest.mark.parametrize(
    ("reply", "said", "hint"),
    [
        (Status(401, "bad key"), "401: bad key", "FOOTNOTE_API_KEY"),
        (Status(403), "403", "FOOTNOTE_API_KEY"),
        (Status(404, "no such model"), "404: no such model", "model"),
        (Status(400, "context length exceeded"), "400: context length", "too long"),
        (Garbage(), "no completion.*welcome to the proxy", "/v1"),
        (Garbage(b"{broken", "application/json"), "no completion.*broken", "/v1"),
        (Garbage(b'{"choices": []}', "application/json"), "no completion", "/v1"),
        (Garbage(b'["choices"]', "application/json"), "no completion", "/v1"),
        (Garbage(b"\xff\xfe", "application/json"), "no completion", "/v1"),
        ("", "empty reply", "model"),
        ("  \n", "empty reply", "model"),
        ("<think>hm, hm</think>", "empty reply", "model"),
    ],
)
@pytest.mark.parametrize("how", ["complete", "stream"])
def test_an_answer_that_cannot_be_used_is_one_line(
    reply: Status | Garbage | str, said: str, hint: str, how: str, waits: list[float]
) -> None:
    if how == "stream" and isinstance(reply, Garbage):
        said = "no completion"
    with OpenAIStub([reply]) as stub:
        model = ask(stub)
        with pytest.raises(ModelUnavailable, match=said) as caught:
            model.complete("hello") if how == "complete" else list(model.stream("hello"))
    assert "stub-model" in caught.value.message and "\n" not in caught.value.message
    assert hint in caught.value.hint
    assert len(stub.requests) == 1 and waits == []


def test_escape_codes_in_an_error_stay_off_the_terminal() -> None:
    reply = Status(400, "no\x1b[31m red\nline")
    with OpenAIStub([reply]) as stub, pytest.raises(ModelUnavailable) as caught:
        ask(stub).complete("hello")
    assert caught.value.message.endswith("400: no[31m red line")


@pytest.mark.parametrize("how", ["complete", "stream"])
def test_a_server_that_hangs_is_left_after_the_timeout(how: str) -> None:
    with OpenAIStub([Hang()]) as stub:
        model = ask(stub, endpoint_timeout=0.3)
        start = time.monotonic()
        with pytest.raises(ModelUnavailable, match=r"no answer in 0\.3 s") as caught:
            model.complete("hello") if how == "complete" else list(model.stream("hello"))
        assert time.monotonic() - start < 5
    assert "FOOTNOTE_ENDPOINT_TIMEOUT" in caught.value.hint


def test_nobody_listening_is_found_out_at_once() -> None:
    settings = Settings(endpoint=f"http://127.0.0.1:{free_port()}/v1")
    model = load_language_model("openai:stub-model", settings)
    model.llm  # noqa: B018  LlamaIndex is imported by now
    start = time.monotonic()
    with pytest.raises(ModelUnavailable, match=r"127\.0\.0\.1.*cannot be reached") as caught:
        model.complete("hello")
    assert time.monotonic() - start < 10, "it is not tried again and again"
    assert "FOOTNOTE_ENDPOINT" in caught.value.hint


def test_an_endpoint_that_is_no_address_is_told_before_it_is_asked() -> None:
    with pytest.raises(ModelUnavailable, match="no web address"):
        load_language_model("openai:m", Settings(endpoint="http://"))
    with pytest.raises(ModelUnavailable, match="no endpoint is set") as caught:
        load_language_model("openai:m", Settings())
    assert "FOOTNOTE_ENDPOINT" in caught.value.hint


def test_a_key_alone_means_openai() -> None:
    endpoint = endpoints.endpoint_of(Settings(api_key=SecretStr("sk-x")))
    assert endpoint.url == "https://api.openai.com/v1"


def test_a_failure_in_an_llm_that_the_caller_made_is_a_missing_model() -> None:
    from llama_index.core.llms import MockLLM

    class Broken(MockLLM):
        def chat(self, messages: object, **_: object) -> object:
            raise ZeroDivisionError("in somebody's code\nsecond line")

    with pytest.raises(ModelUnavailable, match=r"ZeroDivisionError: in somebody's code$"):
        wrap(Broken()).complete("hello")


# ---------------------------------------------------------------- reasoning


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>\nhm\n</think>\n\nBlue.", "Blue."),
        ("Blue.", "Blue."),
        ("  <think>a</think>b</think>", "b</think>"),
        ("a <think>b</think>", "a <think>b</think>"),
        ("<thinking>", "<thinking>"),
        ("<thin", "<thin"),
        ("<think>never ends", ""),
    ],
)
def test_reasoning_before_the_answer_is_left_out(text: str, answer: str) -> None:
    assert answer_of(text) == answer
    for cut in itertools.chain(range(len(text)), [None]):
        pieces = list(text) if cut is None else [text[:cut], text[cut:]]
        with_pieces = "".join(after_thoughts(pieces))
        assert with_pieces.strip() == answer, pieces


# ---------------------------------------------------------------- looking around


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_local_server_is_found_with_its_first_model_that_chats() -> None:
    models = ["nomic-embed-text", "qwen2.5:7b", "llama3"]
    with OpenAIStub(models=models) as stub:
        found = find_local_endpoint((free_port(), stub.port, free_port()))
        assert found is not None
        assert found == (stub.url, "qwen2.5:7b")
        settings = Settings(endpoint=found.url)
        assert load_language_model(f"openai:{found.model}", settings).complete("hi").text == "ok"
        assert list_models(stub.url, settings) == models


def test_no_server_or_one_without_a_model_is_none() -> None:
    assert find_local_endpoint((free_port(), free_port())) is None
    with OpenAIStub(models=["all-minilm", "nomic-embed-text"]) as stub:
        assert find_local_endpoint((stub.port,)) is None


def test_a_port_that_accepts_and_says_nothing_costs_a_moment() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        start = time.monotonic()
        assert find_local_endpoint((silent.getsockname()[1],) * 4) is None
        assert time.monotonic() - start < 2


# ---------------------------------------------------------------- fakes and missing models


def test_the_fake_echoes_or_keeps_to_its_script(tmp_path: Path) -> None:
    assert load_language_model("fake:echo").complete("a b").text == "a b"
    script = tmp_path / "script.jsonl"
    rows = [{"when": "bitcoin", "reply": "Money."}, {"when": "system", "reply": "Rules."}]
    script.write_text("\n".join(map(json.dumps, rows)))
    model = load_language_model(f"fake:{script}")
    assert model.complete("what is bitcoin?").text == "Money."
    assert model.complete("what?", "the system").text == "Rules."
    with pytest.raises(ModelUnavailable, match="no reply"):
        model.complete("what?")
    script.write_text("not json")
    with pytest.raises(SettingsError, match="no script"):
        load_language_model(f"fake:{script}")


def test_a_scripted_model_remembers_what_it_was_asked() -> None:
    model = ScriptedModel(["one", "two three"])
    assert model.complete("first", "be brief").text == "one"
    assert list(model.stream("second")) == ["two", " three", Reply("two three", 1, 2)]
    assert model.prompts == [("first", "be brief"), ("second", "")]
    with pytest.raises(ModelUnavailable, match="no reply left"):
        model.complete("third")


def test_a_folder_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="no model folder"):
        load_language_model(f"huggingface:{tmp_path / 'nowhere'}")
    with pytest.raises(ModelUnavailable) as caught:
        load_language_model(f"huggingface:{tmp_path}")
    assert str(tmp_path) in caught.value.message and "\n" not in caught.value.message


def test_the_request_is_what_the_fake_server_says_it_is() -> None:
    """The stub's own reading of a request, which other tests rely on."""
    body = {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]}
    assert Request("/v1/chat/completions", body, {}).text == "a"
