"""Who is served: hosts, origins, tokens, bodies, and what no answer may tell."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request

from pipeline.apps.server import address, options_for
from pipeline.apps.serving.context import ServerOptions, is_loopback
from pipeline.apps.serving.job_routes import checked_paths
from pipeline.apps.serving.looking_up import visible_to
from pipeline.apps.serving.pages import StaticFiles
from pipeline.apps.serving.problems import Refused, without_folders
from pipeline.errors import UsageError
from pipeline.library import Library
from pipeline.settings import Settings
from tests.served import FERRY, RIVER, Server, library_of, served

TOKEN = "a token that is long enough"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    with library_of(tmp_path_factory.mktemp("guarded"), *RIVER) as made:
        yield made


@pytest.fixture(scope="module")
def server(library: Library) -> Iterator[Server]:
    with served(library) as running:
        yield running


@pytest.fixture(scope="module")
def closed(library: Library) -> Iterator[Server]:
    """One that asks for a token, and is known under a name."""
    options = ServerOptions(token=TOKEN, allow_hosts=("videos.example.org",))
    with served(library, options) as running:
        yield running


# ---------------------------------------------------------------- hosts


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:{port}", "[::1]:{port}", "LocalHost:1"])
def test_it_answers_under_the_names_of_loopback(server: Server, host: str) -> None:
    headers = {"host": host.format(port=server.port)}
    assert server.get("/api/status", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:{port}", "localhost.evil.example", "localhost@evil.example",
     "192.168.1.5", "", "a b", "127.0.0.1.nip.io"],
)  # fmt: skip
def test_a_name_that_was_made_to_point_here_is_refused(server: Server, host: str) -> None:
    """DNS rebinding: the page's own name leads to this server, and its scripts read all."""
    for path in ("/", "/api/status", "/static/app.js", "/v1/models"):
        response = server.get(path, headers={"host": host.format(port=server.port)})
        assert response.status_code == 403 and "videos" not in response.text


def test_other_names_are_those_that_are_allowed(closed: Server) -> None:
    headers = {"host": "videos.example.org", "authorization": f"Bearer {TOKEN}"}
    assert closed.get("/api/status", headers=headers).status_code == 200
    headers["host"] = "other.example.org"
    assert closed.get("/api/status", headers=headers).status_code == 403


# ---------------------------------------------------------------- origins


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_page_of_another_site_can_neither_act_nor_read(
    server: Server, headers: dict[str, str]
) -> None:
    assert server.post("/api/chats", {}, headers=headers).status_code == 403
    assert server.get("/api/videos", headers=headers).status_code == 403
    response = server.client.delete("/api/chats/x", headers=headers)
    assert response.json()["error"]["code"] == "origin"


def test_the_page_itself_may_and_a_link_may_be_followed(server: Server) -> None:
    own = {"origin": server.url, "sec-fetch-site": "same-origin"}
    assert server.post("/api/chats", {}, headers=own).status_code == 200
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert server.get("/video/council?t=3", headers=link).status_code == 200
    assert server.post("/api/chats", {}, headers=link).status_code == 403


def test_what_a_form_can_send_is_no_request(server: Server) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        response = server.client.post(
            "/api/ask", content=b'{"question": "x"}', headers={"content-type": kind}
        )
        assert response.status_code == 415, kind
        upload = server.client.post(
            "/api/uploads?name=a.mp4", content=b"x", headers={"content-type": kind}
        )
        assert upload.status_code == 415, kind


def test_a_body_that_is_too_long_is_refused_whatever_it_says_of_its_length(server: Server) -> None:
    headers = {"content-type": "application/json"}
    long = b'{"question": "' + b"x" * (5 << 20) + b'"}'
    assert server.client.post("/api/ask", content=long, headers=headers).status_code == 413
    pieces = (long[at : at + 65536] for at in range(0, len(long), 65536))
    assert server.client.post("/api/ask", content=pieces, headers=headers).status_code == 413


# ---------------------------------------------------------------- tokens


def test_without_the_token_nothing_is_told(closed: Server) -> None:
    for path in ("/api/status", "/static/app.js", "/openapi.json", "/v1/models", "/docs"):
        response = closed.get(path)
        assert response.status_code == 401 and response.headers["www-authenticate"] == "Bearer"
    assert closed.post("/api/ask", {"question": FERRY}).status_code == 401


