"""How a Python function over tensors becomes a program."""
