"""Budgets: never more is spent than was allowed, by threads, processes, and after a kill."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.errors import SettingsError, UsageError
from pipeline.ingest.rounds import in_rounds, merged
from pipeline.ingest.spending import (
    FIRST_CALLS,
    Prices,
    Purse,
    adopt_budget,
    open_purse,
    read_allowance,
    rest_of,
)
from pipeline.settings import Settings
from pipeline.store.catalog import Catalog
from pipeline.types import Allowance, BudgetState, Reply, Spent, StageRecord, VideoReport
from tests import clips
from tests.command import Footnote
from tests.openai_stub import Hang, OpenAIStub, Request
from tests.openai_stub import Reply as StubReply

REPLY = Reply("A harbour.", 1000, 100)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(tmp_path / "library", create=True) as catalog:
        yield catalog


def purse_of(
    ledger: Catalog, budget: str, prices: Prices | None = None, clock: Clock | None = None
) -> Purse:
    state = adopt_budget(ledger, read_allowance(budget), False)
    return Purse(ledger, state, prices, now=clock or Clock())


def spent(ledger: Catalog) -> Spent:
    state = ledger.budget()
    assert state is not None
    return state.spent


# ---------------------------------------------------------------- what a budget is


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("200calls", Allowance(200, "calls")),
        (" 1 call ", Allowance(1, "calls")),
        ("1.5 min", Allowance(1.5, "min")),
        (".5USD", Allowance(0.5, "usd")),
        ("0calls", Allowance(0, "calls")),
    ],
)
def test_a_budget_is_calls_minutes_or_usd(text: str, budget: Allowance) -> None:
    assert read_allowance(text) == budget


@pytest.mark.parametrize("text", ["12 bananas", "calls", "", "1.5calls", "-3usd", "1e9calls", "$2"])
def test_any_other_budget_shows_the_three_forms(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_allowance(text)
    assert all(form in caught.value.hint for form in ("200calls", "10min", "2usd"))


def test_the_same_budget_goes_on_and_more_begins_anew(ledger: Catalog) -> None:
    assert adopt_budget(ledger, None, False).allowance is None
    assert ledger.budget() is None, "no budget was ever given"
    first = adopt_budget(ledger, Allowance(20, "calls"), False)
    ledger.add_spent(first.number, Spent(8, 4.0, 80, 8, 0.5))
    again = adopt_budget(ledger, Allowance(20, "calls"), False)
    assert (again.number, rest_of(again)) == (first.number, 12)
    assert rest_of(adopt_budget(ledger, None, False)) == 12, "a plain add is under it too"
    assert rest_of(adopt_budget(ledger, Allowance(1, "usd"), False)) == 8, "half of it is spent"
    more = adopt_budget(ledger, Allowance(5, "calls"), True)
    assert (more.spent, rest_of(more)) == (Spent(), 5)
    assert rest_of(adopt_budget(ledger, None, True)) == math.inf
    assert rest_of(adopt_budget(ledger, None, False)) == math.inf, "until another one is given"
    assert rest_of(adopt_budget(ledger, Allowance(3, "calls"), False)) == 3


def test_usd_need_prices(ledger: Catalog) -> None:
    budget = Allowance(2, "usd")
    with pytest.raises(SettingsError, match="price_per_million_input"):
        open_purse(ledger, Settings(), "openai:gpt", budget)
    priced = Settings(price_per_million_input=1.0)
    with pytest.raises(SettingsError, match="runs on this machine"):
        open_purse(ledger, priced, "transformers:smol", budget)
    assert ledger.budget() is None, "nothing was put into force"
    with open_purse(ledger, priced, "openai:gpt", budget) as purse:
        assert purse.limited


# ---------------------------------------------------------------- the purse


def test_a_call_counts_when_it_is_booked_and_not_when_it_is_given_back(ledger: Catalog) -> None:
    purse = purse_of(ledger, "2calls")
    assert purse.take() and purse.take() and not purse.take(), "two are under way"
    purse.give_back()
    purse.book(REPLY, 1.0)
    assert (spent(ledger).calls, spent(ledger).prompt_tokens) == (1, 1000)
    assert purse.take() and not purse.take()
    purse.close()
    assert purse.room() == 1, "what was reserved and never made is free again"


def test_minutes_are_those_in_which_any_call_is_under_way(ledger: Catalog) -> None:
    clock = Clock()
    purse = purse_of(ledger, "1min", clock=clock)
    assert purse.take()
    clock.now = 10
    assert purse.take()
    clock.now = 30
    purse.book(REPLY, 30.0)
    clock.now = 50
    purse.book(REPLY, 40.0)
    assert spent(ledger).seconds == 50, "not 70: they overlapped"
    clock.now = 500
    assert purse.take(), "nothing was under way meanwhile"
    clock.now = 511
    assert not purse.take(), "with the call that is under way it is spent"
    purse.book(REPLY, 11.0)
    assert not purse.take()
    assert "1 min is spent" in purse.spent_text()


def test_usd_are_those_of_the_tokens(ledger: Catalog) -> None:
    purse = purse_of(ledger, "0.01usd", Prices(input=2.0, output=10.0))  # 0.003 a call
    taken = [purse.take() for _ in range(FIRST_CALLS + 1)]
    assert taken == [True] * FIRST_CALLS + [False], "a few, until it is known what one takes"
    for _ in range(FIRST_CALLS):
        purse.book(REPLY, 1.0)
    assert spent(ledger).usd == pytest.approx(0.012)
    assert not purse.take()
    purse = Purse(ledger, adopt_budget(ledger, Allowance(0.021, "usd"), False), Prices(2, 10))
    assert [purse.take() for _ in range(4)] == [True, True, True, False], "0.009 are left"


def test_a_price_that_cannot_be_told_is_not_spent_blindly(ledger: Catalog) -> None:
    purse = purse_of(ledger, "2usd", Prices(input=2.0))
    assert purse.take()
    purse.book(Reply("A harbour."), 1.0)
    assert not purse.take()
    assert "price_per_call" in purse.spent_text()
    purse = purse_of(ledger, "2usd", Prices(input=2.0, call=0.5))
    assert purse.take()
    purse.book(Reply("A harbour."), 1.0)
    assert spent(ledger).usd == 0.5


def test_without_a_budget_everything_is_paid_and_nothing_kept(ledger: Catalog) -> None:
    with Purse(ledger, BudgetState(0, None, Spent())) as purse:
        assert purse.take()
        purse.book(REPLY, 1.0)
    assert (purse.used.calls, purse.used.prompt_tokens) == (1, 1000)
    assert ledger.budget() is None


def test_threads_stay_within_the_budget_and_replies_are_kept_with_it(ledger: Catalog) -> None:
    purse = purse_of(ledger, "40calls")

    def describe(name: str) -> None:
        number = 0
        while purse.take():
            number += 1
            if number % 5 == 0:
                purse.give_back()
                continue
            with ledger.transaction():
                ledger.put_output(f"{name} {number}", "", b"A harbour.")
                purse.book(REPLY, 0.1)

    threads = [threading.Thread(target=describe, args=(str(n),)) for n in range(8)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began < 20, "booking in a transaction blocks nobody"
    assert spent(ledger).calls == ledger.counts()["outputs"] == 40
    assert purse.used.calls == 40


_SPENDER = """
import sys, time
from pathlib import Path
from pipeline.ingest.spending import Purse
from pipeline.store.catalog import Catalog
from pipeline.types import Reply
with Catalog(Path(sys.argv[1])) as ledger, Purse(ledger, ledger.budget()) as purse:
    print("ready", flush=True)
    sys.stdin.readline()
    while purse.take():
        time.sleep(0.001)
        purse.book(Reply("x"), 0.1)
    print(purse.used.calls)
