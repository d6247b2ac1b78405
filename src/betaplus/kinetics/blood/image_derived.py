r"""An input function from an image: the mean of the voxels in a blood pool.

The frame means become a curve that has the same frame means. It is whole blood, with everything
in it: plasma, cells and metabolites.

A vessel that is narrow beside the resolution loses activity to its surroundings while it is the
brighter, and takes some up later. Blurred by a Gaussian of standard deviation :math:`\sigma`, a
long cylinder of radius R keeps, in the mean over its own cross-section,

.. math:: 1 - e^{-x} (I_0(x) + I_1(x)), \quad x = R^2 / \sigma^2

of its contrast. At a diameter of twice the FWHM that is 0.67, and 0.94 on the axis. A mask
narrower than that gets a remark; nothing is corrected.
"""

from __future__ import annotations

import numpy as np

from betaplus.core.errors import InputError, UsageError
from betaplus.core.frames import FrameTiming
from betaplus.core.image import PetImage
from betaplus.core.input_function import InputCurve, InputFunction
from betaplus.core.units import activity_factor
from betaplus.io.voxels import voxel_curves
from betaplus.physics.decay import time_zero_factors
from betaplus.physics.frame_curve import curve_through_means

__all__ = ["cylinder_recovery", "image_derived", "mask_width"]

_STATISTICS = {"mean": np.mean, "median": np.median}
_RESOLUTION = 5.0  # mm FWHM, of a clinical scanner after reconstruction
_PEAK_FRAME = 10.0  # s: the peak of a bolus is blurred in a longer frame
_MET = 1e-6  # of the largest mean: a frame mean within this is met
_NEGATIVE_LIMIT = 0.05  # of the peak: lower frame means are refused
_LEAST_FRAMES = 4
_LARGE = 2_000_000  # voxels about a mask: above it its width is known to a voxel only


def image_derived(image: PetImage, mask: np.ndarray, *, statistic: str = "mean") -> InputFunction:
    """Return the whole-blood curve of the voxels in a mask [Bq/mL], decay-corrected to TimeZero.

    Args:
        image: Dynamic image with frame times, tracer and a unit other than SUV.
        mask: The blood pool, shape (X, Y, Z); every voxel that is not 0.
        statistic: ``mean`` or ``median`` over the voxels.

    Raises:
        UsageError: If the statistic is unknown.
        InputError: If the image is not dynamic or lacks what is needed, the mask is empty or of
            another grid, a voxel is NaN, or the curve shows no rise and peak.
    """
    if statistic not in _STATISTICS:
        raise UsageError(f"statistic {statistic!r}", f"expected one of {', '.join(_STATISTICS)}")
    where = image.source.name if image.source else "the image"
    frames, factors, half_life = _timing(image, where)
    mask = np.asarray(mask) != 0
    if not mask.any():
        raise InputError("the mask of the blood pool is empty", "expected voxels inside it")
    curves = voxel_curves(image, mask).astype(np.float64)
    means = _STATISTICS[statistic](curves, axis=0) * factors
    _check(frames, means, image.injection, where)
    remarks = [
        f"image-derived: {statistic} of {len(curves)} voxels of {where}, whole blood",
        *_blurred(frames, means, mask_width(mask, image.voxel_size)),
    ]
    if (means < 0).any():
        remarks.append(f"{int((means < 0).sum())} negative frame means set to 0")
    curve, off = _curve(frames, means, half_life, image.injection)
    remarks.append(f"curve through frame means, met within {100 * off:.2g} % of the peak")
    time, whole = curve.time, curve.whole_blood
    if time[0] > image.injection:
        time, whole = np.append(image.injection, time), np.append(0.0, whole)
    return InputFunction(
        time=time,
        whole_blood=whole,
        unit="Bq/mL",
        injection=image.injection,
        source=image.source,
        remarks=tuple(remarks),
    )


def mask_width(mask: np.ndarray, voxel_size: tuple[float, float, float]) -> float:
    """Return the diameter of the largest sphere inside a mask [mm].

    Args:
        mask: Shape (X, Y, Z) bool, not empty.
        voxel_size: Edge lengths of a voxel [mm].
    """
    from scipy.ndimage import distance_transform_edt

    box = tuple(slice(i.min(), i.max() + 1) for i in np.nonzero(mask))
    inner = np.pad(mask[box], 1)
    size = np.asarray(voxel_size)
    if inner.size <= _LARGE:
        # Half voxels: the distance from the middle to the first voxel outside is then half a width.
        for axis in range(3):
            inner = np.repeat(inner, 2, axis=axis)
        size = size / 2.0
    return 2.0 * float(distance_transform_edt(inner, sampling=size).max())


