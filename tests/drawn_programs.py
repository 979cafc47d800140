"""Random programs: a few calls of ops on random tensors, written down as a trace.

`draw(seed)` gives the same program in every process. Its calls are those that the ops themselves
report to a recording; its inputs lie in memory in various ways.
"""

from __future__ import annotations

import warnings

import numpy as np

import penlight
from penlight.compiler.trace import Call, Ref, Trace
from penlight.core import watch
from penlight.core.tape import modes

F = penlight.nn.functional
SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, -1e-45, 3e38, 1.0, -1.0]
EXTENTS = [1, 2, 3, 4, 5, 8, 17]
FLOATS, INTEGERS = ("float32", "float64"), ("int64", "int32", "uint8")


class Drawn:
    """A program: its trace and arrays for its inputs."""

    def __init__(self, seed: int, steps: int = 8):
        self.rng = np.random.default_rng(seed)
        self.trace, self.arrays = Trace(), []
        self.numbers: dict[int, int] = {}
        self.kept: list = []  # keeps ids unique
        self.shape = tuple(self.rng.choice(EXTENTS, self.rng.integers(1, 4)).tolist())
        if self.rng.random() < 0.02:
            self.shape = (*self.shape[:-1], 0)
        self.kinds = [str(self.rng.choice(FLOATS))]
        if self.rng.random() < 0.4:
            self.kinds += [str(self.rng.choice(INTEGERS)), "bool"]
        self.pool = [self.tensor(kind) for kind in self.kinds for _ in range(2)]
        self.made: list = []
        watch.tracers.append(self)
        try:
            for _ in range(int(self.rng.integers(2, steps))):
                self.step()
            self.finish()
        finally:
            watch.tracers.remove(self)
            modes.tracer = None
        if not any(call.name == "_view" for call in self.trace.calls):  # it asks for a layout
            self.arrays = [self.laid_out(a) for a in self.arrays]

    # ------------------------------------------------------------ inputs

    def numbers_of(self, shape, kind):
        """Random numbers, a few of them special."""
        rng, dtype = self.rng, np.dtype(kind)
        if kind == "bool":
            return rng.random(shape) < 0.5
        if dtype.kind != "f":
            found = rng.integers(0 if dtype.kind == "u" else -9, 9, shape).astype(dtype)
            edge = rng.choice([np.iinfo(dtype).min, np.iinfo(dtype).max])
            return np.where(rng.random(shape) < 0.05, dtype.type(edge), found)
        found = rng.standard_normal(shape).astype(dtype)
        odd = rng.random(shape) < rng.choice([0.0, 0.0, 0.1])
        return np.where(odd, rng.choice(np.array(SPECIAL, dtype), shape), found)

    def tensor(self, kind, shape=None):
        """A new input, whose shape broadcasts with the program's."""
        if shape is None:
            shape = tuple(1 if self.rng.random() < 0.2 else n for n in self.shape)
            shape = shape[int(self.rng.integers(0, len(shape))) if self.rng.random() < 0.3 else 0 :]
        array = self.numbers_of(shape, kind)
        t = penlight.from_numpy(array)
        self.add_input(t._array)
        return t

    def indices(self, shape, extent):
        """An input of indices, all of them in range."""
        t = penlight.from_numpy(self.rng.integers(0, extent, shape))
        self.add_input(t._array)
        return t

    def add_input(self, array):
        """Makes an array the next input."""
        number = self.trace.value(array.dtype, array.shape)
        self.numbers[id(array)] = number
        self.trace.inputs.append(number)
        self.arrays.append(array)
        self.kept.append(array)

    def laid_out(self, a):
        """The array with the same values, otherwise in memory."""
        way = self.rng.integers(0, 6) if a.ndim else 5
        if way == 0:
            return np.asfortranarray(a)
        if way == 1:
            wide = np.zeros((*a.shape[:-1], 2 * a.shape[-1] + 1), a.dtype)
            part = wide[..., 1::2]
            part[...] = a
            return part
        if way == 2:
            return np.ascontiguousarray(a[::-1])[::-1]
        if way == 3 and a.ndim > 1:
            return np.ascontiguousarray(a.swapaxes(0, -1)).swapaxes(0, -1)
        return a.copy()

    # ------------------------------------------------------------ the recording

    def __getattr__(self, name):
        return lambda *args, **kwargs: None

    def called(self, name, function, operands, args, results, pure=True):
        """An op tells what it computed."""
        if not pure:
            raise ValueError(f"{name} is not pure")
        args = tuple(self.reference(a) for a in args)
        arrays = [t._array for t in results]
        numbers = tuple(self.trace.value(a.dtype, a.shape) for a in arrays)
        self.trace.calls.append(Call(name, function, args, numbers))
        self.kept += arrays
        self.numbers |= zip(map(id, arrays), numbers)

    def reference(self, a):
        """An argument with arrays replaced by their numbers."""
        if isinstance(a, np.ndarray):
            if id(a) not in self.numbers:
                self.add_input(a)
            return Ref(self.numbers[id(a)])
        return type(a)(map(self.reference, a)) if type(a) in (tuple, list) else a

    # ------------------------------------------------------------ steps

    def step(self):
        """One op on tensors of the pool, if it fits them."""
        op = OPS[int(self.rng.integers(0, len(OPS)))]
        calls = len(self.trace.calls)
        modes.tracer = self
        try:
            found = op(self, self.rng)
        except (RuntimeError, ValueError, IndexError, TypeError, NotImplementedError):
            found = None
        finally:
            modes.tracer = None
        if found is None or found._array.size > 3000 or id(found._array) not in self.numbers:
            del self.trace.calls[calls:]
            return
        self.pool.append(found)
        self.made.append(found)

    def any(self, kinds="f"):
        """A tensor of the pool, the latest ones more often."""
        fits = [t for t in self.pool if t._array.dtype.kind in kinds]
        if not fits:
            raise ValueError("no such tensor")
        return fits[-1 - min(len(fits) - 1, int(self.rng.exponential(1.5)))]

    def axis(self, t):
        """One of a tensor's axes."""
        if not t.dim():
            raise ValueError("no axis")
        return int(self.rng.integers(0, t.dim()))

    def number(self, t):
        """A Python number for arithmetic with a tensor."""
        return (
            float(self.rng.choice([0.5, -2.0, 0.0, 3.25]))
            if t.is_floating_point()
            else int(self.rng.integers(-3, 4))
        )

    def finish(self):
        """Chooses outputs, and what is stored to inputs."""
        modes.tracer = self
        ends = self.made[-3:] or [self.pool[0]]
        ends = [t.clone() if self.is_view_of_input(t) else t for t in ends]
        for position, array in enumerate(self.arrays):
            for t in ends:
                same = (t._array.dtype, t._array.shape) == (array.dtype, array.shape)
                if same and self.rng.random() < 0.5 and len(ends) > 1:
                    self.trace.stores.append((position, self.numbers[id(t._array)]))
                    ends = [e for e in ends if e is not t] if self.rng.random() < 0.8 else ends
                    break
        modes.tracer = None
        self.trace.outputs = [self.numbers[id(t._array)] for t in ends]

    def is_view_of_input(self, t):
        return any(np.may_share_memory(t._array, a) for a in self.arrays)


