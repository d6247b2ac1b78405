r"""The tissues of a person by their kinetics, where blood and arrival of both tracers are known.

With :math:`\phi` the logarithms of K1, k2, k3, k4, VB of both tracers in every region of a person,
and :math:`\phi \sim N(\bar\phi, \Phi)` over people, coefficients of a region and how its voxels
depart from it are the moments over voxels of the curves that these kinetics make,

.. math:: \theta_r(\phi) = E[c \mid \phi_r], \qquad W_r(\phi) = \mathrm{cov}(c \mid \phi_r) .

Uptake of twice the usual has four times the usual W, and frames in which a tracer shows badly
follow from those in which it shows well, by the compartment model: of neither knows a Gaussian of
coefficients. What voxels say of :math:`\theta` is a quadratic,
:math:`-\frac12 \theta^T A \theta + b^T \theta`; the :math:`\phi` that is most probable is found by
the method of Gauss and Newton (Nocedal and Wright, Numerical Optimization, 2006, section 10.3).
"""

from __future__ import annotations

import numpy as np

from betaplus.separation.basis import CurveSpace
from betaplus.separation.tissue_curves import CurveSource
from betaplus.separation.tissue_kinetics import altered_logs, voxel_logs
from betaplus.separation.tissue_prior import TissuePrior, nearest
from betaplus.simulation.subject import PARAMETERS

__all__ = ["PersonKinetics"]

_VOXELS = 64  # drawn of every region
_SEED = 11
_LEAST = 1e-8  # of a rate: its logarithm is taken
_RIDGE = (1e-4, 1e-3)  # of Phi: absolute, and over the variance
_FEW = 0.25  # parameters of a tracer over people, at which their regions are half independent
_STEP = 0.01  # of logarithms: differences are central
_LONGEST = 1.0  # of a step, likewise
_SHORTEST = 0.05  # of a step that is halved
_THIN = 1e-9


