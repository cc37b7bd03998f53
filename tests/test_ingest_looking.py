"""What is looked at: how much a picture is worth, how many calls there are, what shares one."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.ingest.looking import LONGEST_CHAIN, LONGEST_VIEW, Look, View, views_of
from pipeline.types import Segment


@dataclass(frozen=True)
class Frame:
    time: float
    novelty: float = 0.6

    @property
    def path(self) -> Path:
        return Path(f"{self.time:g}.jpg")


@dataclass(frozen=True)
class Shot:
    start: float
    end: float
    key_frames: tuple[Frame, ...]
    motion: float = 0.0


def spoken(start: float, end: float, rate: float = 2.6, word: str = "owl") -> list[Segment]:
    """Segments of five seconds in which `rate` words a second are said."""
    said = " ".join([word] * round(5 * rate))
    starts = [start + 5 * n for n in range(int((end - start) / 5))]
    return [Segment("speech", t, t + 5, said) for t in starts if t >= 0]


def one_shot(end: float, every: float, novelty: float, start: float = 0.0) -> Shot:
    """A shot with a key frame every so many seconds, the first of them quite new."""
    times = [start + every * n for n in range(int((end - start) / every))]
    return Shot(start, end, tuple(Frame(t, novelty if t > start else 0.9) for t in times))


def looks_of(views: Sequence[View]) -> list[Look]:
    return [look for view in views for look in view.looks]


def random_shots(seed: int, end: float) -> list[Shot]:
    """Shots of all lengths, with pictures of all kinds, and black ones."""
    rng = random.Random(seed)
    shots, at = [], 0.0
    while at < end:
        stop = min(end, at + rng.choice((0.5, 3, 8, 20, 60, 400)) * rng.uniform(0.5, 1.5))
        count = rng.choice((0, 1, 1, 2, 3, int((stop - at) / 8)))
        times = sorted(rng.uniform(at, stop) for _ in range(count))
        shots.append(Shot(at, stop, tuple(Frame(t, rng.random() ** 2) for t in times if t < stop)))
        at = stop
    return shots


def random_speech(seed: int, end: float) -> list[Segment]:
    rng = random.Random(seed)
    return [
        Segment("speech", t, t + rng.uniform(1, 9), "as you can see " * rng.randint(0, 6) + "so")
        for t in sorted(rng.uniform(0, end - 9) for _ in range(int(end / 6)))
    ]


# ---------------------------------------------------------------- what a picture is worth


def test_a_talking_head_gets_a_look_or_two_and_a_silent_demonstration_many() -> None:
    talk = views_of([one_shot(600, 10, 0.04)], spoken(-10, 620))
    demonstration = views_of([one_shot(600, 10, 0.15)])
    assert 1 <= len(looks_of(talk)) <= 2
    assert len(looks_of(demonstration)) == 60
    assert len(demonstration) == 10
    restless = views_of([one_shot(600, 10, 0.08)], spoken(-10, 620))
    assert sum(v.worth for v in demonstration) > 3 * sum(v.worth for v in restless)


def test_the_same_pictures_are_worth_less_the_more_is_said() -> None:
    shot = Shot(10, 20, (Frame(12, 0.2),))
    worth = [
        views_of([shot], spoken(0, 30, rate) if rate else ())[0].worth for rate in (0, 1, 2, 3)
    ]
    assert worth[0] > worth[1] > worth[2] == pytest.approx(worth[3], rel=0.05)


def test_a_full_slide_is_worth_less_than_a_silent_scene_and_a_caption_on_it_little_less() -> None:
    shot = Shot(0, 20, (Frame(5, 0.25),))

    def worth(words: int) -> float:
        screen = [Segment("screen", 0, 20, "word " * words)] if words else []
        return views_of([shot], screen=screen)[0].worth

    assert worth(40) < 0.7 * worth(0)
    assert worth(2) > 0.9 * worth(0)
    slide = [Segment("screen", 0, 20, "word " * 40)]
    both = views_of([shot], spoken(0, 20), slide)[0].worth
    assert both < 0.2 * worth(0), "what can be heard and read needs no description"


def test_another_place_is_worth_a_look_whatever_is_said() -> None:
    silent = views_of([Shot(0, 20, (Frame(5, 0.9),))])[0].worth
    said = views_of([Shot(0, 20, (Frame(5, 0.9),))], spoken(0, 20))[0].worth
    assert 0.6 * silent < said < silent
    same_place = views_of([Shot(0, 20, (Frame(5, 0.2),))], spoken(0, 20))[0].worth
    assert same_place < 0.6 * said


@pytest.mark.parametrize(
    "text",
    [
        "As you can see, it bends.",
        "Now drag it over there.",
        "and then you click on save",
        "on the left we have the inlet",
        "in this chart sales go down",
        "Have a LOOK at that",
    ],
)
def test_who_points_at_something_makes_the_picture_worth_more(text: str) -> None:
    shot = Shot(0, 20, (Frame(5, 0.2),))

    def worth(said: str) -> float:
        return views_of([shot], [Segment("speech", 4, 8, said)])[0].worth

    assert worth(text) > 1.3 * worth("word " * len(text.split()))


@pytest.mark.parametrize("text", ["The dragon was selective.", "They seem clickable.", "you seem"])
def test_a_word_that_begins_like_pointing_does_not(text: str) -> None:
    shot = Shot(0, 20, (Frame(5, 0.2),))
    plain = [Segment("speech", 4, 8, "word " * len(text.split()))]
    told = views_of([shot], [Segment("speech", 4, 8, text)])
    assert told[0].worth == views_of([shot], plain)[0].worth


def test_pointing_counts_where_the_picture_stands_and_nowhere_else() -> None:
    shots = [Shot(0, 20, (Frame(5, 0.2),)), Shot(20, 60, (Frame(25, 0.2),))]
    pointed = [Segment("speech", 45, 46, "look at this")]
    first, second = looks_of(views_of(shots, pointed))
    assert second.worth > 1.3 * first.worth


def test_chinese_is_counted_by_its_characters() -> None:
    """Ten seconds of fluent speech: 40 characters without a space are no single word."""
    shot = Shot(0, 10, (Frame(5, 0.2),))
    fluent = [Segment("speech", 0, 10, "今天我们来看看怎么在家里做一道简单又好吃的番茄炒鸡蛋" * 2)]
    silent, said = views_of([shot]), views_of([shot], fluent)
    english = views_of([shot], spoken(0, 10))
    assert said[0].worth < 0.6 * silent[0].worth
    assert said[0].worth == pytest.approx(english[0].worth, rel=0.15)
    screen = [
        Segment(
            "screen",
            0,
            10,
            "第一章今天的内容包括番茄鸡蛋的做法以及需要准备的各种材料和工具清单" * 2,
        )
    ]
    assert views_of([shot], screen=screen)[0].worth < 0.7 * silent[0].worth


def test_a_picture_that_is_gone_at_once_is_worth_less() -> None:
    brief = views_of([Shot(0, 0.5, (Frame(0.2),))])[0].worth
    assert brief < 0.3 * views_of([Shot(0, 20, (Frame(0.2),))])[0].worth


# ---------------------------------------------------------------- where a picture stands


def test_a_picture_stands_until_the_next_one_and_the_first_of_a_shot_from_its_beginning() -> None:
    shots = [Shot(0, 10, (Frame(3), Frame(6), Frame(8))), Shot(10, 14, (Frame(12),))]
    looks = looks_of(views_of(shots))
    assert [(look.start, look.time, look.end) for look in looks] == [
        (0, 3, 6),
        (6, 6, 8),
        (8, 8, 10),
        (10, 12, 14),
    ]


def test_what_was_shown_before_is_not_looked_at_again() -> None:
    """Back to a place: no picture stands for it. Within a shot the one before goes on."""
    speaker, hall = Frame(5, 1.0), Frame(15, 0.7)
    back, same, new = Frame(25, 0.01), Frame(28, 0.02), Frame(33, 0.5)
    shots = [Shot(0, 10, (speaker,)), Shot(10, 20, (hall, Frame(18, 0.01)))]
    shots.append(Shot(20, 40, (back, same, new)))
    looks = looks_of(views_of(shots))
    assert [(look.start, look.time, look.end) for look in looks] == [
        (0, 5, 10),
        (10, 15, 20),
        (33, 33, 40),
    ], "what is new begins at its own time"


def test_an_hour_that_is_one_shot_is_not_looked_at_for_every_picture_that_is_alike() -> None:
    still = [Frame(10.0 * n, 0.02 if n else 1.0) for n in range(360)]
    (view,) = views_of([Shot(0, 3600, tuple(still))])
    assert [(look.start, look.end) for look in view.looks] == [(0, 3600)]


@pytest.mark.parametrize("seed", range(12))
def test_stretches_are_disjoint_ascending_and_inside_their_shots(seed: int) -> None:
    shots = random_shots(seed, 2000)
    views = views_of(shots, random_speech(seed, 2000))
    looks = looks_of(views)
    assert looks
    assert all(one.end <= other.start for one, other in pairwise(looks))
    for look in looks:
        (shot,) = [s for s in shots if s.start <= look.time < s.end]
        assert shot.start <= look.start <= look.time < look.end <= shot.end
        assert look.path in {frame.path for frame in shot.key_frames}
    for view in views:
        assert (view.start, view.end) == (view.looks[0].start, view.looks[-1].end)
        assert view.worth == pytest.approx(sum(look.worth for look in view.looks))
        assert all(look.worth > 0 for look in view.looks)


# ---------------------------------------------------------------- how many calls


@pytest.mark.parametrize("seconds", [20.0, 60.0, 300.0])
@pytest.mark.parametrize("images", [1, 3, 6])
def test_there_is_never_more_than_a_call_in_so_many_seconds(seconds: float, images: int) -> None:
    for seed in range(4):
        views = views_of(random_shots(seed, 10_000), seconds_per_call=seconds, images=images)
        assert 1 <= len(views) <= round(10_000 / seconds)
        assert max(len(view.looks) for view in views) <= images
        # A stretch that is full is a call of its own: no view holds pictures of half an hour.
        assert all(v.looks[-1].time - v.looks[0].time <= max(seconds, LONGEST_VIEW) for v in views)


def test_busy_footage_uses_all_its_calls() -> None:
    views = views_of([one_shot(6000, 5, 0.5)])
    assert len(views) == 100
    assert {len(view.looks) for view in views} == {6}


def test_of_each_stretch_the_worthiest_pictures_are_chosen() -> None:
    """Sixty pictures a minute; six of each minute are of another place."""
    frames = tuple(Frame(float(t), 0.8 if t % 10 == 3 else 0.1) for t in range(180))
    views = views_of([Shot(0, 180, frames)])
    assert [look.time for look in looks_of(views)] == [float(t) for t in range(3, 180, 10)]
    assert [len(view.looks) for view in views] == [6, 6, 6]


def test_pictures_that_are_left_out_leave_no_stretch_to_the_others() -> None:
    """What is said of a picture is not said of one that came after it and was not described."""
    frames = (Frame(0, 0.9), Frame(10, 0.2), Frame(20, 0.9))
    (view,) = views_of([Shot(0, 30, frames)], images=2)
    assert [(look.start, look.end) for look in view.looks] == [(0, 10), (20, 30)]


def test_short_quiet_stretches_share_a_call_and_far_ones_do_not() -> None:
    one_a_minute = [Shot(60.0 * n, 60.0 * n + 60, (Frame(60.0 * n + 30),)) for n in range(6)]
    views = views_of(one_a_minute)
    assert [len(view.looks) for view in views] == [2, 2, 2]
    assert all(view.end - view.start <= LONGEST_VIEW for view in views)
    busy = views_of([one_shot(120, 15, 0.5)])
    assert [len(view.looks) for view in busy] == [4, 4], "eight pictures are too many for a call"
    sparse = [Shot(0, 600, (Frame(5),)), Shot(600, 1200, (Frame(605),))]
    assert [len(view.looks) for view in views_of(sparse)] == [1, 1]


# ---------------------------------------------------------------- chains


def chains(views: Sequence[View]) -> list[int]:
    lengths: list[int] = []
    for view in views:
        if view.follows:
            lengths[-1] += 1
        else:
            lengths.append(1)
    return lengths


def test_views_of_one_place_follow_one_another_up_to_the_longest_chain() -> None:
    views = views_of([one_shot(1200, 10, 0.15)])
    assert not views[0].follows
    assert chains(views) == [LONGEST_CHAIN] * 4


def test_another_place_or_a_long_gap_begins_a_chain() -> None:
    shots = [one_shot(60, 10, 0.15), one_shot(120, 10, 0.15, start=60)]
    assert chains(views_of(shots)) == [1, 1], "another place"
    later = Shot(700, 760, tuple(Frame(700.0 + 10 * n, 0.15) for n in range(6)))
    near = Shot(60, 120, tuple(Frame(60.0 + 10 * n, 0.15) for n in range(6)))
    assert chains(views_of([shots[0], later])) == [1, 1], "a gap of ten minutes"
    assert chains(views_of([shots[0], near])) == [2]


@pytest.mark.parametrize("seed", range(6))
def test_no_chain_is_too_long_nor_begins_with_one_that_follows(seed: int) -> None:
    views = views_of(random_shots(seed, 10_000))
    assert not views[0].follows
    assert max(chains(views)) <= LONGEST_CHAIN


# ---------------------------------------------------------------- none, one, the same again


def test_black_is_not_looked_at() -> None:
    assert views_of([]) == []
    assert views_of([Shot(0, 10, ()), Shot(10, 400, ())]) == []
    (view,) = views_of([Shot(0, 10, ()), Shot(10, 40, (Frame(20),)), Shot(40, 90, ())])
    assert (view.start, view.end) == (10, 40)


@pytest.mark.parametrize("novelty", [0.0, 0.01, 0.04, 1.0])
def test_there_is_a_view_wherever_there_is_a_picture(novelty: float) -> None:
    """However little it shows, however much is said and read, however short it is."""
    shots = [Shot(0, 0.3, (Frame(0.1, novelty),))]
    screen = [Segment("screen", 0, 20, "word " * 50)]
    assert len(looks_of(views_of(shots, spoken(0, 20, 4), screen))) == 1


def test_the_same_video_is_looked_at_in_the_same_way() -> None:
    shots, speech = random_shots(1, 4000), random_speech(1, 4000)
    assert views_of(shots, speech) == views_of(list(shots), list(reversed(speech)))


def test_somebody_who_moves_while_speaking_is_not_news_and_a_slide_is() -> None:
    moves = Shot(0, 600, one_shot(600, 10, 0.07).key_frames, motion=0.01)
    still = Shot(0, 600, moves.key_frames)
    speech = spoken(0, 600)
    assert len(looks_of(views_of([moves], speech))) == 1
    assert len(looks_of(views_of([still], speech))) > 20
    assert len(looks_of(views_of([moves]))) > 20, "in silence it is what there is to see"
