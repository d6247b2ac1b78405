"""Images against a reference: errors, structure, regions, realisations, uncertainty."""

from betaplus.evaluation.images.errors import mean_bias, nrmse, peak, psnr
from betaplus.evaluation.images.realisations import BiasVariance, Realisations, bias_variance
from betaplus.evaluation.images.regions import (
    RegionMeans,
    background_variability,
    cold_recovery,
    contrast_recovery,
    region_means,
)
from betaplus.evaluation.images.ssim import ssim, ssim_map
from betaplus.evaluation.images.uncertainty import (
    Sparsification,
    VoxelScores,
    normal_coverage,
    sparsification,
    voxel_scores,
)

__all__ = [
    "BiasVariance",
    "Realisations",
    "RegionMeans",
    "Sparsification",
    "VoxelScores",
    "background_variability",
    "bias_variance",
    "cold_recovery",
    "contrast_recovery",
    "mean_bias",
    "normal_coverage",
    "nrmse",
    "peak",
    "psnr",
    "region_means",
    "sparsification",
    "ssim",
    "ssim_map",
    "voxel_scores",
]
