"""Fourier transforms beside PyTorch: values, first and second derivatives, errors."""

import numpy as np
import pytest

from same import assert_same

# x, y, m are real; c, d are complex
DIFFERENTIABLE = """
T.fft.{c2c}(c, norm={norm})                                  | c
T.fft.{c2c}(x, norm={norm})                                  | x
T.fft.{c2c}(c, n=3, dim=0, norm={norm})                      | c
T.fft.{c2c}(c, n=9, dim=1, norm={norm})                      | c
T.fft.{c2c}n(d, norm={norm})                                 | d
T.fft.{c2c}n(d, s=(2, -1, 7), norm={norm})                   | d
T.fft.{c2c}n(d, s=(4,), norm={norm})                         | d
T.fft.{c2c}n(d, dim=(2, 0), norm={norm})                     | d
T.fft.{c2c}n(x, s=(3, 5), dim=(1, 0), norm={norm})           | x
T.fft.{c2c}2(d, norm={norm})                                 | d
T.fft.{r2c}(x, norm={norm})                                  | x
T.fft.{r2c}(x, n=4, dim=0, norm={norm})                      | x
T.fft.{r2c}(x, n=9, norm={norm})                             | x
T.fft.{r2c}n(m, norm={norm})                                 | m
T.fft.{r2c}n(m, s=(3, 4), norm={norm})                       | m
T.fft.{r2c}n(m, dim=(2, 0), norm={norm})                     | m
T.fft.{r2c}2(m, s=(5, 2), norm={norm})                       | m
T.fft.{c2r}(c, norm={norm})                                  | c
T.fft.{c2r}(c, n=5, norm={norm})                             | c
T.fft.{c2r}(c, n=4, dim=0, norm={norm})                      | c
T.fft.{c2r}(x, n=14, norm={norm})                            | x
T.fft.{c2r}n(d, norm={norm})                                 | d
T.fft.{c2r}n(d, s=(3, 4), norm={norm})                       | d
T.fft.{c2r}n(d, s=(3, -1), norm={norm})                      | d
T.fft.{c2r}n(d, dim=(2, 0), norm={norm})                     | d
T.fft.{c2r}2(d, s=(5, 3), norm={norm})                       | d
"""

OTHERS = """
T.fft.fftshift(x)                                            | x
T.fft.fftshift(x, dim=0)                                     | x
T.fft.ifftshift(c, dim=(1,))                                 | c
T.fft.ifftshift(x)                                           | x
T.fft.fftfreq(4, 0.5)                                        |
T.fft.fftfreq(5, dtype=T.float64)                            |
T.fft.rfftfreq(7, d=2)                                       |
T.fft.fft(T.arange(4))                                       |
T.fft.rfft(T.ones(5, dtype=T.bool))                          |
T.fft.fft(T.ones(3, dtype=T.float32))                        |
T.fft.irfft(T.ones(3, dtype=T.complex64))                    |
T.fft.fftn(T.tensor(1.0))                                    |
T.fft.fftn(x, dim=())                                        | x
T.fft.irfft(T.fft.rfft(x), n=7)                              | x
T.fft.hfft(T.fft.ihfft(x), n=7)                              | x
T.stft(v, 8, return_complex=True)                            | v
T.stft(v, 8, hop_length=3, win_length=6, window=w, return_complex=True) | v w
T.stft(v, 8, window=T.ones(8).double(), center=False, return_complex=True) | v
T.stft(v, 8, normalized=True, onesided=False, return_complex=True) | v
T.stft(v.reshape(2, -1), 8, pad_mode="constant", return_complex=False) | v
T.stft(z, 8, window=w[:5], win_length=5, return_complex=True)| z w
v.stft(8, return_complex=True)                               | v
T.istft(T.stft(v, 8, window=k, return_complex=True), 8, window=k) | v k
T.istft(T.stft(v, 8, 2, 6, w, return_complex=True), 8, 2, 6, w, length=35) | v
T.istft(T.stft(v, 8, return_complex=True, normalized=True), 8, normalized=True, length=50) | v
T.istft(T.stft(v, 8, return_complex=True, onesided=False), 8, onesided=False) | v
T.istft(T.stft(z, 8, return_complex=True), 8, onesided=False, return_complex=True) | z
T.istft(T.stft(z, 8, return_complex=True), 8, return_complex=True) | z
T.istft(T.stft(z, 8, return_complex=True), 8)                | z
T.istft(T.stft(v, 8, center=False, return_complex=True), 8, center=False) | v
T.istft(T.stft(v.reshape(2, -1), 8, return_complex=True), 8, window=T.ones(8).double()) | v
"""

