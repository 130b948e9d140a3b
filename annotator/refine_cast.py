"""Everybody who is to be refined: read from the project photo by photo, looked at once, and held as few numbers each.

Trunk features are the dear part. They stay in a cache on disk for the next round (`ArrayCache`), and lie in a file of
the job in the order of the people, from which training reads them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np

from annotator.predict import HANDFUL, HANDFUL_PIXELS
from annotator.project import Project
from annotator.project.fields import BETAS, beta, joint, source_of
from annotator.project.state import Person, Photo
from annotator.runs import News
from annotator.shards import shard_key
from cliff_core.errors import CliffError
from cliff_core.execution.array_cache import ArrayCache
from cliff_core.execution.ray_engine import Photo as PhotoToLookAt
from cliff_core.execution.rows import RowFile
from cliff_core.execution.streams import in_handfuls, map_in_order, torch_threads
from cliff_core.images import read_image
from cliff_core.inference import Crops, Placed, Predictor
from cliff_core.records import Box, Camera, Keypoints, Provenance
from cliff_core.skeletons import SMPL24
from cliff_core.training.refine_people import KnownPeople
from cliff_core.training.refining import crops_with, trunk_key
from cliff_core.training.supervision import PersonEdits, weighed_points

CACHE = "features.cache"
"""In the folder of runs: trunk features of everybody, for all jobs."""

CACHE_BYTES = 4 << 30
_AHEAD = 16
_LEFT_ALONE = 0.3
_NOBODY = PersonEdits({}, {})
_ON_WORK = "NOT excluded AND people > 0"


@dataclass(frozen=True, slots=True)
class Subject:
    """Somebody who is to be refined, as the project has them.

    Attributes:
        photo: they are on.
        person: as the project has them.
        box: theirs.
        camera: of the photo, CLIFF's guess if nobody knows it.
    """

    photo: Photo
    person: Person
    box: Box
    camera: Camera

    @property
    def points(self) -> list[Keypoints]:
        """All their joint sets."""
        found = [self.person.keypoints(name) for name in self.person.joint_sets]
        return [points for points in found if points is not None]


@dataclass(slots=True)
class Cast:
    """Everybody who is to be refined.

    Attributes:
        photo_ids, person_ids, uids, has_body: of each of N people.
        known: what training needs to know of them, their features in a file.
        labelled_points: how many points people or files placed.
        by_hand: row -> what a person set of that body.
        refused: a line for each who was left out.
    """

    photo_ids: list[int] = field(default_factory=list)
    person_ids: list[int] = field(default_factory=list)
    uids: list[str] = field(default_factory=list)
    has_body: list[bool] = field(default_factory=list)
    known: KnownPeople | None = None
    labelled_points: int = 0
    by_hand: dict[int, PersonEdits] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.person_ids)

    @property
    def edits(self) -> list[PersonEdits]:
        """What a person set of each body."""
        return [self.by_hand.get(row, _NOBODY) for row in range(len(self))]


_Looked = tuple[list[Subject], Crops | None, str]


def gather_cast(
    project: Project,
    predictor: Predictor,
    cache: ArrayCache,
    features: Path,
    *,
    detected_trust: float,
    workers: int,
    threads: int = 1,
    news: News,
) -> Cast:
    """Everybody with a box, their features in a file; what is in the cache is not computed again.

    Args:
        project: to read.
        predictor: of the model.
        cache: of features.
        features: the file to write.
        detected_trust: 0..1, how far points of people whom nobody has looked at supervise.
        workers: photos at work at the same time.
        threads: cores for each.
        news: told photo by photo.

    Raises:
        OSError: the file cannot be written.
    """
    cast, trunk = Cast(), trunk_key(predictor)
    features.unlink(missing_ok=True)
    placed: list[Placed] = []
    points, weights, tokens = [], [], []
    rows: RowFile | None = None
    total = int(project.database.value(f"SELECT coalesce(sum(people), 0) FROM photo WHERE {_ON_WORK}"))

    def work(handful: list[list[Subject]]) -> list[_Looked]:
        return [_look(project, predictor, cache, trunk, group) for group in handful]

    groups = groups_to_refine(project, predictor, cast.refused)
    pieces = in_handfuls(groups, HANDFUL, HANDFUL_PIXELS, lambda group: math.prod(group[0].photo.size_px))
    with torch_threads(threads), closing(map_in_order(work, pieces, workers, _AHEAD)) as results:
        for handful in results:
            for group, crops, problem in handful:
                if crops is None:
                    cast.refused.append(problem)
                    continue
                found = crops.features.float()
                rows = rows or RowFile(features, found.shape[1:])
                rows.write(len(cast), found)
                sets = [each.points for each in group]
                known, weight, marks = weighed_points(sets, crops.centre_px, crops.box_height_px)
                points.append(known.numpy())
                weights.append(weight.numpy() * _trust(group, marks.numpy(), detected_trust))
                tokens.append(shard_key(_feature_keys(trunk, group)))
                cast.labelled_points += int(marks.sum())
                _note(cast, group, predictor.body.gender)
                crops.placed[:] = 2 * marks.sum(1) >= (weight > 0).sum(1)
                placed.append(_bare(crops))
            if len(placed) > 1000:  # thousands of small arrays take more than a few large ones
                placed, points = [Placed.join(placed)], [np.concatenate(points)]
                weights, tokens = [np.concatenate(weights)], [shard_key(tokens)]
            news(min(len(cast), total), total, "looking at people")
            if news.should_stop:
                break
    if rows is not None:
        all_points, weight = np.concatenate(points), np.concatenate(weights)
        cast.known = KnownPeople.of(Placed.join(placed), rows, all_points, weight, cast.by_hand, shard_key(tokens))
    return cast


def groups_to_refine(project: Project, predictor: Predictor, refused: list[str]) -> Iterator[list[Subject]]:
    """The people of each photo who have a box; those who cannot be cut out go into `refused`."""
    for photo in project.photos(_ON_WORK):
        camera = photo.camera or Camera.guess(photo.size_px)
        group = []
        for person in project.people_on(photo.id):
            subject = None if person.box is None else Subject(photo, person, person.box, camera)
            if subject is not None and (problem := _unplaceable(predictor, subject)):
                refused.append(f"{photo.name}: {problem}")
            elif subject is not None:
                group.append(subject)
        if group:
            yield group


def missing_features(project: Project, predictor: Predictor, cache: ArrayCache) -> Iterator[PhotoToLookAt]:
    """Photos of whose people the cache does not have all features."""
    trunk = trunk_key(predictor)
    for group in groups_to_refine(project, predictor, []):
        keys = _feature_keys(trunk, group)
        if len(cache.get(keys)) < len(set(keys)):
            file = project.photo_file(group[0].photo.id).resolve()
            yield PhotoToLookAt(keys, file, [each.box for each in group], group[0].camera)


def _unplaceable(predictor: Predictor, subject: Subject) -> str:
    """Why a person cannot be cut out; empty if they can."""
    try:
        placed = predictor.place(None, [subject.box], camera=subject.camera)
    except CliffError as problem:
        return str(problem)
    return "" if np.isfinite(placed.bbox_info.numpy()).all() else "its box or camera is no number"


def feature_key(trunk: str, photo: Photo, box: Box) -> str:
    """The name of a person's features in the cache: all that they follow from."""
    return f"{trunk}-{shard_key(photo.sha256, photo.orientation, list(box.xyxy))}"


