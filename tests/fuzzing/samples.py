"""Small valid inputs of every reader, each in a folder of its own."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import zarr
from safetensors.numpy import save
from tests.io.dicom.cases import stored_numbers, write_series
from tests.io.dicom.enhanced_cases import write_enhanced
from tests.io.ecat_cases import write_ecat
from tests.io.raw.cases import MMR, NO_GAPS, TINY, list_file, tag, word

from betaplus.core.frames import FrameTiming
from betaplus.core.grid import ImageGrid
from betaplus.core.raw import RawScan
from betaplus.core.tracer import Tracer
from betaplus.io.raw.interfile_image import write_interfile_image
from betaplus.io.raw.interfile_projections import write_interfile_projections
from betaplus.io.raw.store import write_raw
from betaplus.io.tsv import write_table

__all__ = [
    "make_blood",
    "make_bundle",
    "make_dicom",
    "make_ecat",
    "make_interfile",
    "make_listmode",
    "make_nifti",
    "make_pmod",
    "make_tacs",
    "make_zarr",
]

SHAPE = (4, 3, 3, 5)
FRAMES = FrameTiming.from_durations([60.0, 120, 300, 600, 1800])
FIELDS: dict[str, Any] = {
    "Units": "kBq/mL",
    "TracerName": "FDG",
    "TracerRadionuclide": "F18",
    "RadionuclideHalfLife": 6584.04,
    "FrameTimesStart": FRAMES.start.tolist(),
    "FrameDuration": FRAMES.duration.tolist(),
    "ScanStart": 0,
    "TimeZero": "10:00:00",
    "ImageDecayCorrected": True,
    "ImageDecayCorrectionTime": 0,
    "InjectionStart": 0,
    "InjectedRadioactivity": 350,
    "InjectedRadioactivityUnits": "MBq",
    "BodyWeight": 70,
}
LABELS = "index\tname\n1\tcortex\n2\tstriatum\n"


def make_nifti(folder: Path) -> None:
    """Write a scan compressed, plain, as integers with a scale, and as NIfTI-2."""
    kinds: dict[str, tuple[Any, Any, str]] = {
        "gz": (nibabel.Nifti1Image, np.float32, "sub-01_pet.nii.gz"),
        "plain": (nibabel.Nifti1Image, np.float32, "sub-01_pet.nii"),
        "scaled": (nibabel.Nifti1Image, np.int16, "sub-01_pet.nii"),
        "second": (nibabel.Nifti2Image, np.float64, "sub-01_pet.nii.gz"),
    }
    affine = np.diag([2.0, 2, 3, 1])
    for kind, (make, dtype, name) in kinds.items():
        out = folder / kind
        out.mkdir()
        image = make(_voxels().astype(dtype), affine)
        image.header.set_xyzt_units("mm", "sec")
        if kind == "scaled":
            image.header.set_slope_inter(0.5, 1.0)
        nibabel.save(image, out / name)
        (out / "sub-01_pet.json").write_text(json.dumps(FIELDS))
        labels = np.zeros(SHAPE[:3], np.int16)
        labels[1], labels[2] = 1, 2
        nibabel.save(nibabel.Nifti1Image(labels, affine), out / "sub-01_dseg.nii.gz")
        (out / "sub-01_dseg.tsv").write_text(LABELS)


def make_blood(folder: Path) -> None:
    """Write plasma with metabolites, and an autosampler's blood beside manual samples."""
    time, curve = _blood()
    activity = {"Units": "kBq/mL"}
    names = ("plasma_radioactivity", "whole_blood_radioactivity")
    about = {
        "PlasmaAvail": True,
        "WholeBloodAvail": True,
        "MetaboliteAvail": True,
        "DispersionCorrected": False,
        "time": {"Units": "s"},
        **dict.fromkeys(names, activity),
    }
    parts = {
        "time": time,
        names[0]: curve,
        names[1]: 0.9 * curve,
        "metabolite_parent_fraction": np.linspace(1, 0.5, time.size),
    }
    (folder / "one").mkdir()
    write_table(folder / "one" / "sub-01_recording-manual_blood.tsv", parts, about)
    (folder / "two").mkdir()
    manual = {"time": time, names[0]: curve, names[1]: 0.9 * curve}
    write_table(folder / "two" / "sub-01_recording-manual_blood.tsv", manual, about)
    dense = np.arange(0.0, 400.0, 20.0)
    sampler = {"time": dense, names[1]: np.interp(dense, time, 0.9 * curve)}
    write_table(folder / "two" / "sub-01_recording-autosampler_blood.tsv", sampler, about)
    (folder / "three").mkdir()
    corrected = {"time": time, "AIF": curve, names[1]: 0.9 * curve}
    about = {"time": {"Units": "s"}, "AIF": activity, names[1]: activity}
    write_table(folder / "three" / "sub-01_inputfunction.tsv", corrected, about)


