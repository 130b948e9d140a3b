"""From a file to the plain values in it, without ever running what the file asks for.

`torch.load(weights_only=True)` builds tensors, containers and numbers and refuses everything else. What it refuses,
and every file that is something else altogether, is explained here in terms of what a person did: which kind of file
this is, and where to get the right one. For that the pickle is read as a list of instructions, which executes none.
"""

from __future__ import annotations

import codecs
import io
import pickle
import pickletools
import warnings
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cliff_core.errors import CheckpointError

_GET_IT = "Get the checkpoint again from its authors (official names look like res50-PA45.7_MJE72.0_MVE85.3_3dpw.pt)"
_OLD_FORMAT_MAGIC = (0x1950A86A20F9469CFC6C).to_bytes(10, "little")  # begins what torch wrote before its zip format

_OTHER_FILES = {
    b"\xff\xd8\xff": "a JPEG picture",
    b"\x89PNG": "a PNG picture",
    b"\x89HDF": "an HDF5 file",
    b"%PDF": "a PDF document",
    b"\x1f\x8b": "a gzip archive: unpack it and give the .pt file that is in it",
    b"Rar!": "a RAR archive: unpack it and give the .pt file that is in it",
    b"7z\xbc\xaf": "a 7z archive: unpack it and give the .pt file that is in it",
    b"<": "a web page: the download brought a page instead of the file",
    b"version https://git-lfs": "a git-lfs pointer: fetch the file itself with `git lfs pull`",
}


@dataclass
class PickleWords:
    """What a pickle mentions, found without executing it.

    Attributes:
        strings: all its texts: names of tensors, keys of dictionaries.
        globals: "module.name" of everything that it wants to call or build.
    """

    strings: list[str] = field(default_factory=list)
    globals: list[str] = field(default_factory=list)


class _NumberType:
    """Stands in for `numpy.dtype` while a checkpoint is read: the type of one plain number and nothing else."""

    def __init__(self, code: str, *_):
        if code not in ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"):
            raise pickle.UnpicklingError(f"numpy.dtype({code!r}) is not the type of a number")
        self.dtype = np.dtype(code)

    def __setstate__(self, state):
        self.dtype = self.dtype.newbyteorder(">" if state[1] == ">" else "<")


def _number(number_type: _NumberType, data: bytes) -> float:
    """Stands in for NumPy's constructor of scalars."""
    return np.frombuffer(data, number_type.dtype, count=1)[0].item()


