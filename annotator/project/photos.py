"""The project's photos: found, hashed, referenced where they lie, and found again when the folder has moved.

Photos are only ever read. A project remembers where each lies below a root folder, as seen from the project and in
full, with its hash and size; so a project moves together with its photos, and either finds them alone.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from annotator.console import Progress, left_out
from annotator.project.database import Database
from annotator.project.documents import photo_uid
from annotator.project.errors import EditError, NotAProjectError
from annotator.project.journal import NOTE, Entry
from cliff_core.errors import CliffError, ImageError
from cliff_core.execution.streams import available_cores, map_in_order
from cliff_core.images import find_images, read_header

OWN_FOLDERS = ("annotations", "backups", "runs")
"""Folders in a project that are not a person's."""

_PORTION = 1000


@dataclass(frozen=True, slots=True)
class PhotoFacts:
    """What a file says about itself.

    Attributes:
        path: below its root, forward slashes.
        sha256: of the file.
        size_bytes: of the file.
        orientation: EXIF, 1..8.
        size_px: width, height, upright.
    """

    path: str
    sha256: str
    size_bytes: int
    orientation: int
    size_px: tuple[int, int]


@dataclass(frozen=True, slots=True)
class AddedPhotos:
    """What became of a folder of photos.

    Attributes:
        added: how many are new in the project.
        known: how many it had already.
        refused: one line for each that cannot be read, and why.
    """

    added: int
    known: int
    refused: list[str]

    def __str__(self) -> str:
        """Counts, and what was left out."""
        return "\n".join([f"{self.added} photos added, {self.known} known already", *left_out(self.refused)])


@dataclass(frozen=True, slots=True)
class Relinked:
    """What became of photos that were looked for.

    Attributes:
        in_place: how many lie where the project expects them.
        found: how many were found below the folder.
        missing: names of those that were found nowhere.
        changed: names of those whose file is another one now: same place, other content.
    """

    in_place: int
    found: int
    missing: list[str]
    changed: list[str]

    def __str__(self) -> str:
        """Counts, then what is missing."""
        lines = [f"{self.in_place} photos in their places, {self.found} found again, {len(self.missing)} missing"]
        lines += [f"  missing: {name}" for name in self.missing]
        lines += [f"  another file now, and left as it was: {name}" for name in self.changed]
        return "\n".join(lines)


def examine_photo(root: Path, file: Path) -> PhotoFacts:
    """Read what identifies a photo; the file is read once through and not decoded.

    Raises:
        ImageError: not a picture, or one that may not be read.
    """
    header = read_header(file)
    try:
        with file.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
            size_bytes = stream.tell()
    except OSError as error:
        raise ImageError(f"{file}: cannot be read ({error.strerror}); look at the disk") from error
    return PhotoFacts(file.relative_to(root).as_posix(), sha256, size_bytes, header.orientation, header.size_px)


def add_photos(database: Database, project: Path, folder: Path, who: str, progress: Progress) -> AddedPhotos:
    """Reference all pictures of a folder and the folders below it; those that are known stay as they are.

    Raises:
        NotAProjectError: no such folder, or one without a picture.
        ProjectError: the project cannot be written.
    """
    folder = Path(os.path.abspath(folder))  # noqa: PTH100  (links are kept: a photo is where a person sees it)
    if not folder.is_dir():
        raise NotAProjectError(f"{folder}: no such folder; name the one with the photos")
    inside = Path(os.path.abspath(project))  # noqa: PTH100
    files = [file for file in find_images(folder) if not _is_made_by_us(file, folder, inside)]
    if not files:
        raise NotAProjectError(f"{folder}: no pictures there; name the folder with the photos")
    root_id, prefix = _root(database, project, folder)
    known = {path for (path,) in database.rows("SELECT path FROM photo WHERE root_id = ?", [root_id])}
    new = [file for file in files if file.relative_to(folder).as_posix() not in known]
    added, refused = 0, []

    def examine(file: Path) -> PhotoFacts | str:
        try:
            return examine_photo(folder, file)
        except CliffError as error:
            return str(error)

    portion: list[PhotoFacts] = []
    with closing(map_in_order(examine, new, min(available_cores(), 8), 64)) as results:
        for done, facts in enumerate(results, 1):
            progress(done, len(new), "reading photos")
            if isinstance(facts, str):
                refused.append(facts)
                continue
            portion.append(facts)
            if len(portion) == _PORTION:
                added += insert_photos(database, root_id, prefix, portion, who)
                portion = []
    if portion:
        added += insert_photos(database, root_id, prefix, portion, who)
    return AddedPhotos(added, len(files) - len(new), refused)


