"""What training needs to know of the people who are to be refined, in a form that other processes can open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cliff_core.execution.rows import RowFile
from cliff_core.execution.tensor_files import save_tensors
from cliff_core.inference import Crops, Placed
from cliff_core.records import Box, Camera
from cliff_core.training.refining import crops_with, rows_of
from cliff_core.training.supervision import BodyEdits, PersonEdits, SparseEdits, body_edits

_PLACED = ("centre_px", "box_height_px", "bbox_info", "points", "placed")


@dataclass(frozen=True, slots=True)
class KnownPeople:
    """N people who are to be refined.

    Attributes:
        crops: where they are, with features in a file; `points` are what is known of their 2D points.
        weight: (N, 47) how much each point supervises, 0 where it is only an input.
        edits: what annotators set.
        token: what the features follow from.
    """

    crops: Crops
    weight: torch.Tensor
    edits: SparseEdits
    token: str

    def __len__(self) -> int:
        return len(self.crops)

    @classmethod
    def of(
        cls,
        placed: Placed,
        features: RowFile,
        points: np.ndarray,
        weight: np.ndarray,
        by_hand: Mapping[int, PersonEdits],
        token: str,
    ) -> KnownPeople:
        """People of whom these are known: (N, 47, 3) points, (N, 47) weights, edits by row."""
        crops = crops_with(placed, features)
        crops.points[:] = torch.from_numpy(points)
        rows = sorted(by_hand)
        edits = body_edits([by_hand[row] for row in rows], rows_of(placed, rows)) if rows else BodyEdits.none(0)
        return cls(crops, torch.from_numpy(weight), SparseEdits.of(len(placed), rows, edits), token)

    def save(self, path: Path) -> None:
        """Write all but the features, which have a file of their own; plain tensors, numbers and texts.

        Raises:
            OSError: it cannot be written.
        """
        crops = self.crops
        state: dict[str, Any] = {name: torch.as_tensor(getattr(crops, name)) for name in _PLACED}
        state["boxes"] = torch.tensor([[*box.xyxy.tolist(), box.score] for box in crops.boxes], dtype=torch.float64)
        state["cameras"] = torch.tensor(
            [[each.focal_length_px, *each.image_size_px, *each.centre_px] for each in crops.cameras],
            dtype=torch.float64,
        )
        state |= {"weight": self.weight, "place": self.edits.place, "token": self.token}
        state["edits"] = {each.name: getattr(self.edits.of_some, each.name) for each in fields(BodyEdits)}
        state["features"] = list(crops.features.shape)
        save_tensors(state, path)

    @classmethod
    def load(cls, path: Path, features: Path) -> KnownPeople:
        """What `save` wrote."""
        state = torch.load(path, weights_only=True)
        boxes = tuple(Box(*row) for row in state["boxes"].tolist())
        cameras: dict[tuple, Camera] = {}
        for row in state["cameras"].tolist():
            cameras.setdefault(tuple(row), Camera(row[0], (int(row[1]), int(row[2])), (row[3], row[4])))
        of_all = tuple(cameras[tuple(row)] for row in state["cameras"].tolist())
        where = [state[name].numpy() for name in _PLACED[:2]] + [state[name] for name in _PLACED[2:]]
        placed = Placed(boxes, of_all, (None,) * len(boxes), *where)
        edits = SparseEdits(state["place"], BodyEdits(**state["edits"]))
        crops = crops_with(placed, RowFile(features, state["features"]))
        return cls(crops, state["weight"], edits, state["token"])
