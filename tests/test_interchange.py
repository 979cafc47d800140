"""Between tensors, Python, NumPy and other libraries; between types; copies and storages."""

import copy
import pickle

import numpy as np
import pytest
import torch

import penlight as pl
from agreement import check

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # said once per process, in any test

PYTHON = """
T.ones(2).item()
T.ones(0).item()
T.ones(1, 1).item(), T.tensor(1j).item(), T.tensor(True).item(), T.tensor(3).bfloat16().item()
T.ones(2).bfloat16().tolist(), T.ones(2, 2).tolist(), T.tensor(3).tolist()
T.zeros(0, 3).tolist(), T.zeros(3, 0).tolist(), T.tensor([1j]).tolist()
int(T.ones(2))
int(T.tensor(2.7)), int(T.tensor([2])), float(T.tensor(3)), complex(T.tensor(1))
float(T.ones(2))
float(T.tensor(1j))
int(T.tensor(1j))
int(T.tensor(float('nan')))
int(T.tensor(float('inf')))
bool(T.ones(2))
bool(T.ones(0))
bool(T.zeros(1)), bool(T.tensor([[1.]])), bool(T.tensor(float('nan')))
range(3)[T.tensor(1)], range(3)[T.tensor([1])], range(3)[T.tensor(True)]
range(3)[T.tensor(1.)]
range(3)[T.tensor([1, 2])]
len(s)
len(m)
list(s)
list(v)
1 in T.ones(2), T.tensor(1) in T.ones(2), 3 in T.tensor(3), 2 in v[:2]
'a' in T.ones(2)
None in T.ones(2)
list(reversed(T.arange(3)))
v.is_nonzero()
s.is_nonzero(), T.is_nonzero(T.tensor(0))
T.is_tensor(v), T.is_tensor(3), T.numel(x), T.is_floating_point(v), T.is_complex(v), v.is_signed()
v.apply_(lambda a: a + 1)
v.map_(v * 2, lambda a, b: a + b)
"""

NUMPY = """
T.ones(2, requires_grad=True).numpy()
T.ones(2, requires_grad=True).numpy(force=True)
np.asarray(T.ones(2, requires_grad=True))
np.asarray(T.ones(2), dtype=np.int64), T.ones(2).__array__(), T.ones(2).__array__(np.int64)
T.ones(2).bfloat16().numpy()
T.ones(2).chalf().numpy()
T.from_numpy([1])
T.from_numpy(np.zeros(2)[::-1])
T.from_numpy(np.array(['a']))
T.from_numpy(np.zeros(2, dtype=np.longdouble))
T.from_numpy(np.zeros(2, dtype='>f4'))
T.from_numpy(np.float64(1))
T.from_numpy(np.array(1)), T.from_numpy(np.zeros(3, np.uint16)).dtype
T.from_numpy(np.zeros(2, dtype='M8[s]'))
T.from_numpy(np.zeros(3, dtype='f4,f4'))
T.as_tensor([1, 2]), T.as_tensor(np.array([1, 2])), T.as_tensor(v, dtype=T.int), T.as_tensor(3)
T.as_tensor(np.zeros(2)[::-1])
T.as_tensor('a')
T.asarray([1, 2]), T.asarray(np.arange(3)), T.asarray(3), T.asarray(np.float32(2))
T.asarray([1, 2], copy=False)
T.asarray(v, dtype=T.int, copy=False)
T.asarray(bytearray(b'abcd'), dtype=T.uint8), T.asarray([1.5], dtype=T.int64)
T.asarray(T.ones(2, requires_grad=True) * 2, requires_grad=True)
T.asarray(T.ones(2, requires_grad=True), requires_grad=False)
T.frombuffer(bytearray(b'abcd'), dtype=T.int32)
T.frombuffer(bytearray(b'abcd'), dtype=T.int64)
T.frombuffer(bytearray(b'abcd'), dtype=T.uint8, count=2, offset=1)
T.frombuffer(bytearray(b'abcd'), dtype=T.uint8, count=9)
T.frombuffer(bytearray(b'abcd'), dtype=T.uint8, offset=4)
T.frombuffer(bytearray(b''), dtype=T.uint8)
T.frombuffer(bytearray(b'abcd'), dtype=T.uint8, count=0)
T.frombuffer(3, dtype=T.uint8)
T.frombuffer(bytearray(b'abcd'), dtype=T.int16, offset=1)
T.frombuffer(bytearray(b'abcd'), dtype=T.uint8, offset=-1)
T.frombuffer(bytearray(8), dtype=T.float32, requires_grad=True)
T.from_dlpack(np.arange(3)), T.from_dlpack(np.array([True])), np.from_dlpack(v)
T.ones(2, requires_grad=True).__dlpack__()
T.from_dlpack(3)
v.__dlpack__(stream=1)
"""

