"""Files of the field into a project: labels as labels, others' bodies as predictions under their model's name.

Everybody in the file finds a photo of the project by name, and then the person who stands there already, if there is
one; otherwise a new person. Whoever finds no photo is named in the report. A file is taken over whole or, if something
in it is wrong, not at all.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from annotator.console import Progress, left_out
from annotator.project.errors import EditError
from annotator.project.photos import root_path
from annotator.project.predictions import Prediction, Run
from annotator.project.store import Project, silent
from cliff_core.body import Body
from cliff_core.errors import FormatError
from cliff_core.formats import ReadReport, read_people, recognise
from cliff_core.records import Camera, PhotoPerson, Provenance, SmplParams

_SAME_PERSON_IOU = 0.6


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of a file's people.

    Attributes:
        file: that was read.
        format: that it was in.
        read: people that the file gave.
        added: of those, new in the project.
        joined: of those, people who were there already.
        kept: of those who were there, done or accepted ones, who stayed as they were.
        models: bodies by the name of what predicted them.
        skipped: one line for each left out, and why.
        notes: what was guessed.
        step: what takes all of it back.
    """

    file: Path
    format: str
    read: int
    added: int
    joined: int
    kept: int
    models: dict[str, int]
    skipped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    step: int | None = None

    def __str__(self) -> str:
        """Counts, then what was left out."""
        lines = [
            f"{self.file} ({self.format}): {self.read} people read, {self.added} new, {self.joined} joined with people "
            f"who were there, {len(self.skipped)} left out"
        ]
        if self.kept:
            lines.append(f"{self.kept} are done or accepted and stayed as they were")
        lines += [f"bodies of {name}: {count}" for name, count in self.models.items()]
        return "\n".join([*lines, *self.notes, *left_out(self.skipped)])


def import_file(
    project: Project,
    file: Path,
    *,
    format_name: str | None = None,
    photos: Path | None = None,
    body: Body | None = None,
    progress: Progress = silent,
) -> ImportReport:
    """Take the people of a file over, as one revertible step.

    Args:
        project: open for writing.
        file: in one of the formats of `cliff_core.formats`.
        format_name: which; recognised by its content if not given.
        photos: for files that say too little about photos: their folder, or a COCO JSON that lists them.
        body: for files whose bodies stand nowhere without one; the open body if not given.
        progress: told person by person.

    Raises:
        FormatError: not such a file; nothing was changed.
        ProjectError: the project cannot be written.
    """
    plan = ImportPlan(project, file, format_name=format_name, photos=photos, body=body)
    total = plan.check(progress)
    step_id = None
    try:
        with project.batch(plan.label, plan.run, command="Import", notes=plan.settings) as batch:
            step_id = batch.report.step_id
            for found in plan.people(total, progress):
                if found.person_id is None:
                    batch.add_person(found.photo_id, *found.predictions)
                else:
                    batch.apply(found.person_id, *found.predictions)
                if found.camera is not None:
                    batch.set_camera(found.photo_id, found.camera)
    except FormatError:
        # The file changed while it was read.
        if step_id is not None and project.journal.step(step_id) is not None:
            project.revert(step_id)
        raise
    report = batch.report
    step = report.step_id if report.added or report.changed or report.kept else None
    return plan.report(report.added, report.changed, report.kept, step)


@dataclass(frozen=True, slots=True)
class Found:
    """One of a file's people, and where they belong in the project.

    Attributes:
        photo_id: number of the photo.
        person_id: who stands there already; `None` for somebody new.
        predictions: the labels, and the body under the name of its model.
        camera: of the photo, if the file knows it.
    """

    photo_id: int
    person_id: int | None
    predictions: tuple[Prediction, ...]
    camera: Camera | None


class ImportPlan:
    """What a file means in a project; only reads.

    Args:
        project: may be open for reading only.
        file, format_name, photos, body: as of `import_file`.

    Attributes:
        run: under which the file's labels are stored.
        settings: what the journal says of the file.
        label: for the undo menu.
    """

    def __init__(
        self,
        project: Project,
        file: Path,
        *,
        format_name: str | None = None,
        photos: Path | None = None,
        body: Body | None = None,
    ):
        self._project, self._file = project, file
        self._name = format_name or recognise(file)
        self._options: dict[str, Any] = {"photos": photos or _photo_folder(project), "body": body}
        self._reading, self._skipped = ReadReport(), list[str]()
        self._models = Counter[str]()
        self.settings = {"file": file.name, "sha256": _hash(file), "format": self._name}
        self.run = Run.new(Provenance.IMPORTED, self._name, self.settings)
        self.label = f"Import {file.name}"

    def check(self, progress: Progress = silent) -> int:
        """Read the file once to its end, before anything is written; returns how many people it has.

        Raises:
            FormatError: something in it is wrong.
        """
        total = 0
        for total, _ in enumerate(read_people(self._file, self._name, **self._options), 1):
            if total % 1000 == 0:
                progress(0, 0, f"reading {self._file.name}, {total} people")
        return total

    def people(self, total: int, progress: Progress = silent) -> Iterator[Found]:
        """Everybody who has a place in the project; the others are in the report.

        Raises:
            FormatError: the file changed since it was checked.
        """
        matcher = PersonMatcher(self._project)
        runs: dict[str, Run] = {}
        people = read_people(self._file, self._name, report=self._reading, **self._options)
        for done, (person, params) in enumerate(people, 1):
            if done % 200 == 0:
                progress(done, total, "importing people")
            where = matcher.photo_of(person)
            if isinstance(where, str):
                self._skipped.append(where)
                continue
            photo_id, size_px = where
            predictions = _predictions(person, params, size_px, self._name, self.settings, runs)
            self._models.update(each.run.name for each in predictions if each.run is not None)
            known = matcher.person_of(photo_id, person)
            yield Found(photo_id, known, tuple(predictions), _known_camera(person))

    def report(self, added: int, changed: int, kept: int, step: int | None) -> ImportReport:
        """What became of the file's people, once all were taken in."""
        return ImportReport(
            self._file,
            self._name,
            self._reading.read,
            added,
            changed + kept,
            kept,
            dict(self._models),
            [*self._reading.skipped, *_grouped(self._skipped)],
            self._reading.notes,
            step,
        )


