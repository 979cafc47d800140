"""Sums of products over named axes: `einsum`, `tensordot`.

Operands are contracted two at a time, each pair as one batched matrix product.
"""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

from ..core.tensor import Tensor, check_dim
from ..core.watch import refuse
from .families import composite
from .matmul import bmm, mm

# Labels are letters; the axes of an ellipsis get numbers, counted from its end: -1 is the last.
Label = str | int
Term = tuple[Tensor, tuple[Label, ...]]

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


@composite(names="torch.einsum")
def einsum(equation, *operands):
    """Sums of products of the operands' elements, as in Einstein's notation.

    Axes with the same letter go together; letters that are not behind "->" are summed over. Without
    "->" the result has the letters that occur once, in alphabetical order. "..." stands for all
    other axes, which broadcast.

    >>> import penlight as torch
    >>> torch.einsum("ij,jk->ik", torch.ones(2, 3), torch.ones(3, 1))
    tensor([[3.],
            [3.]])
    """
    if isinstance(equation, Tensor):
        equation, operands = _from_lists(equation, *operands)
    elif len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    if not operands:
        raise ValueError(
            "einsum(): must specify the equation string and at least one operand, or at least one "
            "operand and its subscripts list"
        )
    inputs, output = _parse(equation, operands)
    terms = [_with_diagonals(t, labels, at) for at, (t, labels) in enumerate(inputs)]
    _check_sizes(terms)
    while len(terms) > 2:
        i, j = _cheapest(terms, output)
        rest = [term for at, term in enumerate(terms) if at not in (i, j)]
        terms = [_contract(terms[i], terms[j], _needed(rest, output)), *rest]
    if len(terms) == 2:
        terms = [_contract(*terms, set(output))]
    return _ordered(*_summed(terms[0], set(output)), output)


def _from_lists(*arguments: Any) -> tuple[str, tuple[Tensor, ...]]:
    """The form einsum(a, [0, 1], b, [1, 2], [0, 2]) as an equation."""
    output = arguments[-1] if len(arguments) % 2 else None
    pairs = arguments[: len(arguments) - len(arguments) % 2]
    letters = sorted(_LETTERS)

    def text(labels: Any) -> str:
        for label in labels:
            if label is not Ellipsis and not 0 <= label < 52:
                raise ValueError(
                    "einsum(): subscript in subscript list is not within the valid range [0, 52)"
                )
        return "".join("..." if label is Ellipsis else letters[label] for label in labels)

    equation = ",".join(text(labels) for labels in pairs[1::2])
    return (equation if output is None else f"{equation}->{text(output)}"), pairs[::2]


# ---------------------------------------------------------------- the equation


def _parse(equation: str, operands: tuple) -> tuple[list[Term], tuple[Label, ...]]:
    """Each operand with its labels, and the labels of the result."""
    left, arrow, right = equation.partition("->")
    parts = left.split(",")
    if len(parts) != len(operands):
        which = "fewer" if len(operands) < len(parts) else "more"
        raise RuntimeError(
            f"einsum(): {which} operands were provided than specified in the equation"
        )
    start, terms = 0, []
    for at, (part, t) in enumerate(zip(parts, operands, strict=True)):
        labels = _labels(part, start, f"operand {at}")
        terms.append((t, _without_ellipsis(labels, t._array.ndim, at)))
        start += len(part) + 1
    rank = max((-label for _, labels in terms for label in labels if type(label) is int), default=0)
    ellipsis = tuple(range(-rank, 0))
    if not arrow:
        every = [label for _, labels in terms for label in labels if type(label) is str]
        return terms, ellipsis + tuple(sorted(x for x in set(every) if every.count(x) == 1))
    return terms, _output(_labels(right, start + 1, "output"), ellipsis, terms)


def _labels(part: str, start: int, where: str) -> list[str]:
    """The letters of a part, and "..." as one label; `start` is where it begins."""
    found, at = [], 0
    while at < len(part):
        if part[at] == " ":
            at += 1
        elif part[at] == ".":
            if "..." in found:
                raise RuntimeError(
                    f"einsum(): found '.' for {where} for which an ellipsis was already found"
                )
            if part[at : at + 3] != "...":
                raise RuntimeError(
                    f"einsum(): found '.' for {where} that is not part of any ellipsis (...)"
                )
            found.append("...")
            at += 3
        elif part[at] in _LETTERS:
            found.append(part[at])
            at += 1
        else:
            raise RuntimeError(
                f"einsum(): invalid subscript given at index {start + at} in the equation string, "
                "subscripts must be in [a-zA-Z]"
            )
    return found


