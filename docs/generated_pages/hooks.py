"""What mkdocs asks for when it builds the site: pages made from the code, and formulas."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE)] if str(HERE) not in sys.path else []

import command_line  # noqa: E402
import formulas  # noqa: E402
import gallery  # noqa: E402
import model_zoo  # noqa: E402
import reference  # noqa: E402
import validation  # noqa: E402

ROOT = HERE.parents[1]
MADE = ("changelog.md", "gallery.md", "model_zoo.md", "validation.md")
"""Pages that are made here, besides those of the reference."""


def on_config(config: Any) -> Any:
    """Leave out of the navigation what is not there."""
    config["nav"] = _present(config["nav"], Path(config["docs_dir"]))
    return config


def _present(entries: list[Any], folder: Path) -> list[Any]:
    kept = []
    for entry in entries:
        ((title, target),) = entry.items()
        if isinstance(target, list):
            kept.append({title: _present(target, folder)})
        elif target in MADE or target.startswith("reference/") or (folder / target).is_file():
            kept.append(entry)
    return kept


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are made here, and the pictures of the examples."""
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    pages = {
        "changelog.md": changes.replace("](docs/", "]("),
        "gallery.md": gallery.page(ROOT / "docs" / "examples"),
        "model_zoo.md": model_zoo.page(ROOT / "src" / "betaplus" / "bundles"),
        "validation.md": validation.page(ROOT),
        "reference/cli.md": command_line.page(),
        **reference.pages(),
    }
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    for picture in sorted((ROOT / "docs" / "examples" / "shown").glob("*.png")):
        name = f"pictures/{picture.name}"
        files.append(File.generated(config, name, abs_src_path=str(picture)))
    return files


def on_page_content(html: str, **_: Any) -> str:
    """Turn formulas into MathML, which browsers draw by themselves."""
    return formulas.drawn(html)
