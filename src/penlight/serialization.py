"""The names of torch.serialization, which live on a higher floor: in `penlight.io`."""

import importlib
import sys

sys.modules[__name__] = importlib.import_module(".io.serialization", __package__)