def _without_ellipsis(labels: list[str], ndim: int, operand: int) -> tuple[Label, ...]:
    letters = len(labels) - ("..." in labels)
    if letters > ndim or ("..." not in labels and letters != ndim):
        relation, end = "is more than", ""
        if "..." not in labels:
            relation, end = "does not match", " and no ellipsis was given"
        raise RuntimeError(
            f"einsum(): the number of subscripts in the equation ({letters}) {relation} the number "
            f"of dimensions ({ndim}) for operand {operand}{end}"
        )
    found: list[Label] = []
    for label in labels:
        found += range(letters - ndim, 0) if label == "..." else [label]
    return tuple(found)


def _output(labels: list[str], ellipsis: tuple[int, ...], terms: list[Term]) -> tuple[Label, ...]:
    known = {label for _, used in terms for label in used}
    for label in labels:
        if label != "..." and labels.count(label) > 1:
            raise RuntimeError(
                f"einsum(): output subscript {label} appears more than once in the output"
            )
        if label != "..." and label not in known:
            raise RuntimeError(
                f"einsum(): output subscript {label} does not appear in the equation for any input "
                "operand"
            )
    found: list[Label] = []
    for label in labels:
        found += ellipsis if label == "..." else [label]
    return tuple(found)


# ---------------------------------------------------------------- axes


def _with_diagonals(t: Tensor, labels: tuple[Label, ...], operand: int) -> Term:
    """A label that an operand has twice takes its diagonal."""
    for label in labels:
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            a, b = t._array.shape[first], t._array.shape[second]
            if a != b:
                raise RuntimeError(
                    f"einsum(): subscript {label} is repeated for operand {operand} but the sizes "
                    f"don't match, {b} != {a}"
                )
            t = t.diagonal(0, first, second)
            labels = (*(x for at, x in enumerate(labels) if at not in (first, second)), label)
    return t, labels


def _check_sizes(terms: list[Term]) -> None:
    """An axis has one length everywhere, or 1."""
    sizes: dict[Label, int] = {}
    for at, (t, labels) in enumerate(terms):
        for label, size in zip(labels, t._array.shape, strict=True):
            known = sizes.setdefault(label, size)
            if known == 1:
                sizes[label] = size
            elif size not in (1, known):
                raise RuntimeError(
                    f"einsum(): subscript {label} has size {size} for operand {at} which does not "
                    f"broadcast with previously seen size {known}"
                )


def _needed(rest: list[Term], output: tuple[Label, ...]) -> set[Label]:
    return set(output).union(*(labels for _, labels in rest))


def _cheapest(terms: list[Term], output: tuple[Label, ...]) -> tuple[int, int]:
    """The pair whose product saves the most memory."""

    def growth(pair: tuple[int, int]) -> int:
        i, j = pair
        (a, a_labels), (b, b_labels) = terms[i], terms[j]
        rest = [term for at, term in enumerate(terms) if at not in pair]
        sizes = dict(zip(a_labels, a._array.shape, strict=True))
        for label, size in zip(b_labels, b._array.shape, strict=True):
            sizes[label] = max(size, sizes.get(label, 1))
        kept = _needed(rest, output)
        return math.prod(n for x, n in sizes.items() if x in kept) - a.numel() - b.numel()

    return min(combinations(range(len(terms)), 2), key=growth)


def _summed(term: Term, needed: set[Label]) -> Term:
    """Without the axes that nobody needs any more."""
    t, labels = term
    gone = tuple(at for at, label in enumerate(labels) if label not in needed)
    if not gone:
        return term
    return t.sum(gone), tuple(label for label in labels if label in needed)


