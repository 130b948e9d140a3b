"""Rendered people as training sees them: labels in memory, and on disk what the trunk's early layers made of each crop.

The maps of the early layers never change, so they are computed once and read back as they are needed; what a step
costs is the late layers and the regressor. Of a crop there are two takes: as rendered, and mirrored, framed a little
tighter, in other colours. Some people are also looked at by the detector that photos go through, so that the regressor
of points learns which mistakes a detector makes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch

from cliff_core.body.torch_body import TorchBody
from cliff_core.detection import KeypointDetector
from cliff_core.models.open_cliff import OPEN_CROP, POINTS, OpenCliff, published_trunk
from cliff_core.records import Box
from cliff_core.synthetic.shards import in_processes, load_crops, load_people, write_whole
from cliff_core.synthetic.takes import mirrored, second_take
from cliff_core.training.labels import Labels, label_people

_EARLY_BATCH = 10
_ENCODED_BATCH = 64
_LEVELS = 127


@dataclass(frozen=True, slots=True)
class Renders:
    """Rendered people, ready to be drawn from.

    Attributes:
        paths: of the shards.
        labels: of N takes.
        maps: per shard, (n, 16, 16, 88) int8 maps of the early layers, on disk.
        scales: per shard, (88,) the value of one level.
        detected: (N, 47, 3) points that the detector found, crop units and confidence; zeros where it was not asked.
    """

    paths: tuple[Path, ...]
    labels: Labels
    maps: tuple[np.ndarray, ...]
    scales: tuple[torch.Tensor, ...]
    detected: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels.betas)

    def early(self, rows: np.ndarray) -> torch.Tensor:
        """(B, 88, 16, 16) float32 maps of some takes."""
        starts = np.cumsum([0, *(len(each) for each in self.maps)])
        shards = np.searchsorted(starts, rows, side="right") - 1
        parts = [
            torch.from_numpy(np.array(self.maps[shard][row - starts[shard]])).float() * self.scales[shard]
            for shard, row in zip(shards, rows, strict=True)
        ]
        return torch.stack(parts).permute(0, 3, 1, 2)


@dataclass(frozen=True, slots=True)
class Encoded:
    """People with the features that a trunk which does not change sees in them.

    Attributes:
        labels: of N people.
        features: (N, 3768) float16.
    """

    labels: Labels
    features: np.ndarray

    @classmethod
    def of(cls, model: OpenCliff, renders: Renders) -> Encoded:
        """All takes, through the model's trunk."""
        features = encoded(model, renders, np.arange(len(renders)))
        return cls(renders.labels, features.half().numpy())

    def tensor(self, rows) -> torch.Tensor:
        """Float32 features of some people."""
        return torch.from_numpy(self.features[rows]).float()


def open_renders(
    paths: Sequence[Path],
    takes: int,
    detect: bool,
    body: TorchBody,
    workers: int,
    progress: Callable[[int, int, str], None],
) -> Renders:
    """Show shards to the trunk's early layers, where that was not done yet, and open the result.

    Args:
        paths: of rendered shards.
        takes: 1, or 2 to have every person mirrored as well.
        detect: also ask the detector of keypoints.
        body: for the labels.
        workers: processes.
        progress: told (done, total, what).
    """
    missing = [path for path in paths if not _seen_path(path).exists()]
    progress(len(paths) - len(missing), len(paths), "looking at people")
    for number, _ in enumerate(in_processes(partial(_see_shard, takes=takes, detect=detect), missing, workers), 1):
        progress(len(paths) - len(missing) + number, len(paths), "looking at people")
    labels, maps, scales, detected = [], [], [], []
    for path in paths:
        people = [load_people([path])]
        with np.load(_seen_path(path), allow_pickle=False) as file:
            scale = torch.from_numpy(file["scale"])
            if takes > 1:
                people.append(mirrored(people[0], file["second_centre_px"], file["second_box_height_px"]))
            found = torch.from_numpy(file["detected"]) if detect else torch.zeros(len(people[0].betas), POINTS, 3)
        on_disk = np.load(_maps_path(path), mmap_mode="r", allow_pickle=False)
        for take, each in enumerate(people):
            labels.append(label_people(body, each))
            maps.append(on_disk[take])
            scales.append(scale)
            detected.append(found if take == 0 else torch.zeros_like(found))
    return Renders(tuple(paths), Labels.joined(labels), tuple(maps), tuple(scales), torch.cat(detected))


@torch.inference_mode()
def encoded(model: OpenCliff, renders: Renders, rows: np.ndarray) -> torch.Tensor:
    """(N, 3768) float32 features of some takes."""
    parts = []
    for some in np.array_split(rows, -(-len(rows) // _ENCODED_BATCH)):
        with torch.autocast("cpu", torch.bfloat16):
            parts.append(model.trunk.late(renders.early(some)).features().float())
    return torch.cat(parts).clone()


def _seen_path(path: Path) -> Path:
    return path.with_suffix(".seen.npz")


def _maps_path(path: Path) -> Path:
    return path.with_suffix(".maps.npy")


def _see_shard(path: Path, takes: int, detect: bool) -> None:
    """Write what is seen of one shard beside it; the small file, written last, says that both are complete."""
    crops, people = load_crops(path), load_people([path])
    first, found = _early(crops), {}
    scale = np.abs(first).max((0, 1, 2)) * 1.05 / _LEVELS
    seen = [first]
    if takes > 1:
        rng = np.random.default_rng([2, int(path.stem)])
        retaken, found["second_centre_px"], found["second_box_height_px"] = second_take(rng, crops, people)
        seen.append(_early(retaken))
    if detect:
        found["detected"] = np.stack([_detect(crop) for crop in crops])
    levels = np.stack([np.clip(np.rint(each / scale), -_LEVELS, _LEVELS).astype(np.int8) for each in seen])
    write_whole(_maps_path(path), lambda file: np.save(file, levels))
    write_whole(_seen_path(path), lambda file: np.savez(file, scale=scale, **found))


def _early(crops: list[np.ndarray]) -> np.ndarray:
    """(N, 16, 16, 88) float32."""
    trunk, parts = _trunk(), []
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for start in range(0, len(crops), _EARLY_BATCH):
            images = torch.from_numpy(np.stack(crops[start : start + _EARLY_BATCH])).permute(0, 3, 1, 2)
            parts.append(trunk.early(images.float() / 255).float().permute(0, 2, 3, 1).numpy())
    return np.concatenate(parts)


def _detect(crop: np.ndarray) -> np.ndarray:
    """(47, 3) points in crop units and confidence, as photos get them; 0 where none was found."""
    side = len(crop)
    margin = side * (1 - 1 / OPEN_CROP.rescale) / 2
    (found,) = _detector().detect(crop, [Box(margin, margin, side - margin, side - margin)])
    confidence = found.confidence * (found.visibility > 0)
    points = np.zeros((POINTS, 3), np.float32)
    points[: len(confidence), :2] = (found.points_px / (side / 2) - 1) * (confidence > 0)[:, None]
    points[: len(confidence), 2] = confidence
    return points


@cache
def _trunk():
    return published_trunk()


@cache
def _detector():
    return KeypointDetector()
