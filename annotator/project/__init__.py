"""The project: a folder with photos' annotations in which nothing that a person made is ever lost.

Lives here: the store (`store.Project`, made by `create_project` and `open_project`), its journal with undo and redo,
bulk runs, backups, the JSON mirror, checking, merging, files in and out. Does not live here: what the edits are
(`annotator.commands`), what is on the screen, anything that computes bodies. May import `cliff_core`; never torch, Qt.

`docs/project.md` has the promise and everything that is on disk.
"""

from annotator.project.backups import Backup, list_backups, restore_backup
from annotator.project.errors import (
    DamagedProjectError,
    EditError,
    NewerProjectError,
    NotAProjectError,
    ProjectError,
    ReadOnlyProjectError,
    RemovedPersonError,
    StorageError,
)
from annotator.project.opening import create_project, open_backup, open_project
from annotator.project.predictions import Prediction, Run
from annotator.project.store import Edited, Project

__all__ = [
    "Backup",
    "DamagedProjectError",
    "EditError",
    "Edited",
    "NewerProjectError",
    "NotAProjectError",
    "Prediction",
    "Project",
    "ProjectError",
    "ReadOnlyProjectError",
    "RemovedPersonError",
    "Run",
    "StorageError",
    "create_project",
    "list_backups",
    "open_backup",
    "open_project",
    "restore_backup",
]
