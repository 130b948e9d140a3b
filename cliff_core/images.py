"""Pictures in and out: whatever a camera, a phone, a scanner or the web wrote becomes upright 8-bit RGB.

Every other module sees photos only as `(H, W, 3)` uint8 arrays in the orientation a person sees. Pillow decodes, and
its messages about odd files stay off the console: what matters of them is in the `ImageError`. Importing this module
sets two things in Pillow for the whole process, the size limit and the silence.
"""

from __future__ import annotations

import contextlib
import io
import os
import uuid
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from cliff_core.errors import ImageError
from cliff_core.records import Camera

MAX_PIXELS = 200_000_000
"""Larger pictures are refused by name; decoding one at the limit takes about 1.5 GB of memory for a moment."""

# Pillow takes a picture above its limit for an attack and one above twice its limit for a certain one.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.filterwarnings("ignore", module=r"PIL\.")

# Named one by one: Pillow knows formats (EPS) that it opens by running another program.
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000", "AVIF")
_READABLE_SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .mpo .png .webp .tif .tiff .bmp .gif .ppm .pgm .pbm .pnm .jp2 .avif".split()
)
_HEIC_SUFFIXES = frozenset({".heic", ".heif"})  # found, so that reading can refuse them by name
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})

# 4:4:4 keeps thin coloured lines (drawn keypoints) sharp; level 3 is nearly as small as 6 and three times faster.
_WRITERS: dict[str, tuple[str, dict]] = {
    ".jpg": ("JPEG", {"quality": 92, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 92, "subsampling": 0}),
    ".png": ("PNG", {"compress_level": 3}),
    ".webp": ("WEBP", {"quality": 90}),
    ".tif": ("TIFF", {"compression": "tiff_deflate"}),
    ".tiff": ("TIFF", {"compression": "tiff_deflate"}),
    ".bmp": ("BMP", {}),
}

_ORIENTATION_TAG = 0x0112
_EXIF_WIDTH_TAG, _EXIF_HEIGHT_TAG = 0xA002, 0xA003
_SAME_SHAPE = 0.02
_SHORTEST_MM, _LONGEST_MM = 4.0, 3000.0  # lenses that there are, as if for a frame of 36 x 24 mm
_BITS_PER_SAMPLE_TAG = 258
_STRIP_PIXELS = 4_000_000
_REPLACE = "replace the file and run again"

_Content = TypeVar("_Content")


def read_image(path: Path) -> np.ndarray:
    """Read a picture as a person sees it.

    EXIF orientation is applied (all eight, mirrored ones too). Grey, palette, CMYK and YCCK become RGB; 16 bits per
    channel are scaled to 8, not clipped; transparency is laid on white, as a browser shows it, so that a cut-out
    person keeps a plain surrounding. Of several frames or pages the first is read. Colour profiles are ignored.

    Args:
        path: a file.

    Returns:
        (H, W, 3) uint8 RGB, writable and contiguous.

    Raises:
        ImageError: missing, unreadable, empty, damaged, truncated, not a picture, HEIC, or above `MAX_PIXELS`.
    """
    return _from_file(path, _decode)


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What a picture's first bytes say.

    Attributes:
        size_px: width, height, upright.
        orientation: EXIF, 1..8; 1 where there is none.
        focal_35mm: EXIF's focal length for a frame of 36 x 24 mm, millimetres; `None` where there is none, and where
            the picture was cropped since.
    """

    size_px: tuple[int, int]
    orientation: int
    focal_35mm: float | None = None


def read_header(path: Path) -> ImageHeader:
    """Size and orientation of a picture without decoding it; damage further on is found by `read_image` alone.

    Raises:
        ImageError: as `read_image`.
    """
    return _from_file(path, _header)


def known_camera(path: Path) -> Camera | None:
    """The camera that a picture's own notes (EXIF) tell; `None` where they do not.

    Raises:
        ImageError: as `read_image`.
    """
    header = read_header(path)
    return None if header.focal_35mm is None else Camera.of_35mm(header.focal_35mm, header.size_px)


def _from_file(path: Path, use: Callable[[BinaryIO, Path, int], _Content]) -> _Content:
    """Open a picture for `use(stream, path, size_bytes)`, and turn whatever it raises into an error with a remedy."""
    path = Path(path)
    if not is_text(path):
        raise ImageError(f"{os.fsencode(path).decode(errors='backslashreplace')}: its name is not UTF-8; rename it")
    if path.is_dir():
        if not os.access(path, os.R_OK):
            raise ImageError(f"{path}: the folder may not be read; change its permissions and run again")
        raise ImageError(f"{path}: a folder, not a picture; name a picture in it")
    try:
        size_bytes = path.stat().st_size
        if not path.is_file():  # a pipe or device would block
            raise ImageError(f"{path}: not a regular file; name a picture")
        with path.open("rb") as stream:
            return use(stream, path, size_bytes)
    except ImageError:
        raise
    except FileNotFoundError:
        raise ImageError(f"{path}: no such file; check the name") from None
    except PermissionError:
        raise ImageError(f"{path}: may not be read (permission denied); change its permissions and run again") from None
    except MemoryError:
        raise ImageError(f"{path}: not enough memory to decode it; make it smaller or close other programs") from None
    except Exception as error:  # decoders raise whatever they like on damaged bytes
        raise ImageError(f"{path}: not a readable picture ({_reason(error, path)}); {_REPLACE}") from error


def is_text(path: Path) -> bool:
    """Whether a path can be written into a file of annotations: Linux also allows names that are no UTF-8."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def read_size(path: Path, stream: BinaryIO | None = None) -> tuple[int, int]:
    """Width and height of a picture as `read_image` would give it, from its header alone.

    Args:
        path: of the file.
        stream: where the picture is, if not in a file of its own; `path` then only names it.

    Raises:
        ImageError: missing, not a picture, or its header is damaged.
    """
    if stream is None:
        return read_header(path).size_px
    try:
        return _header(stream, path, stream.seek(0, io.SEEK_END)).size_px
    except ImageError:
        raise
    except Exception as error:  # decoders raise whatever they like on damaged bytes
        raise ImageError(f"{path}: not a readable picture ({_reason(error, path)}); {_REPLACE}") from error


