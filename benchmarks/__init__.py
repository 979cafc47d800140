"""Speed beside PyTorch, in one run: `python -m benchmarks`."""
