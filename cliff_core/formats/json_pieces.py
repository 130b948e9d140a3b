"""JSON in pieces: annotation files of hundreds of megabytes, read entry by entry in bounded memory.

Annotation files are one list, or one object whose values are long lists. `pieces` walks over either and decodes one
entry at a time with Python's own decoder. Measured on 200,000 COCO people (154 MB): 2.8 s and 15 MB, where loading the
document takes 5.0 s and 860 MB, and `ijson` with its C library 2.4 s and 12 MB, too little gain for a dependency.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from cliff_core.errors import FormatError

LARGEST_ENTRY = 1 << 24
"""Characters of one entry; a person with all masks and points of the known formats takes less than a hundredth."""

_CHUNK_BYTES = 1 << 20
_NUMBER_MAY_GO_ON = len("e+")  # where what was read ends with 1e+ or 1. the decoder takes the 1
_SPACE = re.compile(r"[ \t\r\n]*")


class Piece(NamedTuple):
    """A part of the document.

    Attributes:
        key: of the top object; `None` where the document is no object.
        position: in the list under that key; -1 announces a list, whose entries follow; `None` where it is no list.
        value: the entry, or the whole value where it is no list; `None` with an announcement.
    """

    key: str | None
    position: int | None
    value: Any


def pieces(path: Path) -> Iterator[Piece]:
    """Walk over a JSON file.

    Entries are decoded when they are asked for, so what is wrong further down is said only when the walk comes there.

    Raises:
        FormatError: unreadable, not UTF-8, not JSON (says where), a key of the top object that is there twice, an entry
            nested too deeply or larger than `LARGEST_ENTRY`.
    """
    try:
        with path.open("rb") as stream:
            text = _Text(path, stream)
            if text.next() == "{":
                yield from _object(text)
            else:
                yield from _value(text, None)
            if text.next():
                raise text.error("more text after the end")
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror})") from error


def listed_objects(path: Path, what: str) -> Iterator[tuple[str, dict]]:
    """The entries of a document that is a list of objects, each with its file and number for errors.

    Args:
        path: of the JSON.
        what: they are, for the error.

    Raises:
        FormatError: as of `pieces`; no list, or an entry that is no object.
    """
    is_list = False
    for piece in pieces(path):
        is_list = piece.key is None and piece.position is not None
        if not is_list:
            break
        if piece.position != -1:
            where = f"{path}: person number {(piece.position or 0) + 1}"
            if not isinstance(piece.value, dict):
                raise FormatError(f"{where}: is no object")
            yield where, piece.value
    if not is_list:
        raise FormatError(f"{path}: not {what}; it must be a JSON list of people")


def _object(text: _Text) -> Iterator[Piece]:
    text.take("{")
    seen: set[str] = set()
    if text.next() == "}":
        text.take("}")
        return
    while True:
        if text.next() != '"':
            raise text.error("a key in double quotes should stand here")
        key = text.decode()
        if key in seen:
            raise text.error(f"the key '{key:.60}' is there twice")
        seen.add(key)
        text.take(":")
        yield from _value(text, key)
        if text.next() == "}":
            text.take("}")
            return
        text.take(",")


def _value(text: _Text, key: str | None) -> Iterator[Piece]:
    if text.next() != "[":
        yield Piece(key, None, text.decode())
        return
    text.take("[")
    yield Piece(key, -1, None)
    if text.next() == "]":
        text.take("]")
        return
    index = 0
    while True:
        yield Piece(key, index, text.decode())
        index += 1
        if text.next() == "]":
            text.take("]")
            return
        text.take(",")


class _Text:
    """The part of the file that was read and not yet decoded, and where it stands in the file."""

    def __init__(self, path: Path, stream: BinaryIO):
        self._path = path
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._decode_json = json.JSONDecoder().raw_decode
        self._bytes = 0  # given to the decoder so far
        self._ended = False
        self._text = ""
        self._at = 0
        self._line, self._column = 1, 1  # of the first character of `_text`

    def next(self) -> str:
        """The next character that is no white space, without taking it; empty at the end."""
        while True:
            found = _SPACE.match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take(self, character: str) -> None:
        """Go past this character, which must come next."""
        if self.next() != character:
            raise self.error(f"'{character}' should stand here")
        self._at += 1

    def decode(self) -> Any:
        """The value that comes next."""
        self.next()
        while True:
            try:
                value, end = self._decode_json(self._text, self._at)
            except json.JSONDecodeError as error:  # perhaps only because the entry goes on beyond what was read
                complaint: FormatError | None = self.error(error.msg, error.pos)
            except RecursionError:
                raise FormatError(f"{self._path}: nested too deeply for an annotation file") from None
            except ValueError as error:  # an integer of thousands of digits
                raise self.error(str(error)) from None
            else:
                complaint = None
                complete = len(self._text) - end > _NUMBER_MAY_GO_ON or self._ended
                if complete and end - self._at <= LARGEST_ENTRY:
                    self._at = end
                    return value
            if len(self._text) - self._at > LARGEST_ENTRY:
                raise self.error(f"an entry of more than {LARGEST_ENTRY >> 20} MB; no annotation is that long")
            if not self._more() and complaint:
                raise complaint

    def error(self, message: str, at: int | None = None) -> FormatError:
        """The error that says where in the file something is wrong."""
        line, column = self._place(self._at if at is None else at)
        return FormatError(
            f"{self._path}: not valid JSON (line {line}, column {column}: {message}); export the file again"
        )

    def _more(self) -> bool:
        """Drop what was decoded and read as much again as is left, at least one chunk; false at the end."""
        if self._ended:
            return False
        self._line, self._column = self._place(self._at)
        self._text, self._at = self._text[self._at :], 0
        chunk = self._stream.read(max(_CHUNK_BYTES, len(self._text)))
        self._ended = not chunk
        waiting = len(self._decoder.getstate()[0])
        try:
            self._text += self._decoder.decode(chunk, final=self._ended)
        except UnicodeDecodeError as error:
            place = self._bytes - waiting + error.start
            raise FormatError(f"{self._path}: not UTF-8 text (byte {place}); save it as UTF-8") from None
        self._bytes += len(chunk)
        return True

    def _place(self, at: int) -> tuple[int, int]:
        """Line and column of a character of `_text`, from 1."""
        newlines = self._text.count("\n", 0, at)
        if not newlines:
            return self._line, self._column + at
        return self._line + newlines, at - self._text.rfind("\n", 0, at)


class JsonLook:
    """What a JSON file looks like, from as little of it as tells: for recognising formats.

    Args:
        path: of a file that may be large, damaged, or no JSON.
    """

    _SAMPLE = 4

    def __init__(self, path: Path):
        self._path = path
        self._values: dict[str | None, Any] = {}  # by key; of lists the first entries
        self._settled: set[str | None] = set()
        self._complete = False

    def has(self, *keys: str) -> bool:
        """Whether the top object has all these keys.

        Raises:
            FormatError: damaged before all of them were found.
        """
        self._walk(set(keys))
        return all(key in self._values for key in keys)

    def first(self, key: str | None) -> list:
        """The first entries (at most four) of the list under a key, or of the top list for `None`; else none.

        Raises:
            FormatError: damaged before they were found.
        """
        self._walk({key})
        value = self._values.get(key)
        return value if isinstance(value, list) else []

    def _walk(self, wanted: set[str | None]) -> None:
        """Look until all that is wanted is known, or the end."""
        if self._complete or wanted <= self._settled:
            return
        last: Piece | None = None
        for piece in pieces(self._path):
            if last and last.key != piece.key:
                self._settled.add(last.key)
            if last and piece.key is None and None not in wanted:
                return  # a list has no keys
            last = piece
            self._note(piece)
            if wanted <= self._settled:
                return
        self._complete = True

    def _note(self, piece: Piece) -> None:
        if piece.position is None:
            self._values[piece.key] = {} if isinstance(piece.value, dict) else piece.value
            self._settled.add(piece.key)
        elif piece.position == -1:
            self._values.setdefault(piece.key, [])
        elif piece.position < self._SAMPLE:
            if len(self._values[piece.key]) == piece.position:
                self._values[piece.key].append(piece.value)
            if piece.position == self._SAMPLE - 1:
                self._settled.add(piece.key)
