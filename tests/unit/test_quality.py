"""What is said of a body without knowing the truth is the same whoever looks."""

import numpy as np

from annotator.quality import inside_mm, inside_mm_of
from cliff_core.execution.processes import Processes
from cliff_core.fitting.polish_some import skeleton_of
from cliff_core.records import SmplParams


def test_several_processes_see_bodies_as_deep_inside_themselves_as_one_does():
    rng = np.random.default_rng(0)
    bodies = [SmplParams(rng.normal(scale=0.4, size=(24, 3)), rng.normal(size=10), np.zeros(3)) for _ in range(24)]
    expected = [inside_mm(skeleton_of().body, each) for each in bodies]
    with Processes(2, skeleton_of) as helpers:
        found = list(helpers.map(inside_mm_of, [bodies[start : start + 4] for start in range(0, 24, 4)]))
    assert [depth for some in found for depth in some] == expected
    assert 0 < sum(depth > 0 for depth in expected) < len(expected)
