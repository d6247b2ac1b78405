"""What the demo made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from betaplus.pipeline.demo.bids import PEOPLE, FromBids
from betaplus.pipeline.demo.denoise import Denoised
from betaplus.pipeline.demo.dicom import FromDicom
from betaplus.pipeline.demo.methods import SideBySide
from betaplus.pipeline.demo.patlak import FromDynamic
from betaplus.pipeline.demo.prior import FromPriors
from betaplus.pipeline.demo.raw import FromRaw
from betaplus.pipeline.demo.separate import FromDual
from betaplus.pipeline.demo.truth import Agreement
from betaplus.pipeline.kinetics import KineticsResult

__all__ = ["CURVES", "DemoResult"]

CURVES = 8
"""C-11 curves."""


@dataclass(frozen=True, eq=False, kw_only=True)
class DemoResult:
    """What the demo made.

    Attributes:
        brain: Posteriors in the voxels of the simulated FDG scan.
        truth: Parameter to true values in those voxels, shape (N,).
        regions: Region to parameter to mean true value.
        agreement: How posteriors and truth meet, by parameter.
        methods: Curves of that scan by the exact method and by networks.
        curves: Method to its result on the table of C-11 curves.
        curve_truth: Parameter to true values of those curves.
        curve_agreement: Method to parameter to how they meet.
        logan: Logan's plot of those curves.
        reference: Model to its result on curves with a reference region, without blood.
        reference_truth: Parameter to true values of those curves.
        raw: A scan from raw counts to images.
        priors: The diffusion priors at work.
        denoised: A body with few counts, denoised.
        patlak: Ki of a dynamic scan with few counts.
        separate: Two tracers of one scan.
        dicom: The scan as a DICOM series.
        bids: A verb on a data set.
        run: Timings and versions.
        out: The folder.
    """

    brain: KineticsResult
    truth: dict[str, np.ndarray]
    regions: dict[str, dict[str, float]]
    agreement: dict[str, Agreement]
    methods: SideBySide
    curves: dict[str, KineticsResult]
    curve_truth: dict[str, np.ndarray]
    curve_agreement: dict[str, dict[str, Agreement]]
    logan: KineticsResult
    reference: dict[str, KineticsResult]
    reference_truth: dict[str, np.ndarray]
    raw: FromRaw
    priors: FromPriors
    denoised: Denoised
    patlak: FromDynamic
    separate: FromDual
    dicom: FromDicom
    bids: FromBids
    run: dict
    out: Path

    @property
    def summary(self) -> list[str]:
        """A few plain lines about what was made."""
        run, met = self.brain.run, self.agreement
        voxels, seconds = run["fitted"], run["timings_s"]["fit"]
        shares = ", ".join(f"{p} {100 * met[p].coverage:.0f} %" for p in ("K1", "Ki", "VB"))
        return [
            f"FDG brain: posteriors of {voxels:,} voxels in {seconds:.0f} s",
            f"truth inside the 90 % interval: {shares}",
            f"side by side: {len(self.methods.regions)} regions by"
            f" {', '.join(self.methods.results)}",
            f"C-11 curves: {CURVES}, by {', '.join(self.curves)} and Logan's plot",
            f"without blood: {', '.join(self.reference)} from a reference region",
            "raw counts: "
            + ", ".join(f"{m} NRMSE {v['NRMSE']:.1f} %" for m, v in self.raw.measures.items()),
            "priors: "
            + ", ".join(
                f"{p.what} error {p.rmse['noisy']:.2f} to {p.rmse['prior']:.3f}"
                f" (Gaussian {p.rmse['Gaussian']:.3f})"
                for p in self.priors.shown
            ),
            "denoise: "
            + ", ".join(f"{n} error {v:.3f} SUV" for n, v in self.denoised.rmse.items()),
            "patlak: " + ", ".join(f"{n} error {v:.0f} %" for n, v in self.patlak.nrmse.items()),
            "separate: "
            + ", ".join(f"{n} error {v:.0f} %" for n, v in self.separate.nrmse.items()),
            f"DICOM: a series of {self.dicom.files:,} files, Ki as from NIfTI to"
            f" {100 * self.dicom.difference:.2g} % of the largest",
            f"BIDS: {PEOPLE} people, {100 * self.bids.inside:.0f} % of true Ki of regions in the"
            " 90 % interval",
            f"maps:    {self.out / 'kinetics'}",
            f"picture: {self.out / 'demo.png'}",
            f"report:  {self.out / 'report.html'}",
        ]
