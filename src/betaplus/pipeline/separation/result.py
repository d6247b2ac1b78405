"""What a run of the separate verb found and wrote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from betaplus.core.input_function import InputFunction
from betaplus.physics.dual import Separability
from betaplus.pipeline.separation.compared import RegionCurves
from betaplus.pipeline.separation.request import Names
from betaplus.separation.fitting import SeparationFit
from betaplus.separation.study_checks import MixingCheck

__all__ = ["SeparateRun"]


@dataclass(frozen=True, eq=False, kw_only=True)
class SeparateRun:
    """What a run found and wrote.

    Attributes:
        fit: The images, and the study that they are of.
        blood: Blood samples of each tracer, or None.
        check: Chi-square of what the pair leaves.
        bounds: How well the protocol tells the tracers apart; None where kinetics are not known.
        warnings: What makes the images doubtful.
        curves: Of regions, with those of other methods.
        run: The run record.
        remarks: What was found untidy and what was done about it.
        names: Where the outputs are.
        paths: Files written, without sidecars.
    """

    fit: SeparationFit
    blood: tuple[InputFunction | None, InputFunction | None]
    check: MixingCheck
    bounds: Separability | None
    warnings: tuple[str, ...]
    curves: RegionCurves
    run: dict[str, Any]
    remarks: tuple[str, ...]
    names: Names
    paths: tuple[Path, ...]

    @property
    def summary(self) -> list[str]:
        """A few plain lines about the run."""
        run = self.run
        shape = " x ".join(map(str, self.fit.study.problem.shape))
        lines = [
            f"{run['fitted']:,} voxels of {shape} in {run['timings_s']['fit']:.1f} s"
            f" ({run['method']})",
            f"mixing chi-square {run['mixing']['chi2']:.2f}: {run['mixing']['flag']}",
        ]
        lines += [f"warning: {text}" for text in self.warnings]
        lines += [f"remark: {text}" for text in self.remarks]
        for tracer in self.fit.study.tracers:
            lines.append(f"{tracer.label}: {self.names.image(tracer.label)}")
        if self.names.report in self.paths:
            lines.append(f"report: {self.names.report}")
        return lines
