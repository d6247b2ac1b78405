"""`betaplus doctor`: what this installation has, and what would add to it."""

from __future__ import annotations

import os
import platform
import sys

import typer

from betaplus import __version__

__all__ = ["doctor"]

_NEEDED = (
    "numpy", "scipy", "numba", "torch", "nibabel", "pydicom", "zarr", "matplotlib", "jinja2",
    "typer", "rich", "safetensors", "zuko",
)  # fmt: skip
_EXTRAS = {
    "dask": ("distributed", "runs on clusters: --engine dask, slurm:CONFIG"),
    "dicom": ("highdicom", "parametric maps as DICOM (--dicom)"),
    "mcmc": ("numpyro", "MCMC as a method to compare with"),
    "notebook": ("xarray", "images, curves and posteriors as xarray"),
}


def doctor() -> None:
    """Print versions, devices, weights found, and what each extra would add."""
    from betaplus.engine import default_workers

    rows = [
        ("betaplus", __version__),
        ("Python", f"{platform.python_version()} ({sys.executable})"),
        ("system", platform.platform()),
        ("cores", str(default_workers())),
        ("memory", _memory()),
    ]
    rows += [(name, _version(name) or "MISSING: install betaplus again") for name in _NEEDED]
    rows += [("cuda", _cuda())]
    for extra, (module, adds) in _EXTRAS.items():
        found = _version(module)
        rows.append((f"[{extra}]", found or f"not installed; adds {adds}"))
    rows += _weights()
    for name, value in rows:
        typer.echo(f"{name:<11} {value}")


def _weights() -> list[tuple[str, str]]:
    from betaplus.generative.bundle import list_bundles

    rows = []
    for found in list_bundles():
        text = f"{found.task}-{found.name}-v{found.version} ({found.size / 1e6:.1f} MB)"
        rows.append(("weights", text if found.valid else f"{text}: {found.reason}"))
    return rows or [("weights", "none found")]


def _version(name: str) -> str | None:
    import importlib.metadata

    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _memory() -> str:
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return "unknown"
    return f"{size / 2**30:.1f} GiB"


def _cuda() -> str:
    try:
        import torch
    except ImportError as error:
        return f"unknown: torch cannot be imported ({' '.join(str(error).split())})"
    if not torch.cuda.is_available():
        return "no device: everything runs on the CPU"
    return f"{torch.cuda.get_device_name(0)}: denoise and train use it, other verbs the CPU"
