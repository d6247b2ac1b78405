"""Figures of the comparison of methods."""

from __future__ import annotations

import base64

import numpy as np

from betaplus.report.figures.methods import accuracy_panel, voxel_panel


def test_accuracy_has_a_mark_for_each_method_and_quantity():
    scores = {name: {"error": 0.1, "uncertainty": 0.02} for name in ("K1", "Ki")}
    rows = [{"label": label, "accuracy": scores} for label in ("exact", "flow <raw>")]
    made = accuracy_panel(rows, ("K1", "Ki"))
    assert made.kind == "svg"
    for text in ("exact", "flow &lt;raw&gt;", "K1", "Ki", "error of mean"):
        assert text in made.data


def test_voxels_are_drawn_with_all_methods_in_both_formats():
    edges = np.linspace(0.0, 1.0, 21)
    density = np.exp(-((edges[1:] - 0.5) ** 2) / 0.02)
    methods = {
        "exact, large set": {"density": density.tolist()},
        "NUTS": {"density": density.tolist()},
        "another": {"density": (50.0 * density).tolist()},
    }
    quantities = {
        name: {"edges": edges.tolist(), "methods": methods} for name in ("K1", "VB", "Ki")
    }
    made = voxel_panel(quantities, caption="a voxel")
    assert all(label in made.data for label in methods)
    png = voxel_panel(quantities, kind="png")
    assert base64.b64decode(png.data).startswith(b"\x89PNG")
