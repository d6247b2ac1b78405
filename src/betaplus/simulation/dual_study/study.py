r"""A scan of two tracers in a box of a head, with its truth, and noisy frames at any counts.

.. math:: m_f = d_{1,f} x_{1,f} + d_{2,f} x_{2,f} + n_f

with x the frame means of each tracer at the scanner's resolution, decay-corrected to its own
injection, and d of `betaplus.physics.dual.mixing`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.frames import FrameTiming
from betaplus.core.input_function import InputFunction
from betaplus.physics.noise import NOISE_FLOOR
from betaplus.simulation.dual_study.lesions import DualLesion
from betaplus.simulation.dual_study.noise import noise_fields, noise_variance
from betaplus.simulation.dual_study.person import DualPerson
from betaplus.simulation.dual_study.protocol import DualProtocol, find_dual_protocol
from betaplus.simulation.dual_study.rate_table import RateTable
from betaplus.simulation.dual_study.smoothing import Smoothing, margin_of
from betaplus.simulation.dual_study.tissue import BoxTissue, draw_box, frames_of
from betaplus.simulation.subject import PARAMETERS
from betaplus.simulation.tracers import TracerProfile

__all__ = ["DualStudy", "draw_dual_study", "macro_of", "without_lesions"]

_ONE_TISSUE = 1e-4  # 1/min: median k3 of grey matter
_REVERSIBLE = 0.02  # 1/min: median k4 of grey matter

_Blood = tuple[InputFunction, InputFunction]
_Arrivals = tuple[float, float]
_Regions = tuple[Mapping[str, Mapping[str, float]], Mapping[str, Mapping[str, float]]]
_Tables = tuple[RateTable, RateTable]


@dataclass(frozen=True, eq=False, kw_only=True)
class DualStudy:
    """A box of a person, scanned with two tracers.

    Attributes:
        person: Whose it is.
        protocol: Tracers, frames, scanner.
        item: Number of the scan.
        margin: Voxels around the box that `tissue` has more.
        tissue: Labels, lesions and rate constants, with the margin.
        blood: Of each tracer, in its own time and decay-corrected to its own injection [Bq/mL].
        arrivals: Of each at the tissue after the blood sampler [s].
        x: Truth at the scanner's resolution, decay-corrected to each tracer's own injection and 0
            before it, shape (2, X, Y, Z, T) float32 [Bq/mL].
        variance: Of the noise at full counts, shape (X, Y, Z, T) float32 [(Bq/mL)^2].
        tables: Frame means of any kinetics, for each tracer.
    """

    person: DualPerson
    protocol: DualProtocol
    item: int
    margin: tuple[int, int, int]
    tissue: BoxTissue
    blood: tuple[InputFunction, InputFunction]
    arrivals: tuple[float, float]
    x: np.ndarray
    variance: np.ndarray
    tables: tuple[RateTable, RateTable]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along each axis."""
        _, x, y, z, _ = self.x.shape
        return x, y, z

    @property
    def voxel(self) -> tuple[float, float, float]:
        """Edges of a voxel [mm]."""
        return self.person.voxel

    @property
    def affine(self) -> np.ndarray:
        """Voxel to world, shape (4, 4) [mm]."""
        affine = self.tissue.phantom.affine.copy()
        affine[:3, 3] += affine[:3, :3] @ np.array(self.margin, dtype=float)
        return np.asarray(affine)

    @property
    def frames(self) -> FrameTiming:
        """Frame timing from the first injection."""
        return self.protocol.frames

    @property
    def decay(self) -> np.ndarray:
        """d, shape (2, T) float64; 0 before an injection."""
        return self.protocol.mixing.decay

    @property
    def labels(self) -> np.ndarray:
        """Label of each voxel; 0 is air."""
        return self._inner(self.tissue.phantom.labels)

    @property
    def names(self) -> Mapping[int, str]:
        """Label to region."""
        here = set(np.unique(self.labels).tolist())
        return {i: name for i, name in self.tissue.phantom.names.items() if i in here}

    @property
    def head(self) -> np.ndarray:
        """Where the person is, shape (X, Y, Z) bool."""
        return np.asarray(self.labels > 0)

    @property
    def lesions(self) -> tuple[DualLesion, ...]:
        """Lesions, and which tracer sees each."""
        return self.tissue.lesions

    def lesion_share(self, number: int) -> np.ndarray:
        """Return the share of each voxel that is lesion `number`, shape (X, Y, Z) float32."""
        lesion = self.lesions[number].lesion
        share = np.zeros(self.tissue.phantom.labels.shape, np.float32)
        share.reshape(-1)[lesion.voxels] = lesion.share
        return self._inner(share)

    @cached_property
    def maps(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """K1, k2, k3, k4, VB, Ki and VT of each tracer, of what a voxel is most of; 0 in air."""
        first, second = (
            _with_macro({p: self._inner(v) for p, v in self.tissue.painted(i).items()})
            for i in (0, 1)
        )
        return first, second

    @property
    def macro(self) -> tuple[str, str]:
        """What a scan of each tracer is for: ``Ki`` or ``VT``."""
        first, second = (macro_of(profile) for profile in self.protocol.tracers)
        return first, second

    def true_curves(self) -> tuple[list[str], np.ndarray]:
        """Return region names and the curves of their kinetics, shape (2, R, T) [Bq/mL].

        Without the variation inside them, lesions or resolution.
        """
        names = list(self.tissue.regions[0])
        return names, _region_curves(self.protocol, self.tissue.regions, self.tables, names)

    def region_means(self, images: np.ndarray) -> np.ndarray:
        """Return the mean of images over each label of `names`, in its order.

        Args:
            images: Shape (..., X, Y, Z, T).

        Returns:
            Shape (..., R, T) float64.
        """
        masks = [self.labels == label for label in self.names if label > 0]
        return np.stack([images[..., m, :].mean(axis=-2, dtype=np.float64) for m in masks], -2)

    @cached_property
    def clean(self) -> np.ndarray:
        """The mixture without noise, shape (X, Y, Z, T) float32 [Bq/mL]."""
        return self.protocol.mixing.forward(self.x)

    def noise_sd(self, dose: float = 1.0) -> np.ndarray:
        """Return the SD of the noise, shape (X, Y, Z, T) float32 [Bq/mL].

        Args:
            dose: Share of the protocol's counts that is kept.
        """
        kept = float(self.protocol.counts * dose)
        if not (np.isfinite(kept) and kept > 0):
            raise UsageError(f"a dose of {dose:g}", "expected a number above 0")
        return np.sqrt(self.variance / np.float32(kept))

    def mixture(self, dose: float = 1.0, draw: int = 0) -> np.ndarray:
        """Return what is measured, not decay-corrected, shape (X, Y, Z, T) float32 [Bq/mL].

        Args:
            dose: Share of the protocol's counts that is kept.
            draw: Number of the draw; one draw is one noise at any dose.
        """
        noise = noise_fields(
            self.shape,
            self.voxel,
            len(self.frames),
            self.protocol.noise_fwhm,
            self.person.seed,
            self.item,
            draw,
        )
        noise *= self.noise_sd(dose)
        noise += self.clean
        return noise

    def separable_noise(self, dose: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
        """Return s, shape (X, Y, Z) float32 [Bq/mL], and w, shape (T,), mean 1.

        s^2 / w is the product of an image and a series that is nearest to the variance inside the
        head, in the mean square of the logarithm.
        """
        kept = float(self.protocol.counts * dose)
        log = np.log(self.variance / np.float32(kept))
        inside = log[self.head] if self.head.any() else log.reshape(-1, log.shape[-1])
        weights = np.exp(-inside.mean(axis=0, dtype=np.float64))
        scale = weights.mean()
        weights /= scale
        level = log.mean(axis=-1) + np.log(weights).mean()
        return np.exp(0.5 * level).astype(np.float32), weights

    def _inner(self, image: np.ndarray) -> np.ndarray:
        inner = tuple(slice(m, n - m) for m, n in zip(self.margin, image.shape, strict=True))
        return np.ascontiguousarray(image[inner])


def draw_dual_study(
    person: DualPerson,
    protocol: str | DualProtocol = "standard",
    *,
    item: int = 0,
    shape: Sequence[int] = (48, 48, 48),
    low: Sequence[int] | None = None,
    scan: DualStudy | None = None,
    lesions: int | None = None,
    kinds: Sequence[str] = ("both", "first", "second"),
    hot: tuple[float, float] | None = None,
    cold: float = 0.15,
    diameter: tuple[float, float] = (8.0, 26.0),
) -> DualStudy:
    """Draw a scan of a box, or of a slice, of a person.

    Args:
        person: Who is scanned.
        protocol: Name in `PROTOCOLS`, or a protocol.
        item: Number of the scan; chooses the kinetics, the blood, where the box is, the variation
            inside regions, lesions and noise.
        shape: Of the images, such as (48, 48, 48) or (128, 128, 1); air where the head ends.
        low: First voxel in the person's phantom; drawn if None.
        scan: A study of the same person and protocol, of which this is another part: with its
            blood and the kinetics of its regions.
        lesions: How many; drawn if None.
        kinds: What lesions are drawn from: ``both``, ``first``, ``second``.
        hot: Range of the contrast of hot lesions; the population's if None.
        cold: Share of cold lesions.
        diameter: Range of the lesions' [mm].

    Raises:
        UsageError: If a name is unknown or a number is out of range.
        InputError: If a tracer is injected after the last frame.
    """
    if len(tuple(shape)) != 3 or min(shape) < 1:
        raise UsageError(f"images of shape {tuple(shape)}", "expected three sizes from 1 up")
    chosen = find_dual_protocol(protocol) if isinstance(protocol, str) else protocol
    blood, arrivals, regions, tables = _administered(person, chosen, item, scan)
    margin = margin_of(person.voxel, chosen.resolution)
    tissue = draw_box(
        person,
        regions,
        person.box(shape, item) if low is None else low,
        shape,
        margin,
        item=item,
        lesions=lesions,
        kinds=kinds,
        hot=hot,
        cold=cold,
        diameter=diameter,
    )
    return _scanned(person, chosen, item, margin, tissue, blood, arrivals, tables)


def without_lesions(study: DualStudy) -> DualStudy:
    """Return the same scan without lesions; the same draw has the very same noise in it.

    The SD of the noise is that of the scan with lesions, so that the difference of two mixtures is
    what the lesions add and nothing else.
    """
    bare = _scanned(
        study.person,
        study.protocol,
        study.item,
        study.margin,
        study.tissue.without_lesions(),
        study.blood,
        study.arrivals,
        study.tables,
    )
    return dataclasses.replace(bare, variance=study.variance)


def macro_of(profile: TracerProfile) -> str:
    """Return ``VT`` for a tracer that leaves grey matter again within a scan, else ``Ki``."""
    grey = profile.tissues["grey matter"]
    one_tissue = grey["k3"][1] < _ONE_TISSUE
    return "VT" if one_tissue or grey["k4"][1] > _REVERSIBLE else "Ki"


def _administered(
    person: DualPerson, protocol: DualProtocol, item: int, scan: DualStudy | None
) -> tuple[_Blood, _Arrivals, _Regions, _Tables]:
    if scan is not None:
        return scan.blood, scan.arrivals, scan.tissue.regions, scan.tables
    tracers, mixing = protocol.tracers, protocol.mixing
    ends = [float(mixing.own_frames(i).end[-1]) for i in (0, 1)]
    one, two = (
        person.blood(profile, end, item, dose)
        for profile, end, dose in zip(tracers, ends, protocol.doses, strict=True)
    )
    blood, arrivals = (one[0], two[0]), (one[1], two[1])
    regions = person.kinetics(tracers[0], item), person.kinetics(tracers[1], item)
    return blood, arrivals, regions, _tables(protocol, blood, arrivals)


def _scanned(
    person: DualPerson,
    protocol: DualProtocol,
    item: int,
    margin: tuple[int, int, int],
    tissue: BoxTissue,
    blood: _Blood,
    arrivals: _Arrivals,
    tables: _Tables,
) -> DualStudy:
    mixing = protocol.mixing
    outer = tissue.phantom.labels.shape
    shape = [n - 2 * m for n, m in zip(outer, margin, strict=True)]
    smooth = Smoothing(shape, person.voxel, protocol.resolution)
    x = np.zeros((2, *shape, len(protocol.frames)), np.float32)
    for i, table in enumerate(tables):
        x[i][..., mixing.seen[i]] = smooth(frames_of(tissue, i, table))
    head = smooth((tissue.phantom.labels > 0)[..., None])[..., 0]
    names = list(person.amounts)
    curves = _region_curves(protocol, tissue.regions, tables, names)
    whole = np.einsum("irt,r->it", curves, np.array([person.amounts[n] for n in names]))
    floor = NOISE_FLOOR * sum(table.peak for table in tables)
    variance = noise_variance(
        protocol, mixing.forward(x), mixing.forward(whole), head, float(floor)
    )
    return DualStudy(
        person=person,
        protocol=protocol,
        item=item,
        margin=margin,
        tissue=tissue,
        blood=blood,
        arrivals=arrivals,
        x=x,
        variance=variance,
        tables=tables,
    )


def _tables(protocol: DualProtocol, blood: _Blood, arrivals: _Arrivals) -> _Tables:
    mixing = protocol.mixing
    made = []
    for i in (0, 1):
        frames = mixing.own_frames(i)
        curve = blood[i].curve(float(blood[i].time[-1]))
        half_life = protocol.tracers[i].tracer.half_life
        made.append(RateTable(curve, frames, half_life, arrivals[i]))
    return made[0], made[1]


def _region_curves(
    protocol: DualProtocol,
    regions: Sequence[Mapping[str, Mapping[str, float]]],
    tables: Sequence[RateTable],
    names: Sequence[str],
) -> np.ndarray:
    """Return the curves of regions, shape (2, R, T) [Bq/mL]; 0 before an injection."""
    out = np.zeros((2, len(names), len(protocol.frames)))
    for i, table in enumerate(tables):
        values = {p: np.array([regions[i][n][p] for n in names]) for p in PARAMETERS}
        out[i][:, protocol.mixing.seen[i]] = table.frame_means(values)
    return out


def _with_macro(maps: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    K1, k2, k3, k4 = (maps[p] for p in ("K1", "k2", "k3", "k4"))
    leaving = k2 + k3
    zero = np.zeros_like(K1)
    maps["Ki"] = K1 * np.divide(k3, leaving, out=zero.copy(), where=leaving > 0)
    binding = np.divide(k3, k4, out=zero.copy(), where=k4 > 0)
    maps["VT"] = np.divide(K1, k2, out=zero, where=k2 > 0) * (1.0 + binding)
    return maps
