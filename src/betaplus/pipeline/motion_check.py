"""What is said of the shifts between the frames of a dynamic scan."""

from __future__ import annotations

from typing import Any

import numpy as np

from betaplus.core.image import PetImage
from betaplus.evaluation.motion import Motion, measure_motion

__all__ = ["MOST_SHIFT", "MotionCheck", "check_motion"]

MOST_SHIFT = 2.0
"""Distance from the mean beyond which a frame is warned about, nominal [mm]."""

_WAYS = (("left", "right"), ("back", "front"), ("feet", "head"))


class MotionCheck:
    """Shifts of the frames of a scan, for remarks and for the record of a run.

    Args:
        image: The scan.
        motion: From `betaplus.evaluation.motion.measure_motion`, or None where there is none.
    """

    def __init__(self, image: PetImage, motion: Motion | None) -> None:
        self._image, self._motion = image, motion

    @property
    def remarks(self) -> list[str]:
        """One line where frames lie aside of the mean, or none."""
        if self._motion is None:
            return []
        distance = self._motion.distance
        off = np.flatnonzero(distance > MOST_SHIFT)
        if not off.size:
            return []
        worst = int(off[np.argmax(distance[off])])
        shift = self._motion.shift[worst]
        axis = int(np.argmax(np.abs(shift)))
        way = _WAYS[axis][int(shift[axis] > 0)]
        return [
            f"frame{'s' if off.size > 1 else ''} {_ranges(off + 1)} lie{'s' * (off.size == 1)}"
            f" over {MOST_SHIFT:g} mm aside of the mean of all frames, frame {worst + 1} by"
            f" {distance[worst]:.1f} mm (most to the {way}): if the patient moved, align the frames"
            " first"
        ]

    def record(self) -> dict[str, Any] | None:
        """Return what the report draws: shifts and times of the frames, or None."""
        motion, frames = self._motion, self._image.frames
        if motion is None or frames is None:
            return None
        return {
            "start_s": [round(float(v), 3) for v in frames.start],
            "end_s": [round(float(v), 3) for v in frames.end],
            "right_mm": _short(motion.shift[:, 0]),
            "front_mm": _short(motion.shift[:, 1]),
            "head_mm": _short(motion.shift[:, 2]),
            "correlation": [round(float(v), 3) for v in motion.alike],
            "judged": [bool(v) for v in motion.judged],
            "warned_from_mm": MOST_SHIFT,
        }


def check_motion(image: PetImage) -> MotionCheck:
    """Return the shifts of the frames of a scan; its voxels are read once."""
    return MotionCheck(image, measure_motion(image))


def _short(values: np.ndarray) -> list[float]:
    return [round(float(v), 2) for v in values]


def _ranges(numbers: np.ndarray) -> str:
    """Return numbers as text: ``1 to 3, 7``."""
    parts = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    return ", ".join(f"{p[0]} to {p[-1]}" if p.size > 1 else str(p[0]) for p in parts)
