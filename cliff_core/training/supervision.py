"""What people and detectors say of the people who are to be refined, as a network's fine-tuning takes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from cliff_core.errors import GeometryError
from cliff_core.geometry.camera import crop_camera
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.inference import PLACED_ERROR, Crops, Placed, crop_points
from cliff_core.models.open_cliff import confidence_of
from cliff_core.records import Keypoints, Provenance

_RANK = {Provenance.MODEL: 1.0, Provenance.FIT: 1.0, Provenance.IMPORTED: 2.0, Provenance.HUMAN: 3.0}
_LABELS = (Provenance.HUMAN, Provenance.IMPORTED)
_HIDDEN = 0.5  # confidence of points that were placed but cannot be seen: hands are about twice as far off there
_NOWHERE_PX = 1e9  # so far out that it is not used
_FARTHEST = 4.0  # crop units; a point farther out belongs to somebody else, or the box does


@dataclass(frozen=True, slots=True)
class BodyEdits:
    """Parts of N bodies that a person set: direct supervision of exactly these.

    Attributes:
        rotmat: (N, 24, 3, 3) rotations, and rotmat_set: (N, 24) bool which of them are set.
        betas: (N, 10) shape, and betas_set: (N, 10) bool.
        cam_crop: (N, 3) crop camera of a place that a person set, and cam_set: (N,) bool.
    """

    rotmat: torch.Tensor
    rotmat_set: torch.Tensor
    betas: torch.Tensor
    betas_set: torch.Tensor
    cam_crop: torch.Tensor
    cam_set: torch.Tensor

    def __getitem__(self, rows) -> BodyEdits:
        """The edits of some people."""
        return BodyEdits(*(getattr(self, name)[rows] for name in self.__slots__))

    @property
    def of_anybody(self) -> torch.Tensor:
        """(N,) bool: of whom something is set."""
        return self.rotmat_set.any(1) | self.betas_set.any(1) | self.cam_set

    @classmethod
    def none(cls, count: int) -> BodyEdits:
        """Nothing set, of so many people."""
        return cls(
            torch.eye(3).expand(count, 24, 3, 3).clone(),
            torch.zeros(count, 24, dtype=torch.bool),
            torch.zeros(count, 10),
            torch.zeros(count, 10, dtype=torch.bool),
            torch.tensor([1.0, 0.0, 0.0]).repeat(count, 1),
            torch.zeros(count, dtype=torch.bool),
        )


@dataclass(frozen=True, slots=True)
class SparseEdits:
    """The same of many people, of whom few have anything set: nothing is held of the others.

    Attributes:
        place: (N,) number of each person in `of_some`; -1 where nothing is set.
        of_some: of those who have.
    """

    place: torch.Tensor
    of_some: BodyEdits

    def __getitem__(self, rows) -> BodyEdits:
        """The edits of some people."""
        place = self.place[rows]
        found, is_set = BodyEdits.none(len(place)), place >= 0
        for name in BodyEdits.__slots__ if bool(is_set.any()) else ():
            getattr(found, name)[is_set] = getattr(self.of_some, name)[place[is_set]]
        return found

    @property
    def of_anybody(self) -> torch.Tensor:
        """(N,) bool: of whom something is set."""
        return self.place >= 0

    @classmethod
    def none(cls, count: int) -> SparseEdits:
        """Nothing set, of so many people."""
        return cls(torch.full((count,), -1), BodyEdits.none(0))

    @classmethod
    def of(cls, count: int, rows: Sequence[int], edits: BodyEdits) -> SparseEdits:
        """Edits of the people in some rows of so many; those without any are left out."""
        is_set = edits.of_anybody
        place = torch.full((count,), -1)
        place[torch.tensor(rows, dtype=torch.int64)[is_set]] = torch.arange(int(is_set.sum()))
        return cls(place, edits[is_set])


AnyEdits = BodyEdits | SparseEdits


@dataclass(frozen=True, slots=True)
class PersonEdits:
    """What a person set of one body.

    Attributes:
        rotvecs: joint number -> (3,) axis-angle relative to the parent.
        betas: number -> value.
        transl: (3,) metres in the photo's camera; `None` if not set.
    """

    rotvecs: dict[int, np.ndarray]
    betas: dict[int, float]
    transl: np.ndarray | None = None


def body_edits(people: Sequence[PersonEdits], placed: Placed) -> BodyEdits:
    """The edits of people, as tensors; a place behind the camera is left out."""
    edits = BodyEdits.none(len(people))
    for row, person in enumerate(people):
        for joint, rotvec in person.rotvecs.items():
            edits.rotmat[row, joint] = torch.from_numpy(rotvec_to_rotmat(np.asarray(rotvec, dtype=np.float64))).float()
            edits.rotmat_set[row, joint] = True
        for number, value in person.betas.items():
            edits.betas[row, number] = value
            edits.betas_set[row, number] = True
        if person.transl is not None:
            camera = placed.cameras[row]
            try:
                cam = crop_camera(
                    np.asarray(person.transl, dtype=np.float64)[None],
                    placed.centre_px[row : row + 1],
                    placed.box_height_px[row : row + 1],
                    np.array([camera.focal_length_px]),
                    np.array([camera.image_size_px]),
                    np.array([camera.centre_px]),
                )
            except GeometryError:
                continue
            if np.isfinite(cam).all():
                edits.cam_crop[row] = torch.from_numpy(cam[0]).float()
                edits.cam_set[row] = True
    return edits


def weighed_points(
    people: Sequence[Sequence[Keypoints]], centre_px, box_height_px
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """All that is known of people's 2D points, in the order of `PosedBatch.points`.

    A point that a person or a file placed counts fully, half where it is hidden (visibility 1), a detected one by its
    confidence. Where several joint sets have the same point, a person's goes before a file's, that before a detector's.

    Args:
        people: the joint sets of each person.
        centre_px: (N, 2) and box_height_px: (N,) crop frames.

    Returns:
        (N, 47, 3) float32 x, y in crop units and confidence, as networks read them, 0 where nothing is known, or where
        it lies so far out that it cannot be this person's; (N, 47) how much each counts; and (N, 47) bool: which of
        them a person or a file placed.
    """
    best = torch.zeros(len(people), 47, 3)
    best_rank = torch.zeros(len(people), 47)
    for number in range(max(map(len, people), default=0)):
        sets = [person[number] if number < len(person) else None for person in people]
        points = crop_points([each and _weighed(each) for each in sets], centre_px, box_height_px, placed_error=0)
        rank = crop_points([each and _ranked(each) for each in sets], centre_px, box_height_px, placed_error=0)[..., 2]
        far = (points[..., :2].abs() > _FARTHEST).any(-1) | ~torch.isfinite(points).all(-1)
        points, rank = points.masked_fill(far[..., None], 0.0), rank.masked_fill(far, 0.0)
        better = rank > best_rank
        best = torch.where(better[..., None], points, best)
        best_rank = torch.maximum(rank, best_rank)
    weight, placed = best[..., 2], best_rank >= _RANK[Provenance.IMPORTED]
    confidence = torch.where(placed, weight * confidence_of(PLACED_ERROR), weight)
    return torch.cat([best[..., :2], confidence[..., None]], -1), weight, placed


def with_known_points(crops: Crops, people: Sequence[Sequence[Keypoints]]) -> Crops:
    """The same people with all that is known of their 2D points (`weighed_points`), as it is known in refining."""
    points, weight, placed = weighed_points(people, crops.centre_px, crops.box_height_px)
    return replace(crops, points=points, placed=2 * placed.sum(1) >= (weight > 0).sum(1))


def _weighed(points: Keypoints) -> Keypoints:
    sure = [source in _LABELS for source in points.source]
    placed = np.where(points.visibility == 1, _HIDDEN, 1.0)
    confidence = np.where(sure, placed, np.clip(np.nan_to_num(points.confidence), 0.0, 1.0))
    return replace(
        points, confidence=confidence, points_px=np.nan_to_num(points.points_px, nan=_NOWHERE_PX, posinf=_NOWHERE_PX)
    )


def _ranked(points: Keypoints) -> Keypoints:
    """The same points with their rank for a confidence: whose they are, and among equals how sure."""
    weighed = _weighed(points)
    rank = np.array([_RANK[source] for source in points.source])
    return replace(weighed, confidence=np.where(weighed.confidence > 0, rank + 0.5 * weighed.confidence, 0.0))
