"""Photos in, bodies out: step 2 of the loop as one use case.

Every worker thread takes a whole photo from file to overlay; reading, detecting, CLIFF and drawing happen in libraries
that let other threads run meanwhile, so all cores are busy and only the photos at work are in memory. What stays of a
photo is its people, some kilobytes each. CLIFF is not batched across photos: on CPUs a trunk takes the same time per
person for one as for sixteen.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from annotator.console import Progress
from annotator.photo_set import OVERLAYS, PREDICTIONS, PhotoSet, gather_photos, overlay_paths, people_of_photos, some
from cliff_core.body import Body, load_body
from cliff_core.detection import KeypointDetector, PersonDetector
from cliff_core.errors import CliffError, FormatError, ImageError
from cliff_core.execution.streams import available_cores, map_in_order, torch_threads
from cliff_core.formats.cliff_gt import write_cliff_gt
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.images import read_image, write_image
from cliff_core.inference import Predictor
from cliff_core.models import load_cliff
from cliff_core.records import Estimate, PhotoPerson
from cliff_core.rendering.overlay import draw_keypoints, draw_overlay, foreground, person_colour, side_view
from cliff_core.rendering.theme import BACKGROUND

_WORKERS_AT_MOST = 4  # each may hold a photo of 200 megapixels
_AHEAD = 16  # photos that may be done while a large one before them is still at work
_SIDE_PX = (480, 1000)  # least and greatest height of the side view


@dataclass(frozen=True, slots=True)
class PredictReport:
    """What became of the photos.

    Attributes:
        photos: how many were read.
        people: how many bodies were predicted.
        predictions: the npz with all bodies.
        overlays: folder with one picture per photo with people.
        empty: photos without people.
        refused: one line per photo that was left out, and why.
        notes: what else is worth knowing.
        model: which CLIFF.
        body: which body.
        seconds: wall time.
    """

    photos: int
    people: int
    predictions: Path
    overlays: Path
    empty: list[str]
    refused: list[str]
    notes: list[str]
    model: str
    body: str
    seconds: float

    def __str__(self) -> str:
        """Counts, then what was left out, then where it lies."""
        lines = [f"{self.people} people on {self.photos} photos in {self.seconds:.1f} s ({self.model}, {self.body})"]
        if self.empty:
            lines.append(f"nobody on {len(self.empty)}: {some(self.empty, 10)}")
        if self.refused:
            lines.append(f"not read, {len(self.refused)}:")
            lines += [f"  {line}" for line in self.refused]
        return "\n".join([*lines, *self.notes, f"bodies:   {self.predictions}", f"overlays: {self.overlays}"])


@dataclass(frozen=True, slots=True)
class PhotoResult:
    """One photo's people and their bodies, or why it was refused.

    Attributes:
        people: who is on it.
        estimates: their bodies.
        refusal: the reason; empty if the photo was read.
    """

    people: tuple[PhotoPerson, ...] = ()
    estimates: tuple[Estimate, ...] = ()
    refusal: str = ""


def predict_photos(
    photos: Sequence[Path],
    out: Path,
    *,
    model: Path | None = None,
    body: Path | None = None,
    boxes: Path | None = None,
    workers: int | None = None,
    progress: Progress,
) -> PredictReport:
    """Predict a body for every person on the photos.

    Interrupted, it leaves the bodies and overlays of the photos that were finished.

    Args:
        photos: pictures and folders of pictures.
        out: gets `predictions.npz` (CLIFF-GT) and `overlays/`.
        model: CLIFF checkpoint; the open CLIFF if `None`.
        body: SMPL file; the open body if `None`.
        boxes: COCO JSON with the people, instead of detecting them; its keypoints are used where it has them.
        workers: photos at work at the same time, which share the cores; one per core if `None`.
        progress: told photo by photo.

    Raises:
        ImageError: no photo could be read, or results cannot be written.
        CheckpointError, BodyFileError, FormatError: the model, body or boxes cannot be used.
    """
    started = time.monotonic()
    photo_set = gather_photos(photos, out)
    total = len(photo_set.files)
    given, notes = (None, []) if boxes is None else people_of_photos(boxes, photo_set)
    workers = workers or min(available_cores(), _WORKERS_AT_MOST)
    threads = max(1, available_cores() // workers)
    progress(0, total, "loading CLIFF")
    studio = Studio(photo_set, out / OVERLAYS, model=model, body=body, people=given, threads=threads)
    results: dict[str, PhotoResult] = {}

    def work(name: str) -> None:
        results[name] = studio.work(name)

    try:
        with torch_threads(threads), closing(map_in_order(work, photo_set.files, workers, _AHEAD)) as finished:
            for done, _ in enumerate(finished, 1):
                progress(done, total, "predicting bodies")
    finally:  # by now no worker runs: each overlay that was written has its bodies in `results`
        ordered = [(name, results[name]) for name in photo_set.files if name in results]
        people = [person for _, result in ordered for person in result.people]
        if any(not result.refusal for _, result in ordered):
            estimates = [estimate for _, result in ordered for estimate in result.estimates]
            write_cliff_gt(out / PREDICTIONS, people, estimates, studio.predictor.body)
    refused = [result.refusal for _, result in ordered if result.refusal]
    if len(refused) == total:
        raise ImageError(refused[0] if total == 1 else f"none of {total} photos could be read: {some(refused)}")
    return PredictReport(
        photos=total - len(refused),
        people=len(people),
        predictions=out / PREDICTIONS,
        overlays=out / OVERLAYS,
        empty=[name for name, result in ordered if not result.people and not result.refusal],
        refused=refused,
        notes=[*photo_set.notes, *notes, *_mismatch(studio.predictor)],
        model=studio.predictor.model.name,
        body=studio.predictor.body.name,
        seconds=time.monotonic() - started,
    )


class Studio:
    """What every photo goes through, made once and shared by the worker threads.

    Args:
        photos: the photos.
        overlays: folder for the pictures of the results.
        model, body: as in `predict_photos`.
        people: people by photo name, if they are known; those without keypoints get detected ones.
        threads: cores that one detection may use.
    """

    def __init__(
        self,
        photos: PhotoSet,
        overlays: Path,
        *,
        model: Path | None = None,
        body: Path | None = None,
        people: dict[str, list[PhotoPerson]] | None = None,
        threads: int = 1,
    ):
        self.predictor = Predictor(load_cliff(model), load_body(body))
        self._photos = photos.files
        self._overlays = overlay_paths(photos, overlays)
        self._given = people
        self._persons = PersonDetector(threads=threads)
        self._keypoints = KeypointDetector(threads=threads)

    def work(self, name: str) -> PhotoResult:
        """Read a photo, find its people, predict, draw. A photo's own faults are its result, not an error.

        Raises:
            ImageError: the overlay cannot be written.
        """
        path, overlay = self._photos[name], self._overlays[name]
        try:
            rgb = read_image(path)
            people = self._people(name, rgb)
            estimates = self._estimates(rgb, people)
            picture = result_picture(rgb, estimates, self.predictor.body) if people else None
        except CliffError as problem:
            picture, text = None, str(problem)
            result = PhotoResult(refusal=text if text.startswith(str(path)) else f"{path}: {text}")
        else:
            result = PhotoResult(tuple(people), tuple(estimates))
        if picture is not None:
            write_image(overlay, picture)
        else:
            overlay.unlink(missing_ok=True)  # of an earlier run: it would contradict the predictions beside it
        return result

    def _estimates(self, rgb: np.ndarray, people: list[PhotoPerson]) -> list[Estimate]:
        boxes, keypoints = [person.box for person in people], [person.keypoints for person in people]
        camera = people[0].camera if people else None  # the photo's, so it is the same for all
        return self.predictor.predict(rgb, boxes, keypoints, camera)

    def _people(self, name: str, rgb: np.ndarray) -> list[PhotoPerson]:
        """The people of a photo: given or detected, with 2D points that were given or detected."""
        size = (rgb.shape[1], rgb.shape[0])
        if self._given is None:
            people = [PhotoPerson(name, size, box) for box in self._persons.detect(rgb)]
        else:
            people = self._given.get(name, [])
        for person in people:
            if person.image_size_px != size:
                theirs = f"{person.image_size_px[0]} x {person.image_size_px[1]}"
                raise FormatError(f"{size[0]} x {size[1]} pixels upright, but its boxes are for {theirs}; correct them")
        bare = [person.box for person in people if person.keypoints is None]
        found = iter(self._keypoints.detect(rgb, bare) if bare else [])
        return [person if person.keypoints is not None else replace(person, keypoints=next(found)) for person in people]


def result_picture(rgb: np.ndarray, estimates: Sequence[Estimate], body: Body) -> np.ndarray:
    """The bodies of one photo over it, with their 2D points, and beside it the larger ones from the side.

    People in the far background are left out of the view from the side, in which all would become tiny with them.

    Args:
        rgb: (H, W, 3) uint8, upright photo.
        estimates: at least one, all with the photo's camera.
        body: the body they are for.

    Returns:
        (h, w, 3) uint8; large photos are reduced.
    """
    meshes = []
    for estimate in estimates:
        params = estimate.params
        meshes.append(body.pose(rotvec_to_rotmat(params.pose_rotvec), params.betas, params.transl).vertices)
    colours = [person_colour(number) for number in range(len(meshes))]
    overlay = draw_overlay(rgb, list(zip(meshes, colours, strict=True)), body.faces, estimates[0].camera)
    for estimate in estimates:
        if estimate.keypoints is not None:
            overlay = draw_keypoints(overlay, estimate.keypoints, overlay.shape[1] / rgb.shape[1])
    height = int(np.clip(overlay.shape[0], *_SIDE_PX))
    near = foreground(meshes)
    size = (round(0.8 * height), height)
    side = side_view([meshes[n] for n in near], body.faces, size, colours=[colours[n] for n in near])
    rows = max(overlay.shape[0], height)
    return np.hstack([_with_ground_below(picture, rows) for picture in (overlay, side)])


def _with_ground_below(picture: np.ndarray, rows: int) -> np.ndarray:
    return cv2.copyMakeBorder(picture, 0, rows - len(picture), 0, 0, cv2.BORDER_CONSTANT, value=BACKGROUND)


def _mismatch(predictor: Predictor) -> list[str]:
    """A note where shape numbers of one body are given to another."""
    for_open_body = getattr(predictor.model, "takes_keypoints", False)
    if for_open_body == predictor.body.name.startswith("open"):
        return []
    theirs = "the open body" if for_open_body else "SMPL's body, which --body names"
    return [f"{predictor.model.name} was trained for {theirs}: on {predictor.body.name} shapes differ and joints shift"]
