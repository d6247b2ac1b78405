"""The `betaplus` command: its verbs, and what becomes of errors."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from betaplus import __version__
from betaplus.cli.benchmark import app as benchmark
from betaplus.cli.bids import bids
from betaplus.cli.bids_command import BidsCommand
from betaplus.cli.demo import demo
from betaplus.cli.denoise import denoise
from betaplus.cli.doctor import doctor
from betaplus.cli.evaluate import evaluate
from betaplus.cli.failure import defect, mendable, one_line
from betaplus.cli.info import info
from betaplus.cli.kinetics import kinetics
from betaplus.cli.patlak import patlak
from betaplus.cli.reconstruct import reconstruct
from betaplus.cli.separate import separate
from betaplus.cli.simulate import app as simulate
from betaplus.cli.train import app as train
from betaplus.core.errors import BetaplusError

__all__ = ["app", "main", "run"]

INTERRUPTED = 130

RESUMABLE = ("kinetics", "reconstruct", "denoise", "patlak", "separate", "train", "bids")
"""Verbs with --resume."""

app = typer.Typer(
    help="PET measurements into quantities with honest uncertainty.",
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command(short_help="Posteriors of kinetic parameters, from image or curves.")(kinetics)
app.command(short_help="Images from raw counts: OSEM, MAP-EM, BSREM, SVRG.")(reconstruct)
app.command(short_help="Images without their noise, SUV kept.")(denoise)
app.command(short_help="Ki and V0 of every voxel of a dynamic scan.")(patlak)
app.command(short_help="Two tracers of one scan, an image of each.")(separate)
app.add_typer(simulate, name="simulate", short_help="Measurements with known truth.")
app.command(short_help="What a file is, and everything wrong with it.")(info)
app.command(short_help="Versions, devices, what each extra would add.")(doctor)
app.command(short_help="All of it on a phantom made on the spot.")(demo)
app.add_typer(train, name="train", short_help="Networks, from simulated or own data.")
app.command(short_help="Images against a reference: errors, regions, bias.")(evaluate)
app.command(cls=BidsCommand, short_help="A verb on all scans of a BIDS data set.")(bids)
app.add_typer(benchmark, name="benchmark", short_help="Accuracy, calibration and speed.")

# The command-line parser's own exception, wherever this version of typer keeps it.
_ParserError = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")


@app.callback(invoke_without_command=True)
def _betaplus(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)
    ] = False,
) -> None:
    if version:
        typer.echo(f"betaplus {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code: 0, 1, 2 or 130 (see the contract).

    Args:
        arguments: What follows `betaplus`.
    """
    command = typer.main.get_command(app)
    try:
        code = command.main(
            list(arguments), prog_name="betaplus", standalone_mode=False, obj=tuple(arguments)
        )
        code = code if isinstance(code, int) else 0
    except BetaplusError as error:
        return mendable(str(error))
    except _ParserError as error:
        return mendable(one_line(error))
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe has left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        return defect(error, arguments)
    if code == INTERRUPTED:
        resumable = arguments and arguments[0] in RESUMABLE
        again = "; the same command with --resume continues it" if resumable else ""
        print(f"betaplus: interrupted{again}", file=sys.stderr)
    return code


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run `betaplus` with the arguments of the process, or with others, and exit."""
    code = run(sys.argv[1:] if arguments is None else arguments)
    if code == INTERRUPTED:  # a second Ctrl-C ends the wait for blocks at work, without a traceback
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(code)
