"""Linear operators inside torch's graph: backward is the adjoint."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from betaplus.physics.linear_operator import LinearOperator

__all__ = ["apply_operator"]


class _Apply(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor, operator: LinearOperator, turned: bool) -> Tensor:
        context.operator, context.turned = operator, turned
        context.device, context.dtype = x.device, x.dtype
        values = np.ascontiguousarray(x.detach().cpu().numpy(), dtype=np.float32)
        out = operator.adjoint(values) if turned else operator.forward(values)
        return torch.from_numpy(out).to(x.device, x.dtype)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        # through itself, so that it can be differentiated again
        out = _Apply.apply(gradients[0], context.operator, not context.turned)
        return out.to(context.device, context.dtype), None, None


def apply_operator(operator: LinearOperator, x: Tensor, *, adjoint: bool = False) -> Tensor:
    """Return what a linear operator makes of a tensor; gradients go through its adjoint.

    Args:
        operator: The operator, such as a `Projector`; it works in float32 on the CPU.
        x: Tensor of its `in_shape`, or `out_shape` for the adjoint, on any device.
        adjoint: Apply the adjoint instead.
    """
    return _Apply.apply(x, operator, adjoint)
