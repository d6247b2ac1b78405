"""What a run of the patlak verb found and wrote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.input_function import InputFunction
from betaplus.patlak.fitting import PatlakFit
from betaplus.pipeline.patlak.request import Names

__all__ = ["PatlakRun"]


@dataclass(frozen=True, eq=False, kw_only=True)
class PatlakRun:
    """What a run found and wrote.

    Attributes:
        fit: The maps, and the study that they are of.
        samples: Blood samples.
        wls: Ki and V0 by weighted least squares, to compare with, each of shape (X, Y, Z); None
            where the method is that, or weighs frames otherwise.
        residual: Root mean square of the weighted residual of each frame used, shape (F,) [SUV].
        wls_residual: That of weighted least squares, or None.
        regions: Columns of the table of regions, or None.
        run: The run record.
        remarks: What was found untidy and what was done about it.
        names: Where the outputs are.
        paths: Files written, without sidecars.
    """

    fit: PatlakFit
    samples: InputFunction
    wls: dict[str, np.ndarray] | None
    residual: np.ndarray
    wls_residual: np.ndarray | None
    regions: dict[str, Any] | None
    run: dict[str, Any]
    remarks: tuple[str, ...]
    names: Names
    paths: tuple[Path, ...]

    @property
    def summary(self) -> list[str]:
        """A few plain lines about the run."""
        study, run = self.fit.study, self.run
        mask = study.problem.mask.numpy()
        shape = " x ".join(map(str, study.problem.shape))
        lines = [
            f"{int(mask.sum()):,} voxels of {shape} in {run['timings_s']['fit']:.1f} s"
            f" ({run['method']})",
            f"t* = {study.t_star:g} s, {len(study.used)} of {study.image.n_frames} frames used",
        ]
        lines += [f"remark: {text}" for text in self.remarks]
        lines += [f"{name}: {self.names.map(name)}" for name in self.fit.maps]
        if self.names.report in self.paths:
            lines.append(f"report: {self.names.report}")
        return lines
