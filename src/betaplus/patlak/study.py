"""From a dynamic image and its blood to what Patlak methods work on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from betaplus.core.bed_times import BedTimes
from betaplus.core.crew import Crew, ThreadCrew
from betaplus.core.image import PetImage
from betaplus.core.input_function import InputCurve, InputFunction
from betaplus.core.progress import Progress, Silent
from betaplus.patlak.past import past_remarks
from betaplus.patlak.problem import PatlakProblem
from betaplus.patlak.study_frames import Survey, stream_planes, survey
from betaplus.patlak.study_input import check_image, input_of, slice_times, time_zero_unit
from betaplus.patlak.study_scale import body_level, check_level, known_suv
from betaplus.patlak.study_start import Scan, StartRule, check_starts, chosen_first, given_first
from betaplus.physics.patlak.relative import RelativeInput
from betaplus.physics.patlak.sums import PatlakSums

__all__ = ["Study", "make_study"]

_SUMS = ("h", "misfit", "noise")


@dataclass(frozen=True, eq=False, kw_only=True)
class Study:
    """A scan made ready.

    Attributes:
        problem: Sufficient statistics, in SUV.
        image: The image they come from.
        curve: Input curve [`unit`].
        unit: Bq/mL, or SUV where image and blood are in SUV; decay-corrected to TimeZero.
        t_star: Start of the first frame used [s].
        rule: How t* came about, in words.
        used: Indices of the frames used, shape (F,).
        times: When each slice was seen, frames used only.
        a: Frame means of the input's integral, shape (F, Z) [unit x min].
        b: Frame means of the input, shape (F, Z) [unit].
        weights: Of frames, of mean 1, shape (F, Z).
        mean_curve: Mean over the mask of all frames, shape (T,) [unit].
        suv: c, the activity of 1 SUV [unit].
        suv_from: Where c comes from: ``dose, weight and times`` or the like, or ``level``.
        relative: For the relative plot (its early input is not used): how slope and intercept
            differ from Ki and V0; else None. `problem.scale` then gives Ki' [mL/cm3/min times an
            unknown factor, the same for all voxels] and V0' [mL/cm3], which is V0 plus an unknown
            multiple of Ki, also the same for all voxels.
        remarks: What was found untidy, taken for granted or done about it.
    """

    problem: PatlakProblem
    image: PetImage
    curve: InputCurve
    unit: str
    t_star: float
    rule: str
    used: np.ndarray
    times: BedTimes
    a: np.ndarray
    b: np.ndarray
    weights: np.ndarray
    mean_curve: np.ndarray
    suv: float
    suv_from: str
    relative: RelativeInput | None
    remarks: tuple[str, ...]

    def residual(self, u: Tensor) -> np.ndarray:
        """Return what maps leave of each frame, from another pass through the image.

        Args:
            u: Maps as `PatlakMaps.u`, shape (2, X, Y, Z) [SUV].

        Returns:
            Root over the mask of the mean of w (y - B u)^2, shape (F,) [SUV]; of least squares,
            the sum of squares over frames is the mean of `problem.misfit`.
        """
        factor = time_zero_unit(self.image)[1] / self.suv
        scale = self.problem.scale.numpy() / self.suv
        design = np.stack([self.a * scale[0], self.b * scale[1]], 1)
        mask, maps = self.problem.mask.numpy(), u.numpy()
        total = np.zeros(len(self.used))
        for plane, first, part in _used_planes(self.image, self.used):
            inside = mask[:, :, plane]
            if not inside.any():
                continue
            one, two = (maps[i, :, :, plane][inside].astype(np.float64) for i in (0, 1))
            for f, frame in enumerate(part, start=first):
                a, b = design[f, :, plane]
                left = factor * frame[inside].astype(np.float64) - a * one - b * two
                total[f] += self.weights[f, plane] * float(left @ left)
        return np.sqrt(total / mask.sum())


def make_study(
    image: PetImage,
    blood: InputFunction | InputCurve,
    *,
    mask: np.ndarray | None = None,
    t_star: float | None = None,
    weighted: bool = True,
    delay: float = 0.0,
    relative: bool = False,
    bed_times: BedTimes | None = None,
    dose: float | None = None,
    weight: float | None = None,
    level: float = 1.0,
    start_rule: StartRule | None = None,
    progress: Progress | None = None,
    crew: Crew | None = None,
) -> Study:
    """Return a scan made ready for Patlak methods; the image is read twice and never held whole.

    The first pass gives the mask and the mean curve, from which t* and the weights follow; the
    second the sums over frames. Memory: 36 bytes a voxel at most, and what is read at a time,
    whatever the number of frames.

    Args:
        image: Dynamic image, decay-corrected.
        blood: Samples or a ready curve, decay-corrected to TimeZero; with `relative` a curve that
            begins late will do.
        mask: Voxels wanted, shape (X, Y, Z); by default all that are not zero in all frames.
        t_star: Only frames that start at or after it are used [s]; None chooses it by the mean
            curve of the mask.
        weighted: Frames weigh by their counts, w = D / (DCF ybar); else all alike.
        delay: Of the tissue after the blood sampler [s].
        relative: Relative Patlak plot: the integral of the input begins with the first frame used.
        bed_times: When each slice was seen, for scans of several beds; None reads the sidecar.
        dose: Activity administered [Bq], where the sidecar lacks it.
        weight: Body weight [kg], likewise.
        level: Mean SUV of the body in the last frame, for c where dose or weight is unknown: 1 for
            a whole body, whose mean SUV is about 1 by definition; for other fields of view (a
            brain) it must be given.
        start_rule: How t* is chosen.
        progress: What to report to.
        crew: Keeps what each pass gave; nobody if None.

    Raises:
        InputError: If image, blood or bed times cannot be used.
        UsageError: If an option is out of range or t* leaves fewer than 3 frames.
    """
    progress, crew = progress or Silent(), crew or ThreadCrew()
    check_image(image)
    assert image.tracer is not None
    times, notes = slice_times(image, bed_times)
    remarks = [*image.remarks, *past_remarks(image), *notes]
    unit, to_unit = time_zero_unit(image)
    curve, made = input_of(blood, unit, float(times.end.max()), delay, relative)
    per_unit, suv_from, notes = known_suv(image, dose, weight)
    remarks += [*made, *notes]
    check_level(level)
    scan = Scan(
        times,
        curve,
        image.tracer.half_life,
        delay=delay,
        weighted=weighted,
        relative=relative,
    )
    how = start_rule or StartRule()
    if t_star is not None:
        begin, rule = given_first(scan, t_star)
        first = _survey(image, mask, progress, crew)
    else:
        check_starts(scan, how)
        first = _survey(image, mask, progress, crew)
        begin, rule, notes = chosen_first(scan, first, how)
        remarks += notes
    progress.note(rule)
    design, weights = scan.design(begin), scan.weights(begin, first.mean)
    reference = design[-1].mean(-1)  # a_L and b_L; of slices with times of their own the mean
    used = np.arange(begin, image.n_frames)
    scaled = design / reference[:, None]
    sums = _sums(image, used, scaled, weights, first, progress, crew)
    problem = _problem(sums, image, first, used.size)
    if per_unit is None:
        missing, suv_from = suv_from, "level"
        c, share = body_level(problem.least_squares().sum(0), first.mask, level)
        c *= to_unit
        remarks.append(
            f"{missing}: 1 SUV is taken to be {c:.4g} {unit}, which makes the mean of the body"
            f" ({100 * share:.0f} % of the mask) in the last frame {level:g} SUV; Ki and V0 do not"
            " depend on it, but priors do"
        )
    else:
        c = to_unit / per_unit
    sums.scaled(to_unit / c)
    problem.scale.copy_(torch.from_numpy(c / reference))
    about = None
    if relative:
        about = RelativeInput.of(design.mean(-1), weights.mean(-1))
        remarks += _relative_remarks(about, design, weights, times)
    return Study(
        problem=problem,
        image=image,
        curve=curve,
        unit=unit,
        t_star=float(times.start[begin].min()),
        rule=rule,
        used=used,
        times=times.select(used),
        a=design[:, 0],
        b=design[:, 1],
        weights=weights,
        mean_curve=first.mean * to_unit,
        suv=c,
        suv_from=suv_from,
        relative=about,
        remarks=tuple(dict.fromkeys(remarks)),
    )


def _relative_remarks(
    about: RelativeInput, design: np.ndarray, weights: np.ndarray, times: BedTimes
) -> list[str]:
    """Return what the relative plot gives, in words."""
    remarks = [
        "relative Patlak: the slope is Ki times a factor that depends on the input before t*, the"
        " same for all voxels; V0' is V0 plus a multiple of Ki;"
        f" {100 * about.bend:.2g} % of what is missing stays in the residuals"
    ]
    one = [bed.slices[0] for bed in times.beds()]
    alphas = [RelativeInput.of(design[:, :, z], weights[:, z]).alpha for z in one]
    if len(one) > 1:
        spread = 100 * np.ptp(alphas) / about.alpha
        remarks.append(
            "relative Patlak of slices with times of their own: the factor is 1 + alpha S, and"
            f" alpha differs by {spread:.2g} % between slices"
        )
    return remarks


def _used_planes(image: PetImage, used: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield (plane, position of the first frame in `used`, frames (F', X, Y))."""
    begin = int(used[0])
    for plane, frames, part in stream_planes(image):
        if frames.stop > begin:
            skip = max(begin - frames.start, 0)
            yield plane, frames.start + skip - begin, part[skip:]


