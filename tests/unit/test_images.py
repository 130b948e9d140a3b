"""Pictures of every kind are made here, written by real encoders, and read back."""

import io
import os
import struct
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from cliff_core import images
from cliff_core.errors import ImageError
from cliff_core.images import find_images, read_header, read_image, write_image

# pytest resets the filters that keep Pillow quiet; the test that runs its own interpreter holds them.
pytestmark = pytest.mark.filterwarnings("ignore:::PIL")

ORIENTATION = 0x0112
# What each EXIF orientation asks for, in words of the standard: where row 0 and column 0 of the file belong.
FROM_UPRIGHT = {
    1: lambda upright: upright,
    2: np.fliplr,
    3: lambda upright: np.rot90(upright, 2),
    4: np.flipud,
    5: lambda upright: upright.transpose(1, 0, 2),
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: np.rot90(upright, 2).transpose(1, 0, 2),
    8: lambda upright: np.rot90(upright, -1),
}


def assert_close(actual, expected, tolerance):
    assert actual.dtype == np.uint8
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual.astype(int), expected.astype(int), atol=tolerance)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_every_exif_orientation_is_read_upright(tmp_path, corners, orientation, suffix):
    stored = Image.fromarray(np.ascontiguousarray(FROM_UPRIGHT[orientation](corners)))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = tmp_path / f"photo{suffix}"
    stored.save(path, exif=exif, **({"quality": 100} if suffix in (".jpg", ".webp") else {}))
    rgb = read_image(path)
    middles = np.s_[12::24, 16::32]  # away from the edges, where JPEG and WebP mix colours
    assert_close(rgb[middles], corners[middles], 8)
    assert rgb.flags.c_contiguous
    assert rgb.flags.writeable


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_the_header_says_the_upright_size_without_decoding(tmp_path, corners, orientation, suffix):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = tmp_path / f"photo{suffix}"
    Image.fromarray(np.ascontiguousarray(FROM_UPRIGHT[orientation](corners))).save(path, exif=exif)
    header = read_header(path)
    assert header.size_px == (64, 48)
    assert header.orientation == orientation


def test_the_header_of_what_is_no_picture_is_refused_like_the_picture(tmp_path):
    for name, content in (("empty.jpg", b""), ("text.png", b"no picture at all"), ("gone.jpg", None)):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(ImageError, match=name):
            read_header(tmp_path / name)


def test_a_damaged_exif_block_does_not_cost_the_photo(tmp_path, corners):
    plain = io.BytesIO()
    Image.fromarray(corners).save(plain, "JPEG", quality=100)
    junk = b"Exif\x00\x00II*\x00\xff\xff\xff\x7f" + b"\xff" * 20
    segment = b"\xff\xe1" + struct.pack(">H", len(junk) + 2) + junk
    path = tmp_path / "odd.jpg"
    path.write_bytes(plain.getvalue()[:2] + segment + plain.getvalue()[2:])
    assert read_image(path).shape == corners.shape


def test_grey_becomes_three_equal_channels(tmp_path):
    grey = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (20, 1))
    Image.fromarray(grey).save(tmp_path / "grey.png")
    assert_close(read_image(tmp_path / "grey.png"), np.repeat(grey[..., None], 3, axis=2), 0)


def test_black_and_white_is_read(tmp_path, corners):
    Image.fromarray(corners).convert("1", dither=Image.Dither.NONE).save(tmp_path / "fax.tif", compression="group4")
    assert set(np.unique(read_image(tmp_path / "fax.tif"))) == {0, 255}


def test_palette_colours_are_looked_up(tmp_path, corners):
    Image.fromarray(corners).quantize(8).save(tmp_path / "palette.png")
    assert_close(read_image(tmp_path / "palette.png"), corners, 4)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_parts_are_white(tmp_path, mode):
    if mode == "P":
        picture = Image.new("P", (4, 2), 0)
        picture.putpalette([10, 10, 10, 90, 90, 90])
        picture.putpixel((0, 0), 1)
        picture.save(tmp_path / "cutout.png", transparency=0)
        expected = np.array([90, 90, 90])
    else:
        picture = Image.new(mode, (4, 2), (0,) * len(Image.new(mode, (1, 1)).getbands()))
        picture.putpixel((0, 0), (100, 0, 0, 255) if mode == "RGBA" else (100, 255))
        picture.save(tmp_path / "cutout.png")
        expected = np.array([100, 0, 0] if mode == "RGBA" else [100, 100, 100])
    rgb = read_image(tmp_path / "cutout.png")
    np.testing.assert_array_equal(rgb[0, 0], expected)
    assert (rgb[:, 1:] == 255).all()


