"""Reads damaged files, one after the other, under watch: a program of its own, so that none can hurt the tests.

    python tests/fuzz/fuzz_worker.py FOLDER [--seed N] [--count N] [--formats NAME ...] [--only FORMAT:NUMBER]

Every file must end as a typed error or as a correct import. Watched are: other exceptions, content that no import may
give, memory (a limit of the system), hangs (a file that takes `HANG_SECONDS` ends the program with the place where it
was), and what a reader has no business doing, by Python's audit events: starting programs, opening connections,
writing or opening files elsewhere, looking up what a pickle names. FOLDER/results.json says what became of all files.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import math
import os
import random
import shutil
import sys
import threading
import time
import traceback
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
from fuzz_mutations import monsters, mutate, mutate_bytes
from fuzz_seeds import Seed, choose, make_photos, make_seeds, make_videos

from cliff_core.body import load_body
from cliff_core.errors import CliffError
from cliff_core.formats import FORMATS, Annotations, read, write
from cliff_core.formats.values import relative_name
from cliff_core.video import extract_frames

VIDEO = "video"  # no format, but what people bring
HANG_SECONDS = 60
MEMORY_BYTES = 1 << 30  # beyond what the program needs itself
LONGEST_LINE = 1500
_FORBIDDEN = (
    "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "os.startfile", "subprocess.Popen",
    "pty.spawn", "socket.", "urllib.", "ftplib.", "http.", "ctypes.", "pickle.find_class", "shutil.rmtree", "os.remove",
    "os.rename", "os.link", "os.symlink", "os.chmod", "os.kill", "webbrowser.", "tempfile.",
)  # fmt: skip


class Watch:
    """What the program did while a file was read."""

    def __init__(self, allowed: Path):
        self.events: list[str] = []
        self._allowed = str(allowed.resolve())
        self._writable: str | None = None
        self._armed = False
        self._since = math.inf
        sys.addaudithook(self._hear)
        threading.Thread(target=self._end_hangs, daemon=True).start()

    def writing_to(self, folder: Path | None) -> Watch:
        """The same watch, which lets files be written below a folder."""
        self._writable = None if folder is None else str(folder.resolve())
        return self

    def __enter__(self):
        self.events.clear()
        self._armed = True
        self._since = time.monotonic()

    def __exit__(self, *_):
        self._armed = False
        self._since = math.inf

    def _end_hangs(self) -> None:
        """Ends the program when a file has taken too long, with the place where it was."""
        while True:
            time.sleep(1)
            if time.monotonic() - self._since > HANG_SECONDS:
                faulthandler.dump_traceback()
                os._exit(3)

    def _hear(self, event: str, arguments: tuple) -> None:
        if not self._armed:
            return
        if event in ("os.rename", "os.remove"):
            paths = [path for path in arguments if isinstance(path, str | bytes)]
            if paths and all(self._may_open(path, "w", 0) for path in paths):
                return
        if event.startswith(_FORBIDDEN):
            self.events.append(f"{event} {str(arguments)[:200]}")
        elif event == "open" and not self._may_open(*arguments[:3]):
            self.events.append(f"opened {str(arguments)[:200]}")

    def _may_open(self, path, mode, flags) -> bool:
        if not isinstance(path, str | bytes):
            return True  # a file that is open already
        name = os.path.abspath(path if isinstance(path, str) else path.decode(errors="replace"))  # noqa: PTH100
        writes = any(letter in (mode or "") for letter in "wax+") or (isinstance(flags, int) and flags & 3)
        if writes:
            return self._writable is not None and name.startswith(self._writable)
        return name.startswith(self._allowed) or name.endswith((".py", ".pyc", ".so", ".pyd", ".dll"))


class Fuzzer:
    """Damages seeds, reads them, and notes what became of them."""

    def __init__(self, folder: Path, seed: int):
        self.folder, self.seed = folder, seed
        self.photos = folder / "photos"
        self.findings: list[dict] = []
        self.counts: dict[str, dict[str, int]] = {name: {"error": 0, "read": 0} for name in (*FORMATS, VIDEO)}
        self.slowest = (0.0, "")
        self._body = load_body()
        self._watch = Watch(folder)
        make_photos(self.photos)
        (folder / "seeds").mkdir()

    def run(self, names: list[str], count: int, only: int | None) -> None:
        """`count` damaged files of each format, or one."""
        by_name: dict[str, list[Seed]] = {name: [] for name in names if name != VIDEO}
        for seed in make_seeds(self.folder / "seeds", self.photos, self.seed, tuple(by_name)):
            by_name[seed.format].append(seed)
        by_name[VIDEO] = [Seed(VIDEO, {"": content}) for content in make_videos(self.folder / "seeds")]
        self._list = by_name["coco"][0].files[""] if by_name.get("coco") else b"{}"
        for name in names:
            for valid in by_name[name]:
                self._case(name, -1, valid.files, self._action(name, name))  # loads what is loaded on demand
            for number in [only] if only is not None else range(count):
                self._one(name, number, by_name)
        if only is None and self.seed == 0:
            for title, content in monsters().items():
                for name in names:
                    self._case(name, title, {"": content}, self._action(name, name))
                self._case("any", title, {"": content}, self._action("any", None))

    def _one(self, name: str, number: int, by_name: dict[str, list[Seed]]) -> None:
        (self.folder / "current").write_text(f"{name}:{number}, being made")
        rng = random.Random(zlib.crc32(f"{self.seed}/{name}/{number}".encode()))
        files = dict(choose(rng, by_name[name]).files)
        target = rng.choice(sorted(files))
        damage = mutate_bytes if name == VIDEO else mutate
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            files[target] = damage(rng, files[target])
        photos = self.photos
        if rng.random() < 0.1:  # the photos come as a list, which may be damaged too
            photos = self.folder / "list.json"
            photos.write_bytes(self._list if rng.random() < 0.5 else mutate(rng, self._list))
        action = self._action(name, name if rng.random() < 0.6 else None, photos)
        self._case(name, number, files, action, valid_too=rng.random() < 0.1)

    def _action(self, name: str, asked: str | None, photos: Path | None = None) -> Callable[[Path], Any]:
        """What is done with a file: it is read, or its frames are taken out."""
        if name == VIDEO:
            return lambda path: extract_frames(path, self.folder / "frames", 5)
        return lambda path: read(path, asked, photos=photos or self.photos, body=self._body)

    def _case(self, name: str, number, files: dict[str, bytes], action, valid_too: bool = False) -> None:
        path = self.folder / "case"
        _remove(path)
        _remove(self.folder / "frames")
        for relative, content in files.items():
            place = path / relative if relative else path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        (self.folder / "current").write_text(f"{name}:{number}")
        started, problem, outcome, result = time.perf_counter(), "", "error", None
        try:
            with self._watch.writing_to(self.folder / "frames" if name == VIDEO else None):
                result = action(path)
            outcome = "read"
            problem = "" if name == VIDEO else wrong_with(result)
        except CliffError as error:
            problem = self._wrong_with_message(str(error), path)
        except BaseException:
            problem = traceback.format_exc(limit=-6)
        if self._watch.events:
            problem += f" did {self._watch.events[:3]}"
        if number == -1 and outcome != "read":
            problem = f"a valid seed is refused: {problem or 'by a typed error'}"
        elapsed = time.perf_counter() - started
        self.slowest = max(self.slowest, (round(elapsed, 2), f"{name}:{number}"))
        if valid_too and isinstance(result, Annotations) and result.people and not problem:
            problem = self._written_again(result)
        if number != -1 and name in self.counts:
            self.counts[name][outcome] += 1
        if problem:
            self.findings.append({"format": name, "number": str(number), "problem": problem[-3000:]})
            _keep(path, self.folder / "findings" / f"{name}-{number}".replace(" ", "_"))

    def _wrong_with_message(self, message: str, path: Path) -> str:
        if len(message) > LONGEST_LINE:
            return f"a message of {len(message)} characters: {message[:300]}"
        if "\n" in message.replace(str(path), ""):
            return f"a message of several lines: {message[:500]!r}"
        return "" if str(self.folder) in message else f"a message that does not name the file: {message[:300]}"

    def _written_again(self, annotations: Annotations) -> str:
        """What was imported can be exported."""
        try:
            write("coco", self.folder / "again.json", annotations.people)
        except CliffError as error:
            return "" if "different cameras" in str(error) or "pixels for one person" in str(error) else str(error)
        except Exception:
            return "writing what was read: " + traceback.format_exc(limit=-6)
        return ""


def wrong_with(annotations: Annotations) -> str:
    """What no import may give; empty if nothing is wrong."""
    report = annotations.report
    if not len(annotations.people) == len(annotations.params) == report.read:
        return f"{len(annotations.people)} people, {len(annotations.params)} bodies, {report.read} reported"
    lines = [*report.skipped, *report.notes]
    if any(len(line) > LONGEST_LINE or "\n" in line for line in lines):
        return f"a report with a line of {max(map(len, lines))} characters, or of several lines"
    for person, params in zip(annotations.people, annotations.params, strict=True):
        if relative_name(person.image_name, "") != person.image_name:
            return f"photo {person.image_name!r}"
        width, height = person.image_size_px
        if not (isinstance(width, int) and isinstance(height, int) and 0 <= width < 1e9 and 0 <= height < 1e9):
            return f"photo of {person.image_size_px} pixels"
        if not (np.abs(person.box.xyxy) < 1e12).all():
            return f"box {person.box}"
        if not isinstance(person.annotation_id, int) or abs(person.annotation_id) >= 1 << 63:
            return f"annotation id {person.annotation_id!r}"
        camera = person.camera
        if camera and not (0 < camera.focal_length_px < 1e12 and (np.abs(camera.centre_px) < 1e12).all()):
            return f"camera {camera}"
        points = person.keypoints
        if points is not None:
            shown = points.points_px[points.visibility > 0]
            if not ((np.abs(shown) < 1e12).all() and set(points.visibility.tolist()) <= {0, 1, 2}):
                return f"points {shown} {points.visibility}"
            if not ((points.confidence >= 0) & (points.confidence <= 1)).all():
                return f"confidence {points.confidence}"
        if params is not None:
            shapes = (np.shape(params.pose_rotvec), np.shape(params.betas), np.shape(params.transl))
            numbers = np.concatenate([np.ravel(params.pose_rotvec), np.ravel(params.betas), np.ravel(params.transl)])
            if shapes != ((24, 3), (10,), (3,)) or not (np.abs(numbers) < 1e12).all():
                return f"body {params}"
            if params.gender not in ("neutral", "male", "female"):
                return f"gender {params.gender!r}"
    return ""


def limit_memory() -> None:
    """At most so much more than now; only Linux keeps such a limit."""
    if not sys.platform.startswith("linux"):
        return
    import resource

    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY_BYTES, size + MEMORY_BYTES))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _keep(path: Path, place: Path) -> None:
    place.parent.mkdir(exist_ok=True)
    _remove(place)
    path.rename(place)


def _peak_mb() -> float:
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--formats", nargs="*", default=[*FORMATS, VIDEO])
    parser.add_argument("--only", help="FORMAT:NUMBER, as a finding names it")
    arguments = parser.parse_args()
    names, only = arguments.formats, None
    if arguments.only:
        name, _, number = arguments.only.rpartition(":")
        names, only = [name], int(number)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    fuzzer = Fuzzer(arguments.folder.resolve(), arguments.seed)
    before = _peak_mb()
    limit_memory()
    fuzzer.run(names, arguments.count, only)
    result = {"counts": fuzzer.counts, "findings": fuzzer.findings, "slowest": fuzzer.slowest}
    result |= {"peak_mb": [round(before), round(_peak_mb())]}
    (arguments.folder / "results.json").write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
