"""How fast a large project is: 100,000 photos and 200,000 people, beside two simpler ways of keeping annotations.

The project is made through the program's own ways: photos as rows, people by importing a COCO file, bodies by a bulk
run. There are no pixels in it. Beside it, in the same run and on the same disk: one JSON file for each photo, and one
large JSON file (of a share of the people, because the whole does not fit a small machine's memory).
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from annotator.commands import MovePoint, Review, SetState
from annotator.console import Progress
from annotator.project import Prediction, Project, Run, create_project, open_project
from annotator.project.draft import Command
from annotator.project.filesystem import write_whole
from annotator.project.photos import PhotoFacts, insert_photos
from annotator.project.queries import Show, View, neighbour, photo_ids, photo_page, progress_of, worst_first
from cliff_core.records import Camera, Provenance, SmplParams
from cliff_core.skeletons import COCO17

SIZE_PX = (1920, 1080)
_MEASURE = "suspicion"
_BYTES_PER_EDIT = 15 * 4096  # what SQLite's log grows by
_VARIETY = 500  # different people; more would only measure the random numbers


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """How much is measured.

    Attributes:
        photos: in the project.
        people_per_photo: on each.
        edits: durable edits, each of another person, and as many of single files.
        lookups: of each kind.
        openings: of the project.
        large_json_share: share of the people in the one large file.
        large_json_edits: durable edits of it.
    """

    photos: int = 100_000
    people_per_photo: int = 2
    edits: int = 300
    lookups: int = 100
    openings: int = 5
    large_json_share: float = 0.1
    large_json_edits: int = 3

    @property
    def people(self) -> int:
        """In the project."""
        return self.photos * self.people_per_photo


@dataclass(frozen=True, slots=True)
class StoreNumbers:
    """What was measured.

    Attributes:
        settings: how much.
        values: the numbers, by name with unit.
    """

    settings: StoreSettings
    values: dict[str, float]

    @property
    def summary(self) -> str:
        """A table for people."""
        v, s = self.values, self.settings
        large = f"one JSON of {v['large_json_people']:,.0f} people"
        lookups = sorted(
            ((name, value) for name, value in v.items() if name.endswith(", ms")), key=lambda item: item[1]
        )
        slowest = max(lookups, key=lambda item: item[1])
        return "\n".join(
            [
                f"{s.photos:,} photos, {s.people:,} people, {v['size_mb']:.0f} MB",
                f"  open            {v['open_s'] * 1e3:8.0f} ms   "
                f"{v['open_json_s'] / v['open_s']:,.0f} times as long: a JSON per photo ({v['open_json_s']:.1f} s); "
                f"{v['open_large_s'] / v['open_s']:,.1f} times: {large}",
                f"  durable edit    {v['edit_ms']:8.2f} ms   95 % within {v['edit_p95_ms']:.1f}; "
                f"{v['edit_json_ms'] / v['edit_ms']:,.2f} times as long: a JSON per photo; "
                f"{v['edit_large_ms'] / v['edit_ms']:,.0f} times: {large}; "
                f"{v['edit_disk_ms'] / v['edit_ms']:,.2f} times: a plain durable write of as many bytes",
                f"  slowest look-up {slowest[1]:8.2f} ms   {slowest[0].removesuffix(', ms')}",
                f"  import of COCO  {v['import_people_per_s']:8.0f} people/s, {v['import_mb']:.0f} MB of memory, the "
                f"program itself included; {v['parse_mb'] / v['import_mb']:.1f} times as much to parse the file "
                f"({v['coco_mb']:.0f} MB) at once",
                f"  bulk run        {v['bulk_people_per_s']:8.0f} people/s in one revertible step",
                *(f"    {name.removesuffix(', ms'):<28} {value:8.2f} ms" for name, value in lookups),
            ]
        )


def measure_store(folder: Path, settings: StoreSettings, seed: int, progress: Progress) -> StoreNumbers:
    """Make the project and measure.

    Args:
        folder: where everything is made; some gigabytes at full size.
        settings: how much.
        seed: every random choice follows from it.
        progress: told what is going on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    people = _make_people(seed)
    values: dict[str, float] = {}
    project_folder = folder / "project"
    progress(0, 0, "making photos")
    _make_photos(project_folder, settings)
    coco = folder / "labels.json"
    _write_coco(coco, people, settings)
    progress(0, 0, f"importing {settings.people} people")
    values |= _measure_import(project_folder, coco, settings)
    progress(0, 0, f"a bulk run of {settings.people} people")
    values |= _measure_bulk(project_folder, people, settings, seed)
    progress(0, 0, "opening")
    values |= _measure_opening(project_folder, settings)
    progress(0, 0, "a JSON file for each photo")
    files, opening = _make_files(folder / "files", people, settings)
    values |= {"open_json_s": opening}
    progress(0, 0, "editing and looking up")
    with open_project(project_folder) as project:
        project.wait_for_backup()
        values |= _measure_lookups(project, settings, seed)
        values |= _measure_edits(project, files, folder / "plain", settings, seed)
    values["size_mb"] = (project_folder / "project.sqlite").stat().st_size / 1e6
    progress(0, 0, "one large JSON file")
    values |= _measure_large_file(folder / "large.json", people, settings, seed)
    return StoreNumbers(settings, values)


