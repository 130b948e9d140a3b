"""Pickles of plain values: read without trust (`body.plain_pickle`), written so that every NumPy can load them.

NumPy 2 moved its internals to `numpy._core` and pickles arrays under that name, which the NumPy 1 of most research code
does not know. The old name is known to both, so we write that one; protocol 2 is the newest that Python 2 reads.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

from cliff_core.body.plain_pickle import UnreadablePickleError, plain_values
from cliff_core.errors import FormatError

_PROTOCOL = 2


def loads(content: bytes, where: str, wanted: frozenset[str] | None = None) -> Any:
    """The plain values of a pickle; see `plain_values`.

    Raises:
        FormatError: unreadable, or asking for more than plain values; nothing of it was run.
    """
    try:
        return plain_values(content, wanted)
    except UnreadablePickleError as error:
        raise FormatError(f"{where}: {error}; get the file again from where it was made") from error


def dumps(value: Any) -> bytes:
    """A pickle of lists, dictionaries, text, numbers and arrays that NumPy 1 and 2 load alike."""
    stream = io.BytesIO()
    _Pickler(stream, _PROTOCOL).dump(value)
    return stream.getvalue()


def dump_object_array(value: Any) -> bytes:
    """A `.npy` entry that holds one Python object, as `np.savez` writes a dictionary."""
    array = np.empty((), dtype=object)
    array[()] = value
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|O", "fortran_order": False, "shape": ()})
    return stream.getvalue() + dumps(array)


class _Pickler(pickle._Pickler):
    """Names NumPy's internals as NumPy 1 does; the implementation in Python, because the one in C cannot be told to."""

    write: Callable[[bytes], Any]  # set by the parent
    memoize: Callable[[Any], None]

    def save_global(self, obj, name=None):
        """Save a function or class by its name."""
        module = getattr(obj, "__module__", None) or ""
        if not module.startswith("numpy._core"):
            super().save_global(obj, name)  # type: ignore[misc]
            return
        old = module.replace("numpy._core", "numpy.core", 1)
        self.write(pickle.GLOBAL + f"{old}\n{name or obj.__qualname__}\n".encode("ascii"))
        self.memoize(obj)
