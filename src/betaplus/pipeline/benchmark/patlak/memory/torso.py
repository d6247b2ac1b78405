"""A torso of any size and any number of frames, written layer by layer and never held whole.

Frames follow Patlak's line from the first to the last: what is measured here is memory and time,
which do not depend on what is in an image.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from betaplus.core.frames import FrameTiming
from betaplus.core.image import PetImage
from betaplus.core.input_function import InputFunction
from betaplus.core.seeds import generator
from betaplus.core.tracer import Tracer

__all__ = ["T_STAR", "Torso", "torso_blood", "torso_image", "write_torso"]

T_STAR = 1200.0
"""Start of the linear part of the torso's scan [s]."""

_SEED = 72_000
_HOUR = 3600.0
_TILE = 64  # voxels: edge of the noise, which is laid over the volume again and again
_CORRELATED = 3.5  # mm: SD of the noise's filter, FWHM 8 mm
_NOISE = 0.3  # SD of the noise of a frame over its value, where that is the mean of the body
_SUV = 4000.0  # Bq/mL: 300 MBq in 75 kg
# x and y of the centre and half axes over those of the volume, likewise along z; Ki, V0.
_ORGANS = (
    ((0.0, 0.0, 0.0), (0.70, 0.85, 0.96), 0.0020, 0.35),  # what surrounds organs
    ((-0.1, 0.3, 0.1), (0.45, 0.35, 0.16), 0.0030, 0.75),  # a liver
    ((0.1, 0.1, 0.4), (0.20, 0.20, 0.08), 0.0300, 0.55),  # a heart
    ((0.0, 0.0, -0.6), (0.22, 0.15, 0.08), 0.0100, 0.60),  # a lesion of size
)  # fmt: skip


def torso_blood() -> InputFunction:
    """Return samples of an hour: Feng's curve of FDG (Int J Biomed Comput 1993) [Bq/mL]."""
    from betaplus.simulation.input_functions import feng

    time = np.concatenate(
        [np.arange(0, 240, 5.0), np.arange(240, 900, 30), np.arange(900, _HOUR + 1, 180)]
    )
    value = 1000 * feng((time - 30) / 60, (851.1, 21.88, 20.81), (4.134, 0.1191, 0.01043)) / 4
    return InputFunction(time=time, plasma=value, plasma_kind="parent")


