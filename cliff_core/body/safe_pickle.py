"""Reading pickles of arrays (SMPL's bodies, 3DPW's sequences) without trusting them.

A pickle is a program: it may call whatever it names. Here it can name nothing but the entries of `_STAND_INS`, and each
of those is one of ours: it notes what it was given and calls neither NumPy, SciPy nor chumpy. What was noted is turned
into arrays afterwards, with the checks that NumPy's own unpickling leaves out (it believes the flags of a crafted
dtype). Whatever else a file asks for is refused by name.
"""

from __future__ import annotations

import io
import pickle
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from cliff_core.errors import BodyFileError

# What a damaged pickle raises on its way; all of it means the same to a person.
DAMAGED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)
_NUMBER_KINDS = frozenset("biufSU")  # bool, integers, floats, text; no objects, no records
_LARGEST_ARRAY_ITEMS = 1 << 27
_MOST_AXES = 32
_DEEPEST_SELECTION = 8


class Refused(pickle.UnpicklingError):
    """The pickle names something that is not an array, or arrays that are none."""


class _NotedDtype:
    """Stands for `numpy.dtype`: a plain number type and its byte order."""

    __slots__ = ("_spec",)

    def __init__(self, spec=None, *_alignment):
        if not isinstance(spec, str) or not 2 <= len(spec) <= 12:
            raise Refused(f"an array type {spec!r:.60}")
        self._spec = spec

    def __setstate__(self, state):
        if not (isinstance(state, tuple) and len(state) >= 5 and state[1] in ("<", ">", "|", "=")):
            raise Refused("a damaged array type")
        if any(part is not None for part in state[2:5]):
            raise Refused("an array of records")
        self._spec = state[1] + self._spec.lstrip("<>|=")

    def resolve(self) -> np.dtype:
        """The NumPy type, if it is one of numbers or text."""
        try:
            dtype = np.dtype(self._spec)
        except TypeError as error:
            raise Refused(f"an array type {self._spec!r}") from error
        if dtype.kind not in _NUMBER_KINDS or dtype.itemsize == 0:
            raise Refused("an array of Python objects")
        return dtype


class NotedArray:
    """Stands for `numpy.ndarray`: shape, type, order and bytes as the file gives them."""

    __slots__ = ("_state",)

    def __init__(self, *_arguments):
        self._state = None

    def __setstate__(self, state):
        if not (isinstance(state, tuple) and len(state) in (4, 5)):
            raise Refused("a damaged array")
        self._state = state[-4:]

    @classmethod
    def from_buffer(cls, buffer, dtype, shape, order="C", _axes=None):
        """An array of pickle protocol 5, `numpy.core.numeric._frombuffer`."""
        noted = cls()
        noted._state = (shape, dtype, order == "F", buffer)
        return noted

    @classmethod
    def from_scalar(cls, dtype, raw=b""):
        """A single number, `numpy.core.multiarray.scalar`."""
        return cls.from_buffer(raw, dtype, ())

    @property
    def objects(self) -> list | None:
        """The content of an array of Python objects that has no more than one dimension; `None` for other arrays."""
        if self._state is None or not isinstance(self._state[3], list):
            return None
        shape, content = self._state[0], self._state[3]
        return content if shape in ((), (len(content),)) and (shape or len(content) == 1) else None

    @property
    def is_single(self) -> bool:
        """Whether it is one value instead of a list of them."""
        return self._state is not None and self._state[0] == ()

    @property
    def size_bytes(self) -> int:
        """Length of the content."""
        raw = self._state[3] if self._state is not None else b""
        return len(raw) if isinstance(raw, str | bytes | bytearray) else 0

    def resolve(self) -> np.ndarray:
        """The array, if shape, type and bytes agree."""
        if self._state is None:
            raise Refused("an array without content")
        shape, dtype, fortran, raw = self._state
        if not isinstance(dtype, _NotedDtype):
            raise Refused("an array without type")
        dtype = dtype.resolve()
        if not (isinstance(shape, tuple) and len(shape) <= _MOST_AXES):
            raise Refused("an array without shape")
        if not all(isinstance(side, int) and 0 <= side <= _LARGEST_ARRAY_ITEMS for side in shape):
            raise Refused("an array without shape")
        if isinstance(raw, str):  # Python 2 wrote bytes as text
            raw = raw.encode("latin1")
        if not isinstance(raw, bytes | bytearray):
            raise Refused("an array of Python objects")
        items = int(np.prod(shape, dtype=object)) if shape else 1
        if items > _LARGEST_ARRAY_ITEMS or len(raw) != items * dtype.itemsize:
            raise Refused(f"an array of shape {shape} in {len(raw):,} bytes")
        array = np.frombuffer(raw, dtype=dtype)
        if not has_whole_characters(array):
            raise Refused("text that is none")
        return array.reshape(shape, order="F" if fortran else "C")


