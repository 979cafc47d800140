"""Convolutions and transposed convolutions in 1 to 3 dimensions.

Shapes: input (N, C, *S) or unbatched (C, *S), weight (O, C/groups, *K); of a transposed convolution
(C, O/groups, *K).  https://docs.pytorch.org/docs/stable/nn.functional.html#convolution-functions
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..core import dtype as dtypes
from ..core.tensor import Tensor
from .arguments import ints, need_tensor
from .correlate import Geometry, correlate, correlate_input, correlate_weight
from .families import composite, op
from .matmul import c_name
from .padding import constant_pad_nd
from .windows import Ints, has_kernels

# ---------------------------------------------------------------- arguments


def per_axis(value: Any, rank: int, name: str, function: str = "convolution") -> Ints:
    """`value` as a tuple of `rank` ints; one int counts for all axes."""
    values = ints(function, name, (value,))
    if len(values) == 1:
        return values * rank
    if len(values) != rank:
        raise RuntimeError(
            f"expected {name} to be a single integer value or a list of {rank} values to match the "
            f"convolution dimensions, but got {name}={list(values)}"
        )
    return values


def _check(
    input: Tensor, weight: Tensor, bias: Tensor | None, stride: Ints, padding: Ints,
    dilation: Ints, transposed: bool, output_padding: Ints, groups: int,
) -> None:  # fmt: skip
    """PyTorch's errors where the arguments of a convolution do not fit each other."""
    _check_movement(stride, padding, dilation, output_padding, groups)
    _check_channels(input, weight, bias, transposed, groups)
    _check_dtypes(input, weight, bias)
    size, kernel = input._array.shape[2:], weight._array.shape[2:]
    if transposed:
        _check_output_padding(output_padding, stride, dilation)
        out = _transposed_size(size, kernel, stride, padding, dilation, output_padding)
        if min(out) < 1:
            raise RuntimeError(
                f"Given input size per channel: ({_x(size)}). Calculated output size per channel: "
                f"({_x(out)}). Output size is too small"
            )
        return
    padded = [s + 2 * p for s, p in zip(size, padding, strict=True)]
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    if any(s < r for s, r in zip(padded, reach, strict=True)) or 0 in size:
        raise RuntimeError(
            f"Calculated padded input size per channel: ({_x(padded)}). "
            f"Kernel size: ({_x(reach)}). Kernel size can't be greater than actual input size"
        )


def _check_movement(
    stride: Ints, padding: Ints, dilation: Ints, output_padding: Ints, groups: int
) -> None:
    if groups <= 0:
        raise RuntimeError("non-positive groups is not supported")
    if min(padding) < 0:
        raise RuntimeError("negative padding is not supported")
    if min(output_padding) < 0:
        raise RuntimeError("negative output_padding is not supported")
    if min(stride) <= 0:
        raise RuntimeError("non-positive stride is not supported")
    if min(dilation) <= 0:
        raise RuntimeError(f"dilation should be greater than zero, but got {list(dilation)}")


def _check_rank(x: list[int], w: list[int]) -> None:
    if len(x) != len(w):
        raise RuntimeError(
            f"Expected {len(w)}-dimensional input for {len(w)}-dimensional weight {w}, but got "
            f"{len(x)}-dimensional input of size {x} instead"
        )


def _check_channels(
    input: Tensor, weight: Tensor, bias: Tensor | None, transposed: bool, groups: int
) -> None:
    x, w = list(input._array.shape), list(weight._array.shape)
    _check_rank(x, w)
    if w[0] < groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be at least {groups} at dimension 0, but "
            f"got weight of size {w} instead"
        )
    if w[0] % groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, "
            f"but got weight of size [{w}] instead"
        )
    given = f"transposed={transposed:d}" if transposed else f"groups={groups}"
    channels = w[0] if transposed else w[1] * groups
    if x[1] != channels:
        raise RuntimeError(
            f"Given {given}, weight of size {w}, expected input{x} to have {channels} channels, "
            f"but got {x[1]} channels instead"
        )
    outputs = w[1] * groups if transposed else w[0]
    if bias is not None and bias._array.shape != (outputs,):
        given = "transposed=1, weight" if transposed else "weight"
        raise RuntimeError(
            f"Given {given} of size {w}, expected bias to be 1-dimensional with {outputs} "
            f"elements, but got bias of size {list(bias._array.shape)} instead"
        )


