"""Efficiencies of the mMR's lines from Siemens's normalisation file.

The components are combined as the mMR's own conventions have them:

    efficiency(v, r, plane) = interference(r, v mod 9) * sum over the plane's pairs of rings of
        crystal(d1, ring1) * crystal(d2, ring2) * geometric(ring1 + ring2, r) / axial(plane)

- Geometric effects, crystal interference and crystal efficiencies are sensitivities: they multiply,
  as in NiftyPET (Markiewicz et al., Neuroinformatics 2018, 16:95-115) and STIR. Interference is
  0.76 at the centre for crystals at the edge of a block, and the reference prompts follow it with a
  slope of 0.9. The geometric profile is 1 at the centre and 2.05 at the edge, where crystals are
  met aslant and stop more; the reference data, a head, do not reach far enough out to decide it.
- Axial effects are corrections: they divide, as in NiftyPET (STIR multiplies). The reference
  prompts fall where they rise (slope -1.06 of relative deviations from plane to plane), and they
  are 1.3 in the end planes. They are near 1 whether a plane has one pair of rings or six, so they
  do not contain that number: the sum over pairs brings it in, once. Planes are in Siemens's order
  (`plane_order`).
- Crystals are stored with the missing one last in each block of nine; `Scanner` has it first, hence
  a shift by one. The counts of single crystals in the reference data agree at that shift only.
- One pass of OSEM over the reference prompts reaches a log-likelihood 1226 lower where axial
  effects multiply, 3770 lower where interference divides, 1362 lower with the pairs alone.
- Dead time and additional axial effects are left out: the first needs singles rates, the second are
  within 7 % and of unpublished use.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from betaplus.core.scanner import Scanner
from betaplus.io.raw.norm_file import read_norm_file
from betaplus.io.raw.siemens import plane_order

__all__ = ["read_norm"]

_SHIFT = 1
"""Crystal c of the file is detector c + this."""


def read_norm(path: str | Path, scanner: Scanner) -> np.ndarray:
    """Return the efficiency of each line, pairs of rings included.

    Args:
        path: The header (``.n.hdr``) or its ``.n``.
        scanner: Whose it should be; its span may differ from the file's.

    Returns:
        Shape (view, radial, plane), float32; 0 where a crystal is missing.

    Raises:
        InputError: If the file is of another scanner, its sizes disagree, or a component is not
            above 0 everywhere.
    """
    from betaplus.io.raw.norm_kernel import add_pairs

    norm = read_norm_file(path, scanner)
    own = norm.michelogram
    axial = np.empty(own.planes)
    axial[plane_order(own)] = norm.axial
    pairs = scanner.michelogram.pairs
    plane = scanner.michelogram.plane_of_pair[pairs[:, 0], pairs[:, 1]]
    weight = 1.0 / axial[own.plane_of_pair[pairs[:, 0], pairs[:, 1]]]
    crystals = np.roll(norm.crystals, _SHIFT, axis=1)
    crystals[:, scanner.is_gap] = 0.0
    efficiency = np.zeros(scanner.shape[:3], dtype=np.float32)
    add_pairs(
        efficiency,
        np.ascontiguousarray(crystals.T),
        np.ascontiguousarray(norm.geometric.T),
        norm.interference,
        pairs.astype(np.int32),
        plane.astype(np.int32),
        weight,
        scanner.pairs,
    )
    return efficiency
