"""Values that are not what they should be: in documents, in dictionaries with arrays, in arrays."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np

LARGEST = 20_000  # values of a document, more or less
_DTYPES = ("f2", "f4", ">f8", "i1", "u1", "i8", "?", "c16", "S3", "U5", "M8[s]", "V7", "U0")
_NAMES = ("../../evil.jpg", "/etc/passwd", "C:\\a.jpg", "a\x01b", "", "x" * 2000, "..", "é" * 3, "a\\b.jpg")

NASTY: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, -0.0, 0.5, 2**31, 2**63, 10**30, 10**400, float("nan"), float("inf"), float("-inf"),
    1e-320, 1e300, -1e12, "", " ", "0", "nan", "person", [], {}, [[]], [None], {"": None}, [0, 0, 0, 0],
    "../../../../etc/passwd", "..\\..\\windows\\win.ini", "/etc/passwd", "C:\\boot.ini", "\\\\server\\share\\a.jpg",
    "a\x00b.jpg", "a\nb.jpg", "\ud800", "x" * 3000, "\u202e.jpg", "con", ".", "..", "~/a.jpg", "a/../../b.jpg",
    "http://127.0.0.1/a.jpg", "|touch x", "%s%n", "🙂" * 50,
)  # fmt: skip


def mutate_tree(rng: random.Random, root: Any) -> Any:
    """The values with one thing changed, anywhere in lists and dictionaries."""
    holder, key = [root], 0
    node: Any = root
    whole = holder
    while isinstance(node, list | dict) and node and rng.random() < 0.85:
        holder, key = node, rng.choice(list(node)) if isinstance(node, dict) else rng.randrange(len(node))
        node = holder[key]
    choice = rng.randrange(12)
    if choice <= 4:
        holder[key] = rng.choice(NASTY)
    elif choice == 5 and isinstance(holder, dict):
        del holder[key]
    elif choice == 5 and holder is not whole:
        holder.pop(key)
    elif choice == 6 and isinstance(node, list) and node:
        node.append(rng.choice(node))
    elif choice == 7 and isinstance(node, list) and node:
        node[:] = (node * rng.choice([2, 10, 1000]))[: max(1, LARGEST // leaves(node[0]))]
    elif choice == 8:
        holder[key] = [node] if rng.random() < 0.5 else {"value": node}
    elif choice == 9 and isinstance(holder, dict):
        other = rng.choice(list(holder))
        holder[key], holder[other] = holder[other], holder[key]
    elif choice == 10:
        deep: Any = node
        for _ in range(rng.choice([5, 50, 500, 900])):
            deep = [deep]
        holder[key] = deep
    elif isinstance(node, str):
        holder[key] = rng.choice(["../", "/", "C:\\", "\x00", ""]) + node * rng.choice([0, 1, 1, 500])
    elif isinstance(node, int | float) and not isinstance(node, bool):
        holder[key] = rng.choice([-node, str(node), node * 10**9, float(node) + 0.5, [node]])
    else:
        holder[key] = rng.choice(NASTY)
    return whole[0]


def leaves(value: Any, most: int = 10 * LARGEST) -> int:
    """How many values a document has when it is written out, counted up to `most`: parts may be there many times."""
    return sum(1 for _ in _parts(value, most))


def _parts(value: Any, most: int) -> Iterator[Any]:
    stack, count = [value], 0
    while stack and count < most:
        node = stack.pop()
        count += 1
        yield node
        if isinstance(node, list | dict):
            inner = list(node.values()) if isinstance(node, dict) else node
            stack.extend(inner[: most - count])


def mutate_array(rng: random.Random, array: np.ndarray) -> np.ndarray:
    """An array of another kind, shape or content."""
    choice = rng.randrange(11)
    array = np.array(array)
    if choice == 0:
        return _as(array, rng.choice(_DTYPES))
    if choice == 1:
        return array.T if rng.random() < 0.5 else array.reshape(-1)
    if choice == 2:
        return array[None] if rng.random() < 0.5 else array[..., None]
    if choice == 3:
        return array[: rng.randrange(3)] if array.ndim else np.zeros(0)
    if choice == 4:
        return np.concatenate([array, array]) if array.ndim else np.stack([array, array])
    if choice == 5:
        return np.array([None, "x", array.tolist()], dtype=object)
    if choice == 6:
        return np.zeros((0, *array.shape[1:]), array.dtype)
    if array.dtype.kind in "US" and array.size:
        names = array.astype("U2100").reshape(-1)
        names[rng.randrange(names.size)] = rng.choice(_NAMES)
        return names.reshape(array.shape)
    if array.dtype.kind in "fiub" and array.size:
        values = array.astype(np.float64).reshape(-1) if array.dtype.kind == "f" else array.reshape(-1).copy()
        wrong = [np.nan, np.inf, -np.inf, 1e300, -1e300, 1e-300, 0.0, -1.0, 1e10, 4.5]
        whole = [0, -1, 2**31 - 1, 7]
        with np.errstate(all="ignore"):
            value = rng.choice(wrong) if array.dtype.kind == "f" else np.array(rng.choice(whole)).astype(array.dtype)
        values[rng.randrange(values.size)] = value
        if choice == 7:
            values[:] = value
        return values.reshape(array.shape)
    return np.zeros(3)


def _as(array: np.ndarray, dtype: str) -> np.ndarray:
    try:
        with np.errstate(all="ignore"):
            return array.astype(dtype)
    except (TypeError, ValueError):
        return np.zeros(array.shape, "f4")


def mutate_value(rng: random.Random, root: Any) -> Any:
    """Lists, dictionaries and arrays with one thing changed."""
    holder: Any = [root]
    whole, key, node = holder, 0, root
    while isinstance(node, list | dict) and node and rng.random() < 0.85:
        holder, key = node, rng.choice(list(node)) if isinstance(node, dict) else rng.randrange(len(node))
        node = holder[key]
    if isinstance(node, np.ndarray):
        holder[key] = mutate_array(rng, node)
    elif rng.random() < 0.5 and not isinstance(node, list | dict):
        holder[key] = rng.choice(NASTY)
    elif isinstance(node, list | dict) and not _has_arrays(node):
        holder[key] = mutate_tree(rng, node)
    elif isinstance(holder, dict) and rng.random() < 0.5:
        del holder[key]
    else:
        holder[key] = rng.choice([*NASTY, np.zeros(0), np.zeros((2, 2)), [node, node], {"a": node}, (node,)])
    return whole[0]


def _has_arrays(value: Any) -> bool:
    return any(isinstance(part, np.ndarray) for part in _parts(value, LARGEST))