def upright_jpeg(path: Path) -> bytes:
    """A picture as the bytes of a JPEG that every reader shows upright, for archives of photos.

    Returns:
        The file's own bytes where it is such a JPEG, so that nothing is lost; else a new one of high quality.

    Raises:
        ImageError: as `read_image`.
    """
    rgb = read_image(path)
    with Image.open(path, formats=_FORMATS) as image:
        if image.format == "JPEG" and image.mode == "RGB" and _orientation(image) == 1:
            return Path(path).read_bytes()
    encoded = io.BytesIO()
    Image.fromarray(rgb).save(encoded, format="JPEG", quality=95, subsampling=0)
    return encoded.getvalue()


def find_images(path: Path) -> list[Path]:
    """The pictures a person means by a path.

    Folders are searched with all folders below them, without following links and without hidden entries. What is found
    but cannot be read later (HEIC files, folders without permission) is listed too: `read_image` then refuses it by
    name, and nothing is left out silently.

    Args:
        path: a picture (returned as it is, whatever its suffix) or a folder.

    Returns:
        Paths sorted by their path below the folder; empty for a folder without pictures.

    Raises:
        ImageError: nothing is there.
    """
    path = Path(path)
    if not path.exists():
        raise ImageError(f"{path}: no such file or folder; check the name")
    if not path.is_dir():
        return [path]
    found: list[Path] = []

    def list_closed_folder(error: OSError) -> None:
        found.append(Path(error.filename))

    for folder, subfolders, names in os.walk(path, onerror=list_closed_folder):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        pictures = (name for name in names if not name.startswith("."))  # "._x.jpg" is a macOS side file
        found += [Path(folder, name) for name in pictures if _is_known_suffix(name)]
    return sorted(found, key=lambda item: item.relative_to(path).as_posix())


