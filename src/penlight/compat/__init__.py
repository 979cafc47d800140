"""Programs written for PyTorch run here: `import torch`, `import torchvision` find penlight.

>>> import penlight.compat
>>> penlight.compat.install()
>>> import torch
>>> from torch.nn import functional as F
>>> F.relu(torch.tensor([-1.0, 2.0]))
tensor([0., 2.])
>>> penlight.compat.uninstall()
"""

from .alias import install, uninstall

__all__ = ["install", "uninstall"]
