"""What the evaluators of the field's data sets share: true people, joints of a mesh, scores with their conventions.

The sets are licensed: people bring the files, and the official SMPL bodies that their shape numbers belong to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cliff_core.body import Body, load_body
from cliff_core.body.files import GENDERS
from cliff_core.errors import BodyFileError
from cliff_core.evaluation.summaries import Summary
from cliff_core.records import PhotoPerson, SmplParams


@dataclass(frozen=True, slots=True)
class TruePerson:
    """A person of a data set whose body is known.

    Attributes:
        person: photo, box, camera and 2D points: what prediction starts from.
        truth: the body in the camera frame, of the body model that `gender` names.
    """

    person: PhotoPerson
    truth: SmplParams


@dataclass(frozen=True, slots=True)
class SetScores:
    """One number per person and measure, and what each measure is.

    Attributes:
        data_set: name, with the protocol where there are several.
        conventions: measure -> joints, root, frame, in words.
        scores: measure -> (N,) numbers.
    """

    data_set: str
    conventions: dict[str, str]
    scores: dict[str, np.ndarray]

    def summary(self) -> dict[str, Summary]:
        """Means and medians by measure."""
        return {name: Summary.of(values) for name, values in self.scores.items()}

    def __str__(self) -> str:
        """One line per measure."""
        lines = [
            f"  {summary.mean:7.1f} (median {summary.median:.1f}, {summary.people} people)  {self.conventions[name]}"
            for name, summary in self.summary().items()
        ]
        return "\n".join([self.data_set, *lines])


def bodies_by_gender(folder: Path | None = None) -> dict[str, Body]:
    """Neutral, male and female bodies of a folder laid out as `smplx` expects it; the open ones by default.

    Raises:
        BodyFileError: one of the three is not there.
    """
    return {gender: load_body(folder, gender) for gender in GENDERS}


def of_gender(bodies: Mapping[str, Body], gender: str) -> Body:
    """The body of a gender.

    Raises:
        BodyFileError: there is none.
    """
    if gender not in bodies:
        raise BodyFileError(f"no {gender} body among {', '.join(bodies)}; load it, the truth needs it")
    return bodies[gender]


def h36m_joints(body: Body, vertices: np.ndarray) -> np.ndarray:
    """(17, 3) joints of `h36m17` regressed from a posed mesh, as the field evaluates.

    Raises:
        BodyFileError: the body's Human3.6M regressor is not known.
    """
    matrix, known = body.keypoint_regressor("h36m17")
    if not known.all():
        raise BodyFileError(
            f"{body.name}: has no Human3.6M regressor; put SPIN's J_regressor_h36m.npy beside the SMPL file"
        )
    return matrix.astype(np.float64) @ vertices
