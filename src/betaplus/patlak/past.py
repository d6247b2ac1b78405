"""What an image has been through already: a prior must not be used on it twice.

A second prior repeats what the first one said, and what lines leave of the frames of an image that
a prior has smoothed does not tell where that prior was wrong alike in all of them.
"""

from __future__ import annotations

from betaplus.core.image import PetImage

__all__ = ["WITH_PRIOR", "past_remarks"]

WITH_PRIOR = (
    "map-em", "bsrem", "svrg", "dds", "dds-published", "lisch", "conditional", "gibbs",
    "dps",
    "mmse", "consistency", "ddim", "ddpm",
)  # fmt: skip
"""Methods of `reconstruct` and of `denoise` whose images hold what a prior says."""


def past_remarks(image: PetImage) -> list[str]:
    """Return what is to be said of an image whose sidecar tells of a prior, in words."""
    made = image.metadata.get("betaplus")
    method = made.get("method") if isinstance(made, dict) else None
    if method not in WITH_PRIOR:
        return []
    return [
        f"the image was made with a prior ({method}): a method with a prior would use one twice and"
        " be too sure, and SDs that are read from its noise do not know what the prior got wrong;"
        " take an image by osem, or map each of several draws by ls (betaplus.patlak.fit_draws)"
    ]
