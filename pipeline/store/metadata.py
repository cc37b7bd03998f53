"""What is known of each video beside its text, and who says so.

Every origin keeps its own values: reading the files again replaces what the files said, and leaves
what a user said. The most trusted origin that names a field has it; see `types.ORIGINS`. The
videos' own columns (title, date, url, language) hold the outcome.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from pipeline.store.videos import Videos
from pipeline.types import ORIGINS, Metadata, Origin, Video

_LISTS = ("people", "tags")
_IN_VIDEOS = ("title", "date", "url", "language")
# What diarisation calls those whose names it does not know.
_NAMELESS = re.compile(r"(?:speaker|spk|channel)?[\s_-]*(?:\d+|[a-z])?", re.IGNORECASE)

_Values = dict[str, dict[str, list[str]]]  # video id -> field -> values


class Whereabouts(NamedTuple):
    """What a search filters videos by: where one lies, when it was made, who is in it."""

    path: str
    date: str
    people: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    place: str = ""


class VideoMetadata(Videos):
    """Reads and writes of the `metadata` table."""

    def put_metadata(
        self, video_id: str, origin: Origin, metadata: Metadata, *, keep: bool = False
    ) -> Video:
        """Make `metadata` what `origin` says of the video; the video as it is now known.

        With `keep`, fields that it leaves empty stay as this origin had them.
        """
        values = {name: _as_list(getattr(metadata, name)) for name in _fields()}
        named = {name: some for name, some in values.items() if some}
        with self.transaction():
            if not keep:
                self.write(
                    "DELETE FROM metadata WHERE video_id = ? AND origin = ?", (video_id, origin)
                )
            for name, some in named.items():
                self._put(video_id, origin, name, some)
            return self._settle(video_id)

    def put_fact(
        self, video_id: str, origin: Origin, name: str, values: Sequence[str] | None
    ) -> Video:
        """Make `values` what `origin` says of one field; None: it says nothing, (): there are none.

        The video as it is now known.
        """
        with self.transaction():
            if values is None:
                self.write(
                    "DELETE FROM metadata WHERE video_id = ? AND origin = ? AND name = ?",
                    (video_id, origin, name),
                )
            else:
                self._put(video_id, origin, name, values)
            return self._settle(video_id)

    def fact(self, video_id: str, origin: Origin, name: str) -> tuple[str, ...] | None:
        """What `origin` says of one field, None when it says nothing."""
        value = self.value(
            "SELECT value FROM metadata WHERE video_id = ? AND origin = ? AND name = ?",
            (video_id, origin, name),
        )
        return None if value is None else tuple(json.loads(value))

    def has_metadata(self, video_id: str, origin: Origin) -> bool:
        found = "SELECT 1 FROM metadata WHERE video_id = ? AND origin = ?"
        return self.value(found, (video_id, origin)) is not None

    def metadata(
        self, video_ids: Iterable[str] | None = None, *, described: bool = True
    ) -> dict[str, Metadata]:
        """By video id (all videos when None), of those the catalog has.

        People are those somebody named, then the speakers of the text that have names. Without
        `described` descriptions, which are long, are not read.
        """
        ids = None if video_ids is None else json.dumps(list(video_ids))
        listed = "" if ids is None else "video_id IN (SELECT value FROM json_each(?))"
        values = () if ids is None else (ids,)
        where = f" WHERE {listed}" if listed else ""
        columns = ", ".join(("video_id", *_IN_VIDEOS))
        known = self._merged(ids, described)
        speakers = self._speakers(listed, values)
        found = {}
        for video_id, *values_there in self.rows(f"SELECT {columns} FROM videos{where}", values):
            own = dict(zip(_IN_VIDEOS, values_there, strict=True))
            some = known.get(video_id, {}) | {n: [v] if v else [] for n, v in own.items()}
            found[video_id] = _metadata(some, speakers.get(video_id, ()))
        return found

    def metadata_texts(self, video_ids: Iterable[str]) -> dict[str, str]:
        """By video id, what is known of it as text: its title, people, place, tags, description.

        One line each, nothing for what is not known.
        """
        return {
            video_id: "\n".join(filter(None, (
                known.title,
                ", ".join(known.people),
                known.place,
                ", ".join(known.tags),
                known.description,
            )))
            for video_id, known in self.metadata(video_ids).items()
        }  # fmt: skip

    def whereabouts(self, *, named: bool = False) -> dict[str, Whereabouts]:
        """Of all videos, by id: what a search filters by, at a tenth of the cost of `videos`.

        People, tags and places are read only where they are `named` in a filter: 2,300 videos and
        300,000 lines with speakers take 0.1 s.
        """
        known = self._merged(None, described=False) if named else {}
        speakers = self._speakers("", ()) if named else {}
        return {
            video_id: Whereabouts(
                path,
                date,
                _people(known.get(video_id, {}), speakers.get(video_id, ())),
                tuple(known.get(video_id, {}).get("tags", ())),
                "".join(known.get(video_id, {}).get("place", ())),
            )
            for video_id, path, date in self.rows("SELECT video_id, path, date FROM videos")
        }

    # ------------------------------------------------ inside

    def _put(self, video_id: str, origin: Origin, name: str, values: Sequence[str]) -> None:
        self.write(
            "INSERT OR REPLACE INTO metadata VALUES (?, ?, ?, ?)",
            (video_id, origin, name, json.dumps(list(values), ensure_ascii=False)),
        )

    def _settle(self, video_id: str) -> Video:
        """The video, its columns brought to what the most trusted origin says."""
        video = self.video(video_id)
        known = self._merged(json.dumps([video_id]), described=False).get(video_id, {})
        # A library made before origins were kept has values that none of them says.
        names = _IN_VIDEOS if self.has_metadata(video_id, "file") else known.keys() & {*_IN_VIDEOS}
        own = {name: "".join(known.get(name, ())) for name in names}
        settled = replace(video, **own)  # type: ignore[arg-type]
        if settled != video:
            self.put_video(settled)
        return settled

    def _merged(self, ids: str | None, described: bool) -> _Values:
        """Per video and field, the values of the most trusted origin that names it."""
        conditions = [] if described else ["name <> 'description'"]
        if ids is not None:
            conditions.append("video_id IN (SELECT value FROM json_each(?))")
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        rows = self.rows(
            f"SELECT video_id, origin, name, value FROM metadata{where}",
            () if ids is None else (ids,),
        )
        rank = {origin: place for place, origin in enumerate(ORIGINS)}
        found: _Values = {}
        # The least trusted first: the others take its place.
        for video_id, _, name, value in sorted(rows, key=lambda row: -rank[row[1]]):
            found.setdefault(video_id, {})[name] = json.loads(value)
        return found

    def _speakers(self, where: str, values: Sequence[str]) -> dict[str, list[str]]:
        rows = self.rows(
            "SELECT DISTINCT video_id, speaker FROM segments WHERE speaker <> ''"
            f"{' AND ' + where if where else ''} ORDER BY 1, 2",
            values,
        )
        found: dict[str, list[str]] = {}
        for video_id, speaker in rows:
            if not _NAMELESS.fullmatch(speaker):
                found.setdefault(video_id, []).append(speaker)
        return found


def _fields() -> tuple[str, ...]:
    return tuple(Metadata.__dataclass_fields__)


def _as_list(value: str | tuple[str, ...]) -> list[str]:
    if isinstance(value, str):
        return [value] if value else []
    return list(value)


def _people(known: Mapping[str, Sequence[str]], speakers: Iterable[str]) -> tuple[str, ...]:
    """Those named, then speakers who are not among them in other letters."""
    people = {person.casefold(): person for person in known.get("people", ())}
    for speaker in speakers:
        people.setdefault(speaker.casefold(), speaker)
    return tuple(people.values())


def _metadata(known: Mapping[str, Sequence[str]], speakers: Iterable[str]) -> Metadata:
    values: dict[str, Any] = {
        name: tuple(some) if name in _LISTS else "".join(some) for name, some in known.items()
    }
    return Metadata(**values | {"people": _people(known, speakers)})
