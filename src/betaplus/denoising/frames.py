"""An image denoised frame by frame: what the verb and `betaplus.denoising.denoise` share."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from betaplus.core.errors import InputError, UsageError
from betaplus.core.image import PetImage
from betaplus.core.progress import Progress, Silent
from betaplus.denoising.bundle import TrainedDenoiser, load_denoiser
from betaplus.denoising.classical import GRID
from betaplus.denoising.costs import MOST_PIECES, plan_memory
from betaplus.denoising.device import find_device
from betaplus.denoising.guard import guard
from betaplus.denoising.level import noise_level
from betaplus.denoising.method import BUNDLES, LEARNED, SAMPLED, Denoised, Method, find_method
from betaplus.denoising.options import check_options, method_settings
from betaplus.denoising.ranks import Ranks
from betaplus.denoising.resample import Resampler, check_voxels
from betaplus.denoising.validity import image_remarks, noise_remarks
from betaplus.denoising.volume import Volume
from betaplus.denoising.voxels import add_below, check_values, split_below, volumes
from betaplus.engine import (
    Block,
    Journal,
    MemoryPlan,
    Workers,
    default_workers,
    open_engine,
    run,
    workers_lost,
)
from betaplus.generative.tiling import plan_tiles
from betaplus.io.suv import SuvConversion, suv_conversion

__all__ = ["FrameDenoiser", "FrameResult"]

_VOLUME = "volume"  # stage of finished frames in the journal


@dataclass(frozen=True, eq=False, kw_only=True)
class FrameResult:
    """A denoised frame.

    Attributes:
        mean: Shape (X, Y, Z) float32, in the unit of the image.
        std: SD of draws, likewise; None where there are none.
        about: What was found, as JSON holds it: ``noise``, ``guard``; None in a frame that was
            left as it is, and why in ``left``.
        blocks: Pieces of it.
        resumed: Those that came from the journal.
    """

    mean: np.ndarray
    std: np.ndarray | None
    about: dict[str, Any]
    blocks: int
    resumed: int


class FrameDenoiser:
    """A method, ready for the frames of an image.

    Attributes:
        image: The image; one of three axes is read.
        method: Name of the method.
        settings: Of the method.
        denoiser: The network, or None where the method has none.
        conversion: How voxels become SUVbw.
        memory: The plan.
        remarks: What was taken for granted, and what lies outside the training.
        workers_lost: Workers that `frames` lost in the middle of their work.

    Args:
        image: In Bq/mL, kBq/mL, MBq/mL or SUV.
        method: Name of a method.
        settings: Fields of its settings, or text that makes them.
        samples: Draws, for methods that draw.
        dose_fraction: Counts as a fraction of those of a usual scan, if known.
        bundle: Folder of the network, or None for the one that is shipped.
        seed: Of draws.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        bf16: Whether the network computes in bfloat16.
        mask: Voxels to denoise, shape (X, Y, Z); outside it the output is 0.
        dose: Activity administered [Bq], where the sidecar does not say.
        weight: Of the body [kg], likewise.
        engine: One of `betaplus.engine.ENGINES`.
        workers: Pieces at work at a time; the cores available if None, one on a GPU.
        max_memory: Bound on the run [bytes].
        ranks: Processes that share the pieces of every frame; None for this one alone.

    Raises:
        InputError: If the image or the bundle cannot be used.
        UsageError: If an option is unknown or does not fit the method.
    """

    def __init__(
        self,
        image: PetImage,
        *,
        method: str = "mmse",
        settings: Mapping[str, Any] | None = None,
        samples: int | None = None,
        dose_fraction: float | None = None,
        bundle: Path | None = None,
        seed: int = 0,
        device: str = "auto",
        bf16: bool = False,
        mask: np.ndarray | None = None,
        dose: float | None = None,
        weight: float | None = None,
        engine: str = "threads",
        workers: int | None = None,
        max_memory: int | None = None,
        ranks: Ranks | None = None,
    ) -> None:
        kind = find_method(method)
        self.ranks, here = ranks, ranks.here if ranks is not None else 1
        self.method, self.seed, self.dose_fraction = method, seed, dose_fraction
        self.settings = method_settings(kind, method, dict(settings or {}), samples)
        learned = method in LEARNED
        self.device = find_device(device) if learned else "cpu"
        choice = check_options(method, dose_fraction, bundle, engine, workers, self.device)
        if choice.apart and ranks is not None and ranks.several:
            raise UsageError(
                f"--engine {engine} under torchrun",
                "expected threads or inline",
                "give one of both",
            )
        # Voxels that no network stands for are no matter to a filter, a single slice is.
        check_voxels(image.voxel_size if learned else (1.0, 1.0, 1.0), image.shape[:3])
        if mask is not None and mask.shape != image.shape[:3]:
            raise InputError(f"mask {mask.shape} and image {image.shape[:3]}", "expected one grid")
        self.mask, self.engine, self.workers_lost = mask, engine, 0
        self.conversion: SuvConversion = suv_conversion(image, "SUVbw", dose=dose, weight=weight)
        self.denoiser: TrainedDenoiser | None = None
        if learned:
            self.denoiser = load_denoiser(BUNDLES[method], bundle, device=self.device, bf16=bf16)
        self.grid = GRID if self.denoiser is None else self.denoiser.voxel
        self._method: Method = kind(self.settings, *([self.denoiser] if self.denoiser else []))
        if len(image.shape) == 3:
            image = replace(image, data=np.ascontiguousarray(image.data, dtype=np.float32))
        self.image = image
        if self.denoiser is not None:
            self._check_tiles(self.denoiser)
        cores = max(1, default_workers() // here) if choice.here else MOST_PIECES
        asked = workers or (cores if self.device == "cpu" else 1)
        limit = None if max_memory is None else max_memory // here
        self.memory: MemoryPlan = plan_memory(
            image, self.grid, method, self.settings, self.denoiser, asked, limit, choice
        )
        self._threads = 1
        if engine != "inline":
            self._threads = min(self.memory.workers, max(1, default_workers() // here))
        self.remarks = list(self.conversion.remarks)
        if self.denoiser is not None:
            self.remarks += image_remarks(image, self.denoiser.bundle.config, dose_fraction)

    def check(self) -> None:
        """Read all voxels once, and remark what is untidy.

        Raises:
            InputError: As `check_values`.
        """
        self.remarks += check_values(self.image, self.method in LEARNED)

    @property
    def draws(self) -> int:
        """Draws of each frame; 0 for methods that draw none."""
        return int(self.settings.samples) if self.method in SAMPLED else 0

    def record(self) -> dict[str, Any]:
        """Return what a result depends on beside the image, for records."""
        network = None
        if self.denoiser is not None:
            bundle = self.denoiser.bundle
            network = {"bundle": bundle.config.folder, "sha256": bundle.checksum}
            network |= {"device": self.device.partition(":")[0]}
            network |= {"precision": "bf16" if self.denoiser.bf16 else "fp32"}
        return {
            "method": self.method,
            "settings": asdict(self.settings),
            "dose_fraction": self.dose_fraction,
            "seed": self.seed,
            "network": network,
            "suv": self.conversion.record(),
        }

    def frames(
        self, journal: Journal | None = None, progress: Progress | None = None
    ) -> Generator[tuple[int, np.ndarray, FrameResult], None, None]:
        """Yield (index, noisy voxels, result) of each frame; one is in memory at a time.

        Args:
            journal: Where finished pieces and frames are kept and found.
            progress: What to report to.
        """
        with open_engine(self.engine, self.memory.workers, progress) as engine:
            for t, raw in volumes(self.image):
                result = self.frame(t, raw, journal, progress, engine)
                self.workers_lost = workers_lost(engine)
                yield t, raw, result

    def frame(
        self,
        t: int,
        raw: np.ndarray,
        journal: Journal | None = None,
        progress: Progress | None = None,
        engine: str | Executor | None = None,
    ) -> FrameResult:
        """Denoise one frame.

        Args:
            t: Its index.
            raw: Its voxels, shape (X, Y, Z) float32, C-contiguous.
            journal: As for `frames`.
            progress: Likewise.
            engine: From `betaplus.engine.open_engine`; by default one is started for the frame.
        """
        block = self._block(t)
        earlier = journal.load(block, _VOLUME) if journal is not None else None
        if self.ranks is not None:
            self.ranks.first_says(earlier is not None)
        if earlier is not None:
            about = json.loads(earlier["about"].tobytes())
            blocks = about.pop("blocks")
            return FrameResult(
                mean=earlier["mean"], std=earlier.get("std"), about=about, blocks=blocks,
                resumed=blocks,
            )  # fmt: skip
        with _one_thread():
            result = self._compute(t, raw, journal, progress or Silent(), engine or self.engine)
        if result is None:
            raise ValueError("a process that assists has no result: see `assist`")
        if journal is not None:
            about = json.dumps({**result.about, "blocks": result.blocks}).encode()
            arrays = {"mean": result.mean, "about": np.frombuffer(about, np.uint8)}
            if result.std is not None:
                arrays["std"] = result.std
            journal.save(block, arrays, _VOLUME)
        return result

    def assist(self) -> None:
        """Compute this process's share of every frame; the first of `ranks` has the result."""
        if self.ranks is None or self.ranks.first:
            raise ValueError("the first process has nobody to assist")
        for t, raw in volumes(self.image):
            if not self.ranks.first_says():
                with _one_thread():
                    self._compute(t, raw, None, Silent(), self.engine)

    def stored(self, t: int, journal: Journal) -> dict[str, np.ndarray]:
        """Return ``mean`` and ``std`` of a finished frame from the journal.

        Raises:
            InputError: If it is not there, or damaged.
        """
        found = journal.load(self._block(t), _VOLUME)
        if found is None:
            raise InputError(
                f"frame {t + 1} in {journal.folder} is gone or damaged",
                todo="give --resume to compute it again",
            )
        return found

    def said(self, about: Mapping[str, Any], frame: str = "") -> list[str]:
        """Return what is to be remarked of a frame; none where all is well.

        Args:
            about: `FrameResult.about`.
            frame: How the frame is called, if there are several.
        """
        if about["noise"] is None:
            return [f"{frame or 'the image'} {about['left']}: left as it is"]
        said = _alarm(about["guard"])
        if self.denoiser is not None:
            said += noise_remarks(about["noise"]["typical"], self.denoiser.bundle.config)
        return [f"{frame}: {text}" if frame else text for text in said]

    def _block(self, t: int) -> Block:
        part = (slice(t, t + 1),)
        return Block(t, part, part, self.seed)

    def _compute(
        self,
        t: int,
        raw: np.ndarray,
        journal: Journal | None,
        progress: Progress,
        engine: str | Executor,
    ) -> FrameResult | None:
        whole = raw
        raw, below = split_below(raw)
        if not raw.any():
            return self._left(whole, "is 0 everywhere" if below is None else "has nothing above 0")
        factors = self.conversion.factor
        factor = float(factors[t] if factors.ndim else factors)
        volume = self._volume(t, raw if factor == 1.0 else raw * np.float32(factor))
        if not (isinstance(engine, Workers) and self.method in SAMPLED):  # they prepare theirs
            volume.prepare(self.method in LEARNED)
        if self.method in LEARNED and volume.noise.none:
            if len(self.image.shape) == 3:
                name = self.image.source.name if self.image.source else "the image"
                raise InputError(
                    f"no noise can be measured in {name}",
                    "expected an image of a measurement",
                    "if it is one without noise, leave it as it is",
                )
            return self._left(whole, "has no noise that can be measured")
        pieces = self._method.pieces(volume)
        plan = [Block(i, (slice(i, i + 1),), (slice(i, i + 1),), self.seed) for i in range(pieces)]
        stage = f"frame-{t + 1:03d}" if len(self.image.shape) == 4 else "pieces"
        running = run(
            plan if self.ranks is None else self.ranks.share(plan, journal, stage),
            _piece,
            (self._method, self._method.shared(volume)),
            read=lambda block: (self._method.part(volume, block.index),),
            executor=engine,
            workers=self.memory.workers,
            journal=journal,
            progress=progress,
            stage=stage,
        )
        found: dict[int, np.ndarray] = {}
        with ThreadPoolExecutor(1) as beside:
            if isinstance(engine, Workers) and self.method in LEARNED:
                beside.submit(lambda: volume.beyond)  # while others compute the pieces
            for block, result in running:
                found[block.index] = result["piece"]
        if self.ranks is not None:
            self.ranks.collect(found, plan, journal, stage)
            if not self.ranks.first:
                return None
        denoised = self._method.combine(volume, [found.pop(i) for i in range(pieces)])
        about = {
            "noise": noise_level(volume.noise).as_dict(),
            "guard": self._guarded(volume, denoised.mean),
        }
        mean, std = self._in_unit(raw, volume.data, denoised, factor)
        mean = add_below(mean, below, self.image.voxel_size, self.mask)
        return FrameResult(
            mean=mean, std=std, about=about, blocks=pieces, resumed=running.blocks_resumed
        )

    def _check_tiles(self, denoiser: TrainedDenoiser) -> None:
        """Refuse tiles that cannot be made, before anything is computed."""
        grid = Resampler(self.image.shape[:3], self.image.voxel_size, self.grid).grid_shape
        s = self.settings
        plan_tiles(grid, s.tile, s.overlap, denoiser.network.size.multiple)

    def _guarded(self, volume: Volume, output: np.ndarray) -> dict[str, Any]:
        """Return what the guard found, on the grid; voxels are those of the image."""
        grid = volume.resampler
        found = guard(
            volume.coarse,
            grid.down(torch.from_numpy(output)[None, None]),
            volume.noise.sd,
            grid.grid_voxel,
            grid.grid_affine(self.image.affine),
            threads=self._threads,
        )
        listed = []
        for one in found.findings:
            at = np.linalg.solve(self.image.affine, [*one.centre, 1.0])[:3].round().astype(int)
            x, y, z = np.clip(at, 0, np.array(self.image.shape[:3]) - 1).tolist()
            if self.mask is None or self.mask[x, y, z]:
                listed.append(replace(one, voxel=(x, y, z)))
        return replace(found, findings=tuple(listed)).as_dict()

    def _left(self, raw: np.ndarray, why: str) -> FrameResult:
        """Return a frame as it is."""
        about = {"noise": None, "guard": None, "left": why}
        std = np.zeros_like(raw) if self.draws > 1 else None
        mean = raw.copy() if self.mask is None else np.where(self.mask, raw, np.float32(0.0))
        return FrameResult(mean=mean, std=std, about=about, blocks=0, resumed=0)

    def _volume(self, t: int, suv: np.ndarray) -> Volume:
        return Volume(
            data=suv,
            voxel=self.image.voxel_size,
            grid_voxel=self.grid,
            dose=self.dose_fraction,
            seed=self.seed,
            frame=t,
            high_band=self.settings.high_band if self.denoiser is not None else 0.0,
            threads=self._threads,
        )

    def _in_unit(
        self, raw: np.ndarray, suv: np.ndarray, denoised: Denoised, factor: float
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Return mean and SD in the unit of the image; what did not change keeps every bit."""
        mean, std = denoised.mean, denoised.std
        if factor != 1.0:
            mean = raw + (mean - suv) / np.float32(factor)
            std = None if std is None else std / np.float32(factor)
        if self.mask is not None:
            mean = np.where(self.mask, mean, np.float32(0.0))
            std = None if std is None else np.where(self.mask, std, np.float32(0.0))
        return mean, std


def _alarm(found: Mapping[str, Any]) -> list[str]:
    """Return a sentence if the guard found anything."""
    signs = [one["sign"] for one in found["findings"]]
    if not signs:
        return []
    erased, places = signs.count("erased"), len(signs) + found["omitted"]
    return [
        f"guard: in {places} place{'s' * (places > 1)} the difference holds more than noise"
        f" ({erased} erased and {len(signs) - erased} invented of those listed): see the report"
    ]


def _piece(block: Block, context: tuple[Method, Any], part: Any) -> dict[str, np.ndarray]:
    method, shared = context
    torch.set_num_threads(1)
    return {"piece": np.ascontiguousarray(method.work(shared, part))}


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Have torch compute in one thread, so that bits do not depend on their number."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
