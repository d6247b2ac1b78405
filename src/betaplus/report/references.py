"""What to cite for a run, as a section of its report."""

from __future__ import annotations

from betaplus.pipeline.bids.citations import MODELS, OF, REFERENCES
from betaplus.report.elements import Html, to_html
from betaplus.report.page import Page

__all__ = ["add_references"]

_USUAL = {"patlak": ("patlak",)}
_NOTE = "What describes the model and the method that were used here."


def add_references(page: Page, verb: str, method: str, model: str = "") -> None:
    """Add the citations of a verb's method, and of a model; nothing where there are none.

    Args:
        page: The page to add to.
        verb: The verb.
        method: Its method.
        model: The kinetic model, or nothing.
    """
    keys = [*MODELS.get(model, ()), *OF.get((verb, method), _USUAL.get(verb, ()))]
    items = "".join(f"<li>{to_html(REFERENCES[key])}</li>" for key in dict.fromkeys(keys))
    if items:
        page.add_section("Citations", Html(f"<ol>{items}</ol>"), _NOTE)
