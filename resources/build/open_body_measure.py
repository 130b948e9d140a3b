"""Measure the open bodies in poses that their correctives were not fitted on; prints a table.

    .venv/bin/python resources/build/open_body_measure.py

Poses: the held-out clips of resources/poses/pybullet.npz, random poses within joint limits, and single joints bent.
"before" is linear blend skinning alone, "after" the body as it is shipped. Half an hour on one core with all three
bodies; `--poses 20` for a quick look.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from open_body_build.measure import PoseMeasures
from open_body_build.skinning import blend_skin, joint_transforms, pose_feature, random_poses, rotvec_to_rotmat
from open_body_build.tpose import JOINTS

RESOURCES = Path(__file__).resolve().parents[1]
SINGLE = {
    "hip 90": {"left_hip": (-90, 0, 0)},
    "hip out 40": {"left_hip": (0, 0, 40)},
    "knee 90": {"left_knee": (90, 0, 0)},
    "knee 130": {"left_knee": (130, 0, 0)},
    "elbow 90": {"left_elbow": (0, -90, 0)},
    "elbow 130": {"left_elbow": (0, -130, 0)},
    "forearm turned 80": {"left_elbow": (-80, 0, 0)},
    "arm down 75": {"left_shoulder": (0, 0, -75)},
    "arm up 70": {"left_shoulder": (0, 0, 70)},
    "arm forward 85": {"left_shoulder": (0, -85, 0)},
    "bow 57": {"spine1": (25, 0, 0), "spine2": (20, 0, 0), "spine3": (12, 0, 0)},
}


def main() -> None:
    """Parse the command line and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--poses", type=int, default=150, help="how many of each kind")
    options = parser.parse_args()
    clips = np.load(RESOURCES / "poses" / "pybullet.npz")
    moving = clips["poses"][clips["heldout"]].astype(np.float64)
    chosen = np.random.default_rng(1).choice(len(moving), min(options.poses, len(moving)), replace=False)
    kinds = {"held-out clips": moving[chosen], "random": random_poses(options.poses, seed=99)}
    for gender in ("neutral", "male", "female"):
        body = np.load(RESOURCES / "bodies" / f"open_{gender}.npz")
        for kind, poses in kinds.items():
            _print_means(f"{gender}, {kind}", body, poses)
        if gender == "neutral":
            single = {name: _pose(joints) for name, joints in SINGLE.items()}
            before, after, _ = _measured(body, np.stack(list(single.values())))
            for name, old, new in zip(single, before, after, strict=True):
                print(f"  {name:18}", " ".join(f"{key} {old[key]:.4g} -> {new[key]:.4g};" for key in old))


def _pose(degrees: dict[str, tuple[float, float, float]]) -> np.ndarray:
    pose = np.zeros((24, 3))
    for joint, angles in degrees.items():
        pose[JOINTS.index(joint)] = np.deg2rad(angles)
    return pose


def _print_means(what: str, body: np.lib.npyio.NpzFile, poses: np.ndarray) -> None:
    before, after, moved_mm = _measured(body, poses)
    print(what, f"({len(poses)} poses)")
    for key in before[0]:
        old, new = (np.array([one[key] for one in many]) for many in (before, after))
        print(f"  {key:12} before {_spread(old)} | after {_spread(new)}")
    for joint_set, mean in moved_mm.items():
        print(f"  {joint_set} points moved by the correctives, mm: {_spread(mean)}")


def _spread(values: np.ndarray) -> str:
    low, high = np.percentile(values, (5, 95))
    return f"mean {values.mean():.4g}, 5 % {low:.4g}, 95 % {high:.4g}"


def _measured(body: np.lib.npyio.NpzFile, poses: np.ndarray) -> tuple[list, list, dict[str, np.ndarray]]:
    """Measures before and after for each pose, and how far the correctives move each named point, mm."""
    template = body["v_template"].astype(np.float64)
    faces = body["f"].astype(np.int64)
    weights = body["weights"].astype(np.float64)
    measures = PoseMeasures(template, faces)
    poses = poses * (np.arange(24) > 0)[:, None]
    rotmats = rotvec_to_rotmat(poses)
    turn, shift = joint_transforms(rotmats, body["J_regressor"] @ template)
    before, after = [], []
    moved: dict[str, list] = {key: [] for key in ("coco23", "lsp14", "h36m17")}
    posedirs = body["posedirs"].astype(np.float64).reshape(-1, 207)
    rows = {key: body[f"regressor_{key}"].astype(np.float64) for key in moved}
    for n, feature in enumerate(pose_feature(rotmats)):
        part = slice(n, n + 1)
        plain = blend_skin(template, turn[part], shift[part], weights)[0]
        corrected = template + (posedirs @ feature).reshape(-1, 3)
        shipped = blend_skin(corrected, turn[part], shift[part], weights)[0]
        before.append(measures.of(plain))
        after.append(measures.of(shipped))
        for key, matrix in rows.items():
            moved[key].append(1e3 * np.linalg.norm(matrix @ (shipped - plain), axis=1))
    return before, after, {key: np.array(values) for key, values in moved.items()}


if __name__ == "__main__":
    main()
