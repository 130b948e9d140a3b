"""`main.py demo`: the whole loop once, on the sample or on anyone's photos, with a table and pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from annotator.refine import Progress, Refined, refine_people
from cliff_core.body import Body, load_body
from cliff_core.errors import FormatError
from cliff_core.evaluation.scores import point_scores, posed_vertices, truth_scores
from cliff_core.formats import read, write
from cliff_core.images import read_image, write_image
from cliff_core.models import load_cliff
from cliff_core.records import PhotoPerson, SmplParams
from cliff_core.rendering.sheets import before_after, contact_sheet
from cliff_core.resources import resource_path
from cliff_core.training.finetune import FinetuneSettings

_SHEET_PHOTOS = 12
_MOMENTS = ("CLIFF, photo alone", "After the loop")


@dataclass(frozen=True, slots=True)
class Row:
    """One measure of the bodies at three moments; `None` where it could not be taken.

    Attributes:
        measure: name with its convention.
        photo: predicted from the photo alone, as CLIFF does.
        detected: from the photo and a detector's points.
        refined: after fine-tuning on the people's own points, which are then given too.
    """

    measure: str
    photo: float | None
    detected: float | None
    refined: float | None


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What the demo did and where it lies.

    Attributes:
        people, photos: how many.
        rows: measures before and after.
        epochs: how long the withheld points said to tune.
        skipped: people of the keypoint file that were left out, and why.
        out: folder of everything below.
        annotations: CLIFF-GT file of the refined bodies.
        pictures: before/after pictures, one per photo.
        overview: one picture of some of them.
    """

    people: int
    photos: int
    rows: tuple[Row, ...]
    epochs: int
    skipped: tuple[str, ...]
    out: Path
    annotations: Path
    pictures: tuple[Path, ...]
    overview: Path

    def __str__(self) -> str:
        width = max(len(row.measure) for row in self.rows)
        lines = [f"{self.people} people on {self.photos} photos, tuned for {self.epochs} epochs", ""]
        lines.append(f"{'':{width}}{'photo alone':>13}{'+ detected':>13}{'after the loop':>17}")
        for row in self.rows:
            change = f" ({row.refined / row.photo - 1:+.0%})" if row.photo and row.refined is not None else ""
            values = f"{_number(row.photo)}{_number(row.detected)}{_number(row.refined)}"
            lines.append(f"{row.measure:{width}}{values}{change}")
        lines += ["", *(f"left out: {reason}" for reason in self.skipped)]
        lines += [
            f"SMPL annotations  {self.annotations}",
            f"pictures          {self.out / 'pictures'}",
            f"all at a glance   {self.overview}",
        ]
        return "\n".join(lines)


def run_demo(out: Path, *, photos: Path | None, keypoints: Path | None, seed: int, progress: Progress) -> DemoReport:
    """Predict, tune on the 2D points, predict again, measure, draw.

    Args:
        out: folder for the results.
        photos: folder of photos; the sample by default.
        keypoints: COCO JSON of the people on them.
        seed: of the tuning.
        progress: told (done, total, what).

    Raises:
        FormatError: a keypoint file without people, or naming photos that are not there.
    """
    truth: dict[int, SmplParams] = {}
    if photos is None or keypoints is None:
        photos, keypoints = resource_path("sample", "photos"), resource_path("sample", "keypoints.json")
        truth = _read_truth(resource_path("sample", "truth.npz"))
    annotations = read(keypoints, "coco")
    _check_photos(photos, keypoints, annotations.people)
    body = load_body()
    refined = refine_people(load_cliff(), body, photos, annotations.people, FinetuneSettings(seed=seed), progress)

    out.mkdir(parents=True, exist_ok=True)
    rows = _measure(body, refined, truth)
    write("cliff-gt", out / "prior.npz", refined.people, refined.prior, body)
    write("cliff-gt", out / "annotations.npz", refined.people, refined.refined, body)
    pictures = _draw(out / "pictures", photos, body, refined, progress)
    overview = out / "overview.jpg"
    _draw_overview(overview, pictures)
    report = DemoReport(
        len(refined.people),
        len(pictures),
        rows,
        refined.tuning.chosen_epochs,
        tuple(annotations.report.skipped),
        out,
        out / "annotations.npz",
        tuple(pictures),
        overview,
    )
    curves = {"choosing": refined.tuning.choosing, "final": refined.tuning.final}
    described = {
        name: [[e.number, e.fitted, e.withheld, e.prior_distance] for e in curve] for name, curve in curves.items()
    }
    (out / "report.txt").write_text(f"{report}\n", encoding="utf-8")
    (out / "curves.json").write_text(json.dumps(described), encoding="utf-8")
    return report


