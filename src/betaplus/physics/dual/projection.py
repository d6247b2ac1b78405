r"""A pair of images put back onto what was measured.

A pair leaves :math:`r = m - d_1 x_1 - d_2 x_2`. If x_1 and x_2 have errors of variance v_1 and v_2
that know nothing of each other and m has noise of variance s^2, what is expected of the errors
given r is the Gaussian conditional mean,

.. math:: x_i \leftarrow x_i + \frac{d_i v_i}{d_1^2 v_1 + d_2^2 v_2 + s^2}\, r .

s^2 = 0 meets the measurement exactly and gives the tracers the noise of m; with s^2 that of m, a
pair takes from the measurement as much as it is worth.
"""

from __future__ import annotations

from torch import Tensor

from betaplus.core.errors import UsageError

__all__ = ["project_pair"]


def project_pair(
    x: Tensor,
    mixture: Tensor,
    decay: Tensor,
    prior_variance: Tensor,
    noise_variance: Tensor | float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Return the pair and its variances after it has seen the mixture, voxel by voxel and frame.

    Args:
        x: The pair, shape (2, ..., T).
        mixture: Measured, not decay-corrected, shape (..., T).
        decay: d of `Mixing`, shape (2, T).
        prior_variance: v of the pair's errors, broadcast to (2, ..., T); only ratios matter where
            the noise is 0.
        noise_variance: s^2 of the mixture, broadcast to (..., T).

    Returns:
        The pair and its variances, shape (2, ..., T). Frames before an injection, and those where
        both variances are 0, stay as they are.

    Raises:
        UsageError: If a variance is below 0.
    """
    middle = (1,) * (x.dim() - 2)
    d = decay.to(x.dtype).reshape(2, *middle, decay.shape[-1])
    v = prior_variance.to(x.dtype).expand_as(x)
    noise = (
        mixture.new_tensor(noise_variance)
        if isinstance(noise_variance, float)
        else (noise_variance.to(x.dtype))
    )
    if bool((v < 0).any()) or bool((noise < 0).any()):
        raise UsageError("a variance below 0", "expected 0 or more")
    residual = mixture.to(x.dtype) - (d * x).sum(0)
    total = (d * d * v).sum(0) + noise
    known = total > 0
    share = (d * v) * (known / total.where(known, total.new_ones(())))
    return x + share * residual, (v - share * d * v).clamp_min(0.0)
