"""Small studies of heads with known truth: raw counts of late FDG frames in one slice.

A head of the simulation, seen at the resolution of the scanner and averaged over voxels of 8 mm, is
the truth; the counts are Poisson draws of its projection on those very voxels. What a finer object
would add to the error is left out, so that intervals fail for what chains do with priors alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from betaplus.core.frames import FrameTiming
from betaplus.core.grid import ImageGrid
from betaplus.core.input_function import InputCurve
from betaplus.core.raw import RawScan
from betaplus.core.scanner import Scanner
from betaplus.core.scanners import find_scanner
from betaplus.core.seeds import generator
from betaplus.core.tracer import Tracer
from betaplus.physics.blur import GaussianBlur
from betaplus.physics.patlak import PatlakOperator
from betaplus.physics.projector.projector import Projector
from betaplus.physics.response import InputResponse
from betaplus.simulation.anatomy import LABELS
from betaplus.simulation.raw.acquisition import Acquisition
from betaplus.simulation.raw.activity import draw_subject
from betaplus.simulation.raw.attenuation import mu_map
from betaplus.simulation.raw.efficiencies import crystal_efficiencies
from betaplus.simulation.raw.frame_means import ScanMeans
from betaplus.simulation.raw.head import make_head
from betaplus.simulation.raw.plan import make_plan

__all__ = ["Study", "draw_study"]

_EDGE, _FINE = 8.0, 4  # mm, and voxels of the object in one
_SHAPE = (24, 28)
_SLICES = 12  # of the object, of which the middle four are the slice: the others blur into it
_LEAST = 6  # voxels of a region
_BRAIN = range(5, 16)  # labels
_CORTEX = (6, 7, 8, 9)
_DRAW = 32


@dataclass(frozen=True, eq=False, kw_only=True)
class Study:
    """One scan.

    Attributes:
        seed: Of head, person and counts.
        grid: The grid of images, one slice.
        scan: The raw data, as a reconstruction sees them.
        curve: The input.
        delay: Arrival at the brain after the blood sampler [s].
        mask: Voxels of the head, shape (X, Y).
        brain: Which of those, in their order, are of the brain, shape (n,) bool.
        regions: Share of each of those in the mean of a region, shape (regions, n).
        system: Mean counts of an image of 1 Bq/mL, shape (T, lines, n).
        prompts: Shape (T, lines).
        additive: Mean of scatter and randoms, likewise.
        design: a_f / a_L and b_f / b_L, shape (T, 2).
        frames: True frames, shape (T, n) [Bq/mL].
        scale: Ki of u_1 = 1, [mL/cm3/min] over [Bq/mL].
        truth: Patlak's Ki of frames without noise, shape (n,) [mL/cm3/min].
    """

    seed: int
    grid: ImageGrid
    scan: RawScan
    curve: InputCurve
    delay: float
    mask: np.ndarray
    brain: np.ndarray
    regions: np.ndarray
    system: np.ndarray
    prompts: np.ndarray
    additive: np.ndarray
    design: np.ndarray
    frames: np.ndarray
    scale: float
    truth: np.ndarray

    @property
    def tracer(self) -> Tracer:
        """The tracer."""
        assert self.scan.tracer is not None
        return self.scan.tracer


def draw_study(seed: int, *, prompts: float, frames: int = 5) -> Study:
    """Draw a study.

    Args:
        seed: Chooses head, person and counts.
        prompts: Mean prompts of all frames together.
        frames: Of equal length, from 30 to 60 minutes after injection.
    """
    scanner = find_scanner("teaching").replace(
        rings=1, span=1, max_ring_difference=0, ring_pitch=2.0 * _EDGE, detectors=108, radial=48
    )
    grid = ImageGrid(shape=(*_SHAPE, 1), voxel_size=(_EDGE,) * 3)
    fine = ImageGrid(
        shape=(_FINE * _SHAPE[0], _FINE * _SHAPE[1], _SLICES), voxel_size=(_EDGE / _FINE,) * 3
    )
    length = 1800.0 / frames
    timing = FrameTiming(1800.0 + length * np.arange(frames), np.full(frames, length))
    plan = dataclasses.replace(
        make_plan(seed=seed, counts=prompts), scanner=scanner, grid=grid, planned=timing,
        frames=timing,
    )  # fmt: skip
    head = make_head(fine, seed, 1)
    subject = draw_subject(plan.profile, timing, seed)
    crystals = crystal_efficiencies(scanner, seed)
    acquisition = Acquisition(scanner, fine, mu_map(head.labels), crystals, threads=1)
    means = ScanMeans(plan, head, subject, acquisition)
    counts = [means.frame(n) for n in range(frames)]

    blur = GaussianBlur(fine.shape, fine.voxel_size, scanner.resolution)
    images = np.stack([_middle(blur.forward(subject.image(head, n))) for n in range(frames)])
    shares = {label: _middle((head.labels == label).astype(np.float32)) for label in LABELS}
    mask = _share(shares, LABELS) > 0.5
    system = _system(scanner, grid, mask) * (acquisition.attenuation * acquisition.efficiency)[
        ..., 0
    ].reshape(-1, 1)
    factor = np.array([c.sensitivity for c in counts])
    every = factor[:, None, None] * system
    truth = images[:, mask].astype(np.float64)
    additive = np.stack([(c.scatter + c.randoms)[..., 0].ravel() for c in counts])
    rng = generator(seed, 0, _DRAW)
    drawn = rng.poisson(np.einsum("tln,tn->tl", every, truth) + additive).astype(np.float64)

    curve = subject.blood.curve(float(timing.end[-1]))
    response = InputResponse(curve, timing, plan.profile.tracer.half_life)
    matrix = PatlakOperator(response, subject.delay).matrix.numpy()
    brain = _share(shares, _BRAIN)[mask] > 0.5
    return Study(
        seed=seed,
        grid=grid,
        scan=RawScan(
            scanner=scanner,
            prompts=drawn.reshape(frames, *scanner.shape),
            efficiency=acquisition.efficiency,
            attenuation=acquisition.attenuation,
            randoms=np.stack([c.randoms for c in counts]),
            scatter=np.stack([c.scatter for c in counts]),
            frames=timing,
            tracer=plan.profile.tracer,
            injection=0.0,
            sensitivity=means.dose_sensitivity,
        ),
        curve=curve,
        delay=subject.delay,
        mask=mask,
        brain=brain,
        regions=_regions({k: v[mask] for k, v in shares.items()}),
        system=every,
        prompts=drawn,
        additive=additive,
        design=matrix / matrix[-1],
        frames=truth,
        scale=1.0 / float(matrix[-1, 0]),
        truth=(np.linalg.pinv(matrix) @ truth)[0],
    )


def _middle(image: np.ndarray) -> np.ndarray:
    """Return the slice of an object on the fine grid, shape (X, Y)."""
    first = (_SLICES - _FINE) // 2
    x, y = _SHAPE
    part = image[:, :, first : first + _FINE].reshape(x, _FINE, y, _FINE, _FINE)
    return np.asarray(part.mean(axis=(1, 3, 4), dtype=np.float64))


def _share(shares: Mapping[int, np.ndarray], labels: Iterable[int]) -> np.ndarray:
    return np.asarray(np.sum([shares[label] for label in labels], axis=0))


def _system(scanner: Scanner, grid: ImageGrid, mask: np.ndarray) -> np.ndarray:
    """Return line integrals of voxels of 1, shape (lines, n) [mm]."""
    projector = Projector(scanner, grid, threads=1)
    columns = []
    for x, y in np.argwhere(mask):
        one = np.zeros(grid.shape, np.float32)
        one[x, y] = 1.0
        columns.append(projector.forward(one).ravel())
    return np.stack(columns, 1).astype(np.float64)


def _regions(shares: Mapping[int, np.ndarray]) -> np.ndarray:
    """Return the means over tissues of the brain that have voxels enough, and over all cortex."""
    found = [shares[label] for label in _BRAIN] + [_share(shares, _CORTEX)]
    masks = [part > 0.5 for part in found]
    return np.array([m / m.sum() for m in masks if m.sum() >= _LEAST])