def make_tacs(folder: Path) -> None:
    """Write curves with a unit for all, and with one for each column."""
    columns = {"frame_start": FRAMES.start, "frame_end": FRAMES.end}
    columns |= {"cortex": np.linspace(1, 20, 5), "white matter": np.linspace(1, 8, 5)}
    (folder / "one").mkdir()
    write_table(folder / "one" / "sub-01_tacs.tsv", columns, FIELDS)
    (folder / "two").mkdir()
    fields = {k: v for k, v in FIELDS.items() if k != "Units" and not k.startswith("Frame")}
    fields |= {name: {"Units": "Bq/mL"} for name in ("cortex", "white matter")}
    write_table(folder / "two" / "sub-01_tacs.tsv", columns, fields)


def make_pmod(folder: Path) -> None:
    """Write curves by tabs and by blanks, and blood of two kinds."""
    rows = [f"{s:g}\t{e:g}\t{s / 9 + 1:g}\t2.5e1" for s, e in zip(FRAMES.start, FRAMES.end)]  # noqa: B905
    text = "\n".join(["start[seconds]\tend[kBq/cc]\tcortex\twhite matter", *rows]) + "\n"
    (folder / "tabs").mkdir()
    (folder / "tabs" / "a.tac").write_text(text)
    (folder / "blanks").mkdir()
    blanks = text.replace("white matter", "white").replace("\t", "  ")
    (folder / "blanks" / "a.tac").write_text(blanks.replace("seconds", "minutes"))
    time, curve = _blood()
    samples = "".join(f"{t:g}\t{c:g}\t{0.9 * c:g}\n" for t, c in zip(time, curve, strict=True))
    (folder / "blood").mkdir()
    heads = "sample-time[seconds]\tplasma[kBq/cc]\twhole-blood[kBq/cc]\n"
    (folder / "blood" / "a.bld").write_text(heads + samples)
    (folder / "blood" / "b.bld").write_text("time[seconds]\tparent[1/1]\n0\t1\n3600\t0.5\n")


def make_interfile(folder: Path) -> None:
    """Write projections, compressed ones, an image and a normalisation."""
    rng = np.random.default_rng(0)
    for name in ("plain", "zipped", "image", "norm"):
        (folder / name).mkdir()
    counts = rng.integers(0, 9, NO_GAPS.shape).astype(np.float32)
    tracer, frames = Tracer.of("F18", 6586.2, "FDG"), FrameTiming.from_durations([600.0], 30.0)
    for name, dtype in (("plain", np.float32), ("zipped", np.uint16)):
        path = folder / name / "a.hs"
        write_interfile_projections(
            path, counts, NO_GAPS, frames=frames, tracer=tracer, dtype=dtype
        )
    data = folder / "zipped" / "a.s"
    data.with_name("a.s.gz").write_bytes(gzip.compress(data.read_bytes(), 1))
    data.unlink()
    grid = ImageGrid(shape=(5, 4, 3), voxel_size=(2.0, 2.0, 4.0))
    write_interfile_image(folder / "image" / "a.hv", rng.random(grid.shape), grid, TINY)
    _write_norm(folder / "norm", rng)


def make_listmode(folder: Path) -> None:
    """Write a list file of the mMR with prompts, delayeds and tags, and its header."""
    rng = np.random.default_rng(0)
    words = []
    for millisecond in range(40):
        words.append(tag(millisecond))
        for _ in range(5):
            view, plane = int(rng.integers(0, 252)), int(rng.integers(0, 4084))
            radial = int(rng.choice(np.flatnonzero(MMR.live[view])))
            words.append(word(bool(rng.integers(0, 2)), radial, view, plane))
    (folder / "one").mkdir()
    list_file(folder / "one" / "a.l", words, duration=0.04)


def make_dicom(folder: Path) -> None:
    """Write a static series of two slices and a dynamic one."""
    stored, slopes = stored_numbers((4, 3, 2, 1))
    write_series(folder / "static" / "series", stored, slopes)
    stored, slopes = stored_numbers((3, 2, 1, 2))
    write_series(
        folder / "dynamic" / "series",
        stored,
        slopes,
        starts=((0.0, 300.0),),
        durations=300.0,
        edit=lambda data, z, t: setattr(data, "SliceThickness", 3.0),
    )
    stored, slopes = stored_numbers((3, 2, 2, 2))
    write_enhanced(folder / "enhanced" / "series" / "a", stored, slopes, starts=[0, 180])


