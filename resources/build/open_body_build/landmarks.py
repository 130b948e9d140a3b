"""Named vertices of the shared mesh, under the names that `smplx` uses for its extra joints."""

from __future__ import annotations

import numpy as np

FINGERS = ("thumb", "index", "middle", "ring", "pinky")


def name_vertices(
    template: np.ndarray,
    a_pose: np.ndarray,
    keypoints: dict[str, np.ndarray],
    bone_weights: np.ndarray,
    bone_names: tuple[str, ...],
    mirror: np.ndarray,
) -> dict[str, int]:
    """Vertices nearest to anny's face and foot points, fingertips, and the top of the head.

    Args:
        template: (V, 3) T-pose; a_pose: (V, 3) the average person where `keypoints` (name -> (3,)) are defined.
        bone_weights: (V, B) of anny's bones, which know single fingers; mirror: (V,) mirror images.
    """
    names: dict[str, int] = {}

    def nearest(point: np.ndarray, allowed: np.ndarray | None = None) -> int:
        distance = np.linalg.norm(a_pose - point, axis=1)
        return int(np.argmin(distance if allowed is None else np.where(allowed, distance, np.inf)))

    in_the_middle = mirror == np.arange(len(mirror))
    names["nose"] = nearest(keypoints["nose"], in_the_middle)
    for name, point in (("eye", "eye"), ("ear", "ear")):
        names["l" + name] = nearest(keypoints["left_" + point])
    for name, point in (("BigToe", "big_toe"), ("SmallToe", "small_toe"), ("Heel", "heel")):
        names["L" + name] = nearest(keypoints["left_" + point])
    for k, finger in enumerate(FINGERS, 1):
        of_the_tip = bone_weights[:, bone_names.index(f"finger{k}-3.L")] > 0.5
        outwards = template @ np.array([1.0, 0.0, 0.5 if finger == "thumb" else 0.0])
        names["l" + finger] = int(np.argmax(np.where(of_the_tip, outwards, -np.inf)))
    for name in [n for n in names if n[0] in "lL"]:
        names[("r" if name[0] == "l" else "R") + name[1:]] = int(mirror[names[name]])
    names["head_top"] = int(np.argmax(np.where(in_the_middle, template[:, 1], -np.inf)))
    return names