@pytest.mark.parametrize("given", [TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "", "ä", "Bearer"])
def test_a_wrong_token_is_none(closed: Server, given: str) -> None:
    headers = {"authorization": f"Bearer {given}".strip().encode()}
    assert closed.client.get("/api/status", headers=headers).status_code == 401
    with httpx.Client(base_url=closed.url, trust_env=False) as browser:
        assert "set-cookie" not in browser.get("/", params={"token": given}).headers
        assert browser.get("/api/status").status_code == 401


def test_the_token_in_the_address_becomes_a_cookie_that_scripts_cannot_read(
    closed: Server,
) -> None:
    with httpx.Client(base_url=closed.url, trust_env=False) as browser:
        response = browser.get("/video/council", params={"token": TOKEN, "t": "3"})
        assert response.status_code == 303
        assert response.headers["location"] == "/video/council?t=3", "the token leaves the address"
        cookie = response.headers["set-cookie"]
        assert "HttpOnly" in cookie and "samesite=strict" in cookie.lower()
        assert TOKEN not in cookie
        assert browser.get("/api/status").status_code == 200
        assert browser.post("/api/chats", json={}).status_code == 200


def test_a_redirect_never_leads_to_another_server(closed: Server) -> None:
    for path in ("//evil.example/", "/\\evil.example/"):
        target = f"{path}?token={'+'.join(TOKEN.split())}"
        with httpx.Client(base_url=closed.url, trust_env=False) as browser:
            request = browser.build_request("GET", closed.url)
            request.url = httpx.URL(closed.url).copy_with(raw_path=target.encode())
            location = browser.send(request).headers["location"]
        assert re.match(r"/[^/\\]", location) or location == "/", location


def test_a_browser_without_the_token_is_asked_for_it(closed: Server) -> None:
    accept = {"accept": "text/html"}
    response = closed.get("/", headers=accept)
    assert response.status_code == 401 and "<form" in response.text
    assert "refresh" not in response.text
    # A link in another site's page comes without the cookie, and is asked again from here.
    link = {**accept, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    followed = closed.get('/video/council?t=3"><script>', headers=link).text
    assert "url=/video/council?t=3" in followed and "<script>" not in followed


# ---------------------------------------------------------------- what is told


def test_every_answer_has_the_headers_that_keep_a_browser_in(server: Server) -> None:
    for path in ("/", "/api/status", "/api/nothing", "/docs", "/api/search", "/static/app.js"):
        headers = server.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff", path
    assert server.get("/", headers={"host": "evil.example"}).headers["x-frame-options"] == "DENY"


def test_no_page_has_a_script_or_a_style_in_it(server: Server) -> None:
    for path in ("/", "/docs"):
        page = server.get(path).text
        assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>|<style|\bon\w+=|\bstyle=", page), path


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("/home/me/talks/a.mp4 is not there any more", "a.mp4 is not there any more"),
        ("open file:///srv/x y/b.mkv now", "open y/b.mkv now"),
        ("~/talks/a.mp4 and C:\\films\\b.avi", "a.mp4 and b.avi"),
        ("see https://example.org/a/b and 3/4 of it", "see https://example.org/a/b and 3/4 of it"),
        ("the endpoint http://127.0.0.1:1/v1 (m) failed", "the endpoint http://127.0.0.1:1/v1 (m)"
         " failed"),
    ],
)  # fmt: skip
def test_messages_keep_no_folder(message: str, told: str) -> None:
    if "x y" in message:  # a space ends a path: its folders go, what follows is left
        assert "srv" not in without_folders(message)
    else:
        assert without_folders(message) == told


def test_who_is_elsewhere_is_told_no_folder(library: Library, closed: Server) -> None:
    here = closed.get("/api/status", headers={"authorization": f"Bearer {TOKEN}"})
    assert here.json()["library"] == str(library.path)
    headers = {"authorization": f"Bearer {TOKEN}", "host": "videos.example.org"}
    assert str(library.path.parent) not in closed.get("/api/status", headers=headers).text
    proxied = {"authorization": f"Bearer {TOKEN}", "x-forwarded-for": "10.0.0.9"}
    assert str(library.path.parent) not in closed.get("/api/status", headers=proxied).text


