"""The demo's steps, each of which is a verb."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from betaplus.core.errors import OutputError
from betaplus.core.progress import Progress, Silent
from betaplus.io.derivatives import write_json, write_map
from betaplus.io.labels import load_labels
from betaplus.io.open import load
from betaplus.pipeline.demo.bids import GroupReport, from_bids
from betaplus.pipeline.demo.denoise import from_denoiser
from betaplus.pipeline.demo.dicom import PatlakReport, from_dicom
from betaplus.pipeline.demo.methods import one_voxel_each, side_by_side
from betaplus.pipeline.demo.patlak import from_dynamic
from betaplus.pipeline.demo.prior import from_priors
from betaplus.pipeline.demo.raw import ReconstructReport, from_raw
from betaplus.pipeline.demo.result import CURVES, DemoResult
from betaplus.pipeline.demo.separate import from_dual
from betaplus.pipeline.demo.truth import (
    agreement,
    read_truth_maps,
    read_truth_table,
    region_truth,
)
from betaplus.pipeline.kinetics import KineticsRequest, KineticsResult, run_kinetics
from betaplus.pipeline.run_record import Stopwatch, run_record
from betaplus.simulation import simulate_dynamic, simulate_tacs
from betaplus.simulation.curves import BoxPrior
from betaplus.simulation.reference_tacs import REFERENCE_REGION, simulate_reference_tacs

__all__ = ["DemoResult", "run_demo"]

_NOT_BRAIN = ("SoftTissue", "Skull", "CSF", "VenousSinus", "CarotidArtery")
_PARTS = (
    "simulated",
    "kinetics",
    "methods",
    "curves",
    "reference",
    "raw",
    "dicom",
    "bids",
    "report.html",
    "demo.png",
)
_QUICK_SLICES = 2
_TRUE = ("K1", "k2", "k3", "k4", "VB", "Ki")
_REVERSIBLE: BoxPrior = {
    "K1": ("uniform", 0.08, 0.25),
    "k2": ("uniform", 0.06, 0.15),
    "k3": ("uniform", 0.03, 0.10),
    "k4": ("uniform", 0.025, 0.07),
    "VB": ("uniform", 0.02, 0.08),
    "delay": ("uniform", 0.0, 6.0),
    "noise": ("uniform", 1.0, 3.0),
}
Report = Callable[[Path, KineticsResult], None]


def run_demo(
    out: str | Path,
    *,
    quick: bool = False,
    seed: int = 0,
    overwrite: bool = False,
    command: str = "",
    progress: Progress | None = None,
    kinetics_report: Report | None = None,
    reconstruct_report: ReconstructReport | None = None,
    patlak_report: PatlakReport | None = None,
    group_report: GroupReport | None = None,
) -> DemoResult:
    """Simulate, fit and compare; everything but the demo's own report is on disk afterwards.

    Args:
        out: Folder to write to; its parts come to lie in it.
        quick: Fit two slices only.
        seed: Seed of the scan and of the fit.
        overwrite: Replace an earlier demo.
        command: The command line, for the record.
        progress: What to report to.
        kinetics_report: Writes the report of one kinetic analysis.
        reconstruct_report: Writes that of one reconstruction.
        patlak_report: Writes that of one analysis by Patlak's plot.
        group_report: Writes that of a data set.

    Raises:
        OutputError: If there is a demo already, or the folder cannot be written.
    """
    out, progress, watch = Path(out), progress or Silent(), Stopwatch()
    _make_room(out, overwrite)
    with watch.stage("simulate"):
        scan = simulate_dynamic(
            out / "simulated", seed=seed, overwrite=overwrite, progress=progress
        )
        image = load(scan["pet"])
        labels, names = load_labels(scan["dseg"], image)
        mask = _brain(labels, names, quick)
        mask_path = out / "simulated" / "sub-01_desc-brain_mask.nii.gz"
        write_map(mask_path, mask.astype(np.float32), image, {"Units": None, "Type": "Brain"})
    with watch.stage("maps"):
        brain = _kinetics(
            KineticsRequest(
                source=scan["pet"],
                blood=(scan["blood"],),
                out=out / "kinetics",
                mask=mask_path,
                seed=seed,
                overwrite=overwrite,
            ),
            progress,
            kinetics_report,
        )
    truth = read_truth_maps(scan, _TRUE, mask)
    inside = labels[mask]
    regions = region_truth(truth, inside, names)
    with watch.stage("methods"):
        methods = side_by_side(
            brain,
            mask,
            one_voxel_each(inside, names),
            truth,
            regions,
            scan["blood"],
            out / "methods",
            lambda request: _kinetics(
                request, progress, kinetics_report if request.method == "consistency" else None
            ),
            seed=seed,
            overwrite=overwrite,
        )
    with watch.stage("curves"):
        table = simulate_tacs(
            out / "curves",
            prior=_REVERSIBLE,
            n=CURVES,
            tracer="PBR28",
            seed=seed,
            overwrite=overwrite,
        )
        curves = {
            method: _kinetics(
                KineticsRequest(
                    source=table["tacs"],
                    blood=(table["blood"],),
                    out=out / "curves" / method,
                    method=method,
                    samples=500,
                    seed=seed,
                    overwrite=overwrite,
                ),
                progress,
                kinetics_report,
            )
            for method in ("exact", "nlls", "logan")
        }
        logan = curves.pop("logan")
    with watch.stage("reference region"):
        without_blood = simulate_reference_tacs(out / "reference", seed=seed, overwrite=overwrite)
        reference = {
            model: _kinetics(
                KineticsRequest(
                    source=without_blood["tacs"],
                    reference=REFERENCE_REGION,
                    out=out / "reference" / model,
                    model=model,
                    method=method,
                    seed=seed,
                    overwrite=overwrite,
                ),
                progress,
                kinetics_report,
            )
            for model, method in (("SRTM", "exact"), ("MRTM2", "mrtm2"), ("RefLogan", "logan"))
        }
    with watch.stage("raw counts"):
        raw = from_raw(
            out / "raw",
            seed=seed,
            overwrite=overwrite,
            progress=progress,
            report=reconstruct_report,
        )
    with watch.stage("priors"):
        priors = from_priors(seed, progress)
    with watch.stage("denoise"):
        denoised = from_denoiser(seed, progress)
    with watch.stage("patlak"):
        patlak = from_dynamic(seed, progress)
    with watch.stage("separate"):
        separate = from_dual(seed, progress)
    with watch.stage("dicom"):
        dicom = from_dicom(
            image,
            scan["pet"],
            scan["blood"],
            out / "dicom",
            seed=seed,
            overwrite=overwrite,
            progress=progress,
            report=patlak_report,
        )
    with watch.stage("bids"):
        bids = from_bids(
            out / "bids",
            seed=seed,
            overwrite=overwrite,
            progress=progress,
            report=kinetics_report,
            group_report=group_report,
        )
    curve_truth = read_truth_table(table["truth/kinpar"])
    run = {**run_record("demo", command, seed, watch), "quick": quick}
    write_json(out / "demo_run.json", run)
    return DemoResult(
        brain=brain,
        truth=truth,
        regions=regions,
        agreement=agreement(brain.posterior, truth, mask),
        methods=methods,
        curves=curves,
        curve_truth=curve_truth,
        curve_agreement={m: agreement(r.posterior, curve_truth) for m, r in curves.items()},
        logan=logan,
        reference=reference,
        reference_truth=read_truth_table(without_blood["truth/kinpar"]),
        raw=raw,
        priors=priors,
        denoised=denoised,
        patlak=patlak,
        separate=separate,
        dicom=dicom,
        bids=bids,
        run=run,
        out=out,
    )


def _make_room(out: Path, overwrite: bool) -> None:
    """Refuse an earlier demo, or remove it: its parts would not belong to this one."""
    parts = [out / name for name in _PARTS]
    there = [part for part in parts if part.exists()]
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file", "expected a folder", "choose another -o")
    if there and not overwrite:
        raise OutputError(
            f"{there[0]} exists already", todo="choose another -o or give --overwrite"
        )
    if (out / "demo_run.json").is_file():  # written by a demo: its folders are its own
        for part in there:
            if part.is_dir():
                shutil.rmtree(part)


def _brain(labels: np.ndarray, names: Mapping[int, str], quick: bool) -> np.ndarray:
    inside = [label for label, name in names.items() if name not in _NOT_BRAIN]
    mask = np.isin(labels, inside)
    if quick:
        fullest = int(np.argmax(mask.sum(axis=(0, 1))))
        keep = np.zeros_like(mask)
        keep[:, :, fullest : fullest + _QUICK_SLICES] = True
        mask &= keep
    return mask


def _kinetics(
    request: KineticsRequest, progress: Progress, report: Report | None
) -> KineticsResult:
    result = run_kinetics(request, progress, report)
    assert result is not None  # without --resume there is always something to do
    return result
