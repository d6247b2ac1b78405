"""What a network was trained on, and what it is shown."""

from __future__ import annotations

import pytest

from betaplus.denoising.validity import NOISE, noise_remarks, tracer_name
from betaplus.generative.bundle_config import BundleConfig

KNOWN = ["FDG", "PSMA", "DPA-714"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("FDG", "FDG"),
        ("[18F]FDG", "FDG"),
        ("18F-fluorodeoxyglucose", "FDG"),
        ("Fluorodeoxyglucose F^18^", "FDG"),
        ("68Ga-PSMA-11", "PSMA"),
        ("[18F]DPA714", "DPA-714"),
        ("PiB", "PiB"),
    ],
)
def test_names_of_tracers(text: str, name: str) -> None:
    assert tracer_name(text, KNOWN) == name


def test_noise_outside_the_training() -> None:
    def config(**validity: list) -> BundleConfig:
        return BundleConfig(
            task="denoiser", name="body", version=1, architecture={}, validity=validity,
            settings={}, sha256="",
        )  # fmt: skip

    known = config(**{NOISE: [0.02, 0.9]})
    assert noise_remarks(0.3, known) == []
    assert "trained on 0.02 to 0.9" in noise_remarks(1.7, known)[0]
    assert "the weights say nothing" in noise_remarks(0.3, config())[0]
