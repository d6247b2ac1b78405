"""What to cite for a run, as a section of its report."""

from __future__ import annotations

from collections.abc import Iterable

from betaplus.pipeline.bids.citations import MODELS, OF, REFERENCES
from betaplus.report.elements import Html, to_html
from betaplus.report.page import Page

__all__ = ["add_reference_list", "add_references"]

_USUAL = {"patlak": ("patlak",)}
_NOTE = "What describes the model and the method that were used here."
_NOTE_OF_SEVERAL = "What describes the models and methods that were used here."


def add_references(page: Page, verb: str, method: str, model: str = "") -> None:
    """Add the citations of a verb's method, and of a model; nothing where there are none.

    Args:
        page: The page to add to.
        verb: The verb.
        method: Its method.
        model: The kinetic model, or nothing.
    """
    _add(page, _keys(verb, method, model), _NOTE)


def add_reference_list(page: Page, used: Iterable[tuple[str, str, str]]) -> None:
    """Add the citations of all that a page shows, each once.

    Args:
        page: The page to add to.
        used: Verb, method and kinetic model (or nothing) of each part.
    """
    _add(page, [key for part in used for key in _keys(*part)], _NOTE_OF_SEVERAL)


def _keys(verb: str, method: str, model: str) -> list[str]:
    return [*MODELS.get(model, ()), *OF.get((verb, method), _USUAL.get(verb, ()))]


def _add(page: Page, keys: Iterable[str], note: str) -> None:
    items = "".join(f"<li>{to_html(REFERENCES[key])}</li>" for key in dict.fromkeys(keys))
    if items:
        page.add_section("Citations", Html(f"<ol>{items}</ol>"), note)
