"""Many simulated brains and bodies: do they look like people, and do they differ as people do.

Heads and bodies of successive seeds are painted with several tracers each. Volumes are held
against `betaplus.simulation.reference_volumes`, uptake against the tables it was drawn from, and
people against each other.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.progress import Progress, Silent
from betaplus.pipeline.benchmark.phantoms.measure import (
    Lattice,
    in_view,
    likeness,
    region_suv,
    region_volumes,
    spread,
    uptake_rows,
    volume_row,
)
from betaplus.pipeline.benchmark.phantoms.table import phantoms_table
from betaplus.pipeline.benchmark.result_files import result_file, write_arrays, write_result
from betaplus.simulation.phantom import Phantom
from betaplus.simulation.reference_volumes import HEAD_VOLUMES, ORGAN_VOLUMES
from betaplus.simulation.static import StaticScan

__all__ = ["Person", "benchmark_phantoms", "draw_person", "measure_people", "write_result"]

_QUICK = 4  # people of either kind
_BY_KIND = ("volumes", "differences", "lesions")
_ROWS = ("uptake", "dose", "shown")
_AXIAL, _CORONAL = 6.0, -15.0  # mm: planes through striatum and thalamus


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """Heads or bodies.

    Attributes:
        voxel: Voxel edge [mm].
        tracers: What each person is painted with.
        likeness: Part to the regions that make it up.
        step: Voxels between those in which people are compared.
    """

    voxel: float
    tracers: tuple[str, ...]
    likeness: Mapping[str, tuple[str, ...]]
    step: int


_KINDS: dict[str, _Kind] = {
    "brain": _Kind(
        voxel=3.0,
        tracers=("FDG", "DPA-714", "amyloid", "FMZ", "raclopride"),
        likeness={
            "brain": HEAD_VOLUMES["Brain"].regions,
            "white matter": ("WhiteMatter",),
            "ventricles": ("Ventricles",),
            "striatum": ("Caudate", "Putamen"),
        },
        step=1,
    ),
    "body": _Kind(
        voxel=4.0,
        tracers=("FDG", "PSMA", "DOTATATE", "DPA-714"),
        likeness={
            name: ORGAN_VOLUMES[name].regions
            for name in ("Brain", "Lungs", "Liver", "Spleen", "Kidneys")
        },
        step=2,
    ),
}


def benchmark_phantoms(
    out: str | Path, *, n: int = 50, quick: bool = False, progress: Progress | None = None
) -> dict[str, Any]:
    """Draw brains and bodies and measure them; fifty of each take 8 to 12 minutes of a core.

    Writes ``benchmark_phantoms.json``, ``.md`` and ``_images.npz`` to `out`.

    Args:
        out: Folder.
        n: Brains, and bodies; seeds 0 to n - 1.
        quick: Four of each at most.
        progress: What to report to.

    Returns:
        ``volumes`` (of ``brain`` and ``body``, a row for each part and sex), ``uptake`` (a row for
        each tracer and region), ``dose`` (share in view), ``differences``, ``lesions``, ``shown``
        (whose images were kept), ``voxel``, ``n``, ``seconds`` of drawing, ``quick``.

    Raises:
        UsageError: If fewer than two people are asked for.
        OutputError: If a file cannot be written.
    """
    out, progress = Path(out), progress or Silent()
    if n < 2:
        raise UsageError(f"--n {n}", "expected 2 or more: people are compared with each other")
    n = min(n, _QUICK) if quick else n
    kinds: dict[str, list[Person]] = {name: [] for name in _KINDS}
    seconds: dict[str, float] = {}
    for name, people in kinds.items():
        began = time.perf_counter()
        progress.start(f"{name}: people", n)
        for seed in range(n):
            people.append(draw_person(name, seed))
            progress.advance()
        progress.finish()
        seconds[name] = time.perf_counter() - began
    return write_phantoms(out, kinds, quick=quick, seconds=seconds)


def write_phantoms(
    out: Path, kinds: Mapping[str, Sequence[Person]], *, quick: bool, seconds: Mapping[str, float]
) -> dict[str, Any]:
    """Measure people and write the files of `benchmark_phantoms`; return its result."""
    found = {name: measure_people(name, people) for name, people in kinds.items()}
    result: dict[str, Any] = {
        "quick": quick,
        "n": {name: len(people) for name, people in kinds.items()},
        "voxel": {name: _KINDS[name].voxel for name in kinds},
        "seconds": dict(seconds),
        **{k: {name: found[name][k] for name in found} for k in _BY_KIND},
        **{k: [row for each in found.values() for row in each[k]] for k in _ROWS},
    }
    images = {
        f"{name} {person.seed} {view}": image
        for name, people in kinds.items()
        for person in people
        for view, image in person.images.items()
    }
    write_result(out, "phantoms", result, phantoms_table(result))
    write_arrays(result_file(out, "phantoms_images", "npz"), images)
    return result


@dataclass(frozen=True, kw_only=True)
class Person:
    """What is kept of one head or body.

    Attributes:
        seed: Of everything drawn.
        phantom: Label map.
        of: Whom the volumes are held against: ``adults``, ``men`` or ``women``.
        volumes: Part to volume [mL].
        uptake: Tracer to the person's group, and region to mean SUV.
        dose: Tracer to the share of the injected activity in view.
        shown: Tracer, number of lesions and window of the images.
        images: View to image, shape (., .) float16 [SUV].
    """

    seed: int
    phantom: Phantom
    of: str
    volumes: Mapping[str, float]
    uptake: Mapping[str, tuple[str, Mapping[str, float]]]
    dose: Mapping[str, float]
    shown: Mapping[str, Any]
    images: Mapping[str, np.ndarray]


def draw_person(name: str, seed: int) -> Person:
    """Draw a ``brain`` or ``body`` and paint it with each tracer of its kind; one is shown."""
    from betaplus.simulation.static import draw_static, make_anatomy

    kind = _KINDS[name]
    phantom = make_anatomy(name, seed, voxel=kind.voxel)
    of, volumes = _volumes(name, phantom, seed)
    uptake: dict[str, tuple[str, Mapping[str, float]]] = {}
    dose: dict[str, float] = {}
    shown: dict[str, Any] = {}
    images: dict[str, np.ndarray] = {}
    for i, tracer in enumerate(kind.tracers):
        scan = draw_static(phantom, tracer, seed)
        uptake[tracer] = scan.group, region_suv(scan)
        dose[tracer] = in_view(scan)
        if i == seed % len(kind.tracers):
            shown = {"tracer": tracer, "lesions": len(scan.lesions), "window": _window(scan)}
            images = {view: image.astype(np.float16) for view, image in _views(name, scan).items()}
    return Person(
        seed=seed, phantom=phantom, of=of, volumes=volumes, uptake=uptake, dose=dose, shown=shown,
        images=images,
    )  # fmt: skip


def measure_people(name: str, people: Sequence[Person]) -> dict[str, Any]:
    """Return what `benchmark_phantoms` says of people of one kind."""
    from betaplus.simulation.uptake import find_uptake

    kind = _KINDS[name]
    uptake: list[dict[str, Any]] = []
    dose: list[dict[str, Any]] = []
    for tracer in kind.tracers:
        profile = find_uptake(tracer)
        tables = {g: {**profile.regions, **p.regions} for g, p in profile.groups.items()}
        rows = uptake_rows([p.uptake[tracer] for p in people], tables)
        uptake += [{"kind": name, "tracer": tracer, **row} for row in rows]
        dose.append({"kind": name, "tracer": tracer, **spread(p.dose[tracer] for p in people)})
    lattice = Lattice(kind.step)
    for person in people:
        lattice.add(person.phantom)
    lesions = [person.shown["lesions"] for person in people]
    return {
        "volumes": _volume_rows(name, people),
        "uptake": uptake,
        "dose": dose,
        "differences": likeness(lattice.maps(), lattice.names, kind.likeness),
        "lesions": {
            "people": sum(count > 0 for count in lesions),
            "lesions": sum(lesions),
            "most": max(lesions),
        },
        "shown": [{"kind": name, "seed": p.seed, **p.shown} for p in people],
    }


def _volumes(name: str, phantom: Phantom, seed: int) -> tuple[str, dict[str, float]]:
    """Return whose volumes they are, and the volumes."""
    if name == "brain":
        return "adults", region_volumes(phantom, {k: v.regions for k, v in HEAD_VOLUMES.items()})
    from betaplus.simulation.body.build import Build

    sex = "women" if Build(seed).female else "men"
    return sex, region_volumes(phantom, {k: v.regions for k, v in ORGAN_VOLUMES.items()})


def _volume_rows(name: str, people: Sequence[Person]) -> list[dict[str, Any]]:
    rows = []
    if name == "brain":
        for part, head in HEAD_VOLUMES.items():
            row = volume_row((p.volumes[part] for p in people), (head.low, head.high), head.spread)
            rows.append({"part": part, "of": "adults", **row, "source": head.source})
        return rows
    for part, organ in ORGAN_VOLUMES.items():
        for sex, mean in (("men", organ.male), ("women", organ.female)):
            found = [p.volumes[part] for p in people if p.of == sex]
            if found and mean is not None:
                row = volume_row(found, (mean, mean), organ.spread)
                rows.append({"part": part, "of": sex, **row, "source": "ICRP 89 and 110"})
    return rows


def _window(scan: StaticScan) -> float:
    """Return the SUV that is shown black: 2.5 times that of the liver in a body.

    Heads are shown up to nearly their highest uptake.
    """
    liver = region_suv(scan).get("Liver")
    return 2.5 * liver if liver else float(np.quantile(scan.activity[scan.activity > 0], 0.998))


def _views(name: str, scan: StaticScan) -> dict[str, np.ndarray]:
    """Return planes of a head, or the projection and a plane of a body, shape (., .) [SUV]."""
    activity, affine = scan.activity, scan.phantom.affine

    def plane(axis: int, at: float) -> int:
        index = round((at - affine[axis, 3]) / affine[axis, axis])
        return int(np.clip(index, 0, activity.shape[axis] - 1))

    if name == "brain":
        coronal = scan.lesions[0].centre[1] if scan.lesions else _CORONAL
        return {
            "axial": activity[:, :, plane(2, _AXIAL)],
            "coronal": activity[:, plane(1, coronal)],
        }
    liver = next(label for label, region in scan.phantom.names.items() if region == "Liver")
    middle = float(np.argwhere(scan.phantom.labels == liver)[:, 1].mean())
    return {"projection": activity.max(axis=1), "coronal": activity[:, round(middle)]}
