"""The catalog: what is written comes back, changes are seen, and what is removed is gone."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import (
    ClockError,
    EmbeddingMismatch,
    IndexDamaged,
    LibraryNotFound,
    UsageError,
    VideoNotFound,
)
from pipeline.store import database
from pipeline.store.catalog import Catalog
from pipeline.store.frames import frame_path, remove_frames, write_frame
from pipeline.store.passages import EmbeddingSpace
from pipeline.store.pictures import StoredFrame, StoredShot
from pipeline.store.work import LIBRARY_OWNER, lease_owner
from pipeline.types import Passage, Segment, StageRecord, Video, Word
from tests.store_made import SPACE, add_video, made_catalog, made_vectors

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with made_catalog(tmp_path / "library") as made:
        yield made


def rows_of(catalog: Catalog, video_id: str) -> list[int]:
    return [stored.row for stored in catalog.passages_of(video_id)]


# ---------------------------------------------------------------- opening


def test_only_create_makes_a_library(tmp_path: Path) -> None:
    with pytest.raises(LibraryNotFound) as caught:
        Catalog(tmp_path / "none")
    assert caught.value.hint.startswith("footnote add")
    assert not (tmp_path / "none").exists()
    Catalog(tmp_path / "some", create=True).close()
    with Catalog(tmp_path / "some") as catalog:
        assert catalog.videos() == []


def test_a_file_that_is_no_database_is_damage(tmp_path: Path) -> None:
    (tmp_path / "library.db").write_bytes(b"not a database at all, " * 100)
    with pytest.raises(IndexDamaged, match="damaged"):
        Catalog(tmp_path)


def test_a_library_of_a_newer_footnote_is_left_alone(tmp_path: Path) -> None:
    with Catalog(tmp_path, create=True) as catalog:
        catalog.write("PRAGMA user_version = 999")
    with pytest.raises(UsageError, match="newer Footnote"):
        Catalog(tmp_path)


def test_read_only_reads_and_refuses_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with made_catalog(tmp_path) as writer:
        add_video(writer, "talk")
    monkeypatch.setattr(database, "_writable", lambda folder, path: False)
    with Catalog(tmp_path) as catalog:
        assert catalog.read_only
        assert catalog.video("talk").title == "Talk"
        with pytest.raises(UsageError, match="read-only"):
            catalog.set_meta("a", "b")


def test_processes_that_make_one_library_at_once_all_succeed(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom pipeline.store.catalog import Catalog\n"
        "from pipeline.types import Video\n"
        "c = Catalog(Path(sys.argv[1]), create=True)\n"
        "[c.put_video(Video(f'{sys.argv[2]}-{i}', 't')) for i in range(5)]"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "library")]
    running = [subprocess.Popen([*command, name], cwd=ROOT) for name in ("a", "b", "c")]
    assert [process.wait() for process in running] == [0, 0, 0]
    with Catalog(tmp_path / "library") as catalog:
        assert len(catalog.videos()) == 15


# ---------------------------------------------------------------- videos and segments


def test_a_video_comes_back_whole(catalog: Catalog) -> None:
    video = Video(
        video_id="a-talk",
        title="A talk",
        path="/films/a talk.mp4",
        duration=61.5,
        sha256="ab" * 32,
        size=2**40,
        modified_ns=1_700_000_000_123_456_789,
        sidecars=(("/films/a talk.srt", 12, 34),),
        date="2024-05-06",
        language="de",
        url="https://example.org/a",
        added="2024-06-01T00:00:00+00:00",
        media={"width": 1280, "rotation": 90, "tracks": ["a", "b"]},
    )
    catalog.put_video(video)
    assert catalog.video("a-talk") == video
    assert catalog.video_by_path("/films/a talk.mp4") == video
    assert catalog.videos_by_hash("ab" * 32) == [video]
    assert catalog.video_by_path("") is None and catalog.videos_by_hash("") == []
    assert catalog.whereabouts()["a-talk"] == ("/films/a talk.mp4", "2024-05-06", (), (), "")


def test_the_data_version_tells_of_every_commit(catalog: Catalog) -> None:
    before = catalog.data_version()
    assert catalog.data_version() == before
    catalog.put_video(Video("a", "A"))
    after = catalog.data_version()
    assert after != before
    code = (
        "import sys\nfrom pathlib import Path\nfrom pipeline.store.catalog import Catalog\n"
        "Catalog(Path(sys.argv[1])).set_meta('a', 'b')"
    )
    subprocess.run([sys.executable, "-c", code, str(catalog.folder)], cwd=ROOT, check=True)
    assert catalog.data_version() not in (before, after)


def test_a_changed_video_keeps_what_belongs_to_it(catalog: Catalog) -> None:
    add_video(catalog, "talk")
    numbers = catalog.video_numbers()
    catalog.put_video(Video("talk", "Renamed", duration=50.0))
    assert catalog.video("talk").title == "Renamed"
    assert catalog.video_numbers() == numbers
    assert len(catalog.segments("talk")) == 5


times = st.tuples(st.floats(0, 3600, allow_nan=False), st.floats(0.01, 600, allow_nan=False)).map(
    lambda pair: (pair[0], pair[0] + pair[1])
)
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(times, texts, texts, st.lists(texts, max_size=2)), max_size=8))
def test_segments_come_back_in_time_order(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple]
) -> None:
    segments = [
        Segment("speech", a, b, text, speaker, "en", tuple(flags), (Word(a, b, text, 0.5),))
        for (a, b), text, speaker, flags in drawn
    ]
    with Catalog(tmp_path_factory.mktemp("library"), create=True) as catalog:
        catalog.put_video(Video("v", "v"))
        catalog.replace_segments("v", "speech", segments)
        assert catalog.segments("v") == sorted(segments, key=lambda s: (s.start, s.end))


def test_sources_are_replaced_one_by_one(catalog: Catalog) -> None:
    add_video(catalog, "talk", 5)
    catalog.replace_segments("talk", "screen", [Segment("screen", 12, 20, "a slide")])
    catalog.replace_segments("talk", "speech", [Segment("speech", 1, 2, "said")])
    assert [s.text for s in catalog.segments("talk")] == ["said", "a slide"]
    assert [s.text for s in catalog.segments("talk", "screen")] == ["a slide"]
    assert catalog.segment_counts() == {"talk": {"screen": 1, "speech": 1}}


def test_segments_by_ordinal(catalog: Catalog) -> None:
    said = add_video(catalog, "talk", 5)
    assert [s.text for s in catalog.segments("talk", "speech", 1, 3)] == said[1:4]


def test_text_beyond_the_end_is_refused_and_nothing_changes(catalog: Catalog) -> None:
    said = add_video(catalog, "talk", 3)
    generation = catalog.generation()
    late = Segment("speech", 25, 30.5, "late")
    with pytest.raises(ClockError, match=r"30\.500 s, after the video's end at 30\.000"):
        catalog.replace_segments("talk", "speech", [Segment("speech", 0, 1, "x"), late])
    late_passage = Passage("speech", 25, 30.5, "late", 0, 0)
    with pytest.raises(ClockError):
        catalog.replace_passages("talk", "speech", [late_passage], made_vectors(["late"]))
    assert [s.text for s in catalog.segments("talk")] == said
    assert catalog.generation() == generation
    catalog.replace_segments("talk", "speech", [Segment("speech", 25, 30.0005, "rounded")])


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("opening-day", "opening-day"),
        ("ope", "opening-day"),
        ("talk", "talk"),  # whole ids win over prefixes
        ("talk-t", "talk-two"),
        ("/films/Two.mp4", "talk-two"),
    ],
)
def test_resolve(catalog: Catalog, reference: str, expected: str) -> None:
    for video_id, path in (("talk", ""), ("talk-two", "/films/Two.mp4"), ("opening-day", "")):
        catalog.put_video(Video(video_id, video_id, path=path))
    assert catalog.resolve(reference) == expected


def test_resolve_knows_relative_paths(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog.put_video(Video("talk", "t", path=str(tmp_path / "films" / "A.mp4")))
    monkeypatch.chdir(tmp_path)
    assert catalog.resolve("films/A.mp4") == "talk"


def test_resolve_says_what_is_near(catalog: Catalog) -> None:
    for video_id in ("talk-one", "talk-two"):
        catalog.put_video(Video(video_id, video_id))
    with pytest.raises(VideoNotFound, match="ambiguous: talk-one, talk-two"):
        catalog.resolve("talk")
    with pytest.raises(VideoNotFound) as caught:
        catalog.resolve("tolk-two")
    assert "talk-two" in caught.value.hint
    with pytest.raises(VideoNotFound):
        catalog.resolve("")


# ---------------------------------------------------------------- passages


def test_rows_that_stay_the_same_keep_their_number(catalog: Catalog) -> None:
    said = add_video(catalog, "talk", 4)
    before, generation = rows_of(catalog, "talk"), catalog.generation()
    add_video(catalog, "talk", said)
    assert rows_of(catalog, "talk") == before
    assert catalog.generation() == generation

    add_video(catalog, "talk", [*said[:2], "something else", said[3]])
    after = rows_of(catalog, "talk")
    assert [after[0], after[1], after[3]] == [before[0], before[1], before[3]]
    assert after[2] > max(before)
    assert catalog.removed_since(generation).tolist() == [before[2]]
    assert catalog.generation() > generation


def test_another_vector_or_language_is_another_row(catalog: Catalog) -> None:
    said = add_video(catalog, "talk", 1)
    [first] = rows_of(catalog, "talk")
    passage = Passage("speech", 0, 10, said[0], 0, 0)
    catalog.replace_passages("talk", "speech", [passage], made_vectors(["other"]))
    [second] = rows_of(catalog, "talk")
    add_video(catalog, "talk", said, language="fr")
    [third] = rows_of(catalog, "talk")
    assert first < second < third


def test_a_row_number_is_never_used_again(catalog: Catalog) -> None:
    add_video(catalog, "talk", 3)
    last = max(rows_of(catalog, "talk"))
    catalog.remove_video("talk")
    add_video(catalog, "talk", 1)
    assert rows_of(catalog, "talk") == [last + 1]


def test_passages_after_a_row_come_in_batches(catalog: Catalog) -> None:
    add_video(catalog, "a", 7)
    until = catalog.generation()
    add_video(catalog, "b", 2)
    batches = list(catalog.passages_after(2, until, batch_rows=2))
    assert [batch.rows.tolist() for batch in batches] == [[3, 4], [5, 6], [7]]
    texts = [text for batch in batches for text in batch.texts]
    vectors = np.concatenate([batch.vectors for batch in batches])
    np.testing.assert_array_equal(vectors, made_vectors(texts))
    assert {video_id for batch in batches for video_id in batch.video_ids} == {"a"}
    assert list(catalog.passages_after(9, catalog.generation())) == []


def test_passages_take_the_language_of_their_segments(catalog: Catalog) -> None:
    catalog.put_video(Video("v", "v", language="fr"))
    catalog.replace_segments(
        "v",
        "speech",
        [Segment("speech", 0, 1, "un"), Segment("speech", 1, 2, "two", language="en")],
    )
    passages = [Passage("speech", 0, 1, "un", 0, 0), Passage("speech", 1, 2, "two", 1, 1)]
    catalog.replace_passages("v", "speech", passages, made_vectors(["un", "two"]))
    assert [stored.language for stored in catalog.passages_of("v")] == ["fr", "en"]


def test_passages_are_found_by_row_and_by_id(catalog: Catalog) -> None:
    said = add_video(catalog, "talk", 3)
    rows = rows_of(catalog, "talk")
    assert [p.passage.text for p in catalog.passages([rows[2], 999, rows[0]])] == [said[2], said[0]]
    found = catalog.passages_by_id(["talk:speech:1", "talk:speech:9"])
    assert {name: stored.row for name, stored in found.items()} == {"talk:speech:1": rows[1]}
    assert catalog.texts_of([rows[1], 999]) == {rows[1]: said[1]}


def test_an_embedding_that_is_there_is_found_by_its_text(catalog: Catalog) -> None:
    said = add_video(catalog, "talk", 2)
    found = catalog.embeddings_of([said[1], "never said"])
    assert list(found) == [said[1]]
    np.testing.assert_array_equal(found[said[1]], made_vectors([said[1]])[0])


def test_another_model_is_refused_with_the_command_that_helps(catalog: Catalog) -> None:
    add_video(catalog, "talk")
    catalog.claim_embedding_space(SPACE)
    with pytest.raises(EmbeddingMismatch) as caught:
        catalog.claim_embedding_space(EmbeddingSpace("other", 8))
    assert caught.value.hint == "footnote reindex --embedding other"
    passage = Passage("speech", 0, 1, "x", 0, 0)
    with pytest.raises(EmbeddingMismatch):
        catalog.replace_passages("talk", "speech", [passage], np.ones((1, 8), np.float32))
    assert len(rows_of(catalog, "talk")) == 5


def test_another_models_embeddings_take_over_at_once_or_not_at_all(catalog: Catalog) -> None:
    add_video(catalog, "talk", 3)
    rows, epoch = rows_of(catalog, "talk"), catalog.epoch()
    space = EmbeddingSpace("other", 4)
    catalog.start_reembedding(space)
    waiting = catalog.texts_to_reembed()
    assert [row for row, _ in waiting] == rows
    catalog.put_next_embeddings(rows[:2], np.eye(4, dtype=np.float32)[:2])
    catalog.start_reembedding(space)  # as after a kill
    assert [row for row, _ in catalog.texts_to_reembed()] == rows[2:]
    with pytest.raises(UsageError, match="not every passage"):
        catalog.adopt_next_embeddings(space)
    assert catalog.embedding_space() == SPACE

    catalog.put_next_embeddings(rows[2:], np.eye(4, dtype=np.float32)[2:3])
    catalog.adopt_next_embeddings(space)
    assert catalog.embedding_space() == space
    assert rows_of(catalog, "talk") == rows
    np.testing.assert_array_equal(catalog.dump_embeddings(), np.eye(4, dtype=np.float32)[:3])
    assert catalog.epoch() != epoch
    assert catalog.integrity_check() == []
    catalog.start_reembedding(SPACE)
    assert len(catalog.texts_to_reembed()) == 3


def test_a_third_model_does_not_inherit_the_seconds_vectors(catalog: Catalog) -> None:
    add_video(catalog, "talk", 2)
    rows = rows_of(catalog, "talk")
    catalog.start_reembedding(EmbeddingSpace("second", 4))
    catalog.put_next_embeddings(rows, np.eye(4, dtype=np.float32)[:2])
    catalog.start_reembedding(EmbeddingSpace("third", 4))
    assert len(catalog.texts_to_reembed()) == 2
    with pytest.raises(UsageError):
        catalog.adopt_next_embeddings(EmbeddingSpace("second", 4))


# ---------------------------------------------------------------- removal


def test_remove_leaves_nothing_behind(tmp_path: Path) -> None:
    secret = "xylophone"
    with made_catalog(tmp_path) as catalog:
        add_video(catalog, "kept")
        add_video(catalog, f"{secret}-talk", [f"the {secret} is hidden"])
        video_id = f"{secret}-talk"
        catalog.put_stage(video_id, StageRecord("speech", "done", "k", "", 1.0, 2))
        catalog.put_output("k1", video_id, secret.encode())
        catalog.claim(video_id, "speech", lease_owner(), 60)
        catalog.replace_shots(video_id, [StoredShot(0, 1, {"note": secret})])
        path = frame_path(video_id, 0.5)
        write_frame(tmp_path, path, b"jpeg")
        catalog.replace_frames(video_id, [StoredFrame(0.5, path)])

        removed = catalog.remove_video(video_id)
        assert removed == [path]
        remove_frames(tmp_path, video_id, removed)
        with pytest.raises(VideoNotFound):
            catalog.remove_video(video_id)
    assert not (tmp_path / path).parent.exists()
    for file in tmp_path.rglob("*"):
        assert file.is_dir() or secret.encode() not in file.read_bytes(), file
    with Catalog(tmp_path) as catalog:
        assert [v.video_id for v in catalog.videos()] == ["kept"]


def test_an_output_stays_while_another_video_uses_it(catalog: Catalog) -> None:
    for video_id in ("a", "b"):
        catalog.put_video(Video(video_id, video_id))
    catalog.put_outputs({"mine": b"1", "ours": b"2"}, "a")
    catalog.put_output("expansion", LIBRARY_OWNER, b"3")
    assert catalog.get_output("ours", "b") == b"2"
    catalog.remove_video("a")
    assert catalog.get_outputs(["mine", "ours", "expansion"]) == {"ours": b"2", "expansion": b"3"}
    catalog.remove_video("b")
    assert catalog.get_outputs(["ours", "expansion"]) == {"expansion": b"3"}


# ---------------------------------------------------------------- work


def test_stages_by_video_and_name(catalog: Catalog) -> None:
    catalog.put_video(Video("a", "a"))
    pending = StageRecord("captions", "pending", "", "no model", 0.0, 0)
    catalog.put_stage("a", pending)
    catalog.put_stage("a", StageRecord("speech", "failed"))
    catalog.put_stage("a", StageRecord("speech", "done", "key", "", 2.5, 7))
    assert catalog.stage("a", "captions") == pending
    assert catalog.stages("a")["speech"] == StageRecord("speech", "done", "key", "", 2.5, 7)
    assert list(catalog.all_stages()) == ["a"] and catalog.stage("b", "speech") is None


def test_a_lease_has_one_owner(catalog: Catalog) -> None:
    me, other = lease_owner(), lease_owner()
    assert catalog.claim("v", "speech", me, 60)
    assert catalog.claim("v", "speech", me, 60)
    assert not catalog.claim("v", "speech", other, 60)
    assert catalog.claim("v", "captions", other, 60)
    assert not catalog.renew("v", "speech", other, 60)
    catalog.release("v", "speech", other)
    assert not catalog.claim("v", "speech", other, 60)
    catalog.release("v", "speech", me)
    assert catalog.claim("v", "speech", other, 60)
    assert not catalog.renew("v", "speech", me, 60)


def test_a_lease_ends_with_its_time_or_its_process(catalog: Catalog) -> None:
    assert catalog.claim("v", "speech", "elsewhere:1:x", -1.0)
    assert catalog.claim("v", "speech", lease_owner(), 60)

    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    host = lease_owner().partition(":")[0]
    assert catalog.claim("w", "speech", f"{host}:{ended.pid}:x", 60)
    assert catalog.claim("w", "speech", lease_owner(), 60)

    assert catalog.claim("x", "speech", f"elsewhere:{ended.pid}:x", 60)
    assert not catalog.claim("x", "speech", lease_owner(), 60)


def test_shots_and_frames(catalog: Catalog) -> None:
    catalog.put_video(Video("v", "v"))
    shots = [StoredShot(0.0, 2.0, {"cut": 3}), StoredShot(2.0, 5.0)]
    catalog.replace_shots("v", shots[::-1])
    assert catalog.shots("v") == shots
    with pytest.raises(ClockError):
        catalog.replace_shots("v", [StoredShot(3.0, 2.0)])
    assert catalog.shots("v") == shots
    frames = [StoredFrame(1.0, "frames/v/1.jpg", {"hash": "x"}), StoredFrame(3.0, "frames/v/3.jpg")]
    assert catalog.replace_frames("v", frames) == []
    assert catalog.frames("v") == frames
    assert catalog.replace_frames("v", frames[1:]) == ["frames/v/1.jpg"]


# ---------------------------------------------------------------- transactions


def test_a_transaction_happens_as_a_whole(catalog: Catalog) -> None:
    add_video(catalog, "a", 2)
    generation = catalog.generation()

    class Interrupted(Exception):
        pass

    with pytest.raises(Interrupted), catalog.transaction():
        add_video(catalog, "b", 2)
        catalog.remove_video("a")
        raise Interrupted
    assert [v.video_id for v in catalog.videos()] == ["a"]
    assert catalog.generation() == generation


def test_an_inner_failure_that_is_caught_undoes_only_itself(catalog: Catalog) -> None:
    catalog.put_video(Video("a", "a", duration=5.0))
    with catalog.transaction():
        catalog.set_meta("outer", "kept")
        with pytest.raises(ClockError):
            catalog.replace_segments("a", "speech", [Segment("speech", 0, 9, "late")])
        with pytest.raises(ZeroDivisionError), catalog.transaction():
            catalog.set_meta("inner", "lost")
            raise ZeroDivisionError
    assert catalog.get_meta("outer") == "kept" and catalog.get_meta("inner", "-") == "-"


def test_threads_share_a_catalog(catalog: Catalog) -> None:
    failures: list[BaseException] = []

    def work(name: int) -> None:
        try:
            for i in range(10):
                add_video(catalog, f"video-{name}-{i}", 2)
                assert len(catalog.segments(f"video-{name}-{i}")) == 2
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert catalog.counts()["passages"] == 120
    assert catalog.integrity_check() == []


def test_two_libraries_that_know_the_same_dump_the_same(tmp_path: Path) -> None:
    with made_catalog(tmp_path / "one") as one, made_catalog(tmp_path / "two") as two:
        for catalog, order in ((one, "abc"), (two, "cab")):
            for video_id in order:
                add_video(catalog, video_id, 3)
                took = StageRecord("speech", "done", "k", "", ord(order[0]), 1)
                catalog.put_stage(video_id, took)
        add_video(two, "extra")
        two.remove_video("extra")
        assert list(one.dump()) == list(two.dump())
        np.testing.assert_array_equal(one.dump_embeddings(), two.dump_embeddings())
        add_video(two, "a", ["other", "words"])
        assert list(one.dump()) != list(two.dump())


def test_integrity_check_finds_damage(tmp_path: Path) -> None:
    with made_catalog(tmp_path) as catalog:
        add_video(catalog, "talk", 200)
        assert catalog.integrity_check() == []
    content = bytearray((tmp_path / "library.db").read_bytes())
    middle = len(content) // 2 // 8192 * 8192
    content[middle : middle + 2000] = b"\xff" * 2000
    (tmp_path / "library.db").write_bytes(content)
    with Catalog(tmp_path) as catalog:
        assert catalog.integrity_check() != []
