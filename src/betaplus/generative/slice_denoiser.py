"""A denoiser of images made into one of volumes: slice by slice, along one axis or all three."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from betaplus.core.crew import Crew, ThreadCrew
from betaplus.generative.tiling import Padding, pad_end

__all__ = ["ORTHOGONAL", "SliceDenoiser", "SliceNetwork"]

SliceNetwork = Callable[..., Tensor]
"""(x, sigma), or (x, sigma, condition) where there is one, of images to their clean estimates."""

ORTHOGONAL = (0, 1, 2)
"""Sagittal, coronal and transverse slices of a volume in RAS axes."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SliceDenoiser:
    """A `Denoised` for volumes (B, C, X, Y, Z) of one for images (B, C, U, V).

    With several axes the estimates are averaged: a prior of three orthogonal orientations, which
    ties slices to each other (Lee et al., "TPDM", ICCV 2023, alternates two of them). Slices go
    through the network in global order, in microbatches of one fixed size, the last filled up with
    zeros. It works without gradients.

    Attributes:
        denoised: The denoiser of images; a tuple has one for each axis.
        axes: Across which the volume is sliced; the other two keep their order.
        microbatch: Slices a call.
        multiple: What images are padded to at their end: the network's pooling in all.
        padding: What with.
        slab: Slices side by side that the denoiser takes as channels (B, slab, U, V) of volumes of
            one channel: a slice is taken from the slab of which it is the middle, those at the ends
            from the first and the last.
        condition: Volume (1 or B, K, X, Y, Z) of which the network is given the same slices.
        crew: Who computes microbatches; one after the other here if None.
    """

    denoised: SliceNetwork | tuple[SliceNetwork, ...]
    axes: tuple[int, ...] = (2,)
    microbatch: int = 16
    multiple: int = 1
    padding: Padding = "zeros"
    slab: int = 1
    condition: Tensor | None = None
    crew: Crew | None = None

    @torch.no_grad()
    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Return the clean estimate of x, of its shape and type.

        Args:
            x: Shape (B, C, X, Y, Z).
            sigma: Noise levels, shape (), or (B,) with any axes of length 1 behind.
        """
        each = self.denoised if isinstance(self.denoised, tuple) else (self.denoised,)
        if len(self.axes) % len(each):
            raise ValueError(f"{len(each)} networks for {len(self.axes)} axes")
        total = torch.zeros_like(x)
        for number, axis in enumerate(self.axes):
            total += self._along(each, number % len(each), x, sigma, axis)
        return total / len(self.axes)

    def _along(
        self, each: tuple[SliceNetwork, ...], which: int, x: Tensor, sigma: Tensor, axis: int
    ) -> Tensor:
        slices = x.movedim(2 + axis, 1)  # (B, N, C, U, V)
        out = torch.empty(slices.shape, dtype=x.dtype, device=x.device)
        told = None
        if self.condition is not None:
            told = self.condition.movedim(2 + axis, 1)
            told = told.expand(len(x), *told.shape[1:])
        levels = sigma if sigma.ndim == 0 else sigma.reshape(-1).expand(len(x))
        parts = torch.arange(len(x) * slices.shape[1], device=x.device).split(self.microbatch)
        places = [(part // slices.shape[1], part % slices.shape[1]) for part in parts]

        if slices.shape[1] < self.slab:
            raise ValueError(f"{slices.shape[1]} slices for slabs of {self.slab}")

        def given(batch: int) -> tuple[int | Tensor, ...]:
            item, place = places[batch]
            level = levels if levels.ndim == 0 else self._filled(levels[item], 1.0)
            condition = [] if told is None else [self._images(told[item, place])]
            return (which, self._images(self._seen(slices, item, place)), level.clone(), *condition)

        crew = self.crew or ThreadCrew()
        for at, found in zip(places, crew.each(_batch, each, len(places), given), strict=True):
            images = found["images"][: len(at[0]), :, : out.shape[3], : out.shape[4]]
            if self.slab > 1:
                channel = at[1] - self._first(at[1], slices.shape[1])
                images = images[torch.arange(len(images), device=images.device), channel][:, None]
            out[at] = images.to(x.dtype)
        return out.movedim(1, 2 + axis)

    def _first(self, place: Tensor, n: int) -> Tensor:
        """Return the first slice of the slab of which slices are taken."""
        return (place - self.slab // 2).clamp(0, n - self.slab)

    def _seen(self, slices: Tensor, item: Tensor, place: Tensor) -> Tensor:
        if self.slab == 1:
            return slices[item, place]
        around = self._first(place, slices.shape[1])[:, None]
        around = around + torch.arange(self.slab, device=place.device)
        return slices[item[:, None], around, 0]

    def _images(self, images: Tensor) -> Tensor:
        size = [-(-edge // self.multiple) * self.multiple for edge in images.shape[2:]]
        return self._filled(pad_end(images, size, self.padding), 0.0)

    def _filled(self, batch: Tensor, value: float) -> Tensor:
        missing = self.microbatch - len(batch)
        return torch.cat([batch, batch.new_full((missing, *batch.shape[1:]), value)])


def _batch(each: tuple[SliceNetwork, ...], which: int, *given: Tensor) -> dict[str, Tensor]:
    with torch.no_grad():
        return {"images": each[which](*given)}
