"""Captions behind an endpoint: what is sent, how much at once, and what comes back wrong."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from pydantic import BaseModel

from pipeline.errors import ModelUnavailable
from pipeline.models import endpoint as endpoints
from pipeline.models import pacing
from pipeline.models.vision import load_captioner
from pipeline.models.vision_endpoint import strict_schema
from pipeline.settings import Settings
from pipeline.types import Captioner, Reply
from tests.openai_stub import BreakOff, Clock, Garbage, OpenAIStub, Request, Said, Status
from tests.openai_stub import Reply as Answer
from tests.pictures import BLUE, RED, frame, request


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between attempts, asked for and not taken."""
    clock = Clock()
    monkeypatch.setattr(endpoints, "time", clock)
    monkeypatch.setattr(pacing, "time", clock)
    return clock.waits


def ask(stub: OpenAIStub, **more: object) -> Captioner:
    settings = Settings.model_validate({"endpoint": stub.url, **more})
    return load_captioner("openai:stub-model", settings)


# ---------------------------------------------------------------- what is sent


def test_the_server_gets_the_prompt_and_what_the_frames_show() -> None:
    with OpenAIStub(["red, then blue"]) as stub:
        (reply,) = ask(stub).caption([request(RED, BLUE, prompt="Describe [1] “this”.")])
    (asked,) = stub.requests
    assert asked.text == "Describe [1] “this”."
    assert [image.shape for image in asked.images] == [RED.shape, BLUE.shape]
    for sent, shown in zip(asked.images, (RED, BLUE), strict=True):
        assert np.abs(sent.astype(int) - shown).max() < 10
    assert asked.body["temperature"] == 0 and asked.body["max_tokens"] == 256
    assert "response_format" not in asked.body
    assert reply == Reply("red, then blue", 203, 3)


def test_large_frames_are_made_smaller_in_proportion() -> None:
    with OpenAIStub() as stub:
        ask(stub).caption([request(frame((9, 9, 9), 1080, 1920))])
    assert stub.requests[0].images[0].shape == (576, 1024, 3)


class Seen(BaseModel):
    scene: str
    people: list[str] = []
    title: str = ""


def test_a_schema_is_sent_as_strict_mode_wants_it() -> None:
    with OpenAIStub(['{"scene": "x"}']) as stub:
        ask(stub).caption([request(RED, schema=Seen.model_json_schema(), max_tokens=77)])
    body = stub.requests[0].body
    assert body["max_tokens"] == 77
    sent = body["response_format"]
    assert sent["type"] == "json_schema" and sent["json_schema"]["strict"] is True
    assert sent["json_schema"]["schema"] == {
        "type": "object",
        "properties": {
            "scene": {"type": "string"},
            "people": {"type": "array", "items": {"type": "string"}},
            "title": {"type": "string"},
        },
        "required": ["scene", "people", "title"],
        "additionalProperties": False,
    }


def test_parts_of_a_schema_are_strict_too() -> None:
    class Frame(BaseModel):
        image: int
        action: str | None = None

    class Caption(BaseModel):
        frames: list[Frame] = []

    made = strict_schema(Caption.model_json_schema())
    (part,) = made["$defs"].values()
    assert part["required"] == ["image", "action"] and part["additionalProperties"] is False
    assert part["properties"]["action"] == {"anyOf": [{"type": "string"}, {"type": "null"}]}
    assert made["properties"]["frames"]["items"] == {"$ref": "#/$defs/Frame"}


# ---------------------------------------------------------------- what a server does not take


def picky(*parts: str, named: bool = True) -> OpenAIStub:
    """A server that refuses requests that have one of `parts`."""

    def answer(asked: Request) -> Answer:
        found = [part for part in parts if part in asked.body]
        if found:
            return Status(400, f"'{found[0]}' is not supported" if named else "bad request")
        return "a dog"

    return OpenAIStub(answer)


