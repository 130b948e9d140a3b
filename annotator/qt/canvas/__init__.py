"""The photo with bodies over it, the side view, and everything a hand does there.

`photo_view` and `side_view` are the widgets. `backdrop`, `transform`, `hit_test` and `marks` know pixels and figures,
`hand` turns a mouse into gestures (`annotator.gestures`), which know bodies and nothing of the mouse.
"""
