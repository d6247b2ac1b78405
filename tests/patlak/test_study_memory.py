"""Memory grows with volumes, not with frames."""

from __future__ import annotations

import collections
import dataclasses
import tracemalloc

import numpy as np
import pytest

from betaplus.core.frames import FrameTiming
from betaplus.io.images import load_image
from betaplus.io.zarr_images import load_zarr_image, write_zarr_image
from betaplus.patlak.study import make_study

from .scans import blood, scan

SHAPE = (32, 24, 96)
VOXELS = 32 * 24 * 96


def written(folder, count, kind):
    """A scan of an hour in `count` frames, as a file."""
    import json

    import nibabel

    frames = FrameTiming.from_durations(np.full(count, 3600.0 / count))
    small = scan(np.array([0.02, 0.5]).reshape(2, 1, 1, 1), frames=frames)
    data = np.broadcast_to(small.data, (*SHAPE, count))
    if kind == "zarr":
        write_zarr_image(folder / "a_pet.zarr", dataclasses.replace(small, data=data))
        return load_zarr_image(folder / "a_pet.zarr")
    fields = {
        "Units": "Bq/mL",
        "TracerRadionuclide": "F18",
        "FrameTimesStart": frames.start.tolist(),
        "FrameDuration": frames.duration.tolist(),
        "ImageDecayCorrected": True,
        "ImageDecayCorrectionTime": 0,
    }
    nibabel.save(nibabel.Nifti1Image(data, small.affine), folder / f"a_pet.{kind}")
    (folder / "a_pet.json").write_text(json.dumps(fields))
    return load_image(folder / f"a_pet.{kind}")


def peak(image) -> float:
    """Most bytes a voxel that numpy held at a time; results of torch (12) come on top."""
    tracemalloc.start()
    try:
        study = make_study(image, blood(), t_star=600.0)
        assert len(study.used) > 0.8 * image.n_frames - 1
        return tracemalloc.get_traced_memory()[1] / VOXELS
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["nii", "nii.gz", "zarr"])
def test_four_times_as_many_frames(tmp_path, monkeypatch, kind):
    """The image grows by 144 bytes a voxel; what is held by layers of chunks at most."""
    monkeypatch.setattr("betaplus.io.zarr_images._EDGE", 8)
    monkeypatch.setattr("betaplus.io.zarr_images._AT_A_TIME", 1 << 19)
    peaks = []
    for count in (12, 48):
        folder = tmp_path / str(count)
        folder.mkdir()
        image = written(folder, count, kind)
        if not peaks:
            make_study(image, blood(), t_star=600.0)  # imports
        peaks.append(peak(image))
    assert peaks[1] < 1.15 * peaks[0] + (40 if kind == "zarr" else 1), peaks
    assert max(peaks) < 60, peaks


def test_a_pass_reads_every_chunk_once(tmp_path, monkeypatch):
    """Of a store whose chunks hold all frames: there are two passes, not one for each frame."""
    import zarr

    monkeypatch.setattr("betaplus.io.zarr_images._EDGE", 16)
    image = written(tmp_path, 12, "zarr")
    read, original = collections.Counter(), zarr.storage.LocalStore.get

    async def get(self, key, *args, **kwargs):
        read[key] += "/c/" in key
        return await original(self, key, *args, **kwargs)

    monkeypatch.setattr(zarr.storage.LocalStore, "get", get)
    make_study(image, blood(), t_star=600.0)
    counts = [n for key, n in read.items() if "/c/" in key]
    assert len(counts) == 2 * 2 * 6 and set(counts) == {2}
