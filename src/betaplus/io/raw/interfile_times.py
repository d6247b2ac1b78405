"""Times and tracer in STIR's Interfile headers."""

from __future__ import annotations

from betaplus.core.errors import InputError
from betaplus.core.frames import FrameTiming
from betaplus.core.tracer import HALF_LIVES, Tracer, radionuclide_name
from betaplus.io.raw.interfile_header import InterfileHeader

__all__ = ["read_times", "time_fields", "tracer_of"]

_ELEMENTS = {
    "fluorine": "F",
    "carbon": "C",
    "nitrogen": "N",
    "oxygen": "O",
    "copper": "Cu",
    "gallium": "Ga",
    "rubidium": "Rb",
    "zirconium": "Zr",
    "iodine": "I",
}

_AGREE = 0.05  # between the half-life of a header and the table


def read_times(header: InterfileHeader) -> tuple[FrameTiming | None, Tracer | None, list[str]]:
    """Return the timing of a header's one frame, its tracer, and remarks.

    Raises:
        InputError: If times are there but are none.
    """
    duration = header.number("image duration (sec)", "image duration (sec) [1]")
    start = header.number("image relative start time (sec)", "image relative start time (sec) [1]")
    frames = None
    if duration is not None and duration > 0.0:
        frames = FrameTiming.from_durations([duration], start or 0.0)
    tracer, remarks = tracer_of(header)
    return frames, tracer, remarks


def tracer_of(header: InterfileHeader) -> tuple[Tracer | None, list[str]]:
    """Return the tracer of a header, or None where it names none that is known, and remarks.

    Raises:
        InputError: If its half-life is no number above 0, or not that of the radionuclide.
    """
    text = header.text("isotope name", "radionuclide name", "radionuclide name [1]")
    half_life = header.number(
        "isotope gamma halflife (sec)",
        "radionuclide halflife (sec)",
        "radionuclide halflife (sec) [1]",
    )
    if text is None or text.lower() == "unknown":
        return None, []
    plain = text.lower()
    for element, symbol in _ELEMENTS.items():
        plain = plain.replace(element, symbol.lower())
    if half_life is not None and half_life <= 0.0:
        raise header.wrong(f"a half-life of {half_life:g} s", "expected a number above 0")
    try:
        nuclide = radionuclide_name(plain, header.path.name)
    except InputError:
        return None, [f"radionuclide {text!r} in {header.path.name} is unknown: left out"]
    if half_life is not None and abs(half_life / HALF_LIVES[nuclide] - 1.0) > _AGREE:
        raise header.wrong(
            f"a half-life of {half_life:g} s of {nuclide} (isotope gamma halflife)",
            f"expected about {HALF_LIVES[nuclide]:g} s",
            "correct the field that is wrong",
        )
    return Tracer.of(nuclide, half_life, header.text("radiopharmaceutical") or ""), []


def time_fields(frames: FrameTiming | None, tracer: Tracer | None) -> list[tuple[str, object]]:
    """Return times and tracer as fields of a header."""
    fields: list[tuple[str, object]] = []
    if tracer is not None:
        fields += [
            ("isotope name", tracer.radionuclide),
            ("isotope gamma halflife (sec)", repr(tracer.half_life)),
        ]
        if tracer.name:
            fields.append(("radiopharmaceutical", tracer.name))
    if frames is not None:
        fields += [
            ("number of time frames", 1),
            ("image duration (sec) [1]", repr(float(frames.duration[0]))),
            ("image relative start time (sec) [1]", repr(float(frames.start[0]))),
        ]
    return fields
