"""Raw data to images, frame by frame: the verb's Python side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from betaplus.core.errors import InputError, UsageError
from betaplus.core.grid import ImageGrid
from betaplus.core.image import PetImage
from betaplus.core.progress import Progress, Silent
from betaplus.core.raw import RawScan, Sinogram
from betaplus.core.scanner import Scanner
from betaplus.core.settings import make_settings
from betaplus.physics.projector.layout import make_layout
from betaplus.reconstruction.data import Data, SinogramData
from betaplus.reconstruction.list_data import ListData, list_sensitivity
from betaplus.reconstruction.list_events import events_of_bins
from betaplus.reconstruction.method import find_method
from betaplus.reconstruction.subsets import subset_views

__all__ = [
    "EventsOfFrame",
    "FrameReconstructor",
    "Model",
    "default_grid",
    "model_of",
    "reconstruct",
]


EventsOfFrame = Callable[[int], tuple[np.ndarray, np.ndarray, np.ndarray]]
"""Frame to view (n,), radial bin (n,) and rings (n, 2) of its prompts."""


def default_grid(
    scanner: Scanner, *, voxel: float | None = None, width: int | None = None
) -> ImageGrid:
    """Return the grid of a scanner: slices of half the ring pitch over all rings.

    Args:
        scanner: The scanner.
        voxel: Edge of a voxel across [mm]; the width of a radial bin if None.
        width: Voxels along x and y; as many as the field of view takes if None.

    Raises:
        UsageError: If the two make no grid.
    """
    edge = scanner.bin_width if voxel is None else voxel
    if not 0.1 <= edge <= 50.0:
        raise UsageError(f"voxels of {edge:g} mm", "expected 0.1 to 50 mm")
    inside = min(scanner.fov_radius, 0.98 * scanner.radius / np.sqrt(2.0))
    count = 2 * int(inside // edge) if width is None else width
    if not 1 <= count <= 2048:
        raise UsageError(f"{count} voxels across", "expected 1 to 2048")
    return ImageGrid(
        shape=(count, count, 2 * scanner.rings - 1),
        voxel_size=(edge, edge, scanner.ring_pitch / 2.0),
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Model:
    """What the counts of a scan are made of, besides the image.

    Attributes:
        multiplicative: Attenuation times efficiency, shape (view, radial, plane).
        additive: Frame to the mean of randoms and scatter, shape of a frame's prompts.
        remarks: What is left out or taken for granted.
    """

    multiplicative: np.ndarray
    additive: Callable[[int], np.ndarray]
    remarks: tuple[str, ...]


def model_of(
    scan: RawScan,
    *,
    efficiency: np.ndarray | None = None,
    attenuation: np.ndarray | None = None,
) -> Model:
    """Return the model of a scan's counts from what came with it and what is given besides.

    Args:
        scan: The scan.
        efficiency: Shape (view, radial, plane), in place of the scan's.
        attenuation: Likewise.

    Raises:
        InputError: If factors are negative or not numbers.
    """
    scanner, remarks = scan.scanner, []
    efficiency = scan.efficiency if efficiency is None else efficiency
    if efficiency is None:
        remarks.append("no normalisation: all crystals count as equal, gaps as 0")
        pairs = scanner.michelogram.multiplicity.astype(np.float32)
        factors = scanner.live[..., None] * pairs
    else:
        factors = np.array(efficiency[...], dtype=np.float32)
    attenuation = scan.attenuation if attenuation is None else attenuation
    if attenuation is None:
        remarks.append("no attenuation correction: no mu map was given")
    else:
        factors *= np.asarray(attenuation[...], dtype=np.float32)
    low = float(factors.min(initial=0.0))
    if not low >= 0.0 or not np.isfinite(factors.max(initial=0.0)):
        raise InputError(
            "normalisation or attenuation factors that are negative or no numbers",
            "expected numbers from 0",
        )
    if scan.scatter is None:
        remarks.append("no scatter correction: the data hold no estimate")
    if scan.randoms is None and scan.delayeds is None:
        remarks.append("no randoms correction: the data hold neither an estimate nor delayeds")
    elif scan.randoms is None:
        remarks.append("randoms estimated from the delayed coincidences")

    def additive(frame: int) -> np.ndarray:
        out = np.zeros(scanner.shape, dtype=np.float32)
        if scan.randoms is not None:
            out += np.asarray(scan.randoms[frame], dtype=np.float32)
        elif scan.delayeds is not None:
            from betaplus.physics.randoms import randoms_from_delayeds

            found = randoms_from_delayeds(np.asarray(scan.delayeds[frame]), scanner)
            out += found[..., None] / scanner.tof_bins if scanner.tof else found
        if scan.scatter is not None:
            out += np.asarray(scan.scatter[frame], dtype=np.float32)
        return out

    return Model(multiplicative=factors, additive=additive, remarks=tuple(remarks))


class FrameReconstructor:
    """Reconstructs the frames of a scan one by one; what they share is computed once.

    Args:
        scan: Raw data.
        model: What the counts are made of.
        grid: The image grid.
        method: Name of a method.
        settings: Its settings, as fields or as text.
        psf: Resolution of the model, full width at half maximum [mm]; 0 leaves it out.
        mask: Voxels that may hold activity, shape of the grid, or None.
        threads: Threads; the cores available if None. Results do not depend on it.
        events: Frame to view, radial bin and rings (n, 2) of its prompts, to reconstruct event by
            event, with lines that know their rings; None uses the sinogram.

    Attributes:
        dropped: Events on lines without sensitivity, which were left out.
    """

    def __init__(
        self,
        scan: RawScan,
        model: Model,
        grid: ImageGrid,
        *,
        method: str = "osem",
        settings: Mapping[str, Any] | None = None,
        psf: float = 0.0,
        mask: np.ndarray | None = None,
        threads: int | None = None,
        events: EventsOfFrame | None = None,
    ) -> None:
        if not 0.0 <= psf <= 30.0:
            raise UsageError(f"a resolution of {psf:g} mm", "expected 0 to 30 mm")
        kind = find_method(method)
        self.settings = make_settings(kind.Settings, settings or {})
        subset_views(scan.scanner.views, self.settings.subsets)  # what does not fit is told now
        make_layout(scan.scanner, grid)
        self.scan, self.grid, self._model = scan, grid, model
        self._method = kind(self.settings)
        self._how = {
            "subsets": self.settings.subsets, "psf": psf, "mask": mask, "threads": threads,
        }  # fmt: skip
        self._events, self.dropped = events, 0
        self._data: SinogramData | None = None
        self._sensitivity: np.ndarray | None = None

    def frame(self, frame: int, progress: Progress | None = None) -> np.ndarray:
        """Return a frame's image, shape (X, Y, Z) [counts, or Bq/mL where that is known]."""
        sinogram = Sinogram(
            scanner=self.scan.scanner,
            prompts=np.asarray(self.scan.prompts[frame], dtype=np.float32),
            multiplicative=self._model.multiplicative,
            additive=self._model.additive(frame),
        )
        data = self._sinogram(sinogram) if self._events is None else self._list(sinogram, frame)
        return self._method.run(data, None, progress or Silent()) / self.factor(frame)

    def _sinogram(self, sinogram: Sinogram) -> Data:
        if self._data is None:
            self._data = SinogramData(sinogram, self.grid, **self._how)
        return self._data.with_counts(sinogram)

    def _list(self, sinogram: Sinogram, frame: int) -> Data:
        assert self._events is not None
        scanner, factors = sinogram.scanner, sinogram.multiplicative
        if self._sensitivity is None:
            threads = self._how["threads"]
            self._sensitivity = list_sensitivity(scanner, factors, self.grid, threads=threads)
        every = events_of_bins(sinogram, *self._events(frame))
        kept = every.sensitive()
        self.dropped += len(every) - len(kept)
        seen = sinogram.additive[factors > 0.0]
        return ListData(
            kept,
            self.grid,
            sensitivity=self._sensitivity,
            background=float(seen.sum(dtype=np.float64)),
            **self._how,
        )

    def factor(self, frame: int) -> np.float32:
        """Return the counts that 1 Bq/mL gives on 1 mm in a frame; 1 where that is not known."""
        scan = self.scan
        if scan.sensitivity is None or scan.frames is None:
            return np.float32(1.0)
        seconds = float(scan.frames.duration[frame])
        decay = 1.0
        if scan.tracer is not None:
            decay = float(scan.frames.decay_factors(scan.tracer.half_life)[frame])
        return np.float32(scan.sensitivity * seconds / decay)

    @property
    def unit(self) -> str | None:
        """Unit of the images: Bq/mL, or None where the data do not tell."""
        known = self.scan.sensitivity is not None and self.scan.frames is not None
        return "Bq/mL" if known else None


