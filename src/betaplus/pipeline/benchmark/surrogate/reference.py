"""What the surrogate stands for: a body in one bed position, projector and OSEM.

The scanner has 80 rings at the radius of a Vision, 4 mm apart, with crystals twice as wide and no
time of flight: a projection of its 1.5e7 lines takes a second on one core. Activity and
attenuation are on voxels of 2 mm; images on 4 x 4 x 2 mm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from betaplus.core.grid import ImageGrid
from betaplus.core.progress import Silent
from betaplus.core.raw import Sinogram
from betaplus.core.scanner import Scanner
from betaplus.core.seeds import generator
from betaplus.physics.blur import GaussianBlur
from betaplus.physics.projector.projector import Projector
from betaplus.reconstruction.data import SinogramData
from betaplus.reconstruction.osem import Osem
from betaplus.simulation.raw.acquisition import simulate_counts
from betaplus.simulation.raw.counts import RawCounts
from betaplus.simulation.surrogate.style import ScanStyle

__all__ = ["BED", "COUNTS", "GRID", "SUBSETS", "BedCase", "Recipe", "bed_style", "make_bed"]

BED = Scanner(
    name="bed",
    rings=80,
    ring_pitch=4.0,
    detectors=400,
    radius=410.0,
    depth=6.7,
    block=20,
    gap=0,
    radial=152,
    span=11,
    max_ring_difference=16,
    resolution=4.5,
)
GRID = ImageGrid(shape=(112, 80, 159), voxel_size=(4.0, 4.0, 2.0))
COUNTS = 2e8
"""Prompts at full dose."""
SUBSETS = 10
_FINER = 2  # across
_DRAW = 61
_CENTRED = "Liver"
_OWN = 3.0  # of lines and voxels, about their interpolation [mm]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A reconstruction.

    Attributes:
        iterations: Of OSEM with `SUBSETS` subsets.
        filter: Full width at half maximum of a Gaussian filter [mm].
        psf: Modelled resolution, full width at half maximum [mm]; 0 is none.
    """

    iterations: int
    filter: float = 0.0
    psf: float = 0.0

    @property
    def name(self) -> str:
        """As in tables."""
        modelled = f", PSF {self.psf:g} mm" if self.psf else ""
        return f"{self.iterations} x {SUBSETS}, filter {self.filter:g} mm{modelled}"


@dataclass(eq=False, kw_only=True)
class BedCase:
    """A body in the scanner.

    Attributes:
        seed: Of the body.
        grid: Of images.
        activity: Noise-free on that grid, shape (X, Y, Z) [SUV].
        mu: Attenuation, likewise [1/mm].
        labels: Region of most of a voxel, likewise.
        names: Label to region.
        means: Mean counts at full dose.
    """

    seed: int
    grid: ImageGrid
    activity: np.ndarray
    mu: np.ndarray
    labels: np.ndarray
    names: Mapping[int, str]
    means: RawCounts
    _data: dict[float, SinogramData] = field(default_factory=dict)

    def images(
        self, dose: float, realisation: int | None, recipes: Sequence[Recipe], psf: float = 0.0
    ) -> dict[Recipe, np.ndarray]:
        """Return what the recipes of one modelled resolution make of one draw [SUV].

        Args:
            dose: Fraction of the counts, randoms included.
            realisation: Number of the draw; None takes the means as they are.
            recipes: Reconstructions; those of another `psf` are left out.
            psf: Modelled resolution [mm].
        """
        wanted = [r for r in recipes if r.psf == psf]
        mean = self.means.mean()
        if realisation is None:
            prompts = mean
        else:
            rng = generator(self.seed, item=realisation, draw=_DRAW + round(1000 * dose))
            prompts = (rng.poisson(mean * dose) / dose).astype(np.float32)
        sinogram = Sinogram(
            scanner=self.means.scanner,
            prompts=prompts,
            multiplicative=self._factors,
            additive=self.means.scatter + self.means.randoms,
        )
        if psf not in self._data:
            self._data[psf] = SinogramData(sinogram, self.grid, subsets=SUBSETS, psf=psf, threads=1)
        data = self._data[psf].with_counts(sinogram)
        seen: dict[int, np.ndarray] = {}
        settings = Osem.Settings(iterations=max(r.iterations for r in wanted), subsets=SUBSETS)
        Osem(settings).run(data, None, Silent(), lambda n, x: seen.__setitem__(n, x.copy()))
        voxel = self.grid.voxel_size
        return {
            r: GaussianBlur(self.grid.shape, voxel, r.filter).forward(seen[r.iterations])
            for r in wanted
        }

    @property
    def _factors(self) -> np.ndarray:
        factors = self.means.attenuation * self.means.efficiency
        return factors * np.float32(self.means.sensitivity)

    def style(self, recipe: Recipe) -> ScanStyle:
        """Return what the surrogate is told of scanner and reconstruction; nothing is fitted."""
        return bed_style(self.means, recipe)


