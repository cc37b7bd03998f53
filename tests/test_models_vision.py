"""What every captioner keeps to: made checkpoints of five families, an endpoint, the fakes."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import SettingsError
from pipeline.ingest.caption_replies import read_records
from pipeline.models.vision import SlowCaptioner, load_captioner
from pipeline.settings import Settings
from pipeline.types import Captioner, Reply
from tests import vision_checkpoints
from tests.openai_stub import OpenAIStub, Request
from tests.pictures import BLUE, RED, frame, noise, request

FAKES = ("fake:colours", "fake:seen", "fake:echo", "fake:a dog barks", "fake:slow:0.001:0.0001")
# The others of `vision_checkpoints.FAMILIES` are in test_models_vision_local.
FAMILIES = ("idefics3", "qwen2_5_vl", "internvl", "llava", "llava_onevision")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("families")


@pytest.fixture(scope="module", params=["openai:stub-model", *FAMILIES, *FAKES])
def captioner(request: pytest.FixtureRequest, folder: Path) -> Iterator[Captioner]:
    def say(asked: Request) -> str:
        return f"{len(asked.images)} frames, {asked.text}"

    if request.param.startswith("openai"):
        with OpenAIStub(say) as stub:
            yield load_captioner(request.param, Settings(endpoint=stub.url))
    elif request.param.startswith("fake"):
        yield load_captioner(request.param)
    else:
        made = vision_checkpoints.FAMILIES[request.param](folder)
        yield load_captioner(f"transformers:{made}", Settings(caption_batch=3))


REQUESTS = [
    request(noise(1), max_tokens=6),
    request(noise(2), noise(3), prompt="the who of it", max_tokens=6),
    request(noise(4, 64, 48), noise(5), RED, prompt="where was it , from what", max_tokens=6),
    request(prompt="who is it", max_tokens=6),
    request(BLUE, prompt="« le “coût” » 猫 🦉\n\tand what", max_tokens=6),
]


def test_one_reply_per_request_in_order(captioner: Captioner) -> None:
    alone = [captioner.caption([one])[0] for one in REQUESTS]
    assert captioner.caption(REQUESTS) == alone
    assert captioner.caption(REQUESTS[::-1]) == alone[::-1]
    for reply in alone:
        assert reply.text == reply.text.strip()
        assert reply.prompt_tokens > 0 and reply.completion_tokens >= 0
    assert any(reply.text for reply in alone)
    assert captioner.caption([]) == []


def test_each_reply_is_delivered_once_with_its_place(captioner: Captioner) -> None:
    delivered: dict[int, Reply] = {}
    threads = set()

    def deliver(place: int, reply: Reply) -> None:
        assert place not in delivered
        delivered[place] = reply
        threads.add(threading.current_thread())

    replies = captioner.caption(REQUESTS, deliver)
    assert [delivered[at] for at in range(len(REQUESTS))] == replies
    assert threads == {threading.current_thread()}, "what writes to a database needs no lock"
    captioner.caption([], deliver)
    assert len(delivered) == len(REQUESTS)


def test_every_frame_of_a_request_reaches_the_model(captioner: Captioner) -> None:
    shown = [(), (RED,), (RED, BLUE), (RED, BLUE, RED)]
    none, one, two, three = (
        reply.prompt_tokens
        for reply in captioner.caption([request(*images, max_tokens=1) for images in shown])
    )
    assert none < one
    assert none < two < three  # a family may look closer at a picture that is alone


def test_a_frame_that_cannot_be_written_to_is_taken(captioner: Captioner) -> None:
    frozen = RED.copy()
    frozen.flags.writeable = False
    flipped = np.asfortranarray(frozen)[:, ::-1]
    assert len(captioner.caption([request(frozen, flipped, max_tokens=2)])) == 1


def test_it_says_how_many_requests_it_wants_at_once(captioner: Captioner) -> None:
    assert captioner.width >= 1
    assert ":" in captioner.name


def test_a_failing_delivery_is_the_callers_error(captioner: Captioner) -> None:
    def full(place: int, reply: Reply) -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        captioner.caption(REQUESTS, full)


# ---------------------------------------------------------------- fakes


def test_the_fake_names_what_it_sees() -> None:
    colours = [(0, 0, 0), (250, 250, 250), (20, 150, 40), (240, 225, 30)]
    texts = [
        reply.text
        for reply in load_captioner("fake:colours").caption([request(frame(c)) for c in colours])
    ]
    assert texts == ["A black frame.", "A white frame.", "A green frame.", "A yellow frame."]
    (three,) = load_captioner("fake:colours").caption([request(RED, BLUE, RED)])
    assert three.text == "A red frame, then a blue frame, then a red frame."
    echo, fixed = load_captioner("fake:echo"), load_captioner("fake:a dog barks")
    assert echo.caption([request(RED, prompt="p q")])[0].text == "p q"
    assert fixed.caption([request(RED)])[0].text == "a dog barks"


def test_the_fake_fills_in_the_structured_form() -> None:
    """In the form of the caption prompt, so that the captions' own reader takes it."""
    (reply,) = load_captioner("fake:seen").caption([request(RED, BLUE, RED)])
    seen = [(r.image, r.scene, r.action) for r in read_records(reply.text, 3)]
    assert seen == [
        (1, "a red frame", "The frame is red."),
        (2, "a blue frame", "The frame is blue."),
        (3, "a red frame", "The frame is red."),
    ]


def test_the_slow_fake_works_on_one_batch_at_a_time_whoever_calls() -> None:
    captioner = load_captioner("fake:slow:0.02:0.01", Settings(caption_batch=2))
    assert isinstance(captioner, SlowCaptioner) and captioner.width == 2
    began = time.monotonic()
    callers = [
        threading.Thread(target=captioner.caption, args=([request(RED, BLUE)] * 3,))
        for _ in range(2)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    ended = time.monotonic()
    assert sorted(count for _, _, count in captioner.busy) == [1, 1, 2, 2]
    for start, end, count in captioner.busy:
        assert end - start >= 0.02 + 0.01 * 2 * count
        assert began <= start < end <= ended
    ordered = sorted(captioner.busy)
    for first, second in itertools.pairwise(ordered):
        assert first[1] <= second[0], "never two at once"


def test_a_slow_fake_without_its_numbers_says_what_is_missing() -> None:
    with pytest.raises(SettingsError) as caught:
        load_captioner("fake:slow:1")
    assert "SECONDS_PER_IMAGE" in caught.value.hint
