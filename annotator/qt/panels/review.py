"""Review: accept, reject with a reason, remarks pinned to people and points, and on to the next."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QFrame, QLineEdit, QScrollArea, QVBoxLayout, QWidget

from annotator.commands import AddComment, RemoveComment, ResolveComment, Review
from annotator.document import Change, Part, PartKind
from annotator.project.state import Comment
from annotator.qt.actions import Actions
from annotator.qt.panels.people import state_words, words_of
from annotator.qt.session import Session
from annotator.qt.strings import tr
from annotator.qt.widgets import button, column, label, line, row, set_role
from cliff_core.skeletons import JOINT_SETS, SMPL24


def usual_reasons() -> list[str]:
    """What is often wrong."""
    return [
        tr("Left and right are swapped"),
        tr("Limb at the wrong depth"),
        tr("Points are off"),
        tr("Shape does not fit"),
        tr("Another person's points"),
    ]


class ReviewPanel(QScrollArea):
    """What the reviewer says of the selected person, and what anybody remarks about the photo.

    Args:
        session: of the project.
        actions: of the window.
    """

    def __init__(self, session: Session, actions: Actions):
        super().__init__()
        self._session = session
        self._document = session.document
        self._cards: list[QWidget] = []
        self._comments: tuple[Comment, ...] | None = None
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.who = label("", "title")
        self.state = label("", "quiet", wrap=True)
        self.accept_button = button(
            tr("Accept"), actions["review.accept"].trigger, role="primary", picture="check", name="accept"
        )
        self.next_button = button(
            tr("Next to review"), actions["review.next"].trigger, picture="skip-forward", name="next_review"
        )
        self.reason = QComboBox()
        self._reason_text = QLineEdit()
        self.reason.setLineEdit(self._reason_text)
        self.reason.addItems(usual_reasons())
        self.reason.setCurrentText("")
        self._reason_text.setPlaceholderText(tr("Why is it wrong?"))
        for field in (self.reason, self._reason_text):
            field.setAccessibleName(tr("Reason of the rejection"))
        self._reason_text.returnPressed.connect(self.reject_person)
        self.reason.editTextChanged.connect(lambda: self._show_person())
        self.reject_button = button(tr("Reject"), self.reject_person, name="reject")
        self.take_back = button(tr("Take the review back"), self._take_back, role="link", name="take_back")
        self.text = QLineEdit()
        self.text.setPlaceholderText(tr("Write a remark"))
        self.text.setAccessibleName(tr("Remark"))
        self.text.returnPressed.connect(self._add)
        self.pin = label("", "quiet", wrap=True)
        self.add_button = button(tr("Add"), self._add, name="add_comment")
        self._list = QVBoxLayout()
        self._list.setSpacing(8)
        layout = column(self.who, self.state, margin=12)
        layout.addLayout(row(self.accept_button, self.next_button, -1))
        layout.addLayout(row(self.reason, self.reject_button))
        layout.setStretch(layout.count() - 1, 0)
        self.reason.setSizePolicy(self.text.sizePolicy())
        layout.addWidget(self.take_back, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addSpacing(4)
        layout.addWidget(line())
        layout.addWidget(label(tr("Remarks"), "title"))
        layout.addLayout(row(self.text, self.add_button))
        layout.addWidget(self.pin)
        layout.addLayout(self._list)
        layout.addStretch(1)
        holder = QWidget()
        holder.setLayout(layout)
        self.setWidget(holder)
        actions.on("review.comment", self.ask_comment)
        self._document.observe(self._changed)
        self._show_person()

    def ask_reason(self) -> None:
        """Let the reviewer say why."""
        self.reason.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self._reason_text.selectAll()

    def ask_comment(self) -> None:
        """Let somebody write a remark; `raised` is set by whoever has the docks."""
        self.raised()
        self.text.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def raised(self) -> None:
        """Bring the panel to the front; replaced by the window."""
        self.show()

    def reject_person(self) -> None:
        """Reject the selected person for the reason that stands there, and go on."""
        person, reason = self._document.selected_person, self.reason.currentText().strip()
        if person is None or not reason or self._session.read_only:
            return
        self.reason.setCurrentText("")
        self._document.edit(Review(person.id, "rejected", reason), lambda _: self._session.go_on(reviewing=True))

    def _take_back(self) -> None:
        if self._document.selected is not None:
            self._document.edit(Review(self._document.selected, None))

    def _add(self) -> None:
        photo, text = self._document.photo, self.text.text().strip()
        if photo is None or not text or self._session.read_only:
            return
        place: dict[str, object] = {}
        person, part = self._document.selected_person, self._document.part
        if person is not None:
            place["person"] = person.uid
            if part is not None:
                place["point"] = part.name
        self.text.clear()
        self._document.edit(AddComment(photo.id, text, place))

    def _changed(self, change: Change) -> None:
        if change & (Change.PHOTO | Change.PEOPLE | Change.SELECTION | Change.COMMENTS):
            self._show_person()
        if self._document.comments != self._comments:
            self._show_comments()

    def _show_person(self) -> None:
        person, can_write = self._document.selected_person, not self._session.read_only
        for widget in (self.accept_button, self.reason):
            widget.setEnabled(person is not None and can_write)
        has_reason = bool(self.reason.currentText().strip())
        self.reject_button.setEnabled(person is not None and can_write and has_reason)
        self.add_button.setEnabled(can_write and self._document.photo is not None)
        self.take_back.setVisible(person is not None and bool(person.verdict) and can_write)
        if person is None:
            self.who.setText(tr("Nobody is selected"))
            self.state.setText("")
            self.pin.setText(tr("Pinned to the photo"))
            return
        number = self._document.people.index(person) + 1
        self.who.setText(tr("Person {number} of {count}", number=number, count=len(self._document.people)))
        reason = f": {person.reason}" if person.reason else ""
        self.state.setText(state_words(person) + reason)
        set_role(self.state, {"accepted": "good", "rejected": "bad"}.get(person.verdict, "quiet"))
        part = self._document.part
        what = (
            tr("person {number}", number=number)
            if part is None
            else f"{words_of(part.name)}, " + tr("person {number}", number=number)
        )
        self.pin.setText(tr("Pinned to {what}", what=what))

    def _show_comments(self) -> None:
        self._comments = self._document.comments
        for card in self._cards:
            self._list.removeWidget(card)
            card.hide()
            card.deleteLater()
        self._cards = [self._card(comment) for comment in sorted(self._comments, key=lambda each: each.is_resolved)]
        for card in self._cards:
            self._list.addWidget(card)

    def _card(self, comment: Comment) -> QFrame:
        card = QFrame()
        card.setProperty("role", "plain-card")
        card.setObjectName("comment")
        words = label(comment.text, "quiet" if comment.is_resolved else "", wrap=True)
        place = comment.place
        number = next(
            (n for n, person in enumerate(self._document.people, 1) if person.uid == place.get("person")), None
        )
        parts = [words_of(str(place["point"]))] if "point" in place else []
        parts += [tr("person {number}", number=number)] if number is not None else []
        where = button(", ".join(parts) or tr("the photo"), lambda: self._go_to(comment), role="link", name="where")
        where.setEnabled(number is not None)
        can_write = not self._session.read_only
        resolve = button(
            tr("Open again") if comment.is_resolved else tr("Dealt with"),
            lambda: self._document.edit(ResolveComment(comment.id, not comment.is_resolved)),
            role="flat",
            name="resolve",
        )
        remove = button(
            "",
            lambda: self._document.edit(RemoveComment(comment.id)),
            role="flat",
            picture="trash",
            name="remove_comment",
            tip=tr("Remove the remark"),
        )
        resolve.setEnabled(can_write)
        remove.setEnabled(can_write)
        layout = column(words, margin=10, spacing=4)
        layout.addLayout(row(where, -1, resolve, remove, spacing=2))
        card.setLayout(layout)
        return card

    def _go_to(self, comment: Comment) -> None:
        person = next((each for each in self._document.people if each.uid == comment.place.get("person")), None)
        if person is None:
            return
        name = comment.place.get("point")
        keypoints = person.main_keypoints
        part = None
        if name is not None and keypoints is not None and name in JOINT_SETS[keypoints.joint_set].names:
            part = Part(PartKind.POINT, name)
        elif name in SMPL24.names:
            part = Part(PartKind.JOINT, str(name))
        self._document.select(person.id, part)
