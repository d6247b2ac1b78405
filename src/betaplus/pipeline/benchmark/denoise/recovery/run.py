"""Part `recovery`: contrast of lesions that is kept, against noise that is left.

Every method has a curve: the Gaussian filter over its width, non-local means over its strength, the
network over how much of its correction is applied. Methods are compared where they leave the same
noise (as NEMA's recovery against background variability is compared). Recovery is that of NEMA NU 2
with the true activity of lesion and surroundings, noise the coefficient of variation in a sphere of
3 cm in the liver.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.progress import Progress, Silent
from betaplus.denoising.gaussian import GaussianSettings, gaussian
from betaplus.denoising.nlm import NlmSettings, matched, nlm
from betaplus.denoising.volume import Volume
from betaplus.evaluation.images.regions import contrast_recovery
from betaplus.evaluation.images.suv import coefficient_of_variation, deepest_sphere
from betaplus.pipeline.benchmark.denoise.cases import Group, Scan, groups
from betaplus.pipeline.benchmark.denoise.learned import apply_mmse, judged_network
from betaplus.pipeline.benchmark.denoise.recovery.table import recovery_table
from betaplus.pipeline.benchmark.denoise.trunk import cut_scan, trunk_box, trunk_in
from betaplus.pipeline.benchmark.result_files import write_result
from betaplus.pipeline.training.corpus import FIRST_TEST
from betaplus.simulation.lesions import add_lesions, paint_lesions
from betaplus.simulation.lesions.sites import Site
from betaplus.simulation.static import draw_static, make_anatomy

__all__ = ["LesionContrasts", "benchmark_recovery"]

WIDTHS = (0.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 13.0, 17.0)
"""Of the Gaussian filter [mm]."""

STRENGTHS = (0.4, 0.7, 1.0, 1.4, 1.8, 2.3, 3.0, 4.0, 6.0)
"""Of non-local means."""

BLENDS = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)
"""Of the network's correction."""

_DOSES = (1 / 4, 1 / 20, 1 / 100)
_DIAMETERS = (10.0, 20.0)  # mm
_SHELL = (6.0, 16.0)  # from a lesion: its surroundings [mm]
_LESIONS = 15
_CONTRASTS = (3.0, 8.0)
_SITES = {
    "lung": Site(hosts=("Lungs",), diameter=(11.0, 20.0)),
    "bone": Site(hosts=("RedMarrow",), within=("CorticalBone",), diameter=(11.0, 20.0)),
    "soft tissue": Site(hosts=("Muscle", "Fat"), diameter=(11.0, 20.0)),
}  # the liver is left alone, as noise is measured there


class LesionContrasts:
    """Hot lesions of a scan with their surroundings, and a sphere in the liver.

    Args:
        scan: The scan.
        diameters: Range of the lesions [mm].

    Attributes:
        lesions: Mask of voxels that a lesion fills half or more, of each.
        around: Mask of its host tissue nearby, of each.
        ratios: True mean activity in the first over that in the second, of each.
        liver: Mask of the sphere.
    """

    def __init__(self, scan: Scan, diameters: tuple[float, float] = _DIAMETERS) -> None:
        from scipy.ndimage import distance_transform_edt

        found, activity = scan.scan, scan.scan.activity
        labels = {name: label for label, name in found.phantom.names.items()}
        self.liver = deepest_sphere(found.phantom.labels == labels["Liver"], scan.voxel)
        every = np.zeros(activity.shape, bool)
        for lesion in found.lesions:
            every.ravel()[lesion.voxels] = True
        self.liver &= ~every
        free = np.asarray(distance_transform_edt(~every, sampling=scan.voxel)) >= _SHELL[0]
        self.lesions: list[np.ndarray] = []
        self.around: list[np.ndarray] = []
        self.ratios: list[float] = []
        for lesion in found.lesions:
            hot = lesion.contrast > 1.0 and lesion.core is None
            if not hot or not diameters[0] <= lesion.diameter <= diameters[1]:
                continue
            own = np.zeros(activity.size, bool)
            own[lesion.voxels[lesion.share >= 0.5]] = True
            own = own.reshape(activity.shape)
            away = np.asarray(distance_transform_edt(~own, sampling=scan.voxel))
            shell = free & (away <= _SHELL[1])
            shell &= found.phantom.labels == labels[lesion.host]
            if shell.sum() < 20:
                continue
            self.lesions.append(own)
            self.around.append(shell)
            self.ratios.append(float(activity[own].mean() / activity[shell].mean()))

    def recoveries(self, image: np.ndarray) -> list[float]:
        """Return the contrast recovery of each lesion [%]."""
        return [
            contrast_recovery(float(image[own].mean()), float(image[shell].mean()), ratio)
            for own, shell, ratio in zip(self.lesions, self.around, self.ratios, strict=True)
        ]

    def noise(self, image: np.ndarray) -> float:
        """Return the coefficient of variation in the liver [%]."""
        return coefficient_of_variation(image, self.liver)


