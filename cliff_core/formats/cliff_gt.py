"""CLIFF-GT: the npz in which CLIFF's authors published their pseudo ground truth (cliffGT_v1, `coco2014part_cliffGT`).

One row per person. The keys of the published files, with the conventions of their viewer and of CLIFF's code:

    imgname  (N,) str      photo, relative, forward slashes
    center   (N, 2)        centre of the crop, pixels
    scale    (N,)          height b of the 4:3 crop / 200, CLIFF's margin of 1.1 included: 200 * scale is the `b` of
                           bbox_info and of the crop camera, as in CLIFF's `process_image`
    part     (N, 24, 3)    2D points in the order of `skeletons.SPIN24`: x, y, confidence; zeros = missing
    annot_id (N,)          COCO's annotation id; only in files about COCO
    pose     (N, 72)       axis-angle, global orientation first, in the camera frame
    shape    (N, 10)       betas
    has_smpl (N,)          true
    global_t (N, 3)        translation in the camera of the full photo. The published README calls it the pelvis, but
                           the viewer passes it as `smplx`'s transl, which is what we read and write
    focal_l  (N,)          focal length; the photo's diagonal where nobody knew
    S        (N, 24, 4)    the same 24 joints in metres, pelvis at the origin, and confidence 0 or 1. Regenerated from
                           pose and shape when written and ignored when read: in published files it is off for many rows

The published files do not say how large a photo is, and assume a principal point in its middle. We add four keys that
their readers ignore and ours uses, so that nothing is lost on the way: `image_size` (N, 2), `principal_point` (N, 2),
`bbox` (N, 4) the person's own box as left, top, right, bottom, and `gender` (N,) neutral, male or female.

Pixel coordinates are written as they are in the program: origin at the top left corner of the top left pixel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cliff_core.body import Body
from cliff_core.errors import FormatError, GeometryError
from cliff_core.formats.files import Annotations, ReadReport, SourceFile, relative_name, write_atomically
from cliff_core.formats.spin_points import from_part, to_part
from cliff_core.geometry.crop import OFFICIAL_CROP, crop_frame
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.records import Box, Camera, Estimate, PhotoPerson, Provenance, SmplParams
from cliff_core.skeletons import SPIN24

_REQUIRED = {
    "imgname": (),
    "center": (2,),
    "scale": (),
    "part": (24, 3),
    "pose": (72,),
    "shape": (10,),
    "has_smpl": (),
    "global_t": (3,),
    "focal_l": (),
}
_OPTIONAL = {"annot_id": (), "image_size": (2,), "principal_point": (2,), "bbox": (4,), "gender": ()}
_TEXT = ("imgname", "gender")
_GENDERS = {"n": "neutral", "m": "male", "f": "female"}
_PELVIS = SPIN24.index("pelvis")


def recognises(source: SourceFile) -> bool:
    """Whether the file is an npz archive with CLIFF-GT's keys."""
    return source.array_names.issuperset(_REQUIRED)


def read(source: SourceFile) -> Annotations:
    """People and bodies of a CLIFF-GT file; see `read_cliff_gt`."""
    rows = _read(source)
    return Annotations([person for person, _ in rows], [params for _, params in rows], ReadReport(len(rows)))


def read_cliff_gt(path: str | Path) -> list[tuple[PhotoPerson, SmplParams]]:
    """People and bodies of a CLIFF-GT file.

    A file without our own keys leaves the photo's size open: `image_size_px` is then (0, 0), `camera` is `None`, and
    the focal length stands in `extra["focal_length_px"]`; its box is the largest that gives the file's crop.

    Raises:
        FormatError: missing or damaged file, missing keys, wrong shapes, values that are no bodies; names the row.
    """
    return _read(SourceFile(path))


def write(path: Path, people: Sequence[PhotoPerson], estimates: Sequence[Estimate] | None, body) -> None:
    """Write people with their bodies; see `write_cliff_gt`."""
    if estimates is None or body is None:
        raise FormatError(f"{path}: a CLIFF-GT file holds bodies; none were given")
    write_cliff_gt(path, people, estimates, body)


