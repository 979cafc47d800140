"""The names of torch.signal.windows; they are on the page `penlight.ops.tapers`."""

from ..ops import tapers as _tapers  # noqa: F401
from ..ops.exposure import EXPOSED

globals().update(EXPOSED["signal.windows"])
