"""Whom the methods are compared on: rendered or real people with features, and what somebody marks of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np
import torch

from cliff_core.evaluation.frames import RenderedPerson
from cliff_core.evaluation.points_only import POINT_ROWS
from cliff_core.evaluation.real_photos import RealPerson, read_real_photos
from cliff_core.evaluation.rendered import RenderedBenchmark
from cliff_core.execution.array_cache import ArrayCache
from cliff_core.geometry.crop_units import to_crop_units
from cliff_core.images import read_image
from cliff_core.inference import Crops, Placed, Predictor
from cliff_core.records import Camera, Keypoints, SmplParams
from cliff_core.skeletons import COCO23, SMPL24
from cliff_core.training.focal import USUAL_SPREAD, estimate_focals
from cliff_core.training.refining import crops_with, trunk_key, with_points

_POINTS = len(COCO23) + len(SMPL24)
_NOISE_CROP_PX = 256
_FLIP = np.concatenate([COCO23.flip, len(COCO23) + np.asarray(SMPL24.flip)])
_LIMBS = tuple(
    np.array([row for row, name in enumerate((*COCO23.names, *SMPL24.names)) if any(part in name for part in parts)])
    for parts in (("hip", "knee", "ankle", "toe", "heel", "foot"), ("shoulder", "elbow", "wrist", "hand"))
)

ESTIMATED = "estimated"

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Condition:
    """What is known of people beside their photos.

    Attributes:
        joint_set: which points somebody marks: a key of `POINT_ROWS`.
        noise_px: standard deviation in x and y, pixels of a crop 256 px high.
        missing: share of the points that nobody marked.
        swapped: share of people of whom left and right of arms or legs (one or the other) are exchanged.
        focal: what the focal length is taken for, in true ones; `None` for CLIFF's guess, the photo's diagonal;
            `ESTIMATED` for what the people of each photo say (`estimate_focals`).
    """

    joint_set: str = "coco17"
    noise_px: float = 0.0
    missing: float = 0.0
    swapped: float = 0.0
    focal: float | str | None = 1.0

    def __str__(self) -> str:
        words = [{"coco17": "COCO-17", "coco23": "COCO-23", "smpl24": "SMPL-24"}[self.joint_set]]
        words.append(f"{self.noise_px:g} px" if self.noise_px else "exact")
        words += [f"{self.missing:.0%} missing"] if self.missing else []
        words += [f"sides of {self.swapped:.0%} swapped"] if self.swapped else []
        words += ["focal length guessed"] if self.focal is None else []
        words += ["focal length estimated"] if self.focal == ESTIMATED else []
        words += [f"{self.focal:g} x focal length"] if self.focal not in (None, 1.0, ESTIMATED) else []
        return ", ".join(words)


@dataclass(frozen=True, slots=True)
class Subjects:
    """N people with all that is known of them.

    Attributes:
        crops: with features and true cameras, without points.
        points_px: (N, 47, 2) true points (COCO-23, SMPL's joints), pixels of the photo.
        visible: (N, 47) bool which of them can be marked: known, and within the photo.
        truth: N true bodies of rendered people, of the open body that `gender` says; empty for real ones.
        joints: (N, 17, 3) measured COCO-17 joints of real people, NaN where unknown; `None` for rendered ones.
    """

    crops: Crops
    points_px: np.ndarray
    visible: np.ndarray
    truth: tuple[SmplParams, ...] = ()
    joints: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.crops)


def rendered_subjects(
    predictor: Predictor, benchmark: RenderedBenchmark, count: int, features: ArrayCache, progress: Progress
) -> Subjects:
    """The first people of the rendered benchmark; features that the cache has are not computed again."""
    trunk = trunk_key(predictor)
    parts: list[Crops] = []
    people: list[RenderedPerson] = []
    for frame in benchmark.frames(count):
        keys = [f"{trunk}/{benchmark.key}/{each.person.annotation_id}" for each in frame.people]
        placed = predictor.place(frame.rgb, frame.boxes, None, frame.camera)
        parts.append(_with_features(predictor, frame.rgb, placed, keys, features))
        people += frame.people
        progress(len(people), count, "rendered people")
    points = np.stack([np.concatenate([each.points.points_px, each.joints.points_px]) for each in people])
    visible = np.stack([np.concatenate([each.points.visibility, each.joints.visibility]) > 0 for each in people])
    return Subjects(Crops.join(parts), points, visible, tuple(each.truth for each in people))


def real_subjects(predictor: Predictor, folder: Path, features: ArrayCache, progress: Progress) -> Subjects:
    """People of an index of real photos (`evaluation.real_photos`), points as their annotators set them.

    Raises:
        FormatError: no such index.
    """
    trunk = trunk_key(predictor)
    people = sorted(read_real_photos(folder), key=lambda each: each.person.image_name)
    parts: list[Crops] = []
    done = 0
    for name, group in groupby(people, key=lambda each: each.person.image_name):
        members = list(group)
        rgb = read_image(folder / name)
        boxes = [each.person.box for each in members]
        keys = [f"{trunk}/{name}/{box.xyxy}" for box in boxes]
        placed = predictor.place(rgb, boxes, None, members[0].person.camera)
        parts.append(_with_features(predictor, rgb, placed, keys, features))
        done += len(members)
        progress(done, len(people), "people in real photos")
    points, visible = np.zeros((len(people), _POINTS, 2)), np.zeros((len(people), _POINTS), bool)
    for row, each in enumerate(people):
        marked = _marked(each)
        rows = POINT_ROWS["coco17"]
        points[row, rows], visible[row, rows] = marked.points_px, marked.visibility > 0
    nowhere = np.full((17, 3), np.nan)
    joints = np.stack([nowhere if each.joints is None else each.joints for each in people])
    return Subjects(Crops.join(parts), points, visible, joints=joints)


def _marked(person: RealPerson) -> Keypoints:
    assert person.person.keypoints is not None
    return person.person.keypoints


def _with_features(predictor: Predictor, rgb, placed: Placed, keys: Sequence[str], cache: ArrayCache) -> Crops:
    found = cache.get(keys)
    if len(found) < len(keys):
        crops = predictor.crops_of([(rgb, placed)])
        cache.put(dict(zip(keys, crops.features.numpy(), strict=True)))
        return crops
    return crops_with(placed, np.stack([found[key] for key in keys]))


def observe(predictor: Predictor, people: Subjects, condition: Condition, seed: int) -> tuple[Crops, torch.Tensor]:
    """What a method is told: crops in the camera that is believed, and what was marked.

    Args:
        predictor: of the model that the crops are for.
        people: N.
        condition: what is marked of them, and believed of their cameras.
        seed: of everything random.

    Returns:
        Crops without points, and (N, 47, 3) x, y in crop units and confidence 1, or 0 where nothing is marked.
    """
    rng = np.random.default_rng([seed, 0x0B5])
    crops = people.crops
    points = to_crop_units(people.points_px, crops.centre_px, crops.box_height_px)
    points = points + rng.normal(size=points.shape) * condition.noise_px * 2 / _NOISE_CROP_PX
    missing = rng.random(people.visible.shape) < condition.missing
    rows = POINT_ROWS[condition.joint_set]
    marked = np.zeros_like(people.visible)
    marked[:, rows] = people.visible[:, rows] & ~missing[:, rows]
    for person in np.flatnonzero(rng.random(len(people)) < condition.swapped):
        limbs = _LIMBS[rng.integers(2)]
        for values in (points, marked):
            values[person, limbs] = values[person, _FLIP[limbs]]
    seen = torch.from_numpy(np.concatenate([points * marked[..., None], marked[..., None]], -1).astype(np.float32))
    return _believed(predictor, crops, seen, condition.focal), seen


def _believed(predictor: Predictor, crops: Crops, seen: torch.Tensor, focal: float | str | None) -> Crops:
    """The same people as if their cameras had another focal length."""
    if isinstance(focal, float):
        return crops.with_cameras(
            [replace(each, focal_length_px=focal * each.focal_length_px) for each in crops.cameras]
        )
    cameras = [Camera.guess(each.image_size_px) for each in crops.cameras]
    if focal == ESTIMATED:
        by_photo: dict[Camera, list[int]] = {}
        for row, camera in enumerate(crops.cameras):  # of no two photos in the benchmark are they the same
            by_photo.setdefault(camera, []).append(row)
        marked, groups = with_points(crops, seen, (seen[..., 2] > 0).any(1)), list(by_photo.values())
        found = estimate_focals(predictor.model, predictor.body, marked, seen[..., 2], groups, lambda *_: None)
        for rows, estimate in zip(groups, found, strict=True):
            if estimate is None or estimate.spread >= USUAL_SPREAD:
                continue
            for row in rows:
                cameras[row] = replace(cameras[row], focal_length_px=estimate.focal_length_px)
    return crops.with_cameras(cameras)
