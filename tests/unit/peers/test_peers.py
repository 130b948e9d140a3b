"""Each peer on an easy case where it is known to succeed: exact points, the true camera, a prior not far off."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from cliff_core.body import load_body
from cliff_core.body.torch_body import TorchBody
from cliff_core.evaluation.points_only import sample_points_only
from cliff_core.fitting.plausibility import PosePrior
from cliff_core.geometry.crop_units import project_to_crop
from cliff_core.geometry.rotations_torch import rotvec_to_rotmat
from cliff_core.inference import Crops, Predictor
from cliff_core.models.open_cliff import FEATURE_SIZE, OpenCliff, OpenCliffConfig
from cliff_core.peers.bodies import CropBodies, camera_of, crop_units_of, place_of, slopes_of
from cliff_core.peers.eft import EftSettings, fit_eft
from cliff_core.peers.kitro import KitroSettings, fit_kitro
from cliff_core.peers.smplify import MixturePrior, SmplifySettings, fit_smplify

COUNT = 4


@pytest.fixture(scope="module")
def body():
    return TorchBody(load_body())


@pytest.fixture(scope="module")
def people():
    return sample_points_only(COUNT, seed=5)


@pytest.fixture(scope="module")
def truth(people):
    info = torch.from_numpy(people.bbox_info).float()
    rotmat = rotvec_to_rotmat(torch.from_numpy(people.people.pose_rotvec).float())
    transl = torch.from_numpy(people.people.views.transl).float()
    return CropBodies(rotmat, torch.from_numpy(people.people.betas).float(), camera_of(transl, info))


@pytest.fixture(scope="module")
def prior(truth):
    """The truth with every joint turned by some fifteen degrees, a little out of place."""
    random = torch.Generator().manual_seed(0)
    turns = rotvec_to_rotmat(torch.randn(COUNT, 24, 3, generator=random) * 0.15)
    moved = truth.cam_crop * (1 + 0.03 * torch.randn(COUNT, 3, generator=random))
    return CropBodies(truth.rotmat @ turns, truth.betas, moved)


@pytest.fixture(scope="module")
def crops(people):
    model = OpenCliff(OpenCliffConfig(image_width=32, points_width=32, blocks=1)).eval()
    predictor = Predictor(model, load_body())
    pairs = zip(people.boxes, people.cameras, strict=True)
    placed = Crops.join([_as_crops(predictor.place(None, [box], camera=camera)) for box, camera in pairs])
    return replace(placed, bbox_info=torch.from_numpy(people.bbox_info).float())


def _as_crops(placed):
    features = torch.randn(1, FEATURE_SIZE, generator=torch.Generator().manual_seed(int(placed.box_height_px[0])))
    return Crops(placed.boxes, placed.cameras, placed.keypoints, placed.centre_px, placed.box_height_px,
                 placed.bbox_info, placed.points, placed.placed, features)  # fmt: skip


def points(people, joint_set):
    return torch.from_numpy(people.crop_points(joint_set, inside_only=False))


def mpjpe_mm(body, bodies, truth):
    joints = [body(each.rotmat, each.betas).joints for each in (bodies, truth)]
    rooted = [each - each[:, :1] for each in joints]
    return 1000 * (rooted[0] - rooted[1]).norm(dim=-1).mean(1)


def off_px(body, bodies, marked, info):
    seen = project_to_crop(body(bodies.rotmat, bodies.betas).points(), bodies.cam_crop, info)
    weight = marked[..., 2]
    return 128 * ((seen - marked[..., :2]).norm(dim=-1) * weight).sum(1) / weight.sum(1)


def test_places_cameras_and_lines_of_sight_are_each_others_inverse(truth, crops, people):
    transl = torch.from_numpy(people.people.views.transl).float()

    assert torch.allclose(place_of(truth.cam_crop, crops.bbox_info), transl, atol=1e-4)

    marked = points(people, "smpl24")[..., :2]
    assert torch.allclose(crop_units_of(slopes_of(marked, crops.bbox_info), crops.bbox_info), marked, atol=1e-5)


def test_kitro_nearly_recovers_people_from_exact_joints_and_a_good_prior(body, people, truth, prior, crops):
    marked = points(people, "smpl24")

    found = fit_kitro(body, crops, marked, prior)

    before = mpjpe_mm(body, prior, truth)
    assert (mpjpe_mm(body, found, truth) < before).all()
    assert mpjpe_mm(body, found, truth).median() < 0.35 * before.median()
    assert off_px(body, found, marked, crops.bbox_info).median() < 1


def test_kitro_leaves_people_alone_who_are_right_and_people_without_points(body, people, truth, prior, crops):
    found = fit_kitro(body, crops, points(people, "smpl24"), truth)
    assert mpjpe_mm(body, found, truth).median() < 10

    nothing = fit_kitro(body, crops, torch.zeros(COUNT, 47, 3), prior, KitroSettings(loops=2))
    assert torch.allclose(nothing.rotmat, prior.rotmat, atol=1e-5)
    assert torch.allclose(nothing.betas, prior.betas, atol=1e-5)


def test_kitro_finds_joints_beside_surface_points_where_joints_are_not_marked(body, people, truth, prior, crops):
    marked = points(people, "coco17")

    found = fit_kitro(body, crops, marked, prior)

    assert (
        off_px(body, found, marked, crops.bbox_info).mean() < 0.6 * off_px(body, prior, marked, crops.bbox_info).mean()
    )
    assert mpjpe_mm(body, found, truth).mean() < mpjpe_mm(body, prior, truth).mean()


def test_smplify_fits_from_a_near_start(body, people, truth, prior, crops):
    marked = points(people, "coco17")

    found = fit_smplify(body, crops, marked, prior)

    assert mpjpe_mm(body, found, truth).mean() < 0.5 * mpjpe_mm(body, prior, truth).mean()
    assert off_px(body, found, marked, crops.bbox_info).median() < 3


def test_smplify_from_the_mean_pose_keeps_the_yaw_with_the_lowest_objective(body, people, truth, crops):
    marked = points(people, "smpl24")
    short = SmplifySettings(camera_steps=20, steps=20)

    some = fit_smplify(body, crops, marked, None, short)
    longer = fit_smplify(body, crops, marked)

    assert torch.isfinite(longer.rotmat).all()
    assert off_px(body, longer, marked, crops.bbox_info).mean() < off_px(body, some, marked, crops.bbox_info).mean()
    assert off_px(body, longer, marked, crops.bbox_info).median() < 8


def test_the_mixture_in_torch_says_what_the_solvers_says(people):
    poses = people.people.pose_rotvec
    assert np.allclose(MixturePrior().nats(torch.from_numpy(poses).float()).numpy(), PosePrior().nats(poses), atol=0.05)


def test_eft_lowers_the_error_of_points_and_of_bodies(body, people, truth, crops):
    """A network that predicts somebody almost right is tuned to each person's points, and forgets it for the next."""
    torch.manual_seed(0)
    model = OpenCliff(OpenCliffConfig(image_width=64, points_width=32, blocks=1)).eval()
    model.init_pose.copy_(truth.rotmat[0, :, :, :2].reshape(1, 144))
    one = replace(crops, **{name: getattr(crops, name)[:1] for name in ("bbox_info", "features", "points")},
                  boxes=crops.boxes[:1])  # fmt: skip
    marked = points(people, "smpl24")[:1]
    weights = [each.clone() for each in model.state_dict().values()]
    with torch.no_grad():
        start = CropBodies(*model.regress(one.features, one.bbox_info))

    found = fit_eft(model, body, one, marked, EftSettings(learning_rate=1e-3))

    assert off_px(body, found, marked, one.bbox_info) < 0.5 * off_px(body, start, marked, one.bbox_info)
    assert all(torch.equal(a, b) for a, b in zip(weights, model.state_dict().values(), strict=True))


def test_eft_stops_at_once_where_points_agree_already(body, truth, crops):
    model = OpenCliff(OpenCliffConfig(image_width=32, points_width=32, blocks=1)).eval()
    with torch.no_grad():
        predicted = CropBodies(*model.regress(crops.features, crops.bbox_info))
        seen = project_to_crop(body(predicted.rotmat, predicted.betas).points(), predicted.cam_crop, crops.bbox_info)
    marked = torch.cat([seen, torch.ones(COUNT, 47, 1)], -1)

    found = fit_eft(model, body, crops, marked)

    assert torch.allclose(found.rotmat, predicted.rotmat, atol=1e-4)