@pytest.mark.parametrize("named", [True, False])
def test_a_server_without_schemas_is_asked_again_and_remembered(named: bool) -> None:
    wanted = request(RED, schema=Seen.model_json_schema())
    with picky("response_format", named=named) as stub:
        captioner = ask(stub, endpoint_requests=1)
        assert [reply.text for reply in captioner.caption([wanted] * 3)] == ["a dog"] * 3
    assert ["response_format" in asked.body for asked in stub.requests] == [True] + [False] * 3


def test_newer_names_and_fixed_temperatures_are_found_out() -> None:
    with picky("temperature", "max_tokens") as stub:
        captioner = ask(stub, endpoint_requests=1)
        assert captioner.caption([request(RED)] * 2) == [Reply("a dog", 103, 2)] * 2
    assert len(stub.requests) == 4
    assert stub.requests[-1].body["max_completion_tokens"] == 256


def test_a_refusal_of_something_else_says_nothing_about_schemas() -> None:
    replies: list[Answer] = [Status(400, "image too large")] * 2 + ["a dog"]
    with OpenAIStub(replies) as stub:
        captioner = ask(stub)
        wanted = request(RED, schema=Seen.model_json_schema())
        with pytest.raises(ModelUnavailable, match="400: image too large"):
            captioner.caption([wanted])
        captioner.caption([wanted])
    assert "response_format" in stub.requests[-1].body


# ---------------------------------------------------------------- several at once


def test_several_requests_come_back_in_their_order() -> None:
    def say(asked: Request) -> Said:
        return Said(f"caption of {asked.text}", seconds=0.02 * (int(asked.text) % 3))

    with OpenAIStub(say) as stub:
        replies = ask(stub).caption([request(RED, prompt=str(at)) for at in range(12)])
    assert [reply.text for reply in replies] == [f"caption of {at}" for at in range(12)]


