"""What `betaplus evaluate` is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from betaplus.core.errors import OutputError, UsageError
from betaplus.io.derivatives import source_stem
from betaplus.pipeline.run_names import RunNames
from betaplus.pipeline.run_request import check_out

__all__ = ["EvaluateRequest", "Names", "check_request"]


@dataclass(frozen=True, kw_only=True)
class EvaluateRequest:
    """The options of the verb.

    Attributes:
        reference: What the images should be, NIfTI of shape (X, Y, Z[, T]).
        images: The images, on its grid.
        out: Folder to write to.
        mask: Voxels to count; those where the reference is above 0 if None.
        regions: Label image, for a table of regions.
        background: Labels of the background, by number or name; for contrast recovery.
        std: Standard deviation image of each of the images, or none at all.
        realisations: Whether the images are realisations of one measurement.
        overwrite: Replace earlier outputs.
        command: The command line, for the record.
    """

    reference: Path
    images: tuple[Path, ...]
    out: Path
    mask: Path | None = None
    regions: Path | None = None
    background: tuple[str, ...] = ()
    std: tuple[Path, ...] = ()
    realisations: bool = False
    overwrite: bool = False
    command: str = ""


@dataclass(frozen=True)
class Names(RunNames):
    """Where the outputs go; they are called by the reference's name."""

    verb = "evaluate"

    @property
    def images(self) -> Path:
        """The table with a row for each image and frame."""
        return self.out / "evaluation.tsv"

    @property
    def regions(self) -> Path:
        """The table with a row for each image, frame and region."""
        return self.out / "evaluation_regions.tsv"

    @property
    def realisations(self) -> Path:
        """The table of bias and SD over realisations."""
        return self.out / "evaluation_realisations.tsv"

    @property
    def everything(self) -> list[Path]:
        """Every file that a run may write, besides those that describe the folder."""
        tables = (self.images, self.regions, self.realisations)
        sidecars = [path.with_suffix(".json") for path in tables]
        return [*tables, *sidecars, self.report, self.record]


def check_request(request: EvaluateRequest) -> Names:
    """Check options against each other and the output folder; return where outputs go.

    Raises:
        UsageError: If options contradict each other.
        OutputError: If outputs exist already, or the folder is a file or of another kind.
    """
    count = len(request.images)
    if not count:
        raise UsageError("no image", "expected one or more after the reference")
    if request.std and len(request.std) != count:
        raise UsageError(
            f"--std is given {len(request.std)} times for {count} images",
            "expected one for each image, in their order",
        )
    if request.background and request.regions is None:
        raise UsageError("--background without --regions", "expected the label image that names it")
    if request.realisations and count < 2:
        raise UsageError("--realisations with one image", "expected two or more")
    out = Path(request.out)
    check_out(out)
    names = Names(out, source_stem(request.reference))
    there = [path for path in names.everything if path.exists()]
    if there and not request.overwrite:
        raise OutputError(
            f"{there[0]} exists already", todo="give --overwrite to replace it or another -o"
        )
    return names
