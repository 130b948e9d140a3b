"""What CLIFF's own demo saves (`--save_results`): bodies of detected people, to be a prior like ours. Read alone.

    imgname       (M,) str                       photos, as the demo was given them
    detection_all (N, 8)                         index of the photo, left, top, right, bottom, and three numbers more
    pose          (N, 72) or (N, 24, 3, 3)       axis-angle or matrices, global orientation first, in the camera frame
    shape         (N, 10)                        betas
    global_t      (N, 3)                         translation in the camera of the full photo, as `smplx` takes it
    focal_l       (N,)                           focal length, pixels
    pred_joints                                  not read

The demo names photos by whatever path it was given. Of absolute paths the base name is taken, with a note in the
report.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath, PureWindowsPath

import numpy as np

from cliff_core.errors import FormatError
from cliff_core.formats.files import Read, ReadReport, SourceFile, check_people, relative_name
from cliff_core.formats.own_values import box_of, camera_of, params_of, positive, rotvec_of, vector
from cliff_core.records import PhotoPerson

_KEYS = frozenset({"imgname", "detection_all", "pose", "shape", "global_t", "focal_l"})
_NUMBERS = {"detection_all": (8,), "pose": (72,), "shape": (10,), "global_t": (3,), "focal_l": ()}
_MODEL = "CLIFF"


def recognises(source: SourceFile) -> bool:
    """Whether the file is an npz archive with the keys of the demo's results."""
    return source.array_names.issuperset(_KEYS)


def people(source: SourceFile, report: ReadReport) -> Iterator[Read]:
    """The people of a result file one by one.

    Raises:
        FormatError: missing or damaged file, wrong shapes, values that are no bodies; names the person.
    """
    photos = _photos(source, report)
    arrays = _arrays(source)
    for row in range(len(arrays["detection_all"])):
        where = f"{source.path}: person {row + 1}"
        detection = vector(arrays["detection_all"][row], 8, f"{where}: detection_all")
        index = int(detection[0])
        if index != detection[0] or not 0 <= index < len(photos):
            raise FormatError(f"{where}: is on photo {detection[0]:g}, and the file names {len(photos)}")
        focal = positive(arrays["focal_l"][row], f"{where}: focal_l")
        size = source.photo_size(photos[index])
        camera = camera_of(focal, size, None) if size else None
        pose = arrays["pose"][row]
        params = params_of(
            pose if pose.ndim == 1 else rotvec_of(pose, f"{where}: pose"),
            arrays["shape"][row],
            arrays["global_t"][row],
            "neutral",
            where,
        )
        report.read += 1
        extra = {"model": _MODEL} | ({} if camera else {"focal_length_px": focal})
        yield (
            PhotoPerson(photos[index], size or (0, 0), box_of(detection[1:5], where), camera=camera, extra=extra),
            params,
        )


def _photos(source: SourceFile, report: ReadReport) -> list[str]:
    """The photos' names, relative."""
    check_people(source.archive.header("imgname").count, source.path.stat().st_size, str(source.path))
    names = source.array("imgname").reshape(-1)
    if names.dtype.kind != "U":
        raise FormatError(f"{source.path}: 'imgname' holds {names.dtype} instead of text")
    photos, elsewhere = [], 0
    for number, name in enumerate(names.tolist()):
        plain = name.replace("\\", "/")
        if PurePosixPath(plain).is_absolute() or PureWindowsPath(name).drive or ".." in PurePosixPath(plain).parts:
            plain, elsewhere = PurePosixPath(plain).name, elsewhere + 1
        photos.append(relative_name(plain, f"{source.path}: photo {number + 1}"))
    if elsewhere:
        report.notes.append(f"{elsewhere} photos: named by an absolute path, of which the base name is taken")
    return photos


def _arrays(source: SourceFile) -> dict[str, np.ndarray]:
    """One row per person, of the right shapes."""
    count = source.archive.header("detection_all").shape[:1]
    check_people(count[0] if count else 0, source.path.stat().st_size, str(source.path))
    arrays = {}
    for name, shape in _NUMBERS.items():
        header = source.archive.header(name)
        possible = [(*count, *shape), *([(*count, 24, 3, 3)] if name == "pose" else [])]
        if header.shape not in possible:
            raise FormatError(f"{source.path}: '{name}' has shape {header.shape}, not {possible[0]}")
        arrays[name] = source.array(name)
    return arrays
