"""Pictures of bodies: a software rasteriser, overlays on photos, side views, contact sheets, presentation stills.

Here lives: what turns camera-frame vertices into pixels. Not here: posing (`body`), what a synthetic person wears
(`synthetic.appearance`), anything of the window. May import `records`, `skeletons`, `errors`, NumPy, numba,
OpenCV and Pillow; pyrender only inside `stills`, when a still is asked for.
"""
