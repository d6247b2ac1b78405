from __future__ import annotations

import base64
import io
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

import betaplus
from betaplus.report.figures.canvas import Picture, gallery, picture, plain_numbers, style


def draw(kind: str, title: str = "a title") -> Picture:
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(3, 2))
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], "o-", label="line <1>")
        axes.fill_between([0, 1], 0.2, 0.4)
        axes.set_title(title)
        axes.legend()
        return picture(figure, kind, 'alt "text" <x>', "a & b")


def test_png_is_twice_its_size_on_the_page() -> None:
    from PIL import Image

    made = draw("png")
    image = Image.open(io.BytesIO(base64.b64decode(made.data)))
    assert made.width == 288
    assert image.size == (576, 384)


def test_svg_needs_nothing_from_elsewhere(read_page) -> None:
    made = draw("svg")
    root = ElementTree.fromstring(made.data)
    assert root.get("viewBox") == "0 0 216 144"
    assert "xlink" not in made.data and "xmlns" not in made.data and "<metadata" not in made.data
    read_page(gallery([made, draw("svg", "another")]))  # links lead to ids, which do not clash
    assert "line <1>" in read_page(made.__html__()).text()


def test_markup_of_alt_and_caption_is_escaped(read_page) -> None:
    for kind in ("svg", "png"):
        markup = draw(kind).__html__()
        assert "alt &quot;text&quot; &lt;x&gt;" in markup
        assert read_page(markup).text("figcaption") == "a & b"


def test_dollars_are_no_mathematics() -> None:
    assert "$x_1$ costs $" in draw("svg", "$x_1$ costs $").data


def test_same_figure_gives_the_same_bytes() -> None:
    assert draw("svg").data == draw("svg").data
    assert draw("png").data == draw("png").data


def test_drawing_leaves_matplotlib_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib

    monkeypatch.setitem(matplotlib.rcParams, "font.size", 13.5)
    before = matplotlib.rcParams.copy()
    small, large = draw("svg"), draw("png")
    assert matplotlib.rcParams.copy() == before
    monkeypatch.undo()
    assert (draw("svg").data, draw("png").data) == (small.data, large.data)


def test_pyplot_is_not_used() -> None:
    code = (
        "import sys, numpy\n"
        "from betaplus.report.figures import histograms, orthogonal_slices\n"
        "histograms(numpy.arange(1.0, 9), None)\n"
        "orthogonal_slices(numpy.ones((3, 3, 3)), numpy.eye(4), 't', '1')\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    source = str(Path(betaplus.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": source}
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.05, "0.05"), (-2.0, "\u22122"), (10_000, "10,000"), (250_000, "250,000"), (1e-5, "1e-05")],
)
def test_ticks_are_plain(value: float, text: str) -> None:
    from matplotlib.figure import Figure

    axis = Figure().add_subplot().xaxis
    plain_numbers(axis)
    assert axis.get_major_formatter()(value) == text
