"""stub"""

from typing import Any


class Frames:
    def __init__(self, tracer):
        self.tracer = tracer

    def __enter__(self):
        return self

    def __exit__(self, *e):
        pass

    def checks(self, tracer):
        return []
