"""The lock excludes, says who holds it, and goes with its holder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pipeline.store.lock import LibraryBusy, locked

ROOT = Path(__file__).resolve().parent.parent
HOLD = (
    "import sys, time\nfrom pathlib import Path\nfrom pipeline.store.lock import locked\n"
    "with locked(Path(sys.argv[1]), 5):\n    print('held', flush=True)\n    time.sleep(60)"
)


def holding(folder: Path) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert child.stdout is not None and child.stdout.readline() == "held\n"
    return child


def test_another_process_excludes_and_its_death_frees(tmp_path: Path) -> None:
    with holding(tmp_path) as child:
        with (
            pytest.raises(LibraryBusy, match=f"process {child.pid} on") as caught,
            locked(tmp_path, 0),
        ):
            pass
        assert caught.value.exit_code == 2 and caught.value.hint
        start = time.monotonic()
        with pytest.raises(LibraryBusy), locked(tmp_path, 0.2):
            pass
        assert time.monotonic() - start >= 0.2
        child.send_signal(signal.SIGKILL)
        child.wait()
    with locked(tmp_path, 0):
        assert str(os.getpid()) in (tmp_path / "lock").read_text()


def test_waiting_ends_when_the_holder_does(tmp_path: Path) -> None:
    order: list[str] = []

    def wait() -> None:
        with locked(tmp_path, 10):
            order.append("second")

    with locked(tmp_path, 0):
        thread = threading.Thread(target=wait)  # threads exclude each other too
        thread.start()
        time.sleep(0.1)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_many_may_read_none_may_write_meanwhile(tmp_path: Path) -> None:
    with (
        locked(tmp_path, 0, shared=True),
        locked(tmp_path, 0, shared=True),
        pytest.raises(LibraryBusy),
        locked(tmp_path, 0),
    ):
        pass
    with locked(tmp_path, 0), pytest.raises(LibraryBusy), locked(tmp_path, 0, shared=True):
        pass


def test_an_error_inside_frees_the_lock(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(tmp_path, 0):
        raise ZeroDivisionError
    with locked(tmp_path, 0):
        pass
