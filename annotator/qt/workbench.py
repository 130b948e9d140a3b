"""The one place where the photo, the side view and the body's panel are made and joined to the actions."""

from __future__ import annotations

from dataclasses import dataclass

from annotator.qt.actions import Actions
from annotator.qt.asking import Asking
from annotator.qt.canvas.photo_view import PhotoView
from annotator.qt.canvas.side_view import SideView
from annotator.qt.editing import Editing
from annotator.qt.measuring import Measuring
from annotator.qt.panels.body import BodyPanel
from annotator.qt.session import Session
from annotator.qt.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Workbench:
    """What a person works on an open photo with.

    Attributes:
        workspace: what the three share.
        photo: the canvas, in the middle.
        side: the side view, right above.
        body: pose, shape, camera and quality, right below.
        asking: lets bodies follow what CLIFF says of points.
    """

    workspace: Workspace
    photo: PhotoView
    side: SideView
    body: BodyPanel
    asking: Asking


def make_workbench(session: Session, actions: Actions, show_hint) -> Workbench:
    """Make them for a project; called once it is open.

    Args:
        session: of the project.
        actions: of the window; its canvas actions are given to the canvas here.
        show_hint: takes a sentence for the status bar.
    """
    workspace = Workspace(session.document, session.joint_set, session)
    photo = PhotoView(workspace, session.desk)
    actions.give_to(photo)
    side = SideView(workspace)
    body = BodyPanel(workspace, session.desk)
    Editing(workspace, photo, actions, session.desk)
    actions.on("body.alternative", body.pose.alternatives.take_next)
    _let_move(workspace, session, actions)
    workspace.hint.connect(show_hint)
    Measuring(workspace, session.desk, session)
    asking = Asking(workspace, session.desk, session)
    workspace.load(session.desk)
    return Workbench(workspace, photo, side, body, asking)


def _let_move(workspace: Workspace, session: Session, actions: Actions) -> None:
    """Whether views glide is the person's choice, in all projects."""

    def choose(is_on: bool) -> None:
        workspace.show(motion=is_on)
        session.settings.set("motion", is_on)

    is_on = bool(session.settings.get("motion", True))
    workspace.show(motion=is_on)
    actions.check("view.motion", is_on)
    actions.on("view.motion", choose)