def has_whole_characters(array: np.ndarray) -> bool:
    """Whether an array of text holds only numbers that are characters; NumPy makes broken strings of others.

    Args:
        array: of any kind; anything but text passes.
    """
    if array.dtype.kind != "U" or not array.size:
        return True
    numbers = np.ascontiguousarray(array).view(np.dtype(np.uint32).newbyteorder(array.dtype.byteorder))
    return bool(numbers.max() <= sys.maxunicode)


class _Noted:
    """Stands for an object of another library: holds the named parts of its state, nothing else."""

    __slots__ = ("_parts",)

    def __init__(self, *_arguments):
        self._parts: dict = {}

    def __setstate__(self, state):
        if isinstance(state, tuple) and len(state) == 2 and state[1] is None:
            state = state[0]
        if not isinstance(state, dict):
            raise Refused(f"a damaged {type(self).__name__.strip('_')}")
        self._parts = state

    def array(self, name: str) -> np.ndarray:
        """A part that must be an array."""
        return _resolve(self._parts.get(name))


class _Chumpy(_Noted):
    """Stands for `chumpy.ch.Ch`: an array `x`."""

    __slots__ = ()

    def resolve(self) -> np.ndarray:
        """The array it holds."""
        return self.array("x")


class _ChumpySelection(_Noted):
    """Stands for `chumpy.reordering.Select`: some entries of another chumpy object, as slicing leaves them."""

    __slots__ = ()

    def resolve(self) -> np.ndarray:
        """The selected entries in their shape."""
        source: object = self
        depth = 0
        while isinstance(source, _ChumpySelection):
            source, depth = source._parts.get("a"), depth + 1
            if depth > _DEEPEST_SELECTION:
                raise Refused("a selection of selections")
        indices = self.array("idxs")
        values = _resolve(self._parts.get("a")).reshape(-1)
        if indices.dtype.kind not in "iu" or (indices.size and not 0 <= indices.min() <= indices.max() < values.size):
            raise Refused("a selection beyond its array")
        shape = self._parts.get("preferred_shape", indices.shape)
        try:
            return values[indices].reshape(tuple(int(side) for side in shape))
        except (TypeError, ValueError) as error:
            raise Refused("a selection without shape") from error


class _Sparse(_Noted):
    """Stands for SciPy's compressed matrices; `by_column` says which way they are compressed."""

    __slots__ = ()
    by_column = True

    def resolve(self) -> np.ndarray:
        """The dense matrix."""
        shape = self._parts.get("_shape", self._parts.get("shape", ()))
        data, indices, starts = (self.array(name) for name in ("data", "indices", "indptr"))
        try:
            rows, columns = (int(side) for side in shape)
        except (TypeError, ValueError) as error:
            raise Refused("a sparse matrix without shape") from error
        lines, width = (columns, rows) if self.by_column else (rows, columns)
        sound = (
            0 <= rows * columns <= _LARGEST_ARRAY_ITEMS
            and data.ndim == indices.ndim == starts.ndim == 1
            and indices.dtype.kind in "iu"
            and starts.dtype.kind in "iu"
            and len(starts) == lines + 1
            and len(data) == len(indices) == starts[-1]
            and starts[0] == 0
            and (np.diff(starts.astype(np.int64)) >= 0).all()
            and (not len(indices) or 0 <= indices.min() <= indices.max() < width)
        )
        if not sound:
            raise Refused("a damaged sparse matrix")
        dense = np.zeros((lines, width), dtype=np.float64)
        np.add.at(dense, (np.repeat(np.arange(lines), np.diff(starts)), indices), data)
        return dense.T if self.by_column else dense


class _SparseRows(_Sparse):
    """Stands for matrices compressed by row."""

    __slots__ = ()
    by_column = False


class _Call:
    """A function the pickle may call. Not a bare function, so that the pickle cannot set attributes on it."""

    __slots__ = ("_function",)

    def __init__(self, function):
        self._function = function

    def __call__(self, *arguments):
        return self._function(*arguments)

    def __setstate__(self, state):
        raise Refused("a change to a function")


def _encode(text="", encoding="latin1"):
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise Refused("text in an unexpected encoding")
    return text.encode("latin1")


def _no_bytes(*arguments):
    """Protocol 2 has no word for bytes of length 0 but `bytes()`."""
    if arguments:
        raise Refused("bytes made of something")
    return b""


def _new(kind=None, *_arguments):
    if kind not in (NotedArray, _Chumpy, _ChumpySelection, _Sparse, _SparseRows):
        raise Refused("an object that is no array")
    return kind()


