"""A project of any size to measure on, made cheaply and said honestly.

Photos are those of the bundled sample again and again: each copy is encoded anew with other brightness and quality, so
it is another file with other features, and its people's points carry other noise. What lies beyond `photos` of them has
no file at all: these people's features are put into the cache beforehand, the sample's with a little noise, as a round
before would have left them. So memory can be measured for many people without looking at each, and is what it would be;
speed is measured on people who are looked at.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from annotator.console import Progress
from annotator.project import Prediction, Project, Run, create_project
from annotator.project.photos import PhotoFacts, insert_photos
from annotator.refine_cast import feature_key
from cliff_core.execution.array_cache import ArrayCache
from cliff_core.images import read_image
from cliff_core.inference import Predictor
from cliff_core.records import Box, Keypoints, Provenance
from cliff_core.resources import resource_path
from cliff_core.training.refining import trunk_key

_NOISE_PX = 1.5
_FEATURE_NOISE = 0.05  # of each feature's spread
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Template:
    """One photo of the sample.

    Attributes:
        rgb: (H, W, 3) uint8.
        boxes: of its people.
        points: (n, 17, 2) pixels, and visibility: (n, 17).
    """

    rgb: np.ndarray
    boxes: list[Box]
    points: np.ndarray
    visibility: np.ndarray

    @property
    def size_px(self) -> tuple[int, int]:
        """Width, height."""
        return self.rgb.shape[1], self.rgb.shape[0]


def sample_templates() -> list[Template]:
    """The photos of the sample with their people."""
    content = json.loads((resource_path("sample") / "keypoints.json").read_text(encoding="utf-8"))
    found = []
    for image in content["images"]:
        people = [entry for entry in content["annotations"] if entry["image_id"] == image["id"]]
        boxes = [
            Box(x, y, x + w, y + h, source=Provenance.IMPORTED) for x, y, w, h in (each["bbox"] for each in people)
        ]
        points = np.array([np.reshape(each["keypoints"], (17, 3)) for each in people], dtype=np.float64)
        rgb = read_image(resource_path("sample", "photos") / image["file_name"])
        found.append(Template(rgb, boxes, points[..., :2], points[..., 2].astype(int)))
    return found


def make_project(
    folder: Path, people: int, *, seed: int, progress: Progress, with_files: bool = True, with_people: bool = True
) -> Project:
    """A project of about so many people, open for writing; the photos lie beside it.

    Args:
        folder: of the project, new; photos go to `FOLDER-photos`.
        people: at least so many.
        seed: of brightness and noise.
        progress: told photo by photo.
        with_files: write the photos; without, only their rows are there.
        with_people: give them boxes and points that count as somebody's labels; without, nobody is on them.
    """
    templates, rng = sample_templates(), np.random.default_rng(seed)
    photos = folder.with_name(folder.name + "-photos")
    photos.mkdir(parents=True)
    project, _ = create_project(folder)
    with project.writing():
        project.database.execute(
            "INSERT INTO root (prefix, near, far) VALUES ('', ?, ?)", [f"../{photos.name}", str(photos)]
        )
    run, made, number = Run.new(Provenance.IMPORTED, "benchmark"), 0, 0
    while made < people:
        chosen: list[Template] = []
        facts: list[PhotoFacts] = []
        while made < people and len(chosen) < _AT_ONCE:
            template = templates[number % len(templates)]
            name = f"{number // 1000:03}/{number:06}.jpg"
            content = _encoded(template.rgb, rng) if with_files else str((seed, number)).encode()
            if with_files:
                (photos / name).parent.mkdir(exist_ok=True)
                (photos / name).write_bytes(content)
            digest = hashlib.sha256(content).hexdigest()
            facts.append(PhotoFacts(name, digest, len(content), 1, template.size_px))
            chosen.append(template)
            number, made = number + 1, made + len(template.boxes)
        insert_photos(project.database, 1, "", facts, project.who)
        if with_people:
            _add_people(project, run, number - len(chosen), chosen, rng)
        progress(made, people, "making a project")
    return project


def fill_cache(project: Project, predictor: Predictor, cache: ArrayCache, *, seed: int, progress: Progress) -> int:
    """Features for everybody as if they had been looked at; returns of how many."""
    templates, trunk, rng = sample_templates(), trunk_key(predictor), np.random.default_rng(seed)
    known = [predictor.crops(each.rgb, each.boxes).features.numpy() for each in templates]
    spread = np.concatenate(known).std(0)
    done, total = 0, int(project.database.value("SELECT count(*) FROM person"))
    waiting: dict[str, np.ndarray] = {}
    for number, photo in enumerate(project.photos()):
        features = known[number % len(known)]
        for person, row in zip(project.people_on(photo.id), features, strict=True):
            assert person.box is not None
            noise = rng.normal(0, _FEATURE_NOISE, row.shape) * spread
            waiting[feature_key(trunk, photo, person.box)] = (row + noise).astype(np.float32)
            done += 1
        if len(waiting) > _AT_ONCE:
            cache.put(waiting)
            waiting = {}
            progress(done, total, "filling the cache")
    cache.put(waiting)
    return done


def _encoded(rgb: np.ndarray, rng: np.random.Generator) -> bytes:
    """The photo again, a little brighter or darker, as a JPEG of its own."""
    bgr = cv2.convertScaleAbs(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), alpha=float(rng.uniform(0.85, 1.15)))
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(80, 95))])[1].tobytes()


def _add_people(project: Project, run: Run, first: int, chosen: list[Template], rng: np.random.Generator) -> None:
    ids = [row[0] for row in project.database.rows("SELECT id FROM photo ORDER BY id LIMIT -1 OFFSET ?", [first])]
    with project.batch("Import", run) as batch:
        for photo_id, template in zip(ids, chosen, strict=True):
            for prediction in _people(template, rng):
                batch.add_person(photo_id, prediction)


def _people(template: Template, rng: np.random.Generator) -> Iterator[Prediction]:
    for box, points, visibility in zip(template.boxes, template.points, template.visibility, strict=True):
        noisy = points + rng.normal(0, _NOISE_PX, points.shape) * (visibility > 0)[:, None]
        yield Prediction(box, Keypoints.uniform("coco17", noisy, visibility, source=Provenance.IMPORTED))
