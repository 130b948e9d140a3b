"""`bench loop`: what was measured becomes a page with every table, and pictures."""

from dataclasses import asdict

import numpy as np

from annotator.bench_loop import LoopSettings, report, write_report
from cliff_core.peers.comparison import BASE, CONDITIONS, MEASURES, Figure, Score
from cliff_core.peers.contest import IMAGE, METHODS
from cliff_core.peers.teaching import TRUTH


def test_the_report_becomes_a_page_with_every_table_and_its_pictures(tmp_path):
    rng = np.random.default_rng(0)

    def scores(count):
        return {
            name: Score({measure: rng.uniform(50, 150, count) for measure in MEASURES}, rng.uniform(1e-3, 1))
            for name in METHODS
        }

    settings = LoopSettings(people=5, slow_people=2)
    measured = report(
        settings,
        (0, 1),
        {condition: [scores(5), scores(5)] for condition in CONDITIONS},
        [scores(3)],
        dict.fromkeys(METHODS, 500.0),
        {TRUTH: {name: Figure(1.0, 0.1, 1.0) for name in ("mpjpe", "pa_mpjpe", "pve", "mpjae")}},
    )

    page, numbers, *pictures = write_report(measured, tmp_path)

    text = page.read_text(encoding="utf-8")
    assert all(f"## {condition}" in text for condition in CONDITIONS)
    assert all(name in text and name in str(measured) for name in (*METHODS, TRUTH))
    assert all(each.stat().st_size > 1000 and f"pictures/{each.name}" in text for each in pictures)
    assert numbers.is_file()
    row = measured.conditions[str(BASE)][IMAGE]
    assert asdict(row)["worse"] == 0.0
    assert measured.values()[f"{BASE} | {IMAGE} | mpjpe, mean"] == row.figures["mpjpe"].mean
