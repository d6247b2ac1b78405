r"""Whether tissue and blood can be in the units that they are labelled with.

Blood in kBq/mL that says Bq/mL makes every rate a thousand times too large. What a tissue holds
came with the blood: of the integral of plasma it has at most what perfusion brings,

.. math:: C_T(t) \le K_1 \int_0^t C_p + V_B C_{wb}(t),

so that :math:`C_T / \int C_p`, the fractional uptake rate (Thie, J Nucl Med 1995, 36:711), cannot
exceed the largest perfusion there is. And tissue holds blood: :math:`C_T(t) \ge V_B C_{wb}(t)` with
V_B a hundredth or more. Both are looked at where half of the integral has come, so that a delay of
the blood does not count.
"""

from __future__ import annotations

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.input_function import InputCurve, InputFunction
from betaplus.physics.patlak import integral_until

__all__ = ["HIGHEST_RATE", "LOWEST_BLOOD", "check_units", "time_remarks"]

HIGHEST_RATE = 20.0
"""Perfusion of the carotid body, the most of any tissue (Daly, Lambertsen and Schweitzer, J Physiol
1954, 125:67) [mL/cm3/min]; the kidney's is about 4."""

LOWEST_BLOOD = 5e-3
"""Of the whole blood of the same time: half of the blood that is in any tissue; nominal."""

_MUCH_LONGER = 10.0  # times the scan, nominal: blood that goes on so long is not of its times
_USUAL = (1e-3, 3.0)  # of the peak of the blood: beyond it there is a remark
_HALF = 0.5  # of the integral of plasma
_FIRST = 3  # frames from there on, in which tissue that traps has not gathered much yet


def check_units(
    values: np.ndarray,
    time: np.ndarray,
    curve: InputCurve,
    units: tuple[str, str],
    *,
    late: bool = False,
    insisted: bool = False,
) -> list[str]:
    """Refuse tissue and blood that cannot belong together; return remarks on what is unusual.

    Args:
        values: Curves of tissue, shape (N, T) [unit of the curve], decay-corrected as it is.
        time: When, shape (T,) [s].
        curve: Input curve.
        units: What image and blood say that they are in, for messages.
        late: Whether the beginning of the curve is missing: its integral is then not known.
        insisted: Whether both units were given by option: then what would be refused is a remark.

    Raises:
        InputError: If they cannot, and nobody insists.
    """
    integral = np.array([integral_until(curve, float(t)) for t in time])
    seen = (integral > 0.0) & (integral >= _HALF * integral.max())
    if not seen.any():
        return []
    most, blood = values[:, seen].max(axis=0), np.interp(time[seen], curve.time, curve.whole_blood)
    rate = 0.0 if late else float((most / integral[seen]).max())
    held = float(most[:_FIRST].sum() / max(blood[:_FIRST].sum(), 1e-30))
    share = float(values.max() / max(curve.plasma.max(), curve.whole_blood.max()))
    text = f"the largest curve reaches {share:.3g} times the peak of the blood"
    labels = f"image in {units[0]}, blood in {units[1]}"
    if rate > HIGHEST_RATE:
        found = f"tissue takes up {rate:.3g} mL/cm3/min ({labels}): {text}"
        expected = f"expected at most {HIGHEST_RATE:g}, since no tissue is perfused by more"
    elif held < LOWEST_BLOOD:
        found = f"tissue holds {held:.2g} of the blood of its time ({labels}): {text}"
        expected = f"expected {LOWEST_BLOOD:g} or more, since there is blood in every tissue"
    else:
        return [] if _USUAL[0] <= share <= _USUAL[1] else [f"{text}: check the units of both"]
    if insisted:
        return [f"{found}; {expected}: check the units of both"]
    raise InputError(
        found,
        expected,
        "correct Units where kBq/mL are called Bq/mL or the reverse, or insist with both --unit"
        f" {units[0]} and --blood-unit {units[1]}",
    )


def time_remarks(blood: InputFunction, scan_end: float) -> list[str]:
    """Return a remark where blood goes on so long that its times may not be in the scan's unit.

    Args:
        blood: Samples.
        scan_end: End of the last frame [s from TimeZero].
    """
    blood_end, scan = float(blood.time[-1]) - blood.injection, scan_end - blood.injection
    if scan <= 0.0 or blood_end <= _MUCH_LONGER * scan:
        return []
    return [
        f"blood goes on for {blood_end:g} s after the injection, the scan for {scan:g} s: check"
        " that the times of both are in seconds"
    ]
