"""The visual channel, end to end on real clips: frames embedded once, found, fused, removed."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import EmbeddingMismatch, UsageError
from pipeline.ingest import frame_vectors as stage
from pipeline.ingest.frame_vectors import frames_to_embed
from pipeline.library import Library
from pipeline.models import dual
from pipeline.models.dual import FakeDualEncoder, load_dual_encoder
from pipeline.retrieve.visual import (
    FRAMES,
    IMAGE_TEMPERATURE,
    SAID_WEIGHT,
    FrameQuery,
    RankedFrames,
    frame_scores,
    image_query,
    nearest_frames,
    query_weighted_means,
    seen_moments,
)
from pipeline.settings import Settings
from pipeline.store.catalog import Catalog
from pipeline.store.frame_index import FrameIndex, open_frame_index
from pipeline.store.frame_vectors import EmbeddedFrame
from pipeline.store.passages import EmbeddingSpace
from pipeline.store.pictures import StoredFrame, StoredShot
from pipeline.store.synchronise import check, library_indexes, repair, synchronise
from pipeline.types import Filters, Video
from tests import checkpoints, clips
from tests.command import Footnote

RED, BLUE, GREEN = (220, 30, 30), (40, 60, 220), (30, 160, 50)
BLACK = (0, 0, 0)
SRT = """1
00:00:00,500 --> 00:00:01,500
The owl hunts voles at night.

2
00:00:04,500 --> 00:00:05,500
The ferry leaves at noon.
"""


def over(colour: tuple[int, int, int], seed: int) -> Any:
    """A picture mostly of one colour, with something in it."""
    picture = clips.colour(*colour)
    picture[40:90, 60:140] = clips.texture(seed)[40:90, 60:140]
    return picture


def settings(library: Path, frame_model: str = "fake:64", **more: Any) -> Settings:
    return Settings(
        library=library,
        profile="embedded",
        embedding_model="fake:64",
        screen_reader="fake:|",  # reads nothing
        frame_model=frame_model,
        **more,
    )


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`day.mp4`: red, green, red again; `night.mp4`: blue, black; `day` has subtitles."""
    folder = tmp_path_factory.mktemp("videos")
    red, green = over(RED, 1), over(GREEN, 2)
    clips.write(folder / "day.mp4", clips.scenes((2.0, red), (2.0, green), (2.0, red)))
    (folder / "day.srt").write_text(SRT)
    blue, black = over(BLUE, 3), over(BLACK, 4)
    clips.write(folder / "night.mp4", clips.scenes((2.0, blue), (2.0, black)))
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, videos: Path) -> Path:
    """A library of both videos, with the fake encoder; copied by tests that change it."""
    folder = tmp_path_factory.mktemp("made") / "library"
    with Library(settings=settings(folder)) as library:
        report = library.add([videos])
    stages = {v.video_id: v.stages["frame_vectors"] for v in report.videos}
    assert {name: record.status for name, record in stages.items()} == {
        "day": "done",
        "night": "done",
    }
    return folder


@pytest.fixture
def library(made: Path) -> Iterator[Library]:
    with Library(settings=settings(made)) as opened:
        yield opened


@pytest.fixture
def own(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "own"))


def places(result: Any) -> list[tuple[str, int, int]]:
    return [(m.video_id, round(m.start), round(m.end)) for m in result.moments]


def overlapping(result: Any) -> bool:
    """Whether moments of one video overlap."""
    spans = sorted((m.video_id, m.start, m.end) for m in result.moments)
    return any(one == other and start < end for (one, _, end), (other, start, _) in pairwise(spans))


# ---------------------------------------------------------------- searching by picture


def test_a_stored_frame_finds_itself_first(library: Library) -> None:
    with Catalog(library.path) as catalog:
        for video_id in ("day", "night"):
            for frame in catalog.frames(video_id):
                found = library.search_image(library.path / frame.path)
                best = found.moments[0]
                same = float(str(frame.facts.get("same_as", frame.time)))
                assert best.video_id == video_id
                assert best.start <= frame.time < best.end or best.start <= same < best.end
                assert best.score == pytest.approx(1.0, abs=0.02)


