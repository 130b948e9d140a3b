"""Understandable shape: height, weight, legs, shoulders, hips and belly as directions among the ten betas.

What a beta does is an accident of the people a body was made from, and another body's betas do something else. So the
directions are found from the body itself: its measures in the rest pose, their slopes by betas at the mean shape, and
per axis the smallest change of betas that moves this measure while height and build (weight over height squared) stay.
Height itself holds the build, weight holds the height. Values are exact measures of the shaped mesh.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from cliff_core.body.body import SHAPE_COUNT, Body
from cliff_core.errors import GeometryError
from cliff_core.skeletons import SMPL24

_DENSITY = 985.0  # kg per cubic metre, with air in the lungs
_REACH = 3.0  # a slider's ends: so many standard deviations of its own direction
_FARTHEST = 6.0  # no beta is driven beyond this
_ROUNDS = 12
_J = {name: index for index, name in enumerate(SMPL24.names)}


@dataclass(frozen=True, slots=True)
class ShapeAxis:
    """One slider.

    Attributes:
        name: key.
        label: what a person reads.
        unit: of `value_of`.
    """

    name: str
    label: str
    unit: str


SHAPE_AXES = (
    ShapeAxis("height", "Height", "m"),
    ShapeAxis("weight", "Weight", "kg"),
    ShapeAxis("legs", "Legs", "m"),
    ShapeAxis("shoulders", "Shoulders", "m"),
    ShapeAxis("hips", "Hips", "m"),
    ShapeAxis("belly", "Belly", "m"),
)
"""Legs from hip joint to sole, shoulders between the joints, hips across, belly from front to back."""

_INDEX = {axis.name: index for index, axis in enumerate(SHAPE_AXES)}
_BUILD = 1  # place of weight among the measures; there it is held as weight over height squared


class _Frame:
    """What a body's sliders need, computed once: which vertices to measure, and a direction of betas per axis."""

    def __init__(self, body: Body):
        self.template = np.ascontiguousarray(body.v_template, dtype=np.float64)
        self.shapedirs = np.ascontiguousarray(body.shapedirs, dtype=np.float64).reshape(-1, SHAPE_COUNT)
        self.faces = body.faces
        rest, labels = body.rest_joints(np.zeros(SHAPE_COUNT)), np.asarray(body.part_labels)
        trunk = np.isin(
            labels, [_J[name] for name in ("pelvis", "spine1", "spine2", "spine3", "left_hip", "right_hip")]
        )
        size = np.ptp(self.template[:, 1])
        self.hips = self._band(trunk, rest[_J["left_hip"], 1], size)
        self.belly = self._band(trunk, rest[[_J["spine1"], _J["spine2"]], 1].mean(), size)
        slopes = np.empty((len(SHAPE_AXES), SHAPE_COUNT))
        for beta, step in enumerate(np.eye(SHAPE_COUNT)):
            slopes[:, beta] = (self.held(body, step) - self.held(body, -step)) / 2
        self.directions = np.empty((len(SHAPE_AXES), SHAPE_COUNT))
        for axis in range(len(SHAPE_AXES)):
            moved = [0, _BUILD] if axis <= _BUILD else [0, _BUILD, axis]
            self.directions[axis] = np.linalg.pinv(slopes[moved])[:, moved.index(axis)]
        self.slopes = slopes

    def _band(self, chosen, height, size):
        away = np.abs(self.template[:, 1] - height) + np.where(chosen, 0, size)
        return np.union1d(np.flatnonzero(away < 0.012 * size), np.argsort(away)[:8])  # coarse meshes have few there

    def measures(self, body: Body, betas: np.ndarray) -> np.ndarray:
        """Measures in the units of `SHAPE_AXES`."""
        vertices = self.template + (self.shapedirs @ betas).reshape(-1, 3)
        joints = body.rest_joints(betas)
        a, b, c = (vertices[self.faces[:, corner]] for corner in range(3))
        volume = np.einsum("fc,fc->", a, np.cross(b, c)) / 6
        return np.array(
            [
                np.ptp(vertices[:, 1]),
                _DENSITY * volume,
                joints[[_J["left_hip"], _J["right_hip"]], 1].mean() - vertices[:, 1].min(),
                np.linalg.norm(joints[_J["left_shoulder"]] - joints[_J["right_shoulder"]]),
                np.ptp(vertices[self.hips, 0]),
                np.ptp(vertices[self.belly, 2]),
            ]
        )

    def held(self, body: Body, betas: np.ndarray) -> np.ndarray:
        """The same with build instead of weight: what stays while another measure moves."""
        measures = self.measures(body, betas)
        measures[_BUILD] /= measures[0] ** 2
        return measures


_FRAMES: WeakKeyDictionary[Body, _Frame] = WeakKeyDictionary()


def value_of(body: Body, betas: np.ndarray, axis: str) -> float:
    """A measure of the shaped body.

    Args:
        body: the body.
        betas: (10,).
        axis: a name of `SHAPE_AXES`.

    Returns:
        Metres or kilograms.

    Raises:
        GeometryError: another name.
    """
    return float(_frame(body).measures(body, np.asarray(betas, dtype=np.float64))[_axis(axis)])


def with_value(body: Body, betas: np.ndarray, axis: str, value: float) -> np.ndarray:
    """Betas near the given ones whose measure is `value`; height and build stay, unless they are what is asked for.

    Args:
        body: the body.
        betas: (10,) shape now.
        axis: a name of `SHAPE_AXES`.
        value: metres or kilograms; where no plausible shape reaches it, the nearest.

    Returns:
        (10,) betas, none beyond six standard deviations.

    Raises:
        GeometryError: another name, or a value that is not a positive number.
    """
    index, frame = _axis(axis), _frame(body)
    if not (np.isfinite(value) and value > 0):
        raise GeometryError(f"{axis} {value:g} is no measure of a body; give a positive number")
    betas = np.array(betas, dtype=np.float64)
    goal = frame.held(body, betas)
    goal[index] = value / goal[0] ** 2 if index == _BUILD else value
    moved = [0, _BUILD] if index <= _BUILD else [0, _BUILD, index]
    back = np.linalg.pinv(frame.slopes[moved])
    for _ in range(_ROUNDS):  # slopes hardly change with the shape, so a chord converges in a few rounds
        missing = (goal - frame.held(body, betas))[moved]
        betas = np.clip(betas + back @ missing, -_FARTHEST, _FARTHEST)
        if np.abs(missing / goal[moved]).max() < 1e-6:
            break
    return betas


def range_of(body: Body, axis: str) -> tuple[float, float]:
    """The slider's ends: three standard deviations to both sides of the mean shape.

    Raises:
        GeometryError: another name.
    """
    index, frame = _axis(axis), _frame(body)
    direction = frame.directions[index] / np.linalg.norm(frame.directions[index])
    low, high = (frame.measures(body, sign * _REACH * direction)[index] for sign in (-1, 1))
    return float(low), float(high)


def _axis(name: str) -> int:
    if name not in _INDEX:
        raise GeometryError(f"no shape axis {name!r}; take one of {', '.join(_INDEX)}")
    return _INDEX[name]


def _frame(body: Body) -> _Frame:
    if body not in _FRAMES:
        _FRAMES[body] = _Frame(body)
    return _FRAMES[body]