"""


def spender(ledger: Catalog) -> subprocess.Popen[str]:
    root = str(Path(__file__).resolve().parent.parent)
    process = subprocess.Popen(
        [sys.executable, "-c", _SPENDER, str(ledger.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert process.stdout and process.stdout.readline() == "ready\n"
    return process


def test_processes_share_one_budget(ledger: Catalog) -> None:
    adopt_budget(ledger, Allowance(30, "calls"), False)
    processes = [spender(ledger) for _ in range(3)]
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    made = [int(process.communicate(timeout=30)[0]) for process in processes]
    assert sum(made) == spent(ledger).calls == 30


def test_what_a_killed_process_reserved_is_free_again(ledger: Catalog) -> None:
    number = adopt_budget(ledger, Allowance(3, "calls"), False).number
    code = _SPENDER.replace(
        'print("ready", flush=True)', 'purse.take(); print("ready", flush=True)'
    )
    root = str(Path(__file__).resolve().parent.parent)
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(ledger.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert process.stdout and process.stdout.readline() == b"ready\n"
    assert ledger.reserved(number) == 1
    process.kill()
    process.communicate()
    assert ledger.reserved(number) == 0


# ---------------------------------------------------------------- rounds


@dataclass
class View:
    worth: float
    described: bool = False


class Studio:
    """Videos with views of known worth, and what was run of them in which round."""

    def __init__(self, purse: Purse, **videos: list[float]) -> None:
        self.purse = purse
        self.views = {name: [View(worth) for worth in worths] for name, worths in videos.items()}
        self.rounds: list[tuple[list[str], tuple[str, ...]]] = []

    def run(self, files: Sequence[Path], leave: Collection[str]) -> Iterator[VideoReport]:
        self.rounds.append(([file.name for file in files], tuple(leave)))
        for file in files:
            calls = 0
            for view in self.views[file.name]:
                wanted = not view.described and view.worth >= self.purse.least_worth
                if wanted and self.purse.take():
                    self.purse.book(REPLY, 1.0)
                    view.described, calls = True, calls + 1
            done = sum(view.described for view in self.views[file.name])
            record = StageRecord("captions", "pending", f"{done}", model_calls=calls)
            status = "added" if len(self.rounds) == 1 else "unchanged"
            yield VideoReport(file.name, str(file), status, {"captions": record})

    def add(self, put_off: Collection[str] = ()) -> list[VideoReport]:
        files = [Path(name) for name in self.views]
        return merged(in_rounds(files, self.purse, self.run, self.views.__getitem__, put_off))

    def described(self) -> dict[str, list[float]]:
        return {name: [v.worth for v in some if v.described] for name, some in self.views.items()}


def test_a_budget_goes_to_the_most_worthy_views_of_all_videos(ledger: Catalog) -> None:
    studio = Studio(purse_of(ledger, "4calls"), a=[0.1, 0.9, 0.2], b=[0.3, 0.8, 1.5], c=[0.2])
    reports = studio.add(put_off=("levels",))
    assert studio.described() == {"a": [0.9], "b": [0.3, 0.8, 1.5], "c": []}
    assert studio.rounds == [
        (["a", "b", "c"], ("levels",)),
        (["a", "b"], ("levels",)),
        (["a", "b", "c"], ()),
    ], "levels are made once, when the text changes no more"
    assert [report.status for report in reports] == ["added"] * 3
    assert [report.stages["captions"].model_calls for report in reports] == [1, 3, 0]


def test_usd_are_spent_after_a_few_calls_have_told_what_one_takes(ledger: Catalog) -> None:
    prices = Prices(input=2.0, output=10.0)  # 0.003 a call
    studio = Studio(purse_of(ledger, "0.03usd", prices), a=[n / 10 for n in range(1, 9)], b=[2] * 8)
    studio.add()
    assert spent(ledger).calls == 10
    assert studio.described() == {"a": [0.7, 0.8], "b": [2] * 8}


def test_without_a_limit_and_with_nothing_left_there_is_one_round(ledger: Catalog) -> None:
    studio = Studio(Purse(ledger, BudgetState(0, None, Spent())), a=[0.1, 0.2], b=[0.3])
    studio.add(put_off=("levels",))
    assert studio.described() == {"a": [0.1, 0.2], "b": [0.3]}
    assert studio.rounds == [(["a", "b"], ())]
    studio = Studio(purse_of(ledger, "0calls"), a=[0.1])
    studio.add(put_off=("levels",))
    assert (studio.described(), studio.rounds) == ({"a": []}, [(["a"], ())])


# ---------------------------------------------------------------- whole runs


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three videos of eight scenes; a caption is one call for one picture."""
    monkeypatch.setenv("FOOTNOTE_SCREEN_READER", "fake:Departures")
    monkeypatch.setenv("FOOTNOTE_CAPTION_SECONDS", "2")
    monkeypatch.setenv("FOOTNOTE_CAPTION_IMAGES", "1")
    videos = tmp_path / "videos"
    videos.mkdir()
    for n in range(3):
        parts = [(2.0, clips.texture(100 * n + k)) for k in range(8)]
        clips.write(videos / f"clip{n}.mp4", clips.scenes(*parts, fps=5), fps=5)
    return videos


