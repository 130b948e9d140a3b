"""Errors about a project: each names the folder or value at fault and the remedy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cliff_core.errors import CliffError

if TYPE_CHECKING:
    from annotator.project.backups import Backup
    from annotator.project.lock import Holder


class ProjectError(CliffError):
    """Base of all errors about a project."""


class NotAProjectError(ProjectError):
    """A folder that holds no project, or one that cannot become one."""


class NewerProjectError(ProjectError):
    """A project that a newer version of the program has written."""


class ReadOnlyProjectError(ProjectError):
    """An edit of a project that is open for reading only; nothing was changed.

    Attributes:
        holder: who has it open for writing; `None` if nobody does and the reason is another one.
    """

    def __init__(self, message: str, holder: Holder | None = None):
        super().__init__(message)
        self.holder = holder


class DamagedProjectError(ProjectError):
    """A database that SQLite cannot read; `restore_backup` brings a backup back.

    Attributes:
        backups: what there is to restore, newest first.
    """

    def __init__(self, message: str, backups: Sequence[Backup] = ()):
        super().__init__(message)
        self.backups = tuple(backups)


class StorageError(ProjectError):
    """The disk refused a write (full, read-only, disconnected); the last good state is kept, nothing is half done."""


class EditError(ProjectError):
    """An edit that makes no sense: no such person, joint or value; nothing was changed."""


class RemovedPersonError(EditError):
    """An edit of somebody who is not there any more; nothing was changed.

    Attributes:
        person: number of whom.
    """

    def __init__(self, person: int):
        super().__init__(f"person {person} was removed; undo that first")
        self.person = person
