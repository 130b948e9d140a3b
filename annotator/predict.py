"""Photos in, bodies out: step 2 of the loop as one use case.

Every worker thread takes a handful of photos from file to overlay; reading, detecting, CLIFF and drawing happen in
libraries that let other threads run meanwhile, so all cores are busy, one worker prepares photos while another has
CLIFF at work, and only the photos at work are in memory. What stays of a photo is its people, some kilobytes each.
CLIFF sees the people of a handful in one batch: its head takes almost as long for one person as for sixteen.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
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
from cliff_core.execution.device import Precision
from cliff_core.execution.streams import available_cores, in_handfuls, map_in_order, torch_threads
from cliff_core.formats.cliff_gt import write_cliff_gt
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.images import known_camera, read_image, read_size, write_image
from cliff_core.inference import Placed, Predictor
from cliff_core.models import load_cliff
from cliff_core.records import Camera, Estimate, PhotoPerson
from cliff_core.rendering.overlay import draw_keypoints, draw_overlay, foreground, person_colour, side_view
from cliff_core.rendering.theme import BACKGROUND

_WORKERS_AT_MOST = 4  # each may hold a photo of 200 megapixels
_AHEAD = 16  # handfuls that may be done while a large photo before them is still at work
HANDFUL = 8  # photos at most; few photos are dealt so that every worker gets some handfuls
_HANDFULS_PER_WORKER = 4
HANDFUL_PIXELS = 8_000_000
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
    precision: Precision = Precision.FLOAT32,
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
        precision: of CLIFF's trunk.
        workers: handfuls of photos at work at the same time, which share the cores; one per core if `None`.
        progress: told handful by handful.

    Raises:
        ImageError: no photo could be read, or results cannot be written.
        CheckpointError, BodyFileError, FormatError: the model, body or boxes cannot be used.
    """
    started = time.monotonic()
    photo_set = gather_photos(photos, out)
    total = len(photo_set.files)
    given, notes = (None, []) if boxes is None else people_of_photos(boxes, photo_set)
    workers = workers or usual_workers()
    threads = max(1, available_cores() // workers)
    progress(0, total, "loading CLIFF")
    predictor = Predictor(load_cliff(model), load_body(body), precision)
    people_given = {} if given is None else {name: given.get(name, []) for name in photo_set.files}
    studio = Studio(photo_set.files, predictor, people=people_given, threads=threads)
    overlays = overlay_paths(photo_set, out / OVERLAYS)
    results: dict[str, PhotoResult] = {}

    def work(names: list[str]) -> int:
        for name, rgb, result in studio.bodies(names):
            results[name] = _with_overlay(photo_set.files[name], rgb, result, overlays[name], studio.predictor.body)
        return len(names)

    done = 0
    try:
        pieces = photo_handfuls(photo_set, workers)
        with torch_threads(threads), closing(map_in_order(work, pieces, workers, _AHEAD)) as finished:
            for count in finished:
                done += count
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
        notes=[*photo_set.notes, *notes, *_mismatch(studio.predictor), *_without(precision, studio.predictor)],
        model=studio.predictor.model.name,
        body=studio.predictor.body.name,
        seconds=time.monotonic() - started,
    )


def usual_workers() -> int:
    """Handfuls of photos at work at the same time: one per core, but not many."""
    return min(available_cores(), _WORKERS_AT_MOST)


