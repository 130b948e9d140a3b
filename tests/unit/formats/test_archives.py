"""What an npz archive claims is checked before it is unpacked."""

import io
import zipfile

import numpy as np
import pytest

from cliff_core.errors import FormatError
from cliff_core.formats import archives
from cliff_core.formats.archives import NpzArchive


def entry(array=None, header=None, content=b""):
    """Bytes of a `.npy` entry: of an array, or of a header and whatever follows it."""
    stream = io.BytesIO()
    if array is not None:
        np.lib.format.write_array(stream, array)
    else:
        np.lib.format.write_array_header_1_0(stream, header)
        stream.write(content)
    return stream.getvalue()


def save(path, compression=zipfile.ZIP_DEFLATED, **entries):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(f"{name}.npy", content)
    return NpzArchive(path)


@pytest.mark.parametrize(
    "array",
    [np.arange(12.0).reshape(3, 4), np.asfortranarray(np.arange(6).reshape(2, 3)), np.array(["ü", "夏"]), np.array(2.5),
     np.zeros((0, 3)), np.array([], dtype=str), np.arange(3, dtype=">f4")],
)  # fmt: skip
def test_arrays_come_back_as_numpy_wrote_them(tmp_path, array):
    archive = save(tmp_path / "a.npz", x=entry(array))

    np.testing.assert_array_equal(archive.array("x"), array)
    assert (archive.header("x").shape, archive.header("x").dtype) == (array.shape, array.dtype)


def test_an_entry_that_unpacks_to_gigabytes_is_refused_unread(tmp_path):
    header = {"descr": "<f8", "fortran_order": False, "shape": (12_000_000,)}
    archive = save(tmp_path / "bomb.npz", x=entry(header=header, content=bytes(8 * 12_000_000)))

    assert archive.path.stat().st_size < 200_000
    assert archive.header("x").shape == (12_000_000,)
    with pytest.raises(FormatError, match=r"bomb\.npz: array 'x' is damaged .unpacks to 96,000,000 bytes"):
        archive.array("x")


def test_many_entries_together_are_bounded_too(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_LEAST_BYTES", 66 << 12)
    archive = save(tmp_path / "many.npz", **{f"x{n}": entry(np.zeros(12_000)) for n in range(4)})

    for name in ("x0", "x1", "x2"):
        archive.array(name)
    with pytest.raises(FormatError, match="array 'x3' is damaged .unpacks to 384,000 bytes"):
        archive.array("x3")


@pytest.mark.parametrize(
    ("shape", "content", "message"),
    [
        ((10**18,), b"", "announces 8,000,000,000,000,000,000 bytes and holds less"),
        ((10**12, 10**12), b"", "holds less"),
        ((4,), bytes(24), "announces 32 bytes and holds less"),
        ((2,), bytes(24), "announces 16 bytes and holds more"),
        ((-1,), bytes(8), "shape"),
    ],
)
def test_a_header_that_lies_about_its_array_is_refused(tmp_path, shape, content, message):
    header = {"descr": "<f8", "fortran_order": False, "shape": shape}
    archive = save(tmp_path / "a.npz", x=entry(header=header, content=content))

    with pytest.raises(FormatError, match=f"array 'x' is damaged .*{message}"):
        archive.array("x")


def test_objects_are_handed_out_as_bytes_and_never_opened(tmp_path):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.array({"a": 1}, dtype=object))
    archive = save(tmp_path / "a.npz", x=stream.getvalue(), y=entry(np.zeros(2)))

    with pytest.raises(FormatError, match="'x' holds Python objects, which are never opened"):
        archive.array("x")
    assert archive.pickle("x").startswith(b"\x80")
    with pytest.raises(FormatError, match="array 'y' is damaged .holds numbers instead of Python objects"):
        archive.pickle("y")


def test_what_is_no_archive_has_no_arrays(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK\x05\x06" + bytes(18) + b"rubbish")
    archive = NpzArchive(tmp_path / "a.npz")

    assert archive.names == frozenset()
    with pytest.raises(FormatError, match="not a complete npz archive"):
        archive.array("x")


def test_an_unusual_compression_is_refused(tmp_path):
    archive = save(tmp_path / "a.npz", zipfile.ZIP_BZIP2, x=entry(np.zeros(2)))

    with pytest.raises(FormatError, match="compressed in a way that NumPy does not write"):
        archive.array("x")


def test_text_of_numbers_that_are_no_characters_is_refused(tmp_path):
    """NumPy would make strings of it that crash whoever looks at them."""
    header = {"descr": "<U2", "fortran_order": False, "shape": (1,)}
    archive = save(tmp_path / "a.npz", x=entry(header=header, content=b"a\x00\x00\x00\xff\xff\xff\x7f"))

    with pytest.raises(FormatError, match=r"a\.npz: array 'x' is damaged .text that is none"):
        archive.array("x")


@pytest.mark.parametrize("text", [b"{" * 5000, b"(" * 9000, b"9" * 9000, b"{'descr': '''\n", b"\x00" * 50])
def test_a_header_that_is_no_header_is_refused_in_one_line(tmp_path, text):
    npy = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text
    archive = save(tmp_path / "a.npz", x=npy)

    with pytest.raises(FormatError, match=r"a\.npz: array 'x' is damaged") as caught:
        archive.array("x")
    assert len(str(caught.value)) < 1000


def test_an_archive_of_thousands_of_arrays_is_not_listed_in_full(tmp_path):
    archive = save(tmp_path / "a.npz", **{f"x{number}": b"" for number in range(3000)})

    with pytest.raises(FormatError, match="has no array 'pose'; it holds x0, x1, x10") as caught:
        archive.array("pose")
    assert len(str(caught.value)) < 1000
