"""Real images as truths, with noise added to them.

Noise of a stated model, where no attenuation map is there to simulate with: at each voxel a factor
of mean 1 and of Gamma's distribution, whose SD makes that of the image L r^0.65 SUV, with r the
uptake smoothed over 1 cm and L the level; the exponent is the middle of what real scans have (0.5
to 0.8), and not the one that the denoiser assumes. The correlation is a Gaussian of the distance,
one half at 3.3 mm.

The truths have noise and blur of their own. What a denoiser takes of that noise counts as its
error, so that gains are lower than they would be with a truth.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from betaplus.core.seeds import generator

__all__ = ["EXPONENT", "RealCase", "add_noise", "brain_web", "crops", "smooth_uptake", "templates"]

EXPONENT = 0.65
"""Of the uptake, in the SD of the noise that is added."""

_HALF_AT = 3.3  # mm, where the correlation is one half
_FAR = 12.0  # mm, where nothing correlates
_SMOOTH = 10.0  # mm, full width at half maximum: of the uptake that noise follows
_FLOOR = 0.05  # SUV
_BODY = 0.1  # of the 95th percentile of the smoothed image: below it there is no body
_WATER = 0.0096  # 1/mm at 511 keV
_DRAW = 81
_TEMPLATES = {
    "FDG template": ("brain_templates/fdg_template.nii.gz", 6.0),
    "raclopride template": ("brain_templates/raclopride_template.nii.gz", 2.0),
}
"""Name to file, and the mean SUV in the brain that it is given: nominal."""
_BRAIN_WEB = "brain_brainweb06/brainweb_06_{}_2mm.nii.gz"
_BRAIN_WEB_MEAN = 6.0  # SUV, nominal


@dataclass(frozen=True, eq=False, kw_only=True)
class RealCase:
    """A noisy image and the real one that it was made from.

    Attributes:
        name: Of the image.
        noisy: Shape (X, Y, Z) float32 [SUV].
        reference: The same without the noise that was added, likewise.
        mask: Where there is a body, likewise, bool.
        lesion: Of a tumour, likewise; None where there is none.
        voxel: Edges [mm].
    """

    name: str
    noisy: np.ndarray
    reference: np.ndarray
    mask: np.ndarray
    lesion: np.ndarray | None
    voxel: tuple[float, float, float]


def add_noise(
    reference: np.ndarray, voxel: tuple[float, float, float], level: float, seed: int
) -> np.ndarray:
    """Return an image with noise of a level, shape (X, Y, Z) float32 [SUV].

    Args:
        reference: Without, likewise, at least 0.
        voxel: Edges [mm].
        level: SD where the uptake is 1 SUV, on voxels of this size.
        seed: Of the noise.
    """
    from scipy.special import gammaincinv, ndtr

    margin = [int(np.ceil(_FAR / v)) for v in voxel]
    shape = [n + 2 * m for n, m in zip(reference.shape, margin, strict=True)]
    field = generator(seed, draw=_DRAW).standard_normal(shape)
    for axis, (n, v) in enumerate(zip(shape, voxel, strict=True)):
        apart = v * np.minimum(np.arange(n), n - np.arange(n))
        power = np.fft.rfft(0.5 ** ((apart / _HALF_AT) ** 2)).real.clip(min=0.0)
        gain = np.sqrt(power).reshape(-1, *(1,) * (2 - axis))
        field = np.fft.irfft(np.fft.rfft(field, axis=axis) * gain, n, axis=axis)
    field /= field.std()
    inner = tuple(slice(m, m + n) for m, n in zip(margin, reference.shape, strict=True))
    uptake = np.maximum(smooth_uptake(reference, voxel), _FLOOR)
    counts = 1.0 / (level * uptake ** (EXPONENT - 1.0)) ** 2  # shape of a Gamma of mean 1
    factor = gammaincinv(counts, ndtr(field[inner])) / counts
    return np.asarray(reference * factor, np.float32)


def smooth_uptake(image: np.ndarray, voxel: tuple[float, float, float]) -> np.ndarray:
    """Return an image through a Gaussian of 1 cm, shape (X, Y, Z) [SUV]."""
    from scipy.ndimage import gaussian_filter

    from betaplus.simulation.fields import sigma_of_fwhm

    return np.asarray(gaussian_filter(image, [sigma_of_fwhm(_SMOOTH) / v for v in voxel]))


def crops(data: Path, level: float, which: slice) -> Iterator[RealCase]:
    """Yield IBSI's crops of FDG around a soft-tissue sarcoma, with noise.

    Args:
        data: Folder of reference data.
        level: Of the noise.
        which: Of the crops, which are 36, in the order of their names.
    """
    from betaplus.io.nifti import open_nifti

    for path in sorted((data / "pet_ibsi").glob("STS_*/PET_image.nii.gz"))[which]:
        image = np.maximum(open_nifti(path).read(), 0.0)
        tumour = open_nifti(path.with_name("PET_mask.nii.gz")).read() > 0.5
        voxel = _voxel(path)
        yield RealCase(
            name=path.parent.name,
            noisy=add_noise(image, voxel, level, int(path.parent.name[-3:])),
            reference=image,
            mask=_body(image, voxel),
            lesion=tumour,
            voxel=voxel,
        )


def templates(data: Path, level: float) -> Iterator[RealCase]:
    """Yield the group means of FDG and raclopride, with noise; none where files are absent."""
    for seed, (name, (place, mean)) in enumerate(_TEMPLATES.items()):
        if (data / place).is_file():
            image, mask, voxel = _brain(data / place, mean)
            yield RealCase(
                name=name,
                noisy=add_noise(image, voxel, level, 500 + seed),
                reference=image,
                mask=mask,
                lesion=None,
                voxel=voxel,
            )


def brain_web(data: Path, dose: float) -> Iterator[RealCase]:
    """Yield BrainWeb 06 as the surrogate of a Quadra shows it at a dose, if it is there.

    The reference is the surrogate's image without noise; the head is water.
    """
    from scipy.ndimage import binary_closing, binary_fill_holes

    from betaplus.io.nifti import open_nifti
    from betaplus.simulation.surrogate.styles import QUADRA
    from betaplus.simulation.surrogate.surrogate import Surrogate

    pet, t1 = (data / _BRAIN_WEB.format(kind) for kind in ("osem", "t1"))
    if not (pet.is_file() and t1.is_file()):
        return
    activity, _, voxel = _brain(pet, _BRAIN_WEB_MEAN)
    anatomy = open_nifti(t1).read()
    head = binary_fill_holes(binary_closing(anatomy > 0.1 * anatomy.max(), iterations=3))
    scanner = Surrogate(activity, (_WATER * head).astype(np.float32), voxel, QUADRA)
    reference = scanner.mean_image()
    yield RealCase(
        name="BrainWeb 06",
        noisy=scanner.image(dose, seed=6),
        reference=reference,
        mask=_body(reference, voxel),
        lesion=None,
        voxel=voxel,
    )


def _brain(path: Path, mean: float) -> tuple[np.ndarray, np.ndarray, tuple[float, float, float]]:
    """Return a brain in SUV, where it is, and its voxel edges [mm]."""
    from betaplus.io.nifti import open_nifti

    image, voxel = np.maximum(open_nifti(path).read(), 0.0), _voxel(path)
    mask = _body(image, voxel)
    image *= np.float32(mean / image[mask].mean())
    return image, mask, voxel


def _body(image: np.ndarray, voxel: tuple[float, float, float]) -> np.ndarray:
    smooth = smooth_uptake(image, voxel)
    return np.asarray(smooth > _BODY * np.quantile(smooth, 0.95))


def _voxel(path: Path) -> tuple[float, float, float]:
    from betaplus.io.nifti import open_nifti

    x, y, z = np.linalg.norm(open_nifti(path).header.affine[:3, :3], axis=0)
    return float(x), float(y), float(z)
