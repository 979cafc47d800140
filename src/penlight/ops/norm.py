"""Normalizations: batch, layer, group, instance, root mean square, local response.

    y = (x - mean) / √(var + eps) · weight + bias

They differ in the axes over which mean and (biased) variance are taken, and in the axes that
weight and bias run along.  https://docs.pytorch.org/docs/stable/nn.functional.html
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ..compiler import numerics
from ..core import dtype as dtypes
from ..core.beside import computed
from ..core.tape import modes
from ..core.tensor import Tensor, check_dim, written
from ..core.watch import note_write, tracers
from .arguments import ints, need_tensor
from .average_pool import avg_pool2d
from .families import composite, op
from .padding import pad
from .quiet import quiet


class Layout(NamedTuple):
    """How an input is seen: reshaped to `view`, with moments over `axes`.

    Weight and bias, of shape `parameter`, are seen in the shape `form`.
    """

    view: tuple[int, ...]
    axes: tuple[int, ...]
    form: tuple[int, ...]
    parameter: tuple[int, ...]

    @property
    def entries(self) -> int:
        """How many entries one mean is taken of."""
        return prod(self.view[axis] for axis in self.axes)

    @property
    def shared(self) -> tuple[int, ...]:
        """The axes along which a parameter is used again and again."""
        return tuple(axis for axis, n in enumerate(self.form) if n == 1)


def _wide(xp: Any, x: Any) -> Any:
    """x in a type to compute in: half precision becomes float32."""
    return x.astype(xp.float32) if x.dtype.itemsize == 2 else x


@quiet
def _moments(xp: Any, x: Any, layout: Layout, eps: float) -> tuple[Any, Any, Any]:
    """Mean, biased variance and 1/√(var + eps), with axes of length 1 where they were taken."""
    x = _wide(xp, x.reshape(layout.view))
    count = x.dtype.type(layout.entries)
    mean = xp.sum(x, layout.axes, keepdims=True) / count
    rest = x - mean
    rest *= rest
    var = xp.sum(rest, layout.axes, keepdims=True) / count
    return mean, var, _rstd(xp, var, eps)


@quiet
def _rstd(xp: Any, var: Any, eps: float) -> Any:
    return 1 / xp.sqrt(_wide(xp, var) + eps)


def _normalize_op(node: str) -> Any:
    """The record of one kind; `mean` and `rstd` = 1/√(var + eps) are found before.

    `eps` is None where they are constants (running statistics).
    """

    @op(name="_" + node, node=node, grad=_gradients, inputs=("input", "weight", "bias"))
    def normalize(xp, input, weight, bias, mean, rstd, layout, eps):
        """y, in the input's shape."""
        x = _wide(xp, input.reshape(layout.view))
        y = xp.subtract(x, mean)
        if weight is None:
            y *= rstd
        else:
            y *= rstd * weight.reshape(layout.form)
        if bias is not None:
            y += bias.reshape(layout.form)
        return y.reshape(input.shape).astype(input.dtype, copy=False)

    return normalize


def _gradients(g, input, weight, mean, rstd, layout, eps, needs):
    """Gradients of input, weight and bias.

    With x̂ = (x - mean)·rstd and d = g·weight, that of the input is
    rstd·(d - mean(d) - x̂·mean(d·x̂)): without its constant part and its part along x̂.
    """
    if not modes.grad:
        found = iter(computed(_gradient_arrays, numerics, g, input, weight, mean, rstd, layout,
                              eps is not None, needs))  # fmt: skip
        return tuple(next(found) if need else None for need in needs)
    kind = input.dtype
    x, d = input.reshape(layout.view), g.reshape(layout.view)
    if kind.itemsize == 2:
        x, d = x.to(dtypes.float32), d.to(dtypes.float32)
    if eps is not None:  # to be differentiated again: as functions of x
        mean = x.mean(layout.axes, keepdim=True)
        rstd = ((x - mean) * (x - mean)).mean(layout.axes, keepdim=True).add(eps).rsqrt()
    hat = (x - mean) * rstd
    to_weight = (d * hat).sum(layout.shared).reshape(layout.parameter) if needs[1] else None
    to_bias = d.sum(layout.shared).reshape(layout.parameter) if needs[2] else None
    to_input = None
    if needs[0]:
        if weight is not None:
            d = d * weight.reshape(layout.form)
        if eps is not None:
            along = (d * hat).mean(layout.axes, keepdim=True)
            d = d - d.mean(layout.axes, keepdim=True) - hat * along
        to_input = (d * rstd).reshape(input.shape).to(kind)
    return to_input, to_weight, to_bias


