"""A project into files of the field, each with a manifest that says what is in it and where it comes from."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from annotator.console import Progress
from annotator.project.database import FILE_NAME
from annotator.project.errors import EditError
from annotator.project.filesystem import write_whole
from annotator.project.photos import OWN_FOLDERS, photo_files
from annotator.project.predictions import utc_now
from annotator.project.reader import Reader
from annotator.project.state import Person, Photo
from annotator.project.store import silent
from cliff_core.body import Body, load_body
from cliff_core.body.files import GENDERS
from cliff_core.formats import EXPORTS, write
from cliff_core.records import Estimate, PhotoPerson

ONLY = ("all", "done", "accepted")
OF_POINTS = ("coco", "coco-wholebody", "halpe", "openpose", "mpii", "coco-result")
"""Formats of 2D points, which need no body."""
_OF_PICTURES = ("overlay", "render")

_CONVENTIONS = {
    "pixels": "upright photo, origin at the top left corner of the top left pixel",
    "camera_frame": "x right, y down, z forward, metres",
    "rotations": "axis-angle in radians, relative to the parent joint; global_orient in the camera frame",
    "transl": "added after skinning, as smplx does: the pelvis stands at transl plus its rest place",
    "visibility": "COCO's v: 0 not labelled, 1 labelled but hidden, 2 visible",
    "sources": "model, fit (a solver that followed a person), human, imported (a file)",
}


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written.

    Attributes:
        out: the file or folder.
        manifest: the file beside it.
        format: that it is in.
        people: that are in it.
        photos: that they are on.
        left_out: people of the selection who are not in it, by reason.
    """

    out: Path
    manifest: Path
    format: str
    people: int
    photos: int
    left_out: dict[str, int]

    def __str__(self) -> str:
        """One line, and who was left out."""
        lines = [f"{self.people} people on {self.photos} photos written to {self.out} ({self.format})"]
        lines += [f"left out, {reason}: {count}" for reason, count in self.left_out.items()]
        return "\n".join([*lines, f"what is in it: {self.manifest}"])


def needed_bodies(format_name: str, file: Path | None) -> dict[str, Body] | None:
    """The bodies by gender that a format of bodies is written with; `None` for formats of points.

    Args:
        format_name: of the format.
        file: SMPL file or folder; the open bodies if not given.
    """
    return None if format_name in OF_POINTS else {gender: load_body(file, gender) for gender in GENDERS}