def write_image(path: Path, rgb: np.ndarray) -> None:
    """Write a picture in the format of its suffix; the file is complete or not there at all.

    Args:
        path: .jpg, .png, .webp, .tif or .bmp; its folder is made if needed, an existing file is replaced.
        rgb: (H, W, 3) uint8.

    Raises:
        ImageError: an unknown suffix, another array, or a place that cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in _WRITERS:
        raise ImageError(f"{path}: cannot write this kind of picture; use one of {', '.join(sorted(_WRITERS))}")
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.size == 0:
        raise ImageError(f"{path}: only (H, W, 3) uint8 arrays can be written; got {rgb.shape} {rgb.dtype}")
    file_format, options = _WRITERS[path.suffix.lower()]
    unfinished = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("xb") as stream:
            Image.fromarray(np.ascontiguousarray(rgb)).save(stream, format=file_format, **options)
        unfinished.replace(path)
    except (OSError, ValueError) as error:  # ValueError: the format's own size limit, as WebP's 16383
        with contextlib.suppress(OSError):
            unfinished.unlink()
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{path}: cannot be written ({reason}); free the place or choose another one") from error


def _is_known_suffix(name: str) -> bool:
    suffix = Path(name).suffix.lower()
    return suffix in _READABLE_SUFFIXES or suffix in _HEIC_SUFFIXES


def _opened(stream: BinaryIO, path: Path, size_bytes: int) -> Image.Image:
    """The picture before it is decoded, if it is one that can be."""
    if size_bytes == 0:
        raise ImageError(f"{path}: not a readable picture (the file is empty); {_REPLACE}")
    try:
        image = Image.open(stream, formats=_FORMATS)
    except Image.DecompressionBombError:
        raise _too_large(path, f"more than {2 * MAX_PIXELS / 1e6:.0f}") from None
    except UnidentifiedImageError:
        raise _unidentified(stream, path) from None
    if image.width * image.height > MAX_PIXELS:
        raise _too_large(path, f"{image.width} x {image.height} = {image.width * image.height / 1e6:.0f}")
    return image


def _header(stream: BinaryIO, path: Path, size_bytes: int) -> ImageHeader:
    with _opened(stream, path, size_bytes) as image:
        orientation = _orientation(image)
        width, height = image.size
        turned = orientation >= 5 and not isinstance(image, TiffImageFile)  # Pillow turns TIFF's size by itself
        size_px = (height, width) if turned else (width, height)
        return ImageHeader(size_px, orientation, _focal_35mm(image))


def _decode(stream: BinaryIO, path: Path, size_bytes: int) -> np.ndarray:
    with _opened(stream, path, size_bytes) as image:
        try:
            image.load()
        except OSError as error:
            if "truncated" not in str(error):
                raise
            reason = f"{image.format} ends after {size_bytes:,} bytes"
            raise ImageError(f"{path}: not a readable picture ({reason}); {_REPLACE}") from error
        return _upright_rgb(image, path)


def _too_large(path: Path, size: str) -> ImageError:
    return ImageError(f"{path}: {size} megapixels are too many (limit {MAX_PIXELS / 1e6:.0f}); make it smaller")


def _unidentified(stream, path: Path) -> ImageError:
    stream.seek(0)
    head = stream.read(12)
    if head[4:8] == b"ftyp" and head[8:12] in _HEIC_BRANDS:
        return ImageError(f"{path}: HEIC pictures are not supported; save it as JPEG or PNG and run again")
    known = "JPEG, PNG, WebP, TIFF, BMP, GIF, PNM, JPEG 2000 or AVIF"
    return ImageError(f"{path}: not a readable picture (neither {known}); {_REPLACE}")


def _reason(error: Exception, path: Path) -> str:
    """What a decoder said, in one line without the path that stands before it anyway."""
    text = " ".join(str(error).replace(repr(str(path)), "the file").split())
    return text or type(error).__name__


def _upright_rgb(image: Image.Image, path: Path) -> np.ndarray:
    """Convert a loaded picture strip by strip, so that only one full copy is made of it."""
    convert = _strip_converter(image, path)
    orientation = _orientation(image)
    width, height = image.size
    upright = np.empty((width, height, 3) if orientation >= 5 else (height, width, 3), dtype=np.uint8)
    stored = _as_stored(upright, orientation)
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        whole = bottom - top == height
        stored[top:bottom] = convert(image if whole else image.crop((0, top, width, bottom)))
    return upright


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1..8; 1 where there is none, nonsense, or an unreadable EXIF block around a good picture."""
    try:
        value = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # a damaged EXIF block raises whatever its bytes lead to
        return 1
    return value if value in range(1, 9) else 1


def _focal_35mm(image: Image.Image) -> float | None:
    """EXIF's focal length for a frame of 36 x 24 mm; `None` where the picture has another shape than EXIF says."""
    try:
        notes = image.getexif().get_ifd(ExifTags.IFD.Exif)
        focal = float(notes.get(ExifTags.Base.FocalLengthIn35mmFilm, 0))
        taken = sorted(float(notes.get(tag, 0)) for tag in (_EXIF_WIDTH_TAG, _EXIF_HEIGHT_TAG))
    except Exception:  # a damaged EXIF block raises whatever its bytes lead to
        return None
    shape = max(image.size) / min(image.size)
    is_cropped = taken[0] > 0 and abs(taken[1] / taken[0] / shape - 1) > _SAME_SHAPE
    return focal if _SHORTEST_MM <= focal <= _LONGEST_MM and not is_cropped else None


def _as_stored(upright: np.ndarray, orientation: int) -> np.ndarray:
    """View of the upright array with rows and columns in the file's order."""
    return {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: a.swapaxes(0, 1)[::-1],
        7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
        8: lambda a: a.swapaxes(0, 1)[:, ::-1],
    }[orientation](upright)


def _strip_converter(image: Image.Image, path: Path):
    """The function that turns a strip of this picture into (h, w, 3) uint8."""
    if image.mode.startswith("I;16"):
        return _scaled_grey(_full_scale(image))
    if image.mode == "I" and image.format in ("PPM", "PNG"):  # Pillow brings these to 16 bits
        return _scaled_grey(65535)
    if image.mode in ("I", "F"):
        raise ImageError(f"{path}: holds 32-bit values of unknown range; save it with 8 or 16 bits and run again")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        return _on_white
    return lambda strip: np.asarray(strip if strip.mode == "RGB" else strip.convert("RGB"))


def _full_scale(image: Image.Image) -> int:
    """The value of white in a 16-bit container; TIFF may say that fewer bits are used."""
    if isinstance(image, TiffImageFile):
        return 2 ** int(image.tag_v2.get(_BITS_PER_SAMPLE_TAG, (16,))[0]) - 1
    return 65535


def _scaled_grey(white: int):
    def convert(strip: Image.Image) -> np.ndarray:
        values = np.asarray(strip).astype(np.uint32)
        grey = np.minimum((values * 255 + white // 2) // white, 255).astype(np.uint8)
        return grey[..., None]

    return convert


def _on_white(strip: Image.Image) -> np.ndarray:
    rgba = np.asarray(strip.convert("RGBA")).astype(np.uint16)
    colour, alpha = rgba[..., :3], rgba[..., 3:]
    return (colour * alpha + 255 * (255 - alpha) + 127) // 255
