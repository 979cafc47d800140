"""Special functions of mathematics over plain arrays, without tables of unexplained numbers.

Every function takes an array namespace `xp` and arrays of real numbers, computes in float64 and
answers in the dtype it was given. The formulas are those of the Digital Library of Mathematical
Functions (DLMF, https://dlmf.nist.gov), quoted by number where they are used: a series near the
origin, an integral or an asymptotic series away from it. The only fitted coefficients are those
of the error function.
"""
