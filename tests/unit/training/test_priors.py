"""Imagined priors: wrong as predictions are, and only for people who have one."""

import numpy as np
import pytest
import torch

from cliff_core.geometry.rotations_torch import geodesic_deg
from cliff_core.models.open_cliff import OpenCliff, OpenCliffConfig
from cliff_core.synthetic.people import sample_people
from cliff_core.synthetic.poses import PoseBank
from cliff_core.training.labels import label_people
from cliff_core.training.priors import imagined_prior

COUNT = 300


@pytest.fixture(scope="module")
def imagined():
    model = OpenCliff(OpenCliffConfig(image_width=8, points_width=8, blocks=1))
    model.init_pose.copy_(torch.eye(3)[:, :2].repeat(24, 1, 1).reshape(1, 144))
    people = sample_people(np.random.default_rng(0), PoseBank(), model.body, COUNT, 1.2)
    labels = label_people(model.body, people)
    has_prior = torch.ones(COUNT, 1)
    has_prior[:50] = 0
    start = model.mean_body(labels.bbox_info)
    generator = torch.Generator().manual_seed(0)
    return start, labels, imagined_prior(model, people, labels, start, has_prior, generator)


def test_people_without_a_prior_keep_the_mean_body(imagined):
    start, _, prior = imagined
    torch.testing.assert_close(prior.rotmat[:50], start.rotmat[:50])
    torch.testing.assert_close(prior.cam_crop[:50], start.cam_crop[:50])


def test_a_prior_is_near_the_truth_but_not_on_it(imagined):
    _, labels, prior = imagined
    facing = geodesic_deg(prior.rotmat[50:, 0], labels.rotmat[50:, 0])
    limbs = geodesic_deg(prior.rotmat[50:, 1:], labels.rotmat[50:, 1:])
    assert 10 < facing.median() < 40
    assert (facing > 120).any()  # somebody's back was taken for the front
    assert 2 < limbs.median() < 30
    distance = (prior.projected - labels.projected)[50:].norm(dim=-1)
    assert 0.02 < distance.median() < 0.3  # crop units: on the person, some pixels off
