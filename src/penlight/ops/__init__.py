"""What can be done to tensors, one page per family. Importing this package hangs the methods on Tensor."""

from . import activation, compare, creation, elementwise, matmul, reduce, shape  # noqa: F401
