"""The page of what was measured, from the outputs of benchmarks that are there."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_TOP = """# Measured

What `betaplus benchmark` found, as it wrote it: the files `benchmark_*.md` of the folder
`docs/benchmarks`, and of the folders that `$BETAPLUS_BENCHMARKS` names when this site is built
(`make docs BENCHMARKS=DIR`). Anything can be measured again: each part of a benchmark is one
command, goes on where it was stopped, and has a quick form (`--quick`) that shows that it runs, not
how good a method is. Figures with their seeds and sizes are also on the page of each verb:
[kinetics](kinetics.md#how-far-to-trust-it), [patlak](patlak.md#how-good-it-is),
[denoise](denoising.md#how-good), [separate](separate.md#how-good-it-is),
[reconstruct](reconstruction.md#measured), [priors](priors.md#how-good), [engines](engines.md), and
for the networks in the [model zoo](model_zoo.md). All of it is simulation unless it says real.

| benchmark | what |
|---|---|
| `betaplus benchmark kinetics` | accuracy against NUTS, calibration, speed, networks |
| `betaplus benchmark patlak` | Ki and V0 against truth by dose, coverage, ablation, real curves |
| `betaplus benchmark denoise` | noise, lesions, observers, intervals |
| `betaplus benchmark separate` | images, delays, cross-talk, coverage |
| `betaplus benchmark reconstruct` | NRMSE, bias and variance, uncertainty |
| `betaplus benchmark propagation` | coverage of Ki from raw counts, a prior used once and twice |
| `betaplus benchmark projector` | adjointness, accuracy, speed |
| `betaplus benchmark prior`, `surrogate`, `phantoms` | what simulation and priors rest on |

"""
_NONE = "No output of a benchmark was there when this site was built.\n"


def page(root: Path) -> str:
    """Return the page.

    Args:
        root: Of the repository.
    """
    named = os.environ.get("BETAPLUS_BENCHMARKS", "")
    folders = [root / "docs" / "benchmarks", *(Path(p) for p in named.split(os.pathsep) if p)]
    parts = [part for folder in folders for part in _parts(folder)]
    return _TOP + ("\n".join(parts) if parts else _NONE)


def _parts(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("benchmark_*.md")):
        text = path.read_text(encoding="utf-8").strip()
        if "has not ended" in text:
            continue
        title, _, body = text.partition("\n")
        name = path.stem.removeprefix("benchmark_").replace("_", " ")
        body = re.sub(r"^#", "##", body, flags=re.MULTILINE)
        yield f"## {name}: {title.lstrip('# ')}\n\n{_origin(path)}\n{body}\n"


def _origin(path: Path) -> str:
    """Return how it was made, from the record beside it."""
    record = path.with_suffix(".json")
    if not record.is_file():
        return ""
    fields: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
    said = [f"`{fields['command']}`"] if fields.get("command") else []
    said += [f"seed {fields['seed']}"] if fields.get("seed") is not None else []
    said += [str(fields["date"])[:10]] if fields.get("date") else []
    if fields.get("quick"):
        said.append("the quick form: it shows that it runs, not how good anything is")
    return ("*" + "; ".join(said) + "*\n") if said else ""
