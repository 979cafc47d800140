"""Downloads: with progress, resumed where they broke off, checked, in place only when whole."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import os
import shutil
import tarfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Sequence
from pathlib import Path

CHUNK = 1 << 18
USER_AGENT = "penlight"
PATIENCE = 20  # seconds without an answer or a byte


def calculate_md5(fpath: str | Path, chunk_size: int = CHUNK) -> str:
    """The file's MD5 sum in hexadecimal."""
    return _digest(Path(fpath), "md5")


def _digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(
            file, lambda: hashlib.new(algorithm, usedforsecurity=False)
        ).hexdigest()


def check_md5(fpath: str | Path, md5: str) -> bool:
    """Has the file this MD5 sum?"""
    return calculate_md5(fpath) == md5


def check_integrity(fpath: str | Path, md5: str | None = None) -> bool:
    """Is the file there and, where a sum is given, whole? A sum of 64 digits is a SHA-256."""
    path = Path(fpath)
    if not path.is_file():
        return False
    return md5 is None or _digest(path, "sha256" if len(md5) == 64 else "md5") == md5


def fetch(urls: Sequence[str], path: str | Path, checksum: str | None = None) -> None:
    """Download `path` from the first of the urls that delivers it.

    A broken download stays beside it as `.part` and is continued the next time. Raises RuntimeError
    that names every url tried, and where to put the file by hand.
    """
    path = Path(path)
    if check_integrity(path, checksum):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    failures = []
    for url in urls:
        try:
            _retrieve(url, part)
        except (OSError, http.client.HTTPException, ValueError) as error:
            failures.append(f"  {url}: {error}")
            continue
        if check_integrity(part, checksum):
            os.replace(part, path)
            return
        part.unlink()
        failures.append(f"  {url}: the file's checksum is not {checksum}")
    raise RuntimeError(
        f"Error downloading {path.name}:\n" + "\n".join(failures) + "\n"
        f"Without a network, get the file elsewhere (from {urls[0]}) and put it at {path}"
    )


def _retrieve(url: str, part: Path) -> None:
    """Append what is missing of the url's content to `part`."""
    from tqdm import tqdm

    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": USER_AGENT}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(url, headers=headers)
    try:
        response = urllib.request.urlopen(request, timeout=PATIENCE)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing lies beyond what is here
            return
        raise
    with response:
        if getattr(response, "status", None) != 206:  # the server sends it all again
            have = 0
        rest = response.length
        total = None if rest is None else have + rest
        bar = tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=part.stem)
        with part.open("ab" if have else "wb") as file, bar:
            while chunk := response.read(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
            if total is not None and file.tell() < total:
                raise OSError(f"broke off after {file.tell()} of {total} bytes")


def download_url(
    url: str, root: str | Path, filename: str | None = None, md5: str | None = None
) -> None:
    """Download the url into the folder `root`, under its own name or `filename`."""
    folder = Path(root).expanduser()
    fetch([url], folder / (filename or os.path.basename(url)), md5)


def extract_archive(
    from_path: str | Path, to_path: str | Path | None = None, remove_finished: bool = False
) -> str:
    """Unpack a .tar.*, .tgz, .zip or .gz file into its own folder or `to_path`, never outside."""
    archive = Path(from_path)
    folder = archive.parent if to_path is None else Path(to_path)
    if ".tar" in archive.suffixes or archive.suffix == ".tgz":
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    elif archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as zipped:
            zipped.extractall(folder)
    elif archive.suffix == ".gz":
        folder /= archive.stem
        part = folder.with_name(folder.name + ".part")
        with gzip.open(archive) as source, part.open("wb") as target:
            shutil.copyfileobj(source, target, CHUNK)
        os.replace(part, folder)
    else:
        raise RuntimeError(
            f"Unknown compression or archive type: '{archive.suffix}'.\n"
            "Known suffixes are: .tar, .tar.*, .tgz, .zip, .gz"
        )
    if remove_finished:
        archive.unlink()
    return str(folder)


def download_and_extract_archive(
    url: str,
    download_root: str | Path,
    extract_root: str | Path | None = None,
    filename: str | None = None,
    md5: str | None = None,
    remove_finished: bool = False,
) -> None:
    """download_url, then extract_archive."""
    name = filename or os.path.basename(url)
    download_url(url, download_root, name, md5)
    archive = Path(download_root).expanduser() / name
    extract_archive(archive, extract_root, remove_finished)


def verify_str_arg(value: str, arg: str, valid_values: Sequence[str]) -> str:
    """The value, if it is one of the valid ones."""
    if value not in valid_values:
        valid = "', '".join(valid_values)
        raise ValueError(
            f"Unknown value '{value}' for argument {arg}. Valid values are {{'{valid}'}}."
        )
    return value
