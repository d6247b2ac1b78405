"""Real studies of receptor tracers with arterial blood: [11C]PBR28 and [11C]MC1."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from betaplus.core.errors import BetaplusError
from betaplus.core.frames import FrameTiming
from betaplus.core.input_function import InputFunction
from betaplus.core.tacs import TacTable
from betaplus.core.tracer import Tracer
from betaplus.io.blood import load_blood
from betaplus.io.jsons import read_json
from betaplus.io.tacs import load_tacs

__all__ = ["MC1_REGIONS", "PBR28_REGIONS", "Study", "data_folder", "mc1_studies", "pbr28_studies"]

PBR28_REGIONS = ("FC", "TC", "STR", "THA", "WB", "CBL")
MC1_REGIONS = {
    "thalamus": "Thalamus",
    "caudate": "Caudate",
    "putamen": "Putamen",
    "pallidum": "Pallidum",
    "hippocampus": "Hippocampus",
    "amygdala": "Amygdala",
    "cerebellar cortex": "Cerebellum-Cortex",
    "frontal": "superiorfrontal",
    "parietal": "superiorparietal",
    "temporal": "superiortemporal",
    "occipital": "lateraloccipital",
    "precuneus": "precuneus",
    "posterior cingulate": "posteriorcingulate",
    "insula": "insula",
}
"""Name to the FreeSurfer region whose left and right curves are averaged."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Study:
    """One scan: its curves and its blood, or why it cannot be used.

    Attributes:
        subject: Name of the subject.
        session: ``1`` and ``2`` of a test-retest pair, ``baseline`` or ``blocked``.
        tacs: Region curves.
        blood: Blood samples.
        refused: What was wrong with a file; then there are no curves.
    """

    subject: str
    session: str
    tacs: TacTable | None = None
    blood: InputFunction | None = None
    refused: str = ""


def data_folder() -> Path:
    """Return the folder of reference data, which may not exist."""
    named = os.environ.get("BETAPLUS_DATA")
    return Path(named) if named else Path(__file__).resolve().parents[5] / "shared" / "data"


def pbr28_studies(folder: Path) -> Iterator[Study]:
    """Yield the 12 scans of the kinfitr data set: 6 subjects, test and retest, 6 regions.

    Plasma is parent plasma and whole blood is corrected for dispersion, as the columns say.

    Args:
        folder: Holds ``tacs_pbr28``; nothing is yielded where it is not there.
    """
    tables = [folder / "tacs_pbr28" / f"pbr28_{name}data.csv" for name in ("tac", "blood")]
    if not all(path.is_file() for path in tables):
        return
    tacs, blood = (_rows(path) for path in tables)
    for scan in dict.fromkeys(row["PET"] for row in tacs):
        subject, _, session = scan.partition("_")
        rows = [r for r in tacs if r["PET"] == scan and float(r["Duration"]) > 0]
        samples = [r for r in blood if r["PET"] == scan]
        yield Study(
            subject=subject,
            session=session,
            tacs=TacTable(
                values=np.array([[float(r[name]) for r in rows] for name in PBR28_REGIONS]),
                frames=FrameTiming(_column(rows, "StartTime"), _column(rows, "Duration")),
                unit="kBq/mL",
                names=PBR28_REGIONS,
                tracer=Tracer.of("C11", name="PBR28"),
            ),
            blood=InputFunction(
                time=_column(samples, "Time"),
                plasma=_column(samples, "Cpl_metabcorr"),
                whole_blood=_column(samples, "Cbl_dispcorr"),
                plasma_kind="parent",
                dispersion_corrected=True,
                unit="kBq/mL",
            ),
        )


def mc1_studies(folder: Path) -> Iterator[Study]:
    """Yield the scans of OpenNeuro ds004869, subject by subject, with 14 bilateral regions.

    Args:
        folder: Holds ``bids_mc1``; nothing is yielded where it is not there.
    """
    root = folder / "bids_mc1"
    for curves in sorted((root / "derivatives" / "petprep").glob("sub-*/ses-*/pet/*_tacs.tsv")):
        subject, session = curves.parts[-4], curves.parts[-3]
        raw = root / subject / session / "pet" / f"{subject}_{session}"
        label = session.removeprefix("ses-")
        try:
            about = read_json(Path(f"{raw}_pet.json"))
            tacs = load_tacs(
                curves, unit="Bq/mL", radionuclide="C11", decay_corrected_to="injection"
            )
            blood = load_blood(f"{raw}_recording-manual_blood.tsv")
            blood.curve(float(tacs.frames.end[-1]))
        except BetaplusError as error:
            yield Study(subject=subject, session=label, refused=str(error))
            continue
        tracer = Tracer.of("C11", half_life=float(about["RadionuclideHalfLife"]), name="MC1")
        yield Study(subject=subject, session=label, tacs=_bilateral(tacs, tracer), blood=blood)


def _bilateral(tacs: TacTable, tracer: Tracer) -> TacTable:
    names = tacs.names or ()
    values = []
    for label in MC1_REGIONS.values():
        sides = [f"Left-{label}", f"Right-{label}"]
        if sides[0] not in names:
            sides = [f"ctx-lh-{label}", f"ctx-rh-{label}"]
        values.append(np.mean([tacs.values[names.index(side)] for side in sides], axis=0))
    return TacTable(
        values=np.array(values),
        frames=tacs.frames,
        unit=tacs.unit,
        names=tuple(MC1_REGIONS),
        tracer=tracer,
        decay_corrected_to=tacs.decay_corrected_to,
        source=tacs.source,
    )


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def _column(rows: list[dict[str, str]], name: str) -> np.ndarray:
    return np.array([float(row[name]) for row in rows])
