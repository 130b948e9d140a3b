"""Pickles that run code, grow without end or claim what they do not hold; and pickles of values, changed."""

from __future__ import annotations

import io
import pickle
import pickletools
import random
import struct
from typing import Any

from fuzz_values import LARGEST, leaves, mutate_value

from cliff_core.body.plain_pickle import UnreadablePickleError, plain_values

CANARY = "touch fuzz-canary"


def _call(module: str, name: str, *arguments: Any) -> bytes:
    """A pickle that calls `module.name(*arguments)` when it is opened by `pickle.loads`."""
    body = pickle.dumps(arguments, 2)[2:-1]
    return b"\x80\x02c" + module.encode() + b"\n" + name.encode() + b"\n" + body + b"R."


def _laughs() -> bytes:
    """Lists of lists, each holding the one before ten times: ten billion values in a few lines."""
    stream = io.BytesIO()
    stream.write(b"\x80\x02]q\x00")
    for level in range(1, 11):
        stream.write(b"](" + b"h" + bytes([level - 1]) + (b"h" + bytes([level - 1])) * 9 + b"eq" + bytes([level]))
    stream.write(b".")
    return stream.getvalue()


_HOSTILE = (
    _call("os", "system", CANARY),
    _call("posix", "system", CANARY),
    _call("nt", "system", CANARY),
    _call("subprocess", "check_output", ["touch", "fuzz-canary"]),
    _call("builtins", "eval", "__import__('os').system('touch fuzz-canary')"),
    _call("builtins", "exec", "open('fuzz-canary', 'w')"),
    _call("__builtin__", "eval", "open('fuzz-canary', 'w')"),
    _call("builtins", "open", "fuzz-canary", "w"),
    _call("shutil", "rmtree", "fuzz-canary-folder"),
    _call("pathlib", "Path", "fuzz-canary"),
    _call("numpy", "fromfile", "/etc/passwd"),
    _call("numpy", "load", "/etc/passwd"),
    _call("numpy.core.multiarray", "_reconstruct", "os.system"),
    _call("numpy", "ndarray", (10**9, 10**9)),
    _call("numpy.core.multiarray", "scalar", CANARY),
    _call("importlib", "import_module", "antigravity"),
    _call("torch", "load", "/etc/passwd"),
    _call("chumpy.ch", "Ch", CANARY),
    _call("scipy.sparse.csc", "csc_matrix", CANARY),
    _call("types", "CodeType", 1),
    _call("getattr", "x"),
    b"\x80\x02" + b"(" * 200_000 + b".",
    b"\x80\x02" + b"]" * 200_000 + b"." ,
    b"\x80\x02" + b"\x85" * 100_000 + b".",
    b"\x80\x02N" + b"\x85" * 100_000 + b".",
    b"\x80\x02X" + struct.pack("<I", 0x7FFFFFFF) + b"x.",
    b"\x80\x04\x8d" + struct.pack("<Q", 1 << 62) + b"x.",
    b"\x80\x04\x8e" + struct.pack("<Q", 1 << 62) + b"x.",
    b"\x80\x05\x96" + struct.pack("<Q", 1 << 62) + b"x.",
    b"\x80\x02\x8b" + struct.pack("<i", 0x7FFFFFFF) + b"1.",
    b"\x80\x02N" + b"r" + struct.pack("<I", 0xFFFFFFFF) + b".",
    b"\x80\x02N" + b"p99999999999999\n.",
    b"\x80\x04\x95" + struct.pack("<Q", 1 << 62) + b"N.",
    b"\x80\xff.",
    b"\x80\x02\x82\x01.",
    b"\x80\x02Pfuzz-canary\n.",
    b"cos\nsystem\n(S'" + CANARY.encode() + b"'\ntR.",
    b"(S'" + CANARY.encode() + b"'\nios\nsystem\n.",
    b"\x80\x02}(" + b"K\x01K\x02" * 100_000 + b"u.",
    b"\x80\x02" + b"]q\x00h\x00a" + b".",
    b"I" + b"9" * 100_000 + b"\n.",
    b"L" + b"9" * 1_000_000 + b"L\n.",
    _laughs(),
)  # fmt: skip


def hostile_pickle(index: int) -> bytes:
    """One of the pickles that nobody should open."""
    return _HOSTILE[index]


hostile_pickle.count = len(_HOSTILE)


def mutate_pickle(rng: random.Random, data: bytes) -> bytes:
    """The values changed, an instruction put in or taken out, or another pickle."""
    choice = rng.randrange(10)
    if choice < 5:
        try:
            value = plain_values(data)  # never opened as a pickle: what is damaged here twice may be hostile by then
        except UnreadablePickleError:
            return hostile_pickle(rng.randrange(hostile_pickle.count))
        for _ in range(rng.choice([1, 1, 2, 3])):
            value = mutate_value(rng, value)
            if leaves(value) >= 10 * LARGEST:
                return hostile_pickle(rng.randrange(hostile_pickle.count))
        try:
            return pickle.dumps(value, rng.choice([0, 1, 2, 2, 3, 4, 5]))
        except (RecursionError, pickle.PicklingError):
            return hostile_pickle(rng.randrange(hostile_pickle.count))
    if choice < 8:
        try:
            places = [place for _, _, place in pickletools.genops(data)]
        except Exception:
            return data[: len(data) // 2]
        at, to = sorted((rng.choice(places), rng.choice(places)))
        if choice == 5:
            return data[:at] + data[to:]
        if choice == 6:
            return data[:at] + hostile_pickle(rng.randrange(hostile_pickle.count))[2:-1] + data[at:]
        return data[:at] + data[at:to] * 3 + data[to:]
    return hostile_pickle(rng.randrange(hostile_pickle.count))
