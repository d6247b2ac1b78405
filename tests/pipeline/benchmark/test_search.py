"""The search for settings: a known least, ends, and what is asked."""

import math

import pytest

from betaplus.pipeline.benchmark.search import Axis, search


def bowl(a, b):
    return lambda s: math.log(s["a"] / a) ** 2 + 2.0 * math.log(s["b"] / b) ** 2


def axis(name, low=1e-3, high=1e3):
    return Axis(name=name, ratio=2.0, low=low, high=high)


@pytest.mark.parametrize(("a", "b"), [(8.0, 0.25), (0.125, 4.0), (1.0, 1.0)])
def test_it_finds_the_least_of_a_bowl(a, b):
    found = search(bowl(a, b), {"a": 1.0, "b": 1.0}, [axis("a"), axis("b")])
    assert found.settings == {"a": a, "b": b}
    assert found.score == pytest.approx(0.0)
    assert found.bracketed == {"a": True, "b": True}


def test_a_least_at_the_end_of_an_axis_is_told():
    found = search(bowl(64.0, 1.0), {"a": 1.0, "b": 1.0}, [axis("a", high=10.0), axis("b")])
    assert found.settings == {"a": 8.0, "b": 1.0}
    assert found.bracketed == {"a": False, "b": True}


def test_nothing_is_asked_twice():
    asked = []

    def score(settings):
        asked.append(tuple(settings.values()))
        return bowl(4.0, 2.0)(settings)

    search(score, {"a": 1.0, "b": 1.0}, [axis("a"), axis("b")], rounds=3)
    assert len(asked) == len(set(asked))


def test_a_second_round_follows_a_valley():
    def score(s):
        x, y = math.log2(s["a"]), math.log2(s["b"])
        return (x - y) ** 2 + 0.5 * (x + y - 8.0) ** 2

    start, axes = {"a": 1.0, "b": 1.0}, [axis("a"), axis("b")]
    one, more = (search(score, start, axes, rounds=n) for n in (1, 20))
    assert more.score < one.score
    assert more.settings == {"a": 16.0, "b": 16.0}
