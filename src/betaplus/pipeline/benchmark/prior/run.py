"""Diffusion priors judged: denoising, samples, speed; their table."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.progress import Progress, Silent
from betaplus.pipeline.benchmark.result_files import result_file, write_arrays, write_result
from betaplus.pipeline.benchmark.wording import opening
from betaplus.pipeline.training.prior.plan import COARSE, PAIRS, PRIORS, PriorPlan
from betaplus.pipeline.training.prior.validation import levels_of

__all__ = ["benchmark_prior", "prior_table"]

_LARGER = "larger"
_SHOWN = 0.3  # noise level of the pictures
_PICTURES = 4
_ALONE = "body3d"  # prior of one image, beside which one of pairs is shown


def benchmark_prior(
    out: str | Path,
    *,
    names: Sequence[str] = (),
    larger: Sequence[Path] = (),
    quick: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure the shipped priors on images that none was trained on.

    Writes ``benchmark_prior.json``, ``.md`` and ``_images.npz`` to `out`. Real images are read from
    the folder `$BETAPLUS_DATA`, where that is set.

    Args:
        out: Folder.
        names: Of the priors; those of static images if empty.
        larger: Bundles of the same names with larger networks, for comparison.
        quick: Fewer people, slices and samples.
        progress: What to report to.

    Raises:
        UsageError: If there is no prior of a name.
    """
    from betaplus.generative.image_prior import load_image_prior

    out, progress = Path(out), progress or Silent()
    names = tuple(names) or tuple(PRIORS)
    known = PRIORS | PAIRS
    for name in names:
        if name not in known:
            raise UsageError(f"prior {name!r} is unknown", f"expected one of {', '.join(known)}")
    out.mkdir(parents=True, exist_ok=True)
    result: dict[str, Any] = {"quick": quick, "priors": {}}
    images: dict[str, np.ndarray] = {}
    for name in names:
        several = name in PAIRS
        priors = {"prior": load_image_prior(name, bf16=True, several=several)}
        for folder in larger:
            if folder.name.startswith(f"prior-{name}-"):
                priors[_LARGER] = load_image_prior(name, folder, bf16=True, several=several)
        if several:
            priors[_ALONE] = load_image_prior(_ALONE, bf16=True)
        progress.note(f"{name}: {priors['prior'].bundle.path.name}")
        guide = COARSE.get(name)
        coarse = None if guide is None else load_image_prior(guide.name, bf16=True)
        found, shown = _one(out / "volumes" / name, known[name], priors, coarse, quick, progress)
        result["priors"][name] = found
        images |= {f"{name} {key}": image for key, image in shown.items()}
    write_result(out, "prior", result, prior_table(result))
    write_arrays(result_file(out, "prior_images", "npz"), images)
    return result


