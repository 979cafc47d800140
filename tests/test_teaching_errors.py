"""Errors name the layer's path in the model, what it wanted, what came, and what would fit."""

import re
import warnings

import pytest
import torch

import penlight
from penlight import nn
from penlight.core import teaching
from twins import LIBRARIES


class Tutorial(nn.Module):
    def __init__(self, first=784):
        super().__init__()
        self.flatten = nn.Flatten()
        self.linear_relu_stack = nn.Sequential(
            nn.Linear(first, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)
        )

    def forward(self, x):
        return self.linear_relu_stack(x)


def raised(call):
    with pytest.raises(Exception) as caught:
        call()
    return caught.value


def text_of(module, *args):
    return str(raised(lambda: module(*args)))


def test_the_whole_text_of_a_missing_flatten():
    assert text_of(Tutorial(), penlight.ones(64, 28, 28)) == (
        "mat1 and mat2 shapes cannot be multiplied (1792x28 and 784x512)\n"
        "  in linear_relu_stack.0: Linear(in_features=784, out_features=512, bias=True)\n"
        "  called with (64, 28, 28) torch.float32\n"
        "  wanted (*, 784), got (64, 28, 28)\n"
        "  would fit: nn.Flatten() before it, which turns (64, 28, 28) into (64, 784)"
    )


def test_the_path_grows_from_the_layer_outwards():
    outer = nn.Module()
    outer.body = nn.ModuleDict({"net": Tutorial()})
    outer.forward = lambda x: outer.body["net"](x)
    assert "in body.net.linear_relu_stack.0: Linear(" in text_of(outer, penlight.ones(2, 3))


def test_a_layer_called_past_its_parent_is_found():
    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Tutorial()

        def forward(self, x):
            return self.inner.linear_relu_stack[2](x)

    assert "in inner.linear_relu_stack.2: Linear(" in text_of(Outer(), penlight.ones(2, 3))


def test_a_layer_that_is_nobodys_child_is_named_by_itself():
    class Outer(nn.Module):
        def forward(self, x):
            return nn.Linear(2, 2)(x)

    assert "\n  in Linear(in_features=2," in text_of(Outer(), penlight.ones(2, 3))


@pytest.mark.parametrize(
    "layer, shape, fits",
    [
        (nn.Linear(784, 10), (28, 28), "x.reshape(1, 784)"),
        (nn.Linear(784, 10), (64, 1, 28, 28), "nn.Flatten() before it"),
        (nn.Linear(8, 4), (8, 3), "the transpose, x.transpose(-2, -1)"),
        (nn.Linear(8, 4), (2, 8, 5, 3), "axis 1 last, x.movedim(1, -1)"),
        (nn.Linear(8, 4), (5, 4), "a layer from 4 to 8 would fit"),
        (nn.Linear(8, 4), (5, 7), "in_features=7"),
        (nn.Conv2d(3, 8, 3), (2, 28, 28, 3), "channels first, x.permute(0, 3, 1, 2)"),
        (nn.Conv2d(1, 8, 3), (64, 28, 28), "a channel axis after the batch, x.unsqueeze(1)"),
        (nn.Conv2d(1, 8, 3), (28, 28), "a channel axis, x.unsqueeze(0)"),
        (nn.Conv2d(3, 8, 3), (2, 4, 28, 28), "in_channels=4"),
        (nn.Conv2d(3, 8, 3), (2, 2352), "the image before it was flattened"),
        (nn.ConvTranspose1d(3, 8, 3), (2, 4, 28), "in_channels=4"),
        (nn.BatchNorm2d(3), (3, 8, 8), "a batch axis, x.unsqueeze(0)"),
        (nn.BatchNorm2d(3), (2, 4, 8, 8), "num_features=4"),
        (nn.BatchNorm2d(3), (2, 3), "nn.BatchNorm1d(3)"),
        (nn.LayerNorm(8), (2, 7), "normalized_shape=(7,)"),
        (nn.LayerNorm(8), (2, 8, 7), "axis 1 last, x.movedim(1, -1)"),
        (nn.GroupNorm(2, 4), (2, 6, 3), "num_channels=6"),
        (nn.LSTM(4, 8), (5, 2, 3), "input_size=3"),
        (nn.GRU(1, 8, batch_first=True), (2, 5), "an axis for the one feature, x.unsqueeze(-1)"),
    ],
)
def test_what_would_fit(layer, shape, fits):
    text = text_of(layer, penlight.ones(shape))
    assert f"got {shape}".replace(",)", ",)") in text
    assert "would fit" in text and fits in text


