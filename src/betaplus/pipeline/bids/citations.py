"""What to cite for what was done."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["ALWAYS", "MODELS", "OF", "REFERENCES"]

REFERENCES: Mapping[str, str] = {
    "bids": "Gorgolewski et al. The brain imaging data structure, a format for organizing and"
    " describing outputs of neuroimaging experiments. Sci Data 2016, 3:160044.",
    "pet-bids": "Norgaard et al. PET-BIDS, an extension to the brain imaging data structure for"
    " positron emission tomography. Sci Data 2022, 9:65.",
    "bids-apps": "Gorgolewski et al. BIDS apps: improving ease of use, accessibility, and"
    " reproducibility of neuroimaging data analysis methods. PLoS Comput Biol 2017, 13:e1005209.",
    "nomenclature": "Innis et al. Consensus nomenclature for in vivo imaging of reversibly binding"
    " radioligands. J Cereb Blood Flow Metab 2007, 27:1533-1539.",
    "pmc": "Cappe et al. Adaptive importance sampling in general mixture classes. Stat Comput"
    " 2008.",
    "pet-tracer": "Zhao et al. Generative consistency models for estimation of kinetic parametric"
    " image posteriors in total-body PET. arXiv 2509.13614, 2025.",
    "flows": "Durkan et al. Neural spline flows. NeurIPS 2019.",
    "ddpm": "Ho et al. Denoising diffusion probabilistic models. NeurIPS 2020.",
    "score": "Song et al. Score-based generative modeling through stochastic differential"
    " equations. ICLR 2021.",
    "patlak": "Patlak, Blasberg and Fenstermacher. Graphical evaluation of blood-to-brain transfer"
    " constants from multiple-time uptake data. J Cereb Blood Flow Metab 1983, 3:1-7.",
    "logan": "Logan et al. Graphical analysis of reversible radioligand binding from"
    " time-activity measurements. J Cereb Blood Flow Metab 1990, 10:740-747.",
    "srtm": "Lammertsma and Hume. Simplified reference tissue model for PET receptor studies."
    " NeuroImage 1996, 4:153-158.",
    "mrtm": "Ichise et al. Linearized reference tissue parametric imaging methods. J Cereb Blood"
    " Flow Metab 2003, 23:1096-1112.",
    "tissue": "Gunn, Gunn and Cunningham. Positron emission tomography compartmental models. J"
    " Cereb Blood Flow Metab 2001, 21:635-652.",
    "patlak-diffusion": "Patlak images with a diffusion prior: arXiv 2512.19584, 2025.",
    "kernel": "Wang and Qi. PET image reconstruction using kernel method. IEEE Trans Med Imaging"
    " 2015, 34:61-71.",
    "denoiser": "Yu et al. Eur J Nucl Med Mol Imaging 2025, doi 10.1007/s00259-025-07122-4.",
    "dts-inn": "Sun et al. IEEE Trans Radiat Plasma Med Sci 2024 (DTS-INN).",
    "parallel": "Koeppe et al. J Cereb Blood Flow Metab 2001, 21:1480-1492.",
    "extrapolation": "Kadrmas and Rust. IEEE Trans Nucl Sci 2005, 52:1341-1347.",
    "osem": "Hudson and Larkin. Accelerated image reconstruction using ordered subsets of"
    " projection data. IEEE Trans Med Imaging 1994, 13:601-609.",
    "map-em": "De Pierro. A modified expectation maximization algorithm for penalized likelihood"
    " estimation in emission tomography. IEEE Trans Med Imaging 1995, 14:132-137.",
    "bsrem": "Ahn and Fessler. Globally convergent image reconstruction for emission tomography"
    " using relaxed ordered subsets algorithms. IEEE Trans Med Imaging 2003, 22:613-626.",
    "svrg": "Ehrhardt, Schramm and Kereta. IEEE Trans Radiat Plasma Med Sci 2025.",
    "rdp": "Nuyts et al. A concave prior penalizing relative differences for"
    " maximum-a-posteriori reconstruction in emission tomography. IEEE Trans Nucl Sci 2002,"
    " 49:56-60.",
    "marquardt": "Marquardt. An algorithm for least-squares estimation of nonlinear parameters. J"
    " Soc Ind Appl Math 1963, 11:431-441.",
    "nuts": "Hoffman and Gelman. The No-U-Turn sampler. J Mach Learn Res 2014, 15:1593-1623.",
    "abc": "Toni et al. Approximate Bayesian computation scheme for parameter inference and model"
    " selection in dynamical systems. J R Soc Interface 2009, 6:187-202.",
    "nlm": "Buades, Coll and Morel. A non-local algorithm for image denoising. CVPR 2005.",
    "tv": "Rudin, Osher and Fatemi. Nonlinear total variation based noise removal algorithms."
    " Physica D 1992, 60:259-268.",
    "nnls": "Lawson and Hanson. Solving least squares problems. Prentice-Hall 1974.",
    "ddim": "Song, Meng and Ermon. Denoising diffusion implicit models. ICLR 2021.",
    "consistency": "Song et al. Consistency models. ICML 2023.",
    "nmf": "Lee and Seung. Learning the parts of objects by non-negative matrix factorization."
    " Nature 1999, 401:788-791.",
    "dps": "Chung et al. Diffusion posterior sampling for general noisy inverse problems. ICLR"
    " 2023.",
    "split-gibbs": "Vono, Dobigeon and Chainais. Split-and-augmented Gibbs sampler: application to"
    " large-scale inference problems. IEEE Trans Signal Process 2019, 67:1648-1661.",
    "pet-dds": "Webber et al. arXiv 2412.04319, 2024 (PET-DDS).",
}

ALWAYS = ("bids", "pet-bids", "bids-apps")

MODELS: Mapping[str, tuple[str, ...]] = {
    "1TCM": ("tissue", "nomenclature"),
    "2TCM3k": ("tissue", "nomenclature"),
    "2TCM": ("tissue", "nomenclature"),
    "SRTM": ("srtm", "nomenclature"),
    "MRTM2": ("mrtm", "nomenclature"),
    "Patlak": ("patlak",),
    "Logan": ("logan", "nomenclature"),
}
"""Model to what describes it."""

OF: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("kinetics", "exact"): ("pmc",),
    ("kinetics", "consistency"): ("pet-tracer",),
    ("kinetics", "consistency-published"): ("pet-tracer",),
    ("kinetics", "flow"): ("flows",),
    ("kinetics", "ddpm"): ("ddpm",),
    ("kinetics", "score"): ("score",),
    ("kinetics", "nlls"): ("marquardt",),
    ("kinetics", "nuts"): ("nuts",),
    ("kinetics", "abc"): ("abc",),
    ("kinetics", "patlak"): ("patlak",),
    ("kinetics", "logan"): ("logan",),
    ("kinetics", "mrtm2"): ("mrtm",),
    ("patlak", "hqs"): ("patlak", "patlak-diffusion"),
    ("patlak", "red-diff"): ("patlak", "patlak-diffusion"),
    ("patlak", "gibbs"): ("patlak", "patlak-diffusion"),
    ("patlak", "nnls"): ("patlak", "nnls"),
    ("patlak", "nlm"): ("patlak", "nlm"),
    ("patlak", "tv"): ("patlak", "tv"),
    ("patlak", "kernel"): ("patlak", "kernel"),
    ("denoise", "nlm"): ("nlm",),
    ("denoise", "consistency"): ("consistency",),
    ("denoise", "ddim"): ("ddim",),
    ("denoise", "ddpm"): ("ddpm", "denoiser"),
    ("separate", "inn"): ("dts-inn",),
    ("separate", "inn-published"): ("dts-inn",),
    ("separate", "compartment"): ("parallel",),
    ("separate", "extrapolation"): ("extrapolation",),
    ("separate", "nmf"): ("nmf",),
    ("reconstruct", "osem"): ("osem",),
    ("reconstruct", "map-em"): ("map-em",),
    ("reconstruct", "bsrem"): ("bsrem", "rdp"),
    ("reconstruct", "svrg"): ("svrg", "rdp"),
    ("reconstruct", "dds"): ("pet-dds",),
    ("reconstruct", "dds-published"): ("pet-dds",),
    ("reconstruct", "lisch"): ("pet-dds",),
    ("reconstruct", "gibbs"): ("split-gibbs",),
    ("reconstruct", "dps"): ("dps",),
}
"""Verb and method to what describes it."""