def _one(
    folder: Path,
    plan: PriorPlan,
    priors: Mapping[str, Any],
    coarse: Any,
    quick: bool,
    progress: Progress,
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    import torch

    from betaplus.engine import default_workers
    from betaplus.pipeline.benchmark.prior.cases import real_cases, simulated_case
    from betaplus.pipeline.benchmark.prior.denoising import (
        estimate,
        measure_denoising,
        noisy_images,
    )
    from betaplus.pipeline.benchmark.prior.pairs import map_of, measure_pairs
    from betaplus.pipeline.benchmark.prior.samples import (
        compare_samples,
        draw_samples,
        radial_spectrum,
    )
    from betaplus.pipeline.benchmark.prior.speed import steps_per_second

    prior = priors["prior"]
    people, items, drawn = (2, 12, 4) if quick else (12, 144, 48)
    items = items if plan.dimensions == 2 else items // 3
    drawn = drawn if plan.dimensions == 2 else drawn // 3
    progress.note("simulating people that were not trained on")
    cases = [simulated_case(folder, plan, people, items, default_workers())]
    data = os.environ.get("BETAPLUS_DATA")
    cases += list(real_cases(Path(data), plan)) if data else []
    rows = []
    levels = levels_of(plan)
    progress.start("noise levels", len(cases) * len(levels))
    for case in cases:
        for sigma in levels:
            if plan.images:
                found = measure_pairs(case, priors, sigma, plan.images)
            else:
                found = [measure_denoising(case, priors, sigma)]
            rows += [each.as_dict() for each in found]
            progress.advance()
    progress.finish()
    shown: dict[str, np.ndarray] = {}
    for case in cases:
        step = max(1, len(case.images) // _PICTURES)
        noisy = noisy_images(case, _SHOWN)
        denoised = estimate(prior, noisy, _SHOWN, case)
        for what, stack in (("clean", case.images), ("noisy", noisy), ("denoised", denoised)):
            some = stack[::step][:_PICTURES]
            for i, image in enumerate(plan.images):
                shown[f"{map_of(case, i, image).name}|{what}"] = some[:, i : i + 1].numpy()
            if not plan.images:
                shown[f"{case.name}|{what}"] = some.numpy()
    progress.note("drawing samples")
    context = cases[0].context[torch.arange(drawn) % len(cases[0].context)]
    samples = draw_samples(prior, drawn, context, coarse=coarse)
    shown["samples|samples"] = samples.numpy()
    shown["samples|images"] = cases[0].images[:drawn].numpy()
    for what, stack in (("samples", samples), ("images", cases[0].images)):
        frequency, power = radial_spectrum(stack.numpy())
        shown[f"spectrum|{what}"] = np.stack([frequency, power])
    progress.note("timing training steps")
    speed = {
        kind: steps_per_second(prior, plan.batch, bf16)
        for kind, bf16 in (("fp32", False), ("bf16", True))
    }
    sizes = {n: sum(v.numel() for v in p.denoiser.parameters()) for n, p in priors.items()}
    return {
        "bundle": prior.bundle.path.name,
        "parameters": sizes,
        "unit": plan.unit,
        "voxel": plan.voxel,
        "denoising": rows,
        "samples": compare_samples(samples, cases[0]),
        "guide": "" if coarse is None else f", guided by {coarse.bundle.path.name},",
        "steps_per_second": speed,
        "threads": torch.get_num_threads(),
    }, shown


def prior_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_prior` as Markdown."""
    lines = opening("Benchmark of the priors", result)
    for name, found in result["priors"].items():
        sizes = ", ".join(f"{n} {v / 1e6:.2f} million" for n, v in found["parameters"].items())
        lines += [
            f"## {name} ({found['bundle']})",
            "",
            f"Weights: {sizes}. Voxels of {found['voxel']:g} mm, unit {found['unit']}. Root mean"
            " square errors; the Gaussian filter has the best width for these very images. Median"
            " gain: over images, each with the filter that is best for it alone.",
            "",
        ]
        beside = _ALONE if any(_ALONE in row["rmse"] for row in found["denoising"]) else _LARGER
        title = f"{_ALONE} on this map alone" if beside == _ALONE else "larger network"
        lines += [
            f"| images | noise | Gaussian | prior | gain [dB] | median [dB] | {title} [dB] |",
            "|---|---|---|---|---|---|---|",
        ]
        for row in found["denoising"]:
            rmse = row["rmse"]
            gap = f"{20 * np.log10(rmse['prior'] / rmse[beside]):+.2f}" if beside in rmse else ""
            lines.append(
                f"| {row['case']} | {row['sigma']:g} | {row['gaussian']:.4f} ({row['width']:.1f}"
                f" voxels) | {rmse['prior']:.4f} | {row['gain']['prior']:.2f} |"
                f" {row['median']['prior']:.2f} | {gap} |"
            )
        drawn, speed = found["samples"], found["steps_per_second"]
        lines += [
            "",
            f"{drawn['samples']} samples{found['guide']} against {drawn['images']} images (in"
            " brackets one half of the images against the other): mean"
            f" {_pair(drawn, 'mean')}, SD {_pair(drawn, 'sd')};"
            " power in bands from low to high frequency "
            + ", ".join(
                f"{a:.2f} ({b:.2f})"
                for a, b in zip(drawn["ratio"]["bands"], drawn["halves"]["bands"], strict=True)
            )
            + ".",
            "",
            f"Training on {found['threads']} threads: {speed['fp32']:.2f} steps/s in fp32,"
            f" {speed['bf16']:.2f} in bf16.",
            "",
        ]
    return "\n".join(lines)


def _pair(drawn: Mapping[str, Any], key: str) -> str:
    return f"{drawn['ratio'][key]:.3f} ({drawn['halves'][key]:.3f})"
