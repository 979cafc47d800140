"""Attention and the transformer, against PyTorch."""

import pytest
import torch

import penlight
from twins import fill, same, values

E, HEADS, L, S, B = 8, 2, 4, 5, 3


def mask(T, kind):
    upper = T.ones(L, S).triu(1)
    if kind == "bool":
        return upper.bool()
    return upper.masked_fill(upper.bool(), float("-inf"))


def padding(T, keys=S):
    return T.arange(keys).unsqueeze(0) >= T.tensor([[keys], [keys - 1], [keys - 2]])


ATTENTION = {
    "plain": ({}, {}),
    "no weights": ({}, {"need_weights": False}),
    "each head": ({}, {"average_attn_weights": False}),
    "bool mask": ({}, {"attn_mask": lambda T: mask(T, "bool")}),
    "float mask": ({"batch_first": True}, {"attn_mask": lambda T: mask(T, "float")}),
    "float mask, no weights": (
        {},
        {"attn_mask": lambda T: mask(T, "float"), "need_weights": False},
    ),
    "mask of each head": ({}, {"attn_mask": lambda T: values(T, B * HEADS, L, S)}),
    "padding": ({}, {"key_padding_mask": padding}),
    "padding, no weights": ({}, {"key_padding_mask": padding, "need_weights": False}),
    "both": (
        {"batch_first": True},
        {"attn_mask": lambda T: mask(T, "bool"), "key_padding_mask": padding},
    ),
    "no bias": ({"bias": False}, {}),
    "added keys": ({"add_bias_kv": True, "add_zero_attn": True}, {"key_padding_mask": padding}),
    "added keys and a mask": ({"add_bias_kv": True}, {"attn_mask": lambda T: mask(T, "bool")}),
    "other sizes": ({"kdim": 3, "vdim": 6}, {}),
}


@pytest.mark.parametrize("name", ATTENTION)
def test_multihead_attention(name):
    options, call = ATTENTION[name]

    def program(T):
        layer = T.nn.MultiheadAttention(E, HEADS, **options)
        state = layer.state_dict()
        fill(T, layer)
        sizes = (E, options.get("kdim", E), options.get("vdim", E))
        shapes = [(L, B, sizes[0]), (S, B, sizes[1]), (S, B, sizes[2])]
        if options.get("batch_first"):
            shapes = [(b, n, e) for n, b, e in shapes]
        inputs = [values(T, *s, seed=i).requires_grad_() for i, s in enumerate(shapes)]
        kwargs = {k: v(T) if callable(v) else v for k, v in call.items()}
        output, weights = layer(*inputs, **kwargs)
        output.pow(2).sum().backward()
        grads = [t.grad for t in (*inputs, *layer.parameters())]
        return repr(layer), state, output, weights, grads

    same(program, rtol=1e-4, atol=1e-5)


def test_attention_without_a_batch():
    def program(T):
        layer = fill(T, T.nn.MultiheadAttention(E, HEADS))
        q, k = values(T, L, E), values(T, S, E, seed=1)
        seen = T.tensor([False, True, False, False, True])
        return (
            layer(q, k, k),
            layer(q, k, k, key_padding_mask=seen),
            layer(q, k, k, need_weights=False),
        )

    same(program)


def test_self_attention_and_shared_keys():
    def program(T):
        layer = fill(T, T.nn.MultiheadAttention(E, HEADS, batch_first=True)).eval()
        x, y = values(T, B, L, E), values(T, B, S, E, seed=1)
        with T.no_grad():
            return (
                layer(x, x, x),
                layer(x, y, y),
                layer(x, x, x, is_causal=True, attn_mask=causal(T)),
            )

    same(program)


def causal(T):
    return T.nn.Transformer.generate_square_subsequent_mask(L)


SDPA = {
    "plain": {},
    "causal": {"is_causal": True},
    "scaled": {"scale": 0.3},
    "bool mask": {"attn_mask": lambda T: ~mask(T, "bool")},
    "float mask": {"attn_mask": lambda T: mask(T, "float")},
    "nothing to see": {"attn_mask": lambda T: T.tensor([[True] * S] * (L - 1) + [[False] * S])},
    "both": {"attn_mask": lambda T: mask(T, "float"), "is_causal": True},
}


