"""A PET-BIDS data set of several simulated participants and sessions, valid by BIDS's validator."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from betaplus.core.errors import OutputError, UsageError
from betaplus.core.progress import Progress
from betaplus.io.atomic import atomic_path
from betaplus.io.derivatives import write_json, write_table
from betaplus.io.jsons import read_json
from betaplus.simulation.dynamic import simulate_dynamic

__all__ = ["simulate_bids"]

_MOST = 999
_IGNORED = "*_mimap.*\n*_kinpar.*\n*_simulation.json\n*_lesions.*\n*_tacs.*\n*_dseg.*\n"
_README = """# Simulated PET

Dynamic PET of people who never were, with arterial blood, made by betaplus. Nobody was scanned.

`derivatives/regions` holds the labels of each scan and the mean curve of each region,
`derivatives/truth` what an analysis should find: parameter maps and the image without noise.
"""
_COMMON = ("Modality", "Manufacturer", "ManufacturersModelName", "BodyPart", "Units", "TracerName",
           "TracerRadionuclide", "RadionuclideHalfLife", "InjectedRadioactivityUnits",
           "ModeOfAdministration", "AcquisitionMode", "FrameTimesStart", "FrameDuration",
           "ImageDecayCorrected", "ImageDecayCorrectionTime", "AttenuationCorrection",
           "ReconMethodName", "ReconFilterType")  # fmt: skip
"""Fields that scans share: they stand once, at the top of the data set."""

_BLOOD: dict[str, Any] = {
    "MetaboliteMethod": "simulated",
    "MetaboliteRecoveryCorrectionApplied": False,
    "DispersionCorrected": False,
}


def simulate_bids(
    out: str | Path,
    *,
    participants: int = 3,
    sessions: int = 2,
    anatomy: str = "brain",
    tracer: str = "FDG",
    dose_fraction: float = 1.0,
    size: str = "small",
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Simulate a data set, complete or not at all; return its folder.

    Every scan is a person, blood and noise of its own (`simulate_dynamic`): sessions of a
    participant have no more in common than participants have.

    Args:
        out: Folder to write; it must not hold anything.
        participants: How many.
        sessions: Scans of each; with one there are no ``ses-`` folders.
        anatomy: ``brain``, or ``body`` with FDG.
        tracer: ``FDG`` or ``PBR28``.
        dose_fraction: Fraction of the counts that is kept.
        size: ``small`` or ``full``, as of `simulate_dynamic`.
        seed: Of the first scan; the next have the next.
        overwrite: Replace a data set that was simulated before.
        progress: What to report to.

    Raises:
        UsageError: If a number is out of range, or a name unknown.
        OutputError: If the folder holds something else, or cannot be written.
    """
    out = Path(out)
    for name, number in (("participants", participants), ("sessions", sessions)):
        if not 1 <= number <= _MOST:
            raise UsageError(f"--{name} is {number}", f"expected 1 to {_MOST}")
    _refuse(out, overwrite)
    options: dict[str, Any] = {
        "anatomy": anatomy,
        "tracer": tracer,
        "dose_fraction": dose_fraction,
        "size": size,
    }
    with atomic_path(out) as root:
        weights = {}
        for i in range(participants):
            for j in range(sessions):
                scan = root / ".scan"
                simulate_dynamic(scan, seed=seed + i * sessions + j, progress=progress, **options)
                label = f"ses-{j + 1:02d}" if sessions > 1 else ""
                fields = _place(root, scan, f"sub-{i + 1:02d}", label, tracer)
                weights[f"sub-{i + 1:02d}"] = fields["BodyWeight"]
                shutil.rmtree(scan)
        _write_top(root, tracer, weights)
    return out


def _refuse(out: Path, overwrite: bool) -> None:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    ours = out / "derivatives" / "truth" / "dataset_description.json"
    if not overwrite or not ours.is_file():
        todo = "choose another -o" + ("" if not ours.is_file() else " or --overwrite")
        raise OutputError(f"{out} exists", "expected a new folder", todo)


def _place(root: Path, scan: Path, subject: str, session: str, tracer: str) -> dict[str, Any]:
    """Move the files of a scan to their places; return the fields of its image."""
    home = Path(subject, session, "pet") if session else Path(subject, "pet")
    stem = "_".join(part for part in (subject, session, f"trc-{tracer}") if part)
    regions, truth = (root / "derivatives" / name for name in ("regions", "truth"))
    for folder in (root, regions, truth):
        (folder / home).mkdir(parents=True)
    for path in sorted(scan.iterdir()):
        if not path.name.startswith("sub-01_"):
            continue
        rest = path.name.removeprefix("sub-01_")
        derived = rest.startswith(("dseg", "tacs"))
        shutil.move(path, (regions if derived else root) / home / f"{stem}_{rest}")
    for path in sorted((scan / "truth").iterdir()):
        rest = path.name.removeprefix("sub-01_")
        shutil.move(path, truth / home / f"{stem}_{rest}")
    clean = truth / home / f"{stem}_pet.json"
    write_json(clean, {**read_json(clean), "SkullStripped": False})
    blood = root / home / f"{stem}_recording-manual_blood.json"
    write_json(blood, {**_BLOOD, **read_json(blood)})
    own = root / home / f"{stem}_pet.json"
    fields = read_json(own)
    top = root / f"trc-{tracer}_pet.json"
    if not top.exists():
        write_json(top, {name: fields[name] for name in _COMMON if name in fields})
    common = read_json(top)
    write_json(own, {k: v for k, v in fields.items() if k not in common or common[k] != v})
    return fields


def _write_top(root: Path, tracer: str, weights: dict[str, float]) -> None:
    """Write what belongs to the data set as a whole, and to its derivatives."""
    from betaplus import __version__

    made = [{"Name": "betaplus", "Version": __version__}]
    for folder, name, kind in (
        (root, f"Simulated dynamic {tracer} PET", "raw"),
        (root / "derivatives" / "regions", "Labels and curves of the simulation", "derivative"),
        (root / "derivatives" / "truth", "Truth of the simulation", "derivative"),
    ):
        fields = {"Name": name, "BIDSVersion": "1.10.0", "DatasetType": kind, "License": "CC0"}
        write_json(folder / "dataset_description.json", {**fields, "GeneratedBy": made})
        if kind == "derivative":
            (folder / ".bidsignore").write_text(_IGNORED, encoding="utf-8")
    (root / "README.md").write_text(_README, encoding="utf-8")
    write_table(
        root / "participants.tsv",
        {"participant_id": list(weights), "weight": list(weights.values())},
        {"weight": {"Description": "body weight", "Units": "kg"}},
    )
