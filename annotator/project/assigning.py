"""A project split among annotators: whose photos are whose, and a copy for each that can be sent and labelled offline.

Whole photos are given out, frames of a video and photos of a folder together as far as that leaves everybody the same
number of people. What was given to whom is a field of the photo (`assigned`), and so in journal, mirror and undo.

A copy is a project of its own, with its photos' people, predictions, comments and cameras as they are now, taken over
as `merge` does it. So its journal knows where the two parted: `merge PROJECT COPY` brings the work back, and `merge
COPY PROJECT` brings the copy what was decided meanwhile, such as rejections, comments, new predictions.
"""

from __future__ import annotations

import math
import re
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from annotator.console import Progress
from annotator.project.draft import Draft
from annotator.project.errors import EditError, NotAProjectError, StorageError
from annotator.project.fields import PHOTO
from annotator.project.filesystem import remedy_for
from annotator.project.journal import BULK, DO
from annotator.project.merging import ASSIGNMENT, merge_copies
from annotator.project.opening import create_project
from annotator.project.photos import photo_files, take_photos
from annotator.project.store import Project, silent
from annotator.project.takes import folder_of, take_of

PHOTOS = "photos"
"""Folder of a copy with its photos."""

_NAME = re.compile(r"[\w-]([\w .-]*[\w-])?")
_EVEN = 1.1  # nobody gets more than so many times their share, as far as videos can be cut
_PORTION = 500
_LISTED = 20


@dataclass(frozen=True, slots=True)
class Load:
    """A photo to be given out.

    Attributes:
        id: its number.
        name: as in records.
        people: how many on it are not done; 1 where nobody is known yet.
        key: random and always the same: from the photo's content.
    """

    id: int
    name: str
    people: int
    key: str


@dataclass(frozen=True, slots=True)
class Assignment:
    """What somebody is to label.

    Attributes:
        name: of the annotator.
        copy: folder of their copy.
        photos: how many are theirs.
        shared: how many they label that are another's, or that another labels too.
        people: who are not done, on all of these.
        missing: names of photos whose file is not where it was, and not in the copy's folder.
    """

    name: str
    copy: Path
    photos: int
    shared: int
    people: int
    missing: list[str]

    def __str__(self) -> str:
        """One line, and one for each photo that is missing."""
        shared = f", {self.shared} of them with somebody else" if self.shared else ""
        lines = [f"{self.name}: {self.people} people to label on {self.photos} photos{shared}; copy in {self.copy}"]
        lines += [f"  not where it was, and not in the copy: {name}" for name in self.missing[:_LISTED]]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class SplitReport:
    """A project that was split.

    Attributes:
        project: its folder.
        assignments: one for each annotator.
        before: photos that were given out earlier, and stay where they are.
        step: what takes the giving out back; copies stay.
    """

    project: Path
    assignments: list[Assignment]
    before: int
    step: int

    def __str__(self) -> str:
        """Who has what, and how it comes back."""
        lines = [str(each) for each in self.assignments]
        if self.before:
            lines.append(f"{self.before} photos were given out before and stay where they are")
        copies = " ".join(str(each.copy) for each in self.assignments)
        lines.append(f"send the copies; when they are back: main.py merge {self.project} {copies}")
        return "\n".join(lines)