TYPES = """
v.to(T.int).dtype, v.to('cpu', T.int64).dtype, v.to(s.int()).dtype, v.to(float).dtype
v.to(device='cpu', dtype=T.half).dtype, v.to(T.int, non_blocking=True, copy=False).dtype
v.to('cpu') is v, v.to(T.float32) is v, v.to(T.float32, copy=True) is v, v.to(None) is v
v.to(T.device('cpu')) is v, v.to(memory_format=T.contiguous_format) is v, v.float() is v
v.to('foo')
v.to('cuda')
T.ones(2, 3, 4, 5).to(memory_format=T.channels_last).stride()
v.type(), v.type(T.int64).dtype, v.type('torch.DoubleTensor').dtype, v.type(T.DoubleTensor).dtype
v.type('foo')
v.type(float)
v.type_as(s.int()).dtype
v.type_as(3)
[getattr(v, n)().type() for n in ('int', 'bool', 'half', 'bfloat16', 'cfloat', 'cdouble', 'byte')]
[getattr(v, n)().type() for n in ('char', 'short', 'long', 'double', 'float', 'chalf')]
T.tensor([1 + 2j, 3j]).float(), T.tensor([1j, 0j]).bool()
T.tensor([1.5, -1.5, 255.5]).byte(), T.tensor([-1.5, 2.9]).int(), T.tensor([0.5, 0., -0.]).bool()
(v * 1.1).bfloat16(), (v * 1.1).half(), (v * 100).to(T.float8_e4m3fn)
v.chalf().cfloat(), v.chalf().half()
v.cpu() is v, v.resolve_conj() is v, v.resolve_neg() is v, v.is_conj(), v.is_neg()
v.cuda()
v.contiguous() is v, x.mT.contiguous().stride()
T.ones(2).contiguous(memory_format=T.channels_last)
T.ones(2, 3, 4, 5).contiguous(memory_format=T.channels_last).stride()
"""

MEMORY = """
v.element_size(), v.nbytes, v.itemsize, v[2:].storage_offset(), v[2:].untyped_storage().nbytes()
v.data_ptr() == v.untyped_storage().data_ptr(), v[1:].data_ptr() - v.data_ptr()
T.zeros(0).data_ptr()
v[:1].int().untyped_storage()
len(v.storage()), v.storage()[1], list(v.storage()), v.storage()
x.stride(), x.stride(1), x.stride(-1), x.stride(dim=0), x.dim_order(), x.mT.dim_order()
x.unsqueeze(0).stride()
x.stride(3)
v.is_contiguous(), x.mT.is_contiguous(), v.is_contiguous(memory_format=T.preserve_format)
T.ones(1, 2, 3, 4).is_contiguous(memory_format=T.channels_last)
v.is_cuda, v.is_sparse, v.is_quantized, v.is_meta, v.layout, v.get_device(), v.is_pinned()
v.is_same_size(m), v.is_set_to(v), v.size(dim=0), v.nelement(), v.is_shared()
v.pin_memory()
v.size(3)
T.zeros(2).resize_(3).shape, T.arange(6).resize_(2, 2), T.arange(6).resize_((2, 3))
T.ones(2, requires_grad=True).resize_(3)
T.arange(6).resize_(-1)
T.arange(6).resize_as_(T.zeros(3, 2))
T.zeros(2).set_(T.ones(3)), T.zeros(2).set_()
T.zeros(2).set_(T.ones(6).untyped_storage(), 1, (2, 2), (2, 1))
T.zeros(2).set_(T.ones(3).int())
"""


def lines(text):
    return [line for line in text.splitlines() if line]


@pytest.mark.parametrize("line", lines(PYTHON) + lines(NUMPY) + lines(TYPES) + lines(MEMORY))
def test_agrees(line):
    check(line)


def test_arguments_that_do_not_fit():
    for line in ("v.to(T.int, T.int)", "v.to(dtype='float')", "T.frombuffer(bytearray(4))"):
        check(line, message=False)


# ---------------------------------------------------------------- shared memory


def test_numpy_shares_memory():
    array = np.zeros((2, 3), np.float32)
    tensor = pl.from_numpy(array)
    array[0, 1] = 5
    tensor[1, 2] = 7
    assert tensor[0, 1] == 5 and array[1, 2] == 7
    tensor.t().numpy()[0, 0] = 9
    assert array[0, 0] == 9


def test_reshaping_the_numpy_side_leaves_the_tensor_alone():
    tensor = pl.zeros(2, 3)
    tensor.numpy().shape = (3, 2)
    assert tensor.shape == (2, 3)


def test_read_only_arrays_warn_and_stay_so():
    from penlight.ops import sharing

    array = np.zeros(2)
    array.flags.writeable = False
    sharing._warn_read_only.cache_clear()
    with pytest.warns(UserWarning, match="The given NumPy array is not writable"):
        tensor = pl.from_numpy(array)
    with pytest.raises(ValueError, match="read-only"):
        tensor[0] = 1


