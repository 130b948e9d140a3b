"""Frames out of videos, as photos that a project can hold: upright, at a chosen rate, with an index of their times.

OpenCV decodes through the FFmpeg that its packages bring. What FFmpeg has to say about odd files stays off the console
(set once for the process by importing this module); what matters of it is in the `ImageError`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2

from cliff_core.errors import ImageError
from cliff_core.images import write_image

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # read when the first video is opened

INDEX_NAME = "frames.json"
"""Beside the frames: the video, the rate, and the number and time of each frame."""

_SUFFIXES = (".jpg", ".png")
_USUAL_RATE = 25.0  # for containers that do not say theirs
_MISSING_FROM = 0.05  # of the promised frames; the last few are often promised and not there
_HASHED_BYTES = 1 << 20
_PLAYLISTS = (b"ffconcat", b"#EXTM3U", b"<?xml", b"<MPD", b"v=0")  # text that sends FFmpeg to other files or hosts
_UNKNOWN = "no video that can be decoded (no video, cut short, or an unknown codec); convert it to MP4 (H.264)"

Progress = Callable[[int, int, str], None]


def extract_frames(
    video: Path,
    folder: Path,
    frames_per_second: float,
    *,
    suffix: str = ".jpg",
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> list[Path]:
    """Save frames of a video as numbered pictures, upright as a player shows them, with an index beside them.

    The frame shown at each multiple of 1 / rate is taken, by the video's own time stamps, so that videos without a
    steady rate give evenly spaced frames; a rate above the video's own gives every frame. What was saved before an
    interruption is kept: called again with the same video, folder and rate, it goes on, and does nothing where all is
    there.

    Args:
        video: any file that FFmpeg decodes.
        folder: of the pictures `<video>_000001.jpg` ... and of `frames.json` (keys: `video`, `size_bytes`,
            `fingerprint`, `frames_per_second`, `suffix`, `complete`, `note` if the video ends early, and `frames` with
            `file`, `number` in the video from 0 and `time_s`).
        frames_per_second: how many frames of each second are wanted; the video may have fewer.
        suffix: `.jpg`, or `.png` for frames without any loss.
        progress: called with frames read, frames in the video (0 if it does not say), and what was saved.
        should_stop: asked before each frame; when it says yes, what is saved so far is returned and can be continued.

    Returns:
        The pictures in the order of the video.

    Raises:
        ImageError: no such video, none that can be decoded, a rate that is none, a folder with frames of another video
            or rate, or a place that cannot be written.
    """
    video, folder = Path(video), Path(folder)
    if not (math.isfinite(frames_per_second) and frames_per_second > 0):
        raise ImageError(f"{video}: {frames_per_second} frames per second are none; choose a positive number")
    if suffix not in _SUFFIXES:
        raise ImageError(f"{video}: frames cannot be saved as '{suffix}'; choose one of {', '.join(_SUFFIXES)}")
    if not video.is_file():
        raise ImageError(f"{video}: no such file; check the name")
    wanted = {"video": video.name, **_identity(video), "frames_per_second": float(frames_per_second), "suffix": suffix}
    index = _known_index(folder, wanted)
    if index.get("complete") and all((folder / frame["file"]).is_file() for frame in index["frames"]):
        return [folder / frame["file"] for frame in index["frames"]]
    frames: list[dict[str, Any]] = []
    _write_index(folder, {**wanted, "complete": False, "note": "", "frames": index.get("frames", [])})
    with _opened(video) as capture:
        promised = max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        number, stopped = -1, False
        for number, time_s in _selected(capture, frames_per_second):
            if should_stop is not None and should_stop():
                stopped = True
                break
            if time_s is None:
                continue
            file = f"{video.stem}_{len(frames) + 1:06d}{suffix}"
            if not (folder / file).is_file():
                decoded, bgr = capture.retrieve()
                if not decoded:
                    continue  # a frame that is damaged; the next one takes its place
                write_image(folder / file, cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))
            frames.append({"file": file, "number": number, "time_s": round(time_s, 6)})
            if progress is not None:
                progress(number + 1, promised, f"{file} saved")
    if not frames and not stopped:
        raise ImageError(f"{video}: no frame can be decoded; convert it to MP4 (H.264) and try again")
    _write_index(folder, {**wanted, "complete": not stopped, "note": _note(number + 1, promised), "frames": frames})
    return [folder / frame["file"] for frame in frames]


def read_index(folder: Path) -> dict[str, Any]:
    """The index of a folder of frames; see `extract_frames` for its keys.

    Raises:
        ImageError: no index there, or a damaged one.
    """
    path = Path(folder) / INDEX_NAME
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(index, dict) and all(Path(frame["file"]).name == frame["file"] for frame in index["frames"]):
            return index
    except FileNotFoundError:
        raise ImageError(f"{path}: no such file; the folder holds no frames of a video") from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ImageError(f"{path}: damaged ({error}); delete the folder and extract the frames again") from error
    raise ImageError(f"{path}: no index of frames; delete the folder and extract the frames again")


def _known_index(folder: Path, wanted: dict[str, Any]) -> dict[str, Any]:
    """The index of an earlier run with the same wish; empty where there is none."""
    if not (folder / INDEX_NAME).exists():
        return {}
    index = read_index(folder)
    for key, value in wanted.items():
        if index.get(key) != value:
            what = "another video" if key in ("video", "size_bytes", "fingerprint") else f"another wish ({key})"
            raise ImageError(f"{folder}: holds frames of {what}; choose another folder")
    return index


def _identity(video: Path) -> dict[str, Any]:
    """Size and a hash of both ends: enough to tell videos apart without reading gigabytes."""
    try:
        with video.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            digest = hashlib.sha256()
            stream.seek(0)
            if stream.read(256).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(_PLAYLISTS):
                raise ImageError(f"{video}: {_UNKNOWN}")
            for place in (0, max(0, size - _HASHED_BYTES)):
                stream.seek(place)
                digest.update(stream.read(_HASHED_BYTES))
    except OSError as error:
        raise ImageError(f"{video}: cannot be read ({error.strerror}); check its permissions") from error
    return {"size_bytes": size, "fingerprint": digest.hexdigest()}


def _write_index(folder: Path, index: dict[str, Any]) -> None:
    path = folder / INDEX_NAME
    unfinished = path.with_suffix(".unfinished")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(json.dumps(index, indent=1, ensure_ascii=False), encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise ImageError(f"{path}: cannot be written ({error.strerror}); free the place or choose another") from error


@contextlib.contextmanager
def _opened(video: Path) -> Iterator[Any]:
    """The video, decoded by FFmpeg alone: other decoders take a `%` in a name for a series of files."""
    logging = cv2.utils.logging
    before = logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        capture = cv2.VideoCapture(str(video.absolute()), cv2.CAP_FFMPEG)
        try:
            if not capture.isOpened():
                raise ImageError(f"{video}: {_UNKNOWN}")
            capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)  # phones store videos lying and note how to turn them
            yield capture
        finally:
            capture.release()
    finally:
        logging.setLogLevel(before)


def _selected(capture: Any, rate: float) -> Iterator[tuple[int, float | None]]:
    """Number and time of each frame in turn; the time is `None` for frames that are not wanted.

    Times count from the first frame. Where a container has none, or they run backwards, its rate stands in.
    """
    own_rate = capture.get(cv2.CAP_PROP_FPS)
    step = 1 / own_rate if math.isfinite(own_rate) and own_rate > 0 else 1 / _USUAL_RATE
    first = time_s = 0.0
    due = number = 0
    while capture.grab():
        stamp = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if number == 0:
            first = stamp
        else:
            time_s = stamp - first if stamp - first > time_s else time_s + step
        # A frame stands for the moment from half a step before it.
        wanted = time_s + step / 2 >= due / rate
        if wanted:
            due = max(due + 1, math.floor((time_s + step / 2) * rate) + 1)
        yield number, time_s if wanted else None
        number += 1


def _note(read: int, promised: int) -> str:
    """What is to be said about a video that ends early."""
    if promised - read <= max(1, _MISSING_FROM * promised):
        return ""
    return f"the video promises {promised} frames, and {read} could be read; it is cut short or damaged"
