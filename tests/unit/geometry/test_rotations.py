"""Rotations against the official code, and round trips where formulas usually break."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cliff_core.geometry import rotations, rotations_torch

DEGENERATE = [1, 2, 3]  # golden rows: all zero, second column zero, parallel columns


class _Tensors:
    """The torch functions under the NumPy module's names, arrays in and out: every promise is checked on both."""

    def __getattr__(self, name):
        function = getattr(rotations_torch, name)
        return lambda *arrays: function(*(torch.as_tensor(a, dtype=torch.float64) for a in arrays)).numpy()


both = pytest.mark.parametrize("r", [rotations, _Tensors()], ids=["numpy", "torch"])
axes = st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 0.1)


@both
def test_6d_to_matrix_is_the_official_one(golden_geom, r):
    result = r.rot6d_to_rotmat(golden_geom["rot6d_in"])

    usual = np.setdiff1d(np.arange(64), DEGENERATE)
    np.testing.assert_allclose(result[usual], golden_geom["rot6d_out"][usual], atol=1e-6)  # golden is float32
    np.testing.assert_allclose(result[[1, 2]], golden_geom["rot6d_out"][[1, 2]], atol=1e-6)  # same floor on lengths
    assert np.isfinite(result).all()


def test_6d_to_matrix_in_float32_is_the_official_one(golden_geom):
    result = rotations_torch.rot6d_to_rotmat(torch.from_numpy(golden_geom["rot6d_in"])).numpy()

    usual = np.setdiff1d(np.arange(64), DEGENERATE)
    np.testing.assert_allclose(result[usual], golden_geom["rot6d_out"][usual], atol=1e-6)
    assert np.isfinite(result).all()


@both
def test_three_rotations_are_not_mixed_up(golden_geom, r):
    """The reference crosses along the wrong axis for exactly three."""
    np.testing.assert_allclose(
        r.rot6d_to_rotmat(golden_geom["rot6d_in"][5:8]), golden_geom["rot6d_out"][5:8], atol=1e-6
    )


@both
def test_matrix_to_axis_angle_is_the_official_one(golden_geom, r):
    result = r.rotmat_to_rotvec(golden_geom["rot6d_out"][5:])

    np.testing.assert_allclose(result, golden_geom["aa_cv2"], atol=1e-6)
    np.testing.assert_allclose(result, golden_geom["aa_tgm"], atol=2e-6)


@both
def test_identity_is_zero_and_the_interleaved_six(r):
    np.testing.assert_array_equal(r.rotvec_to_rotmat(np.zeros(3)), np.eye(3))
    np.testing.assert_array_equal(r.rotmat_to_rotvec(np.eye(3)), np.zeros(3))
    np.testing.assert_array_equal(r.rotmat_to_rot6d(np.eye(3)), [1, 0, 0, 1, 0, 0])


@both
@given(axis=axes, angle=st.one_of(st.floats(0, np.pi), st.floats(0, 1e-6), st.floats(0, 1e-5).map(lambda x: np.pi - x)))
def test_axis_angle_round_trip_is_exact_everywhere(r, axis, angle):
    rotvec = np.array(axis) / np.linalg.norm(axis) * angle

    rotmat = r.rotvec_to_rotmat(rotvec)
    back = r.rotmat_to_rotvec(rotmat)

    np.testing.assert_allclose(rotmat @ rotmat.T, np.eye(3), atol=1e-14)
    np.testing.assert_allclose(r.rotvec_to_rotmat(back), rotmat, atol=1e-14)
    if angle < np.pi - 1e-7:  # beyond, the opposite axis is as right
        np.testing.assert_allclose(back, rotvec, rtol=1e-12, atol=1e-13)


@both
@given(axis=axes, angle=st.floats(0, np.pi))
def test_6d_round_trip(r, axis, angle):
    rotmat = r.rotvec_to_rotmat(np.array(axis) / np.linalg.norm(axis) * angle)

    np.testing.assert_allclose(r.rot6d_to_rotmat(r.rotmat_to_rot6d(rotmat)), rotmat, atol=1e-14)


@both
@given(axis=axes, angle=st.one_of(st.floats(0, np.pi), st.floats(0, 1e-7), st.floats(0, 1e-7).map(lambda x: np.pi - x)))
def test_geodesic_distance_is_the_angle(r, axis, angle):
    turn = r.rotvec_to_rotmat(np.array(axis) / np.linalg.norm(axis) * angle)
    start = r.rotvec_to_rotmat(np.array([0.3, -1.2, 0.7]))

    np.testing.assert_allclose(r.geodesic_deg(start, start @ turn), np.degrees(angle), rtol=1e-9, atol=1e-12)


@both
def test_half_turns_about_every_axis_have_the_angle_pi(r):
    axis = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [-1, 2, 0.5], [1, -1, 1]], dtype=float)
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    rotmat = 2 * axis[:, :, None] * axis[:, None] - np.eye(3)

    rotvec = r.rotmat_to_rotvec(rotmat)

    np.testing.assert_allclose(np.linalg.norm(rotvec, axis=1), np.pi, rtol=1e-14)
    np.testing.assert_allclose(np.abs((rotvec * axis).sum(1)), np.pi, rtol=1e-14)


@both
def test_leading_dimensions_are_kept(r):
    rotvec = np.random.default_rng(0).normal(size=(2, 5, 3))

    assert r.rotvec_to_rotmat(rotvec).shape == (2, 5, 3, 3)
    assert r.rotmat_to_rot6d(r.rotvec_to_rotmat(rotvec)).shape == (2, 5, 6)
    assert r.geodesic_deg(r.rotvec_to_rotmat(rotvec), np.eye(3)).shape == (2, 5)


@pytest.mark.parametrize("scale", [0.0, 1e-20, 1e-8, 1e-3, 1.0, 3.0])
def test_gradients_are_finite_and_right_at_every_angle(scale):
    rotvec = torch.tensor([[0.6, -0.3, 0.74]], dtype=torch.float64) * scale
    rotvec.requires_grad_()

    def there_and_back(v):
        return rotations_torch.rotmat_to_rotvec(rotations_torch.rotvec_to_rotmat(v))

    jacobian = torch.autograd.functional.jacobian(there_and_back, rotvec)[0, :, 0]

    np.testing.assert_allclose(jacobian.numpy(), np.eye(3), atol=1e-9)


def test_the_distance_of_a_rotation_to_itself_has_a_finite_gradient():
    rotvec = torch.tensor([[0.1, 0.2, 0.3], [0.0, 0.0, 0.0]], requires_grad=True)
    rotmat = rotations_torch.rotvec_to_rotmat(rotvec)

    rotations_torch.geodesic_deg(rotmat, torch.eye(3).expand(2, 3, 3)).sum().backward()

    assert torch.isfinite(rotvec.grad).all()
