"""Crops and bbox_info against the official code's arrays, and what it leaves undefined."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from cliff_core.errors import GeometryError
from cliff_core.geometry.crop import (
    OFFICIAL_CROP,
    CropSpec,
    bbox_info,
    crop_corners,
    crop_frame,
    crop_image,
    normalise,
)
from cliff_core.records import Camera

SMOOTH_CROP = CropSpec(256, 256, 1.2, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), True)


def corners_of(golden, case):
    return np.concatenate([golden[f"{case}_ul"], golden[f"{case}_br"]], axis=-1)


def test_the_400_official_boxes_give_the_official_frames_and_corners(golden_geom):
    centre, height = crop_frame(golden_geom["boxes"], OFFICIAL_CROP)

    # the official code adds the corners of float32 boxes in float32
    np.testing.assert_allclose(centre, golden_geom["boxes_center"], rtol=1e-7)
    np.testing.assert_allclose(height, 200 * golden_geom["boxes_scale"], rtol=1e-7)
    np.testing.assert_array_equal(crop_corners(centre, height, OFFICIAL_CROP), corners_of(golden_geom, "boxes"))


def test_corners_between_two_pixels_fall_as_in_the_official_affine():
    rng = np.random.default_rng(0)
    boxes = rng.integers(0, 2000, (2000, 2, 2)) / 2
    boxes = np.concatenate([boxes.min(axis=1), boxes.max(axis=1) + 1], axis=1)
    centre, height = crop_frame(boxes, OFFICIAL_CROP)

    def official(centre, height):
        size = height / (256 / 192), height
        affine = np.eye(3)
        for axis, pixels in enumerate((192, 256)):
            affine[axis, axis] = pixels / size[axis]
            affine[axis, 2] = pixels * (-centre[axis] / size[axis] + 0.5)
        return np.linalg.inv(affine) @ np.array([[0, 192], [0, 256], [1, 1]])

    expected = np.array([np.rint(official(c, h)[:2].T.ravel()) for c, h in zip(centre, height, strict=True)])
    np.testing.assert_array_equal(crop_corners(centre, height, OFFICIAL_CROP), expected)


@pytest.mark.parametrize("case", range(10))
def test_crops_are_the_official_crops(golden_geom, synthetic_photo, case):
    name = f"crop{case}"
    photo = synthetic_photo(*golden_geom[f"{name}_hw"])

    centre, height = crop_frame(golden_geom[f"{name}_bbox"][None], OFFICIAL_CROP)
    patch = crop_image(photo, centre[0], height[0], OFFICIAL_CROP)
    network_input = normalise(patch[None], OFFICIAL_CROP)[0]

    np.testing.assert_allclose(centre[0], golden_geom[f"{name}_center"], rtol=1e-7)
    np.testing.assert_allclose(height[0], 200 * golden_geom[f"{name}_scale"], rtol=1e-7)
    np.testing.assert_array_equal(crop_corners(centre, height, OFFICIAL_CROP)[0], corners_of(golden_geom, name))
    np.testing.assert_allclose(network_input[:, ::8, ::8], golden_geom[f"{name}_norm_sub8"], atol=2e-6)
    np.testing.assert_allclose(network_input.mean(axis=(1, 2)), golden_geom[f"{name}_norm_mean"], atol=2e-6)
    np.testing.assert_allclose(network_input.std(axis=(1, 2)), golden_geom[f"{name}_norm_std"], atol=2e-6)
    if f"{name}_crop_u8" in golden_geom:
        np.testing.assert_array_equal(np.rint(patch), golden_geom[f"{name}_crop_u8"])


def test_without_a_box_the_whole_photo_is_the_official_fallback(golden_geom, synthetic_photo):
    (centre,), (height,) = crop_frame(np.array([[0.0, 0, 640, 480]]), replace(OFFICIAL_CROP, rescale=1.0))
    patch = crop_image(synthetic_photo(480, 640), centre, height, OFFICIAL_CROP)

    np.testing.assert_array_equal(centre, golden_geom["fallback_center"])
    np.testing.assert_allclose(height, 200 * golden_geom["fallback_scale"], rtol=1e-15)
    np.testing.assert_array_equal(crop_corners(centre, height, OFFICIAL_CROP)[0], corners_of(golden_geom, "fallback"))
    np.testing.assert_allclose(
        normalise(patch[None], OFFICIAL_CROP)[0, :, ::8, ::8], golden_geom["fallback_norm_sub8"], atol=2e-6
    )


def test_detections_become_the_official_dataset_items(golden_geom, synthetic_photo):
    rgb = synthetic_photo(480, 640)[..., ::-1]  # the official data set read the array as BGR
    centre, height = crop_frame(golden_geom["item_det"][:, 1:5], OFFICIAL_CROP)
    size = np.tile([640, 480], (3, 1))
    patches = np.stack([crop_image(rgb, c, h, OFFICIAL_CROP) for c, h in zip(centre, height, strict=True)])
    focal = np.array([Camera.guess(each).focal_length_px for each in size])

    np.testing.assert_allclose(centre, golden_geom["item_center"], atol=1e-5)
    np.testing.assert_allclose(height, 200 * golden_geom["item_scale"].astype(float), rtol=1e-7)
    np.testing.assert_array_equal(focal, golden_geom["item_focal"])
    np.testing.assert_allclose(
        normalise(patches, OFFICIAL_CROP)[:, :, ::8, ::8], golden_geom["item_norm_sub8"], atol=2e-6
    )
    np.testing.assert_allclose(bbox_info(centre, height, focal, size), golden_geom["item_bbox_info"], atol=2e-6)


def test_bbox_info_is_the_official_one(golden_geom):
    size = np.stack([golden_geom["geo_W"], golden_geom["geo_H"]], axis=1)
    info = bbox_info(
        golden_geom["geo_center"], 200 * golden_geom["geo_scale"].astype(float), golden_geom["geo_focal"], size
    )

    np.testing.assert_allclose(info, golden_geom["geo_bbox_info"], rtol=2e-6, atol=2e-6)  # golden is float32


@pytest.mark.parametrize("box", [(5, 5, 5, 5), (9, 0, 3, 8), (0, 9, 8, 3), (0, 0, np.nan, 5), (0, 0, np.inf, 5)])
def test_a_box_that_spans_nothing_is_named(box):
    with pytest.raises(GeometryError, match=r"box 1 .* has no area"):
        crop_frame([(0, 0, 10, 10), box], OFFICIAL_CROP)


@pytest.mark.parametrize("height", [0.0, -3.0, np.nan, np.inf])
def test_a_crop_without_height_is_an_error(height):
    with pytest.raises(GeometryError):
        crop_image(np.zeros((10, 10, 3), np.uint8), (5, 5), height, OFFICIAL_CROP)


def test_a_focal_length_of_zero_is_an_error():
    with pytest.raises(GeometryError, match="focal length 0 px"):
        bbox_info([[5, 5]], [10], [0], [[10, 10]])


@pytest.mark.parametrize("spec", [OFFICIAL_CROP, SMOOTH_CROP])
@pytest.mark.parametrize("centre", [(-500, 50), (700, 50), (50, -500), (1e6, 1e6)])
def test_a_crop_outside_the_photo_is_black(centre, spec):
    patch = crop_image(np.full((100, 120, 3), 255, np.uint8), centre, 200, spec)

    assert patch.shape == (256, spec.width_px, 3)
    assert not patch.any()


def test_a_crop_below_one_pixel_still_shows_that_pixel():
    rgb = np.zeros((10, 10, 3), np.uint8)
    rgb[4, 6] = (10, 20, 30)

    patch = crop_image(rgb, (6.2, 4.2), 0.1, OFFICIAL_CROP)

    np.testing.assert_array_equal(patch, np.broadcast_to([10, 20, 30], patch.shape))


def test_large_patches_are_sampled_as_opencv_would_resize_them():
    rgb = np.random.default_rng(0).integers(0, 256, (3000, 2000, 3), dtype=np.uint8)
    centre, height = (600.0, 1400.0), 3100.0
    left, top, right, bottom = crop_corners(centre, height, OFFICIAL_CROP)[0]
    patch = np.zeros((bottom - top, right - left, 3), np.float32)
    patch[-top if top < 0 else 0 :, -left:] = rgb[max(top, 0) : bottom, :right]

    expected = cv2.resize(patch, (192, 256))

    # OpenCV rounds sample positions to float32: 2**-13 px between neighbours that differ by up to 255
    np.testing.assert_allclose(crop_image(rgb, centre, height, OFFICIAL_CROP), expected, atol=0.05)


@pytest.mark.parametrize("spec", [OFFICIAL_CROP, SMOOTH_CROP])
def test_an_absurdly_large_box_needs_no_memory(spec):
    patch = crop_image(np.full((400, 300, 3), 200, np.uint8), (150, 200), 2e8, spec)

    assert patch.shape == (256, spec.width_px, 3)


def test_antialias_keeps_fine_stripes_grey_where_the_official_crop_aliases():
    stripes = np.zeros((2048, 2048, 3), np.uint8)
    stripes[:, ::2] = 255  # 8x smaller than one output pixel
    stripes[1::2] = 255 - stripes[1::2]
    plain = CropSpec(256, 256, 1.0, (0, 0, 0), (1, 1, 1), False)
    smooth = CropSpec(256, 256, 1.0, (0, 0, 0), (1, 1, 1), True)
    wavy = (127.5 + 127.5 * np.sin(np.arange(2048) * 2 * np.pi / 8.3))[None, :, None]
    wavy = np.broadcast_to(wavy, (2048, 2048, 3)).astype(np.uint8)  # aliases to a slow wave

    # the middle only: at the rim the window also sees the black outside
    smooth_spread = crop_image(wavy, (1024, 1024), 2048, smooth)[16:-16, 16:-16].std()
    plain_spread = crop_image(wavy, (1024, 1024), 2048, plain)[16:-16, 16:-16].std()
    checker = crop_image(stripes, (1024, 1024), 2048, smooth)[16:-16, 16:-16]

    assert plain_spread > 60
    assert smooth_spread < plain_spread / 6
    assert np.abs(checker - 127.5).max() < 8


def test_antialias_moves_nothing():
    y, x = np.mgrid[:1600, :1200]
    ramp = np.stack([x / 1200 * 255, y / 1600 * 255, (x + y) / 2800 * 255], axis=-1).astype(np.uint8)
    plain = CropSpec(256, 192, 1.0, (0, 0, 0), (1, 1, 1), False)
    smooth = CropSpec(256, 192, 1.0, (0, 0, 0), (1, 1, 1), True)

    difference = crop_image(ramp, (600.3, 800.4), 1400, smooth) - crop_image(ramp, (600.3, 800.4), 1400, plain)

    assert np.abs(difference).max() <= 1.0  # both are rounded to uint8 once
    assert np.abs(difference.mean(axis=(0, 1))).max() < 0.05


def test_antialias_changes_nothing_when_enlarging(synthetic_photo):
    photo = synthetic_photo(200, 200)
    plain = CropSpec(256, 192, 1.1, (0, 0, 0), (1, 1, 1), False)
    smooth = CropSpec(256, 192, 1.1, (0, 0, 0), (1, 1, 1), True)

    np.testing.assert_array_equal(crop_image(photo, (90, 80), 150, plain), crop_image(photo, (90, 80), 150, smooth))