def _is_made_by_us(file: Path, folder: Path, project: Path) -> bool:
    """Whether a picture belongs to the project itself (overlays in its runs), not to the photos beside it."""
    if project not in file.parents:
        return False
    if project != folder and folder in project.parents:
        return True
    return file.relative_to(project).parts[0] in OWN_FOLDERS


def insert_photos(database: Database, root_id: int, prefix: str, facts: Iterable[PhotoFacts], who: str) -> int:
    """Write photos below a root as one transaction; returns how many."""
    rows = []
    with database.transaction():
        taken: set[str] = set()
        for fact in facts:
            uid, name = photo_uid(fact.sha256), prefix + fact.path
            if uid in taken or database.value("SELECT 1 FROM photo WHERE uid = ?", [uid]):
                uid = photo_uid(fact.sha256, copy_named=name)
            taken.add(uid)
            place = (root_id, fact.path, fact.sha256, fact.size_bytes, fact.orientation, *fact.size_px)
            rows.append((uid, name, *place))
        database.execute_many(
            "INSERT INTO photo (uid, name, root_id, path, sha256, size_bytes, orientation, width, height) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
        Entry(database, NOTE, "AddPhotos", who, None, {"photos": len(rows)}).finish()
    return len(rows)


def take_photos(
    database: Database,
    project: Path,
    source: Database,
    source_project: Path,
    photo_ids: Sequence[int],
    who: str,
    folder: str,
    reference: bool,
) -> None:
    """Reference photos of another project under the names that they have there.

    Args:
        database, project: where they are entered; a project without photos.
        source, source_project: where they come from.
        photo_ids: which.
        who: for the journal.
        folder: in `project`, where copies of the files lie.
        reference: the files stay where they are instead.
    """
    columns = "uid, name, sha256, size_bytes, orientation, width, height"
    with database.transaction():
        roots: dict[int, int] = {}
        for number, prefix, near, far in source.rows("SELECT id, prefix, near, far FROM root ORDER BY id"):
            if reference:
                place = root_path(source_project, near, far)
                values = [prefix, _near(place, project), str(place)]
            elif not roots:
                values = ["", folder, str(project / folder)]
            else:
                roots[number] = next(iter(roots.values()))
                continue
            cursor = database.execute("INSERT INTO root (prefix, near, far) VALUES (?, ?, ?)", values)
            roots[number] = int(cursor.lastrowid or 0)
        for photo_id in photo_ids:
            row = source.row(f"SELECT root_id, path, {columns} FROM photo WHERE id = ?", [photo_id])
            assert row is not None
            root, path, uid, name, *facts = row
            database.execute(
                f"INSERT INTO photo (root_id, path, {columns}) VALUES ({', '.join('?' * 9)})",
                [roots[root], path if reference else name, uid, name, *facts],
            )
        Entry(database, NOTE, "AddPhotos", who, None, {"photos": len(photo_ids)}).finish()


def photo_files(database: Database, project: Path, photo_ids: Iterable[int]) -> dict[int, Path]:
    """Where photos lie; the files may be gone."""
    roots = {
        number: root_path(project, near, far) for number, near, far in database.rows("SELECT id, near, far FROM root")
    }
    files = {}
    for photo_id in photo_ids:
        row = database.row("SELECT root_id, path FROM photo WHERE id = ?", [photo_id])
        if row is None:
            raise EditError(f"the project has no photo {photo_id}")
        files[photo_id] = roots[row[0]] / row[1]
    return files


def relink(database: Database, project: Path, folder: Path, who: str, progress: Progress) -> Relinked:
    """Look for the photos that are not in their places below a folder: by path and size, else by size and hash.

    Raises:
        NotAProjectError: no such folder.
        ProjectError: the project cannot be written.
    """
    folder = Path(os.path.abspath(folder))  # noqa: PTH100
    if not folder.is_dir():
        raise NotAProjectError(f"{folder}: no such folder; name the one where the photos are now")
    rows = database.rows("SELECT id, name, path, sha256, size_bytes FROM photo ORDER BY name")
    places = photo_files(database, project, [row[0] for row in rows])
    absent, changed = [], []
    for row in rows:
        size = _size(places[row[0]])
        if size is None:
            absent.append(row)
        elif size != row[4]:
            changed.append(row[1])
    found = _search(folder, absent, progress)
    if found:
        with database.transaction():
            root_id, _ = _root(database, project, folder)
            database.execute_many(
                "UPDATE photo SET root_id = ?, path = ? WHERE id = ?",
                [(root_id, path, photo_id) for photo_id, path in found.items()],
            )
            database.execute("DELETE FROM root WHERE id NOT IN (SELECT root_id FROM photo)")
            Entry(database, NOTE, "Relink", who, None, {"folder": str(folder), "photos": len(found)}).finish()
    missing = [row[1] for row in absent if row[0] not in found]
    return Relinked(len(rows) - len(absent) - len(changed), len(found), missing, changed)


def root_path(project: Path, near: str | None, far: str) -> Path:
    """Where a root folder is: as seen from the project if it is there, else where it was."""
    if near is not None:
        seen = Path(os.path.normpath(project / near))
        if seen.is_dir():
            return seen
    return Path(far)


def _search(folder: Path, absent: list[tuple], progress: Progress) -> dict[int, str]:
    """Path below the folder of each photo that is there, by its number."""
    found: dict[int, str] = {}
    used: set[str] = set()
    left = []
    for row in absent:
        if _size(folder / row[2]) == row[4]:
            found[row[0]] = row[2]
            used.add(row[2])
        else:
            left.append(row)
    if not left:
        return found
    by_size: dict[int, list[str]] = defaultdict(list)
    for file in find_images(folder):
        size = _size(file)
        path = file.relative_to(folder).as_posix()
        if size is not None and path not in used:
            by_size[size].append(path)
    hashes: dict[str, str] = {}
    for done, (photo_id, _, path, sha256, size) in enumerate(left, 1):
        progress(done, len(left), "looking for photos")
        # of several with the same content the one whose last folders agree
        candidates = sorted(by_size.get(size, ()), key=lambda other: (-_common_tail(path, other), other))
        for candidate in candidates:
            if candidate not in hashes:
                with (folder / candidate).open("rb") as stream:
                    hashes[candidate] = hashlib.file_digest(stream, "sha256").hexdigest()
            if hashes[candidate] == sha256 and candidate not in used:
                found[photo_id] = candidate
                used.add(candidate)
                break
    return found


def _common_tail(first: str, second: str) -> int:
    count = 0
    for one, other in zip(reversed(first.split("/")), reversed(second.split("/")), strict=False):
        if one != other:
            break
        count += 1
    return count


def _size(file: Path) -> int | None:
    """Bytes of a file; `None` if there is none."""
    try:
        return file.stat().st_size if file.is_file() else None
    except OSError:
        return None


def _root(database: Database, project: Path, folder: Path) -> tuple[int, str]:
    """Number and prefix of a root folder, entered if it is new. The first root's photos have no prefix."""
    roots = database.rows("SELECT id, prefix, near, far FROM root")
    for number, prefix, near, far in roots:
        if root_path(project, near, far) == folder:
            return number, prefix
    near_now = _near(folder, project)
    prefixes = {prefix for _, prefix, _, _ in roots}
    prefix = "" if not prefixes else f"{folder.name}/"
    number = 2
    while prefix in prefixes:
        prefix, number = f"{folder.name}-{number}/", number + 1
    with database.transaction():
        cursor = database.execute(
            "INSERT INTO root (prefix, near, far) VALUES (?, ?, ?)", [prefix, near_now, str(folder)]
        )
        return int(cursor.lastrowid or 0), prefix


def _near(folder: Path, project: Path) -> str | None:
    """A folder as seen from the project's; `None` on another drive."""
    try:
        return Path(os.path.relpath(folder, project)).as_posix()
    except ValueError:
        return None
