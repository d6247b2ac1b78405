"""A prior of slices with its derivative: what a change of the clean estimate asks of the input."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
import torch

from betaplus.core.errors import UsageError
from betaplus.core.grid import ImageGrid
from betaplus.generative.image_prior import ImagePrior
from betaplus.generative.tiling import pad_end
from betaplus.reconstruction.score.prior import Denoise, check_voxels

__all__ = ["Pullback", "SlicePullback", "pullback_on"]

_MICROBATCH = 4  # slices with their graph in memory
_AXIAL = 2


@runtime_checkable
class Pullback(Protocol):
    """A denoiser whose Jacobian can be applied from the left."""

    def __call__(self, noisy: np.ndarray, sigma: float, call: int) -> np.ndarray:
        """Return the clean estimate D, as `Denoise` does."""

    def pull(self, noisy: np.ndarray, sigma: float, vector: np.ndarray) -> np.ndarray:
        """Return J^T v, with J the derivative of D by the noisy image; shapes (X, Y, Z)."""


def pullback_on(prior: ImagePrior | Denoise, grid: ImageGrid, denoise: Denoise) -> Pullback:
    """Return a prior with its derivative on a grid; one that has it already as it is.

    Args:
        prior: Of slices, which are transverse here.
        grid: In voxels of a size that the prior knows.
        denoise: The same prior without its derivative.

    Raises:
        InputError: If the voxels are not of such a size.
        UsageError: If the prior has no derivative, or is one of volumes.
    """
    if not isinstance(prior, ImagePrior):
        if not isinstance(prior, Pullback):
            raise UsageError("a denoiser without its derivative", "expected one with pull")
        return prior
    if prior.dimensions != 2:
        raise UsageError(
            f"{prior.bundle.path.name} is a prior of volumes", "expected one of slices"
        )
    check_voxels(prior, grid, ((_AXIAL,),))
    return SlicePullback(prior, denoise)


class SlicePullback:
    """Transverse slices through a network, forwards and, by automatic derivatives, back.

    Args:
        prior: Of slices.
        denoise: The same for volumes on the scanner's axes.
    """

    def __init__(self, prior: ImagePrior, denoise: Denoise) -> None:
        self.prior, self._denoise = prior, denoise

    def __call__(self, noisy: np.ndarray, sigma: float, call: int) -> np.ndarray:
        """Return the clean estimate."""
        return self._denoise(noisy, sigma, call)

    def pull(self, noisy: np.ndarray, sigma: float, vector: np.ndarray) -> np.ndarray:
        """Return J^T v, shape (X, Y, Z), float32."""
        slices, wanted = _slices(noisy), _slices(vector)
        edges, multiple = slices.shape[2:], self.prior.denoiser.size.multiple
        size = [-(-edge // multiple) * multiple for edge in edges]
        told = torch.zeros(1, len(self.prior.orientations))
        told[:, self.prior.orientations.index("axial")] = 1.0
        parts = []
        for x, v in zip(slices.split(_MICROBATCH), wanted.split(_MICROBATCH), strict=True):
            x = pad_end(x, size, "zeros").requires_grad_()
            with torch.enable_grad():
                clean = self.prior.denoiser(
                    x, torch.tensor(sigma, dtype=torch.float32), context=told.expand(len(x), -1)
                )
                (found,) = torch.autograd.grad(clean, x, pad_end(v, size, "zeros"))
            parts.append(found[:, 0, : edges[0], : edges[1]])
        back = torch.cat(parts).movedim(0, 2).numpy()
        return np.ascontiguousarray(back[::-1, ::-1, ::-1])


def _slices(volume: np.ndarray) -> torch.Tensor:
    """Return transverse slices on RAS axes, shape (Z, 1, X, Y)."""
    ras = np.ascontiguousarray(volume[::-1, ::-1, ::-1], dtype=np.float32)
    return torch.from_numpy(ras).movedim(2, 0)[:, None]
