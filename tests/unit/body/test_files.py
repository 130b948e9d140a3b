"""Bringing one's own SMPL: every layout that exists, and a clear word about every file that is none."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

from cliff_core.body import load_body
from cliff_core.errors import BodyFileError
from cliff_core.skeletons import JOINT_SETS


@pytest.fixture
def arrays(small_smpl):
    """A small SMPL file with a dense J_regressor."""
    return small_smpl | {"J_regressor": small_smpl["J_regressor"].toarray()}


def _write(path, arrays):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    else:
        path.write_bytes(pickle.dumps(arrays, protocol=2))
    return path


@pytest.mark.parametrize("suffix", [".pkl", ".npz"])
def test_a_file_gives_the_body_it_holds(tmp_path, arrays, suffix):
    body = load_body(_write(tmp_path / f"mine{suffix}", arrays))
    np.testing.assert_allclose(body.v_template, arrays["v_template"], atol=1e-6)
    np.testing.assert_allclose(body.posedirs, arrays["posedirs"], atol=1e-6)
    np.testing.assert_allclose(body.J_regressor, arrays["J_regressor"], atol=1e-6)
    np.testing.assert_array_equal(body.faces, arrays["f"])
    assert body.parents[0] == -1
    assert body.name == "mine"


def test_of_300_shape_coefficients_the_first_ten_are_used(tmp_path, arrays):
    many = np.concatenate([arrays["shapedirs"], np.ones((30, 3, 290))], axis=2)
    body = load_body(_write(tmp_path / "SMPL_NEUTRAL.pkl", arrays | {"shapedirs": many}))
    np.testing.assert_allclose(body.shapedirs, arrays["shapedirs"], atol=1e-6)


@pytest.mark.parametrize(
    ("name", "gender"),
    [
        ("smpl/SMPL_NEUTRAL.pkl", "neutral"),
        ("SMPL_MALE.npz", "male"),
        ("smpl/SMPL_FEMALE.pkl", "female"),
        ("basicModel_f_lbs_10_207_0_v1.0.0.pkl", "female"),
        ("basicmodel_m_lbs_10_207_0_v1.1.0.pkl", "male"),
        ("smpl/models/basicmodel_neutral_lbs_10_207_0_v1.1.0.pkl", "neutral"),
    ],
)
def test_a_folder_gives_the_body_of_the_asked_gender(tmp_path, arrays, name, gender):
    for other in {"neutral", "male", "female"} - {gender}:
        _write(tmp_path / f"SMPL_{other.upper()}.pkl", arrays | {"v_template": arrays["v_template"] + 1})
    _write(tmp_path / name, arrays)
    body = load_body(tmp_path, gender)
    assert body.gender == gender
    np.testing.assert_allclose(body.v_template, arrays["v_template"], atol=1e-6)


def test_the_name_of_a_file_says_its_gender(tmp_path, arrays):
    assert load_body(_write(tmp_path / "basicmodel_f_lbs_10_207_0_v1.1.0.pkl", arrays)).gender == "female"
    assert load_body(_write(tmp_path / "body.pkl", arrays), gender="male").gender == "male"
    assert load_body(_write(tmp_path / "SMPL_MALE.npz", arrays | {"gender": np.array("female")})).gender == "female"


def test_a_folder_without_the_gender_says_what_is_there(tmp_path, arrays):
    _write(tmp_path / "SMPL_MALE.pkl", arrays)
    with pytest.raises(BodyFileError, match=r"no female SMPL body.*SMPL_FEMALE.pkl.*there is SMPL_MALE.pkl"):
        load_body(tmp_path, "female")


def test_spin_regressors_beside_the_body_are_read(tmp_path, arrays):
    random = np.random.default_rng(0)
    extra = random.random((9, 30))
    np.save(tmp_path / "J_regressor_extra.npy", extra)
    np.save(tmp_path / "J_regressor_h36m.npy", random.random((17, 30)))
    body = load_body(_write(tmp_path / "smpl" / "SMPL_NEUTRAL.pkl", arrays))
    matrix, known = body.keypoint_regressor("lsp14")
    assert known.all()
    np.testing.assert_allclose(matrix[JOINT_SETS["lsp14"].index("right_hip")], extra[0], atol=1e-6)
    assert body.keypoint_regressor("h36m17")[1].all()


def test_a_regressor_of_another_mesh_is_refused_by_name(tmp_path, arrays):
    np.save(tmp_path / "J_regressor_extra.npy", np.ones((9, 31)))
    with pytest.raises(BodyFileError, match=r"J_regressor_extra.npy: shape \(9, 31\), expected \(9, 30\)"):
        load_body(_write(tmp_path / "SMPL_NEUTRAL.pkl", arrays))


def test_pose_offsets_may_be_stored_as_integers(tmp_path, arrays):
    dense = arrays.pop("posedirs")
    scale = np.float32(np.abs(dense).max() / 32767)
    body = load_body(_write(tmp_path / "q.npz", arrays | {
        "posedirs_q": np.rint(dense / scale).astype(np.int16), "posedirs_scale": scale}))  # fmt: skip
    np.testing.assert_allclose(body.posedirs, dense, atol=scale)


def test_the_arrays_of_a_body_cannot_be_changed(tmp_path, arrays):
    body = load_body(_write(tmp_path / "mine.npz", arrays))
    for name in ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "faces", "parents", "part_labels"):
        assert not getattr(body, name).flags.writeable, name


@pytest.mark.parametrize("key", ["v_template", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table", "f"])
def test_a_missing_key_is_named(tmp_path, arrays, key):
    del arrays[key]
    with pytest.raises(BodyFileError, match=f"mine.pkl: no SMPL body, {key} missing"):
        load_body(_write(tmp_path / "mine.pkl", arrays))


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        ("v_template", (30, 2)),
        ("shapedirs", (30, 3, 9)),
        ("posedirs", (30, 3, 206)),
        ("J_regressor", (24, 29)),
        ("weights", (30, 23)),
        ("f", (20, 4)),
    ],
)
def test_a_wrong_shape_is_named(tmp_path, arrays, key, shape):
    with pytest.raises(BodyFileError, match=f"mine.npz: {key} "):
        load_body(_write(tmp_path / "mine.npz", arrays | {key: np.ones(shape, arrays[key].dtype)}))


@pytest.mark.parametrize(
    ("key", "change", "message"),
    [
        ("v_template", lambda a: a * np.nan, "v_template holds values that no body has"),
        ("weights", lambda a: a * 2, "rows of weights sum to 2..2 instead of 1"),
        ("f", lambda a: a + 30, "f is no list of triangles of 30 vertices"),
        ("kintree_table", lambda a: a[:, ::-1], "kintree_table joins the joints in another order"),
    ],
)
def test_impossible_values_are_named(tmp_path, arrays, key, change, message):
    with pytest.raises(BodyFileError, match=message):
        load_body(_write(tmp_path / "mine.npz", arrays | {key: change(arrays[key])}))


@pytest.mark.parametrize(("joints", "kind"), [(16, "MANO hand"), (5, "FLAME head"), (52, "SMPL-H"), (55, "SMPL-X")])
@pytest.mark.parametrize("suffix", [".pkl", ".npz"])
def test_relatives_of_smpl_are_told_apart(tmp_path, arrays, joints, kind, suffix):
    other = arrays | {"kintree_table": np.zeros((2, joints), np.int64), "weights": np.ones((30, joints)) / joints}
    with pytest.raises(BodyFileError, match=f"a {kind} model \\({joints} joints\\)"):
        load_body(_write(tmp_path / f"other{suffix}", other))


def test_star_is_told_apart(tmp_path, arrays):
    with pytest.raises(BodyFileError, match="a STAR model"):
        load_body(_write(tmp_path / "model.npz", arrays | {"posedirs": np.zeros((30, 3, 93))}))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "an empty file"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"PK\x03\x04rest", "a zip archive or a checkpoint"),
        (b"\x89PNG\r\n", "not a readable pickle|damaged"),
        (pickle.dumps([1, 2]), "holds a list"),
    ],
)
def test_a_file_that_is_no_body_is_told_so(tmp_path, content, message):
    path = tmp_path / "SMPL_NEUTRAL.pkl"
    path.write_bytes(content)
    with pytest.raises(BodyFileError, match=message):
        load_body(path)


def test_an_npz_with_python_objects_is_not_opened(tmp_path, arrays):
    with pytest.raises(BodyFileError, match="holds Python objects"):
        load_body(_write(tmp_path / "mine.npz", arrays | {"J_regressor": np.array({"sparse": 1}, dtype=object)}))


def test_a_cut_off_npz_is_told_so(tmp_path, arrays):
    path = _write(tmp_path / "mine.npz", arrays)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(BodyFileError, match="mine.npz: not a readable .npz body"):
        load_body(path)


def test_a_missing_file_and_an_unknown_gender_are_told(tmp_path):
    with pytest.raises(BodyFileError, match="no such file or folder"):
        load_body(tmp_path / "nothing.pkl")
    with pytest.raises(BodyFileError, match="no body of gender 'other'"):
        load_body(gender="other")


def test_a_body_is_posed_without_torch_or_smplx():
    code = "import sys, cliff_core.body as b; b.load_body(); print(sorted({'torch', 'smplx'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_own_regressor_must_fit_its_joint_set(tmp_path, arrays):
    named = {"vertex_names": np.array(["nose"]), "vertex_ids": np.array([3])}
    with pytest.raises(BodyFileError, match="regressor_coco23 has shape"):
        load_body(_write(tmp_path / "own.npz", arrays | named | {"regressor_coco23": np.ones((17, 30))}))
    with pytest.raises(BodyFileError, match="regressor_toes is of no joint set"):
        load_body(_write(tmp_path / "own.npz", arrays | named | {"regressor_toes": np.ones((2, 30))}))
    with pytest.raises(BodyFileError, match="do not name vertices"):
        load_body(_write(tmp_path / "own.npz", arrays | {"regressor_coco23": np.ones((23, 30))}))