class PersonKinetics:
    """Kinetics of a person, and what they make in coefficients.

    Args:
        source: Kinetics of people, and curves of any [scale].
        spaces: What coefficients are of [scale].
        decay: d, shape (2, T).
        weights: w, shape (T,).
    """

    def __init__(
        self,
        source: CurveSource,
        spaces: tuple[CurveSpace, CurveSpace],
        decay: np.ndarray,
        weights: np.ndarray,
    ) -> None:
        kinetics = source.kinetics
        self.source, self.spaces, self.hosts = source, spaces, kinetics.hosts
        self.regions = len(kinetics.names)
        self._to = [nearest(space, weights * decay[i] ** 2) for i, space in enumerate(spaces)]
        logs = [
            np.stack([np.log(np.maximum(one[p], _LEAST)) for p in PARAMETERS], -1).reshape(
                -1, self.regions, len(PARAMETERS)
            )
            for one in kinetics.regions
        ]
        self.mean = np.stack([each.mean(0) for each in logs])
        """Of phi, shape (2, R, 5)."""
        half = self.mean[0].size
        self.precision = np.zeros((2 * half, 2 * half))
        """Inverse of Phi, shape (10 R, 10 R)."""
        for i, each in enumerate(logs):
            own = slice(i * half, (i + 1) * half)
            self.precision[own, own] = np.linalg.inv(_covariance(each))
        rng = np.random.default_rng(_SEED)
        drawn = rng.standard_normal((_VOXELS // 2, 10))
        self._drawn = np.concatenate([drawn, -drawn])
        self._altered = (
            rng.uniform(size=(_VOXELS, self.regions)),
            rng.standard_normal((2, _VOXELS, self.regions)),
        )

    def coefficients(self, tracer: int, logs: np.ndarray) -> np.ndarray:
        """Return coefficients of a tracer, shape (..., K_i), of kinetics of shape (..., 5)."""
        flat = np.exp(logs.reshape(-1, len(PARAMETERS)))
        curves = self.source.curves(tracer, dict(zip(PARAMETERS, flat.T, strict=True)))
        off = (curves - self.spaces[tracer].mean) @ self._to[tracer]
        return off.reshape(*logs.shape[:-1], -1)

    def voxels(self, phi: np.ndarray) -> np.ndarray:
        """Return coefficients of voxels, shape (V, R, K); the same field in every region."""
        changes = voxel_logs(self._drawn)
        return np.concatenate(
            [self.coefficients(i, phi[i] + changes[i][:, None]) for i in (0, 1)], -1
        )

    def means(self, phi: np.ndarray) -> np.ndarray:
        """Return theta, shape (R, K)."""
        return self.voxels(phi).mean(0)

    def slopes(self, phi: np.ndarray) -> np.ndarray:
        """Return d theta / d phi, shape (R K, 10 R)."""
        sizes = [space.size for space in self.spaces]
        count = len(PARAMETERS)
        out = np.zeros((self.regions, sum(sizes), 2, self.regions, count))
        moved = _STEP * np.concatenate([np.eye(count), -np.eye(count)])
        changes = voxel_logs(self._drawn)
        first, each = 0, np.arange(self.regions)
        for i in (0, 1):
            logs = phi[i] + changes[i][:, None, None] + moved[:, None]
            c = self.coefficients(i, logs).mean(0)
            own = slice(first, first + sizes[i])
            slope = (c[:count] - c[count:]) / (2.0 * _STEP)
            out[each, own, i, each] = slope.transpose(1, 2, 0)
            first = own.stop
        return out.reshape(self.regions * sum(sizes), -1)

    def objective(self, phi: np.ndarray, system: np.ndarray, right: np.ndarray) -> float:
        """Return half of what `fitted` makes least, but for a constant."""
        theta, off = self.means(phi).reshape(-1), (phi - self.mean).reshape(-1)
        return float(
            0.5 * theta @ system @ theta - right @ theta + 0.5 * off @ self.precision @ off
        )

    def fitted(
        self, system: np.ndarray, right: np.ndarray, start: np.ndarray, steps: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the most probable phi, shape (2, R, 5), and covariances, shape (10 R, 10 R).

        Args:
            system: A, shape (R K, R K).
            right: b, shape (R K,).
            start: phi to begin with.
            steps: At most; none makes the objective larger.
        """
        phi, value = start, self.objective(start, system, right)
        for step in range(steps + 1):
            slopes, off = self.slopes(phi), (phi - self.mean).reshape(-1)
            curved = slopes.T @ system @ slopes + self.precision
            if step == steps:
                break
            theta = self.means(phi).reshape(-1)
            way = slopes.T @ (system @ theta - right) + self.precision @ off
            change = -np.linalg.solve(curved, way).reshape(phi.shape)
            change *= min(1.0, _LONGEST / max(float(np.abs(change).max()), _THIN))
            length = 1.0
            while length > _SHORTEST:
                tried = phi + length * change
                found = self.objective(tried, system, right)
                if found < value:
                    phi, value = tried, found
                    break
                length *= 0.5
            else:
                break
        return phi, np.linalg.inv(curved)

    def prior(self, phi: np.ndarray, covariance: np.ndarray) -> TissuePrior:
        """Return what tissues of the person are like.

        Args:
            phi: Kinetics, shape (2, R, 5).
            covariance: How uncertain they are, shape (10 R, 10 R).
        """
        voxels, slopes = self.voxels(phi), self.slopes(phi)
        mean = voxels.mean(0)
        off = voxels - mean
        border = np.einsum("vrk,vql->rkql", off, off) / len(off)
        size = mean.shape[1]
        uncertain = slopes @ covariance @ slopes.T + _THIN * np.eye(len(slopes))
        logs = altered_logs(phi, *self._altered)
        altered = np.concatenate([self.coefficients(i, logs[i]) for i in (0, 1)], -1)
        whole = np.concatenate([self.coefficients(i, phi[i]) for i in (0, 1)], -1)
        apart = altered - altered.mean(0)
        return TissuePrior(
            mean=mean,
            between=uncertain.reshape(self.regions, size, self.regions, size),
            within=np.stack([border[r, :, r] for r in range(self.regions)]),
            lift=altered.mean(0) - whole,
            lifted=np.einsum("vrk,vrl->rkl", apart, apart) / len(apart),
            hosts=self.hosts,
            first=self.spaces[0].size,
            border=border,
        )


def _covariance(logs: np.ndarray) -> np.ndarray:
    """Return the covariance over people (P, R, 5), between regions shrunk where people are few."""
    people, regions, count = logs.shape
    off = (logs - logs.mean(0)).reshape(people, -1)
    whole = off.T @ off / max(people - 1, 1)
    few = _FEW * off.shape[1] / people
    kept = np.kron(np.eye(regions), np.ones((count, count)))
    whole *= kept + (1.0 - kept) / (1.0 + few)
    return whole + np.diag(_RIDGE[0] + _RIDGE[1] * np.diagonal(whole))
