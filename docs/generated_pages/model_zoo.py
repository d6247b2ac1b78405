"""The page of the weights that ship, from their cards."""

from __future__ import annotations

import json
from pathlib import Path

_TOP = """# Model zoo

The networks that ship with the package, as their cards describe them. `betaplus doctor` lists what
is found on a machine: weights are looked up by `--bundle`, then in `$BETAPLUS_BUNDLES`, then in
the package, and chosen by what they are valid for. A bundle is a folder of `model.safetensors`,
`config.json`, `README.md` (the card) and `training.json`; loading checks the checksum and runs no
code. All figures on this page are simulation unless a card says otherwise.

"""


def page(folder: Path) -> str:
    """Return the page: an overview, then the cards.

    Args:
        folder: That of the bundles.
    """
    cards = sorted(path for path in folder.glob("*/README.md"))
    rows = ["| bundle | what it does | size | made by |", "|---|---|---|---|"]
    parts = []
    for card in cards:
        text = card.read_text(encoding="utf-8")
        name = card.parent.name
        title, _, rest = text.partition("\n")
        paragraph = next(part for part in rest.split("\n\n") if part.strip())
        purpose = " ".join(paragraph.split())
        size = (card.parent / "model.safetensors").stat().st_size / 1e6
        made = json.loads((card.parent / "training.json").read_text(encoding="utf-8"))
        command = str(made.get("command", "")).split(" -o ")[0]
        rows.append(f"| [{name}](#{name}) | {purpose} | {size:.1f} MB | `{command}` |")
        body = rest.replace("\n## ", "\n### ")
        parts.append(f"## {title.removeprefix('# ')} {{ #{name} }}\n{body.rstrip()}\n")
    return _TOP + "\n".join(rows) + "\n\n" + "\n\n".join(parts)