def test_half_transparent_is_half_way_to_white(tmp_path):
    Image.new("RGBA", (2, 2), (0, 100, 200, 128)).save(tmp_path / "half.webp", lossless=True)
    assert_close(read_image(tmp_path / "half.webp")[0, 0], np.array([127, 177, 227]), 1)


def test_cmyk_jpeg_keeps_its_colours(tmp_path, corners):
    Image.fromarray(corners).convert("CMYK").save(tmp_path / "print.jpg", quality=100, subsampling=0)
    middles = np.s_[12::24, 16::32]
    assert_close(read_image(tmp_path / "print.jpg")[middles], corners[middles], 6)


def test_ycck_jpeg_keeps_its_colours(tmp_path, corners):
    # YCCK is the YCbCr of the ink values, marked by the last byte of the Adobe segment; Pillow stores CMYK inverted.
    ycc = Image.fromarray(255 - corners).convert("YCbCr")
    inverted = [band.point(lambda value: 255 - value) for band in ycc.split()]
    inks = Image.merge("CMYK", [*inverted, Image.new("L", ycc.size)])
    encoded = io.BytesIO()
    inks.save(encoded, "JPEG", quality=100, subsampling=0)
    data = bytearray(encoded.getvalue())
    marker = data.index(b"Adobe")
    data[marker + 11] = 2
    (tmp_path / "ycck.jpg").write_bytes(data)
    with Image.open(tmp_path / "ycck.jpg") as picture:
        assert picture.info["adobe_transform"] == 2
    middles = np.s_[12::24, 16::32]
    assert_close(read_image(tmp_path / "ycck.jpg")[middles], corners[middles], 8)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_are_scaled_not_clipped(tmp_path, suffix, channels):
    ramp = np.tile(np.linspace(0, 65535, 256).astype(np.uint16), (4, 1))
    values = ramp if channels == 1 else np.stack([ramp, ramp[:, ::-1], ramp // 2], axis=-1)
    path = tmp_path / f"deep{suffix}"
    assert cv2.imwrite(str(path), values if channels == 1 else np.ascontiguousarray(values[..., ::-1]))
    expected = np.rint(values / 257.0).astype(np.uint8)
    assert_close(read_image(path), np.repeat(expected[..., None], 3, 2) if channels == 1 else expected, 1)


def test_sixteen_bit_pgm_is_scaled_by_its_own_maximum(tmp_path):
    values = np.array([[0, 511, 1023]], dtype=">u2")
    (tmp_path / "scan.pgm").write_bytes(b"P5 3 1 1023\n" + values.tobytes())
    assert_close(read_image(tmp_path / "scan.pgm")[..., 0], np.array([[0, 127, 255]]), 1)


def test_floating_point_pictures_are_refused_with_the_way_out(tmp_path):
    Image.fromarray(np.ones((4, 4), dtype=np.float32)).save(tmp_path / "depth.tif")
    with pytest.raises(ImageError, match=r"depth\.tif: .*8 or 16 bits"):
        read_image(tmp_path / "depth.tif")


def test_a_single_pixel_is_a_picture(tmp_path):
    write_image(tmp_path / "dot.png", np.full((1, 1, 3), 7, dtype=np.uint8))
    np.testing.assert_array_equal(read_image(tmp_path / "dot.png"), np.full((1, 1, 3), 7))


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp", ".tif"])
def test_the_first_frame_counts(tmp_path, suffix):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ((250, 0, 0), (0, 250, 0))]
    options = {"lossless": True} if suffix == ".webp" else {}
    frames[0].save(tmp_path / f"moving{suffix}", save_all=True, append_images=frames[1:], **options)
    assert_close(read_image(tmp_path / f"moving{suffix}")[0, 0], np.array([250, 0, 0]), 6)


@pytest.mark.slow
def test_a_hundred_megapixels_are_read(tmp_path):
    path = tmp_path / "huge.png"
    Image.new("L", (10_000, 10_000), 77).save(path, compress_level=1)
    rgb = read_image(path)
    assert rgb.shape == (10_000, 10_000, 3)
    assert (rgb[::999, ::999] == 77).all()


def test_pictures_are_found_by_suffix_in_order(tmp_path, corners):
    for name in ("b.JPG", "a/z.png", "a/c.tiff", "notes.txt", ".hidden/x.png", "._b.jpg", "a/phone.heic"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in find_images(tmp_path)]
    assert found == ["a/c.tiff", "a/phone.heic", "a/z.png", "b.JPG"]


def test_a_named_picture_is_taken_whatever_its_suffix(tmp_path):
    (tmp_path / "scan").touch()
    assert find_images(tmp_path / "scan") == [tmp_path / "scan"]


def test_an_empty_folder_has_no_pictures(tmp_path):
    assert find_images(tmp_path) == []


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".jpg", ".webp"])
@pytest.mark.parametrize("name", ["Übung an der Küste", "写真 (1)", "with space", "emoji 🏃"])
def test_any_name_can_be_written_and_read(tmp_path, corners, name, suffix):
    path = tmp_path / "new folder" / f"{name}{suffix}"
    write_image(path, corners)
    middles = np.s_[12::24, 16::32]
    assert_close(read_image(path)[middles], corners[middles], 8 if suffix in (".jpg", ".webp") else 0)
    assert [item.name for item in path.parent.iterdir()] == [path.name]


