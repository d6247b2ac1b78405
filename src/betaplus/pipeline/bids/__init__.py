"""The BIDS app: a verb on every scan of a data set, and what all of them found."""

from __future__ import annotations

from betaplus.pipeline.bids.group import GroupResult, run_group
from betaplus.pipeline.bids.participants import run_participants
from betaplus.pipeline.bids.request import VERBS, BidsRequest

__all__ = ["VERBS", "BidsRequest", "GroupResult", "run_group", "run_participants"]