@quiet
def _gradient_arrays(xp, g, input, weight, mean, rstd, layout, moving, needs):
    """The same where nobody differentiates again: on arrays, in place, several times faster.

    Those of the gradients that are needed; `moving`: mean and rstd are functions of x.
    """
    x, d = (_wide(xp, a.reshape(layout.view)) for a in (input, g))
    hat = x - mean
    hat *= rstd
    product = d * hat
    found = []
    if needs[1]:
        found.append(xp.sum(product, layout.shared).reshape(layout.parameter))
    if needs[2]:
        found.append(xp.sum(d, layout.shared).reshape(layout.parameter))
    if needs[0]:
        if weight is not None:
            scale = _wide(xp, weight.reshape(layout.form))
            d = d * scale
            product *= scale
        if moving:
            count = d.dtype.type(layout.entries)
            hat *= xp.sum(product, layout.axes, keepdims=True) / count
            hat += xp.sum(d, layout.axes, keepdims=True) / count
            d = xp.subtract(d, hat, out=hat)
        found.insert(0, (d * rstd).reshape(g.shape))
    return tuple(a.astype(g.dtype, copy=False) for a in found)


_batch = _normalize_op("NativeBatchNormBackward0")
_layer = _normalize_op("NativeLayerNormBackward0")
_group = _normalize_op("NativeGroupNormBackward0")


def _normalized(
    kind: Any, input: Tensor, weight: Tensor | None, bias: Tensor | None, layout: Layout, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The normalized input, its mean and its variance."""
    mean, var, rstd = computed(_moments, numerics, input, layout, eps)
    return kind(input, weight, bias, mean, rstd, layout, eps), mean, var


def _need_float(input: Tensor, kernel: str) -> None:
    if input.dtype.category < dtypes.FLOAT:
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{input.dtype.scalar_name}'")


# ---------------------------------------------------------------- statistics of channels


def _check_several(size: Sequence[int], shown: Any) -> None:
    if prod((size[0], *size[2:])) == 1:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size {shown}"
        )


def _check_channels(input: Tensor, **given: Tensor | None) -> None:
    channels = input.shape[1] if input.dim() > 1 else 0
    for name, tensor in given.items():
        if tensor is not None and tensor.numel() != channels:
            raise RuntimeError(f"{name} should contain {channels} elements not {tensor.numel()}")
    for tensor in given.values():
        if tensor is not None and tensor.dtype is not input.dtype and input.dtype.itemsize > 2:
            raise RuntimeError("mixed dtype (CPU): all inputs must share same datatype.")


def _update(running: Tensor | None, found: Tensor, momentum: float, scale: float = 1.0) -> None:
    """running <- (1 - momentum)·running + momentum·scale·found, found averaged over samples."""
    if running is not None:
        array, given = running._array, found._array
        array[...] = _moved(numerics, array, given, momentum, scale)
        if tracers:
            note_write("_moved", _moved, (running, found), (array, given, momentum, scale),
                       (running,))  # fmt: skip
        written(running)


def _moved(xp: Any, running: Any, found: Any, momentum: float, scale: float) -> Any:
    samples = found.shape[0]
    if samples > 1:
        found = xp.sum(found, 0) / found.dtype.type(samples)
    if scale != 1.0:
        found = found * found.dtype.type(scale)
    step = momentum * (found.reshape(running.shape) - running)
    return running + step.astype(running.dtype)


def _with_running(
    input: Tensor, mean: Tensor, var: Tensor, weight: Any, bias: Any, layout: Layout, eps: float
) -> Tensor:
    """Normalized with given statistics, which are constants."""
    shift, rstd = computed(_given_moments, numerics, mean, var, layout, eps)
    return _batch(input, weight, bias, shift, rstd, layout, None)


def _given_moments(xp: Any, mean: Any, var: Any, layout: Layout, eps: float) -> tuple[Any, Any]:
    shift = _wide(xp, mean).reshape(layout.form).copy()
    return shift, _rstd(xp, var, eps).reshape(layout.form)


@composite(names="nn.functional.batch_norm")
def batch_norm(
    input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1,
    eps=1e-05,
):  # fmt: skip
    """Every channel of (N, C, *) with its mean over N and *; or with the running statistics.

    In training the running statistics move towards the batch's (of the variance: the unbiased
    one) by the share `momentum`.  Ioffe and Szegedy, https://arxiv.org/abs/1502.03167

    >>> import penlight as torch
    >>> x = torch.tensor([[1.0], [3.0]])
    >>> torch.nn.functional.batch_norm(x, None, None, training=True)
    tensor([[-1.0000],
            [ 1.0000]])
    """
    need_tensor("batch_norm", input)
    if training:
        _check_several(input.shape, input.shape)
        if eps <= 0.0:
            raise ValueError(f"batch_norm eps must be positive during training, but got {eps}")
    _need_float(input, "batch_norm")
    _check_channels(
        input, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias
    )
    if input.dim() < 2:
        if input.numel():
            check_dim(1, input.dim())
        return input.clone()
    n, c, *rest = input.shape
    layout = Layout((n, c, prod(rest)), (0, 2), (1, c, 1), (c,))
    if not training:
        for name, given in (("running_mean", running_mean), ("running_var", running_var)):
            if given is None:
                raise RuntimeError(f"{name} must be defined in evaluation mode")
        return _with_running(input, running_mean, running_var, weight, bias, layout, eps)
    y, mean, var = _normalized(_batch, input, weight, bias, layout, eps)
    if layout.entries:
        _update(running_mean, mean, momentum)
        _update(running_var, var, momentum, layout.entries / (layout.entries - 1))
    return y


@composite(names="torch.batch_norm")
def _batch_norm(
    input, weight, bias, running_mean, running_var, training, momentum, eps, cudnn_enabled
):
    """`nn.functional.batch_norm` with PyTorch's other order of arguments."""
    return batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


