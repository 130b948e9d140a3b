"""Fine-tuning: fits the points, leaves the model it was given, survives hostile data, repeats by seed."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from cliff_core.body import load_body
from cliff_core.body.torch_body import TorchBody
from cliff_core.errors import TrainingError
from cliff_core.inference import Crops
from cliff_core.models.cliff import Cliff
from cliff_core.models.open_cliff import FEATURE_SIZE, OpenCliff, OpenCliffConfig
from cliff_core.records import Box, Camera
from cliff_core.synthetic.people import sample_people
from cliff_core.synthetic.poses import PoseBank
from cliff_core.training.finetune import Epoch, FinetuneSettings, finetune, last_good_epoch
from cliff_core.training.labels import label_people

COUNT = 12
SETTINGS = FinetuneSettings(epochs=6, learning_rate=1e-3)


@pytest.fixture(scope="module")
def body():
    return TorchBody(load_body())


def _crops(body, feature_size):
    people = sample_people(np.random.default_rng(0), PoseBank(), body, COUNT, 1.2)
    labels = label_people(body, people)
    confidence = labels.inside.float()[..., None]
    return Crops(
        (Box(0, 0, 10, 10),) * COUNT,
        (Camera.guess((640, 480)),) * COUNT,
        (None,) * COUNT,
        people.views.centre_px,
        people.views.box_height_px,
        labels.bbox_info,
        torch.cat([labels.projected * confidence, confidence], -1),
        torch.ones(COUNT, dtype=torch.bool),
        torch.randn(COUNT, feature_size, generator=torch.Generator().manual_seed(2)),
    )


def _facing_the_camera(model):
    start = torch.eye(3).repeat(24, 1, 1)
    start[0] = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    model.init_pose.copy_(start[:, :, :2].reshape(1, 144))
    return model.eval()


def _open_model():
    torch.manual_seed(0)
    model = _facing_the_camera(OpenCliff(OpenCliffConfig(image_width=64, points_width=128, blocks=1), "small"))
    model.step_gain.detach().zero_()  # untrained, it knows nothing of points
    return model


def _silent(done, total, text):
    pass


def test_fine_tuning_fits_the_points_and_leaves_the_given_model_alone(body):
    model, crops = _open_model(), _crops(body, FEATURE_SIZE)
    before = copy.deepcopy(model.state_dict())
    tuned = finetune(model, body, crops, SETTINGS, _silent)
    assert tuned.choosing[tuned.chosen_epochs].fitted < 0.9 * tuned.choosing[0].fitted
    assert tuned.chosen_epochs == last_good_epoch(tuned.choosing)
    assert len(tuned.final) == tuned.chosen_epochs + 1
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    trunk = dict(tuned.model.trunk.named_parameters())
    assert all(torch.equal(value, trunk[name]) for name, value in model.trunk.named_parameters())


def test_tuning_ends_where_the_withheld_error_is_flat_and_before_it_rises():
    curve = [Epoch(n, 0.1, error, 0.0) for n, error in enumerate((0.9, 0.5, 0.4, 0.41, 0.402, 0.43, 0.6))]
    assert last_good_epoch(curve) == 4


def test_the_official_network_is_tuned_by_the_same_loop(body):
    torch.manual_seed(0)
    model = _facing_the_camera(Cliff("res50"))
    model.init_cam.copy_(torch.tensor([[0.9, 0.0, 0.0]]))
    tuned = finetune(model, body, _crops(body, 2048), replace(SETTINGS, learning_rate=1e-4), _silent)
    assert tuned.choosing[-1].fitted < tuned.choosing[0].fitted


def test_the_same_seed_gives_the_same_weights(body):
    crops = _crops(body, FEATURE_SIZE)
    one, two = (finetune(_open_model(), body, crops, SETTINGS, _silent).model.state_dict() for _ in range(2))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_strong_pull_to_the_prior_keeps_the_bodies_nearer_to_it(body):
    crops = _crops(body, FEATURE_SIZE)
    free, held = (
        finetune(_open_model(), body, crops, replace(SETTINGS, prior_weight=weight), _silent).choosing[-1]
        for weight in (0.0, 3.0)
    )
    assert held.prior_distance < free.prior_distance


def test_the_distance_of_rotations_is_said_as_an_angle():
    for angle in (0.02, 0.5, 3.0):
        apart = Rotation.from_rotvec([0.0, 0.0, angle]).as_matrix() - np.eye(3)
        assert Epoch(1, 0.1, None, float(np.square(apart).mean())).prior_deg == pytest.approx(np.degrees(angle))


@pytest.mark.parametrize("hostile", ["outside", "swapped", "huge", "tiny", "one person"])
def test_hostile_points_give_finite_bodies(body, hostile):
    crops = _crops(body, FEATURE_SIZE)
    points, info = crops.points.clone(), crops.bbox_info.clone()
    if hostile == "outside":
        points[..., :2] = 40.0
    elif hostile == "swapped":
        points = points.flip(1)
    elif hostile == "huge":
        info[:, 2] = 1e3
    elif hostile == "tiny":
        info[:, 2] = -3.99
    else:
        points[1:, :, 2] = 0
    tuned = finetune(_open_model(), body, replace(crops, points=points, bbox_info=info), SETTINGS, _silent)
    rotmat, betas, cam_crop = tuned.model.regress(crops.features, info, points)
    assert all(torch.isfinite(values).all() for values in (rotmat, betas, cam_crop))


def test_nobody_with_points_is_said_clearly(body):
    crops = _crops(body, FEATURE_SIZE)
    points = torch.zeros_like(crops.points)
    points[:, :2, 2] = 1
    with pytest.raises(TrainingError, match="nobody has 4 or more"):
        finetune(_open_model(), body, replace(crops, points=points), SETTINGS, _silent)
