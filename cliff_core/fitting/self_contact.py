"""Where a body is inside itself: a hand in the belly, a foot through the other shin.

A limb's vertices are asked how often a part's surface goes around them (the winding number of Jacobson et al. 2013,
which is one inside of a closed surface and zero outside). Each part is the surface that its joints move most, closed
with a fan over each cut. How deep a vertex is in there is its distance to the plane of the nearest vertex of the part's
surface: right on a smooth surface, a little too small beside an edge.

What it says and what not. Only `PAIRS` are looked at: forearms and hands, shins and feet, and the head, against parts
that are not their neighbours. Neighbours (thigh and trunk, upper arm and trunk, upper and lower arm, calf and thigh)
overlap in every skinned body that bends, as flesh would give way, and are never reported. Depths below `FLESH_M` are
skin on skin, not a mistake, and are not reported either. Poses come from people of other shapes, so that a hand that
rested on a hip may be a little inside another shape's hip: what is reported deserves a look, no more. Things that
somebody holds or sits on are not known.

Measured with the bundled bodies: nothing is reported in the T-pose for any of 150 random shapes. Of the 1632 bundled
captured poses, retargeted from a robot with other limbs, 9.6 % are reported with the neutral body's mean shape: none of
jumping, running and cartwheels, 1 % of dancing, 5 % of walking (hands brush thighs), most of boxing (fists in the
chest). Each one of the 242 reports of the three bodies is a true one: the whole mesh goes around these vertices more
than once, which it does nowhere outside of an overlap. A body takes 1 to 2 ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import atan2, sqrt, tau

import numpy as np
from numba import njit
from scipy.spatial import cKDTree

from cliff_core.body.body import Body
from cliff_core.skeletons import SMPL24

FLESH_M = 0.02
"""Depths below this are skin on skin."""
_AT_ONCE = 16

_JOINTS: dict[str, tuple[str, ...]] = {
    "trunk": ("pelvis", "spine1", "spine2", "spine3", "left_collar", "right_collar"),
    "head": ("neck", "head"),
    **{f"{side}_upper_arm": (f"{side}_shoulder",) for side in ("left", "right")},
    **{f"{side}_forearm": (f"{side}_elbow", f"{side}_wrist", f"{side}_hand") for side in ("left", "right")},
    **{f"{side}_thigh": (f"{side}_hip",) for side in ("left", "right")},
    **{f"{side}_shin": (f"{side}_knee", f"{side}_ankle", f"{side}_foot") for side in ("left", "right")},
}
PARTS = tuple(_JOINTS)
"""What the surface is cut into; forearms go on to the fingers, shins to the toes."""

_TARGETS = {
    "forearm": ("trunk", "head", "other_upper_arm", "other_forearm", "thigh", "other_thigh", "shin", "other_shin"),
    "shin": ("trunk", "head", "other_thigh", "other_shin"),
}


def _pairs() -> tuple[tuple[str, str], ...]:
    pairs = [("head", f"{side}_{part}") for side in ("left", "right") for part in ("thigh", "shin")]
    for side, other in (("left", "right"), ("right", "left")):
        for limb, targets in _TARGETS.items():
            for target in targets:
                away = target.startswith("other_")
                name = target.removeprefix("other_")
                whole = name if name in ("trunk", "head") else f"{other if away else side}_{name}"
                pairs.append((f"{side}_{limb}", whole))
    return tuple(pairs)


PAIRS = _pairs()
"""(what is inside, of what) that are looked at; both ways round for two forearms or two shins."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A part that is inside another one.

    Attributes:
        inside: name of the part whose vertices are inside (`PARTS`).
        of: name of the part that they are in.
        depth_m: of the deepest of them, metres.
    """

    inside: str
    of: str
    depth_m: float


@dataclass(frozen=True, slots=True)
class _Part:
    """A closed piece of the surface.

    Attributes:
        vertices: (P,) numbers of the body's vertices in it.
        faces: (F, 3) numbers into these, then into one more point per cut.
        cuts: for each cut, the (B,) numbers into `vertices` around it.
        own_faces: how many of the faces are the body's; the others close the cuts.
    """

    vertices: np.ndarray
    faces: np.ndarray
    cuts: tuple[np.ndarray, ...]
    own_faces: int


@dataclass(frozen=True, slots=True)
class _Surface:
    """A closed piece in a pose.

    Attributes:
        tree: of the vertices that are the body's.
        normals: (P, 3) of these, outward.
        corners: (P + C, 3) these, then the middles of the cuts.
        faces: (F, 3) numbers into `corners`.
    """

    tree: cKDTree
    normals: np.ndarray
    corners: np.ndarray
    faces: np.ndarray


class SelfContact:
    """Looks for a body inside itself; made once per body model, for any pose and shape.

    Args:
        body: its model; a mesh whose faces are wound alike.
    """

    def __init__(self, body: Body):
        part_of_joint = np.array([_number_of_part(name) for name in SMPL24.names])
        part_of_vertex = part_of_joint[np.asarray(body.part_labels)]
        # A face belongs to where most of its vertices belong, so that each face is of one part.
        corners = np.sort(part_of_vertex[body.faces], axis=1)
        part_of_face = corners[:, 1]
        self._parts = {name: _closed(body.faces[part_of_face == number]) for number, name in enumerate(PARTS)}
        _winding(np.zeros((1, 3)), np.eye(3), np.zeros((1, 3), np.int64))  # compiled now, and not when a hand waits
        self._probes = {name: np.flatnonzero(part_of_vertex == number) for number, name in enumerate(PARTS)}

    def contacts(self, vertices: np.ndarray, least_m: float = FLESH_M) -> tuple[Contact, ...]:
        """What is inside of what, the deepest first.

        Args:
            vertices: (V, 3) of the posed body, metres.
            least_m: shallower ones are left out.
        """
        vertices = np.asarray(vertices, np.float64)
        axes = np.ascontiguousarray(vertices.T)  # comparing along rows of numbers is much quicker than triples
        boxes = {name: _box(axes[:, part.vertices]) for name, part in self._parts.items() if len(part.vertices)}
        surfaces: dict[str, _Surface] = {}
        found = []
        for inside, of in PAIRS:
            if of not in boxes or not len(self._probes[inside]):
                continue
            low, high = boxes[of]
            probes = self._probes[inside]
            for axis in range(3):
                places = axes[axis, probes]
                probes = probes[(places > low[axis] + least_m) & (places < high[axis] - least_m)]
            if not len(probes):
                continue
            points = vertices[probes]
            if of not in surfaces:
                surfaces[of] = _surface(self._parts[of], vertices[self._parts[of].vertices])
            depth = _depth(points, surfaces[of], least_m)
            if depth > 0:
                found.append(Contact(inside, of, depth))
        return tuple(sorted(found, key=lambda contact: -contact.depth_m))


def _number_of_part(joint: str) -> int:
    return next(number for number, joints in enumerate(_JOINTS.values()) if joint in joints)


def _closed(faces: np.ndarray) -> _Part:
    """Faces with a fan over each cut: an edge that only one face has is turned round and joined to the cut's middle."""
    vertices, flat = np.unique(faces, return_inverse=True)
    own = flat.reshape(-1, 3).astype(np.int64)
    edges = own[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    count = len(vertices)
    codes = edges[:, 0] * count + edges[:, 1]
    open_edges = edges[~np.isin(codes, edges[:, 1] * count + edges[:, 0])]
    cuts = _connected(open_edges)
    fans = []
    for number, cut in enumerate(cuts):
        mine = open_edges[np.isin(open_edges[:, 0], cut)]
        fans.append(np.column_stack([mine[:, 1], mine[:, 0], np.full(len(mine), count + number)]))
    return _Part(vertices, np.ascontiguousarray(np.concatenate([own, *fans])), tuple(cuts), len(own))


def _box(axes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(3,) lowest and highest of some places (3, N)."""
    return axes.min(axis=1), axes.max(axis=1)


def _connected(edges: np.ndarray) -> list[np.ndarray]:
    """Vertices of each connected set of edges."""
    group = {int(vertex): int(vertex) for vertex in np.unique(edges)}

    def root(vertex: int) -> int:
        while group[vertex] != vertex:
            vertex = group[vertex]
        return vertex

    for a, b in edges:
        group[root(int(a))] = root(int(b))
    together: dict[int, list[int]] = {}
    for vertex in group:
        together.setdefault(root(vertex), []).append(vertex)
    return [np.array(members) for members in together.values()]


def _surface(part: _Part, piece: np.ndarray) -> _Surface:
    middles = [piece[cut].mean(axis=0)[None] for cut in part.cuts]
    normals = _normals(piece, part.faces[: part.own_faces])
    return _Surface(cKDTree(piece), normals, np.concatenate([piece, *middles]), part.faces)


def _depth(points: np.ndarray, surface: _Surface, least_m: float) -> float:
    """Metres that the deepest of some points (N, 3) is behind a surface; 0 if none is so deep."""
    away, nearest = surface.tree.query(points)
    planes = np.einsum("nc,nc->n", surface.corners[nearest] - points, surface.normals[nearest])
    depths = np.minimum(planes, away)
    # Behind the nearest surface is not yet inside: whether it goes around is asked too, of the deepest first.
    deep = np.flatnonzero(depths >= least_m)
    deep = deep[np.argsort(-depths[deep])]
    for start in range(0, len(deep), _AT_ONCE):
        some = deep[start : start + _AT_ONCE]
        within = some[_winding(points[some], surface.corners, surface.faces) > 0.5]
        if len(within):
            return float(depths[within[0]])
    return 0.0


def _normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 3) outward unit normals."""
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    areas = np.cross(b - a, c - a)
    normals = np.zeros_like(vertices)
    for corner in range(3):
        for axis in range(3):
            normals[:, axis] += np.bincount(faces[:, corner], areas[:, axis], len(vertices))
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


@njit(cache=True, nogil=True)
def _winding(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(N,) how often a closed surface goes around points: solid angles over 4 pi (Van Oosterom and Strackee 1983)."""
    result = np.zeros(len(points))
    seen = np.empty((len(vertices), 4))
    for n in range(len(points)):
        for v in range(len(vertices)):
            x = vertices[v, 0] - points[n, 0]
            y = vertices[v, 1] - points[n, 1]
            z = vertices[v, 2] - points[n, 2]
            seen[v, 0], seen[v, 1], seen[v, 2] = x, y, z
            seen[v, 3] = sqrt(x * x + y * y + z * z)
        total = 0.0
        for f in range(len(faces)):
            i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
            ax, ay, az, a = seen[i, 0], seen[i, 1], seen[i, 2], seen[i, 3]
            bx, by, bz, b = seen[j, 0], seen[j, 1], seen[j, 2], seen[j, 3]
            cx, cy, cz, c = seen[k, 0], seen[k, 1], seen[k, 2], seen[k, 3]
            volume = ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)
            ab = ax * bx + ay * by + az * bz
            bc = bx * cx + by * cy + bz * cz
            ca = cx * ax + cy * ay + cz * az
            total += 2.0 * atan2(volume, a * b * c + ab * c + bc * a + ca * b)
        result[n] = total / (2.0 * tau)
    return result


def deepest_m(contacts: Sequence[Contact]) -> float:
    """Metres of the deepest contact; 0 without any."""
    return max((contact.depth_m for contact in contacts), default=0.0)
