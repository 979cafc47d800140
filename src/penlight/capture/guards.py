"""stub"""

from .recording import entered


class Guards:
    def __init__(self, form, tensors, others):
        self.form = form
        self.others = others
        self.modes = entered()
        self.tensors = [self.of(t) for t in tensors]
        self.checks = []

    @staticmethod
    def of(t):
        return (type(t), t._array.dtype, t._array.shape, t._array.strides, t.requires_grad)

    def hold(self, form, tensors, others):
        return (
            form == self.form
            and others == self.others
            and self.modes == entered()
            and [self.of(t) for t in tensors] == self.tensors
            and all(c.holds(tensors) for c in self.checks)
        )

    def reason(self, *a):
        return "?"

    def add(self, checks):
        self.checks = checks
