"""Changes to files that a disk, a careless program or an enemy could make, drawn from a seed."""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Callable
from typing import Any

__all__ = ["Mutate", "change_bytes", "change_cells", "change_fields", "change_gzip", "change_lines"]

Mutate = Callable[[bytes, random.Random], bytes]
"""Return a changed file."""

NUMBERS: tuple[Any, ...] = (
    0, 1, -1, 0.5, 2, 7, 60, 255, 256, 1000, 32767, 32768, 65536, 10**6, 2**31 - 1, 2**31, 2**32,
    2**53, 2**63, 2**64, 10**12, 10**30, 10**400, -(10**12), 1e-9, 1e-300, 1e300, 1.7e308, -1e300,
    5e-324, float("nan"), float("inf"), float("-inf"),
)  # fmt: skip
TEXTS = (
    "", " ", "n/a", "nan", "inf", "-inf", "1e999", "1_000", "0x10", "1,5", "1;2", "true", "null",
    "-", "+", "1e", "--1", "٣", "½", "µCi", "Bq", "kBq/mL", "Bq/mL", "SUV", "min", "s", "ms", "%",
    "\x00", "\x1b[2J", "\u2028", "\ufeff", "\ud7ff", "../../etc/passwd", "/etc/passwd", "/dev/zero",
    "C:\\x\\y", "a" * 300, "9" * 400, "9" * 5000, "{}", "[]", "{1,2", "F18", "C11", "X99", "ADMIN",
    "12:00:00", "25:61:61", "20240230", "99999999", "{{7*7}}", "<script>", "%s%n", "float", "blosc",
    "zstd", "gzip", "numcodecs.pickle", "int64", "float64", "complex64", "string", "bytes", "big",
)  # fmt: skip
_INTEGERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def change_bytes(raw: bytes, rng: random.Random) -> bytes:
    """Flip, overwrite, cut out, double, move or append bytes, one to four times."""
    out = bytearray(raw)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at = rng.randrange(len(out) + 1)
        if rng.random() < 0.5:
            at = min(at, rng.randrange(600))  # headers stand at the beginning
        end = min(len(out), at + rng.choice((1, 2, 4, 8, 16, 64, 1 << 12)))
        kind = rng.randrange(8)
        if kind == 0 and at < len(out):
            out[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and at < len(out):
            out[at] = rng.randrange(256)
        elif kind == 2:
            size = rng.choice((1, 2, 4, 8))
            number = rng.choice(_INTEGERS) & (256**size - 1)
            out[at : at + size] = number.to_bytes(size, rng.choice(("little", "big")))
        elif kind == 3:
            del out[at:end]
        elif kind == 4:
            out[at:at] = out[at:end]
        elif kind == 5:
            out[at:end] = rng.randbytes(end - at)
        elif kind == 6:
            del out[at:]
        else:
            out += rng.randbytes(rng.choice((1, 3, 16, 4096)))
    return bytes(out)


def change_gzip(raw: bytes, rng: random.Random) -> bytes:
    """Change what a gzip file holds, and sometimes the gzip file itself."""
    if rng.random() < 0.25:
        return change_bytes(raw, rng)
    return gzip.compress(change_bytes(gzip.decompress(raw), rng), 1)


def change_fields(raw: bytes, rng: random.Random) -> bytes:
    """Change fields of a JSON file one to three times, and sometimes its bytes."""
    if rng.random() < 0.2:
        return change_bytes(raw, rng)
    tree = json.loads(raw)
    for _ in range(rng.choice((1, 1, 2, 3))):
        _change_tree(tree, rng)
    return json.dumps(tree).encode()


def change_cells(raw: bytes, rng: random.Random) -> bytes:
    """Change cells, rows or columns of a table one to three times, and sometimes its bytes."""
    if rng.random() < 0.2:
        return change_bytes(raw, rng)
    rows = [line.split("\t") for line in raw.decode().rstrip("\n").split("\n")]
    for _ in range(rng.choice((1, 1, 2, 3))):
        row = rng.randrange(len(rows))
        column = rng.randrange(len(rows[row])) if rows[row] else 0
        kind = rng.randrange(9)
        if kind <= 2 and rows[row]:
            rows[row][column] = _text(rng)
        elif kind == 3 and rows[row]:
            rows[row][column] = _scaled(rows[row][column], rng)
        elif kind == 4 and rows[row]:
            del rows[row][column]
        elif kind == 5 and len(rows) > 1:
            del rows[row]
        elif kind == 6:
            rows.insert(row, list(rows[rng.randrange(len(rows))]))
        elif kind == 7:
            for cells in rows:
                cells.insert(min(column, len(cells)), _text(rng))
        else:
            rows[row], other = list(rows[rng.randrange(len(rows))]), rows[row]
            rows[rng.randrange(len(rows))] = list(other)
    end = rng.choice(("\n", "\n", "\n", "\r\n", "\r", "\n\n"))
    text = end.join("\t".join(cells) for cells in rows) + end
    return text.encode("utf-8", "surrogatepass")


def change_lines(raw: bytes, rng: random.Random) -> bytes:
    """Change lines ``name := value`` one to three times, and sometimes bytes."""
    if rng.random() < 0.2:
        return change_bytes(raw, rng)
    lines = raw.decode("latin-1").splitlines()
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(lines))
        name, mark, value = lines[at].partition(":=")
        kind = rng.randrange(6)
        if kind <= 1:
            lines[at] = f"{name}{mark} {_text(rng)}"
        elif kind == 2:
            digits = list(re.finditer(r"\d+", value))
            if digits:
                one = rng.choice(digits)
                value = value[: one.start()] + str(rng.choice(NUMBERS)) + value[one.end() :]
            lines[at] = f"{name}{mark}{value}"
        elif kind == 3:
            del lines[at]
            lines = lines or ["!INTERFILE :="]
        elif kind == 4:
            lines.insert(at, lines[rng.randrange(len(lines))])
        else:
            other = lines[rng.randrange(len(lines))].partition(":=")[2]
            lines[at] = f"{name}{mark}{other}"
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogatepass")


