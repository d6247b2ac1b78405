"""Part `baselines`: the learned methods of Yu et al. (EJNMMI 2025) beside our own, on bodies."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from betaplus.core.errors import UsageError
from betaplus.core.progress import Progress, Silent
from betaplus.denoising.bundle import TrainedDenoiser, load_denoiser
from betaplus.io.jsons import plain, read_json
from betaplus.pipeline.benchmark.denoise.cases import DOSES, FIRST_TUNING, groups
from betaplus.pipeline.benchmark.denoise.learned_baselines.networks import BASELINES
from betaplus.pipeline.benchmark.denoise.learned_baselines.plan import BaselinePlan, quick_plan
from betaplus.pipeline.benchmark.denoise.learned_baselines.scoring import Scorer
from betaplus.pipeline.benchmark.denoise.learned_baselines.table import baselines_table
from betaplus.pipeline.benchmark.denoise.learned_baselines.training import Trained, train_baseline
from betaplus.pipeline.benchmark.denoise.scans import QUICK_LENGTH, Scans
from betaplus.pipeline.benchmark.denoise.trunk import TRUNK
from betaplus.pipeline.benchmark.result_files import write_result
from betaplus.pipeline.training.corpus import FIRST_TEST, Corpus
from betaplus.pipeline.training.denoiser.boxes import fill_boxes

__all__ = ["benchmark_baselines"]


def benchmark_baselines(
    out: str | Path,
    *,
    bundle: Path | None = None,
    quick: bool = False,
    progress: Progress | None = None,
    minutes: float = 30.0,
    people: int = 2,
    draws: int = 3,
    names: Sequence[str] = tuple(BASELINES),
    kinds: Sequence[str] = ("usual",),
    seed: int = 0,
    workers: int | None = None,
) -> dict[str, Any]:
    """Train a 3-D U-Net, a 3-D GAN and a 2-D DDPM, and measure them as our denoiser is.

    They learn from what our denoiser learns from, each for the same minutes, and are judged on
    trunks of bodies that no training saw (whole bodies would take the 2-D model hours). Writes
    ``benchmark_denoise_baselines.json`` and ``.md``; beside them ``corpus/``, a folder for each
    network, ``scores/`` and the filters for such trunks, from which a run that was cut short goes
    on. Simulation throughout.

    Args:
        out: Folder.
        bundle: Of our network; the one that is shipped if None.
        quick: A few steps of tiny networks, one trunk and two doses, voxels of 6 mm; what it keeps
            is in ``quick/``.
        progress: What to report to.
        minutes: Of training of each network, beside the trials of its learning rate.
        people: Bodies in each group; 0 trains alone, which several processes can do, each with
            other `names`.
        draws: Of `ddpm2d`, of which the first and the mean are judged.
        names: Networks, of `BASELINES`.
        kinds: Groups of scans, of `cases.groups`.
        seed: Of training and draws.
        workers: Processes that simulate, and that make batches ahead; the cores available if None.

    Raises:
        UsageError: If a name is unknown, a number too small, or the corpus of other settings.
        InputError: If a folder holds a run of other settings.
    """
    from betaplus.engine import default_workers

    out, progress = Path(out), progress or Silent()
    _check(minutes, people, draws, names, kinds)
    plan, workers = quick_plan() if quick else BaselinePlan(), workers or default_workers()
    work = out / "quick" if quick else out
    doses, people = (DOSES[2::2], min(people, 1)) if quick else (DOSES, people)
    denoiser = load_denoiser(explicit=bundle, bf16=True)
    corpus = _corpus(work / "corpus", plan, seed, 1 if quick else workers, progress)
    trained = [
        train_baseline(
            BASELINES[name], work / name, corpus, plan, minutes=minutes, seed=seed,
            workers=0 if quick else workers - 1, progress=progress,
        )
        for name in names
    ]  # fmt: skip
    wanted = [group for group in groups() if group.name in kinds]
    result = {
        "quick": quick,
        **_about(denoiser, plan, corpus, trained),
        "minutes": minutes,
        "draws": draws,
        "seed": seed,
        "people": people,
        "length": QUICK_LENGTH if quick else TRUNK,
        "first_person": FIRST_TEST,
        "tuned_on": FIRST_TUNING,
        "doses": list(doses),
        "groups": [group.name for group in wanted],
        "rows": [],
    }
    scans = Scans.at(
        work, voxel=plan.corpus.voxel, grid_voxel=denoiser.voxel,
        length=QUICK_LENGTH if quick else TRUNK, threads=workers,
    )  # fmt: skip
    scorer = Scorer(
        folder=work / "scores", scans=scans, denoiser=denoiser, trained=trained, plan=plan,
        draws=draws, seed=seed,
    )  # fmt: skip
    progress.start("images", len(wanted) * people * len(doses))
    for group in wanted if people else ():
        filters = scans.tune(group, doses)
        for person in range(people):
            for dose in doses:
                result["rows"] += scorer.rows(group, FIRST_TEST + person, dose, filters[dose])
                write_result(out, "denoise_baselines", result, baselines_table(result))
                progress.advance()
    progress.finish()
    write_result(out, "denoise_baselines", result, baselines_table(result))
    return result


def _check(
    minutes: float, people: int, draws: int, names: Sequence[str], kinds: Sequence[str]
) -> None:
    if not 0 < minutes < math.inf or people < 0 or draws < 1:
        raise UsageError(
            f"{minutes:g} minutes of training, {people} people, {draws} draws",
            "expected minutes above 0, 0 people or more, 1 draw or more",
        )
    for given, known, what in (
        (names, tuple(BASELINES), "network"),
        (kinds, tuple(group.name for group in groups()), "group"),
    ):
        for name in given:
            if name not in known:
                raise UsageError(f"{what} {name!r} is unknown", f"expected of {', '.join(known)}")


def _corpus(
    folder: Path, plan: BaselinePlan, seed: int, workers: int, progress: Progress
) -> Corpus:
    """Return the boxes of a folder, made if they are not all there.

    Raises:
        UsageError: If they are of other settings.
    """
    complete = folder / "complete.json"
    if not complete.exists():
        fill_boxes(
            folder, plan.corpus, overwrite=False, seed=seed, workers=workers, progress=progress
        )
    found = read_json(complete)
    for name in ("voxel", "box"):
        if found.get(name) != getattr(plan.corpus, name):
            raise UsageError(
                f"{folder} was made with {name} {found.get(name)}",
                f"expected {getattr(plan.corpus, name)}",
                "choose another -o",
            )
    return Corpus.of(folder)


def _about(
    denoiser: TrainedDenoiser, plan: BaselinePlan, corpus: Corpus, trained: Sequence[Trained]
) -> dict[str, Any]:
    """Return what networks are judged, and how they were trained."""
    path = denoiser.bundle.path
    own = read_json(path / "training.json")
    return {
        "bundle": path.name,
        "mmse": {
            "parameters": sum(p.numel() for p in denoiser.network.parameters()),
            "minutes": own.get("minutes"),
            "steps": own.get("steps"),
        },
        "voxel": plan.corpus.voxel,
        "plan": plain({k: v for k, v in dataclasses.asdict(plan).items() if k != "corpus"}),
        "corpus": {
            "people": len(set(corpus.owners)),
            "held_out_people": len(set(corpus.split()[1].owners)),
            "checksum": corpus.checksum(),
        },
        "networks": [one.record | {"checksum": one.checksum} for one in trained],
    }