@pytest.mark.parametrize("dtype", "float32 float16 int64 uint8 bool complex64 bfloat16".split())
def test_dlpack_with_torch_shares_memory(dtype):
    mine = pl.ones(3, dtype=getattr(pl, dtype))
    theirs = torch.from_dlpack(mine)
    assert theirs.dtype is getattr(torch, dtype)
    theirs[1] = 0
    assert mine.tolist() == [1, 0, 1]
    theirs = torch.ones(3, 2, dtype=getattr(torch, dtype)).t()
    for source in (theirs, torch.utils.dlpack.to_dlpack(theirs)):
        mine = pl.from_dlpack(source)
        assert mine.dtype is getattr(pl, dtype) and mine.stride() == (1, 2)
        mine[0, 1] = 0
        assert theirs[0, 1] == 0
        theirs[0, 1] = 1
        assert mine[0, 1] == 1


def test_dlpack_with_numpy_and_itself():
    tensor = pl.arange(4.0)
    array = np.from_dlpack(tensor)
    tensor[2] = 9
    assert array[2] == 9
    again = pl.utils.dlpack.from_dlpack(pl.utils.dlpack.to_dlpack(tensor))
    again[0] = 5
    assert tensor[0] == 5
    capsule = pl.to_dlpack(tensor)
    pl.from_dlpack(capsule)
    with pytest.raises(RuntimeError, match="consumed only once"):
        pl.from_dlpack(capsule)


def test_dlpack_memory_outlives_its_owner():
    tensor = pl.from_dlpack(torch.utils.dlpack.to_dlpack(torch.arange(1000.0)))
    pl.zeros(1000).fill_(7)
    assert tensor.sum() == 499500


def test_numpy_functions_give_tensors():
    assert isinstance(np.sin(pl.ones(2)), pl.Tensor)
    assert repr(pl.ones(2) + np.ones(2)) == "tensor([2., 2.], dtype=torch.float64)"


# ---------------------------------------------------------------- copies


@pytest.mark.parametrize(
    "twin", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["deepcopy", "pickle"]
)
def test_copies_keep_what_is_shared(twin):
    base = pl.arange(6.0)
    part, turned = base[2:], base.view(2, 3).t()
    base2, part2, turned2 = twin([base, part, turned])
    part2[0] = 100
    assert base2[2] == 100 and turned2[2, 0] == 100 and base[2] == 2
    assert turned2.stride() == turned.stride() and part2.storage_offset() == 2


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("dtype", "float32 bfloat16 complex32 bool float8_e5m2".split())
def test_pickle_of_every_kind(dtype, protocol):
    tensor = pl.ones(2, 3, dtype=getattr(pl, dtype))
    again = pickle.loads(pickle.dumps(tensor, protocol))
    assert repr(again) == repr(tensor)


def test_copies_keep_gradients_and_notes():
    x = pl.ones(2, requires_grad=True)
    (x * 3).sum().backward()
    x.note = "mine"
    twin = copy.deepcopy(x)
    assert twin.grad.tolist() == [3, 3] and twin.note == "mine" and twin.requires_grad
    assert twin.grad is not x.grad
    assert pickle.loads(pickle.dumps(x)).requires_grad
    shallow = copy.copy(x)
    shallow.data[0] = 8
    assert x[0] == 8


def test_only_leaves_are_deep_copied():
    with pytest.raises(RuntimeError, match="Only Tensors created explicitly by the user"):
        copy.deepcopy(pl.ones(1, requires_grad=True) * 2)


def test_parameters_and_modules_stay_tied():
    layer = pl.nn.Linear(2, 2)
    layer.other = layer.weight
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert twin.other is twin.weight and isinstance(twin.weight, pl.nn.Parameter)
        assert twin.weight.tolist() == layer.weight.tolist()


def test_subclasses():
    class Image(pl.Tensor):
        pass

    x = pl.ones(2, requires_grad=True)
    image = (x * 2).as_subclass(Image)
    image.sum().backward()
    assert type(image) is Image and x.grad.tolist() == [2, 2]
    assert type(pickle.loads(pickle.dumps(Labels([1, 2])))) is Labels


class Labels(pl.Tensor):
    """At module level, so that pickle finds it."""


# ---------------------------------------------------------------- storages


def test_storage_is_the_memory():
    tensor = pl.zeros(3)
    storage = tensor.untyped_storage()
    storage[3] = 0x3F
    storage[2] = 0x80
    assert tensor.tolist() == [1, 0, 0]
    other = pl.empty(0).set_(storage, 1, (2,))
    other.fill_(4)
    assert tensor.tolist() == [1, 4, 4]


def test_share_memory_with_a_forked_child():
    import os

    tensor = pl.zeros(2).share_memory_()
    assert tensor.is_shared() and not pl.zeros(2).is_shared()
    pid = os.fork()
    if pid == 0:
        tensor[1] = 5
        os._exit(0)
    os.waitpid(pid, 0)
    assert tensor.tolist() == [0, 5]