def split_project(
    project: Project,
    names: Sequence[str],
    *,
    overlap: float = 0.0,
    out: Path | None = None,
    reference: bool = False,
    progress: Progress = silent,
) -> SplitReport:
    """Give the photos on which there is work among annotators, and make a copy for each.

    Args:
        project: open for writing.
        names: of the annotators, two at least.
        overlap: share of the photos that a second annotator labels too, so that it is seen how well they agree.
        out: where the copies are made, as PROJECT-NAME; beside the project if not given.
        reference: leave the photos where they are, instead of copying their files into the copies.
        progress: told photo by photo.

    Raises:
        EditError: names that are none or the same, a share that is none, nothing to give out, fewer photos than people.
        NotAProjectError: there is a project already where a copy should be.
        ProjectError: something cannot be written; the project is as it was.
    """
    _check(names, overlap)
    loads = _loads(project)
    if len(loads) < len(names):
        raise EditError(
            f"{project.folder}: {len(loads)} photos are left to give to {len(names)} annotators; those that were given "
            "out before stay where they are, and where everybody is done there is nothing to label"
        )
    folders = {name: (out or project.folder.parent) / f"{project.folder.name}-{name}" for name in names}
    for folder in folders.values():
        if folder.exists() and not (folder.is_dir() and next(folder.iterdir(), None) is None):
            raise NotAProjectError(f"{folder}: is there already; remove it, or choose another place with --out")
    own = dict(zip(names, share_out(loads, len(names)), strict=True))
    given = {load.id: [name] for name, theirs in own.items() for load in theirs}
    for name, theirs in own.items():
        others = [other for other in names if other != name]
        shared = math.ceil(round(overlap * len(theirs), 6))  # a little of it is at least one photo
        for number, load in enumerate(sorted(theirs, key=lambda each: each.key)[:shared]):
            given[load.id].append(others[number % len(others)])
    before = project.database.value("SELECT count(*) FROM photo WHERE json_extract(own, '$.assigned') IS NOT NULL")
    step = _write(project, {number: ",".join(who) for number, who in given.items()}, names)
    try:
        people = {load.id: load.people for load in loads}
        assignments = []
        for name, folder in folders.items():
            ids = sorted(number for number, who in given.items() if name in who)
            missing = _make_copy(project, folder, name, ids, reference, progress)
            double = sum(len(given[number]) > 1 for number in ids)
            assignments.append(
                Assignment(name, folder, len(ids), double, sum(people[number] for number in ids), missing)
            )
    except BaseException:  # half of the copies would be sent without the other half
        project.revert(step)
        for folder in folders.values():
            shutil.rmtree(folder, ignore_errors=True)
        raise
    return SplitReport(project.folder, assignments, before, step)


def share_out(loads: Sequence[Load], count: int) -> list[list[Load]]:
    """Photos among annotators: the same number of people for each, videos and folders together where that leaves it.

    Folders, takes in them, and pieces of takes are given, the largest first, to whoever has least; the pieces are made
    smaller until everybody has about the same.
    """
    fair = sum(load.people for load in loads) / count
    most = fair
    while True:
        shares: list[list[Load]] = [[] for _ in range(count)]
        weights = [0] * count
        for unit in sorted(_units(loads, most), key=lambda unit: -_people(unit)):
            least = weights.index(min(weights))
            shares[least] += unit
            weights[least] += _people(unit)
        most /= 2
        if max(weights) <= _EVEN * fair or most < 1:
            return [sorted(share, key=lambda load: load.name) for share in shares]


def _units(loads: Sequence[Load], most: float) -> list[list[Load]]:
    """Photos that stay together: a folder, or a take of one that is too large, or pieces of a take that is."""
    units: list[list[Load]] = []
    for folder in _grouped(loads, [folder_of(load.name) for load in loads]):
        if _people(folder) <= most:
            units.append(folder)
            continue
        for take in _grouped(folder, [take_of(load.name)[0] for load in folder]):
            piece: list[Load] = []
            for load in sorted(take, key=lambda each: take_of(each.name)[1]):
                if piece and _people(piece) + load.people > most:
                    units.append(piece)
                    piece = []
                piece.append(load)
            units.append(piece)
    return units


def _grouped(loads: Sequence[Load], keys: Sequence[str]) -> list[list[Load]]:
    groups: dict[str, list[Load]] = defaultdict(list)
    for load, key in zip(loads, keys, strict=True):
        groups[key].append(load)
    return list(groups.values())


def _people(loads: Sequence[Load]) -> int:
    return sum(load.people for load in loads)


