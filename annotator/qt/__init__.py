"""The window: everything that imports Qt.

Lives here: widgets, actions, themes. Does not live here: what an edit means (`annotator.commands`), the state of the
open photo (`annotator.document`), bodies and their solver (`cliff_core`). No torch, no network and no disk on the
window's thread: `desk.Desk` does that.
"""
