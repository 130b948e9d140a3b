"""The science of the CLIFF Annotator: bodies, cameras, networks, fitting, training, rendering.

Lives here: everything that turns photos, boxes and points into SMPL bodies and back. Does not live here: projects,
undo, windows (those are `annotator`). May import: the standard library and the declared dependencies, never
`annotator` and never Qt.
"""
