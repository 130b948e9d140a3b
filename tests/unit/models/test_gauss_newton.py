"""The step that the follower of points is shown: towards the points, by what is known of them, each person alone."""

import numpy as np
import pytest
import torch

from cliff_core.body import load_body
from cliff_core.body.torch_body import TorchBody
from cliff_core.geometry.crop_units import project_to_crop
from cliff_core.geometry.rotations_torch import rot6d_to_rotmat, rotmat_to_rot6d, rotvec_to_rotmat
from cliff_core.models.gauss_newton import GaussNewton
from cliff_core.synthetic.people import sample_people
from cliff_core.synthetic.poses import PoseBank
from cliff_core.training.labels import label_people

COUNT = 12


class People:
    """People whose points are known, as they are and as somebody nearly knows them."""

    def __init__(self):
        self.body = TorchBody(load_body())
        drawn = label_people(self.body, sample_people(np.random.default_rng(0), PoseBank(), self.body, COUNT, 1.2))
        self.info = drawn.bbox_info
        self.true = drawn.rotmat, drawn.betas, torch.tensor([[0.9, 0.05, -0.05]]).repeat(COUNT, 1)
        off = rotvec_to_rotmat(torch.randn(COUNT, 24, 3, generator=torch.Generator().manual_seed(0)) * 0.1)
        self.near = self.true[0] @ off, self.true[1] + 0.5, self.true[2] + torch.tensor([0.02, 0.02, -0.02])
        self.observed = self.projected(self.true)
        self.step = GaussNewton(self.body)
        self.exact = torch.zeros(COUNT, 47)

    def projected(self, state):
        return project_to_crop(self.body(*state[:2]).points(), state[2], self.info)

    def change(self, state, error, observed, rows=slice(None)):
        rotmat, betas, cam_crop = state
        body, residual = self.body(rotmat, betas), observed - self.projected(state)
        known = residual, error, body.points(), rotmat, body.rotations, cam_crop, self.info
        return self.step(*(each[rows] for each in known))

    def misses(self, state, change=None):
        """(COUNT,) mean distance from the points, crop units, before or after a step."""
        if change is not None:
            pose = rotmat_to_rot6d(state[0]).flatten(1) + change[0]
            state = rot6d_to_rotmat(pose.unflatten(1, (24, 6))), state[1] + change[1], state[2] + change[2]
        return (self.projected(state) - self.observed).norm(dim=-1).mean(1)


@pytest.fixture(scope="module")
def people():
    return People()


def test_one_step_takes_bodies_most_of_the_way_to_exact_points(people):
    change = people.change(people.near, people.exact, people.observed)
    before, after = people.misses(people.near), people.misses(people.near, change)
    assert before.min() > 0.05
    assert (after < 0.4 * before).all()
    assert after.mean() < 0.25 * before.mean()


def test_points_that_are_known_less_exactly_pull_less(people):
    exact = people.change(people.near, people.exact, people.observed)
    vague = people.change(people.near, torch.full((COUNT, 47), 0.3), people.observed)
    assert (vague[0].norm(dim=1) < 0.5 * exact[0].norm(dim=1)).all()


def test_a_body_that_fits_is_not_torn_off_by_one_wrong_point(people):
    observed = people.observed.clone()
    observed[:, 9] += 0.4  # a wrist, by a fifth of the crop
    change = people.change(people.true, people.exact, observed)
    assert (people.misses(people.true, change) < 0.02).all()


def test_without_points_nothing_changes(people):
    error = people.exact.clone()
    error[3] = torch.inf
    change = people.change(people.near, error, people.observed)
    assert all((each[3] == 0).all() and (each[4] != 0).any() for each in change)


def test_everybody_steps_as_if_alone_even_beside_somebody_who_is_no_number(people):
    observed = people.observed.clone()
    observed[5] = torch.nan
    together = people.change(people.near, people.exact, observed)
    assert all((each[5] == 0).all() for each in together)
    for row in (0, 11):
        alone = people.change(people.near, people.exact, observed, slice(row, row + 1))
        for one, many in zip(alone, together, strict=True):
            torch.testing.assert_close(one[0], many[row], atol=1e-5, rtol=0)
