"""Pretraining: resumes exactly where it was killed, and ends with a checkpoint that loads."""

import json

import pytest
import torch

from cliff_core.errors import TrainingError
from cliff_core.models import load_cliff
from cliff_core.synthetic.shards import load_crops
from cliff_core.training import pretrain
from cliff_core.training.pretrain import PretrainSettings, run


class Killed(Exception):
    """Stands for kill -9 at a moment of our choice."""


def _settings(out):
    return PretrainSettings(
        out,
        people=6,
        fresh_people=6,
        heldout_people=6,
        points_steps=1,
        image_steps=1,
        trunk_steps=2,
        both_steps=2,
        batch=8,
        workers=1,
    )


def _silent(done, total, text):
    pass


def test_a_killed_training_resumes_to_the_same_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(pretrain, "_CHECKPOINT_EVERY", 1)
    undisturbed = torch.load(run(_settings(tmp_path / "one"), _silent), weights_only=True)["state"]

    def kill_in_the_third_phase(done, total, text):
        if text.startswith("phase trunk") and done == 1:
            raise Killed

    with pytest.raises(Killed):
        run(_settings(tmp_path / "two"), kill_in_the_third_phase)
    resumed = torch.load(run(_settings(tmp_path / "two"), _silent), weights_only=True)["state"]

    assert all(torch.equal(undisturbed[name], resumed[name]) for name in undisturbed)
    rows = [json.loads(line) for line in (tmp_path / "two" / "log.jsonl").read_text().splitlines()]
    assert [(row["phase"], row["step"]) for row in rows] == [
        ("points", 1),
        ("image", 1),
        ("trunk", 1),
        ("trunk", 2),
        ("both", 1),
        ("both", 2),
    ]
    assert {"image_pa_mpjpe_mm", "detected_pa_mpjpe_mm", "smpl24_mpjpe_mm"} <= rows[-1].keys()
    assert load_cliff(tmp_path / "two" / "open_cliff.pt").name.startswith("open-cliff")


def test_a_shard_keeps_its_pictures(tmp_path):
    run(_settings(tmp_path), _silent)
    crops = load_crops(min(tmp_path.glob("renders-train-*/00000.npz")))
    assert [crop.shape for crop in crops] == [(256, 256, 3)] * 6
    assert all(crop.std() > 5 for crop in crops)


def test_a_folder_of_another_run_is_not_continued(tmp_path):
    (tmp_path / "settings.json").write_text(json.dumps({"seed": "5"}))
    with pytest.raises(TrainingError, match="other settings"):
        run(_settings(tmp_path), _silent)
