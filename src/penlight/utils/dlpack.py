"""The names of torch.utils.dlpack; they are on the page `penlight.ops.dlpack`."""

from ..ops.exposure import EXPOSED

globals().update(EXPOSED["utils.dlpack"])