@pytest.mark.parametrize("name", ["missing", "incomplete", "reason", "path"])
def test_what_an_answer_lacks_is_told_elsewhere_without_its_folder(name: str) -> None:
    scope = {"type": "http", "client": ("10.0.0.9", 1), "headers": [(b"host", b"localhost")]}
    told = visible_to(Request(scope), {"rows": [{name: ["footnote add /home/me/talks"]}]})
    assert told == {"rows": [{name: ["footnote add talks"]}]}


# ---------------------------------------------------------------- files


def test_no_path_leads_out_of_the_folder_of_the_page(server: Server, tmp_path: Path) -> None:
    for path in (
        "/static/../server.py", "/static/%2e%2e/server.py", "/static/..%2fserver.py",
        "/static/%2fetc/passwd", "/static//etc/passwd", "/static/%5c..%5cserver.py",
    ):  # fmt: skip
        request = server.client.build_request("GET", server.url)
        request.url = httpx.URL(server.url).copy_with(raw_path=path.encode())
        assert server.client.send(request).status_code == 404, path


def test_a_link_in_the_folder_of_the_page_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    web = tmp_path / "web"
    web.mkdir()
    (web / "a.js").write_text("1")
    os.symlink(tmp_path / "secret", web / "b.js")
    os.symlink(tmp_path, web / "up")
    files = StaticFiles(web)
    assert files._file("a.js").content == b"1"
    for name in ("b.js", "up/secret", "../secret", str(tmp_path / "secret"), "", ".", "a.js/"):
        with pytest.raises(Refused):
            files._file(name)


def test_paths_are_added_only_from_folders_that_are_allowed(tmp_path: Path) -> None:
    films, other = tmp_path / "films", tmp_path / "other"
    for folder in (films, other):
        folder.mkdir()
        (folder / "a.mp4").write_bytes(b"x")
    library, allowed = tmp_path / "library", (films.resolve(),)

    def added(*paths: Path, local: bool = True, some: tuple[Path, ...] = allowed) -> list[str]:
        given = [str(path) for path in paths]
        return [str(path) for path in checked_paths(given, library, some, local=local)]

    assert added(films) == [str(films / "a.mp4")]
    assert added(films, local=False), "who is elsewhere may, where a folder is named"
    assert added(other, some=()), "who sits here may, where none is"
    for paths, local, some in (
        ((other,), True, allowed),
        ((films / ".." / "other",), True, allowed),
        ((tmp_path / "films2",), True, allowed),
        ((other,), False, ()),
        ((films,), False, ()),
    ):
        with pytest.raises(Refused) as refusal:
            added(*paths, local=local, some=some)
        assert refusal.value.status == 403 and str(tmp_path) not in refusal.value.message
    os.symlink(other / "a.mp4", films / "b.mp4")
    with pytest.raises(Refused):
        added(films)
    with pytest.raises(UsageError):
        added(tmp_path / "nowhere", some=())


def test_adding_by_path_is_for_who_sits_here(closed: Server, tmp_path: Path) -> None:
    headers = {"authorization": f"Bearer {TOKEN}", "host": "videos.example.org"}
    response = closed.post("/api/jobs", {"paths": [str(tmp_path)]}, headers=headers)
    assert response.status_code == 403 and "--allow-path" in response.json()["error"]["hint"]


# ---------------------------------------------------------------- options


def test_what_others_can_reach_has_a_token() -> None:
    assert [is_loopback(h) for h in ("127.0.0.1", "::1", "localhost", "127.9.9.9")] == [True] * 4
    for host in ("0.0.0.0", "::", "192.168.1.5", "example.org", ""):
        assert not is_loopback(host)
        with pytest.raises(UsageError):
            ServerOptions(host=host)
        made = options_for(Settings(), host, 8460)
        assert len(made.token) >= 32 and f"?token={made.token}" in address(made)
    assert options_for(Settings(), "127.0.0.1", 8460).token == ""
    assert options_for(Settings(), "127.0.0.1", 8460, allow_hosts=("a.example",)).token
    own = Settings.model_validate({"serve_token": TOKEN})
    assert options_for(own, "0.0.0.0", 8460).token == TOKEN
    with pytest.raises(UsageError):
        options_for(Settings(), "127.0.0.1", 8460, "short")
