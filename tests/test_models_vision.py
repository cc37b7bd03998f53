"""Captioners: a made Idefics3 through the real loading code, and an endpoint that sees images."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ModelUnavailable
from pipeline.models import endpoint as endpoints
from pipeline.models import vision
from pipeline.models.vision import load_captioner
from pipeline.settings import Settings
from pipeline.types import Captioner, CaptionRequest, Image
from tests import checkpoints
from tests.openai_stub import Garbage, OpenAIStub, Request, Status


def frame(colour: tuple[int, int, int], height: int = 48, width: int = 64) -> Image:
    return np.full((height, width, 3), colour, np.uint8)


RED, BLUE = frame((220, 30, 30)), frame((40, 60, 220))


def request(*images: Image, prompt: str = "what is it") -> CaptionRequest:
    return CaptionRequest(images, tuple(float(at) for at in range(len(images))), prompt)


@pytest.fixture(scope="module")
def idefics3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.idefics3(tmp_path_factory.mktemp("idefics3"))


@pytest.fixture(params=["fake", "openai", "transformers"])
def captioner(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Captioner]:
    monkeypatch.setattr(vision, "_MAX_NEW_TOKENS", 6)
    if request.param == "fake":
        yield load_captioner("fake:colours")
    elif request.param == "openai":
        with OpenAIStub(lambda asked: f"{len(asked.images)} frames: {asked.text}") as stub:
            yield load_captioner("openai:stub-model", Settings(endpoint=stub.url))
    else:
        yield load_captioner(f"transformers:{request.getfixturevalue('idefics3')}")


def test_one_reply_per_request_in_order(captioner: Captioner) -> None:
    requests = [request(RED), request(BLUE, RED), request(RED, BLUE, RED), request(BLUE)]
    replies = captioner.caption(requests)
    assert len(replies) == 4
    assert captioner.caption(requests[1:3]) == replies[1:3], "the same frames, the same words"
    for reply in replies:
        assert reply.text.strip() == reply.text != ""
        assert reply.prompt_tokens > 0 and reply.completion_tokens > 0
    assert captioner.caption([]) == []
    assert ":" in captioner.name


def test_every_frame_of_a_request_reaches_the_model(captioner: Captioner) -> None:
    one, three = captioner.caption([request(RED), request(RED, BLUE, RED)])
    if captioner.name == "fake:colours":
        assert (one.text, three.text) == (
            "A red frame.",
            "A red frame, then a blue frame, then a red frame.",
        )
    else:
        assert three.prompt_tokens > one.prompt_tokens + 2


def test_a_frame_that_cannot_be_written_to_is_taken(captioner: Captioner) -> None:
    frozen = RED.copy()
    frozen.flags.writeable = False
    flipped = np.asfortranarray(frozen)[:, ::-1]
    assert len(captioner.caption([request(frozen, flipped)])) == 1


# ---------------------------------------------------------------- behind an endpoint


def test_the_server_gets_the_prompt_and_what_the_frames_show() -> None:
    with OpenAIStub(["red, then blue"]) as stub:
        captioner = load_captioner("openai:stub-model", Settings(endpoint=stub.url))
        (reply,) = captioner.caption([request(RED, BLUE, prompt="Describe [1] “this”.")])
    (asked,) = stub.requests
    assert asked.text == "Describe [1] “this”."
    assert [image.shape for image in asked.images] == [RED.shape, BLUE.shape]
    for sent, shown in zip(asked.images, (RED, BLUE), strict=True):
        assert np.abs(sent.astype(int) - shown).max() < 10
    assert asked.body["temperature"] == 0 and asked.body["max_tokens"] == 256
    assert (reply.text, reply.prompt_tokens) == ("red, then blue", 203)


def test_large_frames_are_made_smaller_in_proportion() -> None:
    with OpenAIStub() as stub:
        load_captioner("openai:stub-model", Settings(endpoint=stub.url)).caption(
            [request(frame((9, 9, 9), 1080, 1920))]
        )
    assert stub.requests[0].images[0].shape == (576, 1024, 3)


def test_several_requests_come_back_in_their_order() -> None:
    def say(asked: Request) -> str:
        return f"caption of {asked.text}"

    with OpenAIStub(say) as stub:
        captioner = load_captioner("openai:stub-model", Settings(endpoint=stub.url))
        replies = captioner.caption([request(RED, prompt=str(at)) for at in range(12)])
    assert [reply.text for reply in replies] == [f"caption of {at}" for at in range(12)]


def test_a_busy_server_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(endpoints.time, "sleep", waits.append)
    with OpenAIStub([Status(429, headers={"retry-after": "2"}), Status(502), "a dog"]) as stub:
        captioner = load_captioner("openai:stub-model", Settings(endpoint=stub.url))
        assert captioner.caption([request(RED)])[0].text == "a dog"
    assert waits == [2.0, 1.0]


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Status(400, "this model takes no images"), "400: this model takes no images"),
        (Garbage(), "no completion"),
        ("", "empty reply"),
    ],
)
def test_a_reply_that_is_no_caption_is_one_line(reply: object, said: str) -> None:
    with OpenAIStub([reply]) as stub:
        captioner = load_captioner("openai:stub-model", Settings(endpoint=stub.url))
        with pytest.raises(ModelUnavailable, match=said) as caught:
            captioner.caption([request(RED)])
    assert stub.url in caught.value.message and "\n" not in caught.value.message


# ---------------------------------------------------------------- in this process


@pytest.mark.skipif(find_spec("torchvision") is not None, reason="torchvision is installed")
def test_a_processor_that_needs_torchvision_names_it(idefics3: Path, tmp_path: Path) -> None:
    """SmolVLM2's class: its processor reads video too."""
    folder = tmp_path / "smolvlm2"
    shutil.copytree(idefics3, folder)
    video = {"video_processor_type": "SmolVLMVideoProcessor"}
    for name, values in (
        ("config.json", {"model_type": "smolvlm"}),
        (
            "processor_config.json",
            {"processor_class": "SmolVLMProcessor", "video_processor": video},
        ),
        ("tokenizer_config.json", {"processor_class": "SmolVLMProcessor"}),
    ):
        path = folder / name
        path.write_text(json.dumps(json.loads(path.read_text()) | values))
    with pytest.raises(ModelUnavailable, match="needs the package torchvision") as caught:
        load_captioner(f"transformers:{folder}")
    assert caught.value.hint == "pip install torchvision"


def test_a_folder_without_a_model_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable) as caught:
        load_captioner(f"transformers:{tmp_path}")
    assert str(tmp_path) in caught.value.message and "\n" not in caught.value.message
    with pytest.raises(ModelUnavailable, match="no model folder"):
        load_captioner(f"transformers:{tmp_path / 'nowhere'}")


def test_the_fake_names_what_it_sees() -> None:
    colours = [(0, 0, 0), (250, 250, 250), (20, 150, 40), (240, 225, 30)]
    texts = [
        reply.text
        for reply in load_captioner("fake:colours").caption([request(frame(c)) for c in colours])
    ]
    assert texts == ["A black frame.", "A white frame.", "A green frame.", "A yellow frame."]
    echo, fixed = load_captioner("fake:echo"), load_captioner("fake:a dog barks")
    assert echo.caption([request(RED, prompt="p q")])[0].text == "p q"
    assert fixed.caption([request(RED)])[0].text == "a dog barks"
