"""The section that compares models: its numbers are those of the comparison."""

from __future__ import annotations

import re

import numpy as np

from betaplus.kinetics.compare import COMPARED, Comparison
from betaplus.report.kinetics.models import add_models
from betaplus.report.page import Page

P = np.array([[0.7, 0.2, 0.1], [0.05, 0.15, 0.8]])
WIDE = np.array([[0.301, 0.402, 0.297], [0.06, 0.24, 0.7]])
SETTINGS = {"wider": {"factor": 1.5, "k3": [0.00015, 13.4], "k4": [0.0001, 2.81]}}


def comparison(probability, wide, names=None, inside=None):
    shape = probability.shape
    status = np.ones(shape, dtype=np.uint8)
    if inside is not None:
        status[~inside] = 0
    return Comparison(
        names=names,
        models=COMPARED,
        log_evidence=np.log(np.maximum(probability, 1e-9)) - 100.0,
        probability=probability,
        sensitivity=wide,
        ess=np.full(shape, 500.0),
        status=status,
        aic=np.broadcast_to([210.0, 214.5, 209.0], shape) if names else None,
        settings=SETTINGS,
    )


def text_of(*comparisons):
    page = Page("title")
    add_models(page, *comparisons)
    return page.html()


def cells(html, row):
    body = re.search(rf'<th scope="row">{row}</th>(.*?)</tr>', html, re.DOTALL)
    assert body
    text = re.sub(r"<small>", " ", body.group(1))
    return [re.sub(r"<.*?>", "", part) for part in re.findall(r"<td.*?>(.*?)</td>", text)]


def test_a_table_of_curves():
    html = text_of(comparison(P, WIDE, ("left & right", "back")))
    assert "Which model" in html and "left &amp; right" in html
    got = cells(html, "left &amp; right")
    assert got[0] == "1TCM"
    assert got[1].split() == ["0.700", "0.301"] and got[5].split() == ["0.100", "0.297"]
    assert got[4].split() == [f"\u2212{np.log(0.7 / 0.2):.1f}", "5.5"]  # evidence and AIC behind
    assert "ranges 1.5 times as wide (k3 0.00015 to 13.4, k4 0.0001 to 2.81)" in html


def test_voxels_are_counted():
    inside = np.zeros((2, 2, 1), dtype=bool)
    inside[0, :, 0], inside[1, 0, 0] = True, True
    probability, wide = np.zeros((2, 2, 1, 3)), np.zeros((2, 2, 1, 3))
    probability[inside] = np.concatenate([P, P[:1]])
    wide[inside] = np.concatenate([WIDE, WIDE[:1]])
    voxels = comparison(probability, wide, inside=inside)
    html = text_of(voxels, comparison(P, WIDE, ("front", "back")))
    assert cells(html, "1TCM")[:3] == ["2", "66.7 %", "0"]  # with wider priors it is 2TCM3k
    assert cells(html, "2TCM")[:3] == ["1", "33.3 %", "1"]
    assert float(cells(html, "2TCM3k")[3]) == np.round((0.2 + 0.15 + 0.2) / 3, 3)
    assert cells(html, "back")[0] == "2TCM"
