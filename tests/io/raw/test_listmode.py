"""Siemens list mode: known events in files made by hand, and every kind of bad file."""

from __future__ import annotations

import numpy as np
import pytest
from tests.io.raw.cases import MMR, TINY, list_file, tag, word

from betaplus.core.errors import InputError
from betaplus.core.frames import FrameTiming
from betaplus.core.tracer import Tracer
from betaplus.io.raw.histogram import histogram, histogram_scan
from betaplus.io.raw.listmode_open import open_listmode
from betaplus.io.raw.siemens import plane_order

# radial, view and plane of the file, with the detectors and rings they must mean
LIVE = [
    (172, 1, 0, (1, 253), (0, 0)),  # first plane: ring 0 with itself
    (172, 2, 63, (2, 254), (63, 63)),
    (173, 5, 64, (5, 256), (1, 0)),  # second segment: the first detector's ring is one higher
    (174, 3, 126, (4, 254), (63, 62)),
    (170, 250, 127, (249, 503), (0, 1)),  # third segment: one lower
]


def known() -> list[int]:
    """A millisecond of prompts, an empty one, one of delayeds and of tags without meaning."""
    words = [word(True, 172, 1, 0)]  # before the first tag
    words += [tag(5)]
    words += [word(True, 172, 1, 0), word(True, 173, 5, 64), word(False, 174, 3, 126)]
    words += [tag(6), tag(7), 0xBC000000, 0xFFFF0000]
    words += [word(False, 172, 1, 0), word(True, 172, 2, 63)]
    return words


def test_events(tmp_path):
    file = open_listmode(list_file(tmp_path / "a.l", known(), duration=0.003))
    assert file.scanner == MMR and file.remarks == ()
    assert (file.first, file.last, file.start, file.end) == (5, 7, 0.005, 0.008)
    assert file.tracer == Tracer.of("F18", 6586.2, "FDG") and file.injection == -3215.0
    events = file.events()
    assert len(events) == 6
    assert events.time.tolist() == [5, 5, 5, 5, 7, 7]
    assert events.prompt.tolist() == [True, True, True, False, False, True]
    assert events.radial.tolist() == [172, 172, 173, 174, 172, 172]
    assert events.view.tolist() == [1, 1, 5, 3, 1, 2]


@pytest.mark.parametrize(("radial", "view", "plane", "detectors", "rings"), LIVE)
def test_what_an_address_means(tmp_path, radial, view, plane, detectors, rings):
    path = list_file(
        tmp_path / "a.l", [tag(0), word(True, 172, 1, 0), word(True, radial, view, plane)]
    )
    events = open_listmode(path).events()
    assert tuple(events.rings[1]) == rings
    assert tuple(events.detectors[1]) == detectors
    v, r, p = np.unravel_index(events.bins[1], MMR.shape)
    assert (v, r) == (view, radial)
    assert p == MMR.michelogram.plane_of_pair[rings]


def test_planes_are_in_siemens_order():
    single = MMR.replace(span=1).michelogram
    pairs = single.pairs[plane_order(single)]
    assert len({tuple(p) for p in pairs.tolist()}) == 4084
    at = 0
    for d in [0, *(s * d for d in range(1, 61) for s in (1, -1))]:
        part = pairs[at : at + 64 - abs(d)]
        assert (part[:, 0] - part[:, 1] == d).all()  # first minus second
        assert (np.diff(part, axis=0) == 1).all()
        at += 64 - abs(d)


def test_histogram_counts_each_event_once(tmp_path):
    rng = np.random.default_rng(3)
    live = np.argwhere(TINY.live)
    chosen = live[rng.integers(0, len(live), 3000)]
    planes, prompt = rng.integers(0, 25, 3000), rng.random(3000) < 0.8
    stamps = np.sort(rng.integers(0, 40, 3000))
    words = []
    for (v, r), p, y, t in zip(chosen, planes, prompt, stamps, strict=True):
        words += [tag(int(t)), word(bool(y), int(r), int(v), int(p), TINY)]
    path = list_file(tmp_path / "a.l", [tag(0), *words, tag(39)], header=False)
    prompts, delayeds = histogram(path, TINY)
    expected = np.zeros((2, *TINY.shape), np.float32)
    single = TINY.replace(span=1).michelogram
    rings = single.pairs[plane_order(single)][planes]
    own = TINY.michelogram.plane_of_pair[rings[:, 0], rings[:, 1]]
    np.add.at(expected, ((~prompt).astype(int), chosen[:, 0], chosen[:, 1], own), 1)
    assert np.array_equal(prompts, expected[0]) and np.array_equal(delayeds, expected[1])

    scan = histogram_scan(
        open_listmode(path, TINY), FrameTiming.from_durations([0.01, 0.015, 0.015])
    )
    assert scan.prompts.shape == (3, *TINY.shape) and scan.n_frames == 3
    counts = [
        int(((stamps >= a) & (stamps < b) & prompt).sum()) for a, b in ((0, 10), (10, 25), (25, 40))
    ]
    assert [int(scan.prompts[t].sum()) for t in range(3)] == counts
    assert int(scan.delayeds[1, 10:].sum()) == int(
        ((stamps >= 10) & (stamps < 25) & ~prompt & (chosen[:, 0] >= 10)).sum()
    )
    assert np.array_equal(sum(scan.prompts[t] for t in range(3)), prompts)


