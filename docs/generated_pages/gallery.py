"""The page of examples: what each does, its code, what it printed and drew."""

from __future__ import annotations

import ast
from pathlib import Path

_TOP = """# Examples

Short programs that run as they are: `python docs/examples/NAME.py` writes to `out/examples/NAME`.
Each makes the data that it needs. What is shown below them is what they printed and drew
(`make gallery` runs them all again); with `--quick` they do the same on less, which is how the
tests run them, so that an example that no longer works does not go unnoticed.

"""


def page(folder: Path) -> str:
    """Return the page.

    Args:
        folder: That of the examples; what they gave is in its folder ``shown``.
    """
    parts = []
    for path in sorted(folder.glob("[0-9]*.py")):
        source = path.read_text(encoding="utf-8")
        said = ast.get_docstring(ast.parse(source)) or path.stem
        title, _, about = said.partition("\n")
        code = source.split('"""', 2)[2].strip()
        parts.append(f"## {title.rstrip('.')} {{ #{path.stem} }}\n\n{about.strip()}\n")
        parts.append(f"`docs/examples/{path.name}`\n\n```python\n{code}\n```\n")
        printed = folder / "shown" / f"{path.stem}.txt"
        if printed.is_file():
            parts.append(
                f"It prints\n\n```text\n{printed.read_text(encoding='utf-8').strip()}\n```\n"
            )
        if (folder / "shown" / f"{path.stem}.png").is_file():
            parts.append(f"![{title.rstrip('.')}](pictures/{path.stem}.png)\n")
    return _TOP + "\n".join(parts)
