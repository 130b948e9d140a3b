"""Meshes: one OBJ, PLY or GLB per person, for everything that shows or edits surfaces. Written, not read.

Vertices are metres, in the order of the body model, with its triangles. In one of two frames:

    camera   as the photo's camera sees the body: x right, y down, z forward, the camera at the origin. All people of a
             photo are in one space. A GLB says besides, in the node that holds the mesh, how to turn it into glTF's own
             axes (y up, looking along -z), so that viewers show it upright
    body     the body in its pose, in SMPL's own axes: x to its left, y up, z to its front; neither turned nor moved, as
             `smplx` gives it without `global_orient` and `transl`

OBJ is text with eight decimals (5e-6 mm). PLY and GLB hold single precision: vertices move by at most half a unit in
the last place, 2.4e-4 mm up to eight metres from the camera and 1e-3 mm up to thirty-two.

trimesh is imported when the first mesh is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cliff_core.body import Body
from cliff_core.errors import FormatError
from cliff_core.formats.files import write_bytes
from cliff_core.formats.folders import person_paths
from cliff_core.formats.subjects import Subject, each, subjects
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.records import Estimate, PhotoPerson

FRAMES = ("camera", "body")

_AXES = {
    "camera": "camera frame: x right, y down, z forward",
    "body": "body frame: x to its left, y up, z to its front",
}
_TO_GLTF = np.diag([1.0, -1.0, -1.0, 1.0])


@dataclass(frozen=True, slots=True)
class MeshFormat:
    """One of the kinds of mesh files.

    Attributes:
        name: "obj", "ply" or "glb"; also the suffix of its files.
    """

    name: str

    def write(
        self,
        path: Path,
        people: Sequence[PhotoPerson],
        estimates: Sequence[Estimate | None] | None,
        body: Body | Mapping[str, Body] | None,
        frame: str = "camera",
    ) -> None:
        """Write one mesh per person.

        Args:
            path: a folder; or a path that ends as the format's files do, for a single person.
            people: who, and on which photo.
            estimates: the body of each person.
            body: the body model that poses it, or one per gender.
            frame: "camera" or "body".

        Raises:
            FormatError: another frame, people without bodies, several people for one file, and what `subjects` refuses.
        """
        if frame not in FRAMES:
            raise FormatError(f"{path}: no frame '{frame}' for meshes; take one of {', '.join(FRAMES)}")
        kind = f"{'an' if self.name == 'obj' else 'a'} {self.name.upper()} file"
        ready = subjects(path, people, estimates, body, kind)
        for subject, place in zip(each(ready), person_paths(path, ready, f".{self.name}", kind), strict=True):
            vertices = subject.vertices_cam if frame == "camera" else _in_its_own_frame(subject)
            assert subject.body is not None
            write_bytes(place, self._content(vertices, subject.body.faces, frame, place.stem))

    def _content(self, vertices: np.ndarray, faces: np.ndarray, frame: str, name: str) -> bytes:
        """The bytes of a file."""
        import trimesh

        # `process` would merge vertices and change their order.
        mesh: Any = trimesh.Trimesh(vertices, faces, process=False)
        if self.name == "obj":
            header = f"metres, {_AXES[frame]}"
            return trimesh.exchange.obj.export_obj(mesh, include_normals=False, header=header).encode("utf-8")
        if self.name == "ply":
            return trimesh.exchange.ply.export_ply(mesh, vertex_normal=False)
        scene = trimesh.Scene()
        turn = _TO_GLTF if frame == "camera" else np.eye(4)
        scene.add_geometry(mesh, geom_name=name, node_name=name, transform=turn)
        return trimesh.exchange.gltf.export_glb(scene, include_normals=True)


def _in_its_own_frame(subject: Subject) -> np.ndarray:
    """(V, 3) vertices of the posed body, neither turned nor moved."""
    rotmat = rotvec_to_rotmat(subject.pose_rotvec)
    rotmat[0] = np.eye(3)
    assert subject.body is not None
    return subject.body.pose(rotmat, subject.betas).vertices.astype(np.float64)


obj, ply, glb = MeshFormat("obj"), MeshFormat("ply"), MeshFormat("glb")
