"""The frames of a scan, reconstructed one by one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from betaplus.core.crew import Crew
from betaplus.core.errors import UsageError
from betaplus.core.grid import ImageGrid
from betaplus.core.progress import Progress, Silent
from betaplus.core.raw import RawScan, Sinogram
from betaplus.core.settings import make_settings
from betaplus.physics.projector.layout import make_layout
from betaplus.physics.threads import available_cores
from betaplus.reconstruction.count_model import Model
from betaplus.reconstruction.data import Data, SinogramData
from betaplus.reconstruction.list_data import ListData, list_sensitivity
from betaplus.reconstruction.list_events import events_of_bins
from betaplus.reconstruction.method import SCORE_METHODS, find_any
from betaplus.reconstruction.subsets import subset_views

if TYPE_CHECKING:
    from betaplus.reconstruction.score.choice import ScorePrior
    from betaplus.reconstruction.score.draws import Draws, Kept

__all__ = ["EventsOfFrame", "FrameReconstructor"]

EventsOfFrame = Callable[[int], tuple[np.ndarray, np.ndarray, np.ndarray]]
"""Frame to view (n,), radial bin (n,) and rings (n, 2) of its prompts."""


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
        score: The prior and the seed, for methods with a score model.

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
        score: ScorePrior | None = None,
    ) -> None:
        if not 0.0 <= psf <= 30.0:
            raise UsageError(f"a resolution of {psf:g} mm", "expected 0 to 30 mm")
        kind = find_any(method)
        self.settings = make_settings(kind.Settings, settings or {})
        subset_views(scan.scanner.views, self.settings.subsets)  # what does not fit is told now
        make_layout(scan.scanner, grid)
        self.scan, self.grid, self._model = scan, grid, model
        self._kind, self._score = kind, score
        if method in SCORE_METHODS and score is None:
            raise UsageError(f"method {method!r} without a prior", "expected one")
        self._how = {
            "subsets": self.settings.subsets, "psf": psf, "mask": mask, "threads": threads,
        }  # fmt: skip
        self._events, self.dropped = events, 0
        self._data: SinogramData | None = None
        self._sensitivity: np.ndarray | None = None

    def frame(self, frame: int, progress: Progress | None = None) -> np.ndarray:
        """Return a frame's image, shape (X, Y, Z) [counts, or Bq/mL where that is known].

        Of methods with a score model it is the mean of their draws.
        """
        if self._score is not None:
            return self.draws(frame, progress).mean
        image = self._kind(self.settings).run(self._counts(frame), None, progress or Silent())
        return image / self.factor(frame)

    def images(self, frames: Sequence[int], crew: Crew) -> Iterator[np.ndarray]:
        """Yield the images of frames, each made by one worker; see `frame`.

        Args:
            frames: Which.
            crew: The workers.
        """
        method = self._kind(self.settings)

        def part(index: int) -> tuple[Data]:
            return (self._counts(frames[index]).alone(1),)

        for n, found in zip(frames, crew.each(_image, method, len(frames), part), strict=True):
            yield found["image"] / self.factor(n)

    def draws(
        self,
        frame: int,
        progress: Progress | None = None,
        kept: Kept | None = None,
        crew: Crew | None = None,
    ) -> Draws:
        """Return the draws of a frame, in the unit of `frame`.

        A frame without a prompt, as there are before the tracer arrives, is 0 in all of them.

        Args:
            frame: Which.
            progress: Told of every step.
            kept: Where states are kept, so that it goes on where it was stopped.
            crew: Workers elsewhere who go on with draws side by side; None keeps to threads here.
        """
        from betaplus.reconstruction.score.draws import Draws, one_thread

        assert self._score is not None
        if not np.any(self.scan.prompts[frame]):
            return Draws(np.zeros((self.settings.draws, *self.grid.shape), np.float32))
        threads = self._how["threads"] or available_cores()
        inputs = self._score.inputs(frame, float(self.factor(frame)), threads)
        if crew is not None:
            inputs = dataclasses.replace(inputs, threads=1, crew=crew)
        method = self._kind(self.settings, inputs)
        with one_thread():
            found = method.draws(self._counts(frame), None, progress or Silent(), kept=kept)
        return dataclasses.replace(found, images=found.images / self.factor(frame))

    def _counts(self, frame: int) -> Data:
        sinogram = Sinogram(
            scanner=self.scan.scanner,
            prompts=np.asarray(self.scan.prompts[frame], dtype=np.float32),
            multiplicative=self._model.multiplicative,
            additive=self._model.additive(frame),
        )
        return self._sinogram(sinogram) if self._events is None else self._list(sinogram, frame)

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

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the model leaves out or takes for granted."""
        return self._model.remarks

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


def _image(method: Any, data: Data) -> dict[str, np.ndarray]:
    return {"image": method.run(data, None, Silent())}