def _change_tree(tree: Any, rng: random.Random) -> None:
    """Change one place of parsed JSON."""
    places = list(_places(tree))
    if not places:
        return
    holder, key = rng.choice(places)
    kind = rng.randrange(8)
    if kind <= 3:
        holder[key] = _value(rng)
    elif kind == 4:
        del holder[key]
    elif kind == 5:
        holder[key] = [holder[key]]
    elif kind == 6 and isinstance(holder, list):
        holder.insert(key, holder[rng.randrange(len(holder))])
    elif kind == 6:
        other, name = rng.choice(places)
        if other is not holder:
            holder[key] = json.loads(json.dumps(other[name]))
    else:
        number = holder[key]
        if type(number) in (int, float) and abs(number) < 1e300:
            holder[key] = number * rng.choice((-1, 1e-3, 1e3, 60, 1 / 60, 1e12))


def _places(tree: Any) -> Any:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in list(items):
        yield tree, key
        if isinstance(value, dict | list):
            yield from _places(value)


def _value(rng: random.Random) -> Any:
    kind = rng.randrange(8)
    if kind <= 2:
        return rng.choice(NUMBERS)
    if kind <= 4:
        return rng.choice(TEXTS)
    if kind == 5:
        return rng.choice((None, True, False, [], {}, [[]], {"Units": {}}, {"": None}))
    if kind == 6:
        return [rng.choice(NUMBERS) for _ in range(rng.choice((1, 2, 3, 4, 6, 100)))]
    deep: Any = rng.choice(NUMBERS)
    for _ in range(rng.choice((2, 20, 200))):
        deep = [deep] if rng.random() < 0.5 else {"a": deep}
    return deep


def _text(rng: random.Random) -> str:
    return rng.choice(TEXTS) if rng.random() < 0.6 else str(rng.choice(NUMBERS))


def _scaled(cell: str, rng: random.Random) -> str:
    try:
        return repr(float(cell) * rng.choice((-1.0, 1e-3, 1e3, 60.0, 1e12, 1e200)))
    except ValueError:
        return cell + rng.choice(TEXTS)