def unary(name, kinds="f"):
    return lambda p, rng: getattr(penlight, name)(p.any(kinds))


def binary(name, kinds="f"):
    def op(p, rng):
        a = p.any(kinds)
        b = p.any(kinds) if rng.random() < 0.7 else p.number(a)
        return getattr(penlight, name)(a, b)

    return op


def activation(name, **how):
    return lambda p, rng: getattr(F, name)(p.any(), **how)


def reduction(name, kinds="f"):
    def op(p, rng):
        t = p.any(kinds)
        if rng.random() < 0.2:
            return getattr(penlight, name)(t)
        return getattr(penlight, name)(t, p.axis(t), keepdim=bool(rng.random() < 0.5))

    return op


def several_axes(p, rng):
    t = p.any()
    axes = sorted({p.axis(t), p.axis(t)})
    function = rng.choice([penlight.sum, penlight.mean, penlight.amax, penlight.amin])
    return function(t, tuple(axes), keepdim=bool(rng.random() < 0.5))


def product(p, rng):
    a = p.any()
    k = a.shape[-1]
    n = int(rng.choice(EXTENTS))
    if rng.random() < 0.5:
        b = p.tensor(str(a._array.dtype), (n, k)).t()
    else:
        b = p.tensor(str(a._array.dtype), (k, n))
    return a @ b if rng.random() < 0.7 else F.linear(a, b.t(), p.tensor(str(a._array.dtype), (n,)))


def norm(p, rng):
    t = p.any()
    kind, n = str(t._array.dtype), t.shape[-1:]
    return F.layer_norm(t, n, p.tensor(kind, n), p.tensor(kind, n))


def where(p, rng):
    return penlight.where(p.any("b"), p.any(), p.any())


def masked(p, rng):
    t = p.any()
    return t.masked_fill(p.any("b"), p.number(t))


def cat(p, rng):
    t = p.any("fiub")
    others = [x for x in p.pool if x._array.shape == t._array.shape and x.dtype == t.dtype]
    parts = [others[int(i)] for i in rng.integers(0, len(others), int(rng.integers(2, 4)))]
    return (penlight.cat if rng.random() < 0.6 else penlight.stack)(parts, p.axis(t))


def gather(p, rng):
    t = p.any()
    dim = p.axis(t)
    shape = [int(rng.integers(1, n + 1)) if i != dim else int(rng.choice([1, 2, 5]))
             for i, n in enumerate(t.shape)]  # fmt: skip
    return t.gather(dim, p.indices(tuple(shape), t.shape[dim]))


def pick(p, rng):
    t = p.any()
    dim = p.axis(t)
    index = p.indices((int(rng.choice([1, 3, 6])),), t.shape[dim])
    return t.index_select(dim, index)


def index(p, rng):
    t = p.any()
    index = p.indices((int(rng.choice([1, 3])), 2), t.shape[0])
    return t[index] if t.dim() < 2 or rng.random() < 0.6 else t[index, p.indices((2,), t.shape[1])]


