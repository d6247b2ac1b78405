"""Small phantoms drawn as training draws what it learns from, of bodies that no training saw.

A phantom is a box of a body in a scanner of its own, with dose, post-filter and brightness drawn as
for training (`betaplus.pipeline.training.denoiser`), and the labels that training has no use for.
Boxes are kept on disk, a file a person; doses and noise are drawn when they are used.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from betaplus.core.progress import Progress
from betaplus.core.seeds import generator
from betaplus.pipeline.benchmark.region_intervals.cases import LESIONS
from betaplus.pipeline.training.denoiser.batches import BRIGHTNESS, make_item
from betaplus.pipeline.training.denoiser.corpus import draw_box
from betaplus.pipeline.training.denoiser.plan import DenoiserPlan
from betaplus.pipeline.training.denoiser.styles import random_dose, random_filter

__all__ = ["SmallPhantom", "make_people", "read_phantoms"]

_DRAW = 71
_NOISE = 72


@dataclass(frozen=True, eq=False, kw_only=True)
class SmallPhantom:
    """A part of a body, imaged once; arrays of shape (X, Y, Z).

    Attributes:
        person: Number of the anatomy.
        box: Which part of it.
        tracer: The tracer.
        labels: Region of each voxel, from `LESIONS` on a lesion each; 0 is air.
        names: Label to name.
        clean: Image without noise, float32 [SUV].
        noisy: Image with noise, likewise.
        voxel: Edge [mm].
        dose: Fraction of the counts of a usual scan.
        fwhm: Of the post-filter [mm].
    """

    person: int
    box: int
    tracer: str
    labels: np.ndarray
    names: Mapping[int, str]
    clean: np.ndarray
    noisy: np.ndarray
    voxel: float
    dose: float
    fwhm: float


def make_people(
    folder: Path, people: Sequence[int], boxes: int, plan: DenoiserPlan, progress: Progress
) -> None:
    """Simulate the people that are not in a folder yet.

    Args:
        folder: Where boxes are kept; one for each plan.
        people: Numbers of the anatomies.
        boxes: Parts of each.
        plan: Voxels, tracers and the edge of the parts.
        progress: What to report to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [person for person in people if not _file(folder, person, boxes).exists()]
    if not wanted:
        return
    progress.start("bodies", len(wanted))
    for person in wanted:
        _make_person(folder, person, boxes, plan)
        progress.advance()
    progress.finish()


def read_phantoms(
    folder: Path, people: Sequence[int], boxes: int, voxel: float, draw: int = 0
) -> Iterator[SmallPhantom]:
    """Yield the phantoms of people, with one draw of dose, post-filter and noise each.

    Args:
        folder: From `make_people`.
        people: Numbers of the anatomies.
        boxes: Parts of each.
        voxel: Edge [mm].
        draw: Number of the draw.
    """
    for person in people:
        with np.load(_file(folder, person, boxes)) as file:
            made, labels, about = file["boxes"], file["labels"], json.loads(str(file["about"]))
        names = {int(label): name for label, name in about["names"].items()}
        for number in range(boxes):
            rng = generator(person, item=number, draw=_NOISE + draw)
            dose, fwhm = random_dose(rng), random_filter(rng)
            item = make_item(
                made[number], dose, fwhm, int(rng.integers(2)), voxel,
                float(rng.uniform(*BRIGHTNESS)),
            )  # fmt: skip
            yield SmallPhantom(
                person=person, box=number, tracer=about["tracer"], labels=labels[number],
                names=names, clean=item.clean.numpy(), noisy=item.noisy.numpy(), voxel=voxel,
                dose=dose, fwhm=fwhm,
            )  # fmt: skip


def _make_person(folder: Path, person: int, boxes: int, plan: DenoiserPlan) -> None:
    from betaplus.generative.atomic import beside
    from betaplus.simulation.static import draw_static, make_anatomy

    rng = generator(person, item=0, draw=_DRAW)
    phantom = make_anatomy("body", person, voxel=plan.voxel)
    tracer = plan.tracers[int(rng.integers(len(plan.tracers)))]
    scan = draw_static(phantom, tracer, int(rng.integers(2**31)))
    labels = scan.phantom.labels.astype(np.int16)
    names = dict(scan.phantom.names)
    for n, lesion in enumerate(scan.lesions):
        label = LESIONS + n
        labels.reshape(-1)[lesion.voxels[lesion.share + lesion.dead > 0.5]] = label
        names[label] = f"Lesion {n + 1}"
    images, parts = [], []
    for _ in range(boxes):
        image, low = draw_box(scan, plan, rng)
        images.append(image)
        part = np.zeros([plan.box] * 3, np.int16)
        found = labels[tuple(slice(start, start + plan.box) for start in low)]
        part[tuple(slice(n) for n in found.shape)] = found
        parts.append(part)
    about = json.dumps({"tracer": tracer, "names": names})
    with beside(_file(folder, person, boxes)) as temporary, temporary.open("wb") as handle:
        np.savez(handle, boxes=np.stack(images), labels=np.stack(parts), about=about)


def _file(folder: Path, person: int, boxes: int) -> Path:
    return folder / f"person{person:06d}_{boxes}.npz"
