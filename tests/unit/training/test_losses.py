"""Losses: zero where they should be, bounded where they must be."""

import torch

from cliff_core.training.losses import positive_scale_loss, reprojection_loss


def test_the_reprojection_loss_of_a_perfect_fit_is_zero():
    points = torch.rand(2, 5, 2)
    assert reprojection_loss(points, points).abs().max() == 0


def test_an_absurd_point_pulls_no_harder_than_a_far_one():
    target = torch.zeros(1, 1, 2)
    far, absurd = (reprojection_loss(torch.full((1, 1, 2), distance), target) for distance in (3.0, 1e6))
    torch.testing.assert_close(far, absurd)


def test_points_count_by_their_confidence_and_missing_ones_not_at_all():
    predicted = torch.tensor([[[0.5, 0.0], [9.0, 9.0]]])
    target = torch.zeros(1, 2, 2)
    one = reprojection_loss(predicted[:, :1], target[:, :1])
    torch.testing.assert_close(reprojection_loss(predicted, target, torch.tensor([[1.0, 0.0]])), one)
    assert reprojection_loss(predicted, target, torch.zeros(1, 2)).item() == 0


def test_a_body_behind_the_camera_is_pulled_to_the_front_without_exploding():
    scale = torch.tensor([[-3.0, 0, 0], [0.9, 0, 0]], requires_grad=True)
    loss = positive_scale_loss(scale)
    loss.backward()
    assert torch.isfinite(loss)
    assert scale.grad[0, 0] < 0
    assert scale.grad[1, 0].abs() < 1e-5
