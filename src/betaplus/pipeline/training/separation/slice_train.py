"""The networks of sequences, from simulated slices or files to a bundle."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from betaplus.core.errors import UsageError
from betaplus.core.progress import Progress
from betaplus.pipeline.training.flags import refuse_earlier_run
from betaplus.pipeline.training.separation.plan import split_pair
from betaplus.pipeline.training.separation.record import keep_plan
from betaplus.pipeline.training.separation.slice_plan import SlicePlan
from betaplus.pipeline.training.settings_file import read_settings

if TYPE_CHECKING:
    from torch import Tensor

    from betaplus.pipeline.training.separation.mat_files import MatFiles
    from betaplus.pipeline.training.separation.slices import SliceSource

__all__ = ["train_slices"]

_WHAT = {
    "inn-published": "The network of Sun et al. (DTS-INN, IEEE TRPMS 2024), for `--method"
    " inn-published`: skips on the way forward and the cycle loss, as published.",
    "ced": "A convolutional encoder-decoder of slices, for `--method ced`.",
    "cnn3d": "A convolutional network over x, y and time of slices, for `--method cnn3d`.",
}
_SIMULATED = (
    "Axial slices of {people} simulated heads, {field} x {field} voxels of 2.5 mm, of which parts"
    " of {edge} x {edge}; {pair}, {delay:g} min apart, {frames} frames, noise levels of"
    " {level[0]:g} to {level[1]:g} sqrt(Bq/mL min). No real image."
)
_FILES = "{count} slices in the published layout, {pair}, {frames} frames."
_LIMITS = (
    "For the very frames, delay and tracers of training: another number of frames is refused, other"
    " times of frames, delays and tracers are remarked upon where the data said what they were."
    " Trained for far fewer steps than the 1000 epochs of the paper."
)


def train_slices(
    out: Path,
    kind: str,
    *,
    data: Path | None,
    pairs: tuple[str, ...],
    config: Path | None,
    max_minutes: float | None,
    resume: bool,
    overwrite: bool,
    seed: int,
    ahead: int,
    threads: int,
    command: str,
    progress: Progress,
) -> Path:
    """Train a network of sequences and write its bundle.

    Args:
        out: Folder.
        kind: ``inn-published``, ``ced`` or ``cnn3d``.
        data: Folder of files (`betaplus.pipeline.training.separation.mat_files`); simulated slices
            if None.
        pairs: The pair, or none for that of the plan.
        config: TOML file with fields of `SlicePlan`.
        max_minutes: Minutes of training at most.
        resume: Go on where an earlier run stopped.
        overwrite: Begin again.
        seed: Seed.
        ahead: Processes that make batches beside the one that trains.
        threads: Of the one that trains.
        command: The command line, for the record.
        progress: What to report to.
    """
    plan = read_settings(SlicePlan(), config).within(max_minutes)
    if len(pairs) > 1:
        raise UsageError(f"{len(pairs)} pairs with --kind {kind}", "expected one, of its protocol")
    plan = dataclasses.replace(plan, pair=pairs[0]) if pairs else plan
    pair = split_pair(plan.pair)
    files = None
    if data is None:
        _protocol(plan)
    else:
        from betaplus.pipeline.training.separation.mat_files import find_mat_files

        files = find_mat_files(data, pair)
        files.split()
    refuse_earlier_run(out, kind, resume=resume, overwrite=overwrite)
    more = {} if files is None else {"files": files.checksum()}
    keep_plan(out / kind, plan, resume=resume, **more)
    import torch
    from safetensors.torch import load_file

    from betaplus.generative.training import TrainingSettings, train
    from betaplus.generative.training_step import stream_key
    from betaplus.pipeline.training.prefetch import Prefetched
    from betaplus.pipeline.training.separation.slices import SliceBatches

    source, held, frames = _sources(plan, files)
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    network = _network(kind, plan, frames)
    cases = SliceBatches(held, None)(plan.held, torch.Generator().manual_seed(seed + 1))

    def validate(averaged: Any) -> dict[str, float]:
        return _measure(averaged, cases, pair, plan.bf16)

    with Prefetched(
        SliceBatches(source, plan.edge),
        plan.batch,
        lambda step: stream_key(seed, "batch", step),
        ahead,
    ) as made:
        result = train(
            network,
            made,
            _loss(kind, plan),
            validate,
            out / kind,
            TrainingSettings(
                steps=plan.steps,
                max_minutes=plan.minutes or None,
                learning_rate=plan.learning_rate,
                warmup=plan.warmup,
                decay_share=0.5,
                ema_half_life=50.0,
                validate_every=plan.validate_every,
                checkpoint_every=plan.validate_every,
                seed=seed,
                bf16=plan.bf16,
            ),
            resume=resume,
            overwrite=overwrite,
            progress=progress,
        )
    network.load_state_dict(load_file(result.best))
    if os.environ.get("RANK", "0") != "0":
        return out / "bundles" / f"separation-{kind}-v{plan.version}"
    network.cpu().eval().requires_grad_(False)
    return _publish(
        out / "bundles", kind, plan, network, files, frames, seed, command,
        dataclasses.asdict(result), _measure(network, cases, pair, False),
    )  # fmt: skip


def _protocol(plan: SlicePlan) -> Any:
    from betaplus.pipeline.training.separation.slices import protocol_of

    return protocol_of(plan)


def _sources(plan: SlicePlan, files: MatFiles | None) -> tuple[SliceSource, SliceSource, int]:
    from betaplus.pipeline.training.separation.slices import FileSlices, SimulatedSlices
    from betaplus.simulation.dual_study import FIRST_TUNING

    if files is None:
        frames = len(_protocol(plan).frames)
        held = SimulatedSlices(plan, FIRST_TUNING, 1)
        return SimulatedSlices(plan), held, frames
    training, kept = files.split()
    return FileSlices(training), FileSlices(kept), files.frames


def _network(kind: str, plan: SlicePlan, frames: int) -> Any:
    from betaplus.separation.bundle import NETWORKS

    network, size = NETWORKS[kind]
    fields: dict[str, dict[str, Any]] = {
        "inn-published": {"blocks": plan.blocks, "growth": plan.growth},
        "ced": {"widths": plan.widths},
        "cnn3d": {"width": plan.width, "layers": plan.layers},
    }
    return network(size(frames=frames, **fields[kind]))


def _loss(kind: str, plan: SlicePlan) -> Any:
    from torch.nn import functional

    from betaplus.separation.published_training import published_loss

    def loss(network: Any, batch: dict[str, Tensor], done: float, generator: Any) -> Tensor:
        mixture, sequences = batch["mixture"], batch["sequences"]
        if kind == "inn-published":
            return published_loss(network, mixture, sequences, weight=plan.weight)
        return functional.mse_loss(network(mixture).float(), sequences)

    return loss


def _measure(
    network: Any, cases: dict[str, Tensor], pair: tuple[str, str], bf16: bool
) -> dict[str, float]:
    """Return root mean square errors of sequences over root mean squares; ``score``, the mean."""
    import torch

    device = next(network.parameters()).device
    found = []
    for mixture in cases["mixture"]:
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            found.append(network(mixture[None].to(device)).float().cpu())
    error = (torch.cat(found) - cases["sequences"]).square()
    figures = {}
    for name, one, true in zip(
        pair, error.chunk(2, 1), cases["sequences"].chunk(2, 1), strict=True
    ):
        figures[f"NRMSE, {name}"] = float((one.mean() / true.square().mean()).sqrt())
    return {"score": sum(figures.values()) / 2, **figures}


def _publish(
    folder: Path,
    kind: str,
    plan: SlicePlan,
    network: Any,
    files: MatFiles | None,
    frames: int,
    seed: int,
    command: str,
    result: dict[str, Any],
    figures: dict[str, float],
) -> Path:
    from betaplus.generative.bundle_config import Range
    from betaplus.pipeline.training.separation.publish import write_separation_bundle
    from betaplus.separation.bundle import DELAY, PAIR

    pair = split_pair(plan.pair)
    validity: dict[str, Range] = {PAIR: ["+".join(pair)], "frames": [float(frames)] * 2}
    shown = {**dataclasses.asdict(plan), "pair": " and ".join(pair), "frames": frames}
    settings: dict[str, Any] = {}
    if files is None:
        validity[DELAY] = [plan.delay, plan.delay]
        timing = _protocol(plan).frames
        settings = {"frame_start": timing.start.tolist(), "frame_end": timing.end.tolist()}
    return write_separation_bundle(
        folder,
        kind,
        plan.version,
        network,
        validity=validity,
        settings=settings,
        what=_WHAT[kind],
        training_data=_SIMULATED.format(**shown)
        if files is None
        else _FILES.format(count=len(files), **shown),
        limits=_LIMITS,
        measured="sequences as measured, of slices that were not trained on",
        seed=seed,
        command=command,
        data="simulated" if files is None else {"files": files.checksum()},
        result=result,
        figures=figures,
    )