def _predictions(
    person: PhotoPerson,
    params: SmplParams | None,
    size_px: tuple[int, int],
    name: str,
    settings: dict[str, Any],
    runs: dict[str, Run],
) -> list[Prediction]:
    """The labels of a person, and the body under the name of its model."""
    extra = {key: value for key, value in person.extra.items() if key != "model"}
    focal = extra.get("focal_length_px")
    labels = Prediction.of_person(replace(person, extra=extra, camera=None))
    if params is None:
        return [labels]
    model = str(person.extra.get("model") or name)
    run = runs.setdefault(model, Run.new(Provenance.MODEL, model, settings))
    camera = person.camera
    if camera is None and isinstance(focal, int | float) and focal > 0:
        camera = Camera(float(focal), size_px)
    if camera is None:
        camera = Camera.guess(size_px)
    bodily = Prediction(None, None, params, camera, run=run)
    return [labels, bodily]


def _known_camera(person: PhotoPerson) -> Camera | None:
    """A camera that the file knows; the guess that everybody makes is no knowledge."""
    camera = person.camera
    return None if camera is None or camera == Camera.guess(camera.image_size_px) else camera


class PersonMatcher:
    """Finds the photo and the person that a file means, each person once.

    Args:
        project: may be open for reading only.
    """

    def __init__(self, project: Project):
        self._project = project
        self._names: dict[str, tuple[int, tuple[int, int]]] = {}
        self._by_last: dict[str, list[str]] = defaultdict(list)
        for number, name, width, height in project.database.rows("SELECT id, name, width, height FROM photo"):
            self._names[name] = (number, (width, height))
            self._by_last[name.rpartition("/")[2]].append(name)
        self._found: dict[str, tuple[int, tuple[int, int]] | str] = {}
        self._last_person = project.database.value("SELECT max(id) FROM person") or 0
        self._used: set[int] = set()

    def photo_of(self, person: PhotoPerson) -> tuple[int, tuple[int, int]] | str:
        """Number and size of the photo, or why there is none."""
        name = person.image_name
        if name not in self._found:
            self._found[name] = self._look_up(name)
        found = self._found[name]
        if isinstance(found, str):
            return found
        theirs, ours = tuple(person.image_size_px), found[1]
        if theirs not in ((0, 0), ours):
            turned = theirs == ours[::-1]
            hint = "it was labelled lying on its side" if turned else "it was labelled at another size"
            return f"{name}: is {ours[0]} x {ours[1]} pixels here and {theirs[0]} x {theirs[1]} in the file; {hint}"
        return found

    def person_of(self, photo_id: int, person: PhotoPerson) -> int | None:
        """Who stands there already, each for one of the file's people; `None` for a new person."""
        if not self._last_person:
            return None
        best, chosen = _SAME_PERSON_IOU, None
        for known in self._project.people_on(photo_id):
            if known.id > self._last_person or known.id in self._used or known.box is None:
                continue
            overlap = iou(known.box.xyxy, person.box.xyxy)
            if overlap >= best:
                best, chosen = overlap, known.id
        if chosen is not None:
            self._used.add(chosen)
        return chosen

    def _look_up(self, name: str) -> tuple[int, tuple[int, int]] | str:
        if name in self._names:
            return self._names[name]
        ours = [
            each
            for each in self._by_last[name.rpartition("/")[2]]
            if f"/{each}".endswith(f"/{name}") or f"/{name}".endswith(f"/{each}")
        ]
        if not ours:
            return f"{name}: no such photo in the project"
        if len(ours) > 1:
            return f"{name}: may be {' or '.join(ours[:3])}; name its folder in the file"
        return self._names[ours[0]]


def iou(first: np.ndarray, second: np.ndarray) -> float:
    """Shared area of two boxes (x0, y0, x1, y1) over the area of both together."""
    sides = np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2])
    shared = float(np.prod(np.maximum(sides, 0)))
    return shared / float(np.prod(first[2:] - first[:2]) + np.prod(second[2:] - second[:2]) - shared)


def _grouped(lines: list[str]) -> Iterator[str]:
    """Equal lines once, with how many people they are about."""
    for line, count in Counter(lines).items():
        yield line if count == 1 else f"{line} ({count} people)"


def _photo_folder(project: Project) -> Path | None:
    """The folder that the project's names are relative to, where it is there."""
    row = project.database.row("SELECT near, far FROM root WHERE prefix = ''")
    if row is None:
        return None
    folder = root_path(project.folder, *row)
    return folder if folder.is_dir() else None


def _hash(file: Path) -> str:
    """SHA-256 of a file; of a folder, of its files in the order of their names."""
    digest = hashlib.sha256()
    files = [file] if file.is_file() else sorted(path for path in file.rglob("*") if path.is_file())
    try:
        for path in files:
            with path.open("rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
    except OSError as error:
        raise EditError(f"{file}: cannot be read ({error.strerror})") from error
    return digest.hexdigest()
