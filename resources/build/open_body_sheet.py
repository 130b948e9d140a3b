"""Draw the open bodies: docs/pictures/open_body.jpg, and with --all DIR every pose from four sides for a close look.

.venv/bin/python resources/build/open_body_sheet.py [--all DIR]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from cliff_core.body import Body, load_body
from cliff_core.images import write_image
from cliff_core.rendering.body_layer import paint_bodies
from cliff_core.rendering.overlay import contact_sheet, person_colour
from cliff_core.rendering.rasteriser import Viewport
from cliff_core.skeletons import SMPL24

REPOSITORY = Path(__file__).resolve().parents[2]
GENDERS = ("neutral", "male", "female")
_MIRROR_AXES = np.array([1.0, -1.0, -1.0])
_GROUND_RGB = (236, 238, 241)


def pose(**degrees: tuple[float, float, float]) -> np.ndarray:
    """(24, 3, 3) rotations from degrees about x, y, z; a name without side bends both sides in mirror image."""
    rotmats = np.repeat(np.eye(3)[None], 24, 0)
    for name, angles in degrees.items():
        rotvec = np.deg2rad(np.array(angles, float))
        sides = {name: rotvec} if name in SMPL24.names else {
            f"left_{name}": rotvec, f"right_{name}": rotvec * _MIRROR_AXES
        }  # fmt: skip
        for joint, turned in sides.items():
            rotmats[SMPL24.index(joint)] = cv2.Rodrigues(turned)[0]
    return rotmats


POSES = {
    "T": pose(),
    "standing": pose(shoulder=(0, 0, -68), collar=(0, 0, -5), elbow=(0, -12, 0)),
    "arms up": pose(shoulder=(0, 0, 65), collar=(0, 0, 20)),
    "arms forward": pose(shoulder=(0, -85, 0), collar=(0, -8, 0)),
    "walking": pose(
        left_hip=(-30, 0, 0), right_hip=(22, 0, 0), left_knee=(15, 0, 0), right_knee=(38, 0, 0),
        left_shoulder=(30, 0, -68), right_shoulder=(-30, 0, 68), elbow=(0, -25, 0),
    ),
    "sitting": pose(hip=(-90, 0, 8), knee=(90, 0, 0), shoulder=(0, -45, -55), elbow=(0, -35, 0)),
    "squatting": pose(
        hip=(-115, 0, 18), knee=(130, 0, 0), ankle=(-20, 0, 0), spine1=(20, 0, 0), shoulder=(0, -75, -15)
    ),
    "kneeling": pose(
        left_hip=(-90, 0, 5), left_knee=(92, 0, 0), right_hip=(5, 0, -3), right_knee=(95, 0, 0), shoulder=(0, 0, -68)
    ),
    "bowing": pose(
        pelvis=(60, 0, 0), hip=(-65, 0, 3), spine1=(22, 0, 0), spine2=(18, 0, 0), spine3=(10, 0, 0),
        shoulder=(0, -75, 0),
    ),
    "high kick": pose(left_hip=(-105, 0, 0), right_hip=(18, 0, 0), shoulder=(0, 20, -30)),
    "lunge": pose(
        left_hip=(-70, 0, 0), left_knee=(85, 0, 0), right_hip=(35, 0, 0), right_knee=(20, 0, 0), right_foot=(-30, 0, 0),
        shoulder=(0, 0, -30), elbow=(0, -90, 0),
    ),
    "arms crossed": pose(shoulder=(0, -70, -45), elbow=(0, -100, 20), collar=(0, -10, 0)),
    "turned": pose(
        spine1=(0, 15, 0), spine2=(0, 15, 0), spine3=(0, 15, 0), neck=(0, 20, 0), head=(0, 35, 0),
        shoulder=(60, 0, -20), elbow=(-70, -20, 0),
    ),
    "straddle": pose(hip=(0, 0, 45), shoulder=(0, 0, 20), elbow=(0, -15, 0)),
}  # fmt: skip


def main() -> None:
    """Write the picture of the documentation, and the close look if asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", type=Path, help="folder for one sheet per body: every pose from four sides")
    options = parser.parse_args()
    bodies = {gender: load_body(gender=gender) for gender in GENDERS}
    if options.all:
        for number, (gender, body) in enumerate(bodies.items()):
            cells = [draw(body, POSES[name], yaw, number) for name in POSES for yaw in (0, 90, 180, -45)]
            labels = [f"{name}, {side}" for name in POSES for side in ("front", "right", "back", "half left")]
            write_image(options.all / f"open_{gender}.png", contact_sheet(cells, labels, columns=8, cell_px=(300, 300)))
    write_image(REPOSITORY / "docs" / "pictures" / "open_body.jpg", documentation_sheet(bodies))


def documentation_sheet(bodies: dict[str, Body]) -> np.ndarray:
    """The three bodies, what the first betas do, and poses."""
    cells, labels = [], []
    for number, (gender, body) in enumerate(bodies.items()):
        for yaw, side in ((-25, "front"), (155, "back")):
            cells.append(draw(body, POSES["standing"], yaw, number, None, (216, 285), 142))
            labels.append(f"{gender}, {side}")
    for beta in range(3):
        for amount in (-2, 2):
            betas = np.zeros(10)
            betas[beta] = amount
            cells.append(draw(bodies["neutral"], POSES["standing"], -25, 0, betas, (216, 285), 130))
            labels.append(f"neutral, beta {beta} = {amount:+d}")
    shown = [name for name in POSES if name not in ("T", "standing")]
    for number, name in enumerate(shown):
        who, yaw = number % 3, (-35, 35, 60)[number % 3]
        cells.append(draw(bodies[GENDERS[who]], POSES[name], yaw, who, None, (216, 285), 125))
        labels.append(name)
    return contact_sheet(cells, labels, columns=6, cell_px=(216, 285), title="The open body")


def draw(
    body: Body, rotmats: np.ndarray, yaw_deg: float, colour: int, betas: np.ndarray | None = None,
    size_px: tuple[int, int] = (300, 300), pixels_per_metre: float | None = None,
) -> np.ndarray:  # fmt: skip
    """One body seen from a few metres, turned by `yaw_deg`, in the middle of a light picture."""
    posed = body.pose(rotmats, np.zeros(10) if betas is None else betas).vertices
    c, s = np.cos(np.deg2rad(yaw_deg)), np.sin(np.deg2rad(yaw_deg))
    turned = posed @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T * [1, -1, -1]  # to the camera frame: y down, z away
    turned -= (turned.max(0) + turned.min(0)) / 2
    distance = 6.0
    per_metre = pixels_per_metre or 0.9 * min(size_px) / max(1.6, np.ptp(turned[:, :2], axis=0).max())
    view = Viewport(per_metre * distance, (size_px[0] / 2, size_px[1] / 2), size_px)
    picture = np.full((size_px[1], size_px[0], 3), _GROUND_RGB, np.uint8)
    turned[:, 2] += distance
    paint_bodies(picture, [(turned.astype(np.float32), person_colour(colour))], body.faces, view, 1.0)
    return picture


if __name__ == "__main__":
    main()
