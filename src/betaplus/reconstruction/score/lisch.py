"""`lisch`: `dds` whose data steps end where the likelihood of OSEM on its way is reached.

After Webber, Mizuno, Howes, Hammers, King and Reader, IEEE Trans Med Imaging 2025, see
`likelihood_schedule`: neither the number of data steps nor their length is to be chosen. The first
network call is to leave an image that explains the counts as one pass of OSEM does, the last as
`passes` do.
"""

from __future__ import annotations

from dataclasses import dataclass

from betaplus.reconstruction.checks import check_count
from betaplus.reconstruction.score.dds import Dds
from betaplus.reconstruction.score.prior import ScoreInputs

__all__ = ["Lisch"]


class Lisch(Dds):
    """Few steps from a first image, as far as the likelihood says.

    Args:
        settings: Those of `dds`; `inner` is how many data steps there are from one look at the
            likelihood to the next.
        inputs: The prior and the like.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(Dds.Settings):
        """How many, and how far: as `Dds.Settings`."""

        schedule: str = "likelihood"
        passes: int = 2

        def __post_init__(self) -> None:
            Dds.Settings.__post_init__(self)
            check_count("passes", self.passes, low=2)

    def __init__(self, settings: Settings | None, inputs: ScoreInputs) -> None:
        Dds.__init__(self, settings or self.Settings(), inputs)