def _ordered(t: Tensor, labels: tuple[Label, ...], order: tuple[Label, ...]) -> Tensor:
    """The axes in the given order; a label the tensor lacks becomes an axis of length 1."""
    present = [labels.index(label) for label in order if label in labels]
    if present != list(range(len(labels))):
        t = t.permute(present)
    for at, label in enumerate(order):
        if label not in labels:
            t = t.unsqueeze(at)
    return t


def _contract(left: Term, right: Term, needed: set[Label]) -> Term:
    """Two operands as one: (batch, rows, inner) @ (batch, inner, columns)."""
    left = _summed(left, needed.union(right[1]))
    right = _summed(right, needed.union(left[1]))
    (a, a_labels), (b, b_labels) = left, right
    both = [label for label in a_labels if label in b_labels]
    batch = [label for label in both if label in needed]
    inner = [label for label in both if label not in needed]
    rows = [label for label in a_labels if label not in both]
    columns = [label for label in b_labels if label not in both]
    a = _ordered(a, a_labels, (*batch, *rows, *inner))
    b = _ordered(b, b_labels, (*batch, *inner, *columns))
    a, b = _one_length(a, b, len(batch), len(inner))
    shape_a, shape_b, first = a._array.shape, b._array.shape, len(batch)
    middle = first + len(rows)
    lead, n, m = shape_a[:first], shape_a[first:middle], shape_b[first + len(inner) :]
    k = math.prod(shape_a[middle:])
    if batch:
        count = math.prod(lead)
        product = bmm(a.reshape(count, math.prod(n), k), b.reshape(count, k, math.prod(m)))
    else:
        product = mm(a.reshape(math.prod(n), k), b.reshape(k, math.prod(m)))
    return product.reshape(lead + n + m), (*batch, *rows, *columns)


def _one_length(a: Tensor, b: Tensor, batch: int, inner: int) -> tuple[Tensor, Tensor]:
    """Shared axes of length 1 in one operand are expanded to their length in the other."""
    sa, sb = list(a._array.shape), list(b._array.shape)
    first_inner = len(sa) - inner
    pairs = [(at, at) for at in range(batch)]
    pairs += [(first_inner + at, batch + at) for at in range(inner)]
    for i, j in pairs:
        sa[i] = sb[j] = sa[i] if sb[j] == 1 else sb[j]
    a = a if tuple(sa) == a._array.shape else a.expand(sa)
    return a, b if tuple(sb) == b._array.shape else b.expand(sb)


# ---------------------------------------------------------------- tensordot


@composite(names="torch.tensordot")
def tensordot(a, b, dims=2):
    """Sum over pairs of axes: the last `dims` of a with the first of b, or two lists of axes.

    >>> import penlight as torch
    >>> torch.tensordot(torch.ones(2, 3, 4), torch.ones(4, 3), dims=([2, 1], [0, 1]))
    tensor([12., 12.])
    """
    if isinstance(dims, Tensor):
        refuse("axes depend on a tensor's values")
        dims = dims._array.tolist()
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(a._array.ndim, b._array.ndim):
            raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        dims_a, dims_b = list(range(-dims, 0)), list(range(dims))
    else:
        dims_a, dims_b = ([d] if isinstance(d, int) else list(d) for d in dims)
    if len(dims_a) != len(dims_b):
        raise RuntimeError("both dimension lists should have same length")
    summed_a = [check_dim(d, a._array.ndim) for d in dims_a]
    summed_b = [check_dim(d, b._array.ndim) for d in dims_b]
    for (i, given_a), (j, given_b) in zip(
        zip(summed_a, dims_a, strict=True), zip(summed_b, dims_b, strict=True), strict=True
    ):
        n, m = a._array.shape[i], b._array.shape[j]
        if n != m and 1 not in (n, m):
            raise RuntimeError(
                f"contracted dimensions need to match, but first has size {n} in dim {given_a} and "
                f"second has size {m} in dim {given_b}"
            )
    labels_b = list(range(-b._array.ndim, 0))
    labels_a = [str(at) for at in range(a._array.ndim)]
    for i, j in zip(summed_a, summed_b, strict=True):
        labels_b[j] = labels_a[i]  # type: ignore[call-overload]
    kept = [x for x in labels_a if x not in labels_b] + [x for x in labels_b if x not in labels_a]
    return _contract((a, tuple(labels_a)), (b, tuple(labels_b)), set(kept))[0]