@composite(names="nn.functional.instance_norm")
def instance_norm(
    input, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True,
    momentum=0.1, eps=1e-05,
):  # fmt: skip
    """Every channel of every sample of (N, C, *) with its own mean.

    Running statistics move towards the average over the samples.
    Ulyanov et al., https://arxiv.org/abs/1607.08022

    >>> import penlight as torch
    >>> torch.nn.functional.instance_norm(torch.tensor([[[1.0, 3.0]]]))
    tensor([[[-1.0000,  1.0000]]])
    """
    need_tensor("instance_norm", input)
    if use_input_stats and prod(input.shape[2:]) == 1:
        raise ValueError(
            f"Expected more than 1 spatial element when training, got input size {input.shape}"
        )
    if not use_input_stats and (running_mean is None or running_var is None):
        raise RuntimeError(
            "Expected running_mean and running_var to be defined when use_input_stats is false"
        )
    _need_float(input, "batch_norm")
    _check_channels(
        input, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias
    )
    n, c, *rest = input.shape
    layout = Layout((n, c, prod(rest)), (2,), (1, c, 1), (c,))
    if not use_input_stats:
        y = _with_running(input, running_mean, running_var, weight, bias, layout, eps)
    else:
        y, mean, var = _normalized(_batch, input, weight, bias, layout, eps)
        if n:
            _update(running_mean, mean, momentum)
            _update(running_var, var, momentum, layout.entries / (layout.entries - 1))
    return y.view(input.shape)


@composite(names="torch.instance_norm")
def _instance_norm(
    input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps, cudnn_enabled
):
    """`nn.functional.instance_norm` with PyTorch's other order of arguments."""
    return instance_norm(
        input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps
    )


# ---------------------------------------------------------------- statistics of samples


def _check_shape(
    function: str, input: Tensor, shape: Any, between: str, **given: Tensor | None
) -> tuple[int, ...]:
    """The normalized shape as a tuple, if input and parameters fit it."""
    need_tensor(function, input)
    if hasattr(shape, "__index__"):
        raise TypeError(
            f"{function}(): argument 'normalized_shape' (position 2) must be tuple of ints, not int"
        )
    shape = ints(function, "normalized_shape", (shape,), 2)
    if not shape:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one "
            "element, but got normalized_shape = []"
        )
    for name, tensor in given.items():
        if tensor is not None and tuple(tensor.shape) != shape:
            raise RuntimeError(
                f"Expected {name} to be of same shape as normalized_shape, but got {name} of shape "
                f"{list(tensor.shape)} and normalized_shape = {list(shape)}"
            )
    if tuple(input.shape[-len(shape) :]) != shape:
        raise RuntimeError(
            f"Given normalized_shape={list(shape)}, expected input with shape [*{between}"
            f"{', '.join(map(str, shape))}], but got input of size{list(input.shape)}"
        )
    return shape


