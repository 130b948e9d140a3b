"""What people without points learn from those who have some."""

import numpy as np
import pytest
import torch

from cliff_core.body import load_body
from cliff_core.body.torch_body import TorchBody
from cliff_core.execution.rows import Workspace
from cliff_core.inference import Crops
from cliff_core.models.open_cliff import FEATURE_SIZE, OpenCliff, OpenCliffConfig
from cliff_core.records import Box, Camera
from cliff_core.training.teaching import Teaching

COUNT, SIZE = 96, (640, 480)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    made = OpenCliff(OpenCliffConfig(image_width=64, points_width=32, blocks=1, dropout=0.0, image_dropout=0.0)).eval()
    made.init_pose.copy_(torch.diag(torch.tensor([1.0, -1.0, -1.0]))[:, :2].repeat(24, 1, 1).reshape(1, 144))
    return made


@pytest.fixture(scope="module")
def body():
    return TorchBody(load_body())


def crops(told_by_features):
    """People whose points say whether they are wide or narrow; their features say so too, or nothing."""
    generator = torch.Generator().manual_seed(1)
    wide = torch.rand(COUNT, generator=generator) < 0.5
    points = torch.zeros(COUNT, 47, 3)
    points[:, 23:] = torch.tensor([0.1, 0.2, 1.0]) * torch.rand(COUNT, 24, 3, generator=generator)
    points[..., 0] += torch.where(wide, 0.6, -0.6)[:, None] * torch.linspace(-1, 1, 47)
    points[:, :23], points[:, 23:, 2] = 0, 1
    features = torch.randn(COUNT, FEATURE_SIZE, generator=generator)
    if told_by_features:
        features[:, :200] = torch.where(wide, 3.0, -3.0)[:, None]
    box, centre = Box(270, 140, 370, 340), np.tile([320.0, 240.0], (COUNT, 1))
    cameras = (Camera.guess(SIZE),) * COUNT
    made = Crops((box,) * COUNT, cameras, (None,) * COUNT, centre, np.full(COUNT, 240.0), torch.zeros(COUNT, 3),
                 points, torch.ones(COUNT, dtype=torch.bool), features)  # fmt: skip
    return made.with_cameras(cameras)


def teach(model, body, told_by_features=True, supervised=COUNT, work=None, heard=None):
    def progress(done, total, text):
        if heard is not None:
            heard.append(done)

    teaching = Teaching(body, crops(told_by_features), 0, progress, lambda: False)
    return teaching.teach(model, torch.arange(COUNT) < supervised, work or Workspace())


def weights_of(part):
    return torch.cat([each.reshape(-1) for each in part.parameters()])


def test_what_photos_tell_brings_the_people_asked_nearer(model, body):
    before = weights_of(model).clone()
    lesson = teach(model, body)
    assert lesson.epochs > 0
    assert lesson.people == COUNT
    assert lesson.after_mm < 0.95 * lesson.before_mm
    torch.testing.assert_close(weights_of(model), before, atol=0, rtol=0)
    torch.testing.assert_close(weights_of(lesson.model.from_points), weights_of(model.from_points), atol=0, rtol=0)
    assert not torch.equal(weights_of(lesson.model.from_image), weights_of(model.from_image))
    assert not lesson.model.training
    torch.testing.assert_close(weights_of(teach(model, body).model), weights_of(lesson.model), atol=0, rtol=0)


def test_where_those_asked_come_no_nearer_nobody_is_taught(model, body):
    learnt = teach(model, body, told_by_features=False).model  # what all have in common
    for _ in range(4):
        before, lesson = weights_of(learnt), teach(learnt, body, told_by_features=False)
        learnt = lesson.model
    assert lesson.epochs == 0  # what is left is each one's own
    assert lesson.after_mm == lesson.before_mm
    torch.testing.assert_close(weights_of(learnt), before, atol=0, rtol=0)


def test_a_few_people_teach_nothing(model, body):
    assert teach(model, body, supervised=30) is None


def test_a_second_start_remembers_the_lesson(model, body, tmp_path):
    first = teach(model, body, work=Workspace(tmp_path))
    heard = []
    second = teach(model, body, work=Workspace(tmp_path), heard=heard)
    assert heard == []
    assert (second.epochs, second.after_mm) == (first.epochs, first.after_mm)
    torch.testing.assert_close(weights_of(second.model), weights_of(first.model), atol=0, rtol=0)
