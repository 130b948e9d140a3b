"""What a shell does with campaigns: the queue and how far the work is, and a project split among annotators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from annotator.campaign import campaign
from annotator.console import Progress
from annotator.project import EditError, open_project
from annotator.project.assigning import SplitReport, split_project
from annotator.project_files import for_writing
from annotator.worklist import Entry, has_work, next_people


@dataclass(frozen=True, slots=True)
class Queued:
    """One place in the queue, as a shell shows it.

    Attributes:
        photo: its name.
        person: number in the project.
        gain_mm: expected of a look; `None` where nobody knows.
        why: in words.
    """

    photo: str
    person: int
    gain_mm: float | None
    why: str


@dataclass(frozen=True, slots=True)
class WorklistReport:
    """Whom to look at next, and how far the work is.

    Attributes:
        project: its folder.
        annotator: whose queue it is; empty for everybody's.
        queue: the most worthwhile first.
        text: gain and effort so far, and what pays off now.
        refine: whether another refinement pays off now.
        corrected, actions: people whom hands have corrected, and how often hands were on them.
        effort, gain_mm: the curve of the work so far: actions, and way of the joints summed over people.
        left, left_gain_mm: people who are not done, and what looking at all of them is expected to gain.
    """

    project: Path
    annotator: str
    queue: list[Queued]
    text: str
    refine: bool
    corrected: int
    actions: int
    effort: list[int]
    gain_mm: list[float]
    left: int
    left_gain_mm: float

    def __str__(self) -> str:
        """The queue, then the word on it."""
        lines = [f"{'gain':>7}  person  photo"]
        for each in self.queue:
            gain = "" if each.gain_mm is None else f"{each.gain_mm:.0f} mm"
            lines += [f"{gain:>7}  {each.person:>6}  {each.photo}", f"{'':17}{each.why}"]
        if not self.queue:
            lines = ["nobody is left to look at"]
        mean = self.left_gain_mm / self.left if self.left else 0.0
        rest = f"{self.left} people are left, {mean:.0f} mm each are expected." if self.left else ""
        return "\n".join([*lines, "", *(line for line in (self.text, rest) if line)])


def worklist_of(folder: Path, limit: int, annotator: str) -> WorklistReport:
    """Whom to look at next in a project. It may be open elsewhere meanwhile.

    Raises:
        EditError: nothing was assigned to that annotator.
        ProjectError: the project cannot be read.
    """
    with open_project(folder, read_only=True) as project:
        if annotator and not has_work(project, annotator):
            raise EditError(f"{folder}: no photo is assigned to {annotator}; `split` assigns photos")
        queue = [
            _queued(entry, project.photo(entry.photo_id).name)
            for entry in next_people(project, limit, annotator=annotator)
        ]
        now = campaign(project)
    return WorklistReport(
        folder,
        annotator,
        queue,
        now.text,
        now.advice.refine,
        len(now.corrections),
        sum(each.actions for each in now.corrections),
        now.effort,
        now.gain_mm,
        now.left,
        sum(now.left_gain_mm),
    )


def split_into(
    folder: Path,
    names: Sequence[str],
    *,
    overlap: float,
    out: Path | None,
    reference: bool,
    progress: Progress,
) -> SplitReport:
    """Give a project's photos to annotators, with a copy for each.

    Raises:
        EditError: names or share make no sense, or nothing is left to give out.
        ProjectError: something cannot be written.
    """
    with for_writing(folder) as project:
        return split_project(project, names, overlap=overlap, out=out, reference=reference, progress=progress)


def _queued(entry: Entry, photo: str) -> Queued:
    return Queued(photo, entry.person_id, entry.gain_mm, entry.why)