def _check_dtypes(input: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    if bias is not None and bias.dtype is not input.dtype:
        raise RuntimeError(
            f"Input type ({c_name(input)}) and bias type ({c_name(bias)}) should be the same"
        )
    if weight.dtype is not input.dtype:
        raise RuntimeError(
            f"expected scalar type {input.dtype.scalar_name} but found {weight.dtype.scalar_name}"
        )
    if input.dtype is dtypes.bool_:
        raise NotImplementedError("\"slow_conv2d_cpu\" not implemented for 'Bool'")


def _check_output_padding(output_padding: Ints, stride: Ints, dilation: Ints) -> None:
    if any(o >= s and o >= d for o, s, d in zip(output_padding, stride, dilation, strict=True)):
        lead = (1,) if len(stride) == 1 else ()  # 1-d is shown as 2-d of height 1
        shown = {
            "output_padding": (*(0 for _ in lead), *output_padding),
            "stride": lead + stride,
            "dilation": lead + dilation,
        }
        axes = ("depth", "height", "width")[-len(shown["stride"]) :]
        text = " ".join(
            f"{name}_{axis}: {value}"
            for name, values in shown.items()
            for axis, value in zip(axes, values, strict=True)
        )
        raise RuntimeError(
            f"output padding must be smaller than either stride or dilation, but got {text}"
        )


def _x(values: Any) -> str:
    return " x ".join(map(str, values))


def _transposed_size(
    size: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, output_padding: Ints
) -> Ints:
    """(S - 1) stride - 2P + D(K - 1) + output_padding + 1."""
    return tuple(
        (s - 1) * step - 2 * p + d * (k - 1) + o + 1
        for s, k, step, p, d, o in zip(
            size, kernel, stride, padding, dilation, output_padding, strict=True
        )
    )


# ---------------------------------------------------------------- the primitive and its adjoints


def _conj(t: Tensor) -> Tensor:
    return t.conj() if t.dtype.is_complex else t


def _cropped(t: Tensor, size: Ints) -> Tensor:
    """The first `size` entries per spatial axis.

    More only come where an output padding reaches further than the stride.
    """
    return t if t._array.shape[2:] == size else t[(..., *map(slice, size))]


def _wide(xp: Any, *arrays: Any) -> tuple:
    """The arrays in a type to compute in: half precision is summed in float32."""
    if arrays[0].dtype.itemsize == 2 and arrays[0].dtype.kind in "fV":
        return tuple(a.astype(xp.float32) for a in arrays)
    return arrays


def _forward(xp: Any, x: Any, w: Any, how: Geometry) -> Any:
    return xp.convolve(x, w, *how) if has_kernels(x) else correlate(xp, x, w, how)


def _input(xp: Any, g: Any, w: Any, size: Ints, how: Geometry) -> Any:
    if has_kernels(g):
        return xp.convolve_input(g, w, tuple(size), *how)
    return correlate_input(xp, g, w, size, how)


def _weight(xp: Any, g: Any, x: Any, kernel: Ints, how: Geometry) -> Any:
    if has_kernels(g):
        return xp.convolve_weight(g, x, tuple(kernel), *how)
    return correlate_weight(xp, g, x, kernel, how)


def _rules() -> dict[str, Callable]:
    def input_rule(g, weight, input_shape, stride, padding, dilation, transposed, groups):
        how = Geometry(stride, padding, dilation, groups)
        if transposed:
            return _cropped(_correlate(g, _conj(weight), how), input_shape[2:])
        return _correlate_input(g, _conj(weight), input_shape[2:], how)

    def weight_rule(g, input, weight_shape, stride, padding, dilation, transposed, groups):
        how = Geometry(stride, padding, dilation, groups)
        if transposed:
            return _correlate_weight(_conj(input), g, weight_shape[2:], how)
        return _correlate_weight(g, _conj(input), weight_shape[2:], how)

    def bias_rule(g):
        return g.sum((0, *range(2, g.dim())))

    return {"input": input_rule, "weight": weight_rule, "bias": bias_rule}


@op(
    name="_convolution",
    node="ConvolutionBackward0",
    grad=_rules(),
    check=_check,
    sample=lambda draw: [
        (draw(2, 4, 6), draw(6, 2, 3), draw(6), (2,), (1,), (1,), False, (0,), 2),
        (draw(2, 4, 4), draw(4, 3, 3), draw(6), (2,), (1,), (2,), True, (1,), 2),
    ],
)
def _convolution(
    xp, input, weight, bias, stride, padding, dilation, transposed, output_padding, groups
):
    """Convolution of any rank, or its transpose; every movement said for every axis."""
    how = Geometry(stride, padding, dilation, groups)
    x, w = _wide(xp, input, weight)
    if transposed:
        size = _transposed_size(x.shape[2:], w.shape[2:], *how[:3], output_padding)
        y = _input(xp, x, w, size, how)
    else:
        y = _forward(xp, x, w, how)
    if bias is not None:
        y += bias.reshape(-1, *(1,) * len(how.stride))
    return y.astype(input.dtype, copy=False)


@op(
    name="_correlate",
    node="ConvolutionBackwardBackward0",
    grad={
        "input": lambda g, weight, input_shape, how: _correlate_input(
            g, _conj(weight), input_shape[2:], how
        ),
        "weight": lambda g, input, weight_shape, how: _correlate_weight(
            g, _conj(input), weight_shape[2:], how
        ),
    },
)
def _correlate(xp, input, weight, how):
    """`correlate` as an op."""
    return _forward(xp, *_wide(xp, input, weight), how).astype(input.dtype, copy=False)


@op(
    name="_correlate_input",
    node="ConvolutionBackwardBackward0",
    grad={
        "grad": lambda g, grad_shape, weight, how: _cropped(
            _correlate(g, _conj(weight), how), grad_shape[2:]
        ),
        "weight": lambda g, grad, weight_shape, how: _correlate_weight(
            _conj(grad), g, weight_shape[2:], how
        ),
    },
)
def _correlate_input(xp, grad, weight, size, how):
    """`correlate_input` as an op."""
    return _input(xp, *_wide(xp, grad, weight), size, how).astype(grad.dtype, copy=False)


@op(
    name="_correlate_weight",
    node="ConvolutionBackwardBackward0",
    grad={
        "grad": lambda g, input, grad_shape, how: _cropped(
            _correlate(_conj(input), g, how), grad_shape[2:]
        ),
        "input": lambda g, grad, input_shape, how: _correlate_input(
            _conj(grad), g, input_shape[2:], how
        ),
    },
)
def _correlate_weight(xp, grad, input, kernel, how):
    """`correlate_weight` as an op."""
    return _weight(xp, *_wide(xp, grad, input), kernel, how).astype(grad.dtype, copy=False)


# ---------------------------------------------------------------- what users call


@composite(names="torch.convolution")
def convolution(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups):
    """Convolution of any rank, or (`transposed`) its adjoint.

    >>> import penlight as torch
    >>> x, w = torch.ones(1, 1, 4), torch.ones(1, 1, 2)
    >>> torch.convolution(x, w, None, [2], [0], [1], False, [0], 1)
    tensor([[[2., 2.]]])
    """
    rank = weight.dim() - 2
    if rank < 1:
        raise RuntimeError("weight should have at least three dimensions")
    return _convolution(
        input, weight, bias, per_axis(stride, rank, "stride"), per_axis(padding, rank, "padding"),
        per_axis(dilation, rank, "dilation"), bool(transposed),
        per_axis(output_padding, rank, "output_padding"), groups,
    )  # fmt: skip


def _batched(name: str, rank: int, input: Any, weight: Any, run: Callable) -> Tensor:
    """run(input with a batch axis), without that axis if the input had none."""
    need_tensor(name, input)
    need_tensor(name, weight, "weight", 2)
    if input.dim() == rank + 2:
        return run(input)
    if input.dim() != rank + 1:
        raise RuntimeError(
            f"Expected {rank + 1}D (unbatched) or {rank + 2}D (batched) input to {name}, but got "
            f"input of size: {list(input.shape)}"
        )
    return run(input.unsqueeze(0)).squeeze(0)


def _convolve(
    rank: int, input: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any,
    groups: int,
) -> Tensor:  # fmt: skip
    stride = per_axis(stride, rank, "stride")
    dilation = per_axis(dilation, rank, "dilation")

    def run(x: Tensor) -> Tensor:
        if isinstance(padding, str):
            x, sides = _named_padding(padding, x, weight, stride, dilation)
        else:
            sides = per_axis(padding, rank, "padding")
        return convolution(x, weight, bias, stride, sides, dilation, False, (0,) * rank, groups)

    return _batched(f"conv{rank}d", rank, input, weight, run)


def _named_padding(
    padding: str, x: Tensor, weight: Tensor, stride: Ints, dilation: Ints
) -> tuple[Tensor, Ints]:
    """The input and the symmetric padding that "valid" or "same" stand for.

    An odd total is made even by one more entry behind the input.
    """
    _check_rank(list(x.shape), list(weight.shape))
    if padding == "valid":
        return x, (0,) * len(stride)
    if padding != "same":
        raise RuntimeError(f"Invalid padding string: '{padding}'")
    if max(stride) > 1:
        raise RuntimeError("padding='same' is not supported for strided convolutions")
    total = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
    if any(n % 2 for n in total):
        x = constant_pad_nd(x, [side for n in reversed(total) for side in (0, n % 2)])
    return x, tuple(n // 2 for n in total)


def _convolve_transposed(
    rank: int, input: Any, weight: Any, bias: Any, stride: Any, padding: Any, output_padding: Any,
    groups: int, dilation: Any,
) -> Tensor:  # fmt: skip
    stride = per_axis(stride, rank, "stride")
    padding = per_axis(padding, rank, "padding")
    output_padding = per_axis(output_padding, rank, "output_padding")
    dilation = per_axis(dilation, rank, "dilation")

    def run(x: Tensor) -> Tensor:
        return convolution(x, weight, bias, stride, padding, dilation, True, output_padding, groups)

    return _batched(f"conv_transpose{rank}d", rank, input, weight, run)


@composite(names="torch.conv1d nn.functional.conv1d")
def conv1d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Convolution over (N, C, L); weight (O, C/groups, K).

    >>> import penlight as torch
    >>> torch.conv1d(torch.tensor([[[1.0, 2.0, 4.0]]]), torch.tensor([[[1.0, -1.0]]]))
    tensor([[[-1., -2.]]])
    """
    return _convolve(1, input, weight, bias, stride, padding, dilation, groups)


@composite(names="torch.conv2d nn.functional.conv2d")
def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Convolution over (N, C, H, W); weight (O, C/groups, KH, KW).

    `padding` is "valid" (none), "same" (the output has the input's size), or said per axis.

    >>> import penlight as torch
    >>> torch.conv2d(torch.ones(1, 2, 5, 6), torch.ones(3, 2, 3, 3), stride=2).shape
    torch.Size([1, 3, 2, 2])
    """
    return _convolve(2, input, weight, bias, stride, padding, dilation, groups)


@composite(names="torch.conv3d nn.functional.conv3d")
def conv3d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Convolution over (N, C, D, H, W); weight (O, C/groups, KD, KH, KW)."""
    return _convolve(3, input, weight, bias, stride, padding, dilation, groups)


@composite(names="torch.conv_transpose1d nn.functional.conv_transpose1d")
def conv_transpose1d(
    input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
):
    """The adjoint of `conv1d`: input (N, C, L), weight (C, O/groups, K).

    >>> import penlight as torch
    >>> torch.conv_transpose1d(torch.tensor([[[1.0, 2.0]]]), torch.ones(1, 1, 2), stride=2)
    tensor([[[1., 1., 2., 2.]]])
    """
    return _convolve_transposed(
        1, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


@composite(names="torch.conv_transpose2d nn.functional.conv_transpose2d")
def conv_transpose2d(
    input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
):
    """The adjoint of `conv2d`: input (N, C, H, W), weight (C, O/groups, KH, KW)."""
    return _convolve_transposed(
        2, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


@composite(names="torch.conv_transpose3d nn.functional.conv_transpose3d")
def conv_transpose3d(
    input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
):
    """The adjoint of `conv3d`: input (N, C, D, H, W), weight (C, O/groups, KD, KH, KW)."""
    return _convolve_transposed(
        3, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


# ---------------------------------------------------------------- (time, batch, channel)


def _check_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: int) -> None:
    if input.dim() != 3:
        raise RuntimeError("Input must have 3 dims: time, batch, in_channel")
    if weight.dim() != 3:
        raise RuntimeError(
            "Weight tensor must have 3 dims: kernel_width, in_channels, out_channels."
        )
    if bias.dim() != 1:
        raise RuntimeError("Bias must be 1-D")
    if input.shape[2] != weight.shape[1]:
        raise RuntimeError("Input dim 2 (input channels) is not == dim 1 in the weight tensor")
    if weight.shape[2] != bias.shape[0]:
        raise RuntimeError("Bias size must equal dim 2 in the weight tensor (output channels).")


@composite(names="torch.conv_tbc")
def conv_tbc(input, weight, bias, pad=0):
    """Convolution over time of input (T, N, C) with weight (K, C, O) and bias (O,)."""
    _check_tbc(input, weight, bias, pad)
    y = conv1d(input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, padding=pad)
    return y.permute(2, 0, 1)