@pytest.mark.parametrize("most", [1, 3, 6])
def test_no_more_are_in_flight_than_the_settings_say(most: int) -> None:
    with OpenAIStub(lambda asked: Said("x", seconds=0.05)) as stub:
        captioner = ask(stub, endpoint_requests=most)
        assert captioner.width == most
        callers = [
            threading.Thread(target=captioner.caption, args=([request(RED)] * 6,)) for _ in range(2)
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
    assert len(stub.requests) == 12
    assert min(most, 2) <= stub.most_at_once <= most


def test_a_reply_is_delivered_while_others_are_still_being_made() -> None:
    def say(asked: Request) -> Said:
        return Said(asked.text, seconds=0.3 if asked.text == "0" else 0.0)

    delivered: list[int] = []
    with OpenAIStub(say) as stub:
        ask(stub).caption(
            [request(RED, prompt=str(at)) for at in range(4)],
            lambda at, reply: delivered.append(at),
        )
    assert sorted(delivered) == [0, 1, 2, 3] and delivered[-1] == 0


def test_what_is_paid_for_is_delivered_when_another_request_fails() -> None:
    def say(asked: Request) -> Answer:
        if asked.text == "1":
            return Status(401, "expired", seconds=0.1)
        return Said(f"caption of {asked.text}", seconds=0.2)

    delivered: dict[int, str] = {}
    with OpenAIStub(say) as stub:
        captioner = ask(stub, endpoint_requests=3)
        with pytest.raises(ModelUnavailable, match="401: expired"):
            captioner.caption(
                [request(RED, prompt=str(at)) for at in range(20)],
                lambda at, reply: delivered.__setitem__(at, reply.text),
            )
    assert delivered.items() >= {0: "caption of 0", 2: "caption of 2"}.items()
    assert len(delivered) == len(stub.requests) - 1, "all that was answered was delivered"
    assert len(stub.requests) < 8, "what had not begun was not asked"


def test_a_request_that_is_at_fault_itself_stops_no_other() -> None:
    def say(asked: Request) -> Answer:
        return Status(400, "this picture is broken") if asked.text == "1" else "a dog"

    delivered: list[int] = []
    with OpenAIStub(say) as stub:
        captioner = ask(stub, endpoint_requests=2)
        with pytest.raises(ModelUnavailable, match="400: this picture is broken"):
            captioner.caption(
                [request(RED, prompt=str(at)) for at in range(9)],
                lambda at, reply: delivered.append(at),
            )
    assert sorted(delivered) == [0, 2, 3, 4, 5, 6, 7, 8]


# ---------------------------------------------------------------- rate limits


def test_a_busy_server_is_asked_again(waits: list[float]) -> None:
    replies = [Status(429, headers={"retry-after": "2"}), Status(502), BreakOff(), "a dog"]
    with OpenAIStub(replies) as stub:
        assert ask(stub).caption([request(RED)])[0].text == "a dog"
    for wait, least in zip(waits, (2, 1, 2), strict=True):
        assert least <= wait <= 1.1 * least


def test_a_limit_per_minute_is_waited_out(waits: list[float]) -> None:
    with OpenAIStub([*[Status(429)] * 7, "a dog"]) as stub:
        assert ask(stub).caption([request(RED)])[0].text == "a dog"
    assert sum(waits) > 60
    with OpenAIStub([Status(429, "slow down")]) as stub:
        with pytest.raises(ModelUnavailable, match="429: slow down"):
            ask(stub).caption([request(RED)])
        assert len(stub.requests) < 12


def test_a_busy_answer_makes_every_thread_wait() -> None:
    busy = [Status(429, headers={"retry-after-ms": "500"})]

    def say(asked: Request) -> Answer:
        return busy.pop() if asked.text == "0" and busy else Said("x", seconds=0.1)

    with OpenAIStub(say) as stub:
        ask(stub).caption([request(RED, prompt=str(at)) for at in range(12)])
    assert len(stub.requests) == 13
    told = next(
        at for at, asked in zip(stub.arrivals, stub.requests, strict=True) if asked.text == "0"
    )
    # The others came back after 0.1 s, and would have gone on without the pause.
    assert sum(at < told + 0.49 for at in stub.arrivals) <= 4


def test_the_users_limit_holds_for_all_threads_together() -> None:
    with OpenAIStub() as stub:
        captioner = ask(stub, endpoint_requests_per_minute=600)
        captioner.caption([request(RED)] * 6)
    assert max(stub.arrivals) - min(stub.arrivals) >= 0.4


# ---------------------------------------------------------------- what comes back


def test_a_reply_that_was_cut_off_says_so() -> None:
    with OpenAIStub([Said("A man walks to", "length")]) as stub:
        (reply,) = ask(stub).caption([request(RED)])
    assert reply.cut and reply.text == "A man walks to"


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (Said(None, refusal="I'm sorry, I can't help with that."), "I'm sorry, I can't help"),
        (Said("Sorry.", "content_filter"), "Sorry."),
        (Said(None, "content_filter"), "I cannot describe this"),
        (Status(400, "the prompt was filtered", error_code="content_filter"), "I cannot describe"),
        ("", ""),
        ("<think>hm</think>", ""),
        ("<think>hm</think> a dog", "a dog"),
    ],
)
def test_a_refusal_is_a_reply_for_the_caller_to_judge(answer: Answer, text: str) -> None:
    with OpenAIStub([answer]) as stub:
        (reply,) = ask(stub).caption([request(RED)])
    assert reply.text.startswith(text) and bool(reply.text) == bool(text)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Status(400, "this model takes no images"), "400: this model takes no images"),
        (Garbage(), "no completion"),
    ],
)
def test_a_reply_that_is_no_caption_is_one_line(reply: Answer, said: str) -> None:
    with OpenAIStub([reply]) as stub, pytest.raises(ModelUnavailable, match=said) as caught:
        ask(stub).caption([request(RED)])
    assert stub.url in caught.value.message and "\n" not in caught.value.message
