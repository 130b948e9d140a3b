"""The 47 points without the mesh, and their Jacobian."""

import numpy as np
import pytest

from cliff_core.body.body import Body
from cliff_core.fitting.kinematics import POINT_NAMES, Skeleton
from cliff_core.fitting.manifold import rotvec_and_slope, turned
from cliff_core.geometry.rotations import rotvec_to_rotmat


def test_points_are_those_of_the_posed_mesh(skeleton, people):
    for params in people:
        rotmat = rotvec_to_rotmat(params.pose_rotvec)
        posed = skeleton.body.pose(rotmat, params.betas, params.transl)
        expected = np.concatenate([skeleton.body.keypoints(posed.vertices, "coco23"), posed.joints])
        np.testing.assert_allclose(skeleton.points(rotmat, params.betas, params.transl), expected, atol=2e-6)


def test_points_are_named(skeleton):
    assert len(POINT_NAMES) == Skeleton.POINTS
    assert POINT_NAMES[9] == "left_wrist"
    assert POINT_NAMES[23 + 20] == "left_wrist"


def test_jacobian_is_that_of_finite_differences(skeleton, people):
    for params in people[:4]:
        variables = rotvec_to_rotmat(params.pose_rotvec), params.betas, params.transl
        points, jacobian = skeleton.points_and_jacobian(*variables)
        np.testing.assert_array_equal(points, skeleton.points(*variables))
        for column in range(85):
            ahead, behind = (skeleton.points(*_moved(variables, column, step)) for step in (1e-5, -1e-5))
            np.testing.assert_allclose(jacobian[:, :, column], (ahead - behind) / 2e-5, atol=1e-7)


def _moved(variables, column, step):
    rotmat, betas, transl = (np.array(array) for array in variables)
    rotation = np.zeros((24, 3))
    if column < 72:
        rotation.flat[column] = step
    elif column < 82:
        betas[column - 72] += step
    else:
        transl[column - 82] += step
    return turned(rotmat, rotation), betas, transl


def test_points_that_a_body_does_not_know_are_nan(skeleton, people):
    body = skeleton.body
    known = {name: flags.copy() for name, flags in body.regressor_known.items()}
    known["coco23"][3] = False
    arrays = {key: getattr(body, key) for key in ("v_template", "shapedirs", "posedirs", "J_regressor", "weights")}
    rows = {name: np.where(known[name][:, None], body.regressors[name], 0) for name in ("coco23",)}
    other = Skeleton(Body("b", "neutral", **arrays, parents=body.parents, faces=body.faces, regressors=rows,
                          regressor_known={"coco23": known["coco23"]}, vertex_names=body.vertex_names))  # fmt: skip
    assert not other.known[3]
    points, jacobian = other.points_and_jacobian(np.tile(np.eye(3), (24, 1, 1)), np.zeros(10), np.zeros(3))
    assert np.isnan(points[3]).all()
    assert not jacobian[3].any()
    assert np.isfinite(np.delete(points, 3, axis=0)).all()


@pytest.mark.parametrize("angle", [0.0, 1e-7, 1e-3, 0.5, 3.0, np.pi - 1e-6])
def test_slope_of_a_rotation_vector_is_that_of_finite_differences(angle):
    random = np.random.default_rng(3)
    axes = random.normal(size=(20, 3))
    rotvec = angle * axes / np.linalg.norm(axes, axis=1, keepdims=True)
    rotmat = rotvec_to_rotmat(rotvec)
    found, slope = rotvec_and_slope(rotmat)
    np.testing.assert_allclose(found, rotvec, atol=1e-8)
    if angle < 3.1:  # beside the seam a step may jump to the other side
        for axis in range(3):
            step = np.zeros((20, 3))
            step[:, axis] = 1e-6
            difference = rotvec_and_slope(turned(rotmat, step))[0] - rotvec_and_slope(turned(rotmat, -step))[0]
            np.testing.assert_allclose(slope[:, :, axis], difference / 2e-6, atol=1e-7)
    assert np.isfinite(slope).all()


def test_a_turn_is_the_product_of_matrices():
    random = np.random.default_rng(4)
    rotmat, step = (
        rotvec_to_rotmat(random.normal(size=(50, 3))),
        random.normal(size=(50, 3)) * np.logspace(-9, 0, 50)[:, None],
    )
    np.testing.assert_allclose(turned(rotmat, step), rotmat @ rotvec_to_rotmat(step), atol=1e-14)
