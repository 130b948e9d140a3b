"""Crop units say the same as pixels of the full frame."""

import numpy as np
import torch

from cliff_core.geometry.camera import full_frame_translation, project
from cliff_core.geometry.crop import bbox_info
from cliff_core.geometry.crop_units import project_to_crop, projection_jacobian, to_crop_units

COUNT = 20


def _frames(rng):
    size = rng.uniform(400, 4000, (COUNT, 2))
    return {
        "centre_px": rng.uniform(0, 1, (COUNT, 2)) * size,
        "box_height_px": rng.uniform(50, 1500, COUNT),
        "focal_length_px": rng.uniform(500, 5000, COUNT),
        "image_size_px": size,
    }


def test_projection_in_crop_units_is_the_full_frame_projection():
    rng = np.random.default_rng(0)
    frames = _frames(rng)
    points = rng.normal(0, 0.5, (COUNT, 7, 3))
    cam_crop = np.column_stack([rng.uniform(0.4, 1.4, COUNT), rng.normal(0, 0.2, (COUNT, 2))])
    transl = full_frame_translation(cam_crop, **frames)
    pixels = project(points + transl[:, None], frames["focal_length_px"], frames["image_size_px"] / 2)
    expected = to_crop_units(pixels, frames["centre_px"], frames["box_height_px"])

    info = torch.from_numpy(bbox_info(**frames))
    seen = project_to_crop(torch.from_numpy(points), torch.from_numpy(cam_crop), info)

    np.testing.assert_allclose(seen.numpy(), expected, rtol=1e-7, atol=1e-7)


def test_a_negative_scale_still_projects_to_finite_points_with_finite_gradients():
    points = torch.zeros(1, 2, 3, requires_grad=True)
    cam_crop = torch.tensor([[-0.5, 0.0, 0.0]], requires_grad=True)
    seen = project_to_crop(points, cam_crop, torch.zeros(1, 3))
    seen.sum().backward()
    assert torch.isfinite(seen).all()
    assert torch.isfinite(points.grad).all()
    assert torch.isfinite(cam_crop.grad).all()


def test_the_jacobian_is_what_autograd_finds():
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(2, 3, 3, generator=generator, dtype=torch.float64) * 0.5
    cam_crop = torch.tensor([[0.9, 0.1, -0.2], [0.4, -0.3, 0.2]], dtype=torch.float64)
    info = torch.tensor([[0.3, -0.2, 1.0], [1.4, 0.7, 0.3]], dtype=torch.float64)
    by_point, by_camera = projection_jacobian(points, cam_crop, info)
    every_point = torch.autograd.functional.jacobian(lambda each: project_to_crop(each, cam_crop, info), points)
    every_camera = torch.autograd.functional.jacobian(lambda each: project_to_crop(points, each, info), cam_crop)
    for row in range(2):
        torch.testing.assert_close(by_camera[row], every_camera[row, :, :, row])
        for point in range(3):
            torch.testing.assert_close(by_point[row, point], every_point[row, point, :, row, point])
