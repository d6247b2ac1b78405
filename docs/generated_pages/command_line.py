"""The page of the command line, from the commands themselves."""

from __future__ import annotations

from typing import Any

_TOP = """# Command line

Every command and option, as `betaplus COMMAND --help` has them; [bids](../bids.md) takes the
options of the verb besides its own. Exit codes: 0 done, 2 the user can mend it (one line says
what was found, what was expected and what to do), 1 a defect of betaplus, 130 interrupted.
`betaplus --install-completion` teaches the shell to complete all of it.

"""


def page() -> str:
    """Return the page."""
    import typer

    from betaplus.cli.main import app

    command = typer.main.get_command(app)
    return _TOP + "\n".join(_sections(command, "betaplus"))


def _sections(command: Any, name: str) -> list[str]:
    inner = getattr(command, "commands", None)
    if inner:
        found = [] if name == "betaplus" else [f"## {name}\n\n{_flat(command.help)}\n"]
        return found + [
            part for key, one in inner.items() for part in _sections(one, f"{name} {key}")
        ]
    level = "##" if name.count(" ") == 1 else "###"
    usage = [
        (p.metavar or p.name.upper()) for p in command.params if p.param_type_name == "argument"
    ]
    typed = " ".join([name, *usage, "[options]"])
    head = f"{level} {name}\n\n{_flat(command.help)}\n\n```\n{typed}\n```\n"
    options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
    rows = "\n".join(_row(p) for p in options if not p.hidden)
    return [head + ("\n| option | | default |\n|---|---|---|\n" + rows + "\n" if rows else "")]


def _row(option: Any) -> str:
    names = ", ".join(f"`{n}`" for n in (*option.opts, *option.secondary_opts))
    kind = "" if option.is_flag or not option.metavar else f" {option.metavar}"
    default = option.show_default if isinstance(option.show_default, str) else option.default
    if callable(default) or default is None or default is False or default == ():
        default = "required" if option.required else ""
    cells = (names + kind, _flat(option.help or ""), str(default))
    return "| " + " | ".join(c.replace("|", "\\|").replace("<", "&lt;") for c in cells) + " |"


def _flat(text: str | None) -> str:
    return " ".join((text or "").split())
