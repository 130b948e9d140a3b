"""Following points: what the ray through a crop has to do with a person's orientation."""

import torch

from cliff_core.models.open_cliff import BodyState, turn_to_ray

INFO = torch.tensor([[0.0, 0.0, 1.0], [1.4, -0.7, 0.3], [-2.0, 1.0, 2.0]])


def test_the_axis_turns_to_the_ray_through_the_crop():
    turn = turn_to_ray(INFO)
    ray = torch.cat([INFO[:, :2] / 2.8, torch.ones(3, 1)], 1)
    torch.testing.assert_close(turn[:, :, 2], ray / ray.norm(dim=1, keepdim=True))
    torch.testing.assert_close(turn @ turn.mT, torch.eye(3).expand(3, 3, 3), atol=1e-6, rtol=0)
    torch.testing.assert_close(torch.linalg.det(turn), torch.ones(3))
    torch.testing.assert_close(turn[0], torch.eye(3))


def test_a_state_turns_its_orientation_only_and_back():
    torch.manual_seed(0)
    state = BodyState(torch.randn(3, 144), torch.randn(3, 10), torch.randn(3, 3))
    turn = turn_to_ray(INFO)
    turned = state.turned(turn)
    columns = state.pose_6d[:, :6].reshape(3, 3, 2)
    torch.testing.assert_close(turned.pose_6d[:, :6].reshape(3, 3, 2), turn @ columns)
    torch.testing.assert_close(turned.pose_6d[:, 6:], state.pose_6d[:, 6:])
    torch.testing.assert_close(turned.turned(turn.mT).flat(), state.flat(), atol=1e-6, rtol=0)