def _feature_keys(trunk: str, group: list[Subject]) -> list[str]:
    return [feature_key(trunk, each.photo, each.box) for each in group]


def _look(project: Project, predictor: Predictor, cache: ArrayCache, trunk: str, group: list[Subject]) -> _Looked:
    """The people of one photo with their features, from the cache where it has all of them."""
    photo, camera = group[0].photo, group[0].camera
    placed = predictor.place(None, [each.box for each in group], camera=camera)
    keys = _feature_keys(trunk, group)
    known = cache.get(keys)
    if len(known) == len(set(keys)):
        return group, crops_with(placed, np.stack([known[key] for key in keys])), ""
    file = project.photo_file(photo.id)
    try:
        rgb = read_image(file)
    except CliffError as problem:
        return group, None, str(problem)
    if (rgb.shape[1], rgb.shape[0]) != photo.size_px:
        return group, None, f"{file}: is another picture now; `relink` finds the one that it was"
    crops = predictor.crops_of([(rgb, placed)])
    cache.put(dict(zip(keys, crops.features.float().numpy(), strict=True)))
    return group, crops, ""


def _bare(crops: Crops) -> Placed:
    """The same people without their features."""
    return Placed(**{each.name: getattr(crops, each.name) for each in fields(Placed)})


def _note(cast: Cast, group: list[Subject], gender: str) -> None:
    for subject in group:
        edits = _edits(subject.person, gender)
        if edits.rotvecs or edits.betas or edits.transl is not None:
            cast.by_hand[len(cast)] = edits
        cast.photo_ids.append(subject.photo.id)
        cast.uids.append(subject.person.uid)
        cast.has_body.append(subject.person.body is not None)
        cast.person_ids.append(subject.person.id)


def _edits(person: Person, gender: str) -> PersonEdits:
    """What a hand set of a body. Shape numbers of another body say nothing about this one."""
    own: Mapping = {name: value for name, value in person.own.items() if source_of(value) is Provenance.HUMAN}
    rotvecs = {row: np.array(own[joint(name)][:3]) for row, name in enumerate(SMPL24.names) if joint(name) in own}
    betas = {n: float(own[beta(n)][0]) for n in range(BETAS) if beta(n) in own and person.gender == gender}
    return PersonEdits(rotvecs, betas, np.array(own["transl"][:3]) if "transl" in own else None)


def _trust(group: list[Subject], placed: np.ndarray, detected: float) -> np.ndarray:
    """(n, 47) how far each point supervises.

    What people and files placed does fully. A detector's point does where somebody vouches for it by calling the person
    done or accepted, and to a part where somebody has placed others of the same person and left this one. Elsewhere it
    is only an input: tuned on a detector's points, bodies take over its mistakes (`docs/loop.md` has the numbers).
    """
    trust = placed.astype(np.float32)
    for row, subject in enumerate(group):
        if subject.person.state == "done" or subject.person.verdict == "accepted":
            trust[row] = 1.0
        else:
            trust[row] = trust[row].clip(min=max(detected, _LEFT_ALONE if placed[row].any() else 0.0))
    return trust
