"""`betaplus bids`: a verb on every scan of a BIDS data set, and what all of them found."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from betaplus.cli.bids_command import verb_callback, verb_options
from betaplus.cli.options import Overwrite, Quiet, Resume
from betaplus.cli.telling import command_line, tell

__all__ = ["bids"]

Labels = list[str] | None


def bids(
    context: typer.Context,
    bids_dir: Annotated[Path, typer.Argument(metavar="BIDS_DIR", help="Data set, raw.")],
    output_dir: Annotated[
        Path, typer.Argument(metavar="OUTPUT_DIR", help="Derivative data set to write to.")
    ],
    analysis_level: Annotated[
        str,
        typer.Argument(
            metavar="participant|group",
            help="participant runs the verb on each scan; group gathers what they found.",
        ),
    ],
    verb: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="kinetics, patlak, denoise, separate or reconstruct; its options follow, and"
            " --verb NAME --help shows them.",
        ),
    ] = None,
    participant_label: Annotated[
        Labels,
        typer.Option(metavar="LABEL...", help="Participants, without sub-.", show_default="all"),
    ] = None,
    session_label: Annotated[
        Labels,
        typer.Option(metavar="LABEL...", help="Sessions, without ses-.", show_default="all"),
    ] = None,
    task: Annotated[
        Labels, typer.Option(metavar="LABEL", help="Scans of this task; repeatable.")
    ] = None,
    trc: Annotated[
        Labels, typer.Option(metavar="LABEL", help="Scans of this tracer; repeatable.")
    ] = None,
    rec: Annotated[
        Labels, typer.Option(metavar="LABEL", help="Scans of this reconstruction; repeatable.")
    ] = None,
    run: Annotated[
        Labels, typer.Option(metavar="LABEL", help="Scans of this run; repeatable.")
    ] = None,
    desc: Annotated[
        Labels,
        typer.Option(
            metavar="LABEL", help="Images or curves of --derivatives with this description."
        ),
    ] = None,
    derivatives: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Derivative data set with curves, images (--desc), label images or input"
            " functions; repeatable.",
        ),
    ] = None,
    curves: Annotated[
        bool, typer.Option("--curves", help="Take tables of curves (*_tacs.tsv), not images.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done with which files; no more.")
    ] = False,
    resume: Resume = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Run a verb on every scan of a BIDS data set, or gather what was found (BIDS app)."""
    from betaplus.pipeline.bids import BidsRequest, run_group, run_participants

    request = BidsRequest(
        bids_dir=bids_dir,
        out=output_dir,
        level=analysis_level,
        verb=verb or "",
        participants=_labels(participant_label, "sub-"),
        sessions=_labels(session_label, "ses-"),
        filters={
            name: _labels(given, f"{name}-")
            for name, given in (
                ("task", task), ("trc", trc), ("rec", rec), ("run", run), ("desc", desc),
            )
        },
        derivatives=tuple(derivatives or ()),
        curves=curves,
        resume=resume,
        overwrite=overwrite,
        command=command_line(context),
    )  # fmt: skip
    if analysis_level == "group":
        from betaplus.report.bids import group_report

        report = group_report if verb_options(context).get("report", True) else None
        tell(run_group(request, report).summary, quiet)
        return

    def run_verb(options: Mapping[str, Any]) -> str:
        told = io.StringIO()
        with contextlib.redirect_stdout(told):
            verb_callback(context, request.verb)(**options, quiet=quiet)
        return told.getvalue()

    done = run_participants(
        request,
        verb_options(context),
        run_verb,
        lambda text: tell([text], quiet),
        dry=dry_run,
    )
    tell([f"{len(done)} scans in {output_dir}"] if not dry_run else [], quiet)


def _labels(given: Labels, prefix: str) -> tuple[str, ...]:
    """Return labels without their prefix; commas part them too."""
    parts = [part.strip() for text in given or () for part in text.replace(",", " ").split()]
    return tuple(part.removeprefix(prefix) for part in parts if part)
