"""The HTTP API: what it tells of a library, searches, answers in events, chats, its own pages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from pipeline.apps.serving import shapes
from pipeline.library import Library
from pipeline.types import Answer, SearchResult
from tests.command import write_rows
from tests.openai_stub import OpenAIStub, Status
from tests.served import FERRY, RIVER, Server, library_of, served


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    with library_of(tmp_path_factory.mktemp("served"), *RIVER) as made:
        yield made


@pytest.fixture(scope="module")
def server(library: Library) -> Iterator[Server]:
    with served(library) as running:
        yield running


# ---------------------------------------------------------------- the library


def test_status_doctor_and_videos_are_of_the_shapes_that_the_documentation_gives(
    server: Server,
) -> None:
    status = shapes.Status.model_validate(server.get("/api/status").json())
    assert status.counts["videos"] == 2 and status.version
    assert shapes.Doctor.model_validate(server.get("/api/doctor").json()).ok
    videos = shapes.Videos.model_validate(server.get("/api/videos").json())
    assert [video.title for video in videos.videos] == ["Harbour radio", "Town council"]
    assert videos.total == 2 and videos.videos[0].thumbnail == ""  # there is no file


def test_videos_are_found_by_words_of_their_title_a_page_at_a_time(server: Server) -> None:
    assert server.get("/api/videos?q=RADIO+harbour").json()["videos"][0]["video_id"] == "radio"
    page = server.get("/api/videos?limit=1&offset=1").json()
    assert [video["video_id"] for video in page["videos"]] == ["council"] and page["total"] == 2
    assert server.get("/api/videos?q=nothing").json() == {"videos": [], "total": 0}


def test_a_video_is_shown_with_its_text_and_how_it_plays(server: Server) -> None:
    shown = shapes.Shown.model_validate(server.get("/api/videos/council").json())
    said = shown.segments[0]
    assert said.text.startswith("Maren Oduya") and said.speaker == "Chair" and said.number == 1
    assert shown.playback.kind == "none", "there is no file to play"


# ---------------------------------------------------------------- questions


def test_search_gives_what_the_command_line_gives(server: Server, library: Library) -> None:
    found = server.get("/api/search", params={"q": "ferry line", "k": 1}).json()
    TypeAdapter(SearchResult).validate_python(found)
    (expected,) = library.search("ferry line", k=1).moments
    (moment,) = found["moments"]
    assert (moment["video_id"], moment["text"]) == (expected.video_id, expected.text)


def test_search_is_narrowed_by_the_same_filters(server: Server) -> None:
    asked: dict[str, Any] = {"q": "the morning", "video": ["radio"], "source": ["speech"]}
    found = server.get("/api/search", params=asked).json()["moments"]
    assert {moment["video_id"] for moment in found} == {"radio"}
    none = server.get("/api/search", params={"q": "ferry", "after": "2999-01-01"})
    assert none.json()["moments"] == []


def test_the_same_search_is_answered_again_until_something_is_written(tmp_path: Path) -> None:
    with library_of(tmp_path, *RIVER) as library, served(library) as server:
        first = server.get("/api/search?q=geese")
        assert server.get("/api/search?q=geese").content == first.content
        assert server.get("/api/search?q=geese&k=1").content != first.content
        more = {"video_id": "zoo", "start": 0, "end": 5, "text": "Forty geese, geese, geese."}
        # Another process may have written it: the server is told by the catalog alone.
        with Library(library.path, library.settings) as other:
            other.import_rows(write_rows(tmp_path / "more.jsonl", more))
        found = server.get("/api/search?q=geese").json()["moments"]
    assert "zoo" in {moment["video_id"] for moment in found}, "no restart was needed"


def test_search_as_you_type_asks_no_language_model_unless_told_to(tmp_path: Path) -> None:
    with (
        OpenAIStub(["The ferry line was proposed by Maren Oduya."]) as stub,
        library_of(
            tmp_path, *RIVER, endpoint=stub.url, language_model="openai:stub-model", profile="auto"
        ) as library,
        served(library) as server,
    ):
        assert server.get("/api/search?q=ferry").status_code == 200
        assert not stub.requests
        assert server.get("/api/search?q=ferry&expand=true").status_code == 200
        assert stub.requests


def test_an_answer_is_that_of_ask_json(server: Server) -> None:
    answer = server.post("/api/ask", {"question": FERRY}).json()
    TypeAdapter(Answer).validate_python(answer)
    assert "Maren Oduya" in answer["answer"] and answer["citations"][0]["video_id"] == "council"
    assert "trace" not in answer


def test_a_streamed_answer_comes_as_evidence_sentences_and_the_answer(server: Server) -> None:
    events = server.events("/api/ask/stream", {"question": FERRY, "form": "short"})
    names = [name for name, _ in events]
    assert names[0] == "evidence" and names[-1] == "answer" and set(names[1:-1]) == {"sentence"}
    told = dict(events)
    assert told["evidence"]["form"] == "short" and told["evidence"]["moments"]
    answer = told["answer"]
    assert [value["sentence"] for name, value in events if name == "sentence"] == answer[
        "sentences"
    ]
    direct = server.post("/api/ask", {"question": FERRY, "form": "short"}).json()
    assert {**answer, "took_ms": {}} == {**direct, "took_ms": {}}


def test_filters_of_a_question_narrow_what_it_is_answered_from(server: Server) -> None:
    answer = server.post("/api/ask", {"question": FERRY, "video": ["radio"]}).json()
    assert {moment["video_id"] for moment in answer["moments"]} <= {"radio"}


def test_what_fails_before_the_first_event_has_a_status_of_its_own(tmp_path: Path) -> None:
    with (
        OpenAIStub([Status(401, "wrong key")]) as stub,
        library_of(
            tmp_path, *RIVER, endpoint=stub.url, language_model="openai:stub-model",
            expansion="none", profile="auto",
        ) as library,
        served(library) as server,
    ):  # fmt: skip
        for path in ("/api/ask", "/v1/chat/completions"):
            body: dict[str, Any] = {"question": FERRY}
            if path.startswith("/v1"):
                body = {"model": "footnote", "messages": [{"role": "user", "content": FERRY}]}
            assert server.post(path, body).status_code == 503
        events = server.events("/api/ask/stream", {"question": FERRY})
    assert [name for name, _ in events] == ["evidence", "error"]
    assert events[1][1]["error"]["code"] == "model_unavailable"
    assert "FOOTNOTE_API_KEY" in events[1][1]["error"]["hint"]


# ---------------------------------------------------------------- chats


def test_a_chat_understands_follow_ups_and_is_kept(server: Server, library: Library) -> None:
    chat = server.post("/api/chats", {}).json()["chat_id"]
    assert server.get(f"/api/chats/{chat}").json() == {"chat_id": chat, "turns": []}
    events = server.events(f"/api/chats/{chat}/stream", {"question": FERRY})
    assert [name for name, _ in events][:2] == ["turn", "evidence"]
    assert events[0][1] == {"standalone": FERRY, "clarify": [], "videos": []}
    told = dict(server.events(f"/api/chats/{chat}/stream", {"question": "When was that said?"}))
    assert "0:00" in told["answer"]["answer"], "the rules recall the quote's place"
    kept = server.get(f"/api/chats/{chat}").json()["turns"]
    assert [turn["asked"] for turn in kept] == [FERRY, "When was that said?"]
    assert kept[0]["answer"]["citations"][0]["quote"].startswith("Maren Oduya")
    assert [turn.asked for turn in library.chat(chat).turns] == [turn["asked"] for turn in kept]
    listed = server.get("/api/chats").json()["chats"]
    assert (listed[0]["chat_id"], listed[0]["turns"], listed[0]["asked"]) == (chat, 2, FERRY)
    assert server.client.delete(f"/api/chats/{chat}").status_code == 204
    assert server.get(f"/api/chats/{chat}").status_code == 404
    assert server.client.delete(f"/api/chats/{chat}").status_code == 404


def test_two_chats_that_are_begun_are_two(server: Server) -> None:
    one, two = (server.post("/api/chats", {}).json()["chat_id"] for _ in range(2))
    assert one != two


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/videos/nobody", 404, "video_not_found"),
        ("/api/search?q=", 400, "usage"),
        ("/api/search", 400, "usage"),
        ("/api/search?q=x&k=0", 400, "usage"),
        ("/api/search?q=x&source=smell", 400, "usage"),
        ("/api/search?q=x&after=yesterday", 400, "usage"),
        ("/api/jobs/none", 404, "job_not_found"),
        ("/api/jobs/none/events", 404, "job_not_found"),
        ("/api/nothing", 404, "not_found"),
        ("/static/nothing.js", 404, "not_found"),
    ],
)
def test_an_error_is_one_shape_with_its_status(
    server: Server, path: str, status: int, code: str
) -> None:
    response = server.get(path)
    assert response.status_code == status
    error = shapes.Problems.model_validate(response.json()).error
    assert error.code == code and error.message


@pytest.mark.parametrize(
    "body", [{}, {"question": ""}, {"question": "x" * 5000}, {"question": "x", "colour": 1}, []]
)
def test_a_question_that_is_none_is_refused(server: Server, body: Any) -> None:
    response = server.post("/api/ask", body)
    assert response.status_code == 400 and response.json()["error"]["code"] == "usage"


def test_an_empty_library_says_so(tmp_path: Path) -> None:
    with library_of(tmp_path) as library, served(library) as server:
        response = server.get("/api/search?q=x")
        assert response.status_code == 409
        error = response.json()["error"]
        assert error["code"] == "library_not_found"
        assert str(tmp_path) not in response.text, "no folder of this disk is told"
        assert server.get("/api/videos").json() == {"videos": [], "total": 0}


def test_a_bug_is_told_to_the_log_alone(
    server: Server, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError(f"secret {library.path}")

    monkeypatch.setattr(library, "status", broken)
    response = server.get("/api/status")
    assert response.status_code == 500 and response.json()["error"]["code"] == "bug"
    assert "secret" not in response.text and str(library.path) not in response.text
    assert response.headers["x-content-type-options"] == "nosniff"


# ---------------------------------------------------------------- the page, the documentation


def test_the_page_is_the_same_under_all_its_addresses(server: Server) -> None:
    page = server.get("/")
    assert page.headers["content-type"].startswith("text/html")
    for path in ("/video/council?t=3", "/chat", "/add", "/status"):
        assert server.get(path).content == page.content


def test_every_file_that_the_page_names_is_there_and_is_not_sent_twice(server: Server) -> None:
    named = re.findall(r'(?:src|href)="(/static/[^"]+)"', server.get("/").text)
    assert named
    for path in named:
        response = server.get(path)
        assert response.status_code == 200, path
        again = server.get(path, headers={"if-none-match": response.headers["etag"]})
        assert again.status_code == 304 and not again.content


def test_the_documentation_names_every_route_and_loads_nothing_from_elsewhere(
    server: Server,
) -> None:
    document = server.get("/openapi.json").json()
    page = server.get("/docs").text
    assert {"/api/search", "/api/ask/stream", "/v1/chat/completions"} <= set(document["paths"])
    for path in document["paths"]:
        assert path.replace("{", "&#123;") in page or path in page
    assert "<script" not in page and not re.search(r'(?:src|href)="(?:https?:)?//', page)
    ask = document["paths"]["/api/ask"]["post"]["responses"]["200"]
    assert ask["content"]["application/json"]["schema"]["$ref"].endswith("/Answer")
    json.dumps(document)


# ---------------------------------------------------------------- files to keep


def test_a_video_and_an_answer_are_handed_out_as_files(server: Server) -> None:
    kept = server.get("/api/videos/council/export?format=vtt")
    assert kept.status_code == 200 and kept.headers["content-type"].startswith("text/vtt")
    assert "Maren Oduya" in kept.text
    assert kept.headers["content-disposition"].startswith("attachment; filename*=UTF-8''")
    answer = server.post("/api/ask", {"question": FERRY}).json()
    table = server.post("/api/answers/export?format=csv", answer)
    assert table.status_code == 200 and "Maren Oduya" in table.text
    for path in ("/api/videos/council/export?format=x", "/api/videos/council/export"):
        assert server.get(path).status_code == 400
    assert server.post("/api/answers/export?format=csv", {"answer": 1}).status_code == 400


def test_a_reel_is_a_job(server: Server) -> None:
    answer = server.post("/api/ask", {"question": FERRY}).json()
    begun = server.post("/api/answers/export?format=reel", answer)
    assert begun.status_code == 202
    events = server.events(f"/api/jobs/{begun.json()['job_id']}/events")
    job = events[-1][1]
    assert (job["kind"], job["state"]) == ("reel", "failed"), "there is no file to film"
    assert job["error"]["code"] == "usage" and job["file"] == ""
