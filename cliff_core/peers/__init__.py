"""Other ways from 2D points to bodies, written from their papers, to be compared with ours in one run.

EFT, SMPLify and KITRO take the same network, body, camera and points as the annotator's own steps; `contest` runs all
of them on the same people, `comparison` repeats that over conditions and seeds, `teaching` trains a network on what
each says. The program itself uses none of them. Stands on `cliff_core.training`.
"""
