"""Meshes are read back by trimesh, whoever wrote them: the same vertices in the same order, in both frames."""

import json
import struct

import numpy as np
import pytest
import trimesh

from cliff_core.errors import FormatError
from cliff_core.formats import write
from cliff_core.geometry.rotations import rotvec_to_rotmat


@pytest.fixture(scope="module")
def group(crowd):
    return crowd()


def vertices_of(estimate, bodies, frame):
    params = estimate.params
    rotmat = rotvec_to_rotmat(params.pose_rotvec)
    if frame == "body":
        rotmat[0] = np.eye(3)
    vertices = bodies[params.gender].pose(rotmat, params.betas).vertices.astype(np.float64)
    return vertices if frame == "body" else vertices + params.transl


def load(path):
    return trimesh.load(path, process=False, maintain_order=True)


def single(loaded):
    """The one mesh, as the file has it, before a viewer turns it."""
    return loaded if isinstance(loaded, trimesh.Trimesh) else next(iter(loaded.geometry.values()))


@pytest.mark.parametrize("name", ["obj", "ply", "glb"])
@pytest.mark.parametrize("frame", ["camera", "body"])
def test_every_person_is_a_mesh_with_the_bodys_vertices_and_triangles(name, frame, tmp_path, group, documented_mm):
    write(name, tmp_path, group.people, group.estimates, group.bodies, frame=frame)

    names = [f"street/day 1_1.{name}", f"street/day 1_2.{name}", f"b_1.{name}", f"b_2.{name}", f"c_1.{name}"]
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob(f"*.{name}")} == set(names)
    for file, estimate in zip(names, group.estimates, strict=True):
        mesh = single(load(tmp_path / file))
        difference = np.abs(mesh.vertices - vertices_of(estimate, group.bodies, frame)).max() * 1000
        assert difference <= documented_mm(name, "trimesh")
        np.testing.assert_array_equal(mesh.faces, group.bodies[estimate.params.gender].faces)


def test_the_camera_is_the_frame_unless_another_is_asked_for(tmp_path, group):
    for path, options in (("a.obj", {}), ("b.obj", {"frame": "camera"})):
        write("obj", tmp_path / path, group.people[:1], group.estimates[:1], group.bodies, **options)

    assert (tmp_path / "a.obj").read_bytes() == (tmp_path / "b.obj").read_bytes()
    assert (tmp_path / "a.obj").read_text().startswith("# metres, camera frame: x right, y down, z forward")


def test_viewers_of_gltf_show_a_body_of_the_camera_frame_upright(tmp_path, group):
    write("glb", tmp_path / "a.glb", group.people[2:3], group.estimates[2:3], group.bodies)

    shown = load(tmp_path / "a.glb").to_mesh().vertices
    vertices = vertices_of(group.estimates[2], group.bodies, "camera")
    np.testing.assert_allclose(shown, vertices * (1, -1, -1), atol=1e-6)
    nose, heel = (group.bodies["female"].vertex_names[name] for name in ("nose", "LHeel"))
    assert shown[nose, 1] - shown[heel, 1] > 1.0


def test_a_glb_is_one_file_of_gltf_2(tmp_path, group):
    write("glb", tmp_path / "a.glb", group.people[:1], group.estimates[:1], group.bodies)

    content = (tmp_path / "a.glb").read_bytes()
    magic, version, length, json_length = struct.unpack("<4sIII", content[:16])
    document = json.loads(content[20 : 20 + json_length])
    assert (magic, version, length) == (b"glTF", 2, len(content))
    assert len(document["meshes"]) == 1


def test_several_people_do_not_fit_one_mesh_file(tmp_path, group):
    with pytest.raises(FormatError, match=r"a\.ply: a PLY file is about one person, and these are 5; give a folder"):
        write("ply", tmp_path / "a.ply", group.people, group.estimates, group.bodies)


def test_another_frame_is_refused(tmp_path, group):
    with pytest.raises(FormatError, match=r"no frame 'world' for meshes; take one of camera, body"):
        write("obj", tmp_path, group.people, group.estimates, group.bodies, frame="world")
    with pytest.raises(FormatError, match="spin has no frame to choose; leave it out"):
        write("spin", tmp_path / "a.npz", group.people, group.estimates, group.bodies, frame="body")
    assert list(tmp_path.iterdir()) == []


def test_nobody_makes_no_file(tmp_path, group):
    write("glb", tmp_path / "out", [], [], group.bodies)

    assert not (tmp_path / "out").exists()


def test_photos_that_differ_in_suffix_or_case_keep_their_people_apart(tmp_path, group):
    from dataclasses import replace

    names = ["a.jpg", "a.png", "A.jpg", "a_1.jpg"]
    people = [replace(group.people[2], image_name=name) for name in names]

    write("ply", tmp_path, people, [group.estimates[2]] * 4, group.bodies)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["A.jpg_1.ply", "a.png_1.ply", "a_1.ply", "a_1_1.ply"]