@pytest.mark.parametrize("words", [1, 2, 3, 7, 1 << 20])
def test_chunks_do_not_matter(tmp_path, words):
    file = open_listmode(list_file(tmp_path / "a.l", known()))
    parts = list(file.stream(words=words))
    whole = file.events()
    for name in ("address", "prompt", "time"):
        joined = np.concatenate([getattr(p, name) for p in parts])
        assert np.array_equal(joined, getattr(whole, name))


def test_a_time_is_found_without_reading_all(tmp_path, monkeypatch):
    words = []
    for t in range(2000):
        words += [tag(t), *([word(True, 172, 1, t % 64)] * (t % 7))]
    file = open_listmode(list_file(tmp_path / "a.l", words, duration=2.0))
    monkeypatch.setattr("betaplus.io.raw.listmode._PROBE", 16)
    for a, b in (
        (0, 2000),
        (0, 1),
        (1999, 2000),
        (700, 701),
        (333, 1500),
        (1000, 1000),
        (5000, 6000),
    ):
        times = file.events(a / 1000, b / 1000).time
        assert times.tolist() == [t for t in range(a, min(b, 2000)) for _ in range(t % 7)]


def test_a_header_is_found_by_what_it_names(tmp_path):
    path = list_file(tmp_path / "scan.l", known())
    (tmp_path / "scan.l.hdr").rename(tmp_path / "other.hdr.STIR")
    (tmp_path / "aaa.hdr").write_text("no header")
    list_file(tmp_path / "b.l", known(), rings=63)
    assert open_listmode(path).scanner == MMR


def test_without_a_header_the_scanner_is_needed(tmp_path):
    path = list_file(tmp_path / "a.l", known(), header=False)
    with pytest.raises(InputError, match=r"no header beside a\.l names it.*give --scanner"):
        open_listmode(path)
    assert len(open_listmode(path, MMR).events()) == 6


def test_what_differs_from_the_header_is_remarked(tmp_path):
    table = "{127,115,115,93,93,71,71,49,49,27,27}"
    path = list_file(tmp_path / "a.l", known(), duration=900, count=12345, table=table)
    remarks = open_listmode(path).remarks
    assert len(remarks) == 3
    assert "4084 planes" in remarks[0]
    assert "11 words, a.l.hdr says 12345" in remarks[1]
    assert "lasts 0.003 s by its time tags, a.l.hdr says 900 s" in remarks[2]


BAD_HEADERS = [
    ({"rings": 63}, "a geometry of 63 rings and 252 views that is not known"),
    ({"span": 11}, "list mode with an axial compression of 11"),
    ({"table": "{64,63}"}, "'segment table' has 127 planes"),
    ({"table": "{64,x}"}, "'segment table' is 'x'"),
]


@pytest.mark.parametrize(("changes", "message"), BAD_HEADERS)
def test_bad_headers(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        open_listmode(list_file(tmp_path / "a.l", known(), **changes))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("bits):=32", "bits):=64", "words of 64 bits"),
        ("0.40625", "0.329", "is not known"),
        ("views:=252", "views:=399", "is not known"),
        ("bins:=1", "bins:=13", "is not known"),
    ],
)
def test_headers_of_other_scanners(tmp_path, old, new, message):
    path = list_file(tmp_path / "a.l", known())
    header = tmp_path / "a.l.hdr"
    assert old in header.read_text()
    header.write_text(header.read_text().replace(old, new))
    with pytest.raises(InputError, match=message):
        open_listmode(path)
    with pytest.raises(InputError, match=r"words of 64 bits|is of another scanner"):
        open_listmode(path, MMR)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "a.l holds 0 bytes; expected whole words of 4 bytes"),
        ([word(True, 172, 1, 0)] * 5, "a.l holds no time tags"),
        ([tag(3), word(True, 172, 1, 0), tag(2), tag(4)], "time goes back from 3 to 2 ms in a.l"),
        (
            [tag(3), word(True, 172, 1, 4084)],
            "bin 354034308 in a.l is outside the 354033792 of mMR",
        ),
        ([tag(3)] + [word(True, 172, 0, 0)] * 9, "9 of the first 9 events in a.l are on missing"),
    ],
)
def test_bad_files(tmp_path, words, message):
    with pytest.raises(InputError, match=message):
        open_listmode(list_file(tmp_path / "a.l", words))


def test_a_cut_word(tmp_path):
    path = list_file(tmp_path / "a.l", known())
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"a\.l holds 43 bytes; expected whole words.*it is cut"):
        open_listmode(path)


def test_a_file_that_shrinks(tmp_path):
    file = open_listmode(list_file(tmp_path / "a.l", known()))
    file.path.write_bytes(file.path.read_bytes()[:8])
    with pytest.raises(InputError, match="became shorter"):
        file.events()


def test_frames_outside_the_file(tmp_path):
    file = open_listmode(list_file(tmp_path / "a.l", known()))
    with pytest.raises(
        InputError, match=r"frames from 0 to 60 s but a\.l has events from 0\.005 to"
    ):
        histogram_scan(file, FrameTiming.from_durations([60.0]))


def test_injections(tmp_path):
    path = list_file(tmp_path / "a.l", known())
    header = tmp_path / "a.l.hdr"
    text = header.read_text()
    header.write_text(
        text.replace("injection date (yyyy:mm:dd):=2017:03:27", "injection date:=2017:03:26")
    )
    assert "puts the injection 24.9 h before" in " ".join(open_listmode(path).remarks)
    header.write_text(text.replace("tracer injection time", "nothing"))
    assert "does not say when the tracer was injected" in " ".join(open_listmode(path).remarks)
