"""The comparison of methods as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from betaplus.pipeline.benchmark.kinetics.cases import QUANTITIES

__all__ = ["methods_table"]

_KEYS = (
    ("error", "|mean - reference| over the reference's SD", "{:.3f}"),
    ("ratio", "SD over the reference's", "{:.3f}"),
    ("uncertainty", "|SD ratio - 1|", "{:.3f}"),
)


def methods_table(result: Mapping[str, Any]) -> str:
    """Return everything that `methods` found as Markdown."""
    parts = [
        _about(result),
        _reference(result),
        _statements(result["meets"]),
        "### All methods",
        _overall(result),
    ]
    for key, title, form in _KEYS:
        parts += [f"### {title}, median over curves", _by_quantity(result, key, form)]
    parts += ["### Coverage", _coverage(result)]
    parts += ["### Equal time and equal error", _equal(result["equal"])]
    parts += ["### Network time", _network(result["network"])]
    parts += ["### Other scans", _shifts(result["shifts"])]
    if result["real"]:
        parts += ["### Real voxels", _real(result["real"])]
    return "\n\n".join(parts)


def _about(result: Mapping[str, Any]) -> str:
    levels = ", ".join(f"{100 * level:g}" for level in result["levels"])
    inputs = ", ".join(result["inputs"])
    simulated = (
        " The reference data are absent: input functions are simulated, from a family that the"
        " networks know."
        if result["simulated_inputs"]
        else ""
    )
    return (
        f"Simulation, refinement off. {result['curves']} curves, {result['draws']} draws each;"
        f" slow methods {result['few']['curves']} other curves, {result['few']['draws']} draws"
        f" each. 2TCM, published prior, k4 at least 0, noise level unknown, delay known; late"
        f" relative SD {levels} %. Input functions: {inputs}.{simulated}"
    )


def _reference(result: Mapping[str, Any]) -> str:
    reference = result["reference"]
    text = (
        f"Reference: exact with {_settings(reference['settings'])}; effective sample size at least"
        f" {reference['least_ess']:.0f}, median {reference['median_ess']:.0f}."
    )
    if "nuts" not in result:
        return text + " NUTS was not run."
    nuts = result["nuts"]
    overall, worst = nuts["accuracy"]["all"], nuts["accuracy"]["worst"]
    return (
        f"{text} NUTS on {nuts['curves']} of the curves ({nuts['converged']} converged, R-hat at"
        f" most {nuts['worst_rhat']:.4f}, ESS at least {nuts['least_ess']:.0f}): the reference's"
        f" means differ by {overall['error']:.3f} SD, its SDs by"
        f" {100 * overall['uncertainty']:.1f} % (medians; worst quantity {worst['error']:.3f} SD,"
        f" SD ratio {worst['ratio']:.3f})."
    )


def _statements(rows: list[Mapping[str, Any]]) -> str:
    lines = ["| asked for | found | holds |", "|---|---|---|"]
    for row in rows:
        limit = row["limit"].replace("|", "/")
        lines.append(f"| {limit} | {row['found']} | {'yes' if row['meets'] else 'no'} |")
    return "\n".join(lines)


def _overall(result: Mapping[str, Any]) -> str:
    counts = sorted({n for row in result["rows"] for n in row.get("seconds", {})}, key=int)
    lines = [
        "| method | curves x draws | error of mean [SD] | SD ratio | uncertainty error | sliced"
        " Wasserstein [SD] | ESS / draws | network calls a draw | draws/s | "
        + " | ".join(f"voxels/s, {n} draws" for n in counts)
        + " |",
        "|---" * (9 + len(counts)) + "|",
    ]
    same = [
        {**row, "label": f"{row['label']}, on the slow methods' curves"}
        for row in result["same_curves"]
    ]
    for row in [*result["rows"], *same]:
        lines.append("| " + " | ".join(_overall_cells(row, counts, result)) + " |")
    notes = [f"- {row['label']}: {row['skipped']}" for row in result["rows"] if "skipped" in row]
    absent = [row for row in result["rows"] if row.get("accuracy", {}).get("absent", 0) > 0]
    notes += [
        f"- {row['label']}: {100 * row['accuracy']['absent']:.1f} % of the moments are not numbers"
        " and left out"
        for row in absent
    ]
    notes += list(_one_blood(result))
    return "\n".join(lines) + (
        f"\n\nMedians over curves and over the five parameters and Ki. Two samples of one"
        f" distribution are {result['sliced_floor']:.3f} SD apart at {result['draws']} draws. Wall"
        f" time of one thread of {result['cores']} cores, what the curves of a scan share apart;"
        " draws/s at the larger number of draws. ESS of exact is in draws, of re-weighted"
        " consistency a share of its 2048 points, of abc of the particles kept."
        + ("\n\n" + "\n".join(notes) if notes else "")
    )


def _overall_cells(
    row: Mapping[str, Any], counts: list[str], result: Mapping[str, Any]
) -> Iterator[str]:
    yield row["label"]
    if "skipped" in row:
        yield from ["skipped"] + ["-"] * (7 + len(counts))
        return
    overall = row["accuracy"]["all"]
    yield f"{row['curves']} x {row['draws'] or '-'}"
    yield f"{overall['error']:.3f}"
    yield f"{overall['ratio']:.3f}"
    yield f"{overall['uncertainty']:.3f}"
    yield "-" if row["sliced"] is None else f"{row['sliced']:.3f}"
    if "ess_share" in row:
        yield f"{row['ess_share']:.2f}"
    else:
        yield f"{row['ess']:.0f}" if row["method"] == "exact" else "-"
    calls = row["calls"]
    if calls is None and "methods" in result["network"]:
        calls = result["network"]["methods"][row["method"]]["calls"]
    yield "-" if not calls else str(calls)
    spent = row.get("seconds", {})
    most = max(spent, key=int, default="")
    yield f"{int(most) / spent[most]:.3g}" if most and row["draws"] else "-"
    for n in counts:
        yield f"{1.0 / spent[n]:.3g}" if n in spent else "-"


def _one_blood(result: Mapping[str, Any]) -> Iterator[str]:
    for row in result["rows"]:
        found = row.get("one_blood")
        if found:
            overall = found["all"]
            yield (
                f"- {row['label']} on the {found['curves']} curves whose plasma and whole blood are"
                f" one curve, as it takes them to be: error {overall['error']:.3f} SD, SD ratio"
                f" {overall['ratio']:.3f}, uncertainty error {overall['uncertainty']:.3f}"
            )


def _by_quantity(result: Mapping[str, Any], key: str, form: str) -> str:
    names = (*QUANTITIES, "all")
    lines = ["| method | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for row in result["rows"]:
        if "skipped" not in row:
            cells = [form.format(row["accuracy"][name][key]) for name in names]
            lines.append(f"| {row['label']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _coverage(result: Mapping[str, Any]) -> str:
    found = result["coverage"]
    levels = found["intervals"]
    lines = [
        f"{result['covered']} further curves, {found['draws']} draws each. Mean over the five"
        " parameters and Ki; in brackets the least and the largest at 90 %.",
        "",
        "| method | curves | kept | "
        + " | ".join(f"{100 * level:.0f} %" for level in levels)
        + " | at 90 % |",
        "|---" * (4 + len(levels)) + "|",
    ]
    for label, groups in found["methods"].items():
        for name, part in groups.items():
            if not part["count"]:
                lines.append(f"| {label} | {name} | 0 % |" + " - |" * (len(levels) + 1))
                continue
            values = part["coverage"].values()
            means = [sum(v[i] for v in values) / len(values) for i in range(len(levels))]
            low, high = part["ends"]
            lines.append(
                f"| {label} | {name} | {100 * part['share']:.0f} % | "
                + " | ".join(f"{mean:.3f}" for mean in means)
                + f" | {low:.3f} to {high:.3f} |"
            )
    return "\n".join(lines)


def _equal(found: Mapping[str, Any]) -> str:
    if "skipped" in found:
        return f"Skipped: {found['skipped']}"
    lines = [
        f"{found['curves']} curves, one input function, one thread. Consistency is raw, 3 passes.",
        "",
        "| | simulations | ms a curve | error of mean [SD] | uncertainty error |",
        "|---|---|---|---|---|",
    ]
    for row in found["consistency"]:
        lines.append(_timed(f"consistency, {row['draws']} draws", row))
        lines += [
            _timed(f"abc, {sampler}, at that time or its least", part)
            for sampler, part in row["abc"].items()
        ]
    for sampler, parts in found["abc"].items():
        lines += [_timed(f"abc, {sampler}", part) for part in parts]
    lines.append("")
    for row in found["consistency"]:
        times = "; ".join(
            f"{sampler} {part['times']:.3g} times the time"
            if part["reached"]
            else f"{sampler} not at {part['times']:.3g} times the time"
            for sampler, part in row["equal"].items()
        )
        lines.append(
            f"- consistency, {row['draws']} draws: uncertainty error {100 * row['gain']:.0f} %"
            f" below the better sampler's; abc comes down to it: {times}"
        )
    return "\n".join(lines)


def _timed(label: str, row: Mapping[str, Any]) -> str:
    return (
        f"| {label} | {row['simulations'] or '-'} | {1e3 * row['seconds']:.2f} |"
        f" {row['error']:.3f} | {row['uncertainty']:.3f} |"
    )


def _network(found: Mapping[str, Any]) -> str:
    if "skipped" in found:
        return f"Skipped: {found['skipped']}"
    lines = [
        f"{found['curves']} curves, {found['draws']} draws each, one thread, without the exact pass"
        " that goes before.",
        "",
        "| method | calls a draw | s | times consistency |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {part['calls']} | {part['seconds']:.3g} | {part['times']:.3g} |"
        for name, part in found["methods"].items()
    ]
    return "\n".join(lines)


def _shifts(found: Any) -> str:
    if "skipped" in found:
        return f"Skipped: {found['skipped']}"
    lines = [
        f"15 % noise; {found[0]['curves']} curves against references and {found[0]['covered']} for"
        " the coverage of 90 % intervals, at most.",
        "",
        "| scan | consistency | error of mean: median, worst quantity [SD] | SD ratio: median,"
        " furthest from 1 | coverage: mean, least, largest | for refinement |",
        "|---|---|---|---|---|---|",
    ]
    for shift in found:
        for label, part in shift["found"].items():
            overall, worst = part["accuracy"]["all"], part["accuracy"]["worst"]
            at = [values[2] for values in part["coverage"]["coverage"].values()]
            low, high = part["coverage"]["ends"]
            lines.append(
                f"| {shift['name']} | {label.removeprefix('consistency, ')} |"
                f" {overall['error']:.3f}, {worst['error']:.3f} | {overall['ratio']:.3f},"
                f" {worst['ratio']:.3f} | {sum(at) / len(at):.3f}, {low:.3f}, {high:.3f} |"
                f" {100 * part['handed_over']:.0f} % |"
            )
    return "\n".join(lines)


def _real(found: list[Mapping[str, Any]]) -> str:
    lines = []
    for voxel in found:
        lines += ["", voxel["source"] + ": mean (SD)", ""]
        lines += ["| method | " + " | ".join(QUANTITIES) + " |"]
        lines += ["|---" * (1 + len(QUANTITIES)) + "|"]
        for label in voxel["quantities"]["Ki"]["methods"]:
            cells = []
            for name in QUANTITIES:
                part = voxel["quantities"][name]["methods"][label]
                cells.append(f"{part['mean']:.3g} ({part['std']:.2g})")
            lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines[1:])


def _settings(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value:g}" for name, value in values.items())
