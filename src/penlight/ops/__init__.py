"""What can be done to tensors, one page per family. Importing this package hangs the methods on Tensor."""

from . import (  # noqa: F401
    activation,
    clamp,
    compare,
    counting,
    creation,
    elementwise,
    extremes,
    gather,
    index,
    matmul,
    operators,
    reduce,
    scan,
    shape,
    softmax,
    sort,
    special,
    statistics,
)
