"""The volumes of a training run of a prior: simulated, or a user's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from betaplus.core.progress import Progress
from betaplus.pipeline.training.fill import fill_folder
from betaplus.pipeline.training.prior.plan import PriorPlan

__all__ = ["fill_corpus"]

_FIELDS = ("anatomy", "unit", "voxel", "tracers", "paints", "sharpest", "bluntest")


def fill_corpus(
    folder: Path,
    plan: PriorPlan,
    *,
    data: Path | None,
    unit: str | None,
    overwrite: bool,
    seed: int,
    workers: int | None,
    progress: Progress,
) -> None:
    """Make the volumes that are not there yet; of several processes the first does.

    Args:
        folder: Where volumes are kept.
        plan: The prior.
        data: A user's images, or None to simulate.
        unit: Of images whose sidecar does not say.
        overwrite: Make all of them again.
        seed: Of the run.
        workers: Processes that simulate; the cores available if None.
        progress: What to report to.

    Raises:
        UsageError: If the folder holds volumes of other settings.
        InputError: If an image cannot be used.
    """
    from betaplus.engine import default_workers
    from betaplus.pipeline.training.prior.corpus import make_corpus
    from betaplus.pipeline.training.prior.own import find_images, import_images

    total = plan.people if data is None else len(find_images(data))
    record = {name: getattr(plan, name) for name in _FIELDS}
    if plan.maps != "static":
        record["maps"] = plan.maps
    for name, usual in (
        ("finer", 2),
        ("averaged", 1),
        ("counted", 0.0),
        ("sees", 0),
        ("scanner", "small"),
        ("lesions", 0),
    ):
        if getattr(plan, name) != usual:
            record[name] = getattr(plan, name)
    record |= {"seed": seed, "own": data is not None, "total": total}

    def make() -> Iterator[int]:
        if data is not None:
            return import_images(folder, data, plan, unit)
        return make_corpus(folder, plan, range(total), seed, workers or default_workers())

    fill_folder(folder, record, make, what="volumes", overwrite=overwrite, progress=progress)
