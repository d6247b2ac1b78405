"""A dynamic study with its truth, and noisy frames at any dose.

A frame without noise is what the calibrated surrogate recovers of its activity. The noise of a
frame is the surrogate's for that activity, with the counts that its time and decay leave of those
of the static scan (`protocol.count_share`); noise of frames and draws is independent, and that of
doses is one noise, scaled. Randoms and scatter are the style's fractions of each frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.input_function import InputFunction
from betaplus.simulation.dynamic_study.person import Person, draw_person
from betaplus.simulation.dynamic_study.protocol import Protocol, count_share, find_protocol
from betaplus.simulation.dynamic_study.tissue import (
    StudyLesion,
    Tissue,
    draw_tissue,
    noise_free_frames,
    painted,
)
from betaplus.simulation.dynamic_study.truth import patlak_basis, patlak_fit
from betaplus.simulation.surrogate.information import Information
from betaplus.simulation.surrogate.surrogate import Surrogate
from betaplus.simulation.tissue_mu import tissue_mu

__all__ = [
    "FIRST_TEST",
    "FIRST_TUNING",
    "MARGIN",
    "PatlakStudy",
    "draw_patlak_study",
    "study_of",
]

FIRST_TUNING: Mapping[str, int] = {"body": 910_000, "brain": 911_000, "small": 912_000}
"""Seeds from which on people are for choosing settings; no prior was trained on one from 900,000 on
(`betaplus.pipeline.training.corpus.FIRST_TEST`)."""

FIRST_TEST: Mapping[str, int] = {"body": 920_000, "brain": 921_000, "small": 922_000}
"""Seeds from which on people are for judging."""

MARGIN = 4
"""Voxels simulated beyond each border, since blur and recovery reach into the image."""

_FRAMES = 100  # numbers of noise kept for the frames of a draw
_LESIONS = {"body": 8, "brain": 3}


@dataclass(frozen=True, eq=False, kw_only=True)
class PatlakStudy:
    """A box of a person, scanned over time.

    Images are (X, Y, Z) or (X, Y, Z, T) float32; activity is decay-corrected to injection.

    Attributes:
        person: Whose it is; has blood [Bq/mL] and `per_suv`.
        protocol: Frames and scanner; frames from t* on unless early ones were asked for.
        tissue: Labels, lesions and rate constants, with `MARGIN` voxels around.
        activity: Noise-free frame means before the scanner, likewise with margin [SUV].
        information: What the counts of each frame tell of the whole person.
    """

    person: Person
    protocol: Protocol
    tissue: Tissue
    activity: np.ndarray
    information: Sequence[Information]
    _made: dict[int, Surrogate] = field(default_factory=dict)
    _noise: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along each axis."""
        x, y, z = (n - 2 * MARGIN for n in self.tissue.phantom.labels.shape)
        return x, y, z

    @property
    def voxel(self) -> tuple[float, float, float]:
        """Edges of a voxel [mm]."""
        return self.tissue.phantom.voxel_size

    @property
    def affine(self) -> np.ndarray:
        """Voxel to world, shape (4, 4) [mm]."""
        affine = self.tissue.phantom.affine.copy()
        affine[:3, 3] += affine[:3, :3] @ np.full(3, float(MARGIN))
        return np.asarray(affine)

    @property
    def labels(self) -> np.ndarray:
        """Label of each voxel; 0 is air."""
        return self._inner(self.tissue.phantom.labels)

    @property
    def names(self) -> Mapping[int, str]:
        """Label to region."""
        here = set(np.unique(self.labels).tolist())
        return {i: name for i, name in self.tissue.phantom.names.items() if i in here}

    @property
    def body(self) -> np.ndarray:
        """Where the person is, bool."""
        return np.asarray(self.labels > 0)

    @property
    def lesions(self) -> tuple[StudyLesion, ...]:
        """Lesions, those in the margin among them."""
        return self.tissue.lesions

    def lesion_share(self, number: int) -> np.ndarray:
        """Return the share of each voxel that is lesion `number` outside its core."""
        lesion = self.lesions[number].lesion
        share = np.zeros(self.tissue.phantom.labels.shape, np.float32)
        share.reshape(-1)[lesion.voxels] = lesion.share
        return self._inner(share)

    @cached_property
    def maps(self) -> dict[str, np.ndarray]:
        """K1, k2, k3, k4, VB of what a voxel is most of."""
        return {p: self._inner(values) for p, values in painted(self.tissue).items()}

    @property
    def true_Ki(self) -> np.ndarray:
        """K1 k3 / (k2 + k3), the mean of what is in a voxel [mL/cm3/min]."""
        return self._inner(self.tissue.Ki)

    @property
    def blood(self) -> InputFunction:
        """The true input [Bq/mL]."""
        return self.person.blood

    @property
    def per_suv(self) -> float:
        """1 SUV [Bq/mL]."""
        return self.person.per_suv

    @property
    def beds(self) -> np.ndarray:
        """Bed position of each slice, shape (Z,)."""
        whole = self.protocol.beds(self.person.phantom.labels.shape[2])
        at = self.tissue.low[2] + MARGIN + np.arange(self.shape[2])
        return np.asarray(whole[np.clip(at, 0, whole.size - 1)])

    @property
    def start(self) -> np.ndarray:
        """When each slice of each frame begins, shape (T, Z) [s]."""
        return np.asarray(self.protocol.start[:, self.beds])

    @property
    def duration(self) -> np.ndarray:
        """How long each slice of each frame lasts, shape (T, Z) [s]."""
        return np.asarray(self.protocol.duration[:, self.beds])

    @cached_property
    def basis(self) -> np.ndarray:
        """B of each slice, shape (Z, T, 2): [SUV min] and [SUV]."""
        each = {
            int(bed): patlak_basis(
                self.blood, self.protocol.timing(int(bed)), self.person.half_life, self.per_suv
            )
            for bed in np.unique(self.beds)
        }
        return np.stack([each[int(bed)] for bed in self.beds])

    @cached_property
    def shares(self) -> np.ndarray:
        """Counts of each frame over those of the static scan, mean over slices, shape (T,)."""
        each = [
            count_share(self.protocol.timing(int(bed)), self.person.half_life) for bed in self.beds
        ]
        return np.asarray(np.mean(each, axis=0))

    @cached_property
    def clean(self) -> np.ndarray:
        """All frames without noise, at the scanner's resolution [SUV]."""
        return np.stack([self.clean_frame(f) for f in range(len(self.protocol))], -1)

    def clean_frame(self, f: int) -> np.ndarray:
        """Return a frame without noise, at the scanner's resolution [SUV]."""
        return self._inner(self.surrogate(f).mean_image())

    @cached_property
    def noise_free(self) -> tuple[np.ndarray, np.ndarray]:
        """Ki and V0 of `clean` from t* on by least squares: what methods are scored against."""
        late = (self.protocol.start >= self.protocol.t_star).all(axis=1)
        return self.fit(self.clean[..., late], late)

    def fit(
        self, frames: np.ndarray, which: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return Ki and V0 by least squares that weigh all frames alike.

        Args:
            frames: Shape (X, Y, Z, t) [SUV].
            which: Which of the study's frames they are, shape (T,) bool; all if None.
        """
        return patlak_fit(frames, self.basis if which is None else self.basis[:, which])

    def release(self) -> None:
        """Forget what makes frames; it is made again where it is wanted."""
        self._made.clear()
        self._noise.clear()

    def surrogate(self, f: int) -> Surrogate:
        """Return what makes the images of a frame, margin included; it is kept."""
        if f not in self._made:
            style = self.protocol.style
            counts = float(style.counts * self.shares[f])
            low = [a * edge for a, edge in zip(self.tissue.low, self.voxel, strict=True)]
            activity = np.ascontiguousarray(self.activity[..., f])
            self._made[f] = Surrogate(
                activity, activity, self.voxel, style.replace(counts=counts),
                information=self.information[f], low=low,
            )  # fmt: skip
        return self._made[f]

    def frame(self, f: int, dose: float = 1.0, draw: int = 0) -> np.ndarray:
        """Return a frame with noise, shape (X, Y, Z) float32 [SUV].

        Args:
            f: Frame.
            dose: Share of the counts at full dose, in (0, 1].
            draw: Number of the draw; one draw is one noise at any dose.
        """
        made = self.surrogate(f)
        if any(kept != draw for _, kept in self._noise):
            self._noise.clear()
        if (f, draw) not in self._noise:
            number = _FRAMES * draw + f
            self._noise[f, draw] = made.noise(seed=self.person.seed, draw=number)
        return self._inner(made.apply(self._noise[f, draw], dose))

    def frames(self, dose: float = 1.0, draw: int = 0) -> np.ndarray:
        """Return all frames with noise, shape (X, Y, Z, T) float32 [SUV]."""
        return np.stack([self.frame(f, dose, draw) for f in range(len(self.protocol))], -1)

    def _inner(self, image: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(image[(slice(MARGIN, -MARGIN),) * 3])


def draw_patlak_study(
    kind: str,
    seed: int,
    *,
    voxel: float = 4.0,
    shape: Sequence[int] = (96, 96, 96),
    protocol: str | Protocol = "dynamic",
    early: bool = False,
    lesions: int | None = None,
    person: Person | None = None,
) -> PatlakStudy:
    """Draw a study of a trunk (heart to liver) or of a head.

    Args:
        kind: ``body`` or ``brain``.
        seed: Chooses the person and everything else.
        voxel: Voxel edge [mm].
        shape: Of the images; air where the person ends.
        protocol: Name in `PROTOCOLS`, or a protocol.
        early: Make frames before t* too.
        lesions: How many; 8 in a body and 3 in a brain if None.
        person: Where it is there already.

    Raises:
        UsageError: If a name is unknown or the shape is not three sizes.
    """
    if len(tuple(shape)) != 3 or min(shape) < 8:
        raise UsageError(f"images of shape {tuple(shape)}", "expected three sizes from 8 up")
    chosen = find_protocol(protocol) if isinstance(protocol, str) else protocol
    chosen = chosen if early else chosen.late()
    person = draw_person(kind, seed, voxel=voxel) if person is None else person
    middle = _middle(person)
    low = [round(m - s / 2) for m, s in zip(middle, shape, strict=True)]
    number = _LESIONS[person.kind] if lesions is None else lesions
    return study_of(person, chosen, low, shape, lesions=number)


def study_of(
    person: Person,
    protocol: Protocol,
    low: Sequence[int],
    shape: Sequence[int],
    *,
    item: int = 0,
    lesions: int | None = None,
    whole: Sequence[Information] | None = None,
) -> PatlakStudy:
    """Return the study of a box.

    Args:
        person: Who is scanned.
        protocol: Frames and scanner.
        low: First voxel of the box in the person's phantom; may lie outside.
        shape: Of the box.
        item: Number of the box.
        lesions: How many; drawn if None.
        whole: What the counts of each frame tell of the whole person, where lesions and texture of
            this box need not be in it; else they are.
    """
    outer = [int(a) - MARGIN for a in low]
    padded = [int(n) + 2 * MARGIN for n in shape]
    tissue = draw_tissue(person, outer, padded, item=item, lesions=lesions)
    activity = noise_free_frames(person, tissue, protocol)
    if whole is None:
        whole = person.information(protocol, (outer, activity, tissue_mu(tissue.phantom)))
    return PatlakStudy(
        person=person, protocol=protocol, tissue=tissue, activity=activity, information=whole
    )


def _middle(person: Person) -> np.ndarray:
    """Return the voxel that the images are about: of the head, or between heart and liver."""
    phantom = person.phantom
    index = {name: i for i, name in phantom.names.items()}
    everything = np.argwhere(phantom.labels > 0)
    middle = 0.5 * (everything.min(axis=0) + everything.max(axis=0) + 1.0)
    if person.kind == "body":
        organs = [phantom.labels == index[n] for n in ("Myocardium", "Liver")]
        middle[2] = np.mean([np.nonzero(o)[2].mean() for o in organs])
    return np.asarray(middle)
