"""What was done, as a paper's methods section would say it, with what to cite."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from betaplus.io.atomic import atomic_path
from betaplus.pipeline.bids.citations import ALWAYS, MODELS, OF, REFERENCES
from betaplus.pipeline.bids.records import ScanRecord, find_records

__all__ = ["methods_path", "methods_text", "write_methods"]

_SHOWN = ("model", "method", "prior", "noise", "weights", "samples", "dispersion", "seed")


def methods_path(out: Path, verb: str) -> Path:
    """Return where the text of a verb is."""
    return Path(out) / f"{verb}_methods.md"


def write_methods(out: Path, verb: str) -> Path:
    """Write the text of all scans that are finished; return its path.

    Raises:
        OutputError: If it cannot be written.
    """
    path = methods_path(out, verb)
    text = methods_text(verb, find_records(Path(out), verb))
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def methods_text(verb: str, records: Sequence[ScanRecord]) -> str:
    """Return the text, in Markdown: a paragraph for each way in which scans were worked on.

    Args:
        verb: The verb.
        records: Of the scans; at least one.
    """
    groups: dict[str, list[ScanRecord]] = {}
    for record in records:
        groups.setdefault(json.dumps(_way(verb, record.fields), sort_keys=True), []).append(record)
    cited = list(ALWAYS)
    parts = [f"# Methods: {verb}", ""]
    for members in groups.values():
        first = members[0].fields
        parts += [" ".join([_scans(members, len(groups) > 1), *_SAID[verb](members)]), ""]
        parts += [_software(first), ""]
        cited += [*MODELS.get(str(_settings(first).get("model")), ()), *_cited(verb, first)]
    parts += ["## References", ""]
    parts += [f"{i}. {REFERENCES[key]}" for i, key in enumerate(dict.fromkeys(cited), start=1)]
    return "\n".join(parts) + "\n"


def _settings(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    settings = fields.get("settings")
    return settings if isinstance(settings, Mapping) else {}


def _method(fields: Mapping[str, Any]) -> str:
    return str(fields.get("method") or _settings(fields).get("method"))


def _cited(verb: str, fields: Mapping[str, Any]) -> tuple[str, ...]:
    usual = ("patlak",) if verb == "patlak" else ()
    return OF.get((verb, _method(fields)), usual)


def _way(verb: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what scans have in common that were worked on in one way."""
    settings = _settings(fields)
    kept = {name: settings[name] for name in _SHOWN if name in settings}
    versions = fields.get("versions") or {}
    return {
        **kept,
        "method": _method(fields),
        "settings": settings.get("method_settings", settings) if verb == "kinetics" else settings,
        "reference": fields.get("reference"),
        "seed": fields.get("seed"),
        "version": versions.get("betaplus"),
    }


def _scans(members: Sequence[ScanRecord], several: bool) -> str:
    people = len({record.participant for record in members})
    count = f"{len(members)} PET scan{_s(len(members))} of {people} participant{_s(people)}"
    named = f" ({', '.join(record.stem for record in members)})" if several else ""
    curves = str(members[0].fields.get("input", "")).endswith(".tsv")
    what = "Region curves of " if curves else ""
    return f"{what}{count}{named} in the Brain Imaging Data Structure (BIDS, PET-BIDS)"


def _kinetics(members: Sequence[ScanRecord]) -> list[str]:
    fields = members[0].fields
    settings = _settings(fields)
    method, model = _method(fields), settings.get("model")
    reference = fields.get("reference")
    given = f"the reference region {reference}" if reference else _input(fields)
    kind = "estimated" if method in ("nlls", "patlak", "logan", "mrtm2", "suvr") else "inferred"
    text = [f"were analysed with {given}."]
    text.append(f"Parameters of model {model} were {kind} by method `{method}`{_listed(settings)}.")
    if method not in ("patlak", "logan", "mrtm2", "suvr"):
        text.append(
            f"The prior was `{settings.get('prior')}`, the noise model `{settings.get('noise')}`"
            f" with weights `{settings.get('weights')}`."
        )
    if not reference:
        text.append(_delay(members))
    return text


