"""A problem with axes that run right, anterior and superior, as priors know them."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor

from betaplus.patlak.problem import PatlakMaps, PatlakProblem

__all__ = ["RasAxes"]


class RasAxes:
    """Turns problems into RAS axes by permuting and flipping their axes, and maps back.

    Where slices have times of their own, the axis along the bed must stay the last one.

    Args:
        affine: Voxel to world matrix of the image, shape (4, 4) [mm].
        problem: The scan.
    """

    def __init__(self, affine: np.ndarray, problem: PatlakProblem) -> None:
        matrix = np.asarray(affine, np.float64)[:3, :3]
        share = np.abs(matrix / np.linalg.norm(matrix, axis=0))
        # World axis of each voxel axis: the assignment with the greatest sum of shares.
        orders = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
        world = max(orders, key=lambda order: sum(share[w, v] for v, w in enumerate(order)))
        order = [world.index(w) for w in range(3)]
        first = problem.normal[..., :1]
        alike = bool(
            (problem.normal == first).all() and (problem.freedom == problem.freedom[0]).all()
        )
        if order[2] != 2 and not alike:
            order = [0, 1, 2]
        self.order = tuple(order)
        self.flips = tuple(new for new, old in enumerate(order) if matrix[world[old], old] < 0)

    @property
    def plain(self) -> bool:
        """Whether nothing is to be done."""
        return self.order == (0, 1, 2) and not self.flips

    def turn(self, problem: PatlakProblem) -> PatlakProblem:
        """Return the problem in RAS axes."""
        if self.plain:
            return problem
        along_z = {name: getattr(problem, name) for name in ("normal", "freedom")}
        if self.order[2] != 2:  # all slices are alike
            n = problem.shape[self.order[2]]
            along_z = {k: v[..., :1].expand(*v.shape[:-1], n) for k, v in along_z.items()}
        elif 2 in self.flips:
            along_z = {k: v.flip(-1) for k, v in along_z.items()}
        return dataclasses.replace(
            problem,
            h=self._turned(problem.h),
            misfit=self._turned(problem.misfit),
            noise=self._turned(problem.noise),
            mask=self._turned(problem.mask),
            normal=along_z["normal"].contiguous(),
            freedom=along_z["freedom"].contiguous(),
            voxel=tuple(problem.voxel[axis] for axis in self.order),
        )

    def back(self, maps: PatlakMaps) -> PatlakMaps:
        """Return what was found in the axes of the image."""
        if self.plain:
            return maps
        return dataclasses.replace(
            maps,
            u=self._back(maps.u),
            std=None if maps.std is None else self._back(maps.std),
            draws=None if maps.draws is None else self._back(maps.draws),
        )

    def _turned(self, x: Tensor) -> Tensor:
        lead = x.ndim - 3
        x = x.permute(*range(lead), *(lead + axis for axis in self.order))
        return x.flip([lead + axis for axis in self.flips]).contiguous()

    def _back(self, x: Tensor) -> Tensor:
        lead = x.ndim - 3
        inverse = torch.argsort(torch.tensor(self.order)).tolist()
        x = x.flip([lead + axis for axis in self.flips])
        return x.permute(*range(lead), *(lead + axis for axis in inverse)).contiguous()
