"""Which rows of a body regress which named point: joint sets that a body lacks, from those it has.

A body knows some joint sets itself (`Body.regressors`). The others are put together by name, and only where the field
treats two names as one place: detection sets share face, limbs and feet; SPIN's mapping of LSP, MPII and H36M points
is followed for hips, neck, spine and head (`JOINT_MAP`, `H36M_TO_J17` and their kin). What no rule reaches is unknown:
a zero row, and False beside it.
"""

from __future__ import annotations

import numpy as np

from cliff_core.skeletons import COCO17, COCO23, JOINT_SETS, SMPL24

_DETECTED = ("coco17", "coco23", "body25", "halpe26", "blazepose33")

# Points that are one place under several names; the earlier source is preferred.
_SAME_PLACE = (
    "lsp14.neck spin24.neck mpii16.upper_neck h36m17.neck",
    "lsp14.head_top spin24.head_top mpii16.head_top halpe26.head_top",
    "spin24.pelvis mpii16.pelvis h36m17.pelvis",
    "spin24.thorax mpii16.thorax",
    "spin24.spine h36m17.spine",
    "spin24.jaw h36m17.head",
    "spin24.head h36m17.head_top",
)
_MIDDLE = {
    "body25.neck": ("left_shoulder", "right_shoulder"),
    "halpe26.neck": ("left_shoulder", "right_shoulder"),
    "body25.mid_hip": ("left_hip", "right_hip"),
    "halpe26.mid_hip": ("left_hip", "right_hip"),
}
_ALIASES = {"left_foot_index": "left_big_toe", "right_foot_index": "right_big_toe"}  # BlazePose's toes

# Vertices of the official SMPL mesh (Meshcapade wiki and `smplx`), by the names `smplx` uses, in the order of its
# joints 24 to 44.
OFFICIAL_VERTEX_COUNT = 6890
OFFICIAL_VERTICES = {
    "nose": 332,
    "reye": 6260,
    "leye": 2800,
    "rear": 4071,
    "lear": 583,
    "LBigToe": 3216,
    "LSmallToe": 3226,
    "LHeel": 3387,
    "RBigToe": 6617,
    "RSmallToe": 6624,
    "RHeel": 6787,
    "lthumb": 2746,
    "lindex": 2319,
    "lmiddle": 2445,
    "lring": 2556,
    "lpinky": 2673,
    "rthumb": 6191,
    "rindex": 5782,
    "rmiddle": 5905,
    "rring": 6016,
    "rpinky": 6133,
}

_COCO23_VERTICES = {
    "nose": "nose",
    "left_eye": "leye",
    "right_eye": "reye",
    "left_ear": "lear",
    "right_ear": "rear",
    "left_big_toe": "LBigToe",
    "left_small_toe": "LSmallToe",
    "left_heel": "LHeel",
    "right_big_toe": "RBigToe",
    "right_small_toe": "RSmallToe",
    "right_heel": "RHeel",
}
_EXTRA_ROWS = ("right_hip", "left_hip", "neck", "head_top", "pelvis", "thorax", "spine", "jaw", "head")


def _sources(joint_set: str, name: str) -> list[tuple[str, str]]:
    """Where a point may come from, best first: pairs of joint set and name."""
    found = [(joint_set, name)]
    for group in _SAME_PLACE:
        if f"{joint_set}.{name}" in group.split():
            found += [(source, place) for source, place in (entry.split(".") for entry in group.split())]
    if name in ("left_hip", "right_hip"):  # detectors' hips and annotators' hips differ by centimetres
        order = ("coco23", "lsp14", "spin24", "h36m17") if joint_set in _DETECTED else ("lsp14", "spin24", "h36m17")
        found += [(source, name) for source in order]
    else:
        name = _ALIASES.get(name, name)
        if name in COCO17.names or (name in COCO23.names and joint_set in _DETECTED):
            found += [("coco23", name)]
    return found


