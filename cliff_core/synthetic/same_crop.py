"""The paper's first figure, rendered: people of whom every crop shows the same, and who are turned differently.

A person and the ray to him are turned together about the camera. He moves across the photo and looks, cut out, as
before but for a slight stretch; in the camera's frame he faces elsewhere. What the crop alone shows cannot tell.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from cliff_core.body import Body
from cliff_core.errors import TrainingError
from cliff_core.geometry.crop import bbox_info, crop_frame, crop_image
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.models.blazepose import BlazePoseTrunk
from cliff_core.models.open_cliff import OPEN_CROP
from cliff_core.records import Camera
from cliff_core.rendering.rasteriser import Canvas, Viewport, vertex_normals
from cliff_core.skeletons import SMPL24
from cliff_core.synthetic.appearance import Wardrobe, light
from cliff_core.synthetic.poses import PoseBank
from cliff_core.synthetic.views import sample_orientations

CAMERA = Camera(1760.0, (1920, 1080))
DEPTH_M = 6.5
_SUPERSAMPLING = 2
_WALL_TOP, _WALL_FOOT, _FLOOR_BACK, _FLOOR_FRONT = (196, 202, 207), (219, 222, 224), (150, 140, 130), (178, 168, 156)
_DRAWN, _MOST_ROUNDS = 60, 20
_HEAD_ABOVE_M, _ANKLES_BELOW_M = 0.45, 0.6
_SHADOW_BLUR_PX, _SHADOW = 14, 0.4
_HORIZON = 0.62  # of the photo's height; the same everywhere, so that it does not tell the crops apart


@dataclass(frozen=True, slots=True)
class SameCrop:
    """People who look alike in their crops.

    Attributes:
        photo: (H, W, 3) uint8 with all of them, by `CAMERA`.
        rotmat: (N, 24, 3, 3), joint 0 in the camera frame.
        betas: (N, 10), all the same.
        vertices: (N, V, 3) camera frame, metres.
        boxes_px: (N, 4) left, top, right, bottom of the crops.
        crops: (N, 256, 256, 3) uint8, what the network sees.
        bbox_info: (N, 3).
    """

    photo: np.ndarray
    rotmat: np.ndarray
    betas: np.ndarray
    vertices: np.ndarray
    boxes_px: np.ndarray
    crops: np.ndarray
    bbox_info: np.ndarray

    def features(self, trunk: BlazePoseTrunk) -> torch.Tensor:
        """(N, 3768) what the trunk makes of the crops."""
        images = torch.from_numpy(self.crops).permute(0, 3, 1, 2)
        with torch.inference_mode():
            return trunk(images.float() / 255).features().clone()


def same_crops(
    body: Body,
    wardrobe: Wardrobe,
    rotmat: np.ndarray,
    betas: np.ndarray,
    angles_deg: tuple[float, ...],
    seed: int,
) -> SameCrop:
    """One person, once for every angle, on one photo.

    Args:
        body: whose.
        wardrobe: for that body.
        rotmat: (24, 3, 3) pose, joint 0 in the camera frame, for the place on the camera's axis.
        betas: (10,).
        angles_deg: where to put the person, degrees to the right of the axis.
        seed: of clothes and light.
    """
    pelvis = body.pose(rotmat, betas).joints[0]
    poses, meshes = [], []
    for angle in np.radians(angles_deg):
        turn = rotvec_to_rotmat(np.array([0.0, angle, 0.0]))
        turned = rotmat.copy()
        turned[0] = turn @ rotmat[0]
        transl = turn @ np.array([0.0, 0.0, DEPTH_M]) - pelvis  # the pelvis on the ray; posing leaves it where it is
        poses.append(turned)
        meshes.append(body.pose(turned, betas, transl).vertices)
    vertices = np.stack(meshes)
    photo = _photograph(body, wardrobe, vertices, seed)
    pixels = vertices[..., :2] / vertices[..., 2:] * CAMERA.focal_length_px + CAMERA.centre_px
    centre, height = crop_frame(np.concatenate([pixels.min(1), pixels.max(1)], axis=1), OPEN_CROP)
    crops = [crop_image(photo, place, size, OPEN_CROP) for place, size in zip(centre, height, strict=True)]
    size = np.tile(CAMERA.image_size_px, (len(vertices), 1))
    info = bbox_info(centre, height, np.full(len(vertices), CAMERA.focal_length_px), size)
    boxes = np.concatenate([centre - height[:, None] / 2, centre + height[:, None] / 2], axis=1)
    shown = np.clip(np.rint(crops), 0, 255).astype(np.uint8)
    return SameCrop(photo, np.stack(poses), np.tile(betas, (len(poses), 1)), vertices, boxes, shown, info)


def _photograph(body: Body, wardrobe: Wardrobe, vertices: np.ndarray, seed: int) -> np.ndarray:
    """Everybody in the same clothes and, seen along his ray, in the same light."""
    rng = np.random.default_rng(seed)
    outfit = wardrobe.outfit(rng)
    canvas = Canvas(Viewport.of_camera(CAMERA).scaled(_SUPERSAMPLING))
    first = vertex_normals(vertices[0], body.faces)
    colours = outfit.vertex_rgb * light(first, rng, vertices[0])
    for mesh in vertices:
        normals = vertex_normals(mesh, body.faces)
        canvas.draw(mesh + normals * outfit.thickness_m[:, None], body.faces, colours)
    return canvas.over(_shaded(_room(), body, vertices))


def _shaded(room: np.ndarray, body: Body, vertices: np.ndarray) -> np.ndarray:
    """The room with a soft shadow below everybody."""
    ground = vertices[..., 1].max()
    canvas = Canvas(Viewport.of_camera(CAMERA))
    for mesh in vertices:
        flat = mesh.copy()
        flat[:, 1] = ground
        canvas.draw(flat, body.faces, np.zeros_like(flat), cull=False)
    shadow = cv2.GaussianBlur(canvas.mask.astype(np.float32), (0, 0), _SHADOW_BLUR_PX)
    return (room * (1 - _SHADOW * shadow[..., None])).astype(np.uint8)


def _room() -> np.ndarray:
    """(H, W, 3) uint8 a wall and a floor without anything to hold on to."""
    width, height = CAMERA.image_size_px
    edge = round(_HORIZON * height)
    wall = np.linspace(_WALL_TOP, _WALL_FOOT, edge)
    floor = np.linspace(_FLOOR_BACK, _FLOOR_FRONT, height - edge)
    rows = np.rint(np.concatenate([wall, floor])).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(rows[:, None], (height, width, 3)))


def upright_people(body: Body, poses: PoseBank, rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """People of a bank who stand or walk: (count, 24, 3, 3) rotations in the camera frame and (count, 10) betas.

    Raises:
        TrainingError: hardly anybody in the bank stands.
    """
    rotmats: list[np.ndarray] = []
    for _ in range(_MOST_ROUNDS):
        drawn = rotvec_to_rotmat(poses.sample(rng, _DRAWN))
        drawn[:, 0] = sample_orientations(rng, _DRAWN) @ drawn[:, 0]
        rotmats += [rotmat for rotmat in drawn if _stands(body, rotmat)]
        if len(rotmats) >= count:
            return np.stack(rotmats[:count]), np.clip(rng.normal(0, 1, (count, 10)), -2, 2)
    raise TrainingError("hardly any of these poses stands upright; the picture of people with the same crop needs some")


def _stands(body: Body, rotmat: np.ndarray) -> bool:
    joints = body.forward_kinematics(rotmat, np.zeros(10))[0]
    height = joints[SMPL24.index("pelvis"), 1] - joints[:, 1]  # y points down
    ankles = height[[SMPL24.index("left_ankle"), SMPL24.index("right_ankle")]]
    return bool(height[SMPL24.index("head")] > _HEAD_ABOVE_M and ankles.max() < -_ANKLES_BELOW_M)