def write_cliff_gt(
    path: str | Path, people: Sequence[PhotoPerson], estimates: Sequence[Estimate], body: Body | Mapping[str, Body]
) -> None:
    """Write people with their bodies.

    Args:
        path: of the npz; replaced only when the new one is complete.
        people: names, sizes, ids and 2D points; a person's own points go before those of the estimate.
        estimates: the body of each person, with the box and the camera that it was predicted for.
        body: the body model that regenerates `S`, or one per gender. Joints it does not know get confidence 0; where
            it does not know the pelvis of `SPIN24`, SMPL's own pelvis is the origin.

    Raises:
        FormatError: lists of different length, an estimate for a photo of another size, a gender without a body, or
            a place that cannot be written.
    """
    path = Path(path)
    if len(people) != len(estimates):
        raise FormatError(f"{path}: {len(people)} people but {len(estimates)} bodies; they must belong together")
    bodies = body if isinstance(body, Mapping) else {body.gender: body}
    rows = [_row(person, estimate, bodies, path) for person, estimate in zip(people, estimates, strict=True)]
    shapes = {**_REQUIRED, **_OPTIONAL, "S": (24, 4)}
    arrays: dict[str, np.ndarray] = {
        name: np.array([row[name] for row in rows]).reshape(len(rows), *shape) for name, shape in shapes.items()
    }
    if not rows:
        arrays.update({name: np.zeros(0, dtype="U1") for name in _TEXT})
    if all(person.annotation_id < 0 for person in people):
        del arrays["annot_id"]
    write_atomically(path, lambda stream: np.savez_compressed(stream, allow_pickle=False, **arrays))


def _row(person: PhotoPerson, estimate: Estimate, bodies: Mapping[str, Body], path: Path) -> dict[str, object]:
    """One person's values by key."""
    params, camera = estimate.params, estimate.camera
    if tuple(person.image_size_px) != tuple(camera.image_size_px):
        raise FormatError(
            f"{path}: {person.image_name} is {person.image_size_px[0]} x {person.image_size_px[1]} pixels, but its "
            f"body was predicted for {camera.image_size_px[0]} x {camera.image_size_px[1]}; predict it again"
        )
    if params.gender not in bodies:
        raise FormatError(f"{path}: {person.image_name} has a {params.gender} body; load that body model to write it")
    centre, height = crop_frame(estimate.box.xyxy[None], OFFICIAL_CROP)
    return {
        "imgname": person.image_name,
        "center": centre[0],
        "scale": height[0] / 200,
        "part": to_part(person.keypoints if person.keypoints is not None else estimate.keypoints),
        "annot_id": person.annotation_id,
        "pose": np.asarray(params.pose_rotvec, dtype=np.float64).reshape(72),
        "shape": np.asarray(params.betas, dtype=np.float64),
        "has_smpl": True,
        "global_t": np.asarray(params.transl, dtype=np.float64),
        "focal_l": float(camera.focal_length_px),
        "S": _joints(params, bodies[params.gender]),
        "image_size": np.array(camera.image_size_px),
        "principal_point": camera.centre_px,
        "bbox": estimate.box.xyxy,
        "gender": params.gender,
    }


def _joints(params: SmplParams, body: Body) -> np.ndarray:
    """(24, 4) SPIN's joints of the body, metres from its pelvis, and whether the body knows each."""
    posed = body.pose(rotvec_to_rotmat(params.pose_rotvec), np.asarray(params.betas))
    points = body.keypoints(posed.vertices, "spin24").astype(np.float64)
    known = np.isfinite(points).all(axis=1)
    points -= points[_PELVIS] if known[_PELVIS] else posed.joints[0]
    return np.concatenate([np.where(known[:, None], points, 0), known[:, None]], axis=1)


def _read(source: SourceFile) -> list[tuple[PhotoPerson, SmplParams]]:
    arrays = _checked_arrays(source)
    return [_person(source.path, row, arrays) for row in range(len(arrays["imgname"]))]


