"""A hand in the belly is found, with its depth; a body that stands or moves as people do is left in peace."""

import numpy as np
import pytest

from cliff_core.body import load_body
from cliff_core.fitting.self_contact import PAIRS, PARTS, SelfContact, _winding, deepest_m
from cliff_core.geometry.rotations import rotmat_to_rotvec, rotvec_to_rotmat
from cliff_core.resources import resource_path
from cliff_core.skeletons import SMPL24


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def look(body) -> SelfContact:
    return SelfContact(body)


def posed(body, betas=None, **rotvecs) -> np.ndarray:
    """Vertices with some joints turned."""
    pose = np.zeros((24, 3))
    for name, rotvec in rotvecs.items():
        pose[SMPL24.index(name)] = rotvec
    return body.pose(rotvec_to_rotmat(pose), np.zeros(10) if betas is None else betas, np.zeros(3)).vertices


def across_the_belly(side: str) -> dict[str, np.ndarray]:
    """An upper arm along the body, turned inwards, and a bent elbow."""
    down = rotvec_to_rotmat(np.array([0, 0, -1.5])) @ rotvec_to_rotmat(np.array([1.0, 0, 0]))
    mirror = np.array([1.0, -1.0, -1.0]) if side == "right" else np.ones(3)
    return {f"{side}_shoulder": rotmat_to_rotvec(down) * mirror, f"{side}_elbow": np.array([0, -1.4, 0]) * mirror}


def around(body, vertices, points) -> np.ndarray:
    """How often the whole mesh goes around points: a half on the surface, more where it overlaps."""
    return _winding(points, vertices, body.faces.astype(np.int64))


def test_nobody_in_a_t_pose_is_inside_themselves(body, look):
    random = np.random.default_rng(0)
    for betas in [np.zeros(10), *random.normal(0, 1, (10, 10))]:
        assert look.contacts(posed(body, betas), 0.0) == ()


def test_arms_that_hang_are_no_fault(body, look):
    arms = {"left_shoulder": (0, 0, -1.2), "right_shoulder": (0, 0, 1.2)}
    assert look.contacts(posed(body, **arms)) == ()


def test_a_forearm_in_the_belly_is_found_and_named(body, look):
    found = look.contacts(posed(body, **across_the_belly("left")))
    assert [(contact.inside, contact.of) for contact in found] == [("left_forearm", "trunk")]
    assert 0.05 < found[0].depth_m < 0.1


def test_the_farther_an_arm_goes_through_the_deeper_it_is(body, look):
    depths = [deepest_m(look.contacts(posed(body, left_shoulder=(0, 0, -angle)))) for angle in (1.2, 1.5, 1.8)]
    assert depths[0] == 0 < depths[1] < depths[2]


def test_crossed_shins_are_found_on_both_sides(body, look):
    vertices = posed(body, left_hip=(0, 0, -0.35), right_hip=(0, 0, 0.35))
    found = {(contact.inside, contact.of) for contact in look.contacts(vertices)}
    assert {("left_shin", "right_shin"), ("right_shin", "left_shin")} <= found


def test_a_mirrored_pose_has_the_mirrored_contact(body, look):
    left, right = (look.contacts(posed(body, **across_the_belly(side))) for side in ("left", "right"))
    assert [each.inside for each in right] == [each.inside.replace("left", "right") for each in left]
    assert right[0].depth_m == pytest.approx(left[0].depth_m, abs=0.005)


def test_the_depth_is_how_far_the_surface_is_away(body, look):
    vertices = posed(body, **across_the_belly("left")).astype(np.float64)
    surface = vertices[look._parts["trunk"].vertices]
    probes = vertices[look._probes["left_forearm"]]
    within = probes[around(body, vertices, probes) > 1.2]
    away = np.linalg.norm(within[:, None] - surface[None], axis=2).min(axis=1).max()
    assert look.contacts(vertices)[0].depth_m == pytest.approx(away, abs=0.01)


def test_captured_poses_are_reported_only_where_the_whole_mesh_overlaps(body, look):
    with np.load(resource_path("poses", "pybullet.npz")) as bank:
        poses = bank["poses"][::8].astype(np.float64)
        sources = bank["source"][::8].astype(str)
    reported = np.zeros(len(poses), bool)
    for number, pose in enumerate(poses):
        vertices = body.pose(rotvec_to_rotmat(pose), np.zeros(10), np.zeros(3)).vertices.astype(np.float64)
        found = look.contacts(vertices)
        reported[number] = bool(found)
        if found:
            probes = vertices[look._probes[found[0].inside]]
            assert (around(body, vertices, probes) > 1.2).any()
    calm = np.isin(sources, ["dm_walk", "dm_run", "dm_jump", "dm_cartwheel", "dm_dance_a", "dm_dance_b"])
    assert reported[calm].mean() <= 0.04
    assert 0 < reported.mean() < 0.15


@pytest.mark.parametrize("gender", ["neutral", "male", "female"])
def test_every_part_is_a_closed_surface(gender):
    for name, part in SelfContact(load_body(gender=gender))._parts.items():
        edges = part.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
        there = {(int(a), int(b)) for a, b in edges}
        assert all((b, a) in there for a, b in there), name


def test_pairs_are_of_parts_and_no_neighbours():
    assert len(set(PAIRS)) == len(PAIRS)
    assert {name for pair in PAIRS for name in pair} == set(PARTS)
    assert ("left_shin", "left_thigh") not in PAIRS
    assert ("left_forearm", "left_upper_arm") not in PAIRS
