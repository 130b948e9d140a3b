"""What a shell does with projects: open one, do one thing, close it, and say what happened."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from annotator.console import Progress
from annotator.project import (
    Project,
    ReadOnlyProjectError,
    create_project,
    list_backups,
    open_project,
    restore_backup,
)
from annotator.project.exporting import ExportReport, export_project, needed_bodies
from annotator.project.importing import ImportReport, import_file
from annotator.project.merging import MergeReport, merge_copies
from annotator.project.mirror import MirrorReport
from annotator.project.photos import AddedPhotos, Relinked
from annotator.project.rebuild import Rebuilt, rebuild_project
from cliff_core.body import load_body
from cliff_core.errors import FormatError
from cliff_core.formats import recognise


@dataclass(frozen=True, slots=True)
class NewReport:
    """A new project.

    Attributes:
        project: its folder.
        photos: how many it references.
        refused: one line for each picture that cannot be read, and why.
        notices: what else is worth knowing.
    """

    project: Path
    photos: int
    refused: list[str]
    notices: list[str]

    def __str__(self) -> str:
        """Counts, what was left out, what to do next."""
        _, _, left_out = str(AddedPhotos(self.photos, 0, self.refused)).partition("\n")
        lines = [f"{self.project}: a project of {self.photos} photos", left_out, *self.notices]
        return "\n".join(line for line in lines if line)


@dataclass(frozen=True, slots=True)
class Restored:
    """A database that was brought back from a backup.

    Attributes:
        project: its folder.
        backup: that was taken.
        replaced: where the database that was there before lies now; `None` if there was none.
        newer_photos: how many photos have newer work in the mirror than in the backup.
    """

    project: Path
    backup: Path
    replaced: Path | None
    newer_photos: int

    def __str__(self) -> str:
        """Where everything is, and where there is more."""
        lines = [f"{self.project}: restored from {self.backup.name}"]
        lines.append(f"what was there before: {self.replaced}" if self.replaced else "there was no database before")
        if self.newer_photos:
            lines.append(
                f"annotations/ has newer work on {self.newer_photos} photos: `merge {self.project} {self.project}` "
                "takes it in (look first with --dry-run)"
            )
        return "\n".join(lines)


def new_project(folder: Path, images: Sequence[Path], *, joint_set: str, progress: Progress) -> NewReport:
    """Make a project about folders of photos.

    Raises:
        ProjectError: there is one already, or a folder has no photos.
    """
    project, reports = create_project(folder, images, joint_set=joint_set, progress=progress)
    with project:
        refused = [line for report in reports for line in report.refused]
        return NewReport(folder, sum(report.added for report in reports), refused, list(project.notices))


def import_into(
    folder: Path,
    file: Path,
    *,
    format_name: str | None,
    photos: Path | None,
    body: Path | None,
    progress: Progress,
) -> ImportReport | AddedPhotos:
    """Take a file's people over, or a folder's photos.

    Raises:
        FormatError: not a file that can be read; nothing was changed.
        ProjectError: the project cannot be written.
    """
    with for_writing(folder) as project:
        if format_name is None and file.is_dir() and not _is_annotation(file):
            return project.add_photos(file, progress)
        loaded = None if body is None else load_body(body)
        return import_file(project, file, format_name=format_name, photos=photos, body=loaded, progress=progress)


def export_from(
    folder: Path, format_name: str, out: Path, *, only: str, body: Path | None, frame: str | None, progress: Progress
) -> ExportReport:
    """Write a project's people in a format, with its manifest. The project may be open elsewhere meanwhile.

    Raises:
        FormatError: the format cannot hold them.
        EditError: nobody to write.
    """
    bodies = needed_bodies(format_name, body)
    with open_project(folder, read_only=True) as project:
        return export_project(project, folder, format_name, out, only=only, body=bodies, frame=frame, progress=progress)


def merge_into(
    folder: Path,
    others: Sequence[Path],
    *,
    dry_run: bool,
    prefer: Literal["mine", "theirs"] | None,
    progress: Progress,
) -> MergeReport:
    """Join copies into a project.

    Raises:
        ProjectError: a copy cannot be read, or the project cannot be written.
    """
    if dry_run:
        with open_project(folder, read_only=True) as project:
            return merge_copies(project, others, dry_run=True, prefer=prefer, progress=progress)
    with for_writing(folder) as project:
        return merge_copies(project, others, prefer=prefer, progress=progress)


def restore_project(folder: Path, backup: Path | None, *, from_mirror: bool, progress: Progress) -> Restored | Rebuilt:
    """Bring a database back from a backup, or rebuild it from the mirror.

    Raises:
        ProjectError: there is nothing to bring back, or somebody has the project open.
    """
    if from_mirror:
        return rebuild_project(folder, progress=progress)
    if backup is not None and not backup.exists():  # a name, as `check` and the error list them
        named = [each.path for each in list_backups(folder) if each.path.name == backup.name]
        backup = named[0] if named else backup
    taken, replaced = restore_backup(folder, backup)
    with for_writing(folder) as project:  # also brings a backup of an older version up to date
        newer = merge_copies(project, [folder], dry_run=True, progress=progress)
    return Restored(folder, taken, replaced, newer.photos)


def relink_project(folder: Path, photos: Path, *, progress: Progress) -> Relinked:
    """Find a project's photos below a folder.

    Raises:
        ProjectError: no such folder, or the project cannot be written.
    """
    with for_writing(folder) as project:
        return project.relink(photos, progress)


def mirror_project(folder: Path, *, everything: bool, replace: bool) -> MirrorReport:
    """Bring the mirror up to date.

    Raises:
        ProjectError: the project cannot be written.
    """
    with for_writing(folder) as project:
        return project.write_mirror(everything=everything, replace=replace)


@contextmanager
def for_writing(folder: Path) -> Iterator[Project]:
    """A project that one command writes; what it has to say is said on stderr at the end.

    Raises:
        ReadOnlyProjectError: somebody else has it open.
    """
    with open_project(folder) as project:
        if project.read_only:
            why = "; ".join(project.notices) or f"{folder}: cannot be written"
            raise ReadOnlyProjectError(f"{why}. This has to be written; put that right and run again", project.held_by)
        try:
            yield project
        finally:
            for notice in project.notices:
                print(f"note: {notice}", file=sys.stderr)


def _is_annotation(folder: Path) -> bool:
    try:
        recognise(folder)
    except FormatError:
        return False
    return True
