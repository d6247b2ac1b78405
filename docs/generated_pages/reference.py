"""The pages of the reference: which modules stand on which page."""

from __future__ import annotations

PAGES = {
    "core": (
        "Nouns",
        "What everything else is said in: images, frames, blood, curves, posteriors.",
        (
            "betaplus.core.image",
            "betaplus.core.frames",
            "betaplus.core.input_function",
            "betaplus.core.tacs",
            "betaplus.core.posterior",
            "betaplus.core.tracer",
            "betaplus.core.scanner",
            "betaplus.core.raw",
            "betaplus.core.units",
            "betaplus.core.errors",
        ),
    ),
    "io": (
        "Reading and writing",
        "Files to nouns and back; nothing is guessed.",
        (
            "betaplus.io.open",
            "betaplus.io.blood",
            "betaplus.io.tacs",
            "betaplus.io.suv",
            "betaplus.io.derivatives",
            "betaplus.io.raw.store",
        ),
    ),
    "verbs": (
        "Verbs",
        "The five tasks as functions: the same names and defaults as on the command line.",
        (
            "betaplus.kinetics.fit",
            "betaplus.kinetics.method",
            "betaplus.kinetics.prior",
            "betaplus.patlak.fitting",
            "betaplus.patlak.hqs",
            "betaplus.patlak.red_diff",
            "betaplus.patlak.twicing",
            "betaplus.denoising.denoise",
            "betaplus.denoising.gaussian",
            "betaplus.separation.fitting",
            "betaplus.separation.problem",
            "betaplus.reconstruction.reconstruct",
            "betaplus.reconstruction.score.data_steps",
            "betaplus.reconstruction.score.vp",
        ),
    ),
    "physics": (
        "Physics",
        "Forward models with adjoints, compartment models, noise. No networks here.",
        (
            "betaplus.physics.compartments",
            "betaplus.physics.response",
            "betaplus.physics.em",
            "betaplus.physics.patlak",
            "betaplus.physics.projector.projector",
        ),
    ),
    "generative": (
        "Generative",
        "Networks, noise schedules, samplers. No PET here.",
        (
            "betaplus.generative.denoiser",
            "betaplus.generative.schedules",
            "betaplus.generative.samplers",
            "betaplus.generative.consistency",
            "betaplus.generative.tiling",
            "betaplus.generative.bundle",
        ),
    ),
    "simulation": (
        "Simulation and evaluation",
        "Measurements with known truth, and how far from it a result is.",
        (
            "betaplus.simulation.dynamic",
            "betaplus.simulation.curves",
            "betaplus.simulation.static",
            "betaplus.evaluation.coverage",
            "betaplus.evaluation.ranks",
            "betaplus.evaluation.tarp",
        ),
    ),
    "engine": (
        "Engine",
        "Independent blocks, executors, the journal behind `--resume`.",
        ("betaplus.engine.plan", "betaplus.engine.run", "betaplus.engine.journal"),
    ),
}


def pages() -> dict[str, str]:
    """Return the text of each page by its name."""
    return {
        f"reference/{name}.md": f"# {title}\n\n{about}\n\n"
        + "\n\n".join(f"::: {module}" for module in modules)
        + "\n"
        for name, (title, about, modules) in PAGES.items()
    }
