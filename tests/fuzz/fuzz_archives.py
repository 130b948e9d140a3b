"""Damage to npz archives and tars: their entries, their arrays, their headers and what they claim about themselves."""

from __future__ import annotations

import io
import random
import struct
import tarfile
import zipfile
from collections.abc import Callable

import numpy as np
from fuzz_pickles import hostile_pickle
from fuzz_values import mutate_array

Mutate = Callable[[random.Random, bytes], bytes]
_MEMBER_NAMES = ("../../evil.jpg", "/etc/passwd", "a" * 600, "x.data.pyd", "", "a\x00b")
_ENTRY_NAMES = ("../../evil.npy", "/etc/evil.npy", "imgname", "a" * 300 + ".npy", "", "é.npy", "imgname.npy")


def mutate_npz(rng: random.Random, data: bytes, mutate: Mutate) -> bytes:
    """An archive with something wrong in one entry, or with wrong entries."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = [(info.filename, archive.read(info)) for info in archive.infolist()]
    choice = rng.randrange(12)
    index = rng.randrange(len(entries))
    name, content = entries[index]
    compression = zipfile.ZIP_DEFLATED
    if choice <= 5:
        entries[index] = (name, _changed_entry(rng, content, mutate))
    elif choice == 6:
        del entries[index]
    elif choice == 7:
        entries[index] = (rng.choice(_ENTRY_NAMES), content)
    elif choice == 8:
        entries.append((name, content if rng.random() < 0.5 else _changed_entry(rng, content, mutate)))
    elif choice == 9:
        entries[index] = (name, _bomb(rng))
    elif choice == 10:
        compression = rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    result = bytearray(_zip(entries, compression))
    return bytes(_changed_directory(rng, result)) if choice == 11 else bytes(result)


def _zip(entries: list[tuple[str, bytes]], compression: int) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in entries:
            info = zipfile.ZipInfo(name)  # so that a name may be there twice without a warning
            info.compress_type = compression
            archive.NameToInfo.pop(name, None)
            archive.writestr(info, content)
    return stream.getvalue()


def _changed_entry(rng: random.Random, content: bytes, mutate: Mutate) -> bytes:
    choice = rng.randrange(8)
    if choice == 0:
        return _lying_header(rng, content)
    if choice == 1:
        return mutate(rng, content)
    try:
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except ValueError:  # an array of objects: a pickle behind the header
        head = 10 + struct.unpack("<H", content[8:10])[0]
        return content[:head] + mutate(rng, content[head:])
    if choice == 2:
        return _npy_header("|O", ()) + hostile_pickle(rng.randrange(hostile_pickle.count))
    stream = io.BytesIO()
    np.lib.format.write_array(stream, mutate_array(rng, array), allow_pickle=True)
    return stream.getvalue()


def _npy_header(descr: str, shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": descr, "fortran_order": False, "shape": shape})
    return stream.getvalue()


def _lying_header(rng: random.Random, content: bytes) -> bytes:
    """A header that claims another array than the one behind it, or is none."""
    shape = rng.choice([(10**9,), (10**12, 72), (2**62, 4), (0,), (3, -1), (1,) * 40, (10**30,), (10**6, 24, 3)])
    if rng.random() < 0.5:
        return _npy_header(rng.choice(["<f8", "<U1000000", "|S100", "|V99999999", "<f8"]), shape) + content[128:]
    version = rng.choice([b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\x09\x09"])
    text = rng.choice(
        [b"__import__('os').system('touch fuzz-canary')\n", b"{'descr': '<f8'}\n", b"{" * 5000, b"\xff\xfe", b"[]\n",
         b"{'descr': [('a', 'O')], 'fortran_order': False, 'shape': (1,)}\n", b"(" * 9000 + b"\n", b"9" * 9000,
         b"{'descr': '<f8', 'fortran_order': 7, 'shape': (2,)}\n",
         b"{'descr': '<f8', 'fortran_order': False, 'shape': 9}",
         b"{'descr': '<f8', 'fortran_order': False, 'shape': (True, 2)}\n",
         b"{'descr': 5, 'fortran_order': 0, 'shape': ()}"]
    )  # fmt: skip
    size = struct.pack("<I" if version == b"\x02\x00" else "<H", min(len(text), 65535))
    return b"\x93NUMPY" + version + size + text + content[128:]


def _bomb(rng: random.Random) -> bytes:
    """An entry that unpacks to much more than it takes."""
    count = rng.choice([10**5, 10**6])
    return _npy_header("<f8", (count,)) + bytes(8 * count)


def _changed_directory(rng: random.Random, archive: bytearray) -> bytearray:
    """Sizes, checksums, methods or flags in the table of entries that are not true."""
    places = [place for place in range(len(archive) - 46) if archive[place : place + 4] == b"PK\x01\x02"]
    if places:
        place = rng.choice(places)
        offset, size = rng.choice([(8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (42, 4)])
        archive[place + offset : place + offset + size] = rng.choice([bytes(size), b"\xff" * size, rng.randbytes(size)])
    return archive


# Tars


def mutate_tar(rng: random.Random, data: bytes, mutate: Mutate) -> bytes:
    """A tar with something wrong in one entry, or with wrong entries."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = [(info, archive.extractfile(info).read() if info.isfile() else b"") for info in archive]
    index = rng.randrange(len(members))
    info, content = members[index]
    choice = rng.randrange(9)
    if choice <= 3:
        content = mutate(rng, content)
    elif choice == 4:
        info.name = rng.choice([*_MEMBER_NAMES, info.name + "x"])
    elif choice == 5:
        kinds = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE, b"S"]
        info.type, info.linkname = rng.choice(kinds), rng.choice(["/etc/passwd", "../..", info.name])
    elif choice == 6:
        info.pax_headers = {"path": "../../evil.jpg", "size": "99999999999999", "comment": "x" * 70_000}
    members[index] = (info, content)
    if choice == 7:
        members.append(members[index])
    elif choice == 8:
        del members[index]
    result = bytearray(_tar(members))
    if rng.random() < 0.1 and len(result) > 512:
        result[124:136] = rng.choice([b"77777777777\x00", b"\x80" + b"\xff" * 11, b"-0000000001\x00"])
    return bytes(result)


def _tar(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, content in members:
            info.size = len(content) if info.isreg() else 0
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()
