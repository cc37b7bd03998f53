"""The catalog's work: what became of every stage, who is at it, and what models have said.

Leases keep two `add`s from doing the same work; a lease ends when its time is up or when the
process that took it, on this machine, is gone. Outputs are replies of models kept by a key made
of everything that went into them; each belongs to the videos that asked for it.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from pipeline.store.reembedding import Reembedding
from pipeline.types import StageRecord

# The owner of outputs that belong to the library and to no video, such as expanded questions.
LIBRARY_OWNER = ""


class Work(Reembedding):
    """Reads and writes of `stages`, `leases` and `outputs`."""

    def put_stage(self, video_id: str, record: StageRecord) -> None:
        self.write(
            "INSERT OR REPLACE INTO stages VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                video_id,
                record.name,
                record.status,
                record.key,
                record.reason,
                record.seconds,
                record.model_calls,
            ),
        )

    def stage(self, video_id: str, name: str) -> StageRecord | None:
        return self.stages(video_id).get(name)

    def stages(self, video_id: str) -> dict[str, StageRecord]:
        """The video's stages by name."""
        return self.all_stages((video_id,)).get(video_id, {})

    def all_stages(
        self, video_ids: Iterable[str] | None = None
    ) -> dict[str, dict[str, StageRecord]]:
        """Per video id (all videos when None), its stages by name."""
        listed = "WHERE video_id IN (SELECT value FROM json_each(?))"
        found: dict[str, dict[str, StageRecord]] = {}
        for video_id, *columns in self.rows(
            "SELECT video_id, name, status, key, reason, seconds, model_calls FROM stages"
            f" {'' if video_ids is None else listed} ORDER BY video_id, name",
            () if video_ids is None else (json.dumps(list(video_ids)),),
        ):
            found.setdefault(video_id, {})[columns[0]] = StageRecord(*columns)
        return found

    def unfinished(self) -> list[tuple[str, str]]:
        """(video id, stage) of all stages that are pending or failed."""
        return list(
            self.rows("SELECT video_id, name FROM stages WHERE status IN ('pending', 'failed')")
        )

    # ------------------------------------------------ leases

    def claim(self, video_id: str, stage: str, owner: str, seconds: float) -> bool:
        """Take the lease, or lengthen one's own; False while another living owner has it."""
        with self.transaction():
            held = self.rows(
                "SELECT owner, expires FROM leases WHERE video_id = ? AND stage = ?",
                (video_id, stage),
            )
            now = time.time()
            if held and held[0][0] != owner and held[0][1] > now and not is_gone(held[0][0]):
                return False
            self.write(
                "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?)",
                (video_id, stage, owner, now + seconds),
            )
            return True

    def renew(self, video_id: str, stage: str, owner: str, seconds: float) -> bool:
        """Lengthen one's own lease to `seconds` from now; False when it was taken over."""
        changed = self.write(
            "UPDATE leases SET expires = ? WHERE video_id = ? AND stage = ? AND owner = ?",
            (time.time() + seconds, video_id, stage, owner),
        )
        return changed == 1

    def release(self, video_id: str, stage: str, owner: str) -> None:
        self.write(
            "DELETE FROM leases WHERE video_id = ? AND stage = ? AND owner = ?",
            (video_id, stage, owner),
        )

    # ------------------------------------------------ outputs of models

    def put_output(self, key: str, video_id: str, value: bytes) -> None:
        """Keep what a model said; `video_id` (or `LIBRARY_OWNER`) is one of its owners."""
        self.put_outputs({key: value}, video_id)

    def put_outputs(self, values: Mapping[str, bytes], video_id: str) -> None:
        created = datetime.now(UTC).isoformat(timespec="seconds")
        with self.transaction():
            self.write_many(
                "INSERT INTO outputs VALUES (?, ?, ?)"
                " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                ((key, value, created) for key, value in values.items()),
            )
            self._own(values, video_id)

    def get_output(self, key: str, video_id: str | None = None) -> bytes | None:
        """What was kept under `key`, None when nothing was.

        Name the `video_id` that uses it, so that it stays for as long as that video does.
        """
        return self.get_outputs((key,), video_id).get(key)

    def get_outputs(self, keys: Iterable[str], video_id: str | None = None) -> dict[str, bytes]:
        """By key, those that are kept; see `get_output`."""
        found: dict[str, bytes] = dict(
            self.rows(
                "SELECT key, value FROM outputs WHERE key IN (SELECT value FROM json_each(?))",
                (json.dumps(list(keys)),),
            )
        )
        if found and video_id is not None and not self.read_only:
            self._own(found, video_id)
        return found

    def forget_outputs(self, video_id: str) -> None:
        """Delete the outputs that belong to this video only."""
        with self.transaction():
            mine = "SELECT key FROM output_owners WHERE video_id = ?"
            self.write(
                f"DELETE FROM outputs WHERE key IN ({mine}) AND NOT EXISTS (SELECT 1 FROM"
                " output_owners o WHERE o.key = outputs.key AND o.video_id <> ?)",
                (video_id, video_id),
            )
            self.write("DELETE FROM output_owners WHERE video_id = ?", (video_id,))

    def _own(self, keys: Iterable[str], video_id: str) -> None:
        owned = self.rows(
            "SELECT key FROM output_owners WHERE video_id = ?"
            " AND key IN (SELECT value FROM json_each(?))",
            (video_id, json.dumps(list(keys))),
        )
        missing = set(keys) - {key for (key,) in owned}
        if missing:  # a read of one's own outputs must not wait for the write lock
            self.write_many(
                "INSERT OR IGNORE INTO output_owners VALUES (?, ?)",
                ((k, video_id) for k in missing),
            )


def lease_owner() -> str:
    """A new owner's name: host:pid:random."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def is_gone(owner: str) -> bool:
    """Whether the owner ran on this machine and its process has ended."""
    host, _, rest = owner.partition(":")
    pid = rest.partition(":")[0]
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
