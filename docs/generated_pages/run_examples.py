"""Run the examples in full and keep what they print and draw, for the gallery."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import shutil
import sys
import time
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(path: Path, out: Path, shown: Path) -> None:
    """Run one example.

    Args:
        path: Its file.
        out: Folder that it writes to.
        shown: Folder that what it gives is kept in.
    """
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        module.main(out / path.stem, False)
    shown.mkdir(exist_ok=True)
    (shown / f"{path.stem}.txt").write_text(printed.getvalue(), encoding="utf-8")
    picture = out / path.stem / "picture.png"
    if picture.is_file():
        shutil.copy(picture, shown / f"{path.stem}.png")


def main() -> None:
    """Run all of them, or those whose names begin with an argument."""
    for path in sorted(EXAMPLES.glob("[0-9]*.py")):
        if len(sys.argv) > 1 and not path.stem.startswith(tuple(sys.argv[1:])):
            continue
        began = time.perf_counter()
        run(path, Path("out/examples"), EXAMPLES / "shown")
        print(f"{path.stem}: {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
