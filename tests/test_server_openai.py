"""The library as a model: the official `openai` client against a real server on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from pipeline.apps.serving.context import ServerOptions
from pipeline.apps.serving.openai_text import Writing, escaped, turns_of
from pipeline.library import Library
from pipeline.types import Answer, ChatTurn, Citation, Nearby, Sentence
from tests.openai_stub import OpenAIStub
from tests.served import FERRY, RIVER, Server, library_of, served

TOKEN = "a token that is long enough"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    with library_of(tmp_path_factory.mktemp("model"), *RIVER) as made:
        yield made


@pytest.fixture(scope="module")
def server(library: Library) -> Iterator[Server]:
    with served(library, ServerOptions(token=TOKEN)) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=TOKEN, max_retries=0) as made:
        yield made


def asked(*texts: str) -> list[ChatCompletionMessageParam]:
    """Messages of a user and of the assistant in turn."""
    made: list[ChatCompletionMessageParam] = []
    for place, text in enumerate(texts):
        if place % 2:
            made.append({"role": "assistant", "content": text})
        else:
            made.append({"role": "user", "content": text})
    return made


def test_the_library_is_the_one_model(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["footnote"]
    assert client.models.retrieve("footnote").owned_by == "footnote"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-4o")


def test_an_answer_cites_with_links_and_annotations(client: openai.OpenAI, server: Server) -> None:
    found = client.chat.completions.create(model="footnote", messages=asked(FERRY))
    (choice,) = found.choices
    text = choice.message.content or ""
    page = f"{server.url}/video/council?t=0"
    assert f"[[1]]({page})" in text and "Maren Oduya" in text
    assert f"Sources:\n1. [Town council, 0:00]({page})" in text
    assert choice.message.annotations
    cited = choice.message.annotations[0].url_citation
    assert text[cited.start_index : cited.end_index] == f"[[1]]({page})"
    assert (cited.url, cited.title) == (page, "Town council, 0:00")
    assert choice.finish_reason == "stop" and found.model == "footnote"
    assert server.client.get(page, headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_a_stream_says_the_same(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model="footnote", messages=asked(FERRY))
    chunks = list(
        client.chat.completions.create(
            model="footnote",
            messages=asked(FERRY),
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    *said, last = chunks
    text = "".join(chunk.choices[0].delta.content or "" for chunk in said)
    assert text == whole.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in said][-2:] == [None, "stop"]
    assert len({chunk.id for chunk in chunks}) == 1
    told = [
        chunk.choices[0].delta.annotations  # type: ignore[attr-defined]
        for chunk in said
        if "annotations" in (chunk.choices[0].delta.model_extra or {})
    ]
    annotations = whole.choices[0].message.annotations
    assert annotations and told == [[one.model_dump() for one in annotations]]
    assert last.choices == [] and last.usage is not None
    assert all(chunk.usage is None for chunk in said)


def test_without_being_asked_for_usage_a_stream_has_none(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(model="footnote", messages=asked(FERRY), stream=True)
    assert all(chunk.choices and chunk.usage is None for chunk in stream)


def test_a_follow_up_builds_on_the_messages_before_it(client: openai.OpenAI) -> None:
    first = client.chat.completions.create(model="footnote", messages=asked(FERRY))
    answer = first.choices[0].message.content or ""
    followed = client.chat.completions.create(
        model="footnote", messages=asked(FERRY, answer, "When was that said?")
    )
    text = followed.choices[0].message.content or ""
    assert text.startswith("Chair, in Town council, at") and "/video/council?t=0" in text
    alone = client.chat.completions.create(model="footnote", messages=asked("When was that said?"))
    assert "Chair, in Town council" not in (alone.choices[0].message.content or "")


def test_what_steers_other_models_is_tolerated(client: openai.OpenAI) -> None:
    found = client.chat.completions.create(
        model="footnote",
        messages=[
            {"role": "system", "content": "You are a pirate."},
            {"role": "user", "content": [{"type": "text", "text": FERRY}]},
        ],
        temperature=0.7,
        max_tokens=5,
        top_p=0.1,
        presence_penalty=1,
        seed=7,
        stop=["x"],
        user="somebody",
        tools=[{"type": "function", "function": {"name": "f", "parameters": {}}}],
        extra_body={"anything": {"else": 1}},
    )
    assert "Maren Oduya" in (found.choices[0].message.content or "")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": ""}]}, "messages"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "messages"),
        ({"messages": [{"role": "user", "content": "x" * 5000}]}, "messages"),
        ({"n": 2}, "n"),
        ({"stream": "perhaps"}, "stream"),
        ({"messages": None}, "messages"),
    ],
)
def test_a_wrong_request_is_refused_in_openais_words(
    client: openai.OpenAI, server: Server, body: dict[str, Any], param: str
) -> None:
    sent = {"model": "footnote", "messages": [{"role": "user", "content": FERRY}], **body}
    headers = {"authorization": f"Bearer {TOKEN}"}
    response = server.post("/v1/chat/completions", sent, headers=headers)
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["type"] == "invalid_request_error" and error["message"]
    assert error["param"] == param


def test_the_clients_own_errors(client: openai.OpenAI, server: Server) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="gpt-4o", messages=asked(FERRY))
    assert missing.value.code == "model_not_found"
    stranger = openai.OpenAI(base_url=f"{server.url}/v1", api_key="wrong", max_retries=0)
    with stranger, pytest.raises(openai.AuthenticationError):
        stranger.models.list()


def test_tokens_are_those_of_the_language_model_behind_it(tmp_path: Path) -> None:
    with (
        OpenAIStub(["Maren Oduya proposed the ferry line to Port Ambry. [1]"]) as stub,
        library_of(
            tmp_path, *RIVER, endpoint=stub.url, language_model="openai:stub-model",
            expansion="none", profile="auto",
        ) as library,
        served(library) as server,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client,
    ):  # fmt: skip
        found = client.chat.completions.create(model="footnote", messages=asked(FERRY))
        assert found.usage and found.usage.total_tokens > 0
        assert "Maren Oduya proposed the ferry line to Port Ambry. [[1]](" in (
            found.choices[0].message.content or ""
        )


# ---------------------------------------------------------------- as Markdown, and back


def citation(marker: int, video_id: str = "council", **more: Any) -> Citation:
    given: dict[str, Any] = {"title": "Town council", "start": 6.04, "end": 12.0, "quote": "q"}
    given |= {"source": "speech", "verdict": "supported", "link": "file:///srv/a.mp4#t=6"} | more
    return Citation(marker, video_id, **given)


def test_text_of_videos_cannot_make_links_pictures_or_html() -> None:
    writing = Writing("http://here/")
    hostile = "![x](https://evil.example/?q=1) <img src=x> [1](javascript:x) `a` \\["
    writing.sentence(Sentence(hostile, (1,), "supported"), [citation(1, title=hostile)], "short")
    writing.rest(Answer("q", "", False, 1.0, (Sentence("", (), "supported"),), (), (), {}, {}))
    text = writing.text
    for at, sign in enumerate(text):
        if sign in "<`":
            assert text[at - 1] == "\\"
    own = text.replace("\\[", "").replace("\\]", "").replace("\\\\", "")
    assert own.count("](") == 2, "the marker and the source, and nothing else, are links"
    assert "file:" not in text, "a file of this machine opens nothing elsewhere"
    assert escaped("[") == "\\["


def test_a_sentence_that_nothing_carries_is_struck() -> None:
    text = Writing("http://here").sentence(
        Sentence("It rained", (1,), "unsupported"), [citation(1)], "short"
    )
    assert text.startswith("~~It rained~~ (unsupported) [[1]]")


def test_sentences_stand_on_lines_of_their_own_where_the_form_wants_it() -> None:
    writing = Writing("http://here")
    for place in (1, 2):
        writing.sentence(Sentence(f"step {place}", (1,), "supported"), [citation(1)], "howto")
    assert writing.text.count("\n") == 1
    for one in writing.annotations:
        assert writing.text[one.start : one.end] == "[[1]](http://here/video/council?t=6)"


def test_an_abstention_names_what_is_near() -> None:
    near = Nearby("radio", "Harbour radio", 3.0, 9.0, "geese")
    answer = Answer("q", "The library does not answer this.", True, 0.0, (), (), (), {}, {},
                    nearby=(near,))  # fmt: skip
    writing = Writing("http://here")
    writing.rest(answer)
    assert writing.text.startswith("The library does not answer this.")
    assert "- [Harbour radio, 0:03](http://here/video/radio?t=3)" in writing.text
    assert not writing.annotations


class Known:
    """The videos of a library, as `turns_of` asks for them."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.video = library.video

    def segments(self, reference: str) -> Any:
        return self.library.show(reference)[1]


