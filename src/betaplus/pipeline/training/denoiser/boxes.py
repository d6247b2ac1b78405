"""The boxes of a training run of the denoiser."""

from __future__ import annotations

from pathlib import Path

from betaplus.core.progress import Progress
from betaplus.pipeline.training.denoiser.plan import DenoiserPlan
from betaplus.pipeline.training.fill import fill_folder

__all__ = ["fill_boxes"]

_FIELDS = ("voxel", "tracers", "paints", "boxes", "box")


def fill_boxes(
    folder: Path,
    plan: DenoiserPlan,
    *,
    overwrite: bool,
    seed: int,
    workers: int | None,
    progress: Progress,
) -> None:
    """Make the boxes that are not there yet; of several processes the first does.

    Args:
        folder: Where boxes are kept.
        plan: The denoiser.
        overwrite: Make all of them again.
        seed: Of the run.
        workers: Processes that simulate; the cores available if None.
        progress: What to report to.

    Raises:
        UsageError: If the folder holds boxes of other settings.
    """
    from betaplus.engine import default_workers
    from betaplus.pipeline.training.denoiser.corpus import make_boxes

    record = {name: getattr(plan, name) for name in _FIELDS}
    record |= {"seed": seed, "total": plan.people}
    people = range(plan.people)
    fill_folder(
        folder,
        record,
        lambda: make_boxes(folder, plan, people, seed, workers or default_workers()),
        what="bodies",
        overwrite=overwrite,
        progress=progress,
    )
