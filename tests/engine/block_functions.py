"""Block functions that a spawned process can import."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.seeds import generator
from betaplus.engine import MICROBATCH, Block


def draw(block: Block, context: dict) -> dict[str, np.ndarray]:
    """Random and arithmetic results per item, in microbatches; slow on request."""
    time.sleep(context.get("sleep", 0.0))
    start, stop = block.start, block.stop
    noise = np.stack(
        [generator(block.seed, item).standard_normal(3) for item in range(start, stop)]
    )
    product = np.empty((stop - start, 3))
    for low in range(0, stop - start, MICROBATCH):
        batch = np.zeros((MICROBATCH, 3))
        rows = noise[low : low + MICROBATCH]
        batch[: len(rows)] = rows
        product[low : low + len(rows)] = (batch @ context["matrix"])[: len(rows)]
    return {"noise": noise, "product": product.astype(np.float32)}


def fail_on_third(block: Block, context: dict) -> dict[str, np.ndarray]:
    """Raise what a user can mend in block 2; note every block that began."""
    (Path(context["folder"]) / f"began-{block.index}").touch()
    if block.index == 2:
        raise InputError("curve 1024 is not a number", "expected activity", "mask it")
    time.sleep(0.05)
    return {"index": np.array([block.index])}


def identify(block: Block, context: dict) -> dict[str, np.ndarray]:
    """Say which process ran the block and which loading of the context it saw."""
    time.sleep(0.01)
    return {"process": np.array([os.getpid()]), "context": np.array([id(context)])}


def sum_of(block: Block, context: float, values: np.ndarray) -> dict[str, np.ndarray]:
    """Add up a block's own share of the data."""
    return {"sum": context * values.sum(axis=1)}


def die(block: Block, context: dict) -> dict[str, np.ndarray]:
    """Have the process of block 2 killed, once for each name in a folder that it can remove."""
    if block.index == 2:
        for path in sorted(Path(context["folder"]).glob("death-*")):
            path.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
    (Path(context["folder"]) / f"ran-{block.index}-{time.monotonic_ns()}").touch()
    return draw(block, context)


def add(shared, index, values):
    return {"sum": values + shared, "index": np.array(index)}


def add_shared(shared, index, values):
    return add(shared[0], index, values)


def large_and_dead(delay: float) -> bytes:
    """Return what takes a while to send, and have the process killed meanwhile."""
    threading.Timer(delay, os.kill, (os.getpid(), signal.SIGKILL)).start()
    return bytes(1 << 27)


def fail_at(shared, index, values):
    if index == shared:
        raise ValueError(f"piece {index}")
    return add(0.0, index, values)


def add_or_die(folder, index, values):
    if index == 5:
        for path in Path(folder).glob("death-*"):
            path.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
    return add(7.0, index, values)
