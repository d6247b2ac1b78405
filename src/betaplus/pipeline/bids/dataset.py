"""The derivative data set as a whole: what it says of itself and of where it comes from."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from betaplus import __version__
from betaplus.io.atomic import atomic_path
from betaplus.io.derivatives import write_dataset_description
from betaplus.io.jsons import read_json, write_json
from betaplus.pipeline.bids.request import BidsRequest, source_description

__all__ = ["data_sets", "sweep_data_set", "write_data_set"]

_IGNORED = ("group_*", "*_methods.md")
_RAW = "raw"
_OLD = 60.0  # s
_METHODS = "_methods.md"
_README = """# Derivatives made by betaplus

Every scan has its files in `sub-<label>/[ses-<label>/]pet/`. A record of the run is beside them
(`*_run.json`: command, versions, seed, settings, what was found untidy), and a report
(`*_report.html`) that opens in a browser without a network.

What was done, in words and with references, is in `<verb>_methods.md`. What was found in all scans
is in `group_<verb>.tsv` and `group_<verb>_report.html`, once the group level was run.

Maps and tables of parameters have the names of the draft of BIDS for PET derivatives (BEP023); as
long as that is a draft, `.bidsignore` keeps the validator from judging them.
"""


def data_sets(request: BidsRequest) -> dict[str, Path]:
    """Return name to top of the data sets that outputs are made from; names are those of URIs.

    The data set of the outputs itself has no name: ``bids::sub-01/...``.
    """
    roots = {_RAW: Path(request.bids_dir)}
    for folder in request.derivatives:
        if Path(folder).resolve() == Path(request.out).resolve():
            roots[""] = Path(folder)
            continue
        base = "".join(c for c in Path(folder).resolve().name if c.isalnum()) or "derivative"
        names = [base, *(f"{base}{i}" for i in range(2, len(roots) + 3))]
        roots[next(name for name in names if name not in roots)] = Path(folder)
    return roots


def write_data_set(request: BidsRequest) -> None:
    """Write or complete ``dataset_description.json`` and ``.bidsignore``.

    ``GeneratedBy`` names betaplus and the verbs that were run, ``SourceDatasets`` what they were
    run on, ``DatasetLinks`` where the data sets of BIDS URIs are.

    Raises:
        OutputError: If a file cannot be written.
        InputError: If the description of a source is no JSON.
    """
    out = Path(request.out)
    roots = {name: root for name, root in data_sets(request).items() if name}
    about = (
        source_description(request.bids_dir).get("Name") or Path(request.bids_dir).resolve().name
    )
    write_dataset_description(out, f"betaplus derivatives of {about}")
    path = out / "dataset_description.json"
    fields = read_json(path)
    sources = [*_listed(fields.get("SourceDatasets"))]
    sources += [s for root in roots.values() if (s := _source(root, out)) not in sources]
    verbs = {request.verb, *(p.name.removesuffix(_METHODS) for p in out.glob(f"*{_METHODS}"))}
    made = [_generated(entry, sorted(verbs)) for entry in _listed(fields.get("GeneratedBy"))]
    links = {name: _relative(root, out) for name, root in roots.items()}
    fields = {**_licence(request), **fields}
    fields |= {
        "GeneratedBy": made,
        "SourceDatasets": sources,
        "DatasetLinks": {**_mapping(fields.get("DatasetLinks")), **links},
    }
    write_json(path, fields)
    readme = out / "README.md"
    if not readme.exists():
        with atomic_path(readme) as temporary:
            temporary.write_text(_README, encoding="utf-8")
    ignore = out / ".bidsignore"
    lines = ignore.read_text(encoding="utf-8").splitlines()
    missing = [pattern for pattern in _IGNORED if pattern not in lines]
    if missing:
        with atomic_path(ignore) as temporary:
            temporary.write_text("\n".join([*lines, *missing]) + "\n", encoding="utf-8")


def sweep_data_set(out: Path) -> None:
    """Remove what a kill left of files at the top; what is new may be another job's at work."""
    for path in out.glob(".tmp-*"):
        with contextlib.suppress(OSError):
            if path.is_file() and time.time() - path.stat().st_mtime > _OLD:
                path.unlink()


def _generated(entry: Mapping[str, Any], verbs: Sequence[str]) -> dict[str, Any]:
    """Return an entry of ``GeneratedBy``; that of betaplus names its verbs."""
    if entry.get("Name") != "betaplus" or entry.get("Version") != __version__:
        return dict(entry)
    return {**entry, "Description": f"betaplus bids, {', '.join(verbs)}"}


def _source(root: Path, out: Path) -> dict[str, str]:
    """Return an entry of ``SourceDatasets``: a DOI where the data set has one, and where it is."""
    held = source_description(root)
    doi = held.get("DatasetDOI")
    about = {"URL": _relative(root, out)}
    if isinstance(doi, str) and doi:
        about |= {"DOI": doi}
    return about


def _licence(request: BidsRequest) -> dict[str, str]:
    """Derivatives go by the licence of their source, where it states one."""
    licence = source_description(request.bids_dir).get("License")
    return {"License": licence} if isinstance(licence, str) and licence else {}


def _relative(root: Path, out: Path) -> str:
    return Path(os.path.relpath(root.resolve(), out.resolve())).as_posix()


def _listed(value: Any) -> Sequence[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}