def test_moments_are_shots_with_what_was_said_in_them(library: Library) -> None:
    found = library.search_image(clips.colour(*RED))
    assert places(found)[:2] == [("day", 0, 2), ("day", 4, 6)], "a picture that comes back is there"
    first = found.moments[0]
    said = "The owl hunts voles at night. The ferry leaves at noon."
    assert [(p.text, p.start, p.end) for p in first.passages] == [(said, 0.5, 5.5)]
    assert first.text == said and first.title == "day"
    assert [m.score for m in found.moments] == sorted(
        (m.score for m in found.moments), reverse=True
    )
    for moment in found.moments:
        assert sum(moment.why.values()) == pytest.approx(moment.score)
        assert set(moment.why) == {FRAMES}
    night = next(m for m in found.moments if m.video_id == "night")
    assert night.passages == () and night.text == ""


def test_text_moves_a_picture(library: Library) -> None:
    day = clips.colour(*BLUE)
    assert places(library.search_image(day))[0] == ("night", 0, 2)
    moved = library.search_image(day, "the same at night", text_weight=0.7)
    assert places(moved)[0] == ("night", 2, 4) and moved.query == "the same at night"
    assert places(library.search_image(day, "at night", text_weight=0.0))[0] == ("night", 0, 2)


def test_filters_hold_for_pictures_too(library: Library, videos: Path) -> None:
    red = clips.colour(*RED)
    only = library.search_image(red, filters=Filters(videos=("night",)))
    assert {m.video_id for m in only.moments} == {"night"}
    spoken = library.search_image(red, filters=Filters(sources=("speech",)))
    assert spoken.moments and all(m.passages for m in spoken.moments)
    assert not library.search_image(red, filters=Filters(folder=str(videos / "no"))).moments
    assert len(library.search_image(red, k=1).moments) == 1


