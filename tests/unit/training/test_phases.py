"""Whom the last phase of pretraining draws."""

import numpy as np
import pytest
import torch

from cliff_core.body import load_body
from cliff_core.body.torch_body import TorchBody
from cliff_core.models.open_cliff import BodyState
from cliff_core.synthetic.people import sample_people
from cliff_core.synthetic.poses import PoseBank
from cliff_core.training.labels import label_people
from cliff_core.training.phases import Remembered

COUNT, LOOKED_AT = 40, 10


@pytest.fixture(scope="module")
def remembered():
    body = TorchBody(load_body())
    labels = label_people(body, sample_people(np.random.default_rng(0), PoseBank(), body, COUNT, 1.2))
    doubt = np.ones(COUNT)
    doubt[[3, 25]] = 9.0
    return Remembered(labels, BodyState.of(torch.zeros(COUNT, 157)), torch.zeros(COUNT, 47, 3), LOOKED_AT, doubt)


def test_half_are_people_whom_the_detector_has_looked_at(remembered):
    rows = remembered.draw(np.random.default_rng(0), 30)
    assert (rows < LOOKED_AT).sum() == 15
    assert (np.diff(rows) >= 0).all()


def test_those_whom_the_first_regressor_gets_wrong_come_more_often(remembered):
    rows = remembered.draw(np.random.default_rng(0), 8_000)
    often = np.bincount(rows, minlength=COUNT)
    assert often[3] > 5 * np.median(often[:LOOKED_AT])
    assert often[25] > 5 * np.median(often[LOOKED_AT:])
    assert (often > 0).all()