def test_what_was_answered_is_read_back_from_its_links(library: Library) -> None:
    with_source = library.ask(FERRY)
    writing = Writing("http://here")
    for sentence in with_source.sentences:
        writing.sentence(sentence, with_source.citations, "short")
    writing.rest(with_source)
    gone = "Gone [[1]](http://x/video/nobody?t=1)."
    asked_twice = [("user", "no answer"), ("user", "again"), ("assistant", gone)]
    messages = [("user", FERRY), ("assistant", writing.text), *asked_twice]
    first, second = turns_of(messages, Known(library), 6)
    assert first.asked == FERRY
    assert [c.quote for c in first.answer.citations] == [
        "Maren Oduya proposed the ferry line to Port Ambry in spring."
    ]
    assert first.answer.citations[0].speaker == "Chair"
    assert "Sources" not in first.answer.answer
    assert first.answer.sentences[0].text == with_source.sentences[0].text
    assert second.asked == "again" and not second.answer.citations
    assert len(turns_of(messages, Known(library), 1)) == 1


def test_readings_that_were_offered_are_read_back() -> None:
    answer = Answer("q", "?", True, 0.0, (), (), (), {}, {})
    labels, offered = ("Council [2024]", "Radio"), ("council", "radio")
    turn = ChatTurn(1, "q", "q", answer, clarify=labels, offered=offered)
    text = Writing("http://here").asked_back(turn)
    (back,) = turns_of([("user", "q"), ("assistant", text)], None, 6)  # type: ignore[arg-type]
    assert (back.clarify, back.offered) == (labels, offered)
