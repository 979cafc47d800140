"""Parametrizations of weights: length and direction apart, spectral norm 1, orthogonal."""

from __future__ import annotations

from typing import Any

from ...autograd.grad_mode import no_grad
from ...core.dtype import int64
from ...core.info import finfo
from ...core.tensor import Tensor
from ...ops.creation import zeros
from ...ops.join import cat
from ...ops.ranges import eye
from .. import functional as F
from ..module import Module
from .parametrize import register_parametrization
from .spectral_norm import as_matrix, default_dim
from .weight_norm import norm_except_dim, normed


def _tensor_of(module: Module, name: str) -> Tensor:
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    return weight


class _WeightNorm(Module):
    """w = g v / ‖v‖, from g (original0) and v (original1)."""

    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        """The weight."""
        return normed(weight_v, weight_g, self.dim)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Its length and direction."""
        return norm_except_dim(weight, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Learns the length and the direction of a weight apart (https://arxiv.org/abs/1602.07868).

    >>> import penlight as torch
    >>> layer = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(3, 2))
    >>> layer.parametrizations.weight.original0.shape
    torch.Size([2, 1])
    """
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def take_old_names(state_dict: dict, prefix: str, *_: Any) -> None:
        """A state dict of the hook-based form."""
        keys = (f"{prefix}{name}_g", f"{prefix}{name}_v")
        if all(key in state_dict for key in keys):
            for i, key in enumerate(keys):
                new = f"{prefix}parametrizations.{name}.original{i}"
                state_dict[new] = state_dict.pop(key)

    module._register_load_state_dict_pre_hook(take_old_names)
    return module


