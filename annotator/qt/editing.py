"""Joins the actions about points and bodies, and what is shown, to the workspace."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence

from annotator import edits
from annotator.commands import DuplicatePerson, ResetBody, ResetPoints
from annotator.document import Part, PartKind
from annotator.figures import Figure
from annotator.gestures import PointDrag
from annotator.project import Project, queries
from annotator.project.draft import Command
from annotator.project.queries import View
from annotator.project.state import Person
from annotator.qt.actions import Actions
from annotator.qt.canvas.options import Handles, Style
from annotator.qt.canvas.photo_view import PhotoView
from annotator.qt.desk import Desk
from annotator.qt.strings import tr
from annotator.qt.workspace import Tool, Workspace
from cliff_core.detection.overlaps import pairwise_iou
from cliff_core.records import SmplParams
from cliff_core.skeletons import JOINT_SETS, SMPL24

_SHOWN = {"view.body": "body", "view.points": "points", "view.joints": "joints", "view.boxes": "boxes"}
_ZOOM = 1.25
_OPACITY_STEP = 0.1
_HELD_S = 0.25


class Editing(QObject):
    """What keys and menus do to the selected person.

    Args:
        workspace: what all views share.
        photo: the canvas.
        actions: of the window.
        desk: of the project.
    """

    def __init__(self, workspace: Workspace, photo: PhotoView, actions: Actions, desk: Desk):
        super().__init__(photo)
        self.workspace, self.photo, self.desk = workspace, photo, desk
        self.document = workspace.document
        self._actions = actions
        self._hidden_at = 0.0
        for name, do in self._jobs().items():
            actions.on(name, do)
        for name, option in _SHOWN.items():
            actions.check(name, getattr(workspace.options, option))
        actions.check("view.overlay", True)
        actions["view.overlay"].setAutoRepeat(False)
        photo.installEventFilter(self)

    def _jobs(self) -> dict[str, Callable]:
        photo, show = self.photo, self.workspace.show
        jobs: dict[str, Callable] = {
            "view.fit_person": photo.fit_person,
            "view.fit_photo": photo.fit_photo,
            "view.zoom_in": lambda: photo.zoom(_ZOOM),
            "view.zoom_out": lambda: photo.zoom(1 / _ZOOM),
            "view.overlay": self._show_overlay,
            "view.prior": lambda is_on: show(prior=is_on),
            "view.quality": lambda is_on: show(errors=is_on),
            "view.style": self._next_style,
            "view.more_opaque": lambda: self._fade(_OPACITY_STEP),
            "view.less_opaque": lambda: self._fade(-_OPACITY_STEP),
            "person.add": lambda: self.workspace.take(Tool.BOX),
            "person.duplicate": lambda: self._edit(lambda figure: DuplicatePerson(figure.person.id)),
            "person.propose": self._propose,
            "point.next": lambda: self._select_by(1),
            "point.previous": lambda: self._select_by(-1),
            "point.place": self._place,
            "point.visible": lambda: self._mark(2),
            "point.hidden": lambda: self._mark(1),
            "point.absent": lambda: self._mark(0),
            "point.remove": lambda: self._mark(0),
            "point.cycle": lambda: self._at_point(edits.cycle_visibility),
            "point.snap": self._snap,
            "point.swap": lambda: self._edit(lambda figure: edits.swap_sides(figure, self.workspace.rig)),
            "point.swap_legs": lambda: self._edit(
                lambda figure: edits.swap_sides(figure, self.workspace.rig, edits.LEGS)
            ),
            "point.swap_arms": lambda: self._edit(
                lambda figure: edits.swap_sides(figure, self.workspace.rig, edits.ARMS)
            ),
            "body.fit": lambda: self._edit(lambda figure: edits.fit(figure, self.workspace.rig)),
            "body.joints": lambda is_on: show(handles=Handles.JOINTS if is_on else Handles.POINTS),
            "body.pin": lambda: self._at_joint(self.workspace.pin),
            "body.lock": lambda: self._at_joint(self.workspace.lock),
            "body.reset_joint": lambda: self._at_joint(self._reset_joint),
            "body.reset": lambda: self._edit(lambda figure: ResetBody(figure.person.id)),
            "body.mirror": lambda: self._edit(edits.mirror),
            "body.copy": lambda: self._copy(whole=True),
            "body.copy_limb": lambda: self._copy(whole=False),
            "body.paste": lambda: self._paste(mirrored=False),
            "body.paste_mirrored": lambda: self._paste(mirrored=True),
            "body.from_previous": self._from_previous,
        }
        for name, option in _SHOWN.items():
            jobs[name] = lambda is_on, option=option: show(**{option: is_on})
        for name, step in (("", 1), ("far_", 10)):
            jobs[f"point.{name}left"] = lambda step=step: self._nudge(-step, 0)
            jobs[f"point.{name}right"] = lambda step=step: self._nudge(step, 0)
            jobs[f"point.{name}up"] = lambda step=step: self._nudge(0, -step)
            jobs[f"point.{name}down"] = lambda step=step: self._nudge(0, step)
        return jobs

    # --- commands

    def _edit(self, make: Callable[[Figure], Command | None]) -> None:
        figure = self.workspace.figure
        command = None if figure is None else make(figure)
        if command is not None:
            self.document.edit(command)

    def _at_point(self, make: Callable[[Figure, str], Command | None]) -> None:
        point = self.workspace.point_selected()
        if point is not None:
            self._edit(lambda figure: make(figure, point))

    def _at_joint(self, do: Callable[[str], None]) -> None:
        """For the selected joint, or the one that the selected point is about."""
        part = self.document.part
        joint = None if part is None else edits.joint_of_point(part.name)
        if joint is not None:
            do(joint)

    def _mark(self, visibility: int) -> None:
        self._at_point(lambda figure, point: edits.set_visibility(figure, point, visibility))

    def _snap(self) -> None:
        def reset(figure: Figure, point: str) -> Command | None:
            return ResetPoints(figure.person.id, figure.keypoints.joint_set, [point])

        self._at_point(reset)

    def _nudge(self, dx: float, dy: float) -> None:
        def move(figure: Figure, point: str) -> Command | None:
            keypoints = figure.keypoints
            row = JOINT_SETS[keypoints.joint_set].index(point)
            if not keypoints.visibility[row]:
                return None
            drag = PointDrag(figure, point, self.workspace.rig)
            x, y = keypoints.points_px[row]
            drag.move(float(x) + dx, float(y) + dy)
            # Shown at once, so that the next press of a held key goes on from here.
            self.document.show_live(figure.person.id, drag.live)
            return drag.command()

        self._at_point(move)

    def _reset_joint(self, joint: str) -> None:
        self._edit(lambda figure: ResetBody(figure.person.id, [joint]))

    def _propose(self) -> None:
        person = self.document.selected_person
        if person is not None and person.box is not None:
            self.workspace.proposal_wanted.emit(person.id)

    def _place(self) -> None:
        """Ask for the missing points one by one, the selected one first."""
        figure = self.workspace.figure
        if figure is None:
            return
        names = JOINT_SETS[figure.keypoints.joint_set].names
        missing = [names[row] for row in range(len(names)) if figure.keypoints.visibility[row] == 0]
        if not missing:
            self.workspace.hint.emit(tr("Every point is placed"))
            return
        chosen = self.workspace.point_selected()
        point = chosen if chosen in missing else missing[0]
        self.document.select(figure.person.id, Part(PartKind.POINT, point))
        self.workspace.take(Tool.PLACE)

    # --- selection

    def _select_by(self, by: int) -> None:
        figure = self.workspace.figure
        if figure is None:
            return
        part = self.document.part
        if self.photo.joints_first:
            names, kind = SMPL24.names, PartKind.JOINT
        else:
            names, kind = JOINT_SETS[figure.keypoints.joint_set].names, PartKind.POINT
        at = names.index(part.name) if part is not None and part.name in names else (-1 if by > 0 else 0)
        self.document.select(figure.person.id, Part(kind, names[(at + by) % len(names)]))
        self.photo.setFocus(Qt.FocusReason.ShortcutFocusReason)  # arrow keys nudge it now, and browse no list

    # --- what is shown

    def _next_style(self) -> None:
        styles = list(Style)
        following = styles[(styles.index(self.workspace.options.style) + 1) % len(styles)]
        self.workspace.show(style=following)
        self.workspace.hint.emit(tr("Body: {style}", style=tr(following.value)))

    def _fade(self, by: float) -> None:
        opacity = min(max(self.workspace.options.opacity + by, 0.1), 1.0)
        self.workspace.show(opacity=opacity)
        self.workspace.hint.emit(tr("Body {percent} % opaque", percent=round(100 * opacity)))

    def _show_overlay(self, is_on: bool) -> None:
        self._hidden_at = time.monotonic()
        self.workspace.show(peek=not is_on)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The key of the overlay, held, peeks at the photo and lets go with the key."""
        if isinstance(event, QKeyEvent) and event.type() is QEvent.Type.KeyRelease and not event.isAutoRepeat():
            overlay = self._actions["view.overlay"]
            its_key = QKeySequence(event.keyCombination()) in overlay.shortcuts()
            if its_key and not overlay.isChecked() and time.monotonic() - self._hidden_at > _HELD_S:
                overlay.setChecked(True)
        return super().eventFilter(watched, event)

    # --- copy and paste

    def _copy(self, *, whole: bool) -> None:
        figure, part = self.workspace.figure, self.document.part
        if figure is None or figure.params is None:
            return
        limb = "" if whole or part is None else edits.limb_of(part.name)
        if whole or limb:
            self.workspace.copied = edits.Copied(figure.params, limb)
            what = tr("pose") if whole else tr(limb.replace("_", " "))
            self.workspace.hint.emit(tr("Copied: {what}", what=what))

    def _paste(self, *, mirrored: bool) -> None:
        copied = self.workspace.copied
        if copied is not None:
            self._edit(lambda figure: edits.paste(figure, copied, mirrored=mirrored))

    def _from_previous(self) -> None:
        """The pose of whoever stood most nearly there on the photo before."""
        photo, figure = self.document.photo, self.workspace.figure
        if photo is None or figure is None:
            return
        name, wanted = photo.name, figure.person.id

        def look(project: Project) -> list[Person]:
            before = queries.neighbour(project.database, View(), name, backwards=True)
            return [] if before is None else project.people_on(before.id)

        def found(people: list[Person]) -> None:
            here = self.workspace.figures.of(wanted)
            other = None if here is None else _nearest(here, people)
            if here is None or other is None:
                self.workspace.hint.emit(tr("Nobody with a body on the photo before"))
                return
            command = edits.take_pose(here, other)
            if command is not None:
                self.document.edit(command)

        self.desk.project(look, found)


def _nearest(figure: Figure, people: list[Person]) -> SmplParams | None:
    """The body of whoever's box covers somebody's best; of the first one where no boxes meet."""
    known = [(person, body.params) for person in people if (body := person.body) is not None]
    if not known:
        return None

    def overlap(pair) -> float:
        box = pair[0].box
        if box is None or figure.box is None:
            return 0.0
        return float(pairwise_iou(figure.box.xyxy[None], box.xyxy[None])[0, 0])

    return max(known, key=overlap)[1]
