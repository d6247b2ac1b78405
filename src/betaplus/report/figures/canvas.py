"""How figures are drawn, styled and put on a page."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import html
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from betaplus.core.errors import UsageError
from betaplus.io.atomic import atomic_path
from betaplus.report.elements import Html, to_html

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "Picture", "gallery", "picture", "plain_numbers", "style"]

COLOURS = {
    "ink": "#1d2327",
    "soft": "#5b666d",
    "line": "#d5d3cc",
    "blue": "#2166ac",
    "pale": "#c6dbef",
    "red": "#b2402f",
    "teal": "#0b7682",
    "amber": "#d08a1d",
}
STATUS_COLOURS = {0: "#c9c7c1", 1: "#2a7f8c", 2: "#7fb3bd", 3: "#e0a63a", 4: "#b2402f"}

_CSS_PER_INCH = 96.0
_LARGE = 300_000  # bytes of a PNG that is worth shrinking
_STYLE: Any = {
    "text.parse_math": False,
    "text.usetex": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.5,
    "axes.labelsize": 8.5,
    "axes.titlesize": 9,
    "axes.linewidth": 0.7,
    "axes.edgecolor": COLOURS["soft"],
    "axes.labelcolor": COLOURS["ink"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "axes.formatter.use_mathtext": False,
    "axes.facecolor": "white",
    "figure.facecolor": "white",
    "text.color": COLOURS["ink"],
    "xtick.color": COLOURS["soft"],
    "ytick.color": COLOURS["soft"],
    "xtick.labelcolor": COLOURS["ink"],
    "ytick.labelcolor": COLOURS["ink"],
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "xtick.minor.size": 1.8,
    "ytick.minor.size": 1.8,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
    "svg.hashsalt": "betaplus",
}


@dataclass(frozen=True, eq=False)
class Picture:
    """A finished figure.

    Attributes:
        kind: ``svg`` or ``png``.
        data: The SVG markup, or the PNG as base64.
        width: Width at which its text has its natural size [CSS px].
        alt: What it shows, for those who cannot see it.
        caption: Line above it; text is escaped.
    """

    kind: Literal["svg", "png"]
    data: str
    width: int
    alt: str
    caption: object = ""

    def __html__(self) -> str:
        """Return the figure as HTML."""
        alt = html.escape(self.alt)
        limit = f'style="max-width:{round(1.2 * self.width)}px"'
        if self.kind == "svg":
            image = self.data.replace("<svg ", f'<svg role="img" aria-label="{alt}" {limit} ', 1)
        else:
            image = f'<img src="data:image/png;base64,{self.data}" alt="{alt}" {limit}>'
        caption = f"<figcaption>{to_html(self.caption)}</figcaption>" if self.caption else ""
        return f'<figure>{caption}<div class="plot">{image}</div></figure>'

    def _repr_html_(self) -> str:
        return self.__html__()

    def save(self, path: str | Path) -> Path:
        """Write the figure as a file, SVG or PNG as it is; return its path.

        Raises:
            UsageError: If the name ends in anything else.
            OutputError: If the file cannot be written.
        """
        path = Path(path)
        if path.suffix != f".{self.kind}":
            raise UsageError(f"{path.name} for a picture", f"expected a name in .{self.kind}")
        data = base64.b64decode(self.data) if self.kind == "png" else self._svg().encode()
        with atomic_path(path) as temporary:
            temporary.write_bytes(data)
        return path

    def _svg(self) -> str:
        spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
        return self.data.replace("<svg ", f"<svg {spaces} ", 1)


def gallery(pictures: Iterable[Picture]) -> Html:
    """Return figures side by side where the page is wide enough."""
    return Html('<div class="gallery">' + "".join(p.__html__() for p in pictures) + "</div>")


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Draw in the reports' style; matplotlib's settings are as before afterwards."""
    import matplotlib

    with matplotlib.rc_context(_STYLE):
        yield


def picture(figure: Figure, kind: Literal["svg", "png"], alt: str, caption: object = "") -> Picture:
    """Return a matplotlib figure as a `Picture`; call it inside `style`."""
    width = round(figure.get_figwidth() * _CSS_PER_INCH)
    buffer = io.BytesIO()
    if kind == "png":
        # Twice the natural resolution.
        figure.savefig(buffer, format="png", dpi=2 * _CSS_PER_INCH, metadata={"Software": None})
        data = buffer.getvalue()
        data = _fewer_colours(data) if len(data) > _LARGE else data
        return Picture(kind, base64.b64encode(data).decode(), width, alt, caption)
    absent = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(buffer, format="svg", metadata=absent)
    return Picture(kind, _inline(buffer.getvalue().decode()), width, alt, caption)


def plain_numbers(axis: Any) -> None:
    """Label an axis with numbers as they are, without offsets or powers of ten."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: _plain(value)))
    axis.set_minor_formatter(NullFormatter())


def _plain(value: float) -> str:
    text = f"{value:,.0f}" if 1e4 <= abs(value) < 1e7 else f"{value:.4g}"
    return text.replace("-", "\u2212") if value < 0 else text


def _fewer_colours(png: bytes) -> bytes:
    """Return a PNG with a palette of 256 colours, about a third of the size."""
    from PIL import Image

    buffer = io.BytesIO()
    image = Image.open(io.BytesIO(png)).convert("RGB")
    image.quantize(256, dither=Image.Dither.NONE).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _inline(svg: str) -> str:
    """Return an SVG file as markup for a page: no prologue, namespaces or clashing names."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    opening, rest = svg.split(">", 1)
    view = re.search(r'viewBox="[^"]*"', opening)
    used = set(re.findall(r'(?:url\(#|href="#)([\w.-]+)', rest))
    mark = "s" + hashlib.sha256(svg.encode()).hexdigest()[:8]
    rest = re.sub(r' id="([^"]*)"', lambda m: f' id="{mark}-{m[1]}"' if m[1] in used else "", rest)
    rest = rest.replace("url(#", f"url(#{mark}-").replace('xlink:href="#', f'href="#{mark}-')
    rest = re.sub(r"\n\s*", "\n", rest)
    return f"<svg {view[0] if view else ''}>{rest}".strip()
