"""The tutorial's network in JAX: whole steps under `jax.jit`, as its users write them.

JAX has no layers of its own, so only this network is translated. A step ends when its result is
there (`block_until_ready`); the parameters' memory is given to the step (`donate_argnums`).
"""

from __future__ import annotations

import functools
import itertools
from typing import Any

import numpy as np

from .steps import Missing, Step

SIZES = (784, 512, 512, 10)


def step_of(name: str) -> Step:
    """The step of a workload, by the name that it has in the table."""
    kind, _, batch = name.partition(", batch ")
    makers = {"tutorial step": _training, "tutorial inference": _inference}
    if kind not in makers:
        raise Missing("only the tutorial's network is translated to JAX")
    draw = np.random.RandomState(int(batch))
    x = draw.uniform(0, 1, (int(batch), SIZES[0])).astype(np.float32)
    return makers[kind](x, draw.randint(0, 10, int(batch)))


def _parameters() -> list[tuple[Any, Any]]:
    """A weight (in, out) and a bias per layer, uniform in ±1/sqrt(in)."""
    import jax.numpy as jnp

    draw = np.random.RandomState(0)
    return [
        tuple(
            jnp.asarray(draw.uniform(-1, 1, shape) / inside**0.5, jnp.float32)
            for shape in ((inside, outside), (outside,))
        )
        for inside, outside in itertools.pairwise(SIZES)
    ]


def _forward(parameters: list[tuple[Any, Any]], x: Any) -> Any:
    import jax

    *hidden, (weight, bias) = parameters
    for w, b in hidden:
        x = jax.nn.relu(x @ w + b)
    return x @ weight + bias


def _training(x: np.ndarray, y: np.ndarray) -> Step:
    import jax
    import jax.numpy as jnp

    def loss(parameters: Any, x: Any, y: Any) -> Any:
        chosen = jnp.take_along_axis(jax.nn.log_softmax(_forward(parameters, x)), y[:, None], 1)
        return -chosen.mean()

    @functools.partial(jax.jit, donate_argnums=0)
    def update(parameters: Any, x: Any, y: Any) -> tuple[Any, Any]:
        value, gradients = jax.value_and_grad(loss)(parameters, x, y)
        return jax.tree.map(lambda p, g: p - 0.01 * g, parameters, gradients), value

    state, x, y = _parameters(), jnp.asarray(x), jnp.asarray(y)

    def step() -> None:
        nonlocal state
        state, _ = jax.block_until_ready(update(state, x, y))

    return step


def _inference(x: np.ndarray, y: np.ndarray) -> Step:
    import jax
    import jax.numpy as jnp

    forward, parameters, x = jax.jit(_forward), _parameters(), jnp.asarray(x)
    return lambda: forward(parameters, x).block_until_ready()
