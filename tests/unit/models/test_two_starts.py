"""What is believed of two bodies that follow the same points."""

import pytest
import torch

from cliff_core.models.open_cliff import OpenCliff, OpenCliffConfig
from cliff_core.models.two_starts import believed

INFO = torch.zeros(3, 3)
ERROR = torch.full((3, 47), 1 / 128)


@pytest.fixture(scope="module")
def bodies():
    """A body for each of three people, and the same seen from behind."""
    model = OpenCliff(OpenCliffConfig(image_width=16, points_width=32, blocks=1)).eval()
    model.init_pose.copy_(torch.eye(3)[:, :2].repeat(24, 1, 1).reshape(1, 144))
    front = model.mean_body(INFO)
    state = front.state.turned(torch.diag(torch.tensor([-1.0, 1.0, -1.0])).expand(3, 3, 3))
    return front, model.posed(state, INFO)


def rotmat_of(pose_6d):
    return pose_6d.reshape(3, 24, 3, 2)


def test_the_body_that_explains_the_points_is_believed(bodies):
    front, back = bodies
    for true in bodies:
        pose, betas, cam_crop = believed(front, back, front, true.projected, ERROR)
        torch.testing.assert_close(rotmat_of(pose), true.rotmat[..., :2], atol=1e-3, rtol=0)
        torch.testing.assert_close((betas, cam_crop), (true.betas, true.cam_crop))


def test_where_points_say_nothing_what_the_image_says_decides(bodies):
    front, back = bodies
    missing = torch.full_like(ERROR, torch.inf)
    for seen in bodies:
        pose, _, _ = believed(front, back, seen, front.projected, missing)
        nearer, farther = (seen, back if seen is front else front)
        off = [(rotmat_of(pose) - each.rotmat[..., :2]).flatten(1).norm(dim=1) for each in (nearer, farther)]
        assert (off[0] < 0.5 * off[1]).all()


def test_each_person_has_their_own_share(bodies):
    front, back = bodies
    points = front.projected.clone()
    points[1] = back.projected[1]
    pose, _, _ = believed(front, back, front, points, ERROR)
    expected = front.rotmat.clone()
    expected[1] = back.rotmat[1]
    torch.testing.assert_close(rotmat_of(pose), expected[..., :2], atol=1e-3, rtol=0)