def captions(footnote: Footnote) -> int:
    return sum(v["sources"].get("caption", 0) for v in footnote.json("list")["videos"])


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


def test_a_killed_run_goes_on_with_what_is_left_of_its_budget(
    footnote: Footnote, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered: list[Request] = []
    open_handed = threading.Event()

    def reply(request: Request) -> StubReply:
        if len(answered) >= 8 and not open_handed.is_set():
            return Hang()
        answered.append(request)
        return f"Boats in harbour number {len(answered)}."

    with OpenAIStub(reply) as stub:
        monkeypatch.setenv("FOOTNOTE_CAPTION_MODEL", "openai:stub-model")
        monkeypatch.setenv("FOOTNOTE_ENDPOINT", stub.url)
        command = [sys.executable, "-m", "pipeline.apps.cli", "add", str(folder), "--json"]
        root = str(Path(__file__).resolve().parent.parent)
        process = subprocess.Popen(
            [*command, "--budget", "20calls", "--library", str(footnote.library)],
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": root},
        )

        def booked() -> int:
            if not (footnote.library / "library.db").exists():
                return 0
            with Catalog(footnote.library) as ledger:
                state = ledger.budget()
            return state.spent.calls if state else 0

        wait_for(lambda: booked() == 8)
        process.send_signal(signal.SIGKILL)
        process.wait()
        open_handed.set()
        assert len(answered) == 8
        footnote.json("add", folder, "--budget", "20calls")
        assert len(answered) == booked() == 20, "12 more"
        plain = footnote.json("add", folder)
        assert len(answered) == 20, "a plain add leaves them"
        again = footnote.json("add", folder, "--budget", "20calls")
        assert len(answered) == 20
        assert again["videos"] == plain["videos"], "no stage was run"
        left = [v["stages"]["captions"]["reason"] for v in again["videos"]]
        assert any("footnote add --more goes on" in reason for reason in left)
        footnote.json("add", folder, "--more", "--budget", "2calls")
        assert len(answered) == 22
        report = footnote.json("add", folder, "--more")
        assert captions(footnote) == 24
        assert {v["stages"]["captions"]["status"] for v in report["videos"]} == {"done"}


def test_the_budget_is_spent_where_the_text_is_poorest_and_is_searched(
    footnote: Footnote, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOOTNOTE_CAPTION_MODEL", "fake:A heron stands in the reeds.")
    said = "The owl hunts voles at night while the ferry leaves the harbour at noon. " * 2
    cues = (f"{n + 1}\n00:00:{2 * n:02},000 --> 00:00:{2 * n + 2:02},000\n{said}" for n in range(8))
    for talk in ("clip0", "clip2"):
        (folder / f"{talk}.srt").write_text("\n\n".join(cues) if talk == "clip0" else said)
    (folder / "clip2.srt").write_text((folder / "clip0.srt").read_text())
    footnote.json("add", folder, "--budget", "6calls")
    by_video = {
        v["video_id"]: v["sources"].get("caption", 0) for v in footnote.json("list")["videos"]
    }
    assert by_video == {"clip0": 0, "clip1": 6, "clip2": 0}
    found = footnote.json("search", "heron in the reeds", "--source", "caption")["moments"]
    assert {moment["video_id"] for moment in found} == {"clip1"}, "passages follow the captions"
    report = footnote.json("add", folder, "--more", "--budget", "3calls")
    reasons = {v["video_id"]: v["stages"]["captions"]["reason"] for v in report["videos"]}
    assert reasons["clip1"] == "", "what was left of it came first"
    assert "of 8 views" in reasons["clip0"]
    assert footnote.json("status")["budget"]["calls"] == 3


def test_a_wrong_budget_is_a_usage_error_before_anything_is_made(
    footnote: Footnote, folder: Path
) -> None:
    error = footnote.json("add", folder, "--budget", "12 bananas", code=2)["error"]
    assert "--budget 2usd" in error["hint"]
    error = footnote.json("add", folder, "--budget", "2usd", code=2)["error"]
    assert "price_per_million_output" in error["message"]
