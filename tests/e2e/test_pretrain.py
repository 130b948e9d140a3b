"""The shell's way to a model of one's own: train, then predict with it."""

from annotator.cli import main
from cliff_core.models import load_cliff
from cliff_core.resources import resource_path

TINY = (
    "--people 4 --fresh-people 4 --heldout-people 4 --points-steps 1 --image-steps 1 --trunk-steps 1 --both-steps 1 "
    "--batch 8 --workers 1"
).split()


def test_a_trained_model_predicts(tmp_path, capsys):
    run = tmp_path / "run"
    assert main(["pretrain", "--out", str(run), *TINY]) == 0
    checkpoint = run / "open_cliff.pt"
    assert str(checkpoint) in capsys.readouterr().out
    assert load_cliff(checkpoint).takes_keypoints

    portrait = resource_path("sample", "photos", "astronaut.jpg")
    out = tmp_path / "out"
    assert main(["predict", str(portrait), "--model", str(checkpoint), "--out", str(out)]) == 0
    assert (out / "predictions.npz").is_file()
