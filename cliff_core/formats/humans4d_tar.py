"""4D-Humans (HMR 2.0): the tar of photos and people that its training streams through `webdataset`.

Two entries per photo, next to each other, with the same key (the name up to its first dot):

    KEY.jpg        the photo, upright
    KEY.data.pyd   a pickled list with one dictionary per person

and in a dictionary

    center         (2,)      centre of the box, pixels
    scale          (2,)      width and height of the box / 200 (in the npz of the same project: not divided)
    body_pose      (72,)     axis-angle, global orientation first, in the camera frame
    has_body_pose            1 where it means something
    betas          (10,)
    has_betas                1 where they mean something
    keypoints_2d   (44, 3)   BODY_25's points, then the first 19 of `skeletons.SPIN24`: x, y, confidence
    keypoints_3d   (44, 4)   the same points of the body in metres, pelvis at the origin, and confidence
    extra_info               a dictionary, written empty

The training takes these arrays as they are and wants single precision, which moves vertices by up to some micrometres;
`pose` and `shape` keep them in double precision, and are read where they agree with what they stand for. Further keys
of ours: `imgname` and those of `own_values`. Others ignore them. Masks (`KEY.detection.npz`) are passed over.

Entries are read in place, one photo after the other; nothing is unpacked to disk.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from itertools import chain, count
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import numpy as np

from cliff_core.body import Body
from cliff_core.errors import FormatError, ImageError
from cliff_core.formats.files import (
    Annotations,
    Read,
    ReadReport,
    SourceFile,
    check_people,
    gather,
    relative_name,
    write_atomically,
)
from cliff_core.formats.humans4d import EXTRA_POINTS, common_values, person_of, points_2d, points_3d
from cliff_core.formats.own_values import SHAPES, vector
from cliff_core.formats.pickles import dumps, loads
from cliff_core.formats.placement import CroppedPeople
from cliff_core.formats.subjects import Subject, check_photo, each, per_photo, subjects
from cliff_core.formats.tar_entries import TarEntry, looks_like_tar, read_entry, tar_entries
from cliff_core.formats.values import short
from cliff_core.images import read_size, upright_jpeg
from cliff_core.records import Estimate, PhotoPerson

_PEOPLE = "data.pyd"
_PHOTOS = ("jpg", "jpeg", "png")
_LARGEST_PICKLE = 1 << 26
_LONGEST_HEAD = 1 << 24  # of a photo: what its size is read from
_POINTS = 25 + EXTRA_POINTS
_READ = (
    "center", "scale", "body_pose", "has_body_pose", "betas", "has_betas", "keypoints_2d", "pose", "shape", "imgname",
    *SHAPES,
)  # fmt: skip
_SINGLE = ("center", "scale", "body_pose", "betas", "keypoints_2d", "keypoints_3d")
_AGREE = 1e-5  # radians, standard deviations: far above the rounding to single precision


def recognises(source: SourceFile) -> bool:
    """Whether the file is a tar with an entry of people."""
    if source.is_folder or not looks_like_tar(source.path):
        return False
    try:
        with source.path.open("rb") as stream:
            return any(_split(entry.name)[1] == _PEOPLE for entry in tar_entries(stream, source.path))
    except (FormatError, OSError):
        return False


def read(source: SourceFile) -> Annotations:
    """People of a 4D-Humans tar, with a body where the file has one that can be placed.

    Raises:
        FormatError: damaged or cut short, a pickle that holds more than plain values, values that are no bodies; names
            the entry and the person.
    """
    return gather(source, people)


def people(source: SourceFile, report: ReadReport) -> Iterator[Read]:
    """The people of a 4D-Humans tar one by one; errors as in `read`."""
    cropped = CroppedPeople(source, report, "4d-humans")
    try:
        with source.path.open("rb") as stream:
            for key, entries in _groups(stream, source.path):
                yield from _photo(key, entries, stream, source, cropped)
    except OSError as error:
        raise FormatError(f"{source.path}: cannot be read ({error.strerror})") from error
    cropped.finish()


def write(
    path: Path,
    people: Sequence[PhotoPerson],
    estimates: Sequence[Estimate | None] | None,
    body: Body | Mapping[str, Body] | None,
    photos: Path | None = None,
) -> None:
    """Write people with their bodies and their photos.

    Args:
        path: of the tar; replaced only when the new one is complete.
        people: names, sizes, ids and 2D points; a person's own points go before those of the estimate.
        estimates: the body of each person, with the box and the camera that it was predicted for.
        body: the body model that gives the 3D points, or one per gender.
        photos: folder that the people's `image_name` is relative to.

    Raises:
        FormatError: people without bodies, no photos, a photo of another size, and what `subjects` refuses.
        ImageError: a photo that cannot be read.
    """
    grouped = per_photo(subjects(path, people, estimates, body, "a 4D-Humans tar"))
    if grouped and photos is None:
        raise FormatError(f"{path}: a 4D-Humans tar carries the photos; name their folder")
    keys = _keys(grouped)

    def fill(stream: BinaryIO):
        with closing(tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT)) as archive:
            for name, group in grouped.items():
                assert photos is not None
                _add(archive, f"{keys[name]}.jpg", _jpeg(photos / name, group[0]))
                _add(archive, f"{keys[name]}.{_PEOPLE}", dumps([_values(subject) for subject in each(group)]))

    write_atomically(path, fill)


def _split(name: str) -> tuple[str, str]:
    """Key and ending of an entry, as `webdataset` takes them apart: at the first dot of the file's name."""
    folder, slash, file = name.rpartition("/")
    stem, _, ending = file.partition(".")
    return f"{folder}{slash}{stem}", ending.lower()