def _number(value: float | None) -> str:
    return f"{'-':>13}" if value is None else f"{value:13.1f}"


def _read_truth(path: Path) -> dict[int, SmplParams]:
    """SMPL truth by annotation number."""
    annotations = read(path, "cliff-gt")
    rows = zip(annotations.people, annotations.params, strict=True)
    return {person.annotation_id: params for person, params in rows if params is not None}


def _check_photos(folder: Path, keypoints: Path, people: Sequence[PhotoPerson]) -> None:
    if not people:
        raise FormatError(f"{keypoints}: no people with 2D points in it; mark some and run again")
    missing = sorted({person.image_name for person in people if not (folder / person.image_name).is_file()})
    if missing:
        raise FormatError(
            f"{keypoints}: names {len(missing)} photos that are not in {folder} (first: {missing[0]}); give the folder "
            "that its file names start from"
        )


def _measure(body: Body, refined: Refined, truth: dict[int, SmplParams]) -> tuple[Row, ...]:
    moments = (refined.seen, refined.prior, refined.refined)
    points = [person.keypoints for person in refined.people]

    def pck(threshold):
        return (100 * float(np.nanmean(point_scores(body, bodies, points, threshold))) for bodies in moments)

    choosing = refined.tuning.choosing
    withheld = [choosing[epoch].withheld for epoch in (0, refined.tuning.chosen_epochs)]
    rows = [
        Row("PCK@0.05 of COCO-17, % (the points tuned on)", *pck(0.05)),
        Row("PCK@0.1 of COCO-17, % (the points tuned on)", *pck(0.1)),
        Row("withheld points, % of half a crop", None, *(None if error is None else 100 * error for error in withheld)),
    ]
    known = [row for row, person in enumerate(refined.people) if person.annotation_id in truth]
    if known:
        true = [truth[refined.people[row].annotation_id] for row in known]
        errors = [truth_scores(body, [bodies[row] for row in known], true) for bodies in moments]
        names = {
            "pa_mpjpe": "PA-MPJPE, mm (14 LSP joints)",
            "mpjpe": "MPJPE, mm (14 LSP joints, mid-hip)",
            "pve": "PVE, mm",
        }
        rows += [Row(name, *(float(np.mean(each[key])) for each in errors)) for key, name in names.items()]
    return tuple(rows)


def _draw(folder: Path, photos: Path, body: Body, refined: Refined, progress: Progress) -> list[Path]:
    """One before/after picture per photo."""
    numbered = list(enumerate(refined.people))
    groups = [(name, [i for i, _ in group]) for name, group in groupby(numbered, key=lambda entry: entry[1].image_name)]
    paths = []
    for done, (name, rows) in enumerate(groups, start=1):
        before, after = (
            [posed_vertices(body, these[row].params) for row in rows] for these in (refined.seen, refined.refined)
        )
        points = [keypoints for row in rows if (keypoints := refined.people[row].keypoints) is not None]
        camera = refined.refined[rows[0]].camera
        picture = before_after(
            read_image(photos / name), before, after, body.faces, camera, points, title=name, names=_MOMENTS
        )
        paths.append(folder / Path(name).with_suffix(".jpg"))
        paths[-1].parent.mkdir(parents=True, exist_ok=True)
        write_image(paths[-1], picture)
        progress(done, len(groups), "drawing before and after")
    return paths


def _draw_overview(path: Path, pictures: Sequence[Path]) -> None:
    shown = pictures[:: max(1, -(-len(pictures) // _SHEET_PHOTOS))]
    sheet = contact_sheet([read_image(each) for each in shown], [each.stem for each in shown], 2, (960, 420))
    write_image(path, sheet)
