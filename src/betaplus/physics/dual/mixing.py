r"""Two tracers in one scan: what is measured in a frame is the sum of what each has left.

With x_i the frame means of tracer i decay-corrected to its own injection, and
:math:`d_{i,f}` one over the decay correction factor of frame f counted from that injection,

.. math:: m_f = d_{1,f} x_{1,f} + d_{2,f} x_{2,f} ,

and d is 0 before the injection. m is not decay-corrected: with two half-lives there is no factor
for it. A scanner that knew of one nuclide may have corrected for that one; its factors are known,
and `undo_decay_correction` takes them out again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.frames import FrameTiming
from betaplus.core.tracer import Tracer

__all__ = ["Mixing", "undo_decay_correction"]

_SLIVER = 0.5  # s: of a frame on the other side of an injection, which rounding may leave


class Mixing:
    """The mixture of two tracers, or more.

    A frame in which an injection falls holds that tracer for its last part only. Its x is then the
    mean over that part, and d has the part's share of the frame as a factor: the equation stays
    exact.

    Args:
        frames: Frame timing from TimeZero.
        tracers: The tracers.
        injections: Their injections [s from TimeZero].

    Raises:
        InputError: If a tracer has no frame after its injection.
    """

    def __init__(
        self, frames: FrameTiming, tracers: Sequence[Tracer], injections: Sequence[float]
    ) -> None:
        if len(tracers) != len(injections):
            raise InputError(
                f"{len(tracers)} tracers and {len(injections)} injections", "expected as many"
            )
        self.frames = frames
        self.tracers = tuple(tracers)
        self.injections = tuple(float(t) for t in injections)
        self.decay = np.zeros((len(self.tracers), len(frames)))
        """d, shape (2, T) float64; 0 before an injection."""
        self.split = np.zeros(self.decay.shape, dtype=bool)
        """Frames in which the injection of each tracer falls, shape (2, T)."""
        for i, (tracer, injection) in enumerate(zip(self.tracers, self.injections, strict=True)):
            seen = self._seen(i)
            if not seen.any():
                raise InputError(
                    f"{tracer.name or tracer.radionuclide} was injected at {injection:g} s, the"
                    f" scan ends at {frames.end[-1]:g} s",
                    "expected an injection before the end of the scan",
                )
            own = self.own_frames(i)
            share = own.duration / frames.duration[seen]
            self.decay[i, seen] = share / own.decay_factors(tracer.half_life)
            self.split[i, seen] = frames.start[seen] < injection - _SLIVER

    def _seen(self, i: int) -> np.ndarray:
        return np.asarray(self.frames.end > self.injections[i] + _SLIVER)

    @property
    def seen(self) -> np.ndarray:
        """Frames that hold activity of each tracer, shape (2, T) bool."""
        return np.asarray(self.decay > 0)

    def own_frames(self, i: int) -> FrameTiming:
        """Return the frames of tracer `i` that hold activity, in its own time; 0 is its injection.

        A frame that its injection cuts begins at 0.
        """
        seen = self._seen(i)
        start = self.frames.start[seen] - self.injections[i]
        first = np.where(start < 0.0, 0.0, start)
        return FrameTiming(first, self.frames.end[seen] - self.injections[i] - first)

    def require_whole_frames(self) -> None:
        """Refuse a scan in which an injection falls inside a frame.

        Raises:
            InputError: If one does.
        """
        if self.split.any():
            i, f = (int(n) for n in np.argwhere(self.split)[0])
            raise InputError(
                f"injection {i + 1}, at {self.injections[i]:g} s, falls into frame {f + 1}"
                f" ({self.frames.start[f]:g} to {self.frames.end[f]:g} s)",
                "expected a frame that begins at it",
                "reconstruct with a frame boundary there, or leave that frame out",
            )

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Return the mixture, shape (..., T), of frame means x, shape (2, ..., T)."""
        return np.asarray(np.einsum("if,i...f->...f", self.decay.astype(_float(x)), x))

    def adjoint(self, m: np.ndarray) -> np.ndarray:
        """Return d_1 m and d_2 m, shape (2, ..., T), of m of shape (..., T)."""
        return np.stack([m * d.astype(_float(m)) for d in self.decay])


def undo_decay_correction(
    values: np.ndarray, frames: FrameTiming, tracer: Tracer, corrected_to: float
) -> np.ndarray:
    """Return frame means as they were before they were decay-corrected for one nuclide.

    Args:
        values: Frame means, shape (..., T).
        frames: Frame timing from TimeZero.
        tracer: The nuclide that was corrected for, whatever was in the scan.
        corrected_to: Time the values are corrected to [s from TimeZero].

    Returns:
        The values over DCF_f exp(-lambda t), with DCF_f the factor of frame f to TimeZero and t the
        reference time, in the dtype of `values`.
    """
    factors = frames.decay_factors(tracer.half_life) * np.exp(-tracer.decay_constant * corrected_to)
    return np.asarray(values / factors.astype(_float(values)))


def _float(values: np.ndarray) -> np.dtype:
    kind = np.asarray(values).dtype
    return kind if kind.kind == "f" else np.dtype(np.float64)
