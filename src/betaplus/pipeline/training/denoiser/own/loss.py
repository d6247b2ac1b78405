r"""What fine-tuning minimises: the squared distance to a target that is noisy itself.

With t = x + m, m independent of the noisy image y and of mean 0,
.. math:: E|D(y) - t|^2 = E|D(y) - x|^2 + E|m|^2,
so that the same D is the best for t as for the clean x: the mean of x given y (Lehtinen et al.,
"Noise2Noise", ICML 2018). It stays so with any weights that are known from y; with weights taken
from t, such as one over what t differs from y by, it does not: an item whose target came out near
to y would count for more. Errors are therefore in units of the noise that was measured in y.
"""

from __future__ import annotations

import torch
from torch import Tensor

from betaplus.denoising.inputs import Shown
from betaplus.denoising.network import SD, CorrectionNetwork

__all__ = ["mean_loss"]


def mean_loss(network: CorrectionNetwork, batch: dict[str, Tensor]) -> Tensor:
    """Return the loss of a batch: half in units of the noise, half in SUV.

    Args:
        network: The denoiser; only its mean is trained.
        batch: ``z``, (target - input) / n; ``sd``, n over its root mean square in the item;
            ``images`` and ``basis``, what is shown; ``told``; ``ratio``, shape (B,), the variance
            of the target's noise over that of the input.
    """
    axes = (1, 2, 3, 4)
    shown = Shown(images=batch["images"], basis=batch["basis"])
    square = (network.mean(shown, batch["told"]) - batch["z"]).square() / SD**2
    error = 0.5 * (square.mean(axes) + (batch["sd"].square() * square).mean(axes))
    # What a noisier target says counts for less; by counts, not by what came out.
    return torch.mean(error / (1.0 + batch["ratio"]))
