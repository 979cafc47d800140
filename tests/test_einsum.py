"""einsum beside PyTorch: values, first and second derivatives, errors."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import penlight
from same import assert_same

EQUATIONS = """
T.einsum("ij,jk->ik", a, b)                         | a b
T.einsum("ij,jk", a, b)                             | a b
T.einsum("ij,jk", [a, b])                           | a b
T.einsum(" i j , j k -> k i", a, b)                 | a b
T.einsum("ba,ac->bc", a, b)                         | a b
T.einsum("ij->ji", a)                               | a
T.einsum("ij->", a)                                 | a
T.einsum("ij", a)                                   | a
T.einsum("ba", a)                                   | a
T.einsum("ii->i", s)                                | s
T.einsum("ii", s)                                   | s
T.einsum("iij->j", q)                               | q
T.einsum("i,j->ij", v, u)                           | v u
T.einsum("i,i->i", v, v)                            | v
T.einsum("i,i", v, v)                               | v
T.einsum("bij,bjk->bik", x, y)                      | x y
T.einsum("bij,bjk->ik", x, y)                       | x y
T.einsum("...ij,...jk->...ik", x, y)                | x y
T.einsum("...ij,jk->...ik", x, b)                   | x b
T.einsum("i...->...", x)                            | x
T.einsum("...", x)                                  | x
T.einsum("...,...", x, x)                           | x
T.einsum("i...j->...j", x)                          | x
T.einsum("ij...,jk...->ik...", a, b)                | a b
T.einsum("ij,ij->ij", a, a[:1])                     | a
T.einsum("ij,kj->ik", a, a[:, :1])                  | a
T.einsum("bi,bj,bij->b", x[:, :, 0], y[:, 0], w)    | x y w
T.einsum("ij,jk,kl->il", a, b, c)                   | a b c
T.einsum("ij,jk,kl,lm->im", a, b, c, c.mT)          | a b c
T.einsum("i,j,k->kij", v, u, v)                     | v u
T.einsum(a, [0, 1], b, [1, 2], [0, 2])              | a b
T.einsum(a, [0, 1], b, [1, 2])                      | a b
T.einsum(x, [..., 0, 1], [..., 1, 0])               | x
T.einsum("ij,jk->ik", i, i.mT)                      |
T.einsum("ij,jk->ik", a[:0], b)                     | a b
T.einsum("ij,jk->ik", a[:, :0], b[:0])              | a b
"""

ERRORS = """
T.einsum("ij,jk->ik", a, a)
T.einsum("ij,jk->ik", a)
T.einsum("ij->ik", a, a)
T.einsum("i$->i", a)
T.einsum("ijk->ik", a)
T.einsum("i->ij", v)
T.einsum("...->.", v)
T.einsum("ij->ii", a)
T.einsum("ii->i", a)
T.einsum("ij->i->j", a)
T.einsum("i", a)
T.einsum("i...j...->ij", x)
T.einsum("ij,kj->ik", a, x)
T.einsum("ijk...->i", a)
T.einsum(a, [0, 99], [0])
T.einsum("")
"""


def maker(kind, grads):
    def make(library):
        rng = np.random.default_rng(3)

        def draw(*shape):
            real = rng.standard_normal(shape)
            return real + 1j * rng.standard_normal(shape) if kind == "complex" else real

        arrays = {
            "a": draw(2, 3), "b": draw(3, 4), "c": draw(4, 2), "s": draw(3, 3), "q": draw(3, 3, 2),
            "v": draw(3), "u": draw(4), "x": draw(5, 2, 3), "y": draw(5, 3, 4), "w": draw(5, 2, 4),
        }  # fmt: skip
        names = {name: library.tensor(a, requires_grad=name in grads) for name, a in arrays.items()}
        return names | {"i": library.arange(6).reshape(2, 3)}

    return make


@pytest.mark.parametrize("kind", ["real", "complex"])
@pytest.mark.parametrize("row", EQUATIONS.strip().splitlines())
def test_values_and_derivatives(row, kind):
    code, _, names = row.rpartition("|")
    assert_same(code.strip(), maker(kind, names.split()), names.split())


@pytest.mark.parametrize("code", ERRORS.strip().splitlines())
def test_errors(code):
    assert_same(code, maker("real", ()))


sizes = {"a": 2, "b": 3, "c": 1, "d": 2}
labels = st.text(alphabet="abcd", min_size=0, max_size=3)


@settings(max_examples=200, deadline=None)
@given(st.lists(labels, min_size=1, max_size=4), st.data())
def test_any_equation(terms, data):
    known = sorted(set("".join(terms)))
    output = "".join(data.draw(st.permutations(known)))[: data.draw(st.integers(0, len(known)))]
    equation = ",".join(terms) + data.draw(st.sampled_from(["", f"->{output}"]))
    rng = np.random.default_rng(len(equation))
    arrays = [rng.standard_normal([sizes[x] for x in term]) for term in terms]
    want = torch.einsum(equation, *map(torch.tensor, arrays))
    got = penlight.einsum(equation, *map(penlight.tensor, arrays))
    assert tuple(got.shape) == tuple(want.shape)
    np.testing.assert_allclose(got.numpy(), want.numpy(), atol=1e-12)
