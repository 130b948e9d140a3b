"""The list of actions: id, words, default keys, icon, menu, and what each needs to be possible.

Default keys are those that annotators' hands know from other tools; the left hand alone reaches the frequent ones.
"""

from __future__ import annotations

from dataclasses import dataclass

WINDOW, CANVAS = "window", "canvas"
MENUS = ("File", "Edit", "View", "Photo", "Person", "Points", "Body", "Review", "Dataset", "Help")
"""In this order in the menu bar."""


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """One thing that a person can do.

    Attributes:
        id: never changed once released: key maps name it.
        text: in menus, English; "…" where a choice follows.
        keys: default keys in Qt's portable spelling, the main one first.
        menu: one of `MENUS`; empty for those that only keys and the palette do.
        icon: name in Phosphor.
        tip: a sentence for newcomers.
        needs: of "project", "photo", "person", "part", "writable".
        checkable: whether it is switched on and off.
        scope: `WINDOW`, or `CANVAS` where the key means something else in lists and fields.
        group: a line is drawn between groups of a menu.
    """

    id: str
    text: str
    keys: tuple[str, ...] = ()
    menu: str = ""
    icon: str = ""
    tip: str = ""
    needs: tuple[str, ...] = ()
    checkable: bool = False
    scope: str = WINDOW
    group: int = 0


_PROJECT, _PHOTO, _PERSON, _PART = ("project",), ("project", "photo"), ("photo", "person"), ("photo", "person", "part")
_WRITE = ("writable",)
_HELD = (*_PERSON, *_WRITE)
_HELD_PART = (*_PART, *_WRITE)