# Training loops leave NumPy numbers (the best error so far) beside the weights. They are read by our own two
# functions, so that NumPy's, which trust their input, are never reached.
_NUMBERS = [
    _NumberType,
    (_NumberType, "numpy.dtype"),
    (_number, "numpy.core.multiarray.scalar"),
    (_number, "numpy._core.multiarray.scalar"),
]
_ORDINARY_GLOBALS = {"numpy.dtype", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"}
_ORDINARY_GLOBALS |= {f"{module}.{name}" for module in ("builtins", "__builtin__") for name in ("set", "bytearray")}
_ORDINARY_MODULES = ("torch", "collections", "_codecs")  # what torch.save writes for tensors and their containers
_NETWORK_MODULES = ("torch.nn.modules.", "torch.jit.", "torch.fx.")


def read_checkpoint(path: Path, explain_names: Callable[[Iterable[str]], str | None]) -> Any:
    """The content of a PyTorch checkpoint: tensors, containers, texts and numbers, nothing else.

    Args:
        path: a file that `torch.save` wrote.
        explain_names: called with the texts of a file that had to be refused; a text that it returns says better
            what the file is than the reason for refusing it.

    Raises:
        CheckpointError: missing, truncated, damaged, of another kind, or asking for code to be run.
    """
    if not path.exists():
        raise CheckpointError(f"{path}: no such file; check the path, or leave the model out to use the bundled one")
    if path.is_dir():
        raise CheckpointError(f"{path}: a folder, not a checkpoint; give the .pt file itself")
    try:
        with path.open("rb") as stream:
            start = stream.read(64)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None

    if start.startswith(b"PK"):
        _check_archive(path)
    elif not start.startswith(b"\x80"):
        raise CheckpointError(f"{path}: not a PyTorch checkpoint but {_kind(start)}. {_GET_IT}")
    try:
        with torch.serialization.safe_globals(_NUMBERS), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's remarks on odd files; a person reads one sentence instead
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen kinds for bad files; each becomes one sentence
        raise _refusal(path, start, error, explain_names) from None


def pickle_words(path: Path) -> PickleWords:
    """Texts and requested names of a checkpoint's pickle, as far as it can be read; executes nothing."""
    words = PickleWords()
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                name = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
                _collect(io.BytesIO(archive.read(name)), words)
        else:
            with path.open("rb") as stream:
                for _ in range(4):  # the format before zip: magic number, version, system, content
                    _collect(stream, words)
    except (ValueError, OSError, StopIteration, UnicodeError, zipfile.BadZipFile, RuntimeError):
        pass  # a damaged rest: what was understood so far is the answer
    return words


def _collect(stream, words: PickleWords) -> None:
    """Walk through the instructions of one pickle."""
    memo: dict[int, str] = {}
    texts = ["", ""]  # as they would lie on the stack
    for operation, argument, _ in pickletools.genops(stream):
        name = operation.name
        if name in ("GLOBAL", "INST"):
            words.globals.append(str(argument).replace(" ", "."))
        elif name == "STACK_GLOBAL":
            words.globals.append(".".join(texts[-2:]))
        elif name == "MEMOIZE":
            memo[len(memo)] = texts[-1]
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            memo[int(argument or 0)] = texts[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            texts.append(memo.get(int(argument or 0), ""))
        elif isinstance(argument, str):
            texts.append(argument)
            words.strings.append(argument)


def _check_archive(path: Path) -> None:
    """A zip file must be whole, and one of PyTorch's; its checksums catch a damaged download."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            damaged = archive.testzip()
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError):
        size = path.stat().st_size
        raise CheckpointError(
            f"{path}: truncated or damaged checkpoint (it ends after {size:,} bytes without its table of contents). "
            "Download or copy it again"
        ) from None
    if damaged is not None:
        raise CheckpointError(f"{path}: damaged checkpoint ({damaged} fails its checksum). Download or copy it again")
    if any(name.endswith("/constants.pkl") for name in names):
        raise CheckpointError(f"{path}: a TorchScript program, not a checkpoint; it is not run. {_GET_IT}")
    if not any(name.endswith("/data.pkl") for name in names):
        packed = next((name for name in names if name.endswith((".pt", ".pth", ".ckpt"))), None)
        remedy = f"Unpack it and give the {packed} that is in it" if packed else _GET_IT
        raise CheckpointError(f"{path}: not a PyTorch checkpoint but a zip archive of other things. {remedy}")


def _refusal(path: Path, start: bytes, error: Exception, explain_names) -> CheckpointError:
    """Why torch could not load a file that begins like a checkpoint."""
    words = pickle_words(path)
    explanation = explain_names(words.strings)
    if explanation:
        return CheckpointError(f"{path}: {explanation}")
    strange = [name for name in words.globals if _is_strange(name)]
    if strange:
        return CheckpointError(
            f"{path}: refused, because it asks for more than weights: loading it would call {strange[0]}. Nothing was "
            "called. Get the checkpoint from its authors, or ask whoever made it to save the state_dict() alone"
        )
    if not start.startswith(b"PK") and _OLD_FORMAT_MAGIC not in start:
        what = "a Python pickle of something else" if words.strings else "some other binary file"
        return CheckpointError(f"{path}: not a PyTorch checkpoint but {what}. {_GET_IT}")
    return CheckpointError(
        f"{path}: truncated or damaged checkpoint ({path.stat().st_size:,} bytes; {type(error).__name__}). "
        "Download or copy it again"
    )


def _is_strange(name: str) -> bool:
    ordinary = name in _ORDINARY_GLOBALS or name.split(".")[0] in _ORDINARY_MODULES
    return not ordinary or name.startswith(_NETWORK_MODULES)


def _kind(start: bytes) -> str:
    """Name what a file is from its first bytes."""
    if not start:
        return "an empty file"
    for magic, name in _OTHER_FILES.items():
        if start.lstrip().startswith(magic):
            return name
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(start)  # which may end within a letter
    except UnicodeDecodeError:
        return "some other binary file"
    return (
        "a text file" if all(letter.isprintable() or letter.isspace() for letter in text) else "some other binary file"
    )
