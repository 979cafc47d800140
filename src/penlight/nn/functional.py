"""The names of torch.nn.functional; the ops are on the pages of `penlight.ops`."""

from ..ops.record import EXPOSED

globals().update(EXPOSED.get("nn.functional", {}))
