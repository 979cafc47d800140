"""Recurrent layers: stacks of tanh, relu, LSTM or GRU layers over sequences, and single cells."""

from __future__ import annotations

import math
import numbers
import warnings
from collections.abc import Iterator
from typing import Any

from ...core.tensor import Tensor
from ...ops.creation import zeros
from ...ops.recurrent import gru_cell, lstm_cell, recurrent, rnn_relu_cell, rnn_tanh_cell
from .. import init
from ..advice import show
from ..module import Module
from ..parameter import Parameter, fresh
from ..utils.rnn import PackedSequence

GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


class RNNBase(Module):
    """What the recurrent layers share: their weights, and the way through time.

    input (T, B, I), with `batch_first` (B, T, I), (T, I) without a batch, or packed
    output (T, B, D H), states (D L, B, H); D directions, L layers

    Weights start uniform in ±1/√H.
    """

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if mode not in GATES:
            raise ValueError("Unrecognized RNN mode: " + mode)
        self.mode, self.input_size, self.hidden_size = mode, input_size, hidden_size
        self.num_layers, self.bias, self.batch_first = num_layers, bias, batch_first
        self.dropout, self.bidirectional, self.proj_size = dropout, bidirectional, proj_size
        self._check_arguments()
        self.dropout = float(dropout)
        self._all_weights: list[list[str]] = []
        for layer in range(num_layers):
            for direction in range(2 if bidirectional else 1):
                self._make_weights(layer, direction, device, dtype)
        self.reset_parameters()

    def _check_arguments(self) -> None:
        dropout = self.dropout
        if (
            not isinstance(dropout, numbers.Number)
            or isinstance(dropout, bool)
            or not 0 <= dropout <= 1
        ):
            raise ValueError(
                "dropout should be a number in range [0, 1] representing the probability of an "
                "element being zeroed"
            )
        if dropout > 0 and self.num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero "
                f"dropout expects num_layers greater than 1, but got dropout={dropout} and "
                f"num_layers={self.num_layers}",
                stacklevel=4,
            )
        kinds = {"bias": bool, "batch_first": bool, "input_size": int, "hidden_size": int}
        for name, kind in kinds.items():
            value = getattr(self, name)
            if not isinstance(value, kind):
                got = type(value).__name__
                raise TypeError(f"{name} should be of type {kind.__name__}, got: {got}")
        for name in ("input_size", "hidden_size", "num_layers"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be greater than zero")
        if self.proj_size < 0:
            raise ValueError(
                "proj_size should be a positive integer or zero to disable projections"
            )
        if self.proj_size >= self.hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size")

    def _make_weights(self, layer: int, direction: int, device: Any, dtype: Any) -> None:
        gates = GATES[self.mode] * self.hidden_size
        real = self._real_hidden_size
        below = real * (2 if self.bidirectional else 1)
        shapes: dict[str, Any] = {
            "weight_ih": (gates, self.input_size if layer == 0 else below),
            "weight_hh": (gates, real),
        }
        if self.bias:
            shapes |= {"bias_ih": gates, "bias_hh": gates}
        if self.proj_size > 0:
            shapes["weight_hr"] = (self.proj_size, self.hidden_size)
        end = f"_l{layer}_reverse" if direction else f"_l{layer}"
        for name, shape in shapes.items():
            setattr(self, name + end, fresh(shape, device, dtype))
        self._all_weights.append([name + end for name in shapes])

    @property
    def _real_hidden_size(self) -> int:
        return self.proj_size if self.proj_size > 0 else self.hidden_size

    @property
    def _flat_weights_names(self) -> list[str]:
        return [name for names in self._all_weights for name in names]

    @property
    def _flat_weights(self) -> list[Parameter]:
        return [getattr(self, name) for name in self._flat_weights_names]

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The weights of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def flatten_parameters(self) -> None:
        """Puts the weights side by side for a GPU; nothing to do here."""

    def reset_parameters(self) -> None:
        """Draws new values."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def _state_sizes(self) -> tuple[int, ...]:
        """The width of each state."""
        return (self._real_hidden_size,)

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        """The outputs of the last layer at every step, and every layer's last state."""
        packed = isinstance(input, PackedSequence)
        data = input.data if packed else input
        self._check_rank(data, packed)
        batched = packed or data.dim() == 3
        state = self._given_state(hx, batched, packed)
        if packed:
            batch_sizes = input.batch_sizes.tolist()
            if state is not None and input.sorted_indices is not None:
                state = tuple(part.index_select(1, input.sorted_indices) for part in state)
        else:
            data = data if batched else data.unsqueeze(1)
            data = data.transpose(0, 1) if batched and self.batch_first else data
            time, batch = data.shape[:2]
            batch_sizes = [batch] * time
        self._check_input(data)
        state = self._checked_state(state, batch_sizes[0] if batch_sizes else batch, data)
        flat = data if packed else data.reshape(time * batch, self.input_size)
        output: Any
        output, state = recurrent(
            self.mode,
            flat,
            batch_sizes,
            state,
            self._flat_weights,
            self.bias,
            self.num_layers,
            self.dropout,
            self.training,
            self.bidirectional,
        )
        if packed:
            output = PackedSequence(output, *input[1:])
            if input.unsorted_indices is not None:
                state = tuple(part.index_select(1, input.unsorted_indices) for part in state)
        else:
            output = output.view(time, batch, -1)
            if not batched:
                output, state = output.squeeze(1), tuple(part.squeeze(1) for part in state)
            elif self.batch_first:
                output = output.transpose(0, 1)
        return output, (state if len(state) > 1 else state[0])

    def _check_rank(self, data: Tensor, packed: bool) -> None:
        if packed and data.dim() != 2:
            raise RuntimeError(f"input must have 2 dimensions, got {data.dim()}")
        if not packed and data.dim() not in (2, 3):
            name = self.mode.split("_")[0]
            what = "tensor instead" if name == "RNN" else "instead"
            raise ValueError(f"{name}: Expected input to be 2D or 3D, got {data.dim()}D {what}")

    def _given_state(self, hx: Any, batched: bool, packed: bool) -> tuple[Tensor, ...] | None:
        """The caller's state with a batch axis."""
        if hx is None:
            return None
        state = (hx,) if isinstance(hx, Tensor) else tuple(hx)
        ranks = [part.dim() for part in state]
        rank = 3 if batched else 2
        if not packed and any(found != rank for found in ranks):
            kind = "batched 3-D" if batched else "unbatched 2-D"
            if len(state) == 1:
                raise RuntimeError(
                    f"For {kind} input, hx should also be {rank}-D but got {ranks[0]}-D tensor"
                )
            raise RuntimeError(
                f"For {kind} input, hx and cx should also be {rank}-D but got "
                f"({ranks[0]}-D, {ranks[1]}-D) tensors"
            )
        return state if batched else tuple(part.unsqueeze(1) for part in state)

    def _check_input(self, data: Tensor) -> None:
        weight = self._flat_weights[0].dtype
        if data.dtype is not weight:
            raise ValueError(
                f"RNN input dtype ({data.dtype}) does not match weight dtype ({weight}). "
                f"Convert input: input.to({weight}), or convert model: model.to({data.dtype})"
            )
        if data.size(-1) != self.input_size:
            raise RuntimeError(
                "input.size(-1) must be equal to input_size. Expected "
                f"{self.input_size}, got {data.size(-1)}"
            )

    def _checked_state(
        self, state: tuple[Tensor, ...] | None, batch: int, data: Tensor
    ) -> tuple[Tensor, ...]:
        rows = self.num_layers * (2 if self.bidirectional else 1)
        shapes = [(rows, batch, size) for size in self._state_sizes()]
        if state is None:
            return tuple(zeros(shape, dtype=data.dtype) for shape in shapes)
        for i, (part, shape) in enumerate(zip(state, shapes, strict=True)):
            if tuple(part.shape) != shape:
                which = f"[{i}]" if len(shapes) > 1 else ""
                raise RuntimeError(f"Expected hidden{which} size {shape}, got {list(part.shape)}")
        return state

    def _wants(self, input: Any, *_: Any) -> Iterator[str]:
        if not isinstance(input, Tensor) or input.shape[-1:] == (self.input_size,):
            return
        order = "batch, time" if self.batch_first else "time, batch"
        yield f"wanted ({order}, {self.input_size}), got {show(input.shape)}"
        if input.dim() == 2 and self.input_size == 1:
            yield "would fit: an axis for the one feature, x.unsqueeze(-1)"
        elif input.dim() in (2, 3):
            yield f"would fit: input_size={input.size(-1)}"

    def extra_repr(self) -> str:
        """The arguments that differ from their defaults."""
        text = f"{self.input_size}, {self.hidden_size}"
        defaults = {
            "proj_size": 0,
            "num_layers": 1,
            "bias": True,
            "batch_first": False,
            "dropout": 0,
            "bidirectional": False,
        }
        for name, default in defaults.items():
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)}"
        return text