def scatter_add(p, rng):
    t = p.any()
    dim = p.axis(t)
    shape = tuple(int(rng.integers(1, n + 1)) if i != dim else 3 for i, n in enumerate(t.shape))
    return t.scatter_add(dim, p.indices(shape, t.shape[dim]), p.tensor(str(t._array.dtype), shape))


def index_add(p, rng):
    t = p.any()
    dim = p.axis(t)
    shape = tuple(n if i != dim else 4 for i, n in enumerate(t.shape))
    return t.index_add(dim, p.indices((4,), t.shape[dim]), p.tensor(str(t._array.dtype), shape))


def index_put(p, rng):
    t = p.any()
    indices = (p.indices((3,), t.shape[0]),)
    if t.dim() > 1 and rng.random() < 0.5:
        indices += (p.indices((2, 3), t.shape[1]),)
    return t.index_put(indices, p.tensor(str(t._array.dtype), ()), True)


def embedding(p, rng):
    table = p.tensor(p.kinds[0], (5, 3))
    return F.embedding(p.indices((int(rng.choice([1, 4])), 2), 5), table)


def cut(p, rng):
    t = p.any("fiub")
    dim = p.axis(t)
    n = t.shape[dim]
    start = int(rng.integers(0, n))
    return t[(slice(None),) * dim + (slice(start, None, int(rng.choice([1, 1, 2]))),)]


def put(p, rng):
    """A part replaced: the functional form of x[...] = y."""
    t = p.any()
    dim = p.axis(t)
    n = t.shape[dim]
    start = int(rng.integers(0, n))
    part = t.narrow(dim, start, n - start)
    return t.slice_scatter(part * p.number(t), dim, start, n)


def view(p, rng):
    t = p.any("fiub")
    way = rng.integers(0, 6)
    if way == 0:
        return t.reshape(-1)
    if way == 1:
        return t.transpose(p.axis(t), p.axis(t))
    if way == 2:
        return t.unsqueeze(p.axis(t))
    if way == 3:
        return t.reshape(-1, t.shape[0]) if t.dim() > 1 else t.reshape(1, -1)
    if way == 4:
        return t.expand(3, *t.shape)
    return t.flip(p.axis(t))


def cast(p, rng):
    t = p.any("fiub")
    kind = str(rng.choice([p.kinds[0], "float32", "float64", "int64", "bool"]))
    if t.is_floating_point() and kind == "int64":
        t = t.nan_to_num().clamp(-1e3, 1e3)
    return t.to(getattr(penlight, kind))


def negative_log_likelihood(p, rng):
    t = F.log_softmax(p.any().reshape(-1, p.shape[-1]), 1)
    target = p.indices((t.shape[0],), t.shape[1])
    return F.nll_loss(t, target, reduction=str(rng.choice(["mean", "sum", "none"])))


def loss(p, rng):
    a = p.any()
    b = p.tensor(str(a._array.dtype), tuple(a.shape))
    function = rng.choice([F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.huber_loss,
                           F.binary_cross_entropy_with_logits])  # fmt: skip
    return function(a, b, reduction=str(rng.choice(["mean", "sum", "none"])))


OPS = [
    *[unary(n) for n in "exp log sqrt tanh sigmoid neg abs reciprocal sin cos log1p expm1 erf "
      "floor ceil trunc sign rsqrt exp2 relu atan sgn isnan isfinite logical_not square".split()],
    *[binary(n) for n in "add sub mul div maximum minimum lt ge eq pow atan2 add mul sub".split()],
    *[binary(n, "iu") for n in "add sub mul maximum minimum bitwise_and bitwise_or lt eq".split()],
    *[binary(n, "b") for n in "logical_and logical_or logical_xor bitwise_and eq".split()],
    *[unary(n, "iu") for n in "neg abs bitwise_not sign".split()],
    *[activation(n) for n in "gelu silu elu softplus mish hardtanh leaky_relu hardswish".split()],
    *[activation(n, dim=-1) for n in ("softmax", "log_softmax", "softmax", "glu")],
    *[reduction(n) for n in "sum mean prod sum mean argmax argmin logsumexp std var".split()],
    *[reduction(n, "iub") for n in "sum any all".split()],
    several_axes, several_axes, product, product, product, norm, norm, where, where, masked, cat,
    cat, gather, pick, index, scatter_add, index_add, index_put, embedding, cut, cut, put, view,
    view, view, view, cast, cast, cast,
    negative_log_likelihood, loss, loss,
    lambda p, rng: p.any().tril(), lambda p, rng: p.any().triu(1),
    lambda p, rng: p.any().clamp(-1.0, 0.5), lambda p, rng: p.any("iu") // 3,
    lambda p, rng: p.any("i") % 5, lambda p, rng: p.any().clone(),
    lambda p, rng: p.any().roll(1, 0), lambda p, rng: p.any().repeat(2, *[1] * (len(p.shape) - 1)),
]  # fmt: skip


def draw(seed: int) -> Drawn:
    """The program of a number."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a variance of one element is NaN
        return Drawn(seed)