ERRORS = """
T.fft.fft(x, norm="x")
T.fft.fft(x, n=0)
T.fft.fft(T.tensor(1.0))
T.fft.rfft(c)
T.fft.ihfft(c)
T.fft.fft(T.ones(3, dtype=T.half))
T.fft.fftn(x, s=(1,), dim=(0, 1))
T.fft.fftn(x, dim=(0, 0))
T.fft.fftn(v, s=(1, 2))
T.fft.rfftn(x, dim=())
T.fft.irfftn(x, dim=())
T.fft.hfftn(x, dim=())
T.fft.ihfftn(x, dim=())
T.fft.fft2(v)
T.fft.irfft(T.ones(1))
T.fft.irfft(x, n=0)
T.fft.fftn(x, s=(-2,))
T.fft.fftfreq(4, dtype=T.int64)
T.stft(v, 4)
T.stft(v, 400, return_complex=True)
T.stft(v.float(), 4, hop_length=0, return_complex=True)
T.stft(v.float(), 4, win_length=6, return_complex=True)
T.stft(v.float(), 4, window=T.ones(3), return_complex=True)
T.stft(T.ones(10, dtype=T.int64), 4, return_complex=True)
T.stft(T.ones(3), 8, center=False, return_complex=True)
T.stft(z, 4, onesided=True, return_complex=True)
T.istft(x, 4)
T.istft(T.ones(3, 11, dtype=T.complex64), 8)
T.istft(T.ones(3, 11, dtype=T.complex64), 4, hop_length=8)
T.istft(T.ones(3, 11, dtype=T.complex64), 4, return_complex=True)
T.istft(T.ones(3, 11, dtype=T.complex64), 4, onesided=False)
T.istft(T.ones(3, 11, dtype=T.complex64), 4, window=T.ones(3))
T.istft(T.ones(3, 11, dtype=T.complex64), 4, window=T.zeros(4))
"""

NAMES = {"c2c": ("fft", "ifft"), "r2c": ("rfft", "ihfft"), "c2r": ("irfft", "hfft")}


def cases():
    for row in DIFFERENTIABLE.strip().splitlines():
        kind = row[row.index("{") + 1 : row.index("}")]
        for name in NAMES[kind]:
            for norm in (None, '"forward"', '"ortho"'):
                yield row.replace(f"{{{kind}}}", name).replace("{norm}", str(norm))
    yield from OTHERS.strip().splitlines()


def maker(grads):
    def make(library):
        rng = np.random.default_rng(5)

        def draw(*shape):
            return rng.standard_normal(shape)

        arrays = {
            "x": draw(3, 7), "m": draw(3, 4, 6), "c": draw(3, 7) + 1j * draw(3, 7),
            "d": draw(3, 4, 6) + 1j * draw(3, 4, 6), "v": draw(36), "w": draw(6) ** 2 + 0.1,
            "k": draw(8) ** 2 + 0.1, "z": draw(24) + 1j * draw(24),
        }  # fmt: skip
        return {name: library.tensor(a, requires_grad=name in grads) for name, a in arrays.items()}

    return make


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("row", list(cases()))
def test_values_and_derivatives(row):
    code, _, names = row.rpartition("|")
    assert_same(code.strip(), maker(names.split()), names.split())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("code", ERRORS.strip().splitlines())
def test_errors(code):
    assert_same(code, maker(()))