class RNN(RNNBase):
    """hₜ = tanh(W xₜ + b + U hₜ₋₁ + c), or relu.

    >>> import penlight as torch
    >>> output, state = torch.nn.RNN(3, 5)(torch.ones(7, 2, 3))
    >>> output.shape, state.shape
    (torch.Size([7, 2, 5]), torch.Size([1, 2, 5]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        *args: Any,
        **kwargs: Any,
    ) -> None:
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(
                f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'."
            )
        mode = "RNN_TANH" if nonlinearity == "tanh" else "RNN_RELU"
        super().__init__(mode, input_size, hidden_size, num_layers, *args, **kwargs)
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Long short-term memory (Hochreiter & Schmidhuber 1997).

    i, f, o = σ(W xₜ + b + U hₜ₋₁ + c)    n = tanh(...)    cₜ = f cₜ₋₁ + i n    hₜ = o tanh(cₜ)

    With `proj_size` hₜ is projected to that size.

    >>> import penlight as torch
    >>> output, (h, c) = torch.nn.LSTM(3, 5, batch_first=True)(torch.ones(2, 7, 3))
    >>> output.shape, h.shape, c.shape
    (torch.Size([2, 7, 5]), torch.Size([1, 2, 5]), torch.Size([1, 2, 5]))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)

    def _state_sizes(self) -> tuple[int, ...]:
        return self._real_hidden_size, self.hidden_size


class GRU(RNNBase):
    """Gated recurrent unit (Cho et al. 2014, https://arxiv.org/abs/1406.1078).

    r, z = σ(W xₜ + b + U hₜ₋₁ + c)    n = tanh(W xₜ + b + r (U hₜ₋₁ + c))
    hₜ = (1 - z) n + z hₜ₋₁
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        super().__init__("GRU", *args, **kwargs)


class RNNCellBase(Module):
    """One step of a recurrent layer: input (B, I) or (I), hidden (B, H) or (H)."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        gates = num_chunks * hidden_size
        self.weight_ih = fresh((gates, input_size), device, dtype)
        self.weight_hh = fresh((gates, hidden_size), device, dtype)
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, fresh(gates, device, dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws new values, uniform in ±1/√H."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def _weights(self) -> tuple:
        return self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh

    def _check(self, name: str, tensor: Tensor) -> None:
        if tensor.dim() not in (1, 2):
            raise ValueError(
                f"{type(self).__name__}: Expected {name} to be 1D or 2D, got {tensor.dim()}D "
                "instead"
            )

    def _step(self, step: Any, input: Tensor, state: Any, name: str) -> tuple[Tensor, ...]:
        """`step` with a batch axis around it; `state` a tuple of tensors or None."""
        self._check("input", input)
        for i, part in enumerate(state or ()):
            self._check(name.format(i), part)
        batched = input.dim() == 2
        if not batched:
            input = input.unsqueeze(0)
        if state is None:
            start = zeros(input.size(0), self.hidden_size, dtype=input.dtype)
            state = (start, start)
        elif not batched:
            state = tuple(part.unsqueeze(0) for part in state)
        result = step(input, state)
        return result if batched else tuple(part.squeeze(0) for part in result)

    def extra_repr(self) -> str:
        """The arguments that differ from their defaults."""
        text = f"{self.input_size}, {self.hidden_size}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        nonlinearity = getattr(self, "nonlinearity", "tanh")
        return text + (f", nonlinearity={nonlinearity}" if nonlinearity != "tanh" else "")


class RNNCell(RNNCellBase):
    """h' = tanh(W x + b + U h + c), or relu."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """The new hidden state."""
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        cell = rnn_tanh_cell if self.nonlinearity == "tanh" else rnn_relu_cell
        state = None if hx is None else (hx,)
        step = lambda x, h: (cell(x, h[0], *self._weights()),)  # noqa: E731
        return self._step(step, input, state, "hidden")[0]


class LSTMCell(RNNCellBase):
    """One step of `LSTM`: (h', c') from (h, c)."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple:
        """The new hidden state and cell."""
        step = lambda x, state: lstm_cell(x, state, *self._weights())  # noqa: E731
        return self._step(step, input, hx, "hx[{}]")


class GRUCell(RNNCellBase):
    """One step of `GRU`."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """The new hidden state."""
        state = None if hx is None else (hx,)
        step = lambda x, h: (gru_cell(x, h[0], *self._weights()),)  # noqa: E731
        return self._step(step, input, state, "hidden")[0]