@composite(names="torch.layer_norm nn.functional.layer_norm")
def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-05, cudnn_enable=True):
    """The last axes, of shape `normalized_shape`, with their mean.

    Ba et al., https://arxiv.org/abs/1607.06450

    >>> import penlight as torch
    >>> torch.layer_norm(torch.tensor([[1.0, 3.0], [0.0, 0.0]]), (2,))
    tensor([[-1.0000,  1.0000],
            [ 0.0000,  0.0000]])
    """
    shape = _check_shape("layer_norm", input, normalized_shape, ", ", weight=weight, bias=bias)
    _need_float(input, "LayerNormKernelImpl")
    size = prod(shape)
    rows = prod(input.shape[: input.dim() - len(shape)])
    layout = Layout((rows, size), (1,), (1, size), shape)
    return _normalized(_layer, input, weight, bias, layout, eps)[0]


@composite(names="torch.group_norm nn.functional.group_norm")
def group_norm(input, num_groups, weight=None, bias=None, eps=1e-05, cudnn_enabled=True):
    """The channels of every sample of (N, C, *) in groups, each with its mean.

    Wu and He, https://arxiv.org/abs/1803.08494

    >>> import penlight as torch
    >>> torch.group_norm(torch.tensor([[1.0, 3.0, 5.0, 7.0]]), 2)
    tensor([[-1.0000,  1.0000, -1.0000,  1.0000]])
    """
    need_tensor("group_norm", input)
    shape = list(input.shape)
    if len(shape) < 2:
        raise RuntimeError(
            f"Expected at least 2 dimensions for input tensor but received {len(shape)}"
        )
    n, c, *rest = shape
    seen = [n * c // num_groups, num_groups, *rest]
    _check_several(seen, seen)
    if c % num_groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of "
            f"shape {shape} and num_groups={num_groups}"
        )
    for name, tensor in (("weight", weight), ("bias", bias)):
        if tensor is not None and tuple(tensor.shape) != (c,):
            raise RuntimeError(
                f"Expected {name} to be a vector of size equal to the number of channels in input, "
                f"but got {name} of shape {list(tensor.shape)} and input of shape {shape}"
            )
    _need_float(input, "GroupNormKernelImpl")
    per_group = c // num_groups
    layout = Layout(
        (n, num_groups, per_group, prod(rest)), (2, 3), (1, num_groups, per_group, 1), (c,)
    )
    return _normalized(_group, input, weight, bias, layout, eps)[0]


@composite(names="torch.rms_norm nn.functional.rms_norm")
def rms_norm(input, normalized_shape, weight=None, eps=None):
    """The last axes over their root mean square: x / √(mean(x²) + eps) · weight.

    Zhang and Sennrich, https://arxiv.org/abs/1910.07467

    >>> import penlight as torch
    >>> torch.rms_norm(torch.tensor([3.0, 3.0]), (2,))
    tensor([1., 1.])
    """
    shape = _check_shape("rms_norm", input, normalized_shape, "", weight=weight)
    x = input.to(dtypes.float32) if input.dtype.itemsize == 2 else input
    if eps is None:
        eps = float(np.finfo(x._array.dtype).eps)
    y = x * x.pow(2).mean(tuple(range(-len(shape), 0)), keepdim=True).add(eps).rsqrt()
    if weight is not None:
        y = y * weight
    return y if y.dtype is input.dtype else y.to(input.dtype)


@composite(names="nn.functional.local_response_norm")
def local_response_norm(input, size, alpha=0.0001, beta=0.75, k=1.0):
    """Every entry over (k + alpha · mean of the squares of `size` neighbouring channels)^beta.

    Krizhevsky et al., ImageNet Classification with Deep Convolutional Neural Networks (2012)
    """
    need_tensor("local_response_norm", input)
    if input.dim() < 3:
        raise ValueError(
            "Expected 3D or higher dimensionality                          "
            f"input (got {input.dim()} dimensions)"
        )
    if input.numel() == 0:
        return input
    n, c, *rest = input.shape
    squares = (input * input).reshape(n, 1, c, prod(rest))
    around = pad(squares, (0, 0, size // 2, (size - 1) // 2))
    mean = avg_pool2d(around, (size, 1), stride=1).reshape(input.shape)
    return input / mean.mul(alpha).add(k).pow(beta)