def bed_style(means: RawCounts, recipe: Recipe) -> ScanStyle:
    """Return the style of the bed: its numbers, and the trues of an SUV of 1 in 1 mL."""
    scanner, totals = means.scanner, means.totals()
    signal = totals["trues"] + totals["scatter"]
    middle = ImageGrid(shape=(3, 3, 9), voxel_size=GRID.voxel_size)
    whole = Projector(scanner, middle, threads=1).adjoint(means.efficiency)
    per_voxel = float(whole.mean(dtype=np.float64)) * means.sensitivity
    tangent = scanner.max_ring_difference * scanner.ring_pitch / (2.0 * scanner.effective_radius)
    return ScanStyle(
        name=recipe.name,
        counts=per_voxel / (float(np.prod(GRID.voxel_size)) / 1000.0),
        resolution=float(np.sqrt(max(scanner.resolution**2 - recipe.psf**2, 0.0) + _OWN**2)),
        updates=recipe.iterations * SUBSETS,
        filter=recipe.filter,
        psf=recipe.psf,
        scatter=totals["scatter"] / signal,
        randoms=totals["randoms"] / totals["prompts"],
        acceptance=tangent,
        radius=scanner.effective_radius,
        fov=scanner.fov_radius,
        axial_length=scanner.axial_length,
    )


def make_bed(
    seed: int, counts: float = COUNTS, scanner: Scanner = BED, grid: ImageGrid = GRID
) -> BedCase:
    """Return the trunk of the body of a seed, arms up, with FDG, the liver in the middle.

    Args:
        seed: Of body, uptake and texture.
        counts: Prompts at full dose, 40 % of them randoms, 35 % of the rest scatter.
        scanner: The scanner.
        grid: Of images; its voxels are as high as those of the body, and wider by a factor of 2.
    """
    from betaplus.simulation.body.make import make_body
    from betaplus.simulation.static import draw_static

    edge = grid.voxel_size[2]
    fine = ImageGrid(
        shape=(_FINER * grid.shape[0], _FINER * grid.shape[1], grid.shape[2]),
        voxel_size=(edge, edge, edge),
    )
    coarse = make_body(seed, voxel=8.0, arms="up")
    label = next(i for i, name in coarse.names.items() if name == _CENTRED)
    liver = np.argwhere(coarse.labels == label).mean(0) * 8.0 + coarse.affine[:3, 3]
    inside = np.argwhere(coarse.labels > 0) * 8.0 + coarse.affine[:3, 3]
    inside = inside[np.abs(inside[:, 2] - liver[2]) < 100.0]
    middle = np.array([*(0.5 * (inside.min(0) + inside.max(0)))[:2], liver[2]])
    size = np.array(fine.shape) * edge
    phantom = make_body(
        seed, voxel=edge, arms="up", low=middle - 0.5 * size, high=middle + 0.5 * size
    )
    scan = draw_static(phantom, "FDG", seed, lesions=0)
    # Axes of the scanner run against those of the body, and lines outside the bore are not seen.
    turn = (slice(None, None, -1),) * 3
    activity, mu = scan.activity[turn], scan.mu[turn]
    labels = scan.phantom.labels[turn]
    across = np.hypot(fine.axis(0)[:, None], fine.axis(1)[None]) < scanner.fov_radius - 2.0
    activity, mu = activity * across[..., None], mu * across[..., None]
    means = simulate_counts(scanner, fine, activity, mu, counts=counts, seed=seed, threads=1)
    return BedCase(
        seed=seed,
        grid=grid,
        activity=_pooled(activity),
        mu=_pooled(mu),
        labels=np.where(_whole(labels), labels[::_FINER, ::_FINER], 0),
        names=scan.phantom.names,
        means=means,
    )


def _pooled(image: np.ndarray) -> np.ndarray:
    x, y, z = image.shape
    return image.reshape(x // _FINER, _FINER, y // _FINER, _FINER, z).mean(axis=(1, 3))


def _whole(labels: np.ndarray) -> np.ndarray:
    """Return which voxels hold one region alone."""
    x, y, z = labels.shape
    parts = labels.reshape(x // _FINER, _FINER, y // _FINER, _FINER, z)
    return parts.max(axis=(1, 3)) == parts.min(axis=(1, 3))