def _checked_arrays(source: SourceFile) -> dict[str, np.ndarray]:
    """All keys that we use, as text or float64, with the right shapes and only finite values."""
    wanted = {**_REQUIRED, **{name: shape for name, shape in _OPTIONAL.items() if name in source.array_names}}
    arrays = {name: source.array(name) for name in wanted}
    count = arrays["imgname"].size
    for name, shape in wanted.items():
        array = arrays[name] = arrays[name].reshape(-1) if shape == () else arrays[name]
        if array.shape != (count, *shape):
            raise FormatError(f"{source.path}: '{name}' has shape {array.shape}, not {(count, *shape)}")
        if name in _TEXT:
            arrays[name] = _as_text(array, name, source.path)
            continue
        if array.dtype.kind not in "biuf":
            raise FormatError(f"{source.path}: '{name}' holds {array.dtype} instead of numbers")
        arrays[name] = array if name == "annot_id" and array.dtype.kind in "iu" else array.astype(np.float64)
        entries = np.flatnonzero(~np.isfinite(arrays[name]))
        if entries.size:
            row = int(entries[0]) * count // arrays[name].size
            raise FormatError(f"{_where(source.path, row, arrays)}: '{name}' is not finite")
    return arrays


def _person(path: Path, row: int, arrays: dict[str, np.ndarray]) -> tuple[PhotoPerson, SmplParams]:
    where = _where(path, row, arrays)
    if not arrays["has_smpl"][row]:
        raise FormatError(f"{where}: has no body (has_smpl is 0), and CLIFF-GT is about bodies; drop the row")
    focal = float(arrays["focal_l"][row])
    if focal <= 0:
        raise FormatError(f"{where}: focal_l is {focal:g}; it must be positive")
    size: tuple[int, int] = (0, 0)
    camera = None
    if "image_size" in arrays:
        size = (int(arrays["image_size"][row, 0]), int(arrays["image_size"][row, 1]))
        camera = Camera(focal, size, _principal_point(arrays, row, size))
    person = PhotoPerson(
        image_name=relative_name(str(arrays["imgname"][row]), where),
        image_size_px=size,
        box=_box(arrays, row, where),
        keypoints=from_part(arrays["part"][row]),
        camera=camera,
        annotation_id=int(arrays["annot_id"][row]) if "annot_id" in arrays else -1,
        extra={} if camera else {"focal_length_px": focal},
    )
    params = SmplParams(
        pose_rotvec=arrays["pose"][row].reshape(24, 3),
        betas=arrays["shape"][row],
        transl=arrays["global_t"][row],
        gender=_gender(str(arrays["gender"][row]), where) if "gender" in arrays else "neutral",
    )
    return person, params


def _box(arrays: dict[str, np.ndarray], row: int, where: str) -> Box:
    """The person's own box where the file has it, else the 4:3 box whose crop is the file's."""
    if "bbox" in arrays:
        xyxy = arrays["bbox"][row]
    else:
        height = 200 * arrays["scale"][row] / OFFICIAL_CROP.rescale
        half = np.array([height * OFFICIAL_CROP.width_px / OFFICIAL_CROP.height_px, height]) / 2
        xyxy = np.concatenate([arrays["center"][row] - half, arrays["center"][row] + half])
    x0, y0, x1, y1 = (float(value) for value in xyxy)
    try:
        return Box(x0, y0, x1, y1, source=Provenance.IMPORTED)
    except GeometryError as error:
        raise FormatError(f"{where}: {error}") from error


def _principal_point(arrays: dict[str, np.ndarray], row: int, size: tuple[int, int]) -> tuple[float, float] | None:
    """`None` in the middle of the photo, as cameras have it."""
    if "principal_point" not in arrays or np.array_equal(arrays["principal_point"][row], np.array(size) / 2):
        return None
    x, y = arrays["principal_point"][row]
    return float(x), float(y)


def _gender(value: str, where: str) -> str:
    gender = _GENDERS.get(value.strip().lower()[:1])
    if gender is None:
        raise FormatError(f"{where}: gender '{value}' is none of {', '.join(_GENDERS.values())}")
    return gender


def _as_text(array: np.ndarray, name: str, path: Path) -> np.ndarray:
    """Text as str; files of Python 2 hold bytes. An empty list has no kind of its own."""
    if array.dtype.kind == "S":
        try:
            return np.char.decode(array, "utf-8")
        except UnicodeDecodeError as error:
            raise FormatError(f"{path}: '{name}' holds bytes that are not UTF-8") from error
    if array.dtype.kind != "U" and array.size:
        raise FormatError(f"{path}: '{name}' holds {array.dtype} instead of text")
    return array


def _where(path: Path, row: int, arrays: dict[str, np.ndarray]) -> str:
    return f"{path}: row {row} ({arrays['imgname'][row]})"