def test_what_is_no_picture_is_a_usage_error(library: Library, tmp_path: Path) -> None:
    text = tmp_path / "notes.jpg"
    text.write_text("no picture")
    cut = tmp_path / "cut.jpg"
    with Catalog(library.path) as catalog:
        whole = (library.path / catalog.frames("day")[0].path).read_bytes()
    cut.write_bytes(whole[: len(whole) // 2])
    for wrong in (
        text,
        cut,
        tmp_path / "none.png",
        tmp_path,
        np.zeros((4, 4)),
        np.zeros((2, 2, 3)),
    ):
        with pytest.raises(UsageError):
            library.search_image(wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        library.search_image(clips.colour(*RED), text_weight=1.5)


def test_the_command_takes_a_picture_with_and_without_words(
    footnote: Footnote, made: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from PIL import Image as Pillow

    footnote.library = made
    picture = tmp_path / "blue.png"
    Pillow.fromarray(clips.colour(*BLUE)).save(picture)
    assert footnote.json("search", "--image", picture, code=2)["error"]["hint"].startswith(
        "FOOTNOTE_FRAME_MODEL=fake:64"
    )
    monkeypatch.setenv("FOOTNOTE_FRAME_MODEL", "fake:64")
    found = footnote.json("search", "--image", picture)
    assert (found["query"], found["moments"][0]["video_id"]) == ("", "night")
    moved = footnote.json("search", "green grass grass", "--image", picture, "-k", "2")
    assert len(moved["moments"]) == 2 and moved["query"] == "green grass grass"
    assert footnote.run("search", "--image", picture).out.count("footnote play") >= 3
    assert footnote.json("search", code=2)["error"]["code"] == "usage"


# ---------------------------------------------------------------- frames as one signal of several


def test_frames_add_to_what_words_found(library: Library, made: Path) -> None:
    query = "the ferry, red"
    with Library(settings=settings(made, frame_model="")) as without:
        plain = {(m.video_id, m.start): m for m in without.search(query).moments}
    seen = library.search(query)
    assert FRAMES not in {name for moment in plain.values() for name in moment.why}
    best = seen.moments[0]
    before = plain[(best.video_id, best.start)]
    assert best.why[FRAMES] == pytest.approx(SAID_WEIGHT, rel=0.01), (
        "the best frame of all is in it"
    )
    assert best.score == pytest.approx(before.score + best.why[FRAMES])
    for moment in seen.moments:
        assert sum(moment.why.values()) == pytest.approx(moment.score)
    assert not overlapping(seen), "a frame in a moment that words found makes none of its own"
    assert "frames" in seen.took_ms
    assert library.search(query).moments == seen.moments


def test_a_moment_found_only_by_its_frames_appears(library: Library) -> None:
    found = library.search("blue")
    alone = [m for m in found.moments if m.video_id == "night"]
    assert places(found)[[m.video_id for m in found.moments].index("night")] == ("night", 0, 2)
    assert set(alone[0].why) == {FRAMES} and alone[0].passages == ()
    said = library.search("blue", filters=Filters(sources=("speech",)))
    assert {m.video_id for m in said.moments} == {"day"}, "who asks for speech gets speech"
    assert not overlapping(found)
    answer = library.ask("blue")
    assert answer.abstained and not answer.citations, "a picture is no quote"


def test_a_library_without_text_is_searched_by_its_frames(
    videos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Library(settings=settings(tmp_path / "footage")) as library:
        library.add([videos / "night.mp4"])
        found = library.search("something black")
        assert places(found)[0] == ("night", 2, 4)
        assert library.search("blue", k=1).moments[0].start == 0.0
        assert not library.search("blue", filters=Filters(sources=("speech",))).moments


def test_no_frame_model_is_asked_where_none_is_set(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dual, "load_dual_encoder", lambda name: pytest.fail("a model was loaded"))
    with Library(settings=settings(made, frame_model="")) as library:
        assert library.search("ferry").moments
        with pytest.raises(UsageError, match="no frame model"):
            library.search_image(clips.colour(*RED))


def test_a_model_that_is_missing_leaves_the_search_without_frames(
    made: Path, own: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Catalog(own) as catalog:
        catalog.set_meta("frame_model", "clip:no/model")
    with (
        Library(settings=settings(own, frame_model="clip:no/model")) as library,
        caplog.at_level(logging.WARNING),
    ):
        assert library.search("ferry").moments
    assert "searching without frames" in caplog.text and "HF_HUB_OFFLINE" in caplog.text


# ---------------------------------------------------------------- the stage


class Counting(FakeDualEncoder):
    """The fake under another name, that counts the pictures it is given."""

    seen = 0

    def embed_images(self, images: Any) -> Any:
        Counting.seen += len(images)
        return super().embed_images(images)


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> type[Counting]:
    Counting.seen = 0
    monkeypatch.setattr(dual, "FakeDualEncoder", Counting)
    return Counting


def test_a_picture_is_embedded_once(counting: type[Counting], videos: Path, tmp_path: Path) -> None:
    source = tmp_path / "videos"
    shutil.copytree(videos, source)
    folder = tmp_path / "library"
    with Library(settings=settings(folder)) as library:
        first = library.add([source])
        with Catalog(folder) as catalog:
            frames = catalog.frames("day") + catalog.frames("night")
            repeated = [f for f in frames if "same_as" in f.facts]
            assert repeated, "the red shot came back"
            assert len(catalog.embedded_frames("day")) == len(catalog.frames("day"))
        assert counting.seen == len(frames) - len(repeated)
        calls = [video.stages["frame_vectors"].model_calls for video in first.videos]
        assert sum(calls) == counting.seen
        again = library.add([source])
        assert {v.status for v in again.videos} == {"unchanged"}
        library.remove(["day"])
        library.add([source])
        assert counting.seen == 2 * len(frames) - 2 * len(repeated) - len(
            {f.path for f in frames if "/night/" in f.path}
        )


def test_a_killed_run_loses_at_most_a_batch(
    counting: type[Counting], videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "BATCH", 1)
    embed = Counting.embed_images

    def dies_at_the_second(self: Counting, images: Any) -> Any:
        if Counting.seen == 1:
            raise KeyboardInterrupt
        return embed(self, images)

    folder = tmp_path / "library"
    with Library(settings=settings(folder)) as library:
        monkeypatch.setattr(Counting, "embed_images", dies_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            library.add([videos / "night.mp4"])
        monkeypatch.setattr(Counting, "embed_images", embed)
        (report,) = library.add([videos / "night.mp4"]).videos
    with Catalog(folder) as catalog:
        pictures = len(catalog.frames("night"))
    assert pictures == 2 and counting.seen == 2
    assert report.stages["frame_vectors"].model_calls == 1


def test_removing_a_video_removes_its_frames(own: Path) -> None:
    with Library(settings=settings(own)) as library:
        library.remove(["night"])
        assert {m.video_id for m in library.search_image(clips.colour(*BLUE)).moments} == {"day"}
        library.remove(["day"])
        with pytest.raises(UsageError, match="no frames"):
            library.search_image(clips.colour(*BLUE))
        assert all(found.ok for found in library.doctor())


def test_another_model_embeds_anew_and_spaces_never_meet(own: Path, videos: Path) -> None:
    with Library(settings=settings(own, frame_model="fake:32")) as library:
        with pytest.raises(EmbeddingMismatch, match="fake:64"):
            library.search_image(clips.colour(*BLUE))
        library.add([videos / "night.mp4"])
        assert library._catalog.frame_space() == EmbeddingSpace("fake:32", 32)
        found = library.search_image(clips.colour(*RED))
        assert {m.video_id for m in found.moments} == {"night"}, "what is old is not compared with"
        (day,) = [v for v in library.videos() if v.video_id == "day"]
        assert day.pending == ("frame_vectors",)
        (report,) = library.add([videos / "day.mp4"]).videos
        assert report.stages["frame_vectors"].status == "done"
        assert places(library.search_image(clips.colour(*RED)))[0] == ("day", 0, 2)


def test_the_stage_waits_for_its_model_and_goes_on(videos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "library"
    with Library(settings=settings(folder, frame_model="clip:no/model")) as library:
        (report,) = library.add([videos / "night.mp4"]).videos
        record = report.stages["frame_vectors"]
        assert record.status == "pending" and "HF_HUB_OFFLINE" in record.reason
        assert library.status()["pending"] == {"frame_vectors": 1}
    with Library(settings=settings(folder)) as library:
        (report,) = library.add([videos / "night.mp4"]).videos
        assert report.stages["frame_vectors"].status == "done"


def test_frames_that_are_gone_are_made_again(own: Path, videos: Path) -> None:
    shutil.rmtree(own / "frames")
    with Library(settings=settings(own, frame_model="fake:40")) as library:
        reports = library.add([videos]).videos
        assert {r.stages["frame_vectors"].status for r in reports} == {"done"}
        assert library.search_image(clips.colour(*RED)).moments


def test_sound_alone_has_no_frames(tmp_path: Path) -> None:
    clips.write(tmp_path / "radio.m4a", tracks=[clips.Track([clips.Tone(0, 1)], 0.0, 2.0)])
    with Library(settings=settings(tmp_path / "library")) as library:
        (report,) = library.add([tmp_path / "radio.m4a"]).videos
        assert report.stages["frame_vectors"].status == "skipped"


# ---------------------------------------------------------------- the derived index


def test_doctor_makes_the_frames_index_again(own: Path) -> None:
    with Library(settings=settings(own)) as library:
        wanted = library.search_image(clips.colour(*RED)).moments
    parts = ("frames-matrix", "frames-chroma")
    for part in parts:
        shutil.rmtree(own / "index" / part)
    with Catalog(own) as catalog:
        indexes = library_indexes(own)
        assert tuple(f.name for f in check(catalog, indexes) if not f.ok) == parts
        assert repair(catalog, indexes) == parts
        assert [f.name for f in check(catalog, indexes) if f.ok][4:] == list(parts)
        indexes.close()
    with Library(settings=settings(own)) as library:
        assert library.search_image(clips.colour(*RED)).moments == wanted


def test_doctor_compares_every_frame(own: Path) -> None:
    with Catalog(own) as catalog:
        catalog.write("UPDATE frame_embeddings SET vector = randomblob(256)")
        indexes = library_indexes(own)
        found = {f.name: f for f in check(catalog, indexes)}
        assert not found["frames-matrix"].ok and "vector" in found["frames-matrix"].detail
        assert not found["frames-chroma"].ok and "frames" in found["frames-chroma"].detail
        assert found["matrix"].ok and found["chroma"].ok
        indexes.close()


def made_frames(folder: Path, count: int, dimension: int = 16) -> Catalog:
    """A video with `count` shots of 2 s, a frame and a random vector each."""
    catalog = Catalog(folder, create=True)
    draw = np.random.default_rng(0)
    vectors = draw.standard_normal((count, dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    frames = [EmbeddedFrame(2 * i + 1.0, 2.0 * i, 2.0 * i + 2, f"p{i}") for i in range(count)]
    with catalog.transaction():
        catalog.put_video(Video("film", "Film", duration=2.0 * count))
        catalog.replace_shots("film", [StoredShot(f.start, f.end) for f in frames])
        catalog.claim_frame_space(EmbeddingSpace("test:made", dimension))
        catalog.put_frame_vectors("film", frames, vectors)
    return catalog


@pytest.mark.parametrize("exact_below", [0, 100_000])
def test_chroma_and_the_full_product_find_the_same(tmp_path: Path, exact_below: int) -> None:
    with made_frames(tmp_path / "library", 200) as catalog:
        indexes = library_indexes(catalog.folder)
        synchronise(catalog, indexes)
        index = open_frame_index(catalog, indexes, exact_below=exact_below)
        vector = catalog.vectors_of_pictures(["p7"])["p7"][None]
        ranked = nearest_frames(index, FrameQuery(vector, 0.1), top=5)
        assert len(ranked.positions) == 5 and ranked.similarity[0] == pytest.approx(1)
        assert index.table.start[ranked.positions[0]] == 14.0
        every = index.cosine(vector)[0]
        assert ranked.similarity.tolist() == pytest.approx(sorted(every.tolist())[:-6:-1], abs=1e-4)
        indexes.close()


def test_an_open_index_follows_the_catalog(tmp_path: Path) -> None:
    with made_frames(tmp_path / "library", 20) as catalog:
        indexes = library_indexes(catalog.folder)
        index = open_frame_index(catalog, indexes)
        assert len(index.table) == 20 and index.refresh() is index
        assert index.standing("film", 3.0, 6.5).tolist() == [1, 2, 3]
        assert index.standing("film", 2.0, 4.0).tolist() == [1], "what only touches is not in it"
        assert index.standing("nothing", 0, 9).tolist() == []
        catalog.keep_frame_vectors("film", catalog.embedded_frames("film")[:5])
        assert len(index.refresh().table) == 5
        catalog.claim_frame_space(EmbeddingSpace("test:other", 8))
        assert len(index.refresh().table) == 0
        indexes.close()


def test_vectors_of_another_model_on_the_disk_are_not_searched(tmp_path: Path) -> None:
    with made_frames(tmp_path / "library", 20) as catalog:
        indexes = library_indexes(catalog.folder)
        synchronise(catalog, indexes, vectors=False)
        catalog.claim_frame_space(EmbeddingSpace("test:other", 8))
        frame = EmbeddedFrame(1.0, 0.0, 2.0, "other")
        catalog.put_frame_vectors("film", [frame], np.eye(8, dtype=np.float32)[:1])
        stale = FrameIndex(catalog, indexes, exact_below=100, patience=0)  # as while another writes
        query = FrameQuery(np.eye(8, dtype=np.float32)[:1], 0.1)
        assert len(stale.table) == 0 and not len(nearest_frames(stale, query).positions)
        assert nearest_frames(stale.refresh(), query).positions.tolist() == []
        assert nearest_frames(open_frame_index(catalog, indexes), query).similarity.tolist() == [1]
        indexes.close()


# ---------------------------------------------------------------- moments and their score


def test_means_are_weighted_by_the_query() -> None:
    runs = [np.array([0.9, 0.1, 0.1]), np.zeros(0), np.array([0.3]), np.array([0.2, 0.6])]
    lengths = [len(run) for run in runs]
    for temperature in (1e3, 0.1, 1e-3):
        means = query_weighted_means(np.concatenate(runs), lengths, temperature)
        for run, mean in zip(runs, means, strict=True):
            weights = np.exp((run - run.max(initial=0)) / temperature)
            wanted = float((weights * run).sum() / weights.sum()) if len(run) else 0.0
            assert mean == pytest.approx(wanted)
    plain = query_weighted_means(np.concatenate(runs), lengths, 1e3)
    assert plain.tolist() == pytest.approx([1.1 / 3, 0, 0.3, 0.4], abs=1e-3), "hot: the mean"
    best = query_weighted_means(np.concatenate(runs), lengths, 1e-3)
    assert best.tolist() == pytest.approx([0.9, 0, 0.3, 0.6], abs=1e-3), "cold: the best"
    assert query_weighted_means(np.zeros(0), [0, 0], 0.1).tolist() == [0, 0]
    assert query_weighted_means(np.zeros(0), [], 0.1).tolist() == []


def test_a_score_is_the_product_with_the_weighted_mean_of_the_frames(tmp_path: Path) -> None:
    with made_frames(tmp_path / "library", 30) as catalog:
        indexes = library_indexes(catalog.folder)
        index = open_frame_index(catalog, indexes)
        vector = catalog.vectors_of_pictures(["p3"])["p3"][None]
        query = FrameQuery(vector, 0.1)
        (score,) = frame_scores(index, query, [("film", 4.5, 9.0)])
        stored = catalog.vectors_of_pictures(["p2", "p3", "p4"])
        frames = np.stack([stored[f"p{i}"] for i in (2, 3, 4)])
        weights = np.exp(frames @ vector[0] / 0.1)
        mean = (weights[:, None] * frames).sum(axis=0) / weights.sum()
        assert score == pytest.approx(float(mean @ vector[0]), abs=1e-4)
        assert frame_scores(index, query, []) == []
        indexes.close()


def test_a_long_shot_gives_moments_of_a_minute_that_do_not_overlap(tmp_path: Path) -> None:
    with Catalog(tmp_path / "library", create=True) as catalog:
        vectors = np.eye(8, dtype=np.float32)
        times = [10.0, 300.0, 330.0, 900.0]
        frames = [StoredFrame(t, f"frames/film/{t}.jpg", {}) for t in times]
        stretches = stage.stretches([StoredShot(0, 1200)], frames)
        assert [(a, b) for _, a, b in stretches] == [(0, 300), (300, 330), (330, 900), (900, 1200)]
        catalog.put_video(Video("film", "Film", duration=1200.0))
        catalog.replace_shots("film", [StoredShot(0, 1200)])
        catalog.claim_frame_space(EmbeddingSpace("test:made", 8))
        embedded = [EmbeddedFrame(f.time, a, b, f.path) for f, a, b in stretches]
        catalog.put_frame_vectors("film", embedded, vectors[:4])
        indexes = library_indexes(catalog.folder)
        index = open_frame_index(catalog, indexes)
        query = FrameQuery(np.array([[0.4, 0.6, 0.2, 0.5, 0, 0, 0, 0]], np.float32), 0.1)
        found = seen_moments(index, query, nearest_frames(index, query), catalog)
        spans = sorted((moment.start, moment.end) for moment in found)
        assert spans == [(0, 60), (300, 330), (330, 390), (900, 960)]
        assert (found[0].start, found[-1].start) == (300, 330), "by score"
        indexes.close()


def test_shares_lie_between_the_last_and_the_first_frame() -> None:
    ranked = RankedFrames(np.arange(3), np.array([0.9, 0.5, 0.1]))
    assert [ranked.share(x) for x in (0.95, 0.9, 0.5, 0.1, 0.0)] == [1, 1, 0.5, 0, 0]
    assert RankedFrames(np.arange(1), np.array([0.9])).share(0.9) == 0.0
    assert RankedFrames(np.arange(0), np.zeros(0)).share(0.9) == 0.0


def test_a_picture_and_a_text_are_one_vector() -> None:
    encoder = load_dual_encoder("fake:64")
    picture = clips.colour(*RED)
    alone, text = encoder.embed_images([picture]), encoder.embed_texts(["blue"])
    mixed = image_query(encoder, picture, "blue", 0.25)
    wanted = 0.75 * alone + 0.25 * text
    np.testing.assert_allclose(mixed.vector, wanted / np.linalg.norm(wanted), atol=1e-6)
    assert mixed.temperature == IMAGE_TEMPERATURE
    np.testing.assert_array_equal(image_query(encoder, picture, "  ").vector, alone)


# ---------------------------------------------------------------- a real CLIP


def test_a_made_clip_finds_the_frame_it_is_shown(videos: Path, tmp_path: Path) -> None:
    name = f"clip:{checkpoints.clip(tmp_path)}"
    with Library(settings=settings(tmp_path / "library", frame_model=name)) as library:
        reports = library.add([videos]).videos
        assert {r.stages["frame_vectors"].status for r in reports} == {"done"}
        wanted = frames_to_embed(library._catalog, "night", name)
        for frame in wanted.frames:
            picture = library.path / wanted.files[frame.picture]
            best = library.search_image(picture).moments[0]
            assert best.video_id == "night" and best.start <= frame.time < best.end
            assert best.score == pytest.approx(1.0, abs=1e-4)
        picture = library.path / wanted.files[wanted.frames[0].picture]
        alone = library.search_image(picture)
        moved = library.search_image(picture, "who is it", text_weight=0.9)
        assert [m.score for m in moved.moments] != [m.score for m in alone.moments]
        assert library.search("where is the owl").moments[0].why[FRAMES] >= 0
