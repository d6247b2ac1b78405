"""Raw data of a head with known truth, from the options to the files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from betaplus.core.progress import Progress, Silent
from betaplus.core.scanner import Scanner
from betaplus.simulation.raw.plan import Plan, make_plan

__all__ = ["simulate_raw"]


def simulate_raw(
    out: str | Path,
    *,
    size: str = "small",
    scanner: str | Scanner | None = None,
    anatomy: str = "brain",
    tracer: str = "FDG",
    dose_fraction: float = 1.0,
    time_fraction: float = 1.0,
    counts: float | None = None,
    randoms: float = 0.4,
    scatter: float = 0.35,
    realisations: int = 1,
    dynamic: bool = False,
    tof: bool | None = None,
    seed: int = 0,
    overwrite: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Path]:
    """Simulate what a scanner counts of a head, and write it with the truth beside it.

    The containers hold what a user would have: prompts, delayeds, efficiencies, attenuation and an
    estimate of scatter (its mean); randoms are left to be estimated from the delayeds.

    Args:
        out: Folder to write to.
        size: ``small`` is the teaching scanner with an image of 128 x 128 x 16, ``full`` the mMR
            with 128 x 128 x 127; voxels of 2 mm across and half the ring pitch.
        scanner: Scanner, or its name, in place of that of the size.
        anatomy: ``brain``.
        tracer: ``FDG`` or ``PBR28``.
        dose_fraction: Fraction of the dose: trues and scatter go with it, randoms with its square.
            Activities stay those of the full dose; the sensitivity of the data is lowered instead.
        time_fraction: Fraction of the time, in the middle of each frame: all counts go with it.
        counts: Mean prompts of the whole scan at full dose and time; as many per voxel of the
            image as 5e8 on the mMR if None.
        randoms: Share of randoms among the prompts at full dose.
        scatter: Share of scatter among trues and scatter.
        realisations: Independent draws of the same means.
        dynamic: All frames of the tracer from injection; else one, 40 to 60 minutes after it.
        tof: With or without time of flight; as the scanner has it if None.
        seed: Chooses head, kinetics, blood, efficiencies and counts; the same seed gives the same
            counts on any number of threads.
        overwrite: Replace files of an earlier simulation.
        threads: Threads; the cores available if None.
        progress: What to report to.

    Returns:
        What was written, name to path: ``raw`` (``raw/01``... for several realisations), ``mu``,
        ``dseg``, ``labels``, ``blood`` of a dynamic scan, ``description`` and ``truth/...``.

    Raises:
        UsageError: If a name is unknown or a number is out of range.
        OutputError: If the files exist or cannot be written.
    """
    from betaplus.simulation.raw.dataset import refuse_earlier

    plan = make_plan(
        size=size,
        scanner=scanner,
        anatomy=anatomy,
        tracer=tracer,
        dose_fraction=dose_fraction,
        time_fraction=time_fraction,
        counts=counts,
        randoms=randoms,
        scatter=scatter,
        realisations=realisations,
        dynamic=dynamic,
        tof=tof,
        seed=seed,
    )
    out = Path(out)
    refuse_earlier(out, overwrite)
    settings = {
        "scanner": plan.scanner.name,
        "tof_bins": plan.scanner.tof_bins,
        "anatomy": anatomy,
        "tracer": plan.profile.tracer.name,
        "dose_fraction": dose_fraction,
        "time_fraction": time_fraction,
        "counts": plan.budget.trues + plan.budget.scatter + plan.budget.randoms,
        "randoms": randoms,
        "scatter": scatter,
        "realisations": realisations,
        "dynamic": dynamic,
        "seed": seed,
    }
    return _run(out, plan, settings, threads, progress or Silent())


def _run(
    out: Path, plan: Plan, settings: dict[str, Any], threads: int | None, progress: Progress
) -> dict[str, Path]:
    from betaplus.simulation.raw.acquisition import Acquisition
    from betaplus.simulation.raw.activity import draw_subject
    from betaplus.simulation.raw.attenuation import mu_map
    from betaplus.simulation.raw.dataset import remove_stale, write_scans, write_truth
    from betaplus.simulation.raw.draws import draw
    from betaplus.simulation.raw.efficiencies import crystal_efficiencies
    from betaplus.simulation.raw.frame_means import ScanMeans
    from betaplus.simulation.raw.head import finer, make_head
    from betaplus.simulation.raw.spool import Spool

    progress.start("head", 3)
    head = make_head(finer(plan.grid), plan.seed, threads)
    progress.advance()
    subject = draw_subject(plan.profile, plan.planned, plan.seed)
    crystals = crystal_efficiencies(plan.scanner, plan.seed)
    scan = Acquisition(plan.scanner, head.grid, mu_map(head.labels), crystals, threads=threads)
    progress.advance()
    means = ScanMeans(plan, head, subject, scan)
    progress.advance()
    progress.finish()
    totals = []
    with Spool(out) as spool:
        for n, counts in enumerate(means.frames(progress)):
            totals.append(counts.totals())
            for name, array in (
                ("mean", counts.mean()),
                ("randoms", counts.spread_randoms()),
                ("scatter", counts.scatter),
            ):
                spool.add(name, array)
            for r in range(plan.realisations):
                prompts, delayeds = draw(counts, plan.seed, realisation=r, frame=n, threads=threads)
                spool.add(f"prompts-{r}", prompts)
                spool.add(f"delayeds-{r}", delayeds)
        remove_stale(out)
        shared = {"efficiency": scan.efficiency, "attenuation": scan.attenuation}
        paths = write_scans(out, plan, spool, shared, means.dose_sensitivity)
    settings |= {"sensitivity": means.dose_sensitivity, "means": totals}
    return paths | write_truth(out, plan, head, subject, settings)
