"""Reads changed files with every reader: ``python -m tests.fuzzing --number 20000``."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from tests.fuzzing.readers import READERS
from tests.fuzzing.run import fuzz


def main() -> int:
    """Run the readers that are asked for; return 1 if one did what it must not do."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzzing", description=__doc__)
    parser.add_argument("--reader", action="append", choices=sorted(READERS), help="default: all")
    parser.add_argument("--number", type=int, default=1000, help="files for each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--keep", type=Path, help="folder for files that were not dealt with")
    parser.add_argument("--messages", action="store_true", help="count plain errors by kind")
    asked = parser.parse_args()
    failed = False
    for name in asked.reader or READERS:
        begun = time.monotonic()
        found = fuzz(name, asked.number, asked.seed, asked.first, asked.keep)
        print(
            f"{name}: {asked.number} files from {asked.first}, seed {asked.seed}:"
            f" {found.refused} refused, {found.taken} read, {len(found.bad)} kinds of trouble;"
            f" slowest {found.slowest:.2f} s, memory {found.memory >> 20} MiB,"
            f" {time.monotonic() - begun:.0f} s",
            flush=True,
        )
        for said, numbers in found.bad.items():
            print(f"  {len(numbers)} x {said} (files {', '.join(map(str, numbers[:5]))})")
        if asked.messages:
            for words, count in found.messages.most_common(40):
                print(f"  {count:6d} {words}")
        failed |= bool(found.bad)
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
