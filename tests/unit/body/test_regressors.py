"""Which named points a body knows, and where they lie."""

import numpy as np
import pytest

from cliff_core.body.regressors import OFFICIAL_VERTICES, official_regressors
from cliff_core.skeletons import JOINT_SETS, SMPL24

REST = np.tile(np.eye(3), (24, 1, 1))


@pytest.mark.parametrize("joint_set", ["coco17", "coco23", "lsp14", "h36m17", "body25", "halpe26"])
def test_the_open_body_knows_every_point_of(open_body, joint_set):
    matrix, known = open_body.keypoint_regressor(joint_set)
    assert known.all()
    np.testing.assert_allclose(matrix.sum(1), 1, atol=1e-4)


@pytest.mark.parametrize("joint_set", sorted(set(JOINT_SETS) - {"smpl24"}))
def test_left_points_lie_on_the_left_of_right_points(open_body, joint_set):
    points = open_body.keypoints(open_body.pose(REST, np.zeros(10)).vertices, joint_set)
    flip = JOINT_SETS[joint_set].flip
    for index, name in enumerate(JOINT_SETS[joint_set].names):
        if name.startswith("left_") and np.isfinite(points[index]).all():
            assert points[index, 0] > points[flip[index], 0], name  # y up, looking along z: left is +x


def test_points_stand_in_the_order_of_a_standing_person(open_body):
    points = open_body.keypoints(open_body.pose(REST, np.zeros(10)).vertices, "spin24")
    height = dict(zip(JOINT_SETS["spin24"].names, points[:, 1], strict=True))
    order = ["left_ankle", "left_knee", "left_hip", "pelvis", "spine", "neck", "nose", "left_eye", "head_top"]
    assert [height[name] for name in order] == sorted(height[name] for name in order)


def test_openpose_neck_is_the_middle_of_the_shoulders(open_body):
    points = open_body.keypoints(open_body.pose(REST, np.zeros(10)).vertices, "body25")
    names = JOINT_SETS["body25"]
    shoulders = points[[names.index("left_shoulder"), names.index("right_shoulder")]]
    np.testing.assert_allclose(points[names.index("neck")], shoulders.mean(0), atol=1e-6)


def test_the_same_point_of_two_detectors_is_one_point(open_body):
    vertices = open_body.pose(REST, np.zeros(10)).vertices
    coco, blaze = open_body.keypoints(vertices, "coco23"), open_body.keypoints(vertices, "blazepose33")
    for name in ("left_hip", "nose", "right_wrist", "left_heel"):
        np.testing.assert_array_equal(coco[JOINT_SETS["coco23"].index(name)],
                                      blaze[JOINT_SETS["blazepose33"].index(name)])  # fmt: skip


def test_points_a_body_does_not_know_are_nan(open_body):
    points = open_body.keypoints(open_body.v_template, "blazepose33")
    assert np.isnan(points[JOINT_SETS["blazepose33"].index("mouth_left")]).all()


def test_official_smpl_alone_knows_no_coco_hips():
    rows, known = official_regressors(_joint_regressor())
    names = JOINT_SETS["coco23"]
    assert [name for name, flag in zip(names.names, known["coco23"], strict=True) if not flag] == [
        "left_hip",
        "right_hip",
    ]
    assert rows["coco23"][names.index("nose"), OFFICIAL_VERTICES["nose"]] == 1
    np.testing.assert_array_equal(
        rows["coco23"][names.index("left_knee")], _joint_regressor()[SMPL24.index("left_knee")]
    )
    assert set(rows) == {"coco23"}


def test_spins_extra_regressor_brings_hips_neck_and_head():
    extra = np.eye(9, 6890, 100, dtype=np.float32)  # row k picks vertex 100 + k; right hip comes first in SPIN's file
    rows, known = official_regressors(_joint_regressor(), extra=extra)
    assert known["coco23"].all()
    assert known["lsp14"].all()
    assert known["spin24"].all()
    assert rows["coco23"][JOINT_SETS["coco23"].index("right_hip"), 100] == 1
    assert rows["coco23"][JOINT_SETS["coco23"].index("left_hip"), 101] == 1
    assert rows["lsp14"][JOINT_SETS["lsp14"].index("head_top"), 103] == 1
    assert rows["spin24"][JOINT_SETS["spin24"].index("head"), 108] == 1


def test_human36m_regressor_has_the_left_leg_first():
    h36m = np.eye(17, 6890, 200, dtype=np.float32)
    rows, known = official_regressors(_joint_regressor(), h36m=h36m)
    assert known["coco23"].all()
    assert rows["coco23"][JOINT_SETS["coco23"].index("left_hip"), 201] == 1
    np.testing.assert_array_equal(rows["h36m17"], h36m)


def test_smpl_joints_are_no_keypoints_of_the_mesh(open_body):
    with pytest.raises(ValueError, match="PosedBody.joints"):
        open_body.keypoint_regressor("smpl24")


def _joint_regressor():
    return np.eye(24, 6890, 50, dtype=np.float32)