def _survey(image: PetImage, mask: np.ndarray | None, progress: Progress, crew: Crew) -> Survey:
    kept = crew.load("survey")
    if kept is not None:
        clean = bool(kept.pop("clean"))
        return Survey(mask=kept["mask"], voxels=kept["voxels"], sums=kept["sums"], clean=clean)
    first = survey(image, mask, progress)
    crew.save("survey", {name: np.asarray(value) for name, value in vars(first).items()})
    return first


def _sums(
    image: PetImage,
    used: np.ndarray,
    design: np.ndarray,
    weights: np.ndarray,
    first: Survey,
    progress: Progress,
    crew: Crew,
) -> PatlakSums:
    x, y, z = image.shape[:3]
    sums = PatlakSums(design, weights, (x, y, z))
    kept = crew.load("sums")
    if kept is not None:
        for name in _SUMS:
            getattr(sums, name).copy_(torch.from_numpy(kept[name]))
        return sums
    progress.start("sums over frames", z * used.size)
    for plane, _, part in _used_planes(image, used):
        if not first.clean:
            part = np.where(np.isfinite(part), part, 0.0)
        sums.add(plane, part)
        progress.advance(len(part))
    progress.finish()
    crew.save("sums", {name: getattr(sums, name).numpy() for name in _SUMS})
    return sums


def _problem(sums: PatlakSums, image: PetImage, first: Survey, frames: int) -> PatlakProblem:
    return PatlakProblem(
        h=sums.h,
        normal=sums.normal,
        misfit=sums.misfit,
        noise=sums.noise,
        freedom=torch.full((image.shape[2],), float(frames - 2)),
        scale=torch.ones(2, dtype=torch.float64),
        voxel=image.voxel_size,
        mask=torch.from_numpy(first.mask),
    )