def photo_handfuls(photos: PhotoSet, workers: int) -> Iterator[list[str]]:
    """Names of photos that a worker takes together: several small ones, a large one alone."""
    most = min(HANDFUL, max(1, len(photos.files) // (workers * _HANDFULS_PER_WORKER)))

    def pixels(name: str) -> int:
        try:
            return math.prod(read_size(photos.files[name]))
        except ImageError:  # reading will refuse it by name
            return 0

    return in_handfuls(photos.files, most, HANDFUL_PIXELS, pixels)


class Studio:
    """What every photo goes through up to its bodies, made once and shared by the worker threads.

    Args:
        photos: name -> file; this and the next two may change while it works, but for the photos at work.
        predictor: of the model and the body.
        people: the people of photos where they are known, nobody among them; those without keypoints get detected
            ones. On other photos people are looked for.
        cameras: of photos whose camera is known though their people are not; else what a photo itself says counts.
        threads: cores that one detection may use.
    """

    def __init__(
        self,
        photos: Mapping[str, Path],
        predictor: Predictor,
        *,
        people: Mapping[str, Sequence[PhotoPerson]] | None = None,
        cameras: Mapping[str, Camera] | None = None,
        threads: int = 1,
    ):
        self.predictor = predictor
        self._photos = photos
        self._given = {} if people is None else people
        self._cameras = {} if cameras is None else cameras
        self._persons = PersonDetector(threads=threads)
        self._keypoints = KeypointDetector(threads=threads)

    def bodies(self, names: Sequence[str]) -> list[tuple[str, np.ndarray | None, PhotoResult]]:
        """Read photos, find their people, predict them all at once. A photo's own faults are its result, not an error.

        Args:
            names: of the photos.

        Returns:
            Per photo its name, its (H, W, 3) uint8 pixels or `None` if it was refused, and what became of it.
        """
        seen: dict[str, tuple[np.ndarray, list[PhotoPerson], Placed]] = {}
        results: dict[str, tuple[np.ndarray | None, PhotoResult]] = {}
        for name in names:
            try:
                seen[name] = self._look(name)
            except CliffError as problem:
                results[name] = (None, _refusal(self._photos[name], problem))
        bodies = self.predictor.predict_photos([(rgb, placed) for rgb, _, placed in seen.values()])
        for (name, (rgb, people, _)), estimates in zip(seen.items(), bodies, strict=True):
            results[name] = (rgb, PhotoResult(tuple(people), tuple(estimates)))
        return [(name, *results[name]) for name in names]

    def _look(self, name: str) -> tuple[np.ndarray, list[PhotoPerson], Placed]:
        """A photo's pixels, its people, and where CLIFF will look for them."""
        rgb = read_image(self._photos[name])
        people = self._people(name, rgb)
        camera = people[0].camera if people else None  # the photo's, so it is the same for all
        boxes, keypoints = [person.box for person in people], [person.keypoints for person in people]
        return rgb, people, self.predictor.place(rgb, boxes, keypoints, camera)

    def _people(self, name: str, rgb: np.ndarray) -> list[PhotoPerson]:
        """The people of a photo: given or detected, with 2D points that were given or detected."""
        size = (rgb.shape[1], rgb.shape[0])
        camera = self._cameras.get(name) or known_camera(self._photos[name])
        given = self._given.get(name)
        if given is None:
            people = [PhotoPerson(name, size, box, camera=camera) for box in self._persons.detect(rgb)]
        else:
            people = [replace(person, camera=person.camera or camera) for person in given]
        for person in people:
            if person.image_size_px != size:
                theirs = f"{person.image_size_px[0]} x {person.image_size_px[1]}"
                raise FormatError(f"{size[0]} x {size[1]} pixels upright, but its boxes are for {theirs}; correct them")
        bare = [person.box for person in people if person.keypoints is None]
        found = iter(self._keypoints.detect(rgb, bare) if bare else [])
        return [person if person.keypoints is not None else replace(person, keypoints=next(found)) for person in people]


def _refusal(path: Path, problem: CliffError) -> PhotoResult:
    text = str(problem)
    return PhotoResult(refusal=text if text.startswith(str(path)) else f"{path}: {text}")


def _with_overlay(path: Path, rgb: np.ndarray | None, result: PhotoResult, overlay: Path, body: Body) -> PhotoResult:
    """The result again, its picture written; a picture that cannot be drawn refuses the photo.

    Raises:
        ImageError: the overlay cannot be written.
    """
    try:
        picture = result_picture(rgb, result.estimates, body) if rgb is not None and result.people else None
    except CliffError as problem:
        picture, result = None, _refusal(path, problem)
    if picture is not None:
        write_image(overlay, picture)
    else:
        overlay.unlink(missing_ok=True)  # of an earlier run: it would contradict the predictions beside it
    return result


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


def _without(precision: Precision, predictor: Predictor) -> list[str]:
    """A note where the machine does not have the precision asked for."""
    if predictor.compute.precision == precision:
        return []
    return [f"{predictor.compute.precision} was used: this machine only emulates {precision}, which would be slower"]
