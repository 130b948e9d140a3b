"""A better skinning than the linear one, to learn pose correctives from.

Four steps for each pose, the first and last being published ideas:

1. *Centres of rotation* (Le and Hodgins, 2016): every vertex turns rigidly, by a blend of quaternions, about a centre
   found once from the weights, so limbs neither collapse when bent nor pinch like a sweet's wrapper when twisted.
2. Flesh of the trunk that a bend presses together swells away from the bone, as far as the volume of the body asks for
   it: otherwise a bow would take three litres off the belly.
3. At knees and elbows the two sides of the fold meet in the plane that halves the bend and do not enter each other.
4. *Delta mush* (Mancewicz et al., 2014): the posed surface is smoothed and the detail that smoothing takes from the
   rest surface is put back in the local frame, which rounds the creases that any skinning leaves.

All this costs far too much for a body that is posed in real time, and needs what SMPL's format does not carry; the
correctives learn its effect.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.spatial.transform import Rotation

from .skinning import blend_skin
from .surface import face_normals, neighbour_average, signed_volume, vertex_normals
from .tpose import JOINTS, PARENTS

_SIMILARITY_WIDTH = 0.1
_MUSH_STEPS = 8
_MUSH_STEPS_AT_HIPS = 20  # between the legs the surface folds within a hand's breadth: only a wide smoothing helps
_MUSH_STEPS_AT_HINGES = 2  # more would take the point off elbows and knees, and drag their keypoints along
_SPREAD_STEPS = 15
_MOST_SWELLING = 0.2  # share of a vertex's distance from the bone
_SWELLING = ("spine1", "spine2", "spine3", "left_shoulder", "right_shoulder")
_HIPS = ("left_hip", "right_hip")
_HINGES = ("left_elbow", "right_elbow", "left_knee", "right_knee")
_HINGE_REACH_M = 0.3
_STRAIGHT_COSINE = 0.9
_NEXT = {
    "pelvis": "spine1", "spine1": "spine2", "spine2": "spine3", "spine3": "neck", "neck": "head",
} | {
    f"{side}_{joint}": f"{side}_{end}" for side in ("left", "right") for joint, end in (
        ("hip", "knee"), ("knee", "ankle"), ("ankle", "foot"), ("collar", "shoulder"), ("shoulder", "elbow"),
        ("elbow", "wrist"), ("wrist", "hand"),
    )
}  # fmt: skip


def centres_of_rotation(template: np.ndarray, faces: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(V, 3) the centre that each vertex turns about: where the surface shares its mixture of joints.

    A vertex of one joint alone turns with it whatever its centre; it gets its own place.
    """
    face_weights = weights[faces].mean(1)
    middles = template[faces].mean(1)
    areas = np.linalg.norm(face_normals(template, faces), axis=1)
    centres = template.copy()
    for vertex, own in enumerate(weights):
        joints = np.flatnonzero(own)
        similarity = np.zeros(len(faces))
        for first, j in enumerate(joints):
            for k in joints[first + 1 :]:
                difference = own[j] * face_weights[:, k] - own[k] * face_weights[:, j]
                product = own[j] * own[k] * face_weights[:, j] * face_weights[:, k]
                similarity += product * np.exp(-((difference / _SIMILARITY_WIDTH) ** 2))
        similarity *= areas
        if similarity.sum() > 1e-12:
            centres[vertex] = similarity @ middles / similarity.sum()
    return centres