def reconstruct(
    scan: RawScan,
    *,
    grid: ImageGrid | None = None,
    method: str = "osem",
    settings: Mapping[str, Any] | None = None,
    efficiency: np.ndarray | None = None,
    attenuation: np.ndarray | None = None,
    psf: float = 0.0,
    mask: np.ndarray | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> PetImage:
    """Reconstruct all frames of a scan.

    Args:
        scan: Raw data, as `betaplus.io.raw.open_raw` reads them.
        grid: The image grid; that of `default_grid` if None.
        method: ``osem``, ``map-em``, ``bsrem`` or ``svrg``.
        settings: Settings of the method.
        efficiency: Of each line, shape (view, radial, plane), in place of the scan's.
        attenuation: Share of photon pairs that leaves the body, likewise.
        psf: Resolution of the model, full width at half maximum [mm]; 0 leaves it out.
        mask: Voxels that may hold activity, or None.
        threads: Threads; the cores available if None.
        progress: What to report to.

    Returns:
        Image of shape (X, Y, Z), or (X, Y, Z, T) for several frames, in Bq/mL decay-corrected to
        TimeZero where the scan's sensitivity is known, else in counts per mm of line, with its
        remarks.

    Raises:
        InputError: If the data or factors cannot be used.
        UsageError: If the method, a setting or the grid is none.
    """
    grid = grid or default_grid(scan.scanner)
    model = model_of(scan, efficiency=efficiency, attenuation=attenuation)
    frames = FrameReconstructor(
        scan, model, grid, method=method, settings=settings, psf=psf, mask=mask, threads=threads
    )
    images = [frames.frame(n, progress) for n in range(scan.n_frames)]
    several = scan.frames is not None and scan.n_frames > 1
    return PetImage(
        data=np.stack(images, axis=-1) if several else images[0],
        affine=grid.affine,
        unit=frames.unit or "counts",
        frames=scan.frames,
        tracer=scan.tracer,
        decay_corrected_to=0.0 if scan.tracer is not None and frames.unit else None,
        injection=scan.injection,
        metadata=scan.metadata,
        source=scan.source,
        remarks=(*scan.remarks, *model.remarks),
    )