def _make_people(seed: int) -> list[dict[str, Any]]:
    """People as an annotation file has them, with all digits."""
    random = np.random.default_rng(seed)
    people = []
    for _ in range(_VARIETY):
        left, top = random.uniform(0, 900, 2).tolist()
        points = random.uniform([left, top], [left + 300, top + 600], (17, 2))
        keypoints = np.concatenate([points, np.full((17, 1), 2)], axis=1).ravel().tolist()
        people.append(
            {
                "bbox": [left, top, 300.5, 600.25],
                "keypoints": [int(number) if place % 3 == 2 else number for place, number in enumerate(keypoints)],
                "pose": random.normal(0, 0.3, 72).tolist(),
                "betas": random.normal(size=10).tolist(),
                "transl": random.normal([0, 0, 5], 1).tolist(),
            }
        )
    return people


def _photo_name(number: int) -> str:
    return f"{number // 1000:03}/{number:06}.jpg"


def _make_photos(folder: Path, settings: StoreSettings) -> None:
    project, _ = create_project(folder)
    with project:
        with project.writing():
            project.database.execute("INSERT INTO root (prefix, near, far) VALUES ('', '../photos', 'photos')")
        for start in range(0, settings.photos, 5000):
            facts = [
                PhotoFacts(_photo_name(n), hashlib.sha256(str(n).encode()).hexdigest(), 1_000_000 + n, 1, SIZE_PX)
                for n in range(start, min(start + 5000, settings.photos))
            ]
            insert_photos(project.database, 1, "", facts, project.who)


def _write_coco(file: Path, people: list[dict[str, Any]], settings: StoreSettings) -> None:
    """A COCO file of everybody, written piece by piece."""
    ready = [json.dumps({"bbox": each["bbox"], "keypoints": each["keypoints"]})[1:-1] for each in people]
    category = {"id": 1, "name": "person", "keypoints": list(COCO17.names), "skeleton": []}
    with file.open("w", encoding="utf-8") as stream:
        stream.write('{"images": [')
        for number in range(settings.photos):
            image = {"id": number + 1, "file_name": _photo_name(number), "width": SIZE_PX[0], "height": SIZE_PX[1]}
            stream.write(("," if number else "") + json.dumps(image))
        stream.write('], "annotations": [')
        for number in range(settings.people):
            head = f'"id": {number + 1}, "image_id": {number // settings.people_per_photo + 1}, "category_id": 1'
            stream.write(("," if number else "") + "{" + head + ', "iscrowd": 0, ' + ready[number % _VARIETY] + "}")
        stream.write('], "categories": [' + json.dumps(category) + "]}")