def benchmark_recovery(
    out: Path,
    *,
    bundle: Path | None = None,
    quick: bool = False,
    progress: Progress | None = None,
    people: int = 3,
) -> dict[str, Any]:
    """Measure recovery against noise.

    Writes ``benchmark_denoise_recovery.json`` and ``.md``.

    Args:
        out: Folder.
        bundle: Of the network; the one that is shipped if None.
        quick: One body at one dose, in voxels of 4.5 mm.
        progress: What to report to.
        people: Bodies, each with many lesions.
    """
    from betaplus.engine import default_workers

    progress, threads = progress or Silent(), default_workers()
    denoiser = judged_network(bundle)
    voxel = denoiser.voxel * (1.5 if quick else 1.0)
    doses, people, group = (_DOSES[1:2], 1, groups()[0]) if quick else (_DOSES, people, groups()[0])
    points: list[dict[str, Any]] = []
    limits: list[float] = []
    free: list[float] = []
    progress.start("recovery", people * len(doses))
    for person in range(people):
        scan = _with_lesions(group, FIRST_TEST + 600 + person, voxel)
        contrasts = LesionContrasts(scan)
        limits += contrasts.recoveries(scan.reference)
        free.append(contrasts.noise(scan.reference))
        for dose in doses:
            volume = Volume(data=scan.noisy(dose), voxel=scan.voxel, grid_voxel=denoiser.voxel)
            denoised = apply_mmse(denoiser, volume, threads)
            for method, setting, image in _curves(volume, denoised, threads):
                points.append({
                    "person": person, "dose": dose, "method": method, "setting": setting,
                    "noise": contrasts.noise(image), "recovery": contrasts.recoveries(image),
                })  # fmt: skip
            progress.advance()
    progress.finish()
    result = {
        "quick": quick,
        "bundle": denoiser.bundle.path.name,
        "voxel": voxel,
        "people": people,
        "first_person": FIRST_TEST + 600,
        "lesions": len(limits),
        "diameters": list(_DIAMETERS),
        "doses": list(doses),
        "limit": float(np.mean(limits)),
        "limit_noise": float(np.mean(free)),
        "points": points,
    }
    write_result(out, "denoise_recovery", result, recovery_table(result))
    return result


def _with_lesions(group: Group, person: int, voxel: float) -> Scan:
    """Return the trunk of a person with many lesions, and none elsewhere."""
    whole = draw_static(make_anatomy("body", person, voxel=voxel), group.tracer, person, lesions=0)
    healthy, low = cut_scan(whole, trunk_box(whole))
    phantom, found = add_lesions(
        healthy.phantom, person, _LESIONS, contrast=_CONTRASTS, uptake=healthy.uptake, sites=_SITES
    )
    part = replace(
        healthy, phantom=phantom, lesions=found,
        activity=paint_lesions(healthy.activity, healthy.phantom, found),
    )  # fmt: skip
    return trunk_in(group, person, whole, part, low)


def _curves(
    volume: Volume, denoised: np.ndarray, threads: int
) -> Sequence[tuple[str, float, np.ndarray]]:
    """Return method, setting and image of every point of the curves."""
    image, found = volume.data, []
    wide: Callable[[float], np.ndarray] = lambda fwhm: gaussian(  # noqa: E731
        image, 0.0, volume.voxel, GaussianSettings(fwhm=fwhm)
    )
    found += [("gaussian", fwhm, wide(fwhm)) for fwhm in WIDTHS]
    width = matched(NlmSettings(), image, volume.sd, volume.voxel).fwhm
    for strength in STRENGTHS:
        settings = NlmSettings(strength=strength, fwhm=width)
        found.append(
            ("nlm", strength, nlm(image, volume.sd, volume.voxel, settings, threads=threads))
        )
    found += [("mmse", share, image + np.float32(share) * (denoised - image)) for share in BLENDS]
    return found
