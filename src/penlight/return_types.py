"""The classes of named results, as in torch.return_types: max, sort, frexp, ..."""

from .ops.return_types import ReturnType

globals().update({made.__name__: made for made in ReturnType.__subclasses__()})