def make_ecat(folder: Path) -> None:
    """Write a dynamic ECAT 7 file of three frames."""
    stored, _ = stored_numbers((3, 2, 2, 3))
    (folder / "one").mkdir(parents=True)
    write_ecat(folder / "one" / "scan.v", stored, np.array([0.5, 1.0, 2.0]))


def make_zarr(folder: Path) -> None:
    """Write stores of an image by each codec, a sharded one, and raw data."""
    kinds: dict[str, dict[str, Any]] = {
        "blosc": {"compressors": zarr.codecs.BloscCodec()},
        "zstd": {"compressors": zarr.codecs.ZstdCodec()},
        "gzip": {"compressors": zarr.codecs.GzipCodec()},
        "plain": {"compressors": None},
        "shards": {"chunks": (2, 2, 2, 5), "shards": (4, 4, 4, 5)},
    }
    for kind, options in kinds.items():
        group = zarr.open_group(str(folder / kind / "sub-01_pet.zarr"), mode="w", zarr_format=3)
        group.attrs.update({"affine": np.diag([2.0, 2, 3, 1]).tolist(), "pet": FIELDS})
        options = {"chunks": (2, 3, 3, 5), **options}
        array = group.create_array("data", shape=SHAPE, dtype=np.float32, **options)
        array[...] = _voxels()
    rng = np.random.default_rng(0)
    scan = RawScan(
        scanner=TINY,
        prompts=rng.integers(0, 9, (1, *TINY.shape)),
        attenuation=rng.random(TINY.shape).astype(np.float32),
        frames=FrameTiming.from_durations([600.0]),
        tracer=Tracer.of("F18"),
    )
    (folder / "raw").mkdir()
    write_raw(folder / "raw" / "sub-01_raw.zarr", scan)


def make_bundle(folder: Path) -> None:
    """Write weights of four types."""
    rng = np.random.default_rng(0)
    weights = save(
        {
            "layer.weight": rng.random((4, 3)).astype(np.float16),
            "layer.bias": rng.random(4).astype(np.float32),
            "scale": np.array(0.5),
            "count": np.array([7]),
        }
    )
    config = {
        "schema_version": 1,
        "task": "kinetics",
        "name": "tiny",
        "version": 1,
        "architecture": {"width": 4},
        "validity": {"duration [min]": [30, 90], "radionuclide": ["F18", "C11"]},
        "settings": {"passes": [80.0, 2.0]},
        "sha256": hashlib.sha256(weights).hexdigest(),
    }
    out = folder / "kinetics-tiny-v1"
    out.mkdir()
    (out / "model.safetensors").write_bytes(weights)
    (out / "config.json").write_text(json.dumps(config))
    (out / "training.json").write_text("{}")
    (out / "README.md").write_text("A card.\n")


def _voxels() -> np.ndarray:
    return np.random.default_rng(0).uniform(1, 30, SHAPE).astype(np.float32)


def _blood() -> tuple[np.ndarray, np.ndarray]:
    time = np.array([0.0, 10, 20, 30, 45, 60, 120, 300, 600, 1200, 2400, 3600])
    return time, 60.0 * np.minimum(time / 30.0, 1.0) * np.exp(-time / 900.0)


def _write_norm(folder: Path, rng: np.random.Generator) -> None:
    shapes = {
        "geometric effects": (9, 15),
        "crystal interference": (15, 9),
        "crystal efficiencies": (5, 36),
        "axial effects": (19,),
    }
    text = (
        "!INTERFILE:=\n!name of data file:=a.n\nimage data byte order:=LITTLEENDIAN\n"
        "number format:=float\nnumber of bytes per pixel:=4\n"
        "%number of normalization components:=4\n%axial compression:=3\n"
        "%maximum ring difference:=4\nnumber of rings:=5\n"
    )
    raw = b""
    for i, (name, shape) in enumerate(shapes.items(), start=1):
        size = ",".join(map(str, shape[::-1]))
        text += f"%normalization component [{i}]:={name}\n"
        text += f"data offset in bytes [{i}]:={len(raw)}\n%matrix size [{i}]:={{{size}}}\n"
        raw += rng.uniform(0.5, 2.0, shape).astype("<f4").tobytes()
    (folder / "a.n").write_bytes(raw)
    (folder / "a.n.hdr").write_text(text)
