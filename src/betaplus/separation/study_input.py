"""What a study of two tracers needs of image and blood, refused by name where it is missing."""

from __future__ import annotations

import dataclasses
import re

import numpy as np

from betaplus.core.errors import InputError, UsageError
from betaplus.core.image import PetImage
from betaplus.core.input_function import InputFunction
from betaplus.core.plasma import check_plasma
from betaplus.core.units import convert_activity
from betaplus.io.bed_times import check_one_bed, image_bed_times
from betaplus.io.voxels import iterate_slabs
from betaplus.physics.dual.mixing import Mixing
from betaplus.separation.study_tracers import StudyTracer

__all__ = ["LEAST_FRAMES", "check_image", "mixing_of", "own_blood", "read_mixture"]

LEAST_FRAMES = 4
"""Fewest frames of each tracer."""

LONGEST_CUT = 300.0
"""Longest frame in which an injection may fall [s], nominal: what comes first is lost in it."""

_SLIVER = 1.0  # s


def check_image(image: PetImage) -> list[str]:
    """Refuse an image that two tracers cannot be told apart in; return remarks.

    Raises:
        InputError: If it is not dynamic, in SUV, of several beds, decay-corrected for a nuclide
            that is not known, or lacks frame times.
    """
    where = image.source.name if image.source else "the image"
    if len(image.shape) != 4:
        raise InputError(
            f"{where} is a 3-D image", "expected a dynamic (4-D) image", "give the dynamic series"
        )
    if image.frames is None:
        raise InputError(
            f"{where} has no frame times",
            "expected FrameTimesStart and FrameDuration",
            "add them to the sidecar",
        )
    if image.unit == "SUV":
        raise InputError(
            f"{where} is in SUV",
            "expected an activity concentration: with two tracers there are two doses",
            "give the image in Bq/mL",
        )
    if image.decay_corrected_to is not None and image.tracer is None:
        raise InputError(
            f"{where} is decay-corrected and does not say for which nuclide",
            "expected TracerRadionuclide, to undo it",
            "add it to the sidecar or give --radionuclide",
        )
    if image_bed_times(image) is not None:
        raise InputError(
            f"{where} was seen in several beds", "expected one bed, seen in all frames"
        )
    return list(check_one_bed(image))


def mixing_of(image: PetImage, tracers: tuple[StudyTracer, StudyTracer], delay: float) -> Mixing:
    """Return how the tracers mix in the frames of an image.

    Args:
        image: Whose injection is that of the first tracer.
        tracers: The two.
        delay: Second injection after the first [s].

    Raises:
        UsageError: If the second injection is not inside the scan, or leaves too few frames.
        InputError: If an injection falls into a long frame.
    """
    frames = image.frames
    assert frames is not None
    if not (np.isfinite(delay) and delay >= 0.0):
        raise UsageError(
            f"--delay is {delay:g} s", "expected seconds from the first injection to the second"
        )
    end = float(frames.end[-1])
    injections = (image.injection, image.injection + delay)
    if injections[1] >= end:
        raise UsageError(
            f"--delay {delay:g} s puts the second injection at {injections[1]:g} s",
            f"expected it before the end of the scan at {end:g} s",
        )
    mixing = Mixing(frames, [one.tracer for one in tracers], injections)
    for i, one in enumerate(tracers):
        count = int(mixing.seen[i].sum())
        if count < LEAST_FRAMES:
            raise UsageError(
                f"{one.label} is injected at {injections[i]:g} s and seen in {count} frames",
                f"expected {LEAST_FRAMES} or more",
                "check --delay, or give more frames",
            )
        for f in np.flatnonzero(mixing.split[i]):
            if frames.duration[f] > LONGEST_CUT + _SLIVER:
                raise InputError(
                    f"{one.label}, injected at {injections[i]:g} s, comes in the middle of frame"
                    f" {f + 1} ({frames.start[f]:g} to {frames.end[f]:g} s)",
                    f"expected a frame that begins there, or is no longer than {LONGEST_CUT:g} s",
                    "reconstruct with a frame boundary at the injection",
                )
    return mixing


def own_blood(blood: InputFunction | None, tracer: StudyTracer, end: float) -> InputFunction | None:
    """Return the blood of a tracer in Bq/mL.

    Args:
        blood: Samples in the tracer's own time, decay-corrected to its injection.
        tracer: Whose they should be.
        end: End of the scan in that time [s].

    Raises:
        InputError: If they are of another tracer, in SUV, hold metabolites, or end early.
    """
    if blood is None:
        return None
    where = blood.source.name if blood.source else "the blood"
    said = re.search(r"(?:^|_)trc-([0-9A-Za-z]+)", where)
    if said and said[1].lower() not in (tracer.label.lower(), tracer.tracer.name.lower()):
        raise InputError(
            f"{where} is given for {tracer.label}",
            f"expected trc-{tracer.label} where the name of the file holds a tracer",
            "give each tracer its own blood",
        )
    if blood.unit == "SUV":
        raise InputError(f"{where} is in SUV", "expected an activity concentration")
    check_plasma(blood, tracer.tracer)
    if blood.unit != "Bq/mL":
        changed = {
            name: convert_activity(getattr(blood, name), blood.unit, "Bq/mL")
            for name in ("plasma", "whole_blood")
            if getattr(blood, name) is not None
        }
        blood = dataclasses.replace(blood, unit="Bq/mL", **changed)
    try:
        curve = blood.curve(end)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    if not curve.plasma.max() > 0.0:
        raise InputError(f"{where} is nowhere above 0", "expected activity in plasma")
    return blood


def read_mixture(
    image: PetImage, mask: np.ndarray | None, factors: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return frame means times a factor each, shape (X, Y, Z, T) float32, and the mask.

    Args:
        image: Read once.
        mask: Voxels wanted, shape (X, Y, Z); None for all that are not zero in all frames.
        factors: Shape (T,).

    Raises:
        InputError: If the mask is empty, or a voxel in it is NaN or infinite.
        UsageError: If the mask is of another shape.
    """
    shape = image.shape[:3]
    where = image.source.name if image.source else "the image"
    if mask is not None:
        mask = np.asarray(mask) != 0
        if mask.shape != shape:
            raise UsageError(
                f"mask of shape {mask.shape} for an image of shape {shape}",
                "expected the same grid",
            )
    out = np.empty((*shape, image.n_frames), np.float32)
    scale = factors.astype(np.float32)
    for planes, frames, voxels in iterate_slabs(image):
        bad = ~np.isfinite(voxels)
        if bad.any():
            if mask is not None:
                bad &= mask[:, :, planes, None]
            if bad.any():
                x, y, z, f = (int(n) for n in np.argwhere(bad)[0])
                raise InputError(
                    f"{where} holds {voxels[x, y, z, f]} at voxel ({x}, {y}, {planes.start + z})"
                    f" in frame {frames.start + f + 1}",
                    "expected numbers",
                    "give --mask without it or repair the image",
                )
            voxels = np.where(np.isfinite(voxels), voxels, 0.0)
        out[:, :, planes, frames] = voxels * scale[frames]
    if mask is None:
        mask = (out != 0).any(-1)
    if not mask.any():
        raise InputError(
            f"{where} has no voxel that is wanted",
            "expected voxels in the mask and activity in the image",
        )
    return out, mask