_IMPORT = """
import sys, time
from pathlib import Path
from cliff_core.execution.memory import peak_memory_mb
from annotator.project import open_project
from annotator.project.importing import import_file
with open_project(Path(sys.argv[1])) as project:
    started = time.perf_counter()
    report = import_file(project, Path(sys.argv[2]))
    print(time.perf_counter() - started, peak_memory_mb(), report.added)
"""
_PARSE = """
import json, sys
from pathlib import Path
from cliff_core.execution.memory import peak_memory_mb
document = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
print(peak_memory_mb())
"""


def _measure_import(folder: Path, coco: Path, settings: StoreSettings) -> dict[str, float]:
    """In processes of their own, so that the memory is theirs."""
    seconds, memory_mb, added = _child(_IMPORT, str(folder), str(coco))
    assert int(added) == settings.people
    (parse_mb,) = _child(_PARSE, str(coco))
    return {
        "import_people_per_s": settings.people / seconds,
        "import_mb": memory_mb,
        "parse_mb": parse_mb,
        "coco_mb": coco.stat().st_size / 1e6,
    }


def _child(code: str, *arguments: str) -> list[float]:
    root = Path(__file__).resolve().parent.parent
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    return [float(number) for number in done.stdout.split()]


def _measure_bulk(folder: Path, people: list[dict[str, Any]], settings: StoreSettings, seed: int) -> dict[str, float]:
    predictions = [
        Prediction(
            params=SmplParams(
                np.reshape(each["pose"], (24, 3)), np.array(each["betas"]), np.array(each["transl"], dtype=np.float64)
            ),
            camera=Camera.guess(SIZE_PX),
            cam_crop=np.array([0.9, 0.0, 0.0]),
        )
        for each in people
    ]
    random = np.random.default_rng(seed)
    with open_project(folder) as project:
        project.wait_for_backup()
        project.backup("bulk")
        started = time.perf_counter()
        with project.batch("Propose", Run.new(Provenance.MODEL, "benchmark 1")) as batch:
            for number in range(settings.people):
                batch.apply(number + 1, predictions[number % _VARIETY])
        seconds = time.perf_counter() - started
        project.set_measures(_MEASURE, dict(enumerate(random.uniform(size=settings.people).tolist(), 1)))
    return {"bulk_people_per_s": settings.people / seconds}


def _measure_opening(folder: Path, settings: StoreSettings) -> dict[str, float]:
    times = []
    for _ in range(settings.openings):
        started = time.perf_counter()
        project = open_project(folder)
        progress_of(project.database)
        photo_page(project.database, View(), limit=50)
        times.append(time.perf_counter() - started)
        project.close()
    return {"open_s": float(np.median(times))}


def _measure_edits(
    project: Project, files: list[Path], plain: Path, settings: StoreSettings, seed: int
) -> dict[str, float]:
    """Points moved, people finished and reviewed, all over the project; each edit waits for the disk.

    Edits of the project and of single files take turns, and so does a plain write of as many bytes as the project's log
    grows by: what else keeps the disk busy hits all three alike.
    """
    random = np.random.default_rng(seed)
    ours, theirs, disk = [], [], []
    with plain.open("wb") as stream:

        def write_plainly() -> None:
            stream.write(bytes(_BYTES_PER_EDIT))
            stream.flush()
            os.fsync(stream.fileno())

        for number in range(settings.edits):
            person = int(random.integers(1, settings.people + 1))
            x, y = random.uniform(0, 1000, 2).tolist()
            command: Command = MovePoint(person, "coco17", "left_wrist", (x, y))
            if number % 10 == 8:
                command = SetState(person, "done")
            elif number % 10 == 9:
                command = Review(person, "rejected", "left and right are swapped")
            ours.append(_timed(partial(project.edit, command)))
            theirs.append(_timed(partial(_edit_file, files[int(random.integers(0, len(files)))], x)))
            disk.append(_timed(write_plainly))
    return {
        "edit_ms": float(np.median(ours)) * 1e3,
        "edit_p95_ms": float(np.percentile(ours, 95)) * 1e3,
        "edit_json_ms": float(np.median(theirs)) * 1e3,
        "edit_disk_ms": float(np.median(disk)) * 1e3,
    }


