"""Rotations, crops and cameras: the arithmetic between a photo, a box and a body.

Lives here: rotation representations (`rotations` for NumPy, `rotations_torch` for torch), photo and box -> network
input (`crop`), crop camera <-> full camera and projection (`camera`). What released checkpoints depend on stands here
exactly as they were trained with it, and is held by `tests/golden/golden_geom.npz`. Does not live here: bodies,
networks, drawing. May import: NumPy and OpenCV, `cliff_core.errors`; torch only in `rotations_torch`, because the
window uses the rest of this package and never loads torch.
"""
