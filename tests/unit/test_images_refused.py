"""Files that are no pictures, or no whole ones, are refused by name; nothing else is raised, run or printed."""

import contextlib
import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cliff_core import images
from cliff_core.errors import ImageError
from cliff_core.images import find_images, read_image, write_image

# pytest resets the filters that keep Pillow quiet; the test that runs its own interpreter holds them.
pytestmark = pytest.mark.filterwarnings("ignore:::PIL")


@pytest.mark.parametrize("side", [15_000, 30_000])
def test_more_than_two_hundred_megapixels_are_refused_by_name(tmp_path, side):
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", len(header)) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    (tmp_path / "vast.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + b"\x00\x00\x00\x00IDAT\x35\xaf\x06\x1e")
    with pytest.raises(ImageError, match=r"vast\.png: .*megapixels.*limit 200"):
        read_image(tmp_path / "vast.png")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".gif", ".bmp", ".jp2"])
def test_a_truncated_file_is_refused_by_name(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    whole = tmp_path / f"whole{suffix}"
    Image.fromarray(noise).save(whole)
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 3])
    with pytest.raises(ImageError, match=rf"cut\{suffix}: not a readable picture"):
        read_image(cut)


def test_a_truncated_jpeg_says_where_it_ends(tmp_path, corners):
    encoded = io.BytesIO()
    Image.fromarray(corners).resize((640, 480)).save(encoded, "JPEG")
    (tmp_path / "IMG_0412.jpg").write_bytes(encoded.getvalue()[:1204])
    with pytest.raises(ImageError, match=r"IMG_0412\.jpg: .*JPEG ends after 1,204 bytes.*replace the file"):
        read_image(tmp_path / "IMG_0412.jpg")


@pytest.mark.parametrize(
    "content", [b"", b"hello, I am no picture", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", bytes(5000)]
)
def test_what_is_no_picture_is_refused_by_name(tmp_path, content):
    (tmp_path / "note.jpg").write_bytes(content)
    with pytest.raises(ImageError, match=r"note\.jpg: not a readable picture"):
        read_image(tmp_path / "note.jpg")


def test_flipped_bytes_never_raise_anything_else(tmp_path, corners):
    rng = np.random.default_rng(1)
    for suffix in (".jpg", ".png", ".tif", ".gif", ".webp"):
        path = tmp_path / f"photo{suffix}"
        Image.fromarray(corners).save(path)
        healthy = np.frombuffer(path.read_bytes(), dtype=np.uint8)
        for _ in range(12):
            damaged = healthy.copy()
            damaged[rng.integers(0, len(damaged), 8)] = rng.integers(0, 256, 8)
            path.write_bytes(damaged.tobytes())
            with contextlib.suppress(ImageError):
                assert read_image(path).ndim == 3


def test_heic_is_refused_with_the_way_out(tmp_path):
    (tmp_path / "IMG_1.HEIC").write_bytes(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(100))
    with pytest.raises(ImageError, match=r"IMG_1\.HEIC: HEIC .*JPEG"):
        read_image(tmp_path / "IMG_1.HEIC")


def test_postscript_is_never_run(tmp_path):
    (tmp_path / "page.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EOF\n")
    with pytest.raises(ImageError, match="not a readable picture"):
        read_image(tmp_path / "page.jpg")


def test_folders_and_missing_files_are_named(tmp_path):
    with pytest.raises(ImageError, match="a folder, not a picture"):
        read_image(tmp_path)
    with pytest.raises(ImageError, match=r"gone\.jpg: no such file"):
        read_image(tmp_path / "gone.jpg")
    with pytest.raises(ImageError, match="gone: no such file or folder"):
        find_images(tmp_path / "gone")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a user whom permissions bind")
def test_a_file_without_permission_is_named(tmp_path, corners):
    path = tmp_path / "private.png"
    write_image(path, corners)
    path.chmod(0)
    with pytest.raises(ImageError, match=r"private\.png: may not be read"):
        read_image(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in the file system")
def test_a_pipe_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ImageError, match=r"pipe\.jpg: not a regular file"):
        read_image(tmp_path / "pipe.jpg")


def test_nothing_is_printed_about_odd_files(tmp_path, corners):
    Image.fromarray(corners).save(tmp_path / "plain.jpg")
    data = (tmp_path / "plain.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(data[:600])
    Image.fromarray(corners).save(tmp_path / "plain.tif", compression="tiff_lzw")
    (tmp_path / "cut.tif").write_bytes((tmp_path / "plain.tif").read_bytes()[:-40])
    Image.new("P", (4, 4)).save(tmp_path / "bytes.png", transparency=bytes([0] * 8))
    script = (
        "import sys\nfrom pathlib import Path\nfrom cliff_core.errors import ImageError\n"
        "from cliff_core.images import read_image\n"
        "for path in sorted(Path(sys.argv[1]).iterdir()):\n"
        "    try:\n        read_image(path)\n    except ImageError:\n        pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(images.__file__).parent.parent,
    )
    assert done.stdout == ""
    assert done.stderr == ""