def bone_points(template: np.ndarray, joints: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(V, 3) the point on the bones below each vertex: the nearest on each of its joints' bones, by its weights."""
    points = np.zeros_like(template)
    for j, name in enumerate(JOINTS):
        bone = joints[JOINTS.index(_NEXT[name])] - joints[j] if name in _NEXT else np.array([0.0, 1e-6, 0.0])
        along = np.clip((template - joints[j]) @ bone / (bone @ bone), 0, 1)
        points += weights[:, j, None] * (joints[j] + along[:, None] * bone)
    return points


class TargetSkinning:
    """The better skinning of one rest body.

    Args:
        template: (V, 3); joints: (24, 3) at rest; faces: (F, 3); weights: (V, 24).

    Attributes:
        concern: (V, 24) in 0..1, how much each joint's bending concerns a vertex: 1 where half of the weight lies on
            either side of the joint, spread a little further than the weights reach.
    """

    def __init__(self, template: np.ndarray, joints: np.ndarray, faces: np.ndarray, weights: np.ndarray) -> None:
        self._template, self._joints, self._faces, self._weights = template, joints, faces, weights
        self._edges, self._average = neighbour_average(faces, len(template))
        beyond = weights.copy()
        for j in range(23, 0, -1):
            beyond[:, PARENTS[j]] += beyond[:, j]
        self._beyond = beyond
        self.concern = np.clip(2 * self._spread(4 * beyond * (1 - beyond)), 0, 1)
        at_hips, at_hinges, swells = (
            self.concern[:, [JOINTS.index(name) for name in names]].max(1) for names in (_HIPS, _HINGES, _SWELLING)
        )
        self._swells = np.clip(swells - at_hips, 0, 1)
        steps = _MUSH_STEPS + (_MUSH_STEPS_AT_HINGES - _MUSH_STEPS) * at_hinges
        self._mush_steps = (steps + (_MUSH_STEPS_AT_HIPS - steps) * at_hips)[:, None]
        self._centres = centres_of_rotation(template, faces, weights)
        self._bones = bone_points(template, joints, weights)
        self._volume = signed_volume(template, faces)
        self._local_volume = self._volume_around(template, self._bones)
        self._smooth = self._mush(template)
        self._detail = template - self._smooth

    def pose(self, turn: np.ndarray, shift: np.ndarray) -> np.ndarray:
        """(N, V, 3) vertices under joint transforms as `skinning.joint_transforms` gives them."""
        centres = blend_skin(self._centres, turn, shift, self._weights)
        bones = blend_skin(self._bones, turn, shift, self._weights)
        posed = np.einsum("nvab,vb->nva", self._blended_rotations(turn), self._template - self._centres) + centres
        for n, surface in enumerate(posed):
            swollen = self._swell(self._swell(surface, bones[n]), bones[n])
            posed[n] = self._delta_mush(self._meet_at_hinges(swollen, turn[n], shift[n]))
        return posed

    def _blended_rotations(self, turn: np.ndarray) -> np.ndarray:
        """(N, V, 3, 3) from weighted quaternions, each on the side of the vertex's strongest joint."""
        quaternions = Rotation.from_matrix(turn.reshape(-1, 3, 3)).as_quat().reshape(len(turn), 24, 4)
        strongest = quaternions[:, self._weights.argmax(1)]
        blended = np.zeros_like(strongest)
        for j in range(24):
            moved = np.flatnonzero(self._weights[:, j])
            one = quaternions[:, None, j]
            side = np.where((strongest[:, moved] * one).sum(-1, keepdims=True) < 0, -1.0, 1.0)
            blended[:, moved] += self._weights[moved, j, None] * side * one
        return Rotation.from_quat(blended.reshape(-1, 4)).as_matrix().reshape(*strongest.shape[:2], 3, 3)

    def _swell(self, surface: np.ndarray, bones: np.ndarray) -> np.ndarray:
        """Push vertices away from the bone where the flesh below them lost volume, until the body has its volume."""
        left = np.clip(self._volume_around(surface, bones) / self._local_volume, 0.3, 1.0)
        growth = np.minimum(left**-0.5 - 1, _MOST_SWELLING) * self._swells
        swollen = surface + growth[:, None] * (surface - bones)
        now = signed_volume(surface, self._faces)
        gained = signed_volume(swollen, self._faces) - now
        if gained < 1e-9:
            return surface
        return surface + np.clip((self._volume - now) / gained, 0, 1) * (swollen - surface)

    def _volume_around(self, surface: np.ndarray, bones: np.ndarray) -> np.ndarray:
        """(V,) volume between the faces around a vertex and the bones below them, averaged over a wide ring."""
        apex = bones[self._faces].mean(1, keepdims=True)
        corners = surface[self._faces] - apex
        wedges = np.einsum("fc,fc->f", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6
        volumes = np.zeros(len(surface))
        for corner in range(3):
            np.add.at(volumes, self._faces[:, corner], wedges)
        return self._spread(volumes)

    def _meet_at_hinges(self, surface: np.ndarray, turn: np.ndarray, shift: np.ndarray) -> np.ndarray:
        """Bring vertices on the inner side of a bent hinge back to their own side of the plane that halves the bend.

        A vertex that lies beyond the hinge at rest already (weights overlap) may stay as far beyond as it is.
        """
        surface = surface.copy()
        for j, parent in ((j, PARENTS[j]) for j in map(JOINTS.index, _HINGES)):
            bone = self._joints[JOINTS.index(_NEXT[JOINTS[j]])] - self._joints[j]
            bone = bone / np.linalg.norm(bone)
            before, after = turn[parent] @ bone, turn[j] @ bone
            if before @ after > _STRAIGHT_COSINE:
                continue
            inwards = after - before
            across = (before + after) / max(np.linalg.norm(before + after), 1e-9)
            from_hinge = surface - (turn[j] @ self._joints[j] + shift[j])
            rest = self._template - self._joints[j]
            near = (np.linalg.norm(rest, axis=1) < _HINGE_REACH_M) & (from_hinge @ inwards > 0)
            near &= self._weights[:, j] + self._weights[:, parent] > 0.5
            place, place_at_rest = from_hinge @ across, rest @ bone
            too_far = np.where(
                self._beyond[:, j] < 0.5,
                np.maximum(place - np.maximum(place_at_rest, 0), 0),
                np.minimum(place - np.minimum(place_at_rest, 0), 0),
            )
            surface -= np.where(near, too_far, 0)[:, None] * across
        return surface

    def _spread(self, values: np.ndarray) -> np.ndarray:
        for _ in range(_SPREAD_STEPS):
            values = 0.5 * values + 0.5 * (self._average @ values)
        return values

    def _mush(self, surface: np.ndarray) -> np.ndarray:
        for step in range(_MUSH_STEPS_AT_HIPS):
            share = 0.5 * np.clip(self._mush_steps - step, 0, 1)
            surface = surface + share * (self._average @ surface - surface)
        return surface

    def _delta_mush(self, surface: np.ndarray) -> np.ndarray:
        smooth = self._mush(surface)
        return smooth + np.einsum("vab,vb->va", self._ring_rotations(smooth), self._detail)

    def _ring_rotations(self, smooth: np.ndarray) -> np.ndarray:
        """(V, 3, 3) the rotation that best turns a vertex's ring on the rest's smooth surface into the posed one's."""
        before = self._smooth[self._edges[1]] - self._smooth[self._edges[0]]
        after = smooth[self._edges[1]] - smooth[self._edges[0]]
        products = (after[:, :, None] * before[:, None, :]).reshape(-1, 9)
        count = len(smooth)
        gather = sp.csr_matrix((np.ones(len(before)), (self._edges[0], np.arange(len(before)))), (count, len(before)))
        normals = (vertex_normals(smooth, self._faces), vertex_normals(self._smooth, self._faces))
        size = 0.5 * (gather @ (before**2).sum(1))
        covariance = (gather @ products).reshape(-1, 3, 3)
        covariance += size[:, None, None] * normals[0][:, :, None] * normals[1][:, None, :]
        u, _, vt = np.linalg.svd(covariance)
        u[:, :, 2] *= np.linalg.det(u @ vt)[:, None]
        return u @ vt
