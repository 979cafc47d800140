"""What can be done to tensors, one page per family. Importing this package hangs the methods on Tensor."""

from . import (  # noqa: F401
    activation,
    compare,
    creation,
    elementwise,
    gather,
    index,
    matmul,
    operators,
    reduce,
    shape,
)
