"""A plan of independent blocks, the workers that run them, and a journal to resume from."""

from betaplus.engine.choice import ENGINES, Choice, check_engine
from betaplus.engine.crew import EngineCrew
from betaplus.engine.executors import (
    InlineExecutor,
    default_workers,
    make_executor,
    open_engine,
    open_executor,
    workers_lost,
    workers_of,
)
from betaplus.engine.journal import Journal, work_folder
from betaplus.engine.key import Key, content_key
from betaplus.engine.memory import MemoryPlan, PeakMemory, memory_plan, parse_memory, peak_memory
from betaplus.engine.plan import MICROBATCH, Block, plan_curves
from betaplus.engine.run import Run, assemble, run
from betaplus.engine.workers import Workers

__all__ = [
    "ENGINES",
    "MICROBATCH",
    "Block",
    "Choice",
    "EngineCrew",
    "InlineExecutor",
    "Journal",
    "Key",
    "MemoryPlan",
    "PeakMemory",
    "Run",
    "Workers",
    "assemble",
    "check_engine",
    "content_key",
    "default_workers",
    "make_executor",
    "memory_plan",
    "open_engine",
    "open_executor",
    "parse_memory",
    "peak_memory",
    "plan_curves",
    "run",
    "work_folder",
    "workers_lost",
    "workers_of",
]