def export_project(
    project: Reader,
    folder: Path,
    format_name: str,
    out: Path,
    *,
    only: str = "all",
    body: Body | dict[str, Body] | None = None,
    frame: str | None = None,
    progress: Progress = silent,
) -> ExportReport:
    """Write the people of a project in a format of `cliff_core.formats`.

    Args:
        project: to read.
        folder: of the project.
        format_name: key of `cliff_core.formats.EXPORTS`.
        out: the file, or the folder for formats of many files.
        only: "all", "done" (the annotator's word) or "accepted" (the reviewer's).
        body: for formats with joints or vertices, one or one per gender.
        frame: of meshes.
        progress: told person by person.

    Raises:
        EditError: nobody to write, no such format or selection, or a place where the project or one of its photos
            lies.
        FormatError: the format cannot hold them; says who.
    """
    if only not in ONLY:
        raise EditError(f"no selection '{only}'; there are {', '.join(ONLY)}")
    if format_name not in EXPORTS:
        raise EditError(f"no format '{format_name}'; there are {', '.join(EXPORTS)}")
    _refuse_what_would_be_lost(project, folder, format_name, out)
    people: list[PhotoPerson] = []
    estimates: list[Estimate | None] = []
    chosen: list[Person] = []
    photos: dict[int, Photo] = {}
    left_out: Counter[str] = Counter()
    for done, person in enumerate(project.people(only=only), 1):
        if done % 200 == 0:
            progress(done, 0, "gathering people")
        photo = photos.get(person.photo_id) or project.photo(person.photo_id)
        reason = _reason_to_leave_out(person, photo, format_name)
        if reason:
            left_out[reason] += 1
            continue
        photos[photo.id] = photo
        chosen.append(person)
        people.append(photo_person(person, photo))
        estimates.append(estimate(person, photo))
    if not people:
        nobody = "there is nobody yet" if only == "all" else f"nobody is '{only}'"
        why = "; ".join(f"{reason}: {count}" for reason, count in left_out.items()) or nobody
        raise EditError(f"{out}: nothing to write ({why})")
    progress(0, 0, f"writing {format_name}")
    options: dict[str, Any] = {"photos": _common_folder(project, folder, photos), "frame": frame}
    write(format_name, out, people, estimates, body, **options)
    manifest = out.with_name(out.name + ".manifest.json")
    content = _manifest(project, format_name, out, only, chosen, photos, left_out, frame)
    write_whole(manifest, (json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode("utf-8"))
    return ExportReport(out, manifest, format_name, len(people), len(photos), dict(left_out))


def _refuse_what_would_be_lost(project: Reader, folder: Path, format_name: str, out: Path) -> None:
    """An export replaces what is there: not the project's own files, and no photo."""
    place, own = out.resolve(), folder.resolve()
    if own in place.parents:
        first = place.relative_to(own).parts[0].casefold()
        if first in OWN_FOLDERS or first.startswith((FILE_NAME, "project.toml", "project.lock", "replaced-")):
            raise EditError(f"{out}: belongs to the project itself; choose another place")
    if out.is_file():
        rows = project.database.rows("SELECT id FROM photo WHERE substr(path, -?) = ?", [len(place.name), place.name])
        photos = photo_files(project.database, folder, [photo_id for (photo_id,) in rows])
        if any(photo.resolve() == place for photo in photos.values()):
            raise EditError(f"{out}: is one of the photos, and the export would replace it; choose another place")
    if format_name in _OF_PICTURES and out.is_dir():  # named as photos are, whether people are on those or not
        every = [photo_id for (photo_id,) in project.database.rows("SELECT id FROM photo")]
        if any(place in photo.resolve().parents for photo in photo_files(project.database, folder, every).values()):
            raise EditError(f"{out}: the photos lie there, and a picture could replace one; choose another folder")


def photo_person(person: Person, photo: Photo) -> PhotoPerson:
    """A person as formats and training take them."""
    labels = person.predictions.get("box") or person.predictions.get("body")
    extra = dict(labels.extra) if labels is not None else {}
    annotation_id = extra.pop("annotation_id", -1)
    box = person.box
    if box is None:
        raise EditError(f"person {person.id} on {photo.name} has no box; draw one")
    camera = person.camera_on(photo) if person.body is not None else photo.camera
    return PhotoPerson(photo.name, photo.size_px, box, person.main_keypoints, camera, annotation_id, extra)


def estimate(person: Person, photo: Photo) -> Estimate | None:
    """A person's body as formats take it; `None` without one."""
    body, box = person.body, person.box
    if body is None or box is None:
        return None
    prediction = person.predictions.get("body")
    cam_crop = None if prediction is None else prediction.cam_crop
    crop = np.full(3, np.nan) if cam_crop is None or person.own.get("transl") is not None else cam_crop
    return Estimate(box, body.params, person.camera_on(photo), crop, person.main_keypoints, body.model)


def _reason_to_leave_out(person: Person, photo: Photo, format_name: str) -> str:
    if photo.is_excluded:
        return "the photo is excluded"
    if person.box is None:
        return "without a box"
    if format_name not in OF_POINTS and person.body is None:
        return "without a body"
    return ""


def _manifest(
    project: Reader,
    format_name: str,
    out: Path,
    only: str,
    people: list[Person],
    photos: dict[int, Photo],
    left_out: Counter[str],
    frame: str | None,
) -> dict[str, Any]:
    """What is in an export, where it comes from, and how to read its numbers."""
    models: Counter[str] = Counter()
    runs: dict[str, dict[str, Any]] = {}
    points: Counter[str] = Counter()
    joints: Counter[str] = Counter()
    states: Counter[str] = Counter()
    for person in people:
        states[f"{person.state}{', ' + person.verdict if person.verdict else ''}"] += 1
        for prediction in person.predictions.values():
            run = prediction.run
            if run is not None:
                runs[run.uid] = {
                    "kind": run.kind.value,
                    "name": run.name,
                    "started": run.started,
                    "settings": dict(run.settings),
                }
        keypoints, body = person.main_keypoints, person.body
        if keypoints is not None:
            seen = zip(keypoints.source, keypoints.visibility, strict=True)
            points.update(source.value for source, visible in seen if visible)
        if body is not None:
            models[body.model or "set by a person"] += 1
            joints.update(source.value for source in body.pose_source)
    return {
        "format": format_name,
        "written": utc_now(),
        "program": _program_version(),
        "project": {
            "name": project.setting("name"),
            "uid": project.uid,
            "journal_lines": project.journal.last_seq(),
        },
        "selection": only,
        "frame": frame,
        "counts": {
            "people": len(people),
            "photos": len(photos),
            "left_out": dict(left_out),
            "states": dict(states),
            "points_by_source": dict(points),
            "joints_by_source": dict(joints),
        },
        "models": dict(models),
        "runs": runs,
        "conventions": _CONVENTIONS,
        "photos": {photo.name: photo.sha256 for photo in photos.values()},
        "files": _hashes(out),
    }


def _hashes(out: Path) -> dict[str, str]:
    """SHA-256 of each file that was written, by its place beside the manifest."""
    files = [out] if out.is_file() else sorted(path for path in out.rglob("*") if path.is_file())
    hashes = {}
    for path in files:
        with path.open("rb") as stream:
            hashes[path.relative_to(out.parent).as_posix()] = hashlib.file_digest(stream, "sha256").hexdigest()
    return hashes


def _program_version() -> str:
    try:
        return f"cliff-annotator {version('cliff-annotator')}"
    except PackageNotFoundError:
        return "cliff-annotator, not installed"


def _common_folder(project: Reader, folder: Path, photos: dict[int, Photo]) -> Path | None:
    """The folder that all photos' names are relative to, if there is one."""
    files = photo_files(project.database, folder, photos)
    folders = {
        file.parents[photos[number].name.count("/")]
        for number, file in files.items()
        if file.as_posix().endswith("/" + photos[number].name)
    }
    return folders.pop() if len(folders) == 1 else None
