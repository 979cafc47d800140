"""Image data sets from small files made here, downloads from a small server, and image grids."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import os
import pickle
import struct
import tarfile
import threading
import zipfile

import numpy as np
import pytest
from PIL import Image

import penlight
from penlight.vision import datasets, utils
from penlight.vision import io as vision_io
from penlight.vision.datasets import cifar, mnist
from penlight.vision.datasets.utils import extract_archive, fetch
from penlight.vision.transforms import PILToTensor


def idx(array: np.ndarray) -> bytes:
    head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(np.uint8).tobytes()


IMAGES = np.arange(3 * 28 * 28).reshape(3, 28, 28) % 256
LABELS = np.array([7, 2, 1])


@pytest.fixture
def mnist_root(tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(IMAGES)))
    (raw / "t10k-labels-idx1-ubyte").write_bytes(idx(LABELS))
    return tmp_path


class TestDigits:
    def test_parts_are_apart_and_balanced(self):
        train, test = datasets.Digits(), datasets.Digits(train=False)
        assert (len(train), len(test)) == (1442, 355)
        assert set(np.bincount(test.targets.numpy())) <= {34, 35, 36}
        together = np.concatenate([train.data.numpy(), test.data.numpy()])
        assert len(np.unique(together.reshape(1797, -1), axis=0)) == 1797

    def test_items_are_those_of_mnist(self):
        image, target = datasets.Digits()[3]
        assert (image.mode, image.size, target) == ("L", (28, 28), 3)
        tensor, target = datasets.Digits(transform=PILToTensor(), target_transform=str)[3]
        assert (tensor.shape, tensor.dtype, target) == ((1, 28, 28), penlight.uint8, "3")

    def test_enlarging_keeps_the_picture(self):
        flat = np.full((1, 8, 8), 16)
        big = datasets.digits.enlarge(flat)[0]
        assert (big[8:20, 8:20] == 255).all() and not big[:4].any() and not big[:, -4:].any()
        sharp = np.zeros((1, 8, 8), int)
        sharp[0, 2, 5] = 16
        y, x = np.unravel_index(datasets.digits.enlarge(sharp)[0].argmax(), (28, 28))
        assert abs(y - (4 + 2.5 * 2.5 - 0.5)) <= 0.5 and abs(x - (4 + 5.5 * 2.5 - 0.5)) <= 0.5

    def test_repr(self):
        assert repr(datasets.Digits(train=False)) == (
            "Dataset Digits\n    Number of datapoints: 355\n    Split: Test"
        )


class TestMNIST:
    def test_reads_plain_and_gzipped(self, mnist_root):
        data = datasets.MNIST(mnist_root, train=False)
        assert data.data.dtype == penlight.uint8 and data.targets.dtype == penlight.int64
        assert data.targets.tolist() == [7, 2, 1]
        image, target = data[1]
        assert target == 2 and np.array_equal(np.asarray(image), IMAGES[1])
        assert data.class_to_idx["9 - nine"] == 9
        with pytest.warns(UserWarning, match="test_labels has been renamed targets"):
            assert data.test_labels is data.targets

    def test_repr(self, mnist_root):
        data = datasets.MNIST(str(mnist_root), train=False, transform=PILToTensor())
        assert repr(data) == (
            f"Dataset MNIST\n    Number of datapoints: 3\n    Root location: {mnist_root}\n"
            "    Split: Test\n    StandardTransform\n    Transform: PILToTensor()"
        )

    def test_says_which_file_is_missing_where(self, mnist_root):
        with pytest.raises(RuntimeError) as caught:
            datasets.MNIST(mnist_root, train=True)
        text = str(caught.value)
        assert text.startswith("Dataset not found. You can use download=True to download it")
        assert str(mnist_root / "MNIST" / "raw") in text
        assert "train-images-idx3-ubyte.gz" in text and "https://" in text

    @pytest.mark.parametrize(
        ("content", "text"),
        [
            (b"", "no idx file"),
            (b"PNG\0 and so on", "no idx file"),
            (idx(IMAGES)[:-1], "damaged"),
            (idx(IMAGES) + b"x", "damaged"),
            (b"\0\0\x08\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "damaged"),
        ],
    )
    def test_damaged_files_are_named(self, tmp_path, content, text):
        path = tmp_path / "images"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"images.* {text}"):
            mnist.read_idx(path)
        packed = tmp_path / "images.gz"
        packed.write_bytes(gzip.compress(content)[:-9])
        with pytest.raises(ValueError, match=r"images\.gz cannot be read"):
            mnist.read_idx(packed)

    def test_images_and_labels_must_belong_together(self, mnist_root):
        labels = mnist_root / "MNIST" / "raw" / "t10k-labels-idx1-ubyte"
        labels.write_bytes(idx(LABELS[:2]))
        with pytest.raises(ValueError, match="do not belong together"):
            datasets.MNIST(mnist_root, train=False)

    def test_emnist_takes_its_split_out_of_the_archive(self, tmp_path, server):
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as zipped:
            for kind, content in (("images-idx3", IMAGES), ("labels-idx1", LABELS)):
                packed = gzip.compress(idx(content))
                zipped.writestr(f"gzip/emnist-letters-test-{kind}-ubyte.gz", packed)
        server.files["gzip.zip"] = archive.getvalue()

        class Local(datasets.EMNIST):
            mirrors = (server.url,)
            resources = (("gzip.zip", hashlib.md5(archive.getvalue()).hexdigest()),)

        data = Local(tmp_path, split="letters", train=False, download=True)
        assert data.classes[data.targets[0]] == "g"
        again = Local(tmp_path, split="letters", train=False, download=True)
        assert len(again) == 3 and len(server.requests) == 1
        with pytest.raises(ValueError, match="Unknown value 'x' for argument split"):
            Local(tmp_path, split="x")


class Server(http.server.ThreadingHTTPServer):
    """Serves `files` by name, with ranges; `cut` ends the next answer after so many bytes."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.cut: int | None = None
        self.url = f"http://127.0.0.1:{self.server_port}/"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name, span = self.path[1:], self.headers["Range"]
        self.server.requests.append((name, span))
        content = self.server.files.get(name)
        if content is None:
            return self.send_error(404)
        start = int(span[6:-1]) if span else 0
        if start >= len(content):
            return self.send_error(416)
        self.send_response(206 if span else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        cut, self.server.cut = self.server.cut, None
        self.wfile.write(content[start:][:cut])

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


CONTENT = bytes(range(256)) * 4000
MD5 = hashlib.md5(CONTENT).hexdigest()


class TestFetch:
    def test_whole_file_once(self, server, tmp_path):
        server.files["a"] = CONTENT
        for _ in range(2):
            fetch([server.url + "a"], tmp_path / "sub" / "a", MD5)
        assert (tmp_path / "sub" / "a").read_bytes() == CONTENT
        assert server.requests == [("a", None)]
        assert os.listdir(tmp_path / "sub") == ["a"]

    def test_sha256(self, server, tmp_path):
        server.files["a"] = CONTENT
        fetch([server.url + "a"], tmp_path / "a", hashlib.sha256(CONTENT).hexdigest())
        assert (tmp_path / "a").read_bytes() == CONTENT

    def test_broken_download_is_resumed(self, server, tmp_path):
        server.files["a"] = CONTENT
        server.cut = 300_000
        with pytest.raises(RuntimeError, match=r"broke off after \d+ of 1024000 bytes|Read"):
            fetch([server.url + "a"], tmp_path / "a", MD5)
        assert not (tmp_path / "a").exists()
        have = (tmp_path / "a.part").stat().st_size
        assert 0 < have <= 300_000
        fetch([server.url + "a"], tmp_path / "a", MD5)
        assert (tmp_path / "a").read_bytes() == CONTENT
        assert server.requests[-1] == ("a", f"bytes={have}-")

    def test_finished_part_needs_no_byte_more(self, server, tmp_path):
        server.files["a"] = CONTENT
        (tmp_path / "a.part").write_bytes(CONTENT)
        fetch([server.url + "a"], tmp_path / "a", MD5)
        assert (tmp_path / "a").read_bytes() == CONTENT

    def test_second_mirror(self, server, tmp_path):
        server.files["good"] = CONTENT
        server.files["bad"] = CONTENT[1:]
        urls = [server.url + name for name in ("missing", "bad", "good")]
        fetch(urls, tmp_path / "a", MD5)
        assert (tmp_path / "a").read_bytes() == CONTENT
        assert [name for name, _ in server.requests] == ["missing", "bad", "good"]

    def test_failure_says_where_to_put_the_file(self, server, tmp_path):
        server.files["bad"] = CONTENT[1:]
        urls = [server.url + "bad", "http://127.0.0.1:9/a"]
        with pytest.raises(RuntimeError) as caught:
            fetch(urls, tmp_path / "a", MD5)
        text = str(caught.value)
        assert all(url in text for url in urls) and str(tmp_path / "a") in text
        assert "checksum" in text and "refused" in text
        assert os.listdir(tmp_path) == []


class TestArchives:
    def test_tar_and_gz(self, tmp_path):
        with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
            member = tarfile.TarInfo("in/b")
            member.size = 2
            tar.addfile(member, io.BytesIO(b"hi"))
        extract_archive(tmp_path / "a.tar.gz", remove_finished=True)
        assert (tmp_path / "in" / "b").read_bytes() == b"hi"
        assert not (tmp_path / "a.tar.gz").exists()
        (tmp_path / "c.gz").write_bytes(gzip.compress(b"ho"))
        extract_archive(tmp_path / "c.gz", tmp_path / "in")
        assert (tmp_path / "in" / "c").read_bytes() == b"ho"

    def test_members_stay_inside(self, tmp_path):
        with tarfile.open(tmp_path / "a.tar", "w") as tar:
            tar.addfile(tarfile.TarInfo("../outside"))
        with pytest.raises(tarfile.OutsideDestinationError):
            extract_archive(tmp_path / "a.tar", tmp_path / "in")

    def test_unknown_kind(self, tmp_path):
        with pytest.raises(RuntimeError, match=r"archive type: '\.rar'"):
            extract_archive(tmp_path / "a.rar")


class Python2Array:
    """Pickles as an array did in Python 2 with the NumPy of 2009."""

    def __init__(self, array):
        self.array = array

    def __reduce__(self):
        from numpy._core.multiarray import _reconstruct

        raw = self.array.tobytes().decode("latin1")  # what Python 3 makes of Python 2's str
        state = (1, self.array.shape, self.array.dtype, False, raw)
        return _reconstruct, (np.ndarray, (0,), "b"), state


class Hostile:
    def __reduce__(self):
        return os.system, ("echo this must not run",)


@pytest.fixture
def small_cifar(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "batches"
    folder.mkdir()
    pixels = rng.integers(0, 256, (6, 3072), dtype=np.uint8)

    def write(name, content):
        raw = pickle.dumps(content, protocol=2)
        (folder / name).write_bytes(raw)
        return name, hashlib.md5(raw).hexdigest()

    train = [
        write(f"data_{i}", {"data": Python2Array(pixels[2 * i : 2 * i + 2]), "labels": [i, 1]})
        for i in range(2)
    ]
    test = [write("test", {"data": Python2Array(pixels[4:]), "labels": [1, 0]})]
    name, md5 = write("meta", {"label_names": ["cat", "dog"]})

    class Small(datasets.CIFAR10):
        base_folder = "batches"
        train_list = train
        test_list = test
        meta = {"filename": name, "key": "label_names", "md5": md5}  # noqa: RUF012

    return Small, pixels, tmp_path


class TestCIFAR:
    def test_batches(self, small_cifar):
        small, pixels, root = small_cifar
        data = small(root)
        assert len(data) == 4 and data.targets == [0, 1, 1, 1] and data.classes == ["cat", "dog"]
        image, target = data[2]
        assert (image.mode, image.size, target) == ("RGB", (32, 32), 1)
        planes = np.asarray(image).transpose(2, 0, 1).ravel()
        assert np.array_equal(planes, pixels[2])
        assert len(small(root, train=False)) == 2

    def test_damaged_file_is_named(self, small_cifar):
        small, _, root = small_cifar
        (root / "batches" / "data_1").write_bytes(b"")
        with pytest.raises(RuntimeError, match=r"(?s)not found or corrupted.*batches: data_1 "):
            small(root)

    @pytest.mark.parametrize("content", [{"data": Hostile()}, Hostile(), 3, {"data": object}])
    def test_nothing_in_a_batch_is_run(self, tmp_path, content, capfd):
        (tmp_path / "batch").write_bytes(pickle.dumps(content))
        with pytest.raises(ValueError, match="batch is no CIFAR batch"):
            cifar.read_batch(tmp_path / "batch")
        assert capfd.readouterr().out == ""


class TestFolder:
    @pytest.fixture
    def root(self, tmp_path):
        for name in ("b/2.png", "b/deep/1.JPG", "a/x.png", "a/notes.txt"):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".txt":
                path.write_text("no image")
            else:
                Image.new("L", (4, 3), 9).save(path)
        return tmp_path

    def test_classes_and_samples(self, root):
        data = datasets.ImageFolder(root)
        assert data.classes == ["a", "b"] and data.class_to_idx == {"a": 0, "b": 1}
        names = [os.path.relpath(path, root) for path, _ in data.imgs]
        assert names == ["a/x.png", "b/2.png", "b/deep/1.JPG"] and data.targets == [0, 1, 1]
        image, target = data[2]
        assert (image.mode, image.size, target) == ("RGB", (4, 3), 1)

    def test_own_loader(self, root):
        data = datasets.DatasetFolder(
            root, os.path.basename, extensions=(".txt",), allow_empty=True
        )
        assert list(data.samples) == [(str(root / "a" / "notes.txt"), 0)]
        assert data[0] == ("notes.txt", 0)

    def test_errors(self, root, tmp_path_factory):
        (root / "c").mkdir()
        with pytest.raises(FileNotFoundError, match=r"no valid file for the classes c\. Supported"):
            datasets.ImageFolder(root)
        with pytest.raises(FileNotFoundError, match="Couldn't find any class folder in"):
            datasets.ImageFolder(tmp_path_factory.mktemp("empty"))
        with pytest.raises(ValueError, match="Both extensions and is_valid_file"):
            datasets.DatasetFolder(root, open)


def test_fake_data_depends_on_the_index_alone():
    data = datasets.FakeData(3, (3, 5, 4), 7, transform=PILToTensor())
    penlight.manual_seed(5)
    image, target = data[1]
    state = penlight.rand(1)
    again, same = data[1]
    assert penlight.equal(image, again) and target == same and isinstance(target, int)
    penlight.manual_seed(5)
    assert penlight.equal(penlight.rand(1), state)
    with pytest.raises(IndexError, match="FakeData index out of range"):
        data[3]


def test_transforms_are_given_one_way_only():
    with pytest.raises(ValueError, match="Only transforms or transform/target_transform"):
        datasets.VisionDataset(transforms=max, transform=abs)


class TestGrid:
    def test_places(self):
        batch = penlight.arange(5.0).reshape(5, 1, 1, 1).expand(5, 3, 2, 2)
        grid = utils.make_grid(batch, nrow=3, padding=1, pad_value=9)
        assert grid.shape == (3, 7, 10)
        assert grid[0].tolist() == [
            [9, 9, 9, 9, 9, 9, 9, 9, 9, 9],
            [9, 0, 0, 9, 1, 1, 9, 2, 2, 9],
            [9, 0, 0, 9, 1, 1, 9, 2, 2, 9],
            [9, 9, 9, 9, 9, 9, 9, 9, 9, 9],
            [9, 3, 3, 9, 4, 4, 9, 9, 9, 9],
            [9, 3, 3, 9, 4, 4, 9, 9, 9, 9],
            [9, 9, 9, 9, 9, 9, 9, 9, 9, 9],
        ]

    def test_normalize(self):
        batch = penlight.tensor([[1.0, 3.0], [5.0, 9.0]]).reshape(2, 1, 1, 2)
        row = utils.make_grid(batch, padding=0, normalize=True)[0, 0]
        assert row.tolist() == [0, 0.25, 0.5, 1]
        row = utils.make_grid(batch, padding=0, normalize=True, scale_each=True)[0, 0]
        assert row.tolist() == [0, 1, 0, 1]
        row = utils.make_grid(batch, padding=0, normalize=True, value_range=(3, 5))[0, 0]
        assert row.tolist() == [0, 0, 1, 1]

    @pytest.mark.parametrize("shape", [(4, 5), (1, 4, 5), (3, 4, 5), (1, 3, 4, 5), (1, 1, 4, 5)])
    def test_one_image(self, shape):
        assert utils.make_grid(penlight.rand(*shape)).shape == (3, 4, 5)

    def test_save_image(self, tmp_path):
        utils.save_image([penlight.ones(1, 4, 4), penlight.zeros(1, 4, 4)], tmp_path / "a.png")
        pixels = np.asarray(Image.open(tmp_path / "a.png"))
        assert pixels.shape == (8, 14, 3) and pixels[3, 3, 0] == 255 and pixels[3, 9, 0] == 0

    def test_boxes(self):
        image = penlight.zeros(3, 20, 20, dtype=penlight.uint8)
        boxes = penlight.tensor([[2.0, 3, 10, 12]])
        drawn = utils.draw_bounding_boxes(image, boxes, colors="red")
        assert drawn[:, 3, 2].tolist() == drawn[:, 12, 10].tolist() == [255, 0, 0]
        assert not drawn[:, 7, 6].any() and not image.any()
        filled = utils.draw_bounding_boxes(image / 255, boxes, ["x"], [(0, 255, 0)], fill=True)
        assert filled.dtype == penlight.float32 and 0 < filled[1, 11, 9] < 1
        with pytest.raises(ValueError, match="Number of boxes"):
            utils.draw_bounding_boxes(image, boxes, labels=["a", "b"])

    def test_errors(self):
        with pytest.raises(TypeError, match="list containing <class 'int'>"):
            utils.make_grid([1])
        with pytest.raises(TypeError, match="tensor or list of tensors expected"):
            utils.make_grid(3)


class TestFiles:
    def test_png_keeps_every_byte(self, tmp_path):
        image = penlight.randint(0, 256, (3, 5, 4), dtype=penlight.uint8)
        vision_io.write_png(image, tmp_path / "a.png")
        assert penlight.equal(vision_io.read_image(tmp_path / "a.png"), image)
        gray = vision_io.decode_image(vision_io.read_file(tmp_path / "a.png"), "GRAY")
        assert gray.shape == (1, 5, 4) and gray.dtype == penlight.uint8
        alpha = vision_io.read_image(tmp_path / "a.png", vision_io.ImageReadMode.RGB_ALPHA)
        assert alpha.shape == (4, 5, 4) and (alpha[3] == 255).all()

    def test_jpeg_comes_near(self, tmp_path):
        image = penlight.full((1, 16, 16), 90, dtype=penlight.uint8)
        vision_io.write_jpeg(image, tmp_path / "a.jpg", quality=95)
        back = vision_io.read_image(tmp_path / "a.jpg")
        assert (back.int() - image.int()).abs().max() <= 2

    def test_palettes_are_resolved(self, tmp_path):
        Image.new("RGB", (2, 2), (9, 200, 30)).quantize(4).save(tmp_path / "a.png")
        assert vision_io.read_image(tmp_path / "a.png")[:, 0, 0].tolist() == [9, 200, 30]

    def test_errors(self):
        with pytest.raises(RuntimeError, match=r"should be uint8, got torch\.float32"):
            vision_io.encode_png(penlight.zeros(3, 2, 2))
        with pytest.raises(RuntimeError, match=r"\(1 or 3, H, W\), got \(2, 2\)"):
            vision_io.encode_jpeg(penlight.zeros(2, 2, dtype=penlight.uint8))
