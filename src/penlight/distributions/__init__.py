"""Probability distributions: the names of torch.distributions that programs use most.

See https://docs.pytorch.org/docs/stable/distributions.html
"""

from .bernoulli import Bernoulli
from .categorical import Categorical
from .distribution import Distribution
from .kl import kl_divergence, register_kl
from .normal import Normal

__all__ = ["Bernoulli", "Categorical", "Distribution", "Normal", "kl_divergence", "register_kl"]