_STAND_INS = {
    ("numpy", "dtype"): _NotedDtype,
    ("numpy", "ndarray"): NotedArray,
    ("chumpy.ch", "Ch"): _Chumpy,
    ("chumpy", "Ch"): _Chumpy,
    ("chumpy.reordering", "Select"): _ChumpySelection,
    ("_codecs", "encode"): _Call(_encode),
    ("copy_reg", "_reconstructor"): _Call(_new),
    ("copyreg", "_reconstructor"): _Call(_new),
    ("collections", "OrderedDict"): dict,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Call(_new) for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _Call(NotedArray.from_scalar) for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _Call(NotedArray.from_buffer) for core in ("core", "_core")},
    **{(f"scipy.sparse{at}", f"csc_{kind}"): _Sparse for at in ("", ".csc", "._csc") for kind in ("matrix", "array")},
    **{
        (f"scipy.sparse{at}", f"csr_{kind}"): _SparseRows
        for at in ("", ".csr", "._csr")
        for kind in ("matrix", "array")
    },
    **{(builtins, "object"): object for builtins in ("builtins", "__builtin__")},
    **{(builtins, "set"): set for builtins in ("builtins", "__builtin__")},
    **{(builtins, "bytes"): _Call(_no_bytes) for builtins in ("builtins", "__builtin__")},
}


class ArrayUnpickler(pickle._Unpickler):
    """Finds stand-ins only; refuses every other name.

    The implementation in Python, because the one in C reserves gigabytes when a five-byte instruction asks for a high
    memo number. SMPL's files are a few hundred instructions, so it costs nothing.
    """

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)
    read: Callable[[int], bytes]  # set by `load`
    append: Callable[[Any], None]

    def find_class(self, module, name):
        """The stand-in for a name; none for all others."""
        try:
            return _STAND_INS[module, name]
        except KeyError:
            raise Refused(f"{module}.{name}") from None

    def _read_bytearray(self):
        """As inherited, but reserves what the file has instead of what it claims to have."""
        (size,) = struct.unpack("<Q", self.read(8))
        self.append(bytearray(self.read(size)))

    dispatch[pickle.BYTEARRAY8[0]] = _read_bytearray


def _resolve(value) -> np.ndarray:
    if isinstance(value, NotedArray | _Chumpy | _ChumpySelection | _Sparse):
        return value.resolve()
    if isinstance(value, str | int | float | bool):
        return np.asarray(value)
    if isinstance(value, list | tuple) and all(isinstance(item, int | float) for item in value):
        return np.asarray(value)
    raise Refused(f"a {type(value).__name__.strip('_')} where an array should be")


def read_arrays(path: Path, wanted: frozenset[str]) -> dict[str, np.ndarray]:
    """Arrays of a pickled dictionary, such as SMPL's `.pkl` files of Python 2 and 3.

    Args:
        path: the file.
        wanted: keys to turn into arrays; what stands under other keys is read past.

    Returns:
        The wanted keys that the file has; chumpy objects and sparse matrices as dense arrays (read-only views of the
        file's bytes where possible).

    Raises:
        BodyFileError: not a pickle, cut off, not a dictionary, or a file that asks for anything but arrays; nothing of
            it was executed.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BodyFileError(f"{path}: cannot be read ({error.strerror})") from error
    if content[:1] == b"<" or content[:2] == b"PK" or not content:
        kind = {b"<": "a web page (was the login missing?)", b"P": "a zip archive or a checkpoint"}
        raise BodyFileError(f"{path}: {kind.get(content[:1], 'an empty file')}, not an SMPL .pkl; download it again")
    try:
        loaded = ArrayUnpickler(io.BytesIO(content), encoding="latin1").load()
        if not isinstance(loaded, dict):
            raise BodyFileError(
                f"{path}: holds a {type(loaded).__name__.strip('_')}, not SMPL's dictionary of arrays; give "
                "an official SMPL file"
            )
        return {key: _resolve(value) for key, value in loaded.items() if key in wanted}
    except Refused as refused:
        raise BodyFileError(
            f"{path}: refused, it asks for {refused} and a body file holds plain arrays only; nothing of it was run. "
            "Get the file again from its official source"
        ) from refused
    except (EOFError, pickle.UnpicklingError) as error:
        raise BodyFileError(
            f"{path}: not a readable pickle after {len(content):,} bytes ({str(error) or 'it ends'}); "
            "copy or download it again"
        ) from error
    except DAMAGED as error:
        raise BodyFileError(f"{path}: a damaged pickle ({type(error).__name__}: {error}); download it again") from error