def test_a_failed_write_keeps_the_old_file(tmp_path, corners):
    path = tmp_path / "result.webp"
    write_image(path, corners)
    before = path.read_bytes()
    with pytest.raises(ImageError, match=r"result\.webp: cannot be written"):
        write_image(path, np.zeros((1, 20_000, 3), dtype=np.uint8))  # WebP ends at 16383
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["result.webp"]


def test_unknown_suffixes_and_other_arrays_are_refused(tmp_path, corners):
    with pytest.raises(ImageError, match=r"x\.xyz: .*\.png"):
        write_image(tmp_path / "x.xyz", corners)
    for wrong in (corners.astype(np.float32), corners[..., 0], np.zeros((0, 4, 3), dtype=np.uint8)):
        with pytest.raises(ImageError, match=r"x\.png: only"):
            write_image(tmp_path / "x.png", wrong)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path, corners):
    (tmp_path / "file").touch()
    with pytest.raises(ImageError, match=r"x\.png: cannot be written"):
        write_image(tmp_path / "file" / "x.png", corners)


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_is_that_of_the_upright_picture(tmp_path, corners, orientation, suffix):
    path = tmp_path / f"photo{suffix}"
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(corners).save(path, exif=exif)

    height, width = read_image(path).shape[:2]

    assert images.read_size(path) == (width, height)


def test_the_size_of_what_is_no_picture_is_refused(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"a\.jpg: not a readable picture"):
        images.read_size(tmp_path / "a.jpg")
    with pytest.raises(ImageError, match=r"b\.jpg: no such file"):
        images.read_size(tmp_path / "b.jpg")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
@pytest.mark.parametrize("read", [read_image, images.read_size, images.read_header])
def test_a_pipe_among_the_photos_is_refused_and_not_waited_for(tmp_path, read):
    os.mkfifo(tmp_path / "a.jpg")
    with pytest.raises(ImageError, match=r"a\.jpg: not a regular file"):
        read(tmp_path / "a.jpg")


@pytest.mark.skipif(sys.platform != "linux", reason="names are always text there")
def test_a_name_that_is_no_text_is_refused_by_name(tmp_path, corners):
    Image.fromarray(corners).save(tmp_path / "a.png")
    named = (tmp_path / "a.png").rename(tmp_path / os.fsdecode(b"bad\xff.png"))

    assert find_images(tmp_path) == [named]
    with pytest.raises(ImageError, match=r"bad\\xff\.png: its name is not UTF-8; rename it"):
        read_image(named)


def test_the_size_of_a_picture_within_another_file_is_read_in_place(tmp_path, corners):
    Image.fromarray(corners).save(tmp_path / "a.png")
    stream = io.BytesIO((tmp_path / "a.png").read_bytes())

    assert images.read_size(Path("archive.tar/a.png"), stream) == (64, 48)
    assert not stream.closed


def test_an_upright_jpeg_goes_into_archives_as_it_is(tmp_path, corners):
    path = tmp_path / "photo.jpg"
    Image.fromarray(corners).save(path, quality=60)

    assert images.upright_jpeg(path) == path.read_bytes()


@pytest.mark.parametrize(("name", "orientation"), [("photo.jpg", 6), ("photo.png", 1), ("photo.webp", 1)])
def test_any_other_picture_becomes_an_upright_jpeg(tmp_path, corners, name, orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(corners).save(tmp_path / name, exif=exif)

    (tmp_path / "again.jpg").write_bytes(images.upright_jpeg(tmp_path / name))

    with Image.open(tmp_path / "again.jpg") as image:
        assert ORIENTATION not in image.getexif()
    again, once = read_image(tmp_path / "again.jpg").astype(int), read_image(tmp_path / name).astype(int)
    assert again.shape == once.shape
    assert np.abs(again - once).mean() < 3