class Torso:
    """Voxels that are made when they are asked for: ``data[:, :, planes]`` or ``data[..., t]``.

    A voxel is the same whichever way it is asked for.

    Args:
        shape: (X, Y, Z).
        voxel: Edge [mm].
        frames: Their times.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, shape: Sequence[int], voxel: float, frames: FrameTiming) -> None:
        self._voxel, self._frames = voxel, frames
        self.shape = (*(int(n) for n in shape), len(frames))

    def __getitem__(self, key: tuple) -> np.ndarray:
        planes, frames = slice(0, self.shape[2]), slice(0, self.shape[3])
        if key[0] is Ellipsis:
            return self._made(planes, slice(key[1], key[1] + 1))[..., 0]
        return self._made(slice(*key[2].indices(self.shape[2])), frames)

    def _made(self, planes: slice, frames: slice) -> np.ndarray:
        Ki, V0 = self._maps(planes)
        inside = (V0 > 0).astype(np.float32)
        wrapped = [np.arange(n) for n in self.shape[:2]] + [np.arange(planes.start, planes.stop)]
        out = np.empty((*Ki.shape, frames.stop - frames.start), np.float32)
        for t in range(frames.start, frames.stop):
            a, b = self._design[t]
            mean = np.float32(a) * Ki + np.float32(b) * V0
            level = 0.0025 * a + 0.4 * b
            rng = generator(_SEED, item=t)
            at = [(line + rng.integers(_TILE)) % _TILE for line in wrapped]
            noise = self._tile[np.ix_(*at)]
            np.sqrt(mean * np.float32(level), out=mean, where=mean > 0)
            noise *= np.float32(_NOISE) * mean
            noise += np.float32(a) * Ki + np.float32(b) * V0
            out[..., t - frames.start] = noise * inside
        return out

    def _maps(self, planes: slice) -> tuple[np.ndarray, np.ndarray]:
        """Return Ki and V0 of planes."""
        lines = [(np.arange(n) - (n - 1) / 2) / (n / 2) for n in self.shape[:3]]
        x, y, z = np.meshgrid(lines[0], lines[1], lines[2][planes], indexing="ij", sparse=True)
        Ki, V0 = np.zeros((2, *np.broadcast_shapes(x.shape, y.shape, z.shape)), np.float32)
        for centre, half, slope, intercept in _ORGANS:
            square = sum(
                ((line - c) / h) ** 2 for line, c, h in zip((x, y, z), centre, half, strict=True)
            )
            Ki[square < 1], V0[square < 1] = slope, intercept
        return Ki, V0

    @cached_property
    def _tile(self) -> np.ndarray:
        """Noise of SD 1 that meets itself at its ends, shape (edge, edge, edge)."""
        from scipy.ndimage import gaussian_filter

        noise = generator(_SEED, item=1_000_000).standard_normal((_TILE,) * 3, dtype=np.float32)
        noise = gaussian_filter(noise, _CORRELATED / self._voxel, mode="wrap")
        return noise / noise.std()

    @cached_property
    def _design(self) -> np.ndarray:
        """Frame means of the input's integral and of the input, shape (T, 2)."""
        from betaplus.physics.patlak.operator import PatlakOperator
        from betaplus.physics.response import InputResponse

        response = InputResponse(torso_blood().curve(_HOUR), self._frames, _tracer().half_life)
        return PatlakOperator(response, 0.0).matrix.numpy()


def torso_image(shape: Sequence[int], voxel: float, frames: int) -> PetImage:
    """Return an hour in frames of one length, as an image whose voxels are made on use.

    Args:
        shape: (X, Y, Z).
        voxel: Edge [mm].
        frames: Their number.
    """
    timing = FrameTiming.from_durations(np.full(frames, _HOUR / frames))
    return PetImage(
        data=Torso(shape, voxel, timing),
        affine=np.diag([voxel, voxel, voxel, 1.0]),
        unit="Bq/mL",
        frames=timing,
        tracer=_tracer(),
        decay_corrected_to=0.0,
        metadata={
            "TracerName": "FDG",
            "TracerRadionuclide": "F18",
            "InjectedRadioactivity": 75_000.0 * _SUV,
            "InjectedRadioactivityUnits": "Bq",
            "BodyWeight": 75.0,
            "BodyPart": "BODY",
            "TimeZero": "10:00:00",
            "ScanStart": 0.0,
            "InjectionStart": 0.0,
        },
    )


def write_torso(
    folder: Path, shape: Sequence[int], voxel: float, frames: int, kind: str
) -> tuple[Path, Path]:
    """Write image and blood; return their paths.

    Args:
        folder: Where to; made if it is not there.
        shape: (X, Y, Z).
        voxel: Edge [mm].
        frames: Their number.
        kind: ``zarr``, written layer by layer, or ``nii.gz``, which is held whole.
    """
    from betaplus.io.derivatives import write_blood, write_image
    from betaplus.io.zarr_images import write_zarr_image

    folder.mkdir(parents=True, exist_ok=True)
    source, samples = folder / f"sub-01_pet.{kind}", folder / "sub-01_blood.tsv"
    write_blood(samples, torso_blood())
    image = torso_image(shape, voxel, frames)
    if kind == "zarr":
        write_zarr_image(source, image)
    else:
        import dataclasses

        whole = slice(None)
        write_image(source, dataclasses.replace(image, data=image.data[whole, whole, whole]))
    return source, samples


def _tracer() -> Tracer:
    return Tracer.of("F18", name="FDG")
