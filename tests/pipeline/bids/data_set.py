"""A simulated PET-BIDS data set: three participants, two sessions each, tiny images."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nibabel
import numpy as np
from tests.cli.study import save_nifti, write_study

from betaplus.io.tsv import write_table

SHAPE = (8, 8, 8)
PEOPLE = {"01": 70.0, "02": 82.0, "03": 61.5}
SESSIONS = ("base", "later")
PET = {
    "Modality": "PT",
    "Manufacturer": "betaplus",
    "ManufacturersModelName": "simulation",
    "BodyPart": "BRAIN",
    "TracerName": "FDG",
    "TracerRadionuclide": "F18",
    "InjectedRadioactivity": 3.0e8,
    "InjectedRadioactivityUnits": "Bq",
    "InjectedMass": "n/a",
    "InjectedMassUnits": "n/a",
    "SpecificRadioactivity": "n/a",
    "SpecificRadioactivityUnits": "n/a",
    "ModeOfAdministration": "bolus",
    "TimeZero": "10:00:00",
    "AcquisitionMode": "list mode",
    "ImageDecayCorrected": True,
    "ImageDecayCorrectionTime": 0.0,
    "AttenuationCorrection": "none: simulated activity",
    "ReconMethodName": "simulated",
    "ReconMethodParameterLabels": ["none"],
    "ReconMethodParameterUnits": ["none"],
    "ReconMethodParameterValues": [0],
    "ReconFilterType": "none",
}
BLOOD = {
    "SampleTime": "n/a",
    "PlasmaAvail": True,
    "WholeBloodAvail": True,
    "MetaboliteAvail": True,
    "MetaboliteMethod": "simulated",
    "MetaboliteRecoveryCorrectionApplied": False,
    "DispersionCorrected": False,
}


def scan_stem(subject: str, session: str) -> str:
    """Return the name of a scan."""
    return f"sub-{subject}_ses-{session}_trc-FDG"


def pet_folder(root: Path, subject: str, session: str) -> Path:
    """Return where the files of a session are."""
    return root / f"sub-{subject}" / f"ses-{session}" / "pet"


def write_data_set(root: Path, voxels: int = 60) -> Path:
    """Write the data set: what all scans have in common stands in a JSON at its top."""
    root.mkdir(parents=True)
    description = {
        "Name": "simulated",
        "BIDSVersion": "1.10.0",
        "DatasetType": "raw",
        "License": "CC0",
        "DatasetDOI": "doi:10.0000/simulated",
        "Authors": ["betaplus"],
    }
    (root / "dataset_description.json").write_text(json.dumps(description))
    (root / "README").write_text("Simulated by the tests of betaplus. Nobody was scanned.\n" * 4)
    (root / "trc-FDG_pet.json").write_text(json.dumps(PET))
    ids = [f"sub-{label}" for label in PEOPLE]
    write_table(
        root / "participants.tsv",
        {"participant_id": ids, "weight": list(PEOPLE.values())},
        {"weight": {"Description": "body weight", "Units": "kg"}},
    )
    for number, subject in enumerate(PEOPLE):
        for later, session in enumerate(SESSIONS):
            seed = 10 * number + later
            write_scan(root, subject, session, voxels=voxels, seed=seed)
    return root


def write_scan(root: Path, subject: str, session: str, *, voxels: int, seed: int) -> None:
    """Write the files of one scan: image, blood, and labels and curves as derivatives."""
    made = root.parent / f"made-{subject}-{session}"
    write_study(made, shape=SHAPE, voxels=voxels, seed=seed)
    folder, stem = pet_folder(root, subject, session), scan_stem(subject, session)
    folder.mkdir(parents=True)
    own = json.loads((made / "sub-01_pet.json").read_text())
    fields = {name: value for name, value in own.items() if name not in PET}
    fields |= {"InjectionStart": 0.0, "ScanStart": 0.0}
    values = np.asarray(nibabel.load(made / "sub-01_pet.nii.gz").dataobj)
    save_nifti(folder / f"{stem}_pet.nii.gz", np.maximum(values, 0).astype(np.float32))
    (folder / f"{stem}_pet.json").write_text(json.dumps(fields))
    blood = json.loads((made / "sub-01_blood.json").read_text())
    name = f"{stem}_recording-manual_blood"
    shutil.move(made / "sub-01_blood.tsv", folder / f"{name}.tsv")
    (folder / f"{name}.json").write_text(json.dumps({**BLOOD, **blood}))
    beside = pet_folder(root / "derivatives" / "regions", subject, session)
    beside.mkdir(parents=True)
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels.reshape(-1)[:20], labels.reshape(-1)[20:voxels] = 1, 2
    save_nifti(beside / f"{stem}_seg-two_dseg.nii.gz", labels)
    names = {"index": [1, 2], "name": ["front", "back"]}
    write_table(beside / f"{stem}_seg-two_dseg.tsv", names)
    tacs = beside / f"{stem}_seg-two_tacs"
    shutil.move(made / "sub-01_tacs.tsv", f"{tacs}.tsv")
    tacs.with_suffix(".json").write_text(json.dumps({"Units": "Bq/mL"}))
    description = {"Name": "regions", "BIDSVersion": "1.10.0", "DatasetType": "derivative",
                   "GeneratedBy": [{"Name": "tests"}]}  # fmt: skip
    (root / "derivatives" / "regions" / "dataset_description.json").write_text(
        json.dumps(description)
    )
    shutil.rmtree(made)