def _groups(stream: BinaryIO, path: Path) -> Iterator[tuple[str, dict[str, TarEntry]]]:
    """Entries that belong together, by their endings."""
    key: str | None = None
    group: dict[str, TarEntry] = {}
    for entry in tar_entries(stream, path):
        found, ending = _split(entry.name)
        if found != key and key is not None:
            yield key, group
            group = {}
        key = found
        group[ending] = entry
    if key is not None:
        yield key, group


def _photo(
    key: str, entries: dict[str, TarEntry], stream: BinaryIO, source: SourceFile, cropped: CroppedPeople
) -> Iterator[Read]:
    """The people of one photo."""
    if _PEOPLE not in entries:
        return
    where = f"{source.path}: {short(key, 120)}.{_PEOPLE}"
    content = read_entry(stream, entries[_PEOPLE], _LARGEST_PICKLE, source.path)
    listed = loads(content, where)
    if isinstance(listed, dict):
        listed = [listed]
    if not isinstance(listed, list):
        raise FormatError(f"{where}: holds a {type(listed).__name__} instead of a list of people")
    check_people(len(listed), len(content), where)
    picture = next((entries[ending] for ending in _PHOTOS if ending in entries), None)
    size = _size(picture, stream, source.path)
    for number, values in enumerate(listed):
        who = f"{where}: person {number + 1}"
        if not isinstance(values, dict):
            raise FormatError(f"{who}: a {type(values).__name__} instead of a dictionary")
        yield _person(values, who, picture.name if picture else f"{key}.jpg", size, cropped)


def _person(
    values: dict[str, Any], where: str, name: str, size: tuple[int, int] | None, cropped: CroppedPeople
) -> Read:
    taken: dict[str, Any] = {key: values[key] for key in _READ if values.get(key) is not None}
    taken.setdefault("imgname", relative_name(name, where))
    if not isinstance(taken["imgname"], str):
        raise FormatError(f"{where}: imgname is no text")
    if size is not None:
        taken.setdefault("image_size", size)
    for key in ("center", "scale"):
        if key not in taken:
            raise FormatError(f"{where}: has no '{key}'")
    taken["center"] = vector(taken["center"], 2, f"{where}: center")
    vector(taken["scale"], 1, f"{where}: scale", longer=True)  # a number at least, before they are counted
    taken["scale"] = 200 * vector(taken["scale"], 1 if np.size(taken["scale"]) == 1 else 2, f"{where}: scale")
    for key, exact, length in (("body_pose", "pose", 72), ("betas", "shape", 10)):
        flag = f"has_{key}"
        if flag in taken:
            taken[flag] = bool(vector(taken[flag], 1, f"{where}: {flag}")[0])
        if key in taken:
            taken[key] = _exact(taken, key, exact, length, where)
    points = None
    if "keypoints_2d" in taken:
        points = vector(taken["keypoints_2d"], 3 * _POINTS, f"{where}: keypoints_2d").reshape(_POINTS, 3)
    openpose, extra = (None, None) if points is None else (points[:25], points[25:])
    return person_of(cropped, taken, where, openpose, extra)


def _exact(values: dict[str, Any], key: str, exact: str, length: int, where: str) -> np.ndarray:
    """Our own values in double precision, unless somebody changed those that they stand for."""
    theirs = vector(values[key], length, f"{where}: {key}")
    if exact not in values:
        return theirs
    ours = vector(values[exact], length, f"{where}: {exact}")
    return ours if np.abs(ours - theirs).max() < _AGREE else theirs


def _size(entry: TarEntry | None, stream: BinaryIO, path: Path) -> tuple[int, int] | None:
    """Width and height of a photo in the archive, `None` if it is not there or cannot be read."""
    if entry is None:
        return None
    stream.seek(entry.offset)
    try:
        return read_size(path / entry.name, io.BytesIO(stream.read(min(entry.size, _LONGEST_HEAD))))
    except ImageError:
        return None


def _keys(names: Mapping[str, Any]) -> dict[str, str]:
    """A key for each photo: its name without suffix and without dots, no two the same."""
    keys: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        plain = PurePosixPath(name)
        stem = str(plain.parent / plain.stem.replace(".", "_"))
        key = next(key for key in chain([stem], (f"{stem}_{n}" for n in count(2))) if key.casefold() not in taken)
        taken.add(key.casefold())
        keys[name] = key
    return keys


def _jpeg(photo: Path, subject: Subject) -> bytes:
    """The photo, upright and of the size that its people were predicted for."""
    check_photo(subject, read_size(photo))
    return upright_jpeg(photo)


def _add(archive: tarfile.TarFile, name: str, content: bytes):
    """An entry without time or owner, so that the same people make the same file."""
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def _values(subject: Subject) -> dict[str, Any]:
    """One person's dictionary."""
    common = common_values(subject)
    values = {
        **common,
        "scale": common["scale"] / 200,
        "keypoints_2d": np.concatenate(points_2d(subject)),
        "keypoints_3d": np.concatenate(points_3d(subject)),
    }
    values |= {name: values[name].astype(np.float32) for name in _SINGLE}
    return {
        **values,
        "has_body_pose": np.array(1.0, dtype=np.float32),
        "has_betas": np.array(1.0, dtype=np.float32),
        "extra_info": {},
        "pose": common["body_pose"],
        "shape": common["betas"],
        "imgname": subject.person.image_name,
    }