def derive(own: dict[str, np.ndarray], own_known: dict[str, np.ndarray], joint_set: str):
    """Rows of a joint set from the joint sets that a body has.

    Args:
        own: joint set -> (K, V) rows of the body.
        own_known: joint set -> (K,) bool, False where a row is not known.
        joint_set: name in `skeletons.JOINT_SETS`.

    Returns:
        (K, V) float32 matrix, zero where unknown, and (K,) bool known.

    Raises:
        ValueError: a name that is no joint set, or "smpl24": those joints come from kinematics, not from vertices.
    """
    if joint_set not in JOINT_SETS or joint_set == SMPL24.name:
        possible = ", ".join(name for name in JOINT_SETS if name != SMPL24.name)
        raise ValueError(
            f"no keypoint regressor for {joint_set!r}: take one of {possible} (SMPL's 24 joints are PosedBody.joints)"
        )
    names = JOINT_SETS[joint_set].names
    vertex_count = next(iter(own.values())).shape[1] if own else 0
    matrix = np.zeros((len(names), vertex_count), dtype=np.float32)
    known = np.zeros(len(names), dtype=bool)

    def row_of(name: str, in_set: str):
        for source, source_name in _sources(in_set, name):
            if source in own and own_known[source][JOINT_SETS[source].index(source_name)]:
                return own[source][JOINT_SETS[source].index(source_name)]
        return None

    for index, name in enumerate(names):
        parts = _MIDDLE.get(f"{joint_set}.{name}", (name,))
        rows = [row_of(part, joint_set) for part in parts]
        if all(row is not None for row in rows):
            matrix[index] = np.mean(rows, axis=0)
            known[index] = True
    return matrix, known


def official_regressors(
    joint_regressor: np.ndarray, extra: np.ndarray | None = None, h36m: np.ndarray | None = None
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Keypoint regressors of an official SMPL mesh, which brings none of its own.

    Face and feet are vertices; knees, ankles, shoulders, elbows and wrists are SMPL's own joint regressor applied to
    the posed mesh. COCO hips, neck and head are none of SMPL's joints: they stay unknown unless SPIN's
    `J_regressor_extra.npy` or `J_regressor_h36m.npy` is given.

    Args:
        joint_regressor: (24, V) SMPL's `J_regressor`; face and feet are known where V is 6890.
        extra: (9, V) right hip, left hip, neck, head top (LSP), pelvis, thorax (MPII), spine, jaw, head (H36M).
        h36m: (17, V) in the order of `skeletons.H36M17`.

    Returns:
        Joint set -> (K, V) float32 rows, and joint set -> (K,) bool known; `coco23` always, `lsp14`, `spin24` and
        `h36m17` with the files they need.
    """
    vertex_count = joint_regressor.shape[1]
    own: dict[str, np.ndarray] = {}
    known: dict[str, np.ndarray] = {}

    def put(joint_set: str, name: str, row: np.ndarray):
        count = len(JOINT_SETS[joint_set])
        own.setdefault(joint_set, np.zeros((count, vertex_count), dtype=np.float32))
        known.setdefault(joint_set, np.zeros(count, dtype=bool))
        index = JOINT_SETS[joint_set].index(name)
        own[joint_set][index] = row
        known[joint_set][index] = True

    for name in COCO17.names:
        if name in SMPL24.names and "hip" not in name:
            put("coco23", name, joint_regressor[SMPL24.index(name)])
    if vertex_count == OFFICIAL_VERTEX_COUNT:
        for name, vertex in _COCO23_VERTICES.items():
            put("coco23", name, np.eye(1, vertex_count, OFFICIAL_VERTICES[vertex], dtype=np.float32)[0])
    if h36m is not None:
        own["h36m17"], known["h36m17"] = h36m.astype(np.float32), np.ones(len(h36m), dtype=bool)
    if extra is not None:
        for name, row in zip(_EXTRA_ROWS, extra, strict=True):
            put("spin24", name, row)
    complete = {
        name: derive(own, known, name) for name in {"coco23", *(("lsp14", "spin24") if extra is not None else ())}
    }
    if h36m is not None:
        complete["h36m17"] = own["h36m17"], known["h36m17"]
    return {name: rows for name, (rows, _) in complete.items()}, {name: flags for name, (_, flags) in complete.items()}
