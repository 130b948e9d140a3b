"""Making projects for the start page: about folders, single photos or a video, with labels; and the sample."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from annotator.console import Progress
from annotator.project import NotAProjectError, Project, create_project
from annotator.project.importing import import_file
from cliff_core.images import find_images
from cliff_core.resources import resource_path

VIDEO_SUFFIXES = frozenset(".mp4 .mov .avi .mkv .webm .m4v .mpg .mpeg .wmv".split())
SAMPLE_NAME = "CLIFF sample"


@dataclass(frozen=True, slots=True)
class NewProject:
    """What a new project is about.

    Attributes:
        folder: of the project; does not exist yet, or is empty.
        sources: folders of photos, single photos, videos.
        labels: a file with people to take over; `None` without one.
        frames_per_second: of videos.
        propose: whether people are looked for right away.
    """

    folder: Path
    sources: tuple[Path, ...]
    labels: Path | None = None
    frames_per_second: float = 2.0
    propose: bool = True


def is_video(path: Path) -> bool:
    """Whether a file's name is that of a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def suggest_name(sources: Sequence[Path]) -> str:
    """A name for a project about these."""
    if not sources:
        return "photos"
    first = sources[0]
    name = first.stem if is_video(first) else first.name if first.is_dir() else first.parent.name
    return re.sub(r"[^\w .()+-]", "_", name).strip(" .") or "photos"


def free_folder(parent: Path, name: str) -> Path:
    """A folder that does not exist yet."""
    for number in range(1, 1000):
        folder = parent / (name if number == 1 else f"{name} {number}")
        if not folder.exists():
            return folder
    return parent / name


def make_project(plan: NewProject, progress: Progress) -> Project:
    """Make a project; single photos are copied into it, folders are referenced where they are.

    Args:
        plan: what it is about.
        progress: told what is going on.

    Raises:
        CliffError: a source that cannot be read, a folder that cannot be written.
    """
    folders = [source for source in plan.sources if source.is_dir()]
    videos = [source for source in plan.sources if source.is_file() and is_video(source)]
    singles = [source for source in plan.sources if source.is_file() and not is_video(source)]
    missing = [source for source in plan.sources if not source.exists()]
    if missing:
        raise NotAProjectError(f"{missing[0]}: not there any more; choose photos that are")
    for folder in folders:
        if next(iter(find_images(folder)), None) is None:
            raise NotAProjectError(f"{folder}: no pictures there; choose the folder with the photos")
    own = plan.folder / "photos"
    is_new = not plan.folder.exists()
    try:
        for done, single in enumerate(singles, 1):
            progress(done, len(singles), "copying photos")
            own.mkdir(parents=True, exist_ok=True)
            shutil.copy2(single, own / single.name)
        for video in videos:
            _extract(video, own / video.stem, plan.frames_per_second, progress)
        if singles or videos:
            folders.append(own)
        project, _ = create_project(plan.folder, folders, progress=progress)
    except BaseException:
        if is_new:  # nothing of it is anybody's work yet
            shutil.rmtree(plan.folder, ignore_errors=True)
        raise
    if plan.labels is not None:
        try:
            import_file(project, plan.labels, photos=folders[0] if folders else None, progress=progress)
        except BaseException:
            project.close()
            raise
    return project


def make_sample(folder: Path, progress: Progress) -> Project:
    """Copy the sample to where a person can write, and make a project of it with its labels.

    Args:
        folder: of the project; does not exist yet.
        progress: told what is going on.
    """
    photos = sorted(resource_path("sample", "photos").iterdir())
    plan = NewProject(folder, tuple(photos), resource_path("sample", "keypoints.json"))
    return make_project(plan, progress)


def _extract(video: Path, folder: Path, frames_per_second: float, progress: Progress) -> None:
    from cliff_core.video import extract_frames

    extract_frames(video, folder, frames_per_second, progress=progress)
