"""Curves of a receptor tracer with a region free of it: what reference-region models are for."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from betaplus.core.seeds import generator
from betaplus.core.tacs import TacTable
from betaplus.core.tracer import Tracer

__all__ = ["REFERENCE_REGION", "simulate_reference_tacs"]

REFERENCE_REGION = "cerebellum"
_REGIONS = {  # R1, BPND
    REFERENCE_REGION: (1.0, 0.0),
    "putamen": (1.10, 3.1),
    "caudate": (0.98, 2.6),
    "ventral striatum": (0.92, 2.2),
    "thalamus": (1.05, 0.55),
    "temporal cortex": (0.90, 0.30),
    "frontal cortex": (0.95, 0.12),
}
"""Rounded from what [11C]raclopride shows at rest (Lammertsma and Hume, NeuroImage 1996)."""

_K1, _K2, _K4, _VB = 0.09, 0.17, 0.20, 0.0
_LEVEL = (0.8, 1.6)


def simulate_reference_tacs(
    out: str | Path, *, seed: int = 0, overwrite: bool = False
) -> dict[str, Path]:
    """Simulate regions that share a non-displaceable volume, and write curves and truth.

    The targets have two tissue compartments and the reference one, so that SRTM is an
    approximation, as it is in people. Blood is not written: nothing needs it.

    Args:
        out: Folder to write to.
        seed: Chooses the blood and the noise.
        overwrite: Replace files of an earlier simulation.

    Returns:
        ``tacs``, ``description`` and ``truth/kinpar``, name to path.

    Raises:
        OutputError: If the files exist or cannot be written.
    """
    import torch

    from betaplus.io.derivatives import write_dataset_description, write_table, write_tacs
    from betaplus.physics.compartments import predict
    from betaplus.physics.noise import noise_floor, noise_gain
    from betaplus.physics.response import InputResponse
    from betaplus.simulation.dataset import pet_fields, refuse_existing
    from betaplus.simulation.input_functions import draw_blood
    from betaplus.simulation.noise import noise_sd
    from betaplus.simulation.tracers import find_profile

    out = Path(out)
    refuse_existing(out, overwrite)
    profile = find_profile("PBR28")  # its blood and frames serve any C-11 bolus
    tracer = Tracer.of("C11", name="receptor tracer")
    end = float(profile.frames.end[-1])
    rng = generator(seed, item=0, draw=5)
    blood = draw_blood(profile.blood, profile.activity_per_gram, end, rng)
    response = InputResponse(blood.curve(end), profile.frames, tracer.half_life)
    R1, BPND = (np.array(column) for column in zip(*_REGIONS.values(), strict=True))
    full = np.ones(len(R1))
    values = {"K1": _K1 * R1, "k2": _K2 * R1, "k3": _K4 * BPND, "k4": _K4 * full, "VB": _VB * full}
    clean = predict(response, {k: torch.from_numpy(v) for k, v in values.items()}).numpy()
    level = np.array([generator(seed, i, draw=0).uniform(*_LEVEL) for i in range(len(R1))])
    gain, floor = noise_gain(profile.frames, tracer.half_life), noise_floor(response)
    sd = noise_sd(clean, level[:, None], gain, floor)
    white = [generator(seed, i, draw=1).standard_normal(clean.shape[1]) for i in range(len(R1))]
    table = TacTable(
        values=clean + sd * np.array(white),
        frames=profile.frames,
        unit="Bq/mL",
        names=tuple(_REGIONS),
        tracer=tracer,
        decay_corrected_to=0.0,
        metadata=pet_fields(profile) | {"TracerName": tracer.name},
    )
    paths = {
        "description": out / "dataset_description.json",
        "tacs": out / "sub-01_tacs.tsv",
        "truth/kinpar": out / "truth" / "sub-01_kinpar.tsv",
    }
    write_dataset_description(out, "Simulated curves of a receptor tracer")
    truth = {"region": tuple(_REGIONS), "R1": R1, "BPND": BPND, "DVR": 1.0 + BPND}
    write_table(paths["truth/kinpar"], truth, {n: {"Units": "1"} for n in ("R1", "BPND", "DVR")})
    write_tacs(paths["tacs"], table)
    return paths
