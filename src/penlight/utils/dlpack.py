"""The names of torch.utils.dlpack; they are on the page `penlight.ops.sharing`."""

from ..ops.record import EXPOSED

globals().update(EXPOSED["utils.dlpack"])
