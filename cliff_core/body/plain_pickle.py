"""Plain values out of a pickle that nobody vouches for: lists, dictionaries, text, numbers, arrays, nested.

What annotation files hold (3DPW's sequences, 4D-Humans' tars, HumanData's dictionaries). The pickle is read by
`safe_pickle`, which can name nothing but arrays; here what it noted is turned into values, with bounds on how long a
pickle may go on, how deep it nests and how large it grows.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

from cliff_core.body.safe_pickle import DAMAGED, ArrayUnpickler, NotedArray, Refused

_MOST_INSTRUCTIONS = 4_000_000  # some seconds; whole data sets of arrays take a few thousand
_MOST_VALUES = 4_000_000
_DEEPEST_NESTING = 30
_LEAST_BYTES = 1 << 26
_MOST_GROWTH = 20  # bytes of arrays per byte of pickle: one text may stand for many arrays


class UnreadablePickleError(Exception):
    """A pickle that is damaged, or asks for more than plain values; says why, without the name of the file."""


class _Counted(dict):
    """The table of instructions; refuses a pickle that goes on and on."""

    left = _MOST_INSTRUCTIONS

    def __getitem__(self, key):
        self.left -= 1
        if self.left < 0:
            raise Refused(f"more than {_MOST_INSTRUCTIONS:,} instructions")
        return super().__getitem__(key)


class _Plain:
    """Turns what was noted into plain values, each thing once, however often the pickle refers to it."""

    def __init__(self, most_bytes: int):
        self._left = _MOST_VALUES
        self._bytes_left = most_bytes
        self._done: dict[int, Any] = {}
        self._open: set[int] = set()

    def of(self, value: Any, depth: int = 0) -> Any:
        """Lists, dictionaries, text, numbers, `None` and arrays."""
        if value is None or isinstance(value, str | bytes | bool | int | float):
            return value
        if id(value) in self._done:
            return self._done[id(value)]
        self._left -= 1
        if self._left < 0 or depth > _DEEPEST_NESTING or id(value) in self._open:
            raise Refused("values nested without end")
        self._open.add(id(value))
        result = self._done[id(value)] = self._of_container(value, depth)
        self._open.discard(id(value))
        return result

    def _of_container(self, value: Any, depth: int) -> Any:
        if isinstance(value, list | tuple):
            return [self.of(item, depth + 1) for item in value]
        if isinstance(value, dict):
            return {self.of(key, depth + 1): self.of(item, depth + 1) for key, item in value.items()}
        if not isinstance(value, NotedArray):
            raise Refused(f"a {type(value).__name__.strip('_')} where a plain value should be")
        if value.objects is not None:
            items = [self.of(item, depth + 1) for item in value.objects]
            return items[0] if value.is_single else items
        self._bytes_left -= value.size_bytes
        if self._bytes_left < 0:
            raise Refused("arrays many times larger than the file")
        array = value.resolve()
        return array.item() if value.is_single else array


def plain_values(content: bytes, wanted: frozenset[str] | None = None) -> Any:
    """What a pickle of plain values holds.

    Args:
        content: the pickle, of Python 2 or 3.
        wanted: of a dictionary, the keys that are turned into values; what stands under others is read past.

    Returns:
        Lists (tuples too), dictionaries, text, numbers, `None` and arrays of numbers or text, nested; arrays of Python
        objects as lists. Arrays are read-only. What the pickle has in two places is one object in both.

    Raises:
        UnreadablePickleError: damaged, endless, or asking for anything but plain values; nothing of it was executed.
    """
    try:
        unpickler = ArrayUnpickler(io.BytesIO(content), encoding="latin1")
        unpickler.dispatch = _Counted(ArrayUnpickler.dispatch)  # type: ignore[misc]
        loaded = unpickler.load()
        if wanted is not None and isinstance(loaded, dict):
            loaded = {key: value for key, value in loaded.items() if key in wanted}
        return _Plain(_LEAST_BYTES + _MOST_GROWTH * len(content)).of(loaded)
    except Refused as refused:
        raise UnreadablePickleError(
            f"refused, it asks for {refused} and such a file holds plain arrays, lists and text only; nothing of it "
            "was run"
        ) from refused
    except (EOFError, pickle.UnpicklingError) as error:
        raise UnreadablePickleError(f"not a readable pickle after {len(content):,} bytes ({error})") from error
    except DAMAGED as error:
        raise UnreadablePickleError(f"a damaged pickle ({type(error).__name__}: {error})") from error