class _SpectralNorm(Module):
    """w / σ, where power iteration estimates the largest singular value σ = uᵀ W v."""

    def __init__(
        self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12
    ) -> None:
        super().__init__()
        ndim = weight.dim()
        if not -ndim <= dim < ndim:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [-{ndim}, {ndim - 1}] but "
                f"got {dim})"
            )
        if n_power_iterations <= 0:
            raise ValueError(
                "Expected n_power_iterations to be positive, but got "
                f"n_power_iterations={n_power_iterations}"
            )
        self.dim, self.eps = dim % ndim, eps
        if ndim > 1:
            self.n_power_iterations = n_power_iterations
            matrix = as_matrix(weight, self.dim)
            for name, size in zip(("_u", "_v"), matrix.shape, strict=True):
                start = matrix.new_empty(size).normal_(0, 1)
                self.register_buffer(name, F.normalize(start, dim=0, eps=eps))
            self._iterate(matrix, 15)

    def _iterate(self, matrix: Tensor, times: int) -> None:
        with no_grad():
            for _ in range(times):
                self._u.copy_(F.normalize(matrix.mv(self._v), dim=0, eps=self.eps))
                self._v.copy_(F.normalize(matrix.t().mv(self._u), dim=0, eps=self.eps))

    def forward(self, weight: Tensor) -> Tensor:
        """The weight over its spectral norm."""
        if weight.dim() == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            self._iterate(matrix, self.n_power_iterations)
        u, v = self._u.clone(), self._v.clone()  # the next iteration writes into the buffers
        return weight / u.dot(matrix.mv(v))

    def right_inverse(self, value: Tensor) -> Tensor:
        """Any weight of the right norm is its own original."""
        return value


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Divides a weight by its largest singular value (https://arxiv.org/abs/1802.05957)."""
    weight = _tensor_of(module, name)
    dim = default_dim(module) if dim is None else dim
    norm = _SpectralNorm(weight, n_power_iterations, dim, eps)
    return register_parametrization(module, name, norm)


def _is_orthogonal(q: Tensor) -> bool:
    n, k = q.shape[-2:]
    bound = 10.0 * n * finfo(q.dtype).eps
    return bool(((q.mH @ q - eye(k, dtype=q.dtype)).abs() <= bound).all())


def _make_orthogonal(a: Tensor) -> Tensor:
    """The Q of a's QR decomposition whose R has a positive diagonal."""
    x, tau = a.geqrf()
    return x.orgqr(tau) * x.diagonal(dim1=-2, dim2=-1).sgn().unsqueeze(-2)


class _Orthogonal(Module):
    """A matrix with orthonormal columns (or rows), from an unconstrained one.

    `base` times a map that starts at the identity (dynamic trivialization, Lezcano 2019,
    https://arxiv.org/abs/1909.09501); without it the map alone.
    """

    def __init__(self, weight: Tensor, orthogonal_map: str, use_trivialization: bool) -> None:
        super().__init__()
        if weight.is_complex() and orthogonal_map == "householder":
            raise ValueError("The householder parametrization does not support complex tensors.")
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        self.trivialized = use_trivialization
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, x: Tensor) -> Tensor:
        """The orthogonal matrix."""
        wide = x.size(-2) < x.size(-1)
        x = x.mT if wide else x
        q = self._reflected(x) if self.orthogonal_map == "householder" else self._rotated(x)
        if self.trivialized:
            q = self.base @ q
        return q.mT if wide else q

    def _rotated(self, x: Tensor) -> Tensor:
        """The exponential, or the Cayley transform, of the skew part of x."""
        n, k = x.shape[-2:]
        x = x.tril()
        if n != k:
            rest = zeros((*x.shape[:-2], n, n - k), dtype=x.dtype)
            x = cat([x, rest], -1)
        skew = x - x.mH
        if self.orthogonal_map == "matrix_exp":
            q = skew.matrix_exp()
        else:
            identity = eye(n, dtype=x.dtype)
            q = (identity - 0.5 * skew).inverse() @ (identity + 0.5 * skew)
        return q[..., :k]

    def _reflected(self, x: Tensor) -> Tensor:
        """A product of Householder reflections."""
        a = x.tril(diagonal=-1)
        tau = 2.0 / (1.0 + (a * a).sum(dim=-2))
        return a.orgqr(tau) * x.diagonal(dim1=-2, dim2=-1).to(int64).unsqueeze(-2)

    def right_inverse(self, q: Tensor) -> Tensor:
        """The unconstrained matrix for q; with trivialization q becomes the base."""
        if q.shape != self.shape:
            raise ValueError(
                f"Expected a matrix or batch of matrices of shape {self.shape}. Got a tensor of "
                f"shape {q.shape}."
            )
        with no_grad():
            return self._with_base(q) if self.trivialized else self._without_base(q)

    def _without_base(self, q: Tensor) -> Tensor:
        if self.orthogonal_map != "householder":
            raise NotImplementedError(
                "It is not possible to assign to the matrix exponential or the Cayley "
                "parametrizations when use_trivialization=False."
            )
        wide = q.size(-2) < q.size(-1)
        a, tau = (q.mT if wide else q).geqrf()
        signs = a.diagonal(dim1=-2, dim2=-1)
        signs.sign_()
        signs[tau == 0.0] *= -1
        return a.mT if wide else a

    def _with_base(self, q: Tensor) -> Tensor:
        start = zeros(q.shape, dtype=q.dtype)
        start.diagonal(dim1=-2, dim2=-1).fill_(-1.0)  # where the map is the identity
        q = q.mT if q.size(-2) < q.size(-1) else q
        n, k = q.shape[-2:]
        if n == k:
            self.base = q.clone() if _is_orthogonal(q) else _make_orthogonal(q)
        else:
            more = q.new_empty((*q.shape[:-2], n, n - k)).normal_()
            self.base = _make_orthogonal(cat([q, more], -1))
        return start


def orthogonal(
    module: Module,
    name: str = "weight",
    orthogonal_map: str | None = None,
    *,
    use_trivialization: bool = True,
) -> Module:
    """Keeps the columns of a weight (or its rows, if there are fewer) orthonormal.

    `orthogonal_map`: matrix_exp (the default for square matrices), cayley or householder.
    """
    weight = _tensor_of(module, name)
    if weight.dim() < 2:
        raise ValueError(
            f"Expected a matrix or batch of matrices. Got a tensor of {weight.dim()} dimensions."
        )
    if orthogonal_map is None:
        square = weight.size(-2) == weight.size(-1) or weight.is_complex()
        orthogonal_map = "matrix_exp" if square else "householder"
    if orthogonal_map not in ("matrix_exp", "cayley", "householder"):
        raise ValueError(
            'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: '
            f"{orthogonal_map}"
        )
    made = _Orthogonal(weight, orthogonal_map, use_trivialization)
    return register_parametrization(module, name, made, unsafe=True)