def cylinder_recovery(width: float, resolution: float = _RESOLUTION) -> float:
    """Return the contrast that a long cylinder keeps in the mean over its cross-section.

    Args:
        width: Its diameter [mm].
        resolution: FWHM of the blur [mm].
    """
    from scipy.special import ive

    x = 2.0 * np.log(2.0) * (width / resolution) ** 2
    return float(1.0 - ive(0, x) - ive(1, x))


def _timing(image: PetImage, where: str) -> tuple[FrameTiming, np.ndarray, float]:
    """Return frames, factors to Bq/mL at TimeZero, and the half-life."""
    if len(image.shape) != 4 or image.frames is None or len(image.frames) < _LEAST_FRAMES:
        raise InputError(
            f"{where} has {image.n_frames} frame{'s' if image.n_frames > 1 else ''}"
            f"{' and no frame times' if image.frames is None else ''}",
            f"expected a dynamic image with the times of {_LEAST_FRAMES} frames or more",
        )
    if image.tracer is None:
        raise InputError(
            f"{where} does not say which radionuclide it shows",
            "expected TracerRadionuclide",
            "add it to the sidecar or give --radionuclide",
        )
    if image.unit == "SUV":
        raise InputError(
            f"{where} is in SUV",
            "expected Bq/mL, kBq/mL or MBq/mL",
            "convert it back with the injected activity and the body weight",
        )
    factors = time_zero_factors(image.frames, image.tracer, image.decay_corrected_to)
    return image.frames, factors * activity_factor(image.unit, "Bq/mL"), image.tracer.half_life


def _curve(
    frames: FrameTiming, means: np.ndarray, half_life: float, injection: float
) -> tuple[InputCurve, float]:
    """Draw the curve from the injection or, where the rise is too steep for that, from later.

    With knots in the middle of frames, the rise to the next frame puts activity into the frame in
    which the bolus arrives even if that frame's own knot is 0. Where that is more than was seen,
    the curve begins at the time in that frame that gives its mean. The second result is by how
    much a frame mean is off at most, of the largest.
    """
    from scipy.optimize import brentq

    from betaplus.physics.response import InputResponse

    goal = np.maximum(means, 0.0)

    def from_start(start: float) -> tuple[InputCurve, np.ndarray]:
        curve = curve_through_means(frames, means, half_life, start=start)
        excess = InputResponse(curve, frames, half_life).blood().numpy() - goal
        return curve, np.where(frames.mid > injection, excess / goal.max(), 0.0)

    plain, excess = from_start(injection)
    rise = excess[: int(np.argmax(goal))]
    if not rise.size or rise.max() <= _MET:
        return plain, float(np.abs(excess).max())
    f = int(np.argmax(rise))
    bounds = float(frames.mid[f]), float(min(frames.end[f], frames.start[f + 1]))
    ends = [float(from_start(b)[1][f]) for b in bounds]
    if ends[0] * ends[1] < 0:
        start = brentq(lambda t: float(from_start(t)[1][f]), *bounds, xtol=1e-6)
    else:
        start = bounds[int(np.argmin(np.abs(ends)))]
    shifted, rest = from_start(start)
    both = [(shifted, float(np.abs(rest).max())), (plain, float(np.abs(excess).max()))]
    return min(both, key=lambda pair: pair[1])


def _check(frames: FrameTiming, means: np.ndarray, injection: float, where: str) -> None:
    """Refuse frame means that no bolus gives."""
    after = frames.mid > injection
    seen = means[after]
    if not seen.size or seen.max() <= 0:
        raise InputError(
            f"the mask shows no activity after the injection in {where}", "expected a blood pool"
        )
    if means.min() < -_NEGATIVE_LIMIT * seen.max():
        raise InputError(
            f"the mask's mean falls to {means.min():g} Bq/mL in {where}",
            "expected concentrations, not below 0",
            "use a larger mask",
        )
    if int(np.argmax(seen)) == 0:
        first = int(np.argmax(after))
        raise InputError(
            f"the mask is brightest in the first frame, {frames.start[first]:g} to"
            f" {frames.end[first]:g} s, of {where}",
            "expected frames that cover the rise and the peak",
            "use a mask in a large artery or the heart, and a scan that begins with the injection",
        )


def _blurred(frames: FrameTiming, means: np.ndarray, width: float) -> list[str]:
    """Remark on blur in space and in time."""
    remarks = []
    if width < 2.0 * _RESOLUTION:
        kept = cylinder_recovery(width)
        remarks.append(
            f"partial volume: the mask is {width:.3g} mm wide, less than twice a resolution of"
            f" {_RESOLUTION:g} mm; a vessel as wide keeps about {100 * kept:.0f} % of its contrast"
        )
    peak = int(np.argmax(means))
    if frames.duration[peak] > _PEAK_FRAME:
        remarks.append(
            f"the peak lies in a frame of {frames.duration[peak]:g} s, which blurs it:"
            " its height and time are uncertain"
        )
    return remarks