def test_attention_names_the_argument_that_does_not_fit():
    attention = nn.MultiheadAttention(8, 2)
    x, y = penlight.ones(5, 2, 8), penlight.ones(5, 2, 6)
    assert "key: wanted (*, 8), got (5, 2, 6)" in text_of(attention, x, y, y)


@pytest.mark.parametrize(
    "layer, x, line",
    [
        (
            nn.Linear(3, 2),
            penlight.ones(1, 3, dtype=penlight.float64),
            "its parameters are torch.float32, the input is torch.float64: convert one, for "
            "instance input.to(torch.float32) or model.to(torch.float64)",
        ),
        (
            nn.Conv1d(1, 1, 1),
            penlight.ones(1, 1, 3, dtype=penlight.int64),
            "its parameters are torch.float32, the input is torch.int64: convert one, for "
            "instance input.to(torch.float32)",
        ),
        (nn.Embedding(3, 2), penlight.ones(2), "wanted indices, got torch.float32"),
        (nn.Embedding(3, 2), penlight.tensor([0, 5]), "num_embeddings=6 would fit"),
        (nn.Linear(3, 2), [1.0, 2.0, 3.0], "wanted a tensor, got list"),
    ],
)
def test_types(layer, x, line):
    assert line in text_of(layer, x)


@pytest.mark.parametrize(
    "loss, x, y, line",
    [
        (nn.CrossEntropyLoss(), (4, 3), penlight.ones(4), "would fit: target.long()"),
        (nn.CrossEntropyLoss(), (4, 3), penlight.tensor([0, 1, 2, 3]), "from 0 to 2, got 0 to 3"),
        (nn.CrossEntropyLoss(), (4, 3), penlight.zeros(4, 1).long(), "target.squeeze(1)"),
        (nn.NLLLoss(), (4, 3), penlight.zeros(5).long(), "wanted class numbers (4,)"),
        (nn.BCEWithLogitsLoss(), (4, 1), penlight.ones(4), "input.squeeze(-1)"),
        (nn.BCELoss(), (4,), penlight.ones(2, 2), "would fit: target.view_as(input)"),
    ],
)
def test_targets_of_losses(loss, x, y, line):
    assert line in text_of(loss, penlight.full(x, 0.5), y)


# ---------------------------------------------------------------- what stays


@pytest.mark.parametrize(
    "program",
    [
        lambda T: T.nn.Linear(3, 2)(T.ones(1, 4)),
        lambda T: T.nn.Conv2d(3, 8, 3)(T.ones(2, 4, 8, 8)),
        lambda T: T.nn.BatchNorm2d(3)(T.ones(2, 3)),
        lambda T: T.nn.LSTM(4, 8)(T.ones(5, 2, 3)),
        lambda T: T.nn.CrossEntropyLoss()(T.ones(4, 3), T.zeros(5, dtype=T.int64)),
    ],
)
def test_class_and_message_of_pytorch_stay_first(program):
    errors = []
    for T in LIBRARIES:
        error = raised(lambda T=T: program(T))
        errors.append((type(error), str(error).split("\n")[0]))
    assert errors[0] == errors[1]


class Own(Exception):
    """An exception whose text is not its argument."""

    def __str__(self):
        return "own text"


@pytest.mark.parametrize(
    "error, shown, noted",
    [
        (ValueError("bad"), "bad\n  in Failing()\n  called with int", None),
        (ValueError("bad", 3), "('bad', 3)", "in Failing()"),
        (KeyError("k"), "'k'", "in Failing()"),
        (Own("x"), "own text", "in Failing()"),
    ],
)
def test_errors_of_users_keep_their_class(error, shown, noted):
    class Failing(nn.Module):
        def forward(self, x):
            raise error

    found = raised(lambda: Failing()(3))
    assert found is error and str(found) == shown
    if noted is not None:
        assert noted in found.__notes__[0]


def test_advice_that_fails_does_not_hide_the_error():
    class Failing(nn.Module):
        def forward(self, x):
            raise ValueError("the error")

        def _wants(self, x):
            raise RuntimeError("the advice")

    assert text_of(Failing(), 3).startswith("the error\n  in Failing()")