def _measure_lookups(project: Project, settings: StoreSettings, seed: int) -> dict[str, float]:
    """What a person waits for at each key, from random places of the project; medians."""
    database, random = project.database, np.random.default_rng(seed)

    def somewhere() -> str:
        return _photo_name(int(random.integers(0, settings.photos)))

    kinds: dict[str, Callable[[], object]] = {
        "next photo": lambda: neighbour(database, View(), somewhere()),
        "previous photo": lambda: neighbour(database, View(), somewhere(), backwards=True),
        "next unfinished": lambda: neighbour(database, View(Show.UNFINISHED), somewhere()),
        "next edited": lambda: neighbour(database, View(Show.EDITED), somewhere()),
        "next rejected": lambda: neighbour(database, View(Show.REJECTED), somewhere()),
        "next with nobody": lambda: neighbour(database, View(Show.NOBODY), somewhere()),
        "page of the list": lambda: photo_page(database, View(), after=somewhere()),
        "page of the edited": lambda: photo_page(database, View(Show.EDITED)),
        "all rejected": lambda: photo_ids(database, View(Show.REJECTED)),
        "page of a name search": lambda: photo_page(database, View(containing="77.jpg")),
        "worst first": lambda: worst_first(database, _MEASURE),
        "worst first, further on": lambda: worst_first(database, _MEASURE, below=(float(random.uniform()), 0)),
        "progress": lambda: progress_of(database),
        "people of a photo": lambda: project.people_on(int(random.integers(1, settings.photos + 1))),
    }
    return {
        f"{name}, ms": float(np.median([_timed(work) for _ in range(settings.lookups)])) * 1e3
        for name, work in kinds.items()
    }


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _make_files(folder: Path, people: list[dict[str, Any]], settings: StoreSettings) -> tuple[list[Path], float]:
    """One JSON file for each photo; and the seconds to open such a project, which is to read them all."""
    texts = [json.dumps(each) for each in people]
    paths = []
    for number in range(settings.photos):
        path = folder / f"{number // 1000:03}" / f"{number:06}.json"
        if number % 1000 == 0:
            path.parent.mkdir(parents=True)
        first = number * settings.people_per_photo
        members = ", ".join(texts[(first + k) % _VARIETY] for k in range(settings.people_per_photo))
        path.write_text(f'{{"state": "proposed", "people": [{members}]}}', encoding="utf-8")
        paths.append(path)
    if hasattr(os, "sync"):
        os.sync()  # or the disk is still busy with them while edits are measured
    return paths, _timed(lambda: sum(document["state"] == "done" for document in _parsed(folder)))


def _edit_file(path: Path, x: float) -> None:
    """Move a point in a photo's file, which is replaced as a whole and made durable."""
    document = json.loads(path.read_text(encoding="utf-8"))
    document["people"][0]["keypoints"][0] = x
    write_whole(path, json.dumps(document).encode("utf-8"))


def _parsed(folder: Path) -> Iterator[dict[str, Any]]:
    for below in os.scandir(folder):
        for file in os.scandir(below.path):
            yield json.loads(Path(file.path).read_text(encoding="utf-8"))


def _measure_large_file(
    file: Path, people: list[dict[str, Any]], settings: StoreSettings, seed: int
) -> dict[str, float]:
    """One JSON file, written as a whole with every edit."""
    count = max(1, int(settings.people * settings.large_json_share))
    write_whole(file, json.dumps([people[number % _VARIETY] for number in range(count)]).encode("utf-8"))
    started = time.perf_counter()
    document = json.loads(file.read_text(encoding="utf-8"))
    opening = time.perf_counter() - started
    random = np.random.default_rng(seed)

    def edit() -> None:
        document[int(random.integers(0, count))]["keypoints"][0] = float(random.uniform(0, 1000))
        write_whole(file, json.dumps(document).encode("utf-8"))

    times = [_timed(edit) for _ in range(settings.large_json_edits)]
    return {
        "large_json_people": count,
        "open_large_s": opening,
        "edit_large_ms": float(np.median(times)) * 1e3,
    }
