"""Steps of which some wait for others: each runs as soon as it can, beside those that it can.

probe -> frames -> screen --+-> captions -> passages -> levels
      -> speech ------------+               (sounds too)
      -> sounds      frames -> frame_vectors
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

# What each stage waits for before it begins; `probe` comes before all of them. Speech and sounds
# are heard while the pictures are decoded, and wait for them to learn where the video ends.
AFTER: Mapping[str, Sequence[str]] = {
    "frames": (),
    "speech": (),
    "sounds": (),
    "screen": ("frames",),
    "captions": ("frames", "speech", "screen"),
    "frame_vectors": ("frames",),
    "passages": ("frames", "speech", "screen", "captions", "sounds"),
    "levels": ("passages",),
}


def overlapped(
    after: Mapping[str, Sequence[str]],
    step: Callable[[str], object],
    abandon: Callable[[], object],
) -> None:
    """Call `step` with each name, in threads, once all that it comes after are done.

    Where one raises, `abandon` is called, no other begins, those that run are waited for, and
    then the first error is raised.
    """
    waiting = {name: set(names) for name, names in after.items()}
    running: dict[Future[object], str] = {}
    with ThreadPoolExecutor(len(waiting), thread_name_prefix="footnote-stage") as pool:
        try:
            while waiting or running:
                for name in [name for name, before in waiting.items() if not before]:
                    del waiting[name]
                    running[pool.submit(step, name)] = name
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    done = running.pop(future)
                    future.result()
                    for before in waiting.values():
                        before.discard(done)
        except BaseException:
            abandon()
            raise
