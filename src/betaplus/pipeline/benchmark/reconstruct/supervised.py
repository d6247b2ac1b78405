"""A U-Net that learns to make OSEM of few counts the truth, slice by slice: a baseline.

It sees OSEM after one and after two passes, of a slice and of its neighbours, in units of the
level of the first; it says what lies between the first, smoothed by 5 mm, and the truth, by the
least mean square error in the head. Heads and counts are none of those that methods are judged on.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from betaplus.generative.unet import UNet, UNetSize
from betaplus.pipeline.benchmark.reconstruct.cases import Case
from betaplus.pipeline.benchmark.result_files import read_arrays, write_arrays
from betaplus.reconstruction.data import Data
from betaplus.reconstruction.osem_images import osem_images

__all__ = ["OsemNetwork", "inputs_of", "load_network", "pairs_of", "save_network", "train_network"]

_PASSES = 2
_BATCH = 8
_RATE = 1e-3


class OsemNetwork(nn.Module):
    """Slices of OSEM to clean ones.

    Args:
        widths: Channels of the U-Net's levels.
    """

    def __init__(self, widths: tuple[int, ...] = (24, 48, 72, 96)) -> None:
        super().__init__()
        self.widths = tuple(widths)
        size = UNetSize(dimensions=2, widths=self.widths, blocks=1, channels=3 * (_PASSES + 1))
        self.network = UNet(size)

    def forward(self, x: Tensor) -> Tensor:
        """Return clean slices, shape (B, 1, X, Y), of inputs (B, 9, X, Y) of `inputs_of`."""
        edge, (width, height) = self.network.size.multiple, x.shape[2:]
        padded = functional.pad(x, (0, -height % edge, 0, -width % edge))
        found = self.network(padded, x.new_zeros(len(x)))
        return x[:, 1:2] + found[..., :width, :height]

    def image(self, data: Data) -> np.ndarray:
        """Return the image of counts, shape (X, Y, Z), 0 outside the data's mask."""
        inputs, unit = inputs_of(data)
        with torch.no_grad():
            slices = [self(torch.from_numpy(part[None]))[0, 0].numpy() for part in inputs]
        image = np.maximum(np.stack(slices, axis=-1), 0.0) * np.float32(unit)
        return np.asarray(image * data.mask, dtype=np.float32)


def inputs_of(data: Data) -> tuple[np.ndarray, float]:
    """Return what the network sees, shape (Z, 9, X, Y), and the unit it is in.

    Smoothed OSEM of one pass, then of one and two passes as they are; each of the slice below, the
    slice, and the slice above.
    """
    images = osem_images(data, _PASSES)
    smooth = images[0]
    unit = float(np.square(smooth).sum(dtype=np.float64) / smooth.sum(dtype=np.float64))
    channels = []
    for image in images:
        slices = np.moveaxis(image / np.float32(unit), -1, 0)
        ends = np.concatenate([slices[:1], slices, slices[-1:]])
        channels += [ends[:-2], ends[1:-1], ends[2:]]
    return np.stack(channels, axis=1).astype(np.float32), unit


def pairs_of(case: Case, subsets: int, draws: int, path: Path) -> None:
    """Keep what a head teaches: ``inputs`` (N, 9, X, Y), ``truth`` and ``mask`` (N, X, Y)."""
    inputs, truths = [], []
    for draw in range(draws):
        found, unit = inputs_of(case.data(subsets, draw))
        inputs.append(found)
        truths.append(np.moveaxis(case.truth / np.float32(unit), -1, 0))
    mask = np.tile(np.moveaxis(case.mask, -1, 0), (draws, 1, 1))
    arrays: dict[str, np.ndarray] = {
        "inputs": np.concatenate(inputs).astype(np.float16),
        "truth": np.concatenate(truths),
    }
    write_arrays(path, {**arrays, "mask": mask})


def train_network(
    pairs: Sequence[Path],
    known: Sequence[Path],
    minutes: float,
    seed: int = 0,
    checks: int = 8,
    widths: tuple[int, ...] = (24, 48, 72, 96),
) -> tuple[OsemNetwork, list[dict[str, float]]]:
    """Train for some minutes; return the network that was best on other heads, and its checks.

    Args:
        pairs: Of heads to learn from (`pairs_of`).
        known: Of heads that choose among the networks on the way.
        minutes: Of training; the learning rate falls to 0 over them.
        seed: Of weights and the order of slices.
        checks: How often it is judged.
        widths: Of the network.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = OsemNetwork(widths)
    optimiser = torch.optim.AdamW(network.parameters(), lr=_RATE)
    learnt, held = ([read_arrays(path) for path in paths] for paths in (pairs, known))
    x, truth, mask = (np.concatenate([one[key] for one in learnt])
                      for key in ("inputs", "truth", "mask"))  # fmt: skip
    best, rows, began = _state(network), [], time.perf_counter()
    least, step = _error(network, held), 0
    for check in range(checks):
        while (spent := (time.perf_counter() - began) / (60.0 * minutes)) < (check + 1) / checks:
            optimiser.param_groups[0]["lr"] = _RATE * min(1.0, (step + 1) / 50) * (1.0 - spent)
            chosen = rng.integers(0, len(x), _BATCH)
            batch = [torch.from_numpy(v[chosen].astype(np.float32)) for v in (x, truth, mask)]
            if rng.random() < 0.5:
                batch = [v.flip(-2) for v in batch]
            error = (network(batch[0])[:, 0] - batch[1]).square() * batch[2]
            loss = error.sum() / batch[2].sum().clamp(min=1.0)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            step += 1
        found = _error(network, held)
        rows.append({"steps": step, "minutes": minutes * (check + 1) / checks, "NRMSE": found})
        if found < least:
            least, best = found, _state(network)
    network.load_state_dict({name: torch.from_numpy(value) for name, value in best.items()})
    return network.eval(), rows


def _state(network: nn.Module) -> dict[str, np.ndarray]:
    return {name: value.numpy().copy() for name, value in network.state_dict().items()}


def _error(network: OsemNetwork, held: Sequence[dict[str, np.ndarray]]) -> float:
    """Return the mean NRMSE of heads [%]."""
    found = []
    with torch.no_grad():
        for one in held:
            parts = torch.from_numpy(one["inputs"].astype(np.float32)).split(_BATCH)
            clean = torch.cat([network(part)[:, 0] for part in parts]).numpy().clip(0.0)
            inside = one["mask"].astype(bool)
            error = np.linalg.norm((clean - one["truth"])[inside].astype(np.float64))
            found.append(100.0 * error / np.linalg.norm(one["truth"][inside].astype(np.float64)))
    return float(np.mean(found))


def save_network(path: Path, network: OsemNetwork) -> None:
    """Write a network."""
    write_arrays(path, {**_state(network), "widths": np.array(network.widths)})


def load_network(path: Path) -> OsemNetwork:
    """Return a network that was written."""
    arrays = read_arrays(path)
    network = OsemNetwork(tuple(int(width) for width in arrays.pop("widths")))
    network.load_state_dict({name: torch.from_numpy(value) for name, value in arrays.items()})
    return network.eval()