def _check(names: Sequence[str], overlap: float) -> None:
    for name in names:
        if not _NAME.fullmatch(name):
            raise EditError(f"'{name}' is no name for a copy; take letters, digits, '-', '_' and '.'")
    if len({name.casefold() for name in names}) != len(names) or len(names) < 2:
        raise EditError(f"a project is split among two or more annotators with different names, not {', '.join(names)}")
    if not 0 <= overlap <= 1:
        raise EditError(f"{overlap:g} is no share of the photos; give 0 to 1, or 0% to 100%")


def _loads(project: Project) -> list[Load]:
    rows = project.database.rows(
        "SELECT id, name, people - done, uid FROM photo WHERE NOT excluded AND (people = 0 OR done < people) "
        "AND own NOT LIKE '%\"empty\":true%' AND json_extract(own, '$.assigned') IS NULL ORDER BY name"
    )
    return [Load(number, name, max(1, left), uid) for number, name, left, uid in rows]


def _write(project: Project, assigned: Mapping[int, str], names: Sequence[str]) -> int:
    """Note who has what, as one step; returns its number."""
    with project.writing():
        step_id = project.journal.begin_step(BULK, f"Split among {', '.join(names)}", project.who, is_open=True)
    numbers = sorted(assigned)
    try:
        for start in range(0, len(numbers), _PORTION):
            portion = numbers[start : start + _PORTION]

            def fill(draft: Draft, portion: list[int] = portion) -> None:
                for number in portion:
                    draft.set(PHOTO, number, "assigned", assigned[number])

            with project.writing():
                project.write(DO, "Split", step_id, fill, by_hand=False)
    finally:
        with project.writing():
            project.journal.close_step(step_id)
    return step_id


def _make_copy(
    project: Project, folder: Path, name: str, ids: Sequence[int], reference: bool, progress: Progress
) -> list[str]:
    """A copy with some photos; returns the names of those whose file is missing."""
    copy, _ = create_project(folder, joint_set=project.setting("joint_set", "coco17"), who=project.who)
    with copy:
        copy.set_setting(ASSIGNMENT, name)
        copy.set_setting("name", f"{project.setting('name')} for {name}")
        missing = [] if reference else _copy_files(project, folder / PHOTOS, ids, progress)
        take_photos(copy.database, folder, project.database, project.folder, ids, copy.who, PHOTOS, reference)
        merge_copies(copy, [project.folder], progress=progress)
        _take_measures(copy, project, ids)
    return missing


def _copy_files(project: Project, target: Path, ids: Sequence[int], progress: Progress) -> list[str]:
    """Photos' files under their names; returns the names of those that are not there."""
    missing = []
    places = photo_files(project.database, project.folder, ids)
    for done, (number, file) in enumerate(places.items(), 1):
        photo = project.photo(number).name
        progress(done, len(ids), "copying photos")
        if not file.is_file():
            missing.append(photo)
            continue
        place = target / photo
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, place)
        except OSError as error:
            raise StorageError(
                f"{place}: cannot be written ({error.strerror}); {remedy_for(error)}, or use --reference"
            ) from error
    return missing


def _take_measures(copy: Project, project: Project, ids: Sequence[int]) -> None:
    """Suspicion and what else people are sorted by, so that the copy's worklist begins where the project's is."""
    theirs = dict(copy.database.rows("SELECT uid, id FROM person"))
    measures: dict[str, dict[int, float]] = defaultdict(dict)
    for start in range(0, len(ids), _PORTION):
        portion = ids[start : start + _PORTION]
        rows = project.database.rows(
            "SELECT name, person.uid, value FROM measure JOIN person ON person.id = person_id "
            f"WHERE photo_id IN ({', '.join('?' * len(portion))})",
            portion,
        )
        for name, uid, value in rows:
            if uid in theirs:
                measures[name][theirs[uid]] = value
    for name, values in measures.items():
        copy.set_measures(name, values)
