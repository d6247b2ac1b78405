"""What to cite for what was done."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["ALWAYS", "MODELS", "OF", "REFERENCES"]

REFERENCES: Mapping[str, str] = {
    "bids": "Gorgolewski et al. The brain imaging data structure, a format for organizing and"
    " describing outputs of neuroimaging experiments. Sci Data 2016, 3:160044."
    " doi:10.1038/sdata.2016.44",
    "pet-bids": "Norgaard et al. PET-BIDS, an extension to the brain imaging data structure for"
    " positron emission tomography. Sci Data 2022, 9:65. doi:10.1038/s41597-022-01164-1",
    "bids-apps": "Gorgolewski et al. BIDS apps: improving ease of use, accessibility, and"
    " reproducibility of neuroimaging data analysis methods. PLoS Comput Biol 2017, 13:e1005209."
    " doi:10.1371/journal.pcbi.1005209",
    "nomenclature": "Innis et al. Consensus nomenclature for in vivo imaging of reversibly"
    " binding radioligands. J Cereb Blood Flow Metab 2007, 27:1533-1539."
    " doi:10.1038/sj.jcbfm.9600493",
    "pmc": "Cappe et al. Adaptive importance sampling in general mixture classes. Stat Comput"
    " 2008, 18:447-459. doi:10.1007/s11222-008-9059-x",
    "pet-tracer": "Zhao et al. Generative consistency models for estimation of kinetic parametric"
    " image posteriors in total-body PET. 2025, arXiv:2509.13614",
    "flows": "Durkan et al. Neural spline flows. NeurIPS 2019. arXiv:1906.04032",
    "ddpm": "Ho, Jain and Abbeel. Denoising diffusion probabilistic models. NeurIPS 2020."
    " arXiv:2006.11239",
    "score": "Song et al. Score-based generative modeling through stochastic differential"
    " equations. ICLR 2021. arXiv:2011.13456",
    "patlak": "Patlak, Blasberg and Fenstermacher. Graphical evaluation of blood-to-brain"
    " transfer constants from multiple-time uptake data. J Cereb Blood Flow Metab 1983, 3:1-7."
    " doi:10.1038/jcbfm.1983.1",
    "logan": "Logan et al. Graphical analysis of reversible radioligand binding from"
    " time-activity measurements applied to [N-11C-methyl]-(-)-cocaine PET studies in human"
    " subjects. J Cereb Blood Flow Metab 1990, 10:740-747. doi:10.1038/jcbfm.1990.127",
    "srtm": "Lammertsma and Hume. Simplified reference tissue model for PET receptor studies."
    " NeuroImage 1996, 4:153-158. doi:10.1006/nimg.1996.0066",
    "mrtm": "Ichise et al. Linearized reference tissue parametric imaging methods: application to"
    " [11C]DASB positron emission tomography studies of the serotonin transporter in human brain."
    " J Cereb Blood Flow Metab 2003, 23:1096-1112. doi:10.1097/01.WCB.0000085441.37552.CA",
    "tissue": "Gunn, Gunn and Cunningham. Positron emission tomography compartmental models. J"
    " Cereb Blood Flow Metab 2001, 21:635-652. doi:10.1097/00004647-200106000-00002",
    "patlak-diffusion": "Huang et al. Patlak parametric image estimation from dynamic PET using"
    " diffusion model prior. 2025, arXiv:2512.19584",
    "red-diff": "Mardani et al. A variational perspective on solving inverse problems with"
    " diffusion models. ICLR 2024. arXiv:2305.04391",
    "kernel": "Wang and Qi. PET image reconstruction using kernel method. IEEE Trans Med Imaging"
    " 2015, 34:61-71. doi:10.1109/TMI.2014.2343916",
    "denoiser": "Yu et al. Robust whole-body PET image denoising using 3D diffusion models:"
    " evaluation across various scanners, tracers, and dose levels. Eur J Nucl Med Mol Imaging"
    " 2025. doi:10.1007/s00259-025-07122-4",
    "dts-inn": "Sun et al. Temporal image sequence separation in dual-tracer dynamic PET with an"
    " invertible network. IEEE Trans Radiat Plasma Med Sci 2024.",
    "parallel": "Koeppe et al. Dual-[11C]tracer single-acquisition positron emission tomography"
    " studies. J Cereb Blood Flow Metab 2001, 21:1480-1492. doi:10.1097/00004647-200112000-00013",
    "multitracer": "Kadrmas and Rust. Feasibility of rapid multitracer PET tumor imaging. IEEE"
    " Trans Nucl Sci 2005, 52:1341-1347.",
    "extrapolation": "Joshi et al. J Cereb Blood Flow Metab 2009. doi:10.1038/jcbfm.2009.53",
    "osem": "Hudson and Larkin. Accelerated image reconstruction using ordered subsets of"
    " projection data. IEEE Trans Med Imaging 1994, 13:601-609. doi:10.1109/42.363108",
    "map-em": "De Pierro. A modified expectation maximization algorithm for penalized likelihood"
    " estimation in emission tomography. IEEE Trans Med Imaging 1995, 14:132-137."
    " doi:10.1109/42.370409",
    "patches": "Wang and Qi. Penalized likelihood PET image reconstruction using patch-based"
    " edge-preserving regularization. IEEE Trans Med Imaging 2012, 31:2194-2204.",
    "bsrem": "Ahn and Fessler. Globally convergent image reconstruction for emission tomography"
    " using relaxed ordered subsets algorithms. IEEE Trans Med Imaging 2003, 22:613-626."
    " doi:10.1109/TMI.2003.812251",
    "svrg": "Ehrhardt, Kereta and Schramm. Fast PET reconstruction with variance reduction and"
    " prior-aware preconditioning. Front Nucl Med 2025. doi:10.3389/fnume.2025.1641215",
    "rdp": "Nuyts et al. A concave prior penalizing relative differences for maximum-a-posteriori"
    " reconstruction in emission tomography. IEEE Trans Nucl Sci 2002, 49:56-60."
    " doi:10.1109/TNS.2002.998681",
    "marquardt": "Marquardt. An algorithm for least-squares estimation of nonlinear parameters. J"
    " Soc Ind Appl Math 1963, 11:431-441. doi:10.1137/0111030",
    "nuts": "Hoffman and Gelman. The No-U-Turn sampler: adaptively setting path lengths in"
    " Hamiltonian Monte Carlo. J Mach Learn Res 2014, 15:1593-1623.",
    "abc": "Toni et al. Approximate Bayesian computation scheme for parameter inference and model"
    " selection in dynamical systems. J R Soc Interface 2009, 6:187-202."
    " doi:10.1098/rsif.2008.0172",
    "nlm": "Buades, Coll and Morel. A non-local algorithm for image denoising. CVPR 2005."
    " doi:10.1109/CVPR.2005.38",
    "tv": "Rudin, Osher and Fatemi. Nonlinear total variation based noise removal algorithms."
    " Physica D 1992, 60:259-268. doi:10.1016/0167-2789(92)90242-F",
    "nnls": "Lawson and Hanson. Solving least squares problems. Prentice-Hall 1974.",
    "ddim": "Song, Meng and Ermon. Denoising diffusion implicit models. ICLR 2021."
    " arXiv:2010.02502",
    "consistency": "Song et al. Consistency models. ICML 2023. arXiv:2303.01469",
    "nmf": "Lee and Seung. Learning the parts of objects by non-negative matrix factorization."
    " Nature 1999, 401:788-791. doi:10.1038/44565",
    "dps": "Chung et al. Diffusion posterior sampling for general noisy inverse problems. ICLR"
    " 2023. arXiv:2209.14687",
    "split-gibbs": "Vono, Dobigeon and Chainais. Split-and-augmented Gibbs sampler: application"
    " to large-scale inference problems. IEEE Trans Signal Process 2019, 67:1648-1661.",
    "pet-dds": "Webber et al. Generative-model-based fully 3D PET image reconstruction by"
    " conditional diffusion sampling. 2024, arXiv:2412.04319",
    "conditional-diffusion": "Saharia et al. Image super-resolution via iterative refinement. IEEE"
    " Trans Pattern Anal Mach Intell 2023. arXiv:2104.07636",
    "dpm-solver": "Lu et al. DPM-Solver++: fast solver for guided sampling of diffusion"
    " probabilistic models. 2022, arXiv:2211.01095",
    "lisch": "Webber et al. Likelihood-scheduled score-based generative modeling for fully 3D PET"
    " image reconstruction. IEEE Trans Med Imaging 2025, 44:4445-4456. arXiv:2412.04339",
}
"""Key to what is cited: authors, title, where and when, then ``doi:`` or ``arXiv:``. What could not
be looked up (volume, pages, DOI) is left out."""

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
    ("patlak", "red-diff"): ("patlak", "patlak-diffusion", "red-diff"),
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
    ("separate", "compartment"): ("parallel", "multitracer"),
    ("separate", "extrapolation"): ("extrapolation",),
    ("separate", "nmf"): ("nmf",),
    ("reconstruct", "osem"): ("osem",),
    ("reconstruct", "map-em"): ("map-em", "patches"),
    ("reconstruct", "bsrem"): ("bsrem", "rdp"),
    ("reconstruct", "svrg"): ("svrg", "rdp"),
    ("reconstruct", "dds"): ("pet-dds",),
    ("reconstruct", "dds-published"): ("pet-dds",),
    ("reconstruct", "lisch"): ("lisch", "pet-dds"),
    ("reconstruct", "conditional"): ("conditional-diffusion", "dpm-solver"),
    ("reconstruct", "gibbs"): ("split-gibbs",),
    ("reconstruct", "dps"): ("dps",),
}
"""Verb and method to what describes it."""
