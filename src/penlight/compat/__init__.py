"""Programs written for PyTorch run here: `import torch`, `import torchvision` find penlight.

    import penlight.compat
    penlight.compat.install()
    import torch
    from torch.nn import functional as F

(No doctest: it must come before the process first imports torch, which the tests use as oracle.)
"""

from .alias import install, uninstall

__all__ = ["install", "uninstall"]
