"""What happens to files: bytes damaged anywhere, and documents whose values are not what they should be.

`mutate` looks at what the bytes are and damages them on their own terms; archives are damaged inside and out.
"""

from __future__ import annotations

import io
import json
import pickle
import random
import tarfile
import zipfile
from collections.abc import Callable

from fuzz_archives import mutate_npz, mutate_tar
from fuzz_pickles import hostile_pickle, mutate_pickle
from fuzz_values import LARGEST, leaves, mutate_tree

DEEP = 3000


def mutate(rng: random.Random, data: bytes) -> bytes:
    """The same content with something wrong, rarely nothing."""
    if rng.random() < 0.2:
        return mutate_bytes(rng, data)
    by_kind = {"json": mutate_json, "npz": _npz, "tar": _tar, "pickle": mutate_pickle}
    try:
        damaged = by_kind.get(kind_of(data), mutate_bytes)(rng, data)
    except Exception:  # what was damaged before cannot be taken apart any more
        return mutate_bytes(rng, data)
    return mutate_bytes(rng, damaged) if rng.random() < 0.1 else damaged


def kind_of(data: bytes) -> str:
    """json, npz, tar, pickle, or "" for anything else."""
    if data[:1] in (b"{", b"["):
        return "json"
    if data[:2] == b"PK":
        return "npz"
    if data[257:262] == b"ustar":
        return "tar"
    return "pickle" if data[:1] == b"\x80" else ""


def _npz(rng: random.Random, data: bytes) -> bytes:
    return mutate_npz(rng, data, mutate)


def _tar(rng: random.Random, data: bytes) -> bytes:
    return mutate_tar(rng, data, mutate)


# Bytes


def mutate_bytes(rng: random.Random, data: bytes) -> bytes:
    """Cut short, flipped, zeroed, shuffled, repeated, in another encoding, or with something before or behind it."""
    content = bytearray(data)
    size = max(1, len(content))
    start = rng.randrange(size)
    length = min(size - start, 1 << rng.randrange(12))
    choice = rng.randrange(13)
    if choice == 0:
        return bytes(content[:start])
    if choice == 1:
        for _ in range(1 << rng.randrange(8)):
            if content:
                content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    elif choice == 2:
        content[start : start + length] = bytes(length)
    elif choice == 3:
        content[start : start + length] = rng.randbytes(length)
    elif choice == 4:
        del content[start : start + length]
    elif choice == 5:
        content[start:start] = content[start : start + length] * rng.randrange(1, 8)
    elif choice == 6:
        return rng.choice([b"\xef\xbb\xbf", b"\xff\xfe", b"\x00", b" \n\t", b"PK\x03\x04", b"\x80\x04"]) + data
    elif choice == 7:
        return data + rng.choice([b"\x00", b"}", b"]", b" ", data, b"\xff", b"[" * 50])
    elif choice == 8:
        return b"" if rng.random() < 0.1 else bytes(content[: len(content) - rng.randrange(64)])
    elif choice == 9:
        return rng.randbytes(rng.randrange(2000))
    elif choice == 10:
        number = rng.choice([b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80", b"\xff" * 8])
        content[start : start + len(number)] = number
    elif choice == 11:
        text = data.decode("utf-8", "replace")
        return text.encode(rng.choice(["utf-16", "utf-16-le", "utf-32", "latin-1", "utf-8-sig"]), "replace")
    else:
        other = rng.randrange(size)
        content[start : start + length] = content[other : other + length]
    return bytes(content)


# JSON


def mutate_json(rng: random.Random, data: bytes) -> bytes:
    """A document with one to three wrong things in it."""
    document = json.loads(data)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        changed = mutate_tree(rng, document)
        if leaves(changed) >= 10 * LARGEST:
            return _deep_text(rng)
        document = changed
    try:
        text = json.dumps(document, ensure_ascii=rng.random() < 0.5, indent=rng.choice([None, None, 1]))
    except (ValueError, RecursionError):
        return _deep_text(rng)
    if rng.random() < 0.1:
        text = rng.choice(_TEXT_CHANGES)(text)
    return text.encode("utf-8", "surrogatepass")


_TEXT_CHANGES: tuple[Callable[[str], str], ...] = (
    lambda text: text.replace(",", ",,", 1),
    lambda text: text.replace('"', "'", 2),
    lambda text: text + text,
    lambda text: "\ufeff" + text,
    lambda text: text.replace("{", '{"annotations": [], "people": [], "images": [], ', 1),  # keys that are there twice
    lambda text: text.replace("[", "[" * DEEP, 1),
    lambda text: text.replace("0", "9" * 5000, 1),
    lambda text: text.replace("1", "1e999", 1),
    lambda text: text.replace("1", "-", 1),
    lambda text: text.replace("a", "\\ud800", 1),
    lambda text: "/* comment */" + text,
)


def _deep_text(rng: random.Random) -> bytes:
    opening = rng.choice(['{"a":', "[", '{"images":[', '[{"keypoints":'])
    return (opening * DEEP).encode()


# Made by hand


def monsters() -> dict[str, bytes]:
    """Files that no damage would lead to: each is read by every format's reader."""
    deep = 200_000
    files = {
        "empty": b"",
        "zero": bytes(1000),
        "bom": b"\xef\xbb\xbf",
        "utf16": '{"images": []}'.encode("utf-16"),
        "deep list": b"[" * deep,
        "deep object": b'{"a":' * deep,
        "deep in images": b'{"images": [' + b"[" * deep,
        "deep annotation": b'{"images": [], "annotations": [' + b'{"a":' * deep,
        "digits": b"[" + b"9" * 100_000 + b"]",
        "billions": b'{"images": [], "annotations": [' + b"{}," * 300_000 + b"{}]}",
        "names": b'{"images": ['
        + b",".join(b'{"id":%d}' % number for number in range(50_000))
        + b'], "annotations": []}',
        "one long string": b'["' + b"x" * 5_000_000 + b'"]',
        "infinite": b'{"images": [Infinity, -Infinity, NaN], "annotations": [NaN]}',
        "empty object": b"{}",
        "empty list": b"[]",
        "nulls": b"[null, null]",
        "white": b" " * 2_000_000,
        "zip": _zip({}),
        "zip of nothing": _zip({"imgname.npy": b""}),
        "zip slip": _zip({"../../imgname.npy": b"x", "/imgname.npy": b"x"}),
        "zip of many": _zip({f"{number}.npy": b"" for number in range(5000)}),
        "zip bomb": _zip({f"{name}.npy": bytes(50_000_000) for name in ("imgname", "pose", "image_path", "poses")}),
        "zip of zips": _zip({"imgname.npy": _zip({"imgname.npy": bytes(10_000_000)})}),
        "tar": _tar_of({}),
        "tar slip": _tar_of({"../../x.data.pyd": b"x", "/x.jpg": b"x"}),
        "tar bomb": _tar_of({"a.data.pyd": bytes(3_000_000), "a.jpg": bytes(3_000_000)}),
    }
    files |= {f"pickle {index}": hostile_pickle(index) for index in range(hostile_pickle.count)}
    files["tar of pickles"] = _tar_of({f"{i}.data.pyd": hostile_pickle(i) for i in range(hostile_pickle.count)})
    files["pickled list"] = pickle.dumps([1, {"poses": [2]}], 2)
    return files


def _zip(entries: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _tar_of(entries: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in entries.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()
