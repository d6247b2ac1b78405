"""Every option of a verb is on its page of the documentation, and every verb says the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from betaplus.cli.main import RESUMABLE, app

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = {
    "patlak": "patlak.md",
    "separate": "separate.md",
    "denoise": "denoising.md",
    "reconstruct": "reconstruction.md",
}
RUN = ("seed", "workers", "resume", "overwrite", "quiet")
"""Run options that mean the same to every verb that computes."""


def options(verb: str) -> dict[str, Any]:
    """Return the options of a verb by their names."""
    command = typer.main.get_command(app).commands[verb]  # type: ignore[attr-defined]
    return {p.name: p for p in command.params if p.param_type_name == "option"}


@pytest.mark.parametrize("verb", PAGES)
def test_every_option_is_on_the_page(verb: str) -> None:
    page = (DOCS / PAGES[verb]).read_text(encoding="utf-8")
    told = set(re.findall(r"--[a-z0-9-]+", page)) | ({"--out"} if " -o " in page else set())
    named = {name: {*p.opts, *p.secondary_opts} for name, p in options(verb).items()}
    missing = [name for name, spellings in named.items() if not spellings & told]
    assert missing in ([], ["help"])


@pytest.mark.parametrize("name", RUN)
def test_run_options_have_one_help_text(name: str) -> None:
    verbs = ("kinetics", "patlak", "denoise", "separate", "reconstruct")
    assert len({options(verb)[name].help for verb in verbs}) == 1


def test_verbs_with_resume_say_so_when_interrupted() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    resumable = {
        name
        for name, command in commands.items()
        if any(p.name == "resume" for p in command.params)
        or any(
            p.name == "resume" for c in getattr(command, "commands", {}).values() for p in c.params
        )
    }
    assert resumable == set(RESUMABLE)