@pytest.mark.parametrize("name", SDPA)
def test_scaled_dot_product_attention(name):
    def program(T):
        inputs = [values(T, 2, 3, n, 4, seed=n).requires_grad_() for n in (L, S, S)]
        kwargs = {k: v(T) if callable(v) else v for k, v in SDPA[name].items()}
        out = T.nn.functional.scaled_dot_product_attention(*inputs, **kwargs)
        out.pow(2).sum().backward()
        return out, [t.grad for t in inputs]

    same(program, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("masked", [False, True])
def test_attention_against_finite_differences(masked):
    shapes = [(2, 3, 4), (2, 5, 4), (2, 5, 3)] + ([(3, 5)] if masked else [])
    inputs = [values(penlight, *s, seed=i).double().requires_grad_() for i, s in enumerate(shapes)]

    def call(q, k, v, bias=None):
        return penlight._attention(q, k, v, bias, 0.5)

    assert penlight.autograd.gradcheck(call, inputs)
    assert penlight.autograd.gradgradcheck(call, inputs)


def test_grouped_queries():
    def program(T):
        q, k = values(T, 1, 4, L, 2), values(T, 1, 2, S, 2, seed=1)
        return T.nn.functional.scaled_dot_product_attention(q, k, k, enable_gqa=True)

    same(program)


LAYERS = [
    {},
    {"norm_first": True, "batch_first": True},
    {"activation": "gelu", "bias": False},
    {"activation": torch.tanh},
]


@pytest.mark.parametrize("options", LAYERS)
@pytest.mark.parametrize("name", ["TransformerEncoderLayer", "TransformerDecoderLayer"])
def test_layers(name, options):
    def program(T):
        kwargs = dict(options)
        if callable(kwargs.get("activation")):
            kwargs["activation"] = T.tanh
        layer = fill(T, getattr(T.nn, name)(E, HEADS, 16, dropout=0.0, **kwargs))
        x = values(T, L, L, E).requires_grad_()
        memory = (values(T, L, L, E, seed=1),) if "Decoder" in name else ()
        out = layer(x, *memory, *([causal(T)] if memory else [causal(T).isinf()]))
        out.pow(2).sum().backward()
        grads = [t.grad for t in (x, *layer.parameters())]
        return repr(layer), out, grads, list(layer.state_dict())

    same(program, rtol=1e-3, atol=1e-4)


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("batch_first", [True, False])
def test_transformer(batch_first):
    def program(T):
        model = T.nn.Transformer(E, HEADS, 2, 2, 16, dropout=0.0, batch_first=batch_first)
        initial = [p.detach().clone() for p in model.parameters()]
        fill(T, model)
        src, tgt = values(T, L, L, E), values(T, L, L, E, seed=1)
        hidden = padding(T, L)
        hidden = T.cat([hidden, hidden[:1]])
        out = model(src, tgt, tgt_mask=causal(T), src_key_padding_mask=hidden)
        plain = model(src[0], tgt[0])
        out.sum().backward()
        return repr(model), initial, out, plain, [p.grad for p in model.parameters()]

    same(program, rtol=1e-3, atol=1e-4)


@pytest.mark.filterwarnings("ignore:enable_nested_tensor", "ignore:The PyTorch API of nested")
@pytest.mark.parametrize("nested", [True, False])
def test_encoder_leaves_padding_out_when_it_only_infers(nested):
    def program(T):
        layer = T.nn.TransformerEncoderLayer(E, HEADS, 16, batch_first=True)
        encoder = T.nn.TransformerEncoder(layer, 2, T.nn.LayerNorm(E), enable_nested_tensor=nested)
        fill(T, encoder).eval()
        x, hidden = values(T, B, S, E), padding(T)
        with T.no_grad():
            inferred = encoder(x, src_key_padding_mask=hidden)
        kept = ~hidden.unsqueeze(-1)
        return inferred if nested else inferred * kept, encoder(
            x, src_key_padding_mask=hidden
        ) * kept

    same(program, rtol=1e-3, atol=1e-4)


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
def test_a_causal_mask_is_recognised():
    def program(T):
        layer = T.nn.TransformerEncoderLayer(E, HEADS, 16, dropout=0.0)
        encoder = fill(T, T.nn.TransformerEncoder(layer, 2))
        x = values(T, L, B, E)
        return encoder(x, mask=causal(T)), encoder(x, mask=causal(T), is_causal=True), causal(T)

    same(program, rtol=1e-4, atol=1e-5)


ERRORS = [
    lambda T: T.nn.MultiheadAttention(0, 1),
    lambda T: call_attention(T, (2, 3), (2, 3)),
    lambda T: call_attention(T, (L, B, E), (S, E)),
    lambda T: call_attention(T, (E,), (E,)),
    lambda T: call_attention(T, (L, B, E), (S, B, E), key_padding_mask=T.zeros(S).bool()),
    lambda T: call_attention(T, (L, B, E), (S, B, E), attn_mask=T.zeros(3, 3)),
    lambda T: call_attention(T, (L, B, E), (S, B, E), attn_mask=T.zeros(2, L, S)),
    lambda T: call_attention(T, (L, B, E), (S, B, E), attn_mask=T.zeros(L)),
    lambda T: call_attention(T, (L, B, E), (S, B, E), attn_mask=T.zeros(L, S, dtype=T.int64)),
    lambda T: call_attention(T, (L, B, E), (S, B, E), is_causal=True),
    lambda T: T.nn.functional.scaled_dot_product_attention(T.ones(3), T.ones(3), T.ones(3)),
    lambda T: T.nn.TransformerEncoderLayer(E, HEADS, activation="sine"),
    lambda T: T.nn.Transformer(E, HEADS, 1, 1)(T.ones(2, 3, E), T.ones(2, 4, E)),
    lambda T: T.nn.Transformer(E, HEADS, 1, 1)(T.ones(2, 3, E), T.ones(2, 3, E + 1)),
]


def call_attention(T, query, key, **kwargs):
    k = T.ones(key)
    return T.nn.MultiheadAttention(E, HEADS)(T.ones(query), k, k, **kwargs)


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("program", ERRORS)
def test_errors(program):
    same(program)


def test_the_number_of_heads_must_divide():
    with pytest.raises(AssertionError, match=r"divisible by num_heads .*embed_dim=9, num_heads=2"):
        penlight.nn.MultiheadAttention(9, 2)


def test_the_choice_of_a_kernel_changes_nothing():
    def program(T):
        attention = T.nn.attention
        q = values(T, 1, 2, L, 4)
        results = []
        for kernel in (attention.SDPBackend.MATH, [attention.SDPBackend.FLASH_ATTENTION]):
            with attention.sdpa_kernel(kernel):
                results.append(T.nn.functional.scaled_dot_product_attention(q, q, q))
        return results

    same(program)
    same(lambda T: T.nn.attention.sdpa_kernel(3).__enter__())