def test_notes_and_texts_of_users_stay():
    class Inner(nn.Module):
        def forward(self, x):
            error = KeyError("k")
            error.add_note("mine")
            raise error

    class Renaming(nn.Module):
        def __init__(self):
            super().__init__()
            self.part = nn.Linear(2, 2)

        def forward(self, x):
            try:
                return self.part(x)
            except RuntimeError as error:
                error.args = ("another text",)
                raise

    outer = nn.Sequential(nn.Sequential(Inner()))
    notes = raised(lambda: outer(3)).__notes__
    assert notes == ["mine", "  in 0.0: Inner()\n  called with int"]
    assert text_of(nn.Sequential(Renaming()), penlight.ones(1, 3)) == "another text"


def test_a_module_that_can_not_be_printed_does_not_hide_the_error():
    class Broken(nn.Module):
        def __init__(self):
            pass  # forgets Module.__init__

        def forward(self, x):
            return x

    error = raised(lambda: Broken()(3))
    assert isinstance(error, AttributeError) and "_forward_hooks" in str(error)
    assert str(error).endswith("Broken.__init__ must call super().__init__() first")


def test_hooks_and_errors_together():
    layer = nn.Linear(3, 2)
    layer.register_forward_hook(lambda *args: None)
    assert "in Linear(in_features=3" in text_of(layer, penlight.ones(1, 4))


# ---------------------------------------------------------------- state dicts


@pytest.mark.parametrize(
    "state, advice",
    [
        (
            {"module.0.weight": 1, "module.0.bias": 1},
            'The names in the checkpoint begin with "module.": load_state_dict('
            '{k.removeprefix("module."): v for k, v in state_dict.items()}).',
        ),
        ({"weight": 1, "bias": 1}, "the checkpoint may belong to model.0."),
        ({"0.weigth": 1, "0.bias": 1}, '"0.weight" may be what the checkpoint calls "0.weigth".'),
        ({"model_state_dict": {}, "epoch": 3}, 'load_state_dict(checkpoint["model_state_dict"])'),
        ({"state": {}, "param_groups": []}, "looks like an optimizer's state dict"),
    ],
)
def test_keys_that_do_not_fit(state, advice):
    state = {k: penlight.ones(1) if v == 1 else v for k, v in state.items()}
    text = str(raised(lambda: nn.Sequential(nn.Linear(2, 2)).load_state_dict(state)))
    assert text.startswith("Error(s) in loading state_dict for Sequential:\n\tMissing key(s)")
    assert advice in text.split("\n")[-1]


# ---------------------------------------------------------------- warnings


@pytest.fixture
def fresh_warnings(monkeypatch):
    monkeypatch.setattr(teaching, "_given", set())


def warned(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return [w for w in caught if issubclass(w.category, nn.TeachingWarning)]


def test_softmax_before_cross_entropy_warns_once(fresh_warnings):
    model = nn.Sequential(nn.Linear(3, 3), nn.Softmax(dim=1))
    loss, y = nn.CrossEntropyLoss(), penlight.tensor([0, 1])

    def call():
        loss(model(penlight.ones(2, 3)), y)

    assert len(warned(call)) == 1
    assert warned(call) == []
    assert warned(lambda: loss(model[0](penlight.ones(2, 3)), y)) == []


def test_a_broadcasting_mse_warns_as_pytorch_does():
    texts = []
    for T in LIBRARIES:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            T.nn.MSELoss()(T.ones(4, 1), T.ones(4))
        assert len(caught) == 1 and issubclass(caught[0].category, UserWarning)
        texts.append(str(caught[0].message))
    assert texts[0] == texts[1]


def test_warnings_can_be_switched_off(fresh_warnings):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", nn.TeachingWarning)
        nn.MSELoss()(penlight.ones(4, 1), penlight.ones(4))
        x = penlight.ones(2, 3, requires_grad=True).softmax(1)
        nn.CrossEntropyLoss()(x, penlight.tensor([0, 1]))


def test_the_warning_says_how_to_silence_it(fresh_warnings):
    x = penlight.ones(2, 3, requires_grad=True).softmax(1)
    (found,) = warned(lambda: nn.functional.cross_entropy(x, penlight.tensor([0, 1])))
    switch = re.search(r"warnings\.simplefilter\(.*TeachingWarning\)", str(found.message))
    with warnings.catch_warnings():
        exec(switch.group(), {"warnings": warnings, "penlight": penlight})
        nn.MSELoss()(penlight.ones(4, 1), penlight.ones(4))


def test_the_oracle_has_no_such_class():
    assert not hasattr(torch.nn, "TeachingWarning")
