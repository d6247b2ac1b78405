"""What a run of the kinetics verb found and wrote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.image import PetImage
from betaplus.core.input_function import InputCurve, InputFunction
from betaplus.core.posterior import Posterior
from betaplus.core.tacs import TacTable
from betaplus.kinetics.compare import Comparison
from betaplus.pipeline.kinetics.outputs import Names

__all__ = ["KineticsResult"]


@dataclass(frozen=True, eq=False, kw_only=True)
class KineticsResult:
    """What a run found and wrote.

    Attributes:
        posterior: Of the voxels or of the curves.
        data: What was analysed.
        blood: Blood samples, or None with a reference region.
        curve: Input curve [Bq/mL], or that of the reference region.
        regions: For an image, the region curves.
        region_posterior: Their posterior.
        chosen: Regions to draw.
        comparison: Of models, for the voxels or the curves, where it was asked for.
        region_comparison: For an image, that of its region curves.
        run: The run record.
        remarks: What was found untidy and what was done about it.
        names: Where the outputs are.
        paths: Files written, without sidecars.
    """

    posterior: Posterior
    data: PetImage | TacTable
    blood: InputFunction | None
    curve: InputCurve
    regions: TacTable | None
    region_posterior: Posterior | None
    chosen: tuple[str, ...] | None
    run: dict[str, Any]
    remarks: tuple[str, ...]
    names: Names
    comparison: Comparison | None = None
    region_comparison: Comparison | None = None
    paths: tuple[Path, ...] = ()

    @property
    def maps(self) -> dict[str, tuple[np.ndarray, np.ndarray]] | None:
        """Parameter to (mean, SD) for an image."""
        if isinstance(self.data, TacTable):
            return None
        return {p: (m.mean, m.std) for p, m in self.posterior.parameters.items()}

    @property
    def summary(self) -> list[str]:
        """A few plain lines about the run."""
        run, counts = self.run, self.run["status"]
        what = "voxels" if isinstance(self.data, PetImage) else "curves"
        n, seconds = run["fitted"], run["timings_s"]["fit"]
        ended = {name: count for name, count in counts.items() if count and name != "outside"}
        status = ", ".join(f"{count:,} {name}" for name, count in ended.items())
        lines = [f"{n:,} {what} in {seconds:.1f} s ({status})"]
        lines += [f"remark: {text}" for text in self.remarks]
        lines.append(f"{len(self.paths)} files in {self.names.out}")
        if self.names.report in self.paths:
            lines.append(f"report: {self.names.report}")
        return lines
