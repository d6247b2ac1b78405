"""From blood to the input curve of a fit, refusing what would make it another quantity."""

from __future__ import annotations

from betaplus.core.errors import UsageError
from betaplus.core.input_function import InputCurve, InputFunction
from betaplus.core.plasma import check_plasma
from betaplus.kinetics.curves import Curves

__all__ = ["input_curve"]

_MOST_DISPERSION = 120.0  # s


def input_curve(
    blood: InputFunction | InputCurve, curves: Curves, dispersion: float = 0.0
) -> tuple[InputCurve, tuple[str, ...]]:
    """Return the input curve [Bq/mL] up to the end of the scan, and what was done to get it.

    Args:
        blood: Blood samples, or a curve, which is taken as it is.
        curves: What is to be fitted.
        dispersion: Dispersion to be undone later [s].

    Raises:
        InputError: If there is no plasma, or it holds metabolites, and nothing says that this is
            meant.
        UsageError: If dispersion is out of range or corrected already.
    """
    if not 0 <= dispersion <= _MOST_DISPERSION:
        raise UsageError(f"dispersion {dispersion:g} s", f"expected 0 to {_MOST_DISPERSION:g} s")
    if isinstance(blood, InputFunction):
        if dispersion and blood.dispersion_corrected:
            raise UsageError(
                f"dispersion {dispersion:g} s for blood whose DispersionCorrected is true",
                "expected a correction once",
                "leave out the dispersion",
            )
        check_plasma(blood, curves.tracer)
        blood = blood.curve(float(curves.frames.end[-1]))
    return blood.converted("Bq/mL"), blood.remarks
