"""A whole data set.

`betaplus bids` runs a verb on every scan of a PET-BIDS data set and makes a table and a report of
the group. The data set is simulated; the commands are what you would type.
"""

from __future__ import annotations

import sys
from pathlib import Path

from betaplus.cli.main import run
from betaplus.io.tsv import read_table


def main(out: Path, quick: bool) -> dict[str, float]:
    """Analyse two scans or six; return how many rows the table of the group has."""
    few = ["--participants", "2", "--sessions", "1"] if quick else []
    regions = f"{out}/raw/derivatives/regions"
    commands = [
        ["simulate", "bids", "-o", f"{out}/raw", *few, "--overwrite", "--quiet"],
        ["bids", f"{out}/raw", f"{out}/done", "participant", "--verb", "kinetics", "--method",
         "patlak", "--curves", "--derivatives", regions, "--overwrite", "--no-report", "--quiet"],
        ["bids", f"{out}/raw", f"{out}/done", "group", "--verb", "kinetics", "--overwrite",
         "--quiet"],
    ]  # fmt: skip
    for command in commands:
        print("betaplus " + " ".join(command).replace(f"{out}/", ""))
        assert run(command) == 0
    table = next((out / "done").glob("*group*.tsv"))
    rows = read_table(table)
    print(f"{table.name}: {len(rows['region'])} rows, columns {', '.join(rows)}")
    return {"rows": float(len(rows["region"]))}


if __name__ == "__main__":
    main(Path("out/examples/14_data_set"), "--quick" in sys.argv)
