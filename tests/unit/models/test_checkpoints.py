"""What is read, what is refused, in which words, and that nothing in a file is ever run."""

import os
import pickle
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from cliff_core.errors import CheckpointError
from cliff_core.models import load_cliff
from cliff_core.models.open_cliff import OpenCliff


class Trap:
    """A pickle that creates a folder when it is loaded the usual way."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def refusal(path):
    """The one line that a person sees; it names the file."""
    with pytest.raises(CheckpointError) as caught:
        load_cliff(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert len(message) < 500 + len(str(path))
    return message


def saved(path, content, **options):
    torch.save(content, path, **options)
    return path


# ---- what is read ----


@pytest.mark.parametrize("name", ["res50", "hr48"])
@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("container", ["official", "bare", "state_dict"])
def test_official_weights_are_read_however_they_are_wrapped(tmp_path, thin_weights, name, prefix, container):
    weights = {prefix + key: value for key, value in thin_weights(name).items()}
    content = {
        "official": {"model": weights, "epoch": 5, "step": 6095, "best": np.float64(45.7), "note": "3dpw"},
        "bare": weights,
        "state_dict": {"state_dict": weights, "epoch": 7},
    }[container]

    model = load_cliff(saved(tmp_path / "any name.pt", content))

    assert model.name == f"cliff-{name}"
    assert not model.training


def test_the_older_file_format_is_read(tmp_path, thin_weights):
    path = saved(tmp_path / "old.pt", {"model": thin_weights("res50")}, _use_new_zipfile_serialization=False)

    assert load_cliff(path).name == "cliff-res50"


def test_the_file_name_does_not_decide_and_may_be_text(tmp_path, thin_weights):
    path = saved(tmp_path / "res50-PA45.7_Größe 人.pt", {"model": thin_weights("hr48")})

    assert load_cliff(str(path)).name == "cliff-hr48"


def test_half_precision_becomes_float32_of_its_own_memory(tmp_path, thin_weights):
    weights = {k: v.half() if v.is_floating_point() else v for k, v in thin_weights("res50").items()}

    model = load_cliff(saved(tmp_path / "half.pt", {"model": weights}))

    assert {value.dtype for value in model.parameters()} == {torch.float32}
    with torch.no_grad():
        model.fc1.weight[0, 0] = 1  # thin tensors share one number: a loaded model must not
    assert model.fc1.weight.sum() == 1


def test_open_cliff_comes_back_from_its_own_container(tmp_path):
    torch.manual_seed(0)
    model = OpenCliff().eval()

    loaded = load_cliff(saved(tmp_path / "open.pt", model.checkpoint()))

    assert isinstance(loaded, OpenCliff)
    assert not loaded.training


# ---- files that are no checkpoint ----


def test_a_missing_file(tmp_path):
    assert "no such file" in refusal(tmp_path / "absent.pt")


def test_a_folder(tmp_path):
    assert "a folder" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "an empty file"),
        (b"epoch 1 loss 0.3\n", "a text file"),
        ("说明：重新下载模型文件后再运行本程序，谢谢使用。请看网页。".encode(), "a text file"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(range(256)), "a JPEG picture"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "a PNG picture"),
        (b"<!DOCTYPE html><html>Sign in</html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a git-lfs pointer"),
        (bytes(range(7, 200)), "some other binary file"),
        (b"\x80" + bytes(range(200, 256)) * 3, "some other binary file"),
        (pickle.dumps({"a": [1, 2]}), "a Python pickle"),
        (pickle.dumps({"a": [1, 2]}, protocol=2), "a Python pickle"),
    ],
)
def test_other_files_are_called_what_they_are(tmp_path, content, kind):
    path = tmp_path / "weights.pt"
    path.write_bytes(content)

    message = refusal(path)

    assert f"not a PyTorch checkpoint but {kind}" in message


def test_a_zip_archive_around_the_checkpoint(tmp_path):
    path = tmp_path / "download.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ckpt/res50.pt", b"...")

    assert "Unpack it and give the ckpt/res50.pt" in refusal(path)


def test_an_npz_file(tmp_path):
    np.savez(tmp_path / "body.npz", v_template=np.zeros((10, 3)))

    assert "a zip archive of other things" in refusal(tmp_path / "body.npz")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_torchscript_program_is_not_run(tmp_path):
    path = tmp_path / "program.pt"
    torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)).save(path)

    assert "a TorchScript program" in refusal(path)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.99, "all but one byte"])
def test_a_truncated_download(tmp_path, zipped, share):
    path = saved(tmp_path / "cut.pt", {"model": {"a": torch.ones(20_000)}}, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] if isinstance(share, str) else whole[: int(len(whole) * share)])

    message = refusal(path)

    assert "truncated or damaged checkpoint" in message
    assert "again" in message


def test_a_flipped_bit_among_the_weights_is_noticed(tmp_path):
    path = saved(tmp_path / "flipped.pt", {"model": {"a": torch.ones(20_000)}})
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    assert "fails its checksum" in refusal(path)


def test_random_damage_never_gives_anything_but_a_checkpoint_error(tmp_path, thin_weights):
    weights = {name: value for name, value in thin_weights("res50").items() if name.startswith("dec")}
    rng = np.random.default_rng(0)
    for zipped in (True, False):
        path = saved(tmp_path / "weights.pt", {"model": weights}, _use_new_zipfile_serialization=zipped)
        whole = path.read_bytes()
        for _ in range(60):
            content = bytearray(whole)
            for position in rng.integers(0, len(content), 3):
                content[position] = rng.integers(256)
            path.write_bytes(content)
            refusal(path)


# ---- files that want to run something ----


@pytest.mark.parametrize("zipped", [True, False])
def test_a_malicious_checkpoint_is_named_and_not_run(tmp_path, zipped, thin_weights):
    content = {"model": thin_weights("res50"), "optimizer": Trap(tmp_path / "sprung")}
    path = saved(tmp_path / "evil.pt", content, _use_new_zipfile_serialization=zipped)

    message = refusal(path)

    assert f"loading it would call {os.name if os.name == 'nt' else 'posix'}.mkdir" in message
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("protocol", range(2, 6))
def test_a_malicious_pickle_is_named_and_not_run(tmp_path, protocol):
    path = tmp_path / "evil.pt"
    path.write_bytes(pickle.dumps({"model": Trap(tmp_path / "sprung")}, protocol=protocol))

    assert ".mkdir" in refusal(path)
    assert not (tmp_path / "sprung").exists()


def test_a_pickled_network_is_named_and_not_built(tmp_path):
    assert "torch.nn.modules.linear.Linear" in refusal(saved(tmp_path / "net.pt", torch.nn.Linear(2, 2)))


def test_settings_objects_are_named_and_not_built(tmp_path):
    path = saved(tmp_path / "args.pt", {"model": {"a": torch.zeros(2)}, "args": SimpleNamespace(lr=1)})

    assert "types.SimpleNamespace" in refusal(path)


@pytest.mark.parametrize("value", [np.array([1, None]), np.array([1.5, 2.5])])
def test_only_single_numpy_numbers_are_built(tmp_path, value):
    path = saved(tmp_path / "array.pt", {"model": {"a": torch.zeros(2)}, "history": value})

    assert "_reconstruct" in refusal(path)


def test_a_numpy_type_that_is_not_a_number_is_not_built(tmp_path):
    path = saved(tmp_path / "object.pt", {"model": {"a": torch.zeros(2)}, "type": np.dtype([("a", "O")])})

    assert "object.pt" in refusal(path)


# ---- checkpoints of other networks ----

BEDLAM = {
    "model.backbone.conv1.weight": torch.zeros(2),
    "model.backbone.stage4.2.fuse_layers.0.1.0.weight": torch.zeros(2),
    "model.head.init_pose": torch.zeros(1, 132),
    "model.head.fc1.weight": torch.zeros(1024, 869),
    "model.head.decshape.weight": torch.zeros(11, 1024),
    "model.head.downsample_module.0.0.weight": torch.zeros(2),
}
MMHUMAN3D = {
    "backbone.conv1.weight": torch.zeros(2),
    "backbone.layer4.2.bn3.weight": torch.zeros(2),
    "head.init_pose": torch.zeros(1, 144),
    "head.fc1.weight": torch.zeros(1, 2208),
    "head.decpose.weight": torch.zeros(144, 1),
    "body_model_train.shapedirs": torch.zeros(2),
}
HMR = {
    "conv1.weight": torch.zeros(2),
    "layer4.2.bn3.weight": torch.zeros(2),
    "fc1.weight": torch.zeros(1, 2205),
    "decpose.weight": torch.zeros(144, 1),
    "init_pose": torch.zeros(1, 144),
}


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ({"state_dict": BEDLAM, "epoch": 1, "pytorch-lightning_version": "1.1.8"}, "BEDLAM's CLIFF"),
        ({"state_dict": {k.removeprefix("model."): v for k, v in BEDLAM.items()}}, "BEDLAM's CLIFF"),
        # Lightning keeps settings objects in the file, which must not be built: still the answer is the useful one
        ({"state_dict": BEDLAM, "hyper_parameters": SimpleNamespace(lr=1)}, "BEDLAM's CLIFF"),
        ({"meta": {"epoch": 3, "mmhuman3d": "0.9"}, "state_dict": MMHUMAN3D}, "MMHuman3D's CLIFF"),
        ({"meta": {"time": SimpleNamespace()}, "state_dict": MMHUMAN3D, "optimizer": {}}, "MMHuman3D's CLIFF"),
        (
            {k: v for k, v in MMHUMAN3D.items() if k.startswith(("backbone", "head"))},
            "BEDLAM's or MMHuman3D's CLIFF",
        ),
        ({"model": HMR, "optimizer": {}, "epoch": 3}, "HMR, SPIN"),
        ({"model": {f"module.{k}": v for k, v in HMR.items()}}, "HMR, SPIN"),
        ({"gen_state_dict": 0, "regressor.fc1.weight": torch.zeros(2)}, "HMR, SPIN"),
        ({"state_dict": {"smpl_head.transformer.a": torch.zeros(2), "backbone.b": torch.zeros(2)}}, "4D-Humans"),
        ({"layer4.2.bn3.weight": torch.zeros(2), "fc.weight": torch.zeros(2)}, "a backbone alone"),
        ({"model": {"encoder.blocks.0.weight": torch.zeros(2)}}, "unknown network (the first is encoder.blocks.0"),
        ({"model": {"fc1.weight": torch.zeros(2), "decpose.weight": torch.zeros(2)}}, "has the head, but neither"),
        ({"epoch": 3, "args": "none"}, "holds epoch, args"),
        ({"model": {}}, "holds nothing"),
        ({"model": {"a": torch.zeros(2), "b": "text"}}, "holds a, b"),
        ([torch.zeros(2)], "holds a list"),
        (torch.zeros(2), "holds a Tensor"),
    ],
)
def test_other_networks_are_called_by_their_names(tmp_path, content, name):
    message = refusal(saved(tmp_path / "other.pt", content))

    assert name in message


# ---- CLIFF, but not all of it ----


def test_another_head_names_the_first_array_that_differs_and_both_shapes(tmp_path, thin_weights):
    weights = thin_weights("res50")
    weights["fc1.weight"] = torch.zeros(()).expand(1024, 2205)
    weights["decshape.weight"] = torch.zeros(()).expand(11, 1024)

    message = refusal(saved(tmp_path / "head.pt", {"model": weights}))

    assert "another head" in message
    assert "fc1.weight has shape (1024, 2205), cliff-res50 has (1024, 2208)" in message


def test_an_incomplete_checkpoint_counts_what_is_missing(tmp_path, thin_weights):
    weights = {name: value for name, value in thin_weights("hr48").items() if not name.startswith("deccam")}

    message = refusal(saved(tmp_path / "part.pt", {"model": weights}))

    assert "2 of cliff-hr48's 1967 arrays are missing, the first is deccam.weight" in message


def test_an_extended_network_names_what_is_too_much(tmp_path, thin_weights):
    weights = {**thin_weights("res50"), "dechand.weight": torch.zeros(2)}

    assert "cliff-res50 has no dechand.weight" in refusal(saved(tmp_path / "more.pt", {"model": weights}))


def test_diverged_weights_are_refused(tmp_path, thin_weights):
    weights = {**thin_weights("res50"), "fc1.bias": torch.full((1024,), float("nan"))}

    assert "fc1.bias holds values that are not numbers" in refusal(saved(tmp_path / "nan.pt", {"model": weights}))


def test_quantised_or_sparse_weights_are_refused(tmp_path, thin_weights):
    for value in (torch.zeros(1024).to_sparse(), torch.zeros(1024, dtype=torch.int8)):
        weights = {**thin_weights("res50"), "fc1.bias": value}

        assert "fc1.bias is stored as" in refusal(saved(tmp_path / "odd.pt", {"model": weights}))


def test_an_open_cliff_whose_training_diverged_is_refused(tmp_path):
    content = OpenCliff().checkpoint()
    content["state"]["feature_mean"] = content["state"]["feature_mean"] * float("nan")

    assert "feature_mean holds values that are not numbers" in refusal(saved(tmp_path / "open.pt", content))


def test_an_open_cliff_of_another_version_says_so(tmp_path):
    path = saved(tmp_path / "open.pt", {"format": "open-cliff", "version": 999})

    assert "version 999" in refusal(path)
