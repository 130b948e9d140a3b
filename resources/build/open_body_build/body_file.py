"""The npz file of one body, in SMPL's layout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .regressors import Shared
from .shape_space import ShapeSpace
from .tpose import PARENTS


@dataclass(frozen=True)
class SharedParts:
    """What the three bodies have in common besides weights.

    Attributes:
        faces: (F, 3); joint_rows: (24, V); keypoint_rows: joint set -> (K, V); vertex_names: name -> vertex.
        posedirs: (V, 3, 207) pose correctives in metres.
    """

    faces: np.ndarray
    joint_rows: np.ndarray
    keypoint_rows: dict[str, np.ndarray]
    vertex_names: dict[str, int]
    posedirs: np.ndarray


def write_body(path: Path, gender: str, shape: ShapeSpace, shared: Shared, parts: SharedParts) -> None:
    """Write one body; the same inputs give the same bytes.

    Coordinates are rounded to a micrometre and weights to a millionth, far below what the body means, so that the file
    compresses and does not depend on the last bit of a linear algebra library.
    """
    template = np.round(shape.template, 6)
    kintree = np.stack([PARENTS, np.arange(24)])
    kintree[0, 0] = 2**32 - 1  # how SMPL's files say "no parent"
    names = sorted(parts.vertex_names)
    weights = _rounded_rows(shared.weights)
    joint_rows = _rounded_rows(parts.joint_rows)
    arrays = {
        "name": np.array(f"open_{gender}"),
        "gender": np.array(gender),
        "v_template": template.astype(np.float32),
        "shapedirs": np.round(shape.shapedirs, 6).astype(np.float32),
        "posedirs": parts.posedirs.astype(np.float32),
        "J_regressor": joint_rows,
        "J": (joint_rows.astype(np.float64) @ template).astype(np.float32),
        "weights": weights,
        "kintree_table": kintree.astype(np.uint32),
        "f": parts.faces.astype(np.uint32),
        "part_labels": weights.argmax(1).astype(np.int8),
        "mirror_vertices": shared.mirror.astype(np.int32),
        "vertex_names": np.array(names),
        "vertex_ids": np.array([parts.vertex_names[name] for name in names], dtype=np.int32),
        "bs_type": np.array("lrotmin"),
        "bs_style": np.array("lbs"),
    }
    for joint_set, rows in parts.keypoint_rows.items():
        arrays[f"regressor_{joint_set}"] = _rounded_rows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)


def _rounded_rows(rows: np.ndarray) -> np.ndarray:
    """float32 rows of millionths that still sum to one."""
    rounded = np.round(rows, 6)
    largest = rounded.argmax(1)
    rounded[np.arange(len(rows)), largest] += 1 - rounded.sum(1)
    return rounded.astype(np.float32)