def _input(fields: Mapping[str, Any]) -> str:
    names = [str(name) for name in fields.get("blood") or []]
    if "population:" in str(fields.get("command")):
        return "an input function of a population, scaled by dose and weight"
    if any(name.endswith((".nii", ".nii.gz")) for name in names):
        return "an input function derived from the image"
    return "an input function from blood samples"


def _delay(members: Sequence[ScanRecord]) -> str:
    delays = [record.fields.get("delay") for record in members]
    numbers = [float(d) for d in delays if isinstance(d, int | float)]
    if len(numbers) < len(delays):
        return "The delay between blood and tissue was fitted for each curve."
    low, high = min(numbers), max(numbers)
    if low == high:
        return f"The delay between blood and tissue was {low:g} s."
    return f"The delay between blood and tissue was {low:.3g} to {high:.3g} s."


def _patlak(members: Sequence[ScanRecord]) -> list[str]:
    fields = members[0].fields
    relative = "relative " if fields.get("relative") else ""
    starts = sorted({float(r.fields["t_star_s"]) for r in members if r.fields.get("t_star_s")})
    text = [
        f"were analysed with {relative}Patlak's model and {_input(fields)}: slope and intercept of"
        f" every voxel by method `{_method(fields)}`"
        f"{_listed({'method_settings': _settings(fields)})}."
    ]
    if starts:
        span = f"{starts[0]:g}" if len(starts) == 1 else f"{starts[0]:g} to {starts[-1]:g}"
        text.append(f"The linear part began at t* = {span} s.")
    prior = _name_in(fields.get("prior"), "bundle")
    if prior:
        text.append(f"The prior was the network `{prior}`.")
    return text


def _denoise(members: Sequence[ScanRecord]) -> list[str]:
    fields = members[0].fields
    network = _name_in(fields.get("network"), "bundle")
    by = f" with the network `{network}`" if network else ""
    return [
        f"were denoised by method `{_method(fields)}`{by}"
        f"{_listed({'method_settings': _settings(fields)})}; values kept their unit."
    ]


def _separate(members: Sequence[ScanRecord]) -> list[str]:
    fields = members[0].fields
    tracers = [t for t in fields.get("tracers") or [] if isinstance(t, Mapping)]
    names = " and ".join(str(t.get("name")) for t in tracers)
    later = fields.get("delay_s")
    network = _name_in(fields.get("network"), "bundle")
    by = f" with the network `{network}`" if network else ""
    return [
        f"of two tracers, {names}, the second injected {later:g} s after the first, were separated"
        f" into an image of each by method `{_method(fields)}`{by}"
        f"{_listed({'method_settings': _settings(fields)})}."
    ]


def _reconstruct(members: Sequence[ScanRecord]) -> list[str]:
    fields = members[0].fields
    scanner = _name_in(fields.get("scanner"), "name")
    name = f" of the scanner {scanner}" if scanner else ""
    psf = fields.get("psf")
    model = (
        f" with a resolution model of {psf:g} mm" if isinstance(psf, int | float) and psf else ""
    )
    return [
        f"were reconstructed from raw data{name} by `{_method(fields)}`{model}"
        f"{_listed({'method_settings': _settings(fields)})}."
    ]


_SAID: Mapping[str, Callable[[Sequence[ScanRecord]], list[str]]] = {
    "kinetics": _kinetics,
    "patlak": _patlak,
    "denoise": _denoise,
    "separate": _separate,
    "reconstruct": _reconstruct,
}


def _listed(settings: Mapping[str, Any]) -> str:
    """Return a method's settings in brackets: those that are a number or a word."""
    values = settings.get("method_settings")
    plain = values if isinstance(values, Mapping) else {}
    shown = [
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in plain.items()
        if isinstance(value, int | float | str) and not isinstance(value, bool)
    ]
    return f" ({', '.join(shown)})" if shown else ""


def _name_in(value: Any, key: str) -> str:
    """Return a field of a part of the record; empty where there is none."""
    return str(value.get(key) or "") if isinstance(value, Mapping) else ""


def _software(fields: Mapping[str, Any]) -> str:
    versions = {str(k): str(v) for k, v in dict(fields.get("versions") or {}).items()}
    own = versions.pop("betaplus", "unknown")
    others = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"All of it with betaplus {own} (seed {fields.get('seed')}; {others})."


def _s(count: int) -> str:
    return "" if count == 1 else "s"
