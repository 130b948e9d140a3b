"""Clothes, hair and skin for synthetic people: one colour and one cloth thickness per vertex.

Everything is cut from the rest pose (T-pose, y up, metres): how far along an arm, a leg, the trunk or the head a
vertex lies decides what covers it. A sleeve is "the arms up to 0.6", trousers are "the legs up to 0.95".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cliff_core.skeletons import SMPL24
from cliff_core.synthetic.textures import cloth, cloth_colour, hair_colour, noise_at, skin_colour

_ARM = ("shoulder", "elbow", "wrist", "hand")
_LEG = ("hip", "knee", "ankle", "foot")
_TRUNK = ("pelvis", "spine1", "spine2", "spine3", "left_collar", "right_collar")


@dataclass(frozen=True, slots=True)
class Outfit:
    """What one synthetic person wears.

    Attributes:
        vertex_rgb: (V, 3) float32 0..255, colour without light.
        thickness_m: (V,) float32 how far cloth, hair or a sole stands off the skin; moving vertices by this along
            their normals makes loose clothes without touching joints.
    """

    vertex_rgb: np.ndarray
    thickness_m: np.ndarray


class Wardrobe:
    """Dresses bodies of one model; all that depends on the body alone is worked out once.

    Args:
        body: anything with `v_template` (V, 3), `weights` (V, 24), `J_regressor` (24, V) in SMPL's layout; a method
            `keypoint_regressor("coco23")` is used for eyes and mouth where it exists.
    """

    def __init__(self, body):
        vertices = np.asarray(body.v_template, dtype=np.float64)
        joints = np.asarray(body.J_regressor, dtype=np.float64) @ vertices
        owner = np.asarray(body.weights).argmax(axis=1)
        self._points = vertices.astype(np.float32)
        self._arm = _among(owner, [f"{side}_{part}" for side in ("left", "right") for part in _ARM])
        self._leg = _among(owner, [f"{side}_{part}" for side in ("left", "right") for part in _LEG])
        self._head = _among(owner, ["head"])
        self._neck = _among(owner, ["neck"])
        self._trunk = _among(owner, list(_TRUNK))
        # 0 at the shoulder, 1 at the wrist; 0 at the hip, 1 at the ankle; 0 at the pelvis, 1 at the neck.
        left = vertices[:, 0] > 0
        self._along_arm = _along_limb(vertices, joints, left, "shoulder", "wrist")
        self._along_leg = _along_limb(vertices, joints, left, "hip", "ankle")
        pelvis, neck = joints[SMPL24.index("pelvis")], joints[SMPL24.index("neck")]
        self._along_trunk = (vertices[:, 1] - pelvis[1]) / (neck[1] - pelvis[1])
        self._to_neck = np.linalg.norm((vertices - neck) * (1.0, 1.0, 0.7), axis=1)
        # In the head: 0 chin to 1 crown, and -1 back to 1 face.
        skull = vertices[self._head]
        low, high = skull.min(axis=0), skull.max(axis=0)
        self._up_head = (vertices[:, 1] - low[1]) / (high[1] - low[1])
        self._front_head = (vertices[:, 2] - (low[2] + high[2]) / 2) / ((high[2] - low[2]) / 2)
        self._behind_neck = vertices[:, 2] < neck[2]
        self._face = _face_features(body, vertices, self._head)

    def dress(self, rng: np.random.Generator) -> np.ndarray:
        """(V, 3) float32 colours 0..255 of a person dressed at random."""
        return self.outfit(rng).vertex_rgb

    def outfit(self, rng: np.random.Generator) -> Outfit:
        """Dress a person at random: skin, hair, top, bottom, shoes, now and then a dress, gloves or a hat."""
        skin = skin_colour(rng)
        mottle = (noise_at(rng, self._points, 0.07) - 0.5) * rng.uniform(0.02, 0.12)
        rgb = skin * (1 + mottle[:, None])
        thickness = np.zeros(len(rgb), np.float32)
        self._put_on_bottom(rng, rgb, thickness)
        if rng.random() < 0.94:
            self._put_on_top(rng, rgb, thickness)
        if rng.random() < 0.85:
            self._put_on_shoes(rng, rgb, thickness)
        if rng.random() < 0.06:
            worn = self._arm & (self._along_arm > rng.uniform(0.9, 1.0))
            self._wear(rgb, thickness, worn, cloth_colour(rng), rng.uniform(0.001, 0.004))
        self._draw_face(rng, rgb, skin)
        self._grow_hair(rng, rgb, thickness)
        self._crease(rng, rgb, thickness)
        return Outfit(np.clip(rgb, 0, 255).astype(np.float32), thickness)

    def _wear(self, rgb, thickness, worn, colours, thickness_m):
        rgb[worn] = colours
        thickness[worn] = thickness_m

    def _put_on_bottom(self, rng, rgb, thickness):
        kind = rng.random()
        if kind < 0.55:
            length = rng.uniform(0.9, 1.02)  # trousers
        elif kind < 0.9:
            length = rng.uniform(0.2, 0.6)  # shorts or a skirt
        else:
            length = rng.uniform(-0.02, 0.12)  # briefs
        waist = rng.uniform(0.02, 0.3)
        worn = (self._leg & (self._along_leg < length)) | (self._trunk & (self._along_trunk < waist))
        loose = rng.uniform(0.001, 0.02) * rng.random()
        fit = loose * (1 + np.clip(self._along_leg[worn], 0, 1) * rng.uniform(0, 1.2))
        self._wear(rgb, thickness, worn, cloth(rng, self._points[worn], plain=0.65), fit)
        if rng.random() < 0.15:  # a belt
            belt = self._trunk & (np.abs(self._along_trunk - waist) < 0.05)
            rgb[belt] = cloth_colour(rng) * 0.6
        if rng.random() < 0.1 and length > 0.3:  # stripes down the sides
            sides = worn & self._leg & (np.abs(self._points[:, 0]) > rng.uniform(0.155, 0.17))
            rgb[sides] = cloth_colour(rng)

    def _put_on_top(self, rng, rgb, thickness):
        kind = rng.random()
        if kind < 0.2:
            sleeve = rng.uniform(-0.2, 0.06)  # none
        elif kind < 0.6:
            sleeve = rng.uniform(0.2, 0.55)
        else:
            sleeve = rng.uniform(0.85, 1.02)
        hem = rng.choice(
            (rng.uniform(-0.05, 0.18), rng.uniform(-0.3, 0.0), rng.uniform(0.3, 0.55)), p=(0.68, 0.25, 0.07)
        )
        collar = rng.uniform(0.06, 0.13)
        worn = (self._trunk | self._neck) & (self._along_trunk > hem) & (self._to_neck > collar)
        worn |= self._arm & (self._along_arm < sleeve)
        if hem < 0.05:  # long tops cover the hips, dresses the thighs
            skirt = -hem * rng.choice((0.6, 1.0, 2.2), p=(0.5, 0.35, 0.15))
            worn |= self._leg & (self._along_leg < skirt)
        if rng.random() < 0.12:  # a deep cut in front
            worn &= ~(self._trunk & ~self._behind_neck & (self._to_neck < collar + rng.uniform(0.04, 0.1)))
        loose = rng.uniform(0.002, 0.03) * rng.random()
        colours = cloth(rng, self._points[worn])
        self._wear(rgb, thickness, worn, colours, loose)
        if rng.random() < 0.12:  # sleeves of another colour
            sleeves = worn & self._arm
            rgb[sleeves] = cloth(rng, self._points[sleeves])
        if rng.random() < 0.12:  # an open jacket over it
            jacket = worn & ((np.abs(self._points[:, 0]) > rng.uniform(0.03, 0.09)) | self._behind_neck)
            self._wear(rgb, thickness, jacket, cloth(rng, self._points[jacket]), loose + rng.uniform(0.003, 0.02))

    def _put_on_shoes(self, rng, rgb, thickness):
        height = rng.choice(
            (rng.uniform(0.97, 1.0), rng.uniform(0.9, 0.97), rng.uniform(0.55, 0.8)), p=(0.6, 0.32, 0.08)
        )
        worn = self._leg & (self._along_leg > height)
        self._wear(rgb, thickness, worn, cloth_colour(rng), rng.uniform(0.003, 0.012))
        sole = self._leg & (self._points[:, 1] < self._points[:, 1].min() + 0.02)
        if rng.random() < 0.5:
            rgb[sole] = rng.uniform(20, 250)
        if rng.random() < 0.4:  # socks
            socks = self._leg & (self._along_leg > height - rng.uniform(0.03, 0.25)) & ~worn & (thickness == 0)
            self._wear(rgb, thickness, socks, cloth_colour(rng), 0.002)

    def _draw_face(self, rng, rgb, skin):
        shape = rng.uniform(0.85, 1.15)
        for feature, colour in (
            ("lips", skin * (0.8, 0.55, 0.55) + (18.0, 0, 4.0)),
            ("brows", skin * rng.uniform(0.2, 0.6)),
            ("eyes", np.full(3, rng.uniform(15, 60))),
        ):
            distance = self._face.get(feature)
            if distance is not None:
                weight = np.clip(1.6 - distance / shape, 0, 1)[:, None] * 0.85
                rgb += weight * (colour - rgb)
        if rng.random() < 0.2:  # beard
            height = rng.uniform(0.25, 0.42)
            bearded = self._head & (self._up_head < height) & (self._front_head > rng.uniform(-0.1, 0.3))
            weight = rng.uniform(0.3, 0.95)
            rgb[bearded] += weight * (hair_colour(rng) - rgb[bearded])
        if rng.random() < 0.08 and "eyes" in self._face:  # glasses, dark mostly
            rgb[self._face["eyes"] < rng.uniform(1.6, 2.4)] = rng.uniform(5, 70)

    def _grow_hair(self, rng, rgb, thickness):
        if rng.random() < 0.12:
            return  # bald
        front, side, back = rng.uniform(0.78, 0.9), rng.uniform(0.4, 0.75), rng.uniform(0.0, 0.4)
        ahead = np.clip(self._front_head, -1, 1)
        line = np.where(ahead > 0, side + (front - side) * np.sqrt(np.abs(ahead)), side + (back - side) * -ahead)
        line = line + (noise_at(rng, self._points, 0.03) - 0.5) * 0.1
        covered = self._head & (self._up_head > line)
        colour = hair_colour(rng)
        volume = rng.uniform(0.002, 0.035) * rng.random()
        if rng.random() < 0.35:  # long hair falls over neck, shoulders and back
            length, width = rng.uniform(0.65, 1.05), rng.uniform(0.06, 0.13)
            falls = (self._neck | self._trunk) & (self._along_trunk > length)
            covered |= falls & self._behind_neck & (np.abs(self._points[:, 0]) < width)
            covered |= self._head & (self._front_head < rng.uniform(-0.2, 0.25))
        streaks = 1 + (noise_at(rng, self._points * (1.0, 0.25, 1.0), 0.02) - 0.5) * rng.uniform(0.1, 0.7)
        self._wear(rgb, thickness, covered, colour * streaks[covered, None], volume)
        if rng.random() < 0.1:  # a hat, cap or hood
            brim = rng.uniform(0.62, 0.8)
            hat = self._head & (self._up_head > brim - rng.uniform(0, 0.35) * (self._front_head < 0))
            self._wear(rgb, thickness, hat, cloth(rng, self._points[hat]), rng.uniform(0.005, 0.03))

    def _crease(self, rng, rgb, thickness):
        """Folds: cloth is brighter and darker in patches, the more the looser it is."""
        folds = noise_at(rng, self._points * (1.0, rng.uniform(0.4, 1.0), 1.0), rng.uniform(0.03, 0.08)) - 0.5
        strength = np.where(thickness > 0, rng.uniform(0.05, 0.45), 0.0).astype(np.float32)
        rgb *= (1 + strength * folds)[:, None]


def _among(owner, names):
    return np.isin(owner, [SMPL24.index(name) for name in names])


def _along_limb(vertices, joints, left, first, last):
    along = np.empty(len(vertices))
    for side, chosen in (("left", left), ("right", ~left)):
        start = joints[SMPL24.index(f"{side}_{first}")]
        limb = joints[SMPL24.index(f"{side}_{last}")] - start
        along[chosen] = (vertices[chosen] - start) @ limb / (limb @ limb)
    return along


def _face_features(body, vertices, head):
    """Distance of each vertex from eyes, brows and lips, in units of their size; empty for bodies without a face."""
    if not hasattr(body, "keypoint_regressor"):
        return {}
    matrix, known = body.keypoint_regressor("coco23")
    if not np.asarray(known)[:3].all():
        return {}
    nose, left_eye, right_eye = (np.asarray(matrix, dtype=np.float64) @ vertices)[:3]
    apart = np.linalg.norm(left_eye - right_eye)
    up = (left_eye + right_eye) / 2 - nose
    to_brow = np.array([0.0, apart * 0.32, 0.0])
    centres = {
        "eyes": ((left_eye, right_eye), (0.22, 0.13, 0.5)),
        "brows": ((left_eye + to_brow, right_eye + to_brow), (0.36, 0.09, 0.6)),
        "lips": ((nose - up * 1.15,), (0.42, 0.15, 0.6)),
    }
    distances = {}
    for name, (points, size) in centres.items():
        scaled = [np.linalg.norm((vertices - point) / (np.array(size) * apart), axis=1) for point in points]
        distances[name] = np.where(head, np.min(scaled, axis=0), np.inf)
    return distances
