"""Tars are read strictly: what `tarfile` writes comes back, and what is crafted or damaged ends in a typed error."""

import io
import tarfile

import numpy as np
import pytest

from cliff_core.errors import FormatError
from cliff_core.formats.tar_entries import looks_like_tar, read_entry, tar_entries

NAMES = ["a.jpg", "folder/b.data.pyd", "ü/夏.jpg", f"{'long/' * 40}name.jpg", f"{'x' * 99}.jpg"]


def save(path, names=NAMES, kind=tarfile.PAX_FORMAT, change=None):
    with tarfile.open(path, "w", format=kind) as archive:
        for number, name in enumerate(names):
            content = bytes([number]) * (100 + 500 * number)
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            if change:
                change(entry)
            archive.addfile(entry, io.BytesIO(content) if entry.isreg() else None)
    return path


def listed(path):
    with path.open("rb") as stream:
        return [(entry.name, read_entry(stream, entry, 10_000, path)) for entry in tar_entries(stream, path)]


@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_what_tarfile_writes_comes_back(tmp_path, kind):
    path = save(tmp_path / "a.tar", kind=kind)

    assert looks_like_tar(path)
    assert listed(path) == [(name, bytes([n]) * (100 + 500 * n)) for n, name in enumerate(NAMES)]


def test_long_names_of_ustar_come_back(tmp_path):
    names = ["a.jpg", f"{'long/' * 25}name.jpg"]
    assert [name for name, _ in listed(save(tmp_path / "a.tar", names, tarfile.USTAR_FORMAT))] == names


def test_folders_are_passed_over(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        archive.addfile(tarfile.TarInfo("folder/empty.jpg"))

    assert listed(tmp_path / "a.tar") == [("folder/empty.jpg", b"")]


def test_an_entry_larger_than_its_use_is_refused(tmp_path):
    path = save(tmp_path / "a.tar")
    with path.open("rb") as stream, pytest.raises(FormatError, match=r"'a\.jpg' has 100 bytes, too many to be meant"):
        read_entry(stream, next(tar_entries(stream, path)), 99, path)


def header(size=b"00000000000\0", kind=b"0", name=b"a.jpg"):
    """A header with a right checksum, whatever stands in it."""
    block = bytearray(512)
    block[: len(name)] = name
    block[124:136] = size.ljust(12, b"\0")
    block[156:157] = kind
    block[257:265] = b"ustar\x0000"
    block[148:156] = b" " * 8
    block[148:156] = f"{sum(block):06o}\0 ".encode()
    return bytes(block)


def record(key, value):
    """A record of an extended header: its own length comes first and counts itself."""
    tail = b" " + key + b"=" + value + b"\n"
    length = len(tail) + 1
    while len(str(length)) + len(tail) != length:
        length += 1
    return str(length).encode() + tail


def octal(size):
    return f"{size:011o}".encode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (header(b"-0000000001\0"), "a damaged size"),
        (header(b"\x80" + b"\xff" * 11), "announces .* bytes, but the file ends before"),
        (header(b"77777777777\0"), "announces 8,589,934,591 bytes, but the file ends before"),
        (header(b"9"), "a damaged size"),
        (header(octal(20_000), b"x") + bytes(20_480), "a name of 20,000 bytes"),
        (header(octal(14), b"x") + b"99999 path=ab\n".ljust(512, b"\0"), "a damaged extended header"),
        (header(octal(14), b"x") + b"11111111111111".ljust(512, b"\0"), "a damaged extended header"),
        (header(octal(10), b"S") + bytes(512), "of a kind that data sets do not have"),
        (header(name=b"\xff.jpg"), "a name that is not UTF-8"),
        (header() + b"rubbish" * 100, "not a header, or a damaged one"),
        (
            header(octal(len(record(b"size", b"99"))), b"x") + record(b"size", b"99").ljust(512, b"\0"),
            "a sparse or oversized file",
        ),
    ],
)
def test_a_crafted_or_damaged_archive_is_refused(tmp_path, content, message):
    path = tmp_path / "a.tar"
    path.write_bytes(content)

    with pytest.raises(FormatError, match=rf"a\.tar: entry \d of the tar: {message}"):
        listed(path)


@pytest.mark.parametrize("seed", range(50))
def test_a_changed_archive_is_read_or_refused(tmp_path, seed):
    content = bytearray(save(tmp_path / "a.tar").read_bytes())
    random = np.random.default_rng(seed)
    for _ in range(4):
        content[random.integers(len(content))] = random.integers(256)
    (tmp_path / "b.tar").write_bytes(content[: random.integers(1, len(content))])

    try:
        names = [name for name, _ in listed(tmp_path / "b.tar")]
    except FormatError as error:
        names = [str(error)]
    assert all(isinstance(name, str) for name in names)


def test_what_is_no_tar_is_told_at_once(tmp_path):
    for content in (b"", b"x" * 512, bytes(512), b"PK\x03\x04" * 200):
        (tmp_path / "a.tar").write_bytes(content)
        assert not looks_like_tar(tmp_path / "a.tar")