ACTIONS: tuple[ActionSpec, ...] = (
    ActionSpec(
        "file.new", "New project…", ("Ctrl+N",), "File", "folder-plus", "Make a project about photos or a video"
    ),
    ActionSpec("file.open", "Open project…", ("Ctrl+O",), "File", "folder-open"),
    ActionSpec("file.sample", "Open the sample…", (), "File", "image", "Try everything on 19 photos that come along"),
    ActionSpec("file.add_photos", "Add photos…", (), "File", "image-square", needs=(*_PROJECT, *_WRITE), group=1),
    ActionSpec(
        "file.import",
        "Import…",
        ("Ctrl+I",),
        "File",
        "download-simple",
        "Take labels or bodies over from a file",
        needs=(*_PROJECT, *_WRITE),
        group=1,
    ),
    ActionSpec(
        "file.export",
        "Export…",
        ("Ctrl+E",),
        "File",
        "export",
        "Write people in a format of the field",
        needs=_PROJECT,
        group=1,
    ),
    ActionSpec("file.close", "Close project", ("Ctrl+W",), "File", "x", needs=_PROJECT, group=2),
    ActionSpec("file.quit", "Quit", ("Ctrl+Q",), "File", "sign-out", group=2),
    ActionSpec("edit.undo", "Undo", ("Ctrl+Z",), "Edit", "arrow-u-up-left", needs=(*_PROJECT, *_WRITE, "undo")),
    ActionSpec(
        "edit.redo", "Redo", ("Ctrl+Shift+Z", "Ctrl+Y"), "Edit", "arrow-u-up-right", needs=(*_PROJECT, *_WRITE, "redo")
    ),
    ActionSpec(
        "edit.palette",
        "Command palette…",
        ("Ctrl+K", "Ctrl+Shift+P"),
        "Edit",
        "command",
        "Find any action by typing",
        group=1,
    ),
    ActionSpec("edit.keys", "Keys…", (), "Edit", "keyboard", "Look at all keys, and change them", group=1),
    ActionSpec("view.fit_person", "Fit person", ("F",), "View", "frame-corners", needs=_PERSON),
    ActionSpec("view.fit_photo", "Fit photo", ("Shift+F",), "View", "corners-out", needs=_PHOTO),
    ActionSpec("view.zoom_in", "Zoom in", ("+", "="), "View", "magnifying-glass-plus", needs=_PHOTO),
    ActionSpec("view.zoom_out", "Zoom out", ("-",), "View", "magnifying-glass-minus", needs=_PHOTO),
    ActionSpec(
        "view.overlay",
        "Show overlay",
        ("H",),
        "View",
        "eye",
        "Hide everything above the photo; hold to peek",
        needs=_PHOTO,
        checkable=True,
        group=1,
    ),
    ActionSpec("view.body", "Show body", ("Shift+B",), "View", "person", needs=_PHOTO, checkable=True, group=1),
    ActionSpec("view.points", "Show points", ("Shift+P",), "View", "dots-nine", needs=_PHOTO, checkable=True, group=1),
    ActionSpec(
        "view.joints", "Show joints", ("Shift+J",), "View", "line-segments", needs=_PHOTO, checkable=True, group=1
    ),
    ActionSpec("view.boxes", "Show boxes", ("Shift+X",), "View", "bounding-box", needs=_PHOTO, checkable=True, group=1),
    ActionSpec(
        "view.prior",
        "Show the prior",
        ("Shift+H",),
        "View",
        "ghost",
        "The untouched prediction as an outline",
        needs=_PHOTO,
        checkable=True,
        group=1,
    ),
    ActionSpec(
        "view.style", "Next body style", ("T",), "View", "swap", "Shaded, wireframe, outline", needs=_PHOTO, group=1
    ),
    ActionSpec("view.less_opaque", "Fainter body", ("[",), "View", "minus-circle", needs=_PHOTO, group=1),
    ActionSpec("view.more_opaque", "Stronger body", ("]",), "View", "plus-circle", needs=_PHOTO, group=1),
    ActionSpec(
        "view.quality", "Colour limbs by error", ("Shift+E",), "View", "gauge", needs=_PHOTO, checkable=True, group=1
    ),
    ActionSpec("view.photos", "Photos", ("Ctrl+1",), "View", "image-square", needs=_PROJECT, checkable=True, group=2),
    ActionSpec("view.side", "Side view", ("Ctrl+2",), "View", "cube", needs=_PROJECT, checkable=True, group=2),
    ActionSpec("view.inspector", "Body", ("Ctrl+3",), "View", "sliders-horizontal", needs=_PROJECT, group=2),
    ActionSpec("view.people", "People", ("Ctrl+4",), "View", "users", needs=_PROJECT, group=2),
    ActionSpec("view.history", "History", ("Ctrl+5",), "View", "clock-counter-clockwise", needs=_PROJECT, group=2),
    ActionSpec("view.review", "Review", ("Ctrl+6",), "View", "circle-wavy-check", needs=_PROJECT, group=2),
    ActionSpec("view.jobs", "Jobs", ("Ctrl+7",), "View", "list-dashes", needs=_PROJECT, group=2),
    ActionSpec("view.campaign", "Campaign", ("Ctrl+8",), "View", "trend-up", needs=_PROJECT, group=2),
    ActionSpec("view.next_panel", "Go to the next panel", ("F6",), "View", "arrow-right", needs=_PROJECT, group=2),
    ActionSpec(
        "view.full_screen",
        "Full screen",
        ("F11",),
        "View",
        "arrows-out",
        "Only the canvas and the side view",
        checkable=True,
        group=3,
    ),
    ActionSpec("view.reset", "Reset the layout", (), "View", "layout", needs=_PROJECT, group=3),
    ActionSpec("view.light", "Light theme", (), "View", "sun", checkable=True, group=3),
    ActionSpec(
        "view.motion",
        "Smooth jumps",
        (),
        "View",
        "waves",
        "Glide for a moment where the view of the photo jumps",
        checkable=True,
        group=3,
    ),
    ActionSpec("photo.previous", "Previous photo", ("A",), "Photo", "caret-left", needs=_PHOTO),
    ActionSpec("photo.next", "Next photo", ("D",), "Photo", "caret-right", needs=_PHOTO),
    ActionSpec(
        "photo.suggested",
        "Next suggested",
        ("Space",),
        "Photo",
        "lightning",
        "Where a look is worth most: the worst first",
        needs=_PROJECT,
        group=1,
    ),
    ActionSpec(
        "photo.suggested_back",
        "Back to the one before",
        ("Shift+Space",),
        "Photo",
        "arrow-bend-up-left",
        needs=_PROJECT,
        group=1,
    ),
    ActionSpec("photo.next_edited", "Next edited photo", ("Ctrl+U",), "Photo", "pencil-simple", needs=_PHOTO, group=1),
    ActionSpec("photo.last_touched", "Where I edited last", ("Ctrl+J",), "Photo", "map-pin", needs=_PROJECT, group=1),
    ActionSpec("photo.find", "Find a photo…", ("Ctrl+F", "/"), "Photo", "magnifying-glass", needs=_PROJECT, group=1),
    ActionSpec(
        "photo.empty",
        "Nobody here",
        ("N",),
        "Photo",
        "user-minus",
        "You looked, and nobody is on it",
        needs=(*_PHOTO, *_WRITE),
        group=2,
    ),
    ActionSpec("photo.exclude", "Leave this photo out", (), "Photo", "prohibit", needs=(*_PHOTO, *_WRITE), group=2),
    ActionSpec("person.next", "Next person", ("Tab",), "Person", "user-focus", needs=_PERSON, scope=CANVAS),
    ActionSpec(
        "person.previous", "Previous person", ("Shift+Tab",), "Person", "user-focus", needs=_PERSON, scope=CANVAS
    ),
    ActionSpec(
        "person.done",
        "Done, go on",
        ("Return", "Enter"),
        "Person",
        "check",
        "This person is right: mark as done and go to the next; accept while reviewing",
        needs=_HELD,
        group=1,
    ),
    ActionSpec(
        "person.reject",
        "Not a person, go on",
        ("Backspace",),
        "Person",
        "x-circle",
        "Take this proposal away and go to the next; reject with a reason while reviewing",
        needs=_HELD,
        group=1,
    ),
    ActionSpec(
        "person.reopen", "Not done yet", ("Shift+Return",), "Person", "arrow-counter-clockwise", needs=_HELD, group=1
    ),
    ActionSpec(
        "person.add",
        "Add a person",
        ("B",),
        "Person",
        "user-plus",
        "Draw a box around somebody",
        needs=(*_PHOTO, *_WRITE),
        group=2,
    ),
    ActionSpec("person.duplicate", "Duplicate", ("Ctrl+D",), "Person", "copy", needs=_HELD, group=2),
    ActionSpec("person.remove", "Remove this person", ("Shift+Delete",), "Person", "trash", needs=_HELD, group=2),
    ActionSpec("person.earlier", "Move up in the list", ("Ctrl+Shift+Up",), "Person", "arrow-up", needs=_HELD, group=2),
    ActionSpec(
        "person.later", "Move down in the list", ("Ctrl+Shift+Down",), "Person", "arrow-down", needs=_HELD, group=2
    ),
    ActionSpec(
        "person.propose",
        "Propose again",
        ("Shift+R",),
        "Person",
        "magic-wand",
        "Predict this person anew in the box",
        needs=_HELD,
        group=3,
    ),
    ActionSpec("point.next", "Next point", ("E",), "Points", "arrow-right", needs=_PERSON),
    ActionSpec("point.previous", "Previous point", ("Q",), "Points", "arrow-left", needs=_PERSON),
    ActionSpec(
        "point.place",
        "Place missing points",
        ("P",),
        "Points",
        "crosshair",
        "Click where each missing point is; Esc ends it",
        needs=_HELD,
        group=1,
    ),
    ActionSpec("point.visible", "Visible", ("1",), "Points", "circle", needs=_HELD_PART, group=1),
    ActionSpec("point.hidden", "Hidden", ("2",), "Points", "circle-dashed", needs=_HELD_PART, group=1),
    ActionSpec("point.absent", "Absent", ("0",), "Points", "x", needs=_HELD_PART, group=1),
    ActionSpec("point.cycle", "Next visibility", ("V",), "Points", "arrows-clockwise", needs=_HELD_PART, group=1),
    ActionSpec(
        "point.remove", "Remove the point", ("Delete",), "Points", "trash", needs=_HELD_PART, scope=CANVAS, group=1
    ),
    ActionSpec("point.snap", "Back to the detection", ("S",), "Points", "magnet", needs=_HELD_PART, group=2),
    ActionSpec("point.swap", "Swap left and right", ("M",), "Points", "arrows-left-right", needs=_HELD, group=3),
    ActionSpec("point.swap_legs", "Swap the legs", ("Shift+M",), "Points", "arrows-left-right", needs=_HELD, group=3),
    ActionSpec("point.swap_arms", "Swap the arms", ("Ctrl+M",), "Points", "arrows-left-right", needs=_HELD, group=3),
    ActionSpec("point.left", "Nudge left", ("Left",), needs=_HELD_PART, scope=CANVAS),
    ActionSpec("point.right", "Nudge right", ("Right",), needs=_HELD_PART, scope=CANVAS),
    ActionSpec("point.up", "Nudge up", ("Up",), needs=_HELD_PART, scope=CANVAS),
    ActionSpec("point.down", "Nudge down", ("Down",), needs=_HELD_PART, scope=CANVAS),
    ActionSpec("point.far_left", "Nudge left by 10", ("Shift+Left",), needs=_HELD_PART, scope=CANVAS),
    ActionSpec("point.far_right", "Nudge right by 10", ("Shift+Right",), needs=_HELD_PART, scope=CANVAS),
    ActionSpec("point.far_up", "Nudge up by 10", ("Shift+Up",), needs=_HELD_PART, scope=CANVAS),
    ActionSpec("point.far_down", "Nudge down by 10", ("Shift+Down",), needs=_HELD_PART, scope=CANVAS),
    ActionSpec("body.fit", "Fit the body to the points", ("G",), "Body", "target", needs=_HELD),
    ActionSpec(
        "body.alternative",
        "Next depth alternative",
        ("X",),
        "Body",
        "shuffle",
        "Another pose of this limb that looks the same from here",
        needs=_HELD,
    ),
    ActionSpec(
        "body.joints",
        "Hands on joints",
        ("J",),
        "Body",
        "line-segments",
        "Drag SMPL's joints and turn them, instead of 2D points",
        needs=_PHOTO,
        checkable=True,
    ),
    ActionSpec("body.pin", "Pin", ("R",), "Body", "push-pin", "A pinned joint stays where it is", needs=_HELD_PART),
    ActionSpec("body.lock", "Lock the rotation", ("L",), "Body", "lock", needs=_HELD_PART),
    ActionSpec(
        "body.reset_joint", "Reset this joint", ("Z",), "Body", "arrow-counter-clockwise", needs=_HELD_PART, group=1
    ),
    ActionSpec("body.reset", "Reset the body", ("Shift+Z",), "Body", "arrow-counter-clockwise", needs=_HELD, group=1),
    ActionSpec(
        "body.mirror", "Mirror the pose", ("Ctrl+Shift+M",), "Body", "arrows-out-line-horizontal", needs=_HELD, group=2
    ),
    ActionSpec("body.copy", "Copy the pose", ("Ctrl+C",), "Body", "copy", needs=_PERSON, scope=CANVAS, group=2),
    ActionSpec(
        "body.copy_limb", "Copy the limb", ("Ctrl+Shift+C",), "Body", "copy-simple", needs=_PART, scope=CANVAS, group=2
    ),
    ActionSpec("body.paste", "Paste", ("Ctrl+V",), "Body", "clipboard", needs=_HELD, scope=CANVAS, group=2),
    ActionSpec(
        "body.paste_mirrored",
        "Paste mirrored",
        ("Ctrl+Shift+V",),
        "Body",
        "clipboard",
        needs=_HELD,
        scope=CANVAS,
        group=2,
    ),
    ActionSpec(
        "body.from_previous", "Pose of the previous photo", ("C",), "Body", "clipboard-text", needs=_HELD, group=2
    ),
    ActionSpec(
        "body.share_shape", "Same shape for this person elsewhere…", (), "Body", "share-network", needs=_HELD, group=3
    ),
    ActionSpec(
        "review.mode",
        "Review mode",
        ("Ctrl+R",),
        "Review",
        "circle-wavy-check",
        "Accept or reject what annotators call done",
        needs=_PROJECT,
        checkable=True,
    ),
    ActionSpec("review.next", "Next to review", ("W",), "Review", "skip-forward", needs=_PROJECT),
    ActionSpec("review.accept", "Accept", ("Ctrl+Return",), "Review", "thumbs-up", needs=_HELD, group=1),
    ActionSpec("review.reject", "Reject…", ("Ctrl+Backspace",), "Review", "thumbs-down", needs=_HELD, group=1),
    ActionSpec(
        "review.comment",
        "Comment…",
        ("K",),
        "Review",
        "chat-circle-text",
        "Pin a remark to what is selected",
        needs=(*_PHOTO, *_WRITE),
        group=2,
    ),
    ActionSpec(
        "dataset.propose",
        "Propose",
        ("Ctrl+P",),
        "Dataset",
        "magic-wand",
        "Find people and predict their bodies on all new photos",
        needs=(*_PROJECT, *_WRITE),
    ),
    ActionSpec(
        "dataset.refine",
        "Refine dataset…",
        ("Ctrl+L",),
        "Dataset",
        "trend-up",
        "Teach CLIFF with your points, and predict again",
        needs=(*_PROJECT, *_WRITE),
    ),
    ActionSpec(
        "dataset.focal",
        "Estimate focal lengths…",
        (),
        "Dataset",
        "aperture",
        "Learn from the people on the photos what cameras took them, where nobody knows",
        needs=(*_PROJECT, *_WRITE),
        group=1,
    ),
    ActionSpec("help.keys", "All keys", ("?", "F1"), "Help", "keyboard"),
    ActionSpec("help.tour", "Show me around", (), "Help", "compass"),
    ActionSpec("help.language", "Language…", (), "Help", "translate"),
    ActionSpec("help.about", "About", (), "Help", "info"),
)
