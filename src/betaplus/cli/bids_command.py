"""A command that takes the options of another one too: those of the verb that ``--verb`` names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperCommand

__all__ = ["OWN", "BidsCommand", "verb_callback", "verb_options"]

OWN = ("source", "out", "resume", "overwrite", "quiet")
"""What the app sets for the verb, or asks for itself."""

_LABELS = ("--participant-label", "--session-label")
_POSITIONAL = 3  # BIDS_DIR, OUTPUT_DIR and the level
_VALUES = "betaplus.bids.values"


class BidsCommand(TyperCommand):
    """`betaplus bids`: its own options, and all of the verb's but those of `OWN`.

    ``--participant-label 01 02`` takes several labels, as BIDS apps do.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse with the verb's options; keep their values apart from the command's own."""
        ctx.meta[_VALUES] = {}
        more = _verb_params(ctx, _verb_in(args))
        self.params = [*self._own(), *more]
        rest = super().parse_args(ctx, _spread(args))
        for param in more:
            if param.name in ctx.params:
                ctx.meta[_VALUES][param.name] = ctx.params.pop(param.name)
        return rest

    def _own(self) -> list[Any]:
        known = self.__dict__.setdefault("_own_params", list(self.params))
        return list(known)


def verb_options(ctx: typer.Context) -> dict[str, Any]:
    """Return the values of the verb's options, by name."""
    return dict(ctx.meta[_VALUES])


def verb_callback(ctx: typer.Context, verb: str) -> Any:
    """Return what runs a verb, given all its options by name."""
    return _command(ctx, verb).callback


def _command(ctx: Any, verb: str) -> Any:
    return ctx.find_root().command.commands[verb]


def _verb_params(ctx: Any, verb: str | None) -> list[Any]:
    from betaplus.pipeline.bids.request import VERBS, find_verb

    if verb is None:
        return []
    if verb not in VERBS:
        find_verb(verb)
    return [p for p in _command(ctx, verb).params if p.name not in OWN]


def _verb_in(args: Sequence[str]) -> str | None:
    """Return the verb that a command line names; parsing is yet to come."""
    for i, text in enumerate(args):
        if text == "--verb" and i + 1 < len(args):
            return args[i + 1]
        if text.startswith("--verb="):
            return text.partition("=")[2]
    return None


def _spread(args: Sequence[str]) -> list[str]:
    """Return a command line with ``--participant-label 01 02`` as one flag a label.

    Only where the positional arguments come first: else ``02`` could be one of them.
    """
    first = args[:_POSITIONAL]
    if len(first) < _POSITIONAL or any(text.startswith("-") for text in first):
        return list(args)
    out: list[str] = []
    flag = ""
    for text in args:
        if text.startswith("-"):
            flag = text if text in _LABELS else ""
            out.append(text)
        elif flag and out[-1] != flag:
            out += [flag, text]
        else:
            out.append(text)
    return out
