"""Build the sample that `make demo` runs on: resources/sample/{photos/, keypoints.json, truth.npz}.

    python resources/build/sample.py

Needs what the program needs, and scikit-image, whose CC0 pictures of grass, gravel, a cup, a cat and a rocket appear in
the photos. Takes some minutes on one core. Everything is seeded; `sample_build` explains the parts.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import skimage.data
from sample_build import places
from sample_build.marks import mark
from sample_build.materials import mottled
from sample_build.people import Casting
from sample_build.shots import SHOTS, Shot
from sample_build.stage import Box as Cuboid
from sample_build.stage import Eye, take

from cliff_core.body import Body, load_body
from cliff_core.formats import write
from cliff_core.geometry.camera import crop_camera
from cliff_core.geometry.crop import OFFICIAL_CROP, crop_frame
from cliff_core.records import Box, Camera, Estimate, Keypoints, PhotoPerson
from cliff_core.skeletons import COCO17

FILM_DIAGONAL_MM = 43.27
JPEG_QUALITY = 88
# x, y, COCO's visibility. The left arm is behind the helmet, the hips are below the photo.
ASTRONAUT_POINTS = {
    "nose": (223, 126, 2),
    "left_eye": (246, 103, 2),
    "right_eye": (203, 101, 2),
    "left_ear": (273, 127, 2),
    "right_ear": (177, 124, 2),
    "left_shoulder": (325, 278, 2),
    "right_shoulder": (95, 266, 2),
    "right_elbow": (62, 452, 2),
    "right_wrist": (143, 503, 2),
}


def main() -> None:
    """Parse the command line and build."""
    repository = Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=repository / "resources" / "sample")
    parser.add_argument("--only", help="name of one photo, to try it out: nothing but this photo is written")
    options = parser.parse_args()
    build(options.out, options.only)


def build(out: Path, only: str | None) -> None:
    """Write the photos and, unless only one is asked for, everything that belongs to them."""
    body = load_body()
    casting = Casting(body)
    photos = out / "photos"
    photos.mkdir(parents=True, exist_ok=True)
    people: list[PhotoPerson] = []
    bodies: list[Estimate] = []
    for number, shot in enumerate(SHOTS):
        if only in (None, shot.name):
            found, true = shoot(shot, number, casting, body, photos)
            people += found
            bodies += true
            print(f"{shot.name}: {len(found)} people", flush=True)
    if only is None:
        numbered = [replace(person, annotation_id=row) for row, person in enumerate(people, start=1)]
        write("cliff-gt", out / "truth.npz", numbered, bodies, body)
        write("coco", out / "keypoints.json", [*numbered, astronaut(photos, len(people) + 1)])


def shoot(shot: Shot, number: int, casting: Casting, body: Body, folder: Path) -> tuple[list, list]:
    """Take one photo and annotate it."""
    rng = np.random.default_rng([5, number, shot.seed])
    width, height = shot.size_px
    camera = Camera(round(shot.lens_mm / FILM_DIAGONAL_MM * float(np.hypot(width, height)), 2), shot.size_px)
    eye = Eye.at(camera, shot.eye_m, shot.pitch_deg, shot.roll_deg)
    place = getattr(places, shot.place)(rng, **(shot.options or {}))
    seat = mottled(rng, shot.seat_srgb, 0.08, 0.7)
    cast = [casting.hire(actor, seat) for actor in shot.actors]
    boxes = [person.seat for person in cast if person.seat is not None]
    for prop in shot.props:
        centre = np.array([prop.at[0], 0.0, -prop.at[1]])
        boxes.append(Cuboid(centre, prop.size_m, prop.yaw_deg, mottled(rng, prop.srgb, 0.08, 0.7)))
    picture = take(rng, eye, place, boxes, [person.solid for person in cast])
    path = folder / f"{shot.name}.jpg"
    _write_jpeg(path, picture.rgb)
    people, bodies = [], []
    for index, person in enumerate(cast):
        params = person.params(eye, body)
        marked = mark(rng, picture, index, params, camera, body)
        people.append(
            PhotoPerson(
                path.name,
                shot.size_px,
                marked.box,
                marked.keypoints,
                camera,
                extra={"area": marked.area_px},
            )
        )
        centre, crop_height = crop_frame(marked.box.xyxy[None], OFFICIAL_CROP)
        cam = crop_camera(params.transl[None], centre, crop_height, [camera.focal_length_px], [shot.size_px])[0]
        bodies.append(Estimate(marked.box, params, camera, cam, marked.keypoints, "truth"))
    return people, bodies


def astronaut(folder: Path, annotation_id: int) -> PhotoPerson:
    """A real photo beside the rendered ones, marked by hand; its camera is not known."""
    rgb = skimage.data.astronaut()
    _write_jpeg(folder / "astronaut.jpg", rgb)
    points, visibility = np.zeros((17, 2)), np.zeros(17)
    for name, (x, y, v) in ASTRONAUT_POINTS.items():
        points[COCO17.index(name)], visibility[COCO17.index(name)] = (x, y), v
    return PhotoPerson(
        "astronaut.jpg", rgb.shape[1::-1], Box(19, 15, 366, 512), Keypoints.uniform("coco17", points, visibility),
        annotation_id=annotation_id,
    )  # fmt: skip


def _write_jpeg(path: Path, rgb: np.ndarray) -> None:
    cv2.imwrite(str(path), rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])


if __name__ == "__main__":
    main()
