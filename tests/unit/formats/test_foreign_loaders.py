"""What others make of our files: opened as their consumers open them, posed by `smplx` or by the consumer itself."""

import json
import pickle
import tarfile

import numpy as np
import pytest

from cliff_core.body.regressors import OFFICIAL_VERTICES
from cliff_core.formats import write
from cliff_core.geometry.rotations import rotvec_to_rotmat

torch = pytest.importorskip("torch")
smplx = pytest.importorskip("smplx")


@pytest.fixture(scope="module")
def group(crowd):
    return crowd(("male", "female"))


@pytest.fixture(scope="module")
def layers(bodies):
    """`smplx` with the open bodies, in double precision, by gender."""
    from smplx.utils import Struct

    made = {}
    for gender, body in bodies.items():
        tree = np.stack([body.parents, np.arange(24)])
        model = Struct(f=body.faces, v_template=body.v_template, shapedirs=body.shapedirs, posedirs=body.posedirs,
                       J_regressor=body.J_regressor, weights=body.weights, kintree_table=tree)  # fmt: skip
        made[gender] = smplx.SMPL("", data_struct=model, vertex_ids=dict(OFFICIAL_VERTICES), dtype=torch.float64)
    return made


@pytest.fixture(scope="module")
def vertices(layers):
    """vertices(gender, pose (72), betas, transl): (V, 3) in double precision, metres."""

    def pose(gender, pose, betas, transl):
        pose, betas, transl = (torch.tensor(np.asarray(v, np.float64))[None] for v in (pose, betas, transl))
        with torch.no_grad():
            out = layers[gender](global_orient=pose[:, :3], body_pose=pose[:, 3:], betas=betas[:, :10], transl=transl)
        return out.vertices[0].numpy()

    return pose


def npz(path):
    """A file as research code loads it."""
    with np.load(path, allow_pickle=True) as archive:
        return {key: archive[key].item() if archive[key].ndim == 0 else archive[key] for key in archive.files}


def of_cliff_gt(folder):
    rows = npz(folder / "f")
    return [(g, *row) for g, *row in zip(rows["gender"], rows["pose"], rows["shape"], rows["global_t"], strict=True)]


def of_spin(folder):
    rows = npz(folder / "f")
    genders = [{"m": "male", "f": "female"}[letter] for letter in rows["gender"]]
    return list(zip(genders, rows["pose"], rows["shape"], rows["transl"], strict=True))


def of_4d_humans(folder):
    rows = npz(folder / "f")
    return list(zip(rows["gender"], rows["body_pose"], rows["betas"], rows["transl"], strict=True))


def of_4d_humans_tar(folder):
    with tarfile.open(folder / "f") as archive:
        lists = [pickle.loads(archive.extractfile(entry).read()) for entry in archive if entry.name.endswith(".pyd")]
    people = [person for people in lists for person in people]
    return [(each["gender"], each["body_pose"], each["betas"], each["transl"]) for each in people]


def of_humandata(folder):
    content = npz(folder / "f")
    smpl = content["smpl"]
    genders = [{"m": "male", "f": "female"}[letter] for letter in content["meta"]["gender"]]
    poses = np.concatenate([smpl["global_orient"][:, None], smpl["body_pose"]], axis=1).reshape(-1, 72)
    return list(zip(genders, poses, smpl["betas"], smpl["transl"], strict=True))


def of_bedlam(folder):
    rows = npz(folder / "f")
    moved = rows["cam_ext"][:, :3, 3] + rows["trans_cam"]  # as its dataset adds them up
    return list(zip(rows["gender"], rows["pose_cam"], rows["shape"], moved, strict=True))


def of_3dpw(folder):
    people = []
    for file in ("street/day 1", "b", "c"):
        content = pickle.loads((folder / "f" / f"{file}.pkl").read_bytes(), encoding="latin1")
        for person, gender in enumerate(content["genders"]):
            turn, shift = content["cam_poses"][0][:3, :3], content["cam_poses"][0][:3, 3]
            np.testing.assert_array_equal(turn, np.eye(3))
            transl = content["trans"][person][0] + shift
            betas = content["betas"][person][:10]
            people.append(({"m": "male", "f": "female"}[gender], content["poses"][person][0], betas, transl))
    return people


READERS = {
    "cliff-gt": of_cliff_gt,
    "spin": of_spin,
    "4d-humans": of_4d_humans,
    "4d-humans-tar": of_4d_humans_tar,
    "humandata": of_humandata,
    "bedlam": of_bedlam,
    "3dpw": of_3dpw,
}


@pytest.mark.parametrize("name", READERS)
def test_smplx_poses_the_files_numbers_to_our_vertices(name, tmp_path, group, crowd_photos, vertices, documented_mm):
    write(name, tmp_path / "f", group.people, group.estimates, group.bodies, photos=crowd_photos)

    read = READERS[name](tmp_path)

    assert len(read) == len(group.estimates)
    for (gender, pose, betas, transl), estimate in zip(read, group.estimates, strict=True):
        params = estimate.params
        expected = vertices(params.gender, params.pose_rotvec.reshape(72), params.betas, params.transl)
        assert np.abs(vertices(str(gender), pose, betas, transl) - expected).max() * 1000 <= documented_mm(
            name, "smplx"
        )


def test_smplx_poses_efts_matrices_to_our_vertices(tmp_path, group, layers, vertices, documented_mm):
    write("eft", tmp_path / "f", group.people, group.estimates)

    for entry, estimate in zip(json.loads((tmp_path / "f").read_text())["data"], group.estimates, strict=True):
        params = estimate.params
        rotmat = torch.tensor(entry["parm_pose"], dtype=torch.float64)[None]
        betas, transl = (torch.tensor(entry[key], dtype=torch.float64)[None] for key in ("parm_shape", "transl"))
        with torch.no_grad():
            out = layers[entry["gender"]](global_orient=rotmat[:, :1], body_pose=rotmat[:, 1:], betas=betas,
                                          transl=transl, pose2rot=False)  # fmt: skip
        expected = vertices(params.gender, params.pose_rotvec.reshape(72), params.betas, params.transl)
        assert np.abs(out.vertices[0].numpy() - expected).max() * 1000 <= documented_mm("eft", "smplx")


def test_smplx_poses_amass_files_to_our_vertices_turned_upright(tmp_path, group, vertices, documented_mm):
    write("amass", tmp_path, group.people, group.estimates, group.bodies)

    for file, estimate in zip(("street/day 1_1", "street/day 1_2", "b_1", "b_2", "c_1"), group.estimates, strict=True):
        content, params = npz(tmp_path / f"{file}.npz"), estimate.params
        pose = np.concatenate([content["poses_root"][0], content["poses_body"][0]])
        world = vertices(content["gender"], pose, content["betas"][:10], content["trans"][0])
        expected = vertices(params.gender, params.pose_rotvec.reshape(72), params.betas, params.transl)
        turned = np.stack([expected[:, 0], expected[:, 2], -expected[:, 1]], axis=1)
        assert np.abs(world - turned).max() * 1000 <= documented_mm("amass", "smplx")


def test_webdataset_streams_the_tar(tmp_path, group, crowd_photos):
    wds = pytest.importorskip("webdataset", reason="webdataset is not installed")
    write("4d-humans-tar", tmp_path / "f.tar", group.people, group.estimates, group.bodies, photos=crowd_photos)

    items = list(wds.WebDataset(str(tmp_path / "f.tar"), shardshuffle=False).decode("rgb8"))

    assert [item["__key__"] for item in items] == ["street/day 1", "b", "c"]
    assert [item["jpg"].shape for item in items] == [(1080, 1919, 3), (1002, 1000, 3), (640, 480, 3)]
    assert [len(item["data.pyd"]) for item in items] == [2, 2, 1]


def test_mmhuman3d_loads_the_humandata(tmp_path, group):
    structures = pytest.importorskip("mmhuman3d.data.data_structures.human_data", reason="mmhuman3d is not installed")
    write("humandata", tmp_path / "f.npz", group.people, group.estimates, group.bodies)

    loaded = structures.HumanData.fromfile(str(tmp_path / "f.npz"))

    assert (len(loaded["image_path"]), loaded["keypoints2d"].shape) == (5, (5, 190, 3))
    np.testing.assert_array_equal(loaded["smpl"]["transl"], [each.params.transl for each in group.estimates])


@pytest.fixture
def aitviewer(monkeypatch, tmp_path, bodies):
    """aitviewer's SMPL sequence, with the open bodies where it looks for SMPL's files."""
    pytest.importorskip("aitviewer", reason="aitviewer is not installed")
    from aitviewer.configuration import CONFIG
    from aitviewer.models.smpl import SMPLLayer
    from aitviewer.renderables.smpl import SMPLSequence

    (tmp_path / "models" / "smpl").mkdir(parents=True)
    for gender, body in bodies.items():
        tree = np.stack([body.parents, np.arange(24)]).astype(np.int64)
        content = {"f": body.faces, "v_template": body.v_template, "shapedirs": body.shapedirs,
                   "posedirs": body.posedirs, "J_regressor": body.J_regressor, "weights": body.weights,
                   "kintree_table": tree}  # fmt: skip
        (tmp_path / "models" / "smpl" / f"SMPL_{gender.upper()}.pkl").write_bytes(pickle.dumps(content))
    monkeypatch.setattr(CONFIG, "smplx_models", str(tmp_path / "models"))
    return SMPLSequence, SMPLLayer


def test_aitviewer_shows_amass_files_as_the_camera_sees_the_bodies(tmp_path, aitviewer, group, vertices, documented_mm):
    sequence, layer = aitviewer
    write("amass", tmp_path, group.people, group.estimates, group.bodies)

    for file, estimate in zip(("street/day 1_1", "street/day 1_2", "b_1", "b_2", "c_1"), group.estimates, strict=True):
        params = estimate.params
        shown = sequence.from_npz(
            str(tmp_path / f"{file}.npz"), smpl_layer=layer("smpl", gender=params.gender, device="cpu"), z_up=True
        )  # fmt: skip
        expected = vertices(params.gender, params.pose_rotvec.reshape(72), params.betas, params.transl)
        upright = shown.vertices[0] @ shown.rotation.T  # its own axes: y up, the viewer looks along -z
        assert np.abs(upright - expected * (1, -1, -1)).max() * 1000 <= documented_mm("amass", "aitviewer")


def test_aitviewers_amass_loader_takes_its_joints_from_the_same_numbers(tmp_path, aitviewer, group):
    """SMPL-H files are licensed; a layer that notes what it is asked for stands for them."""
    sequence, layer = aitviewer
    write("amass", tmp_path / "a.npz", group.people[:1], group.estimates[:1], group.bodies)
    smpl = layer("smpl", gender="male", device="cpu")
    asked = {}

    class Noted(Exception):
        pass

    class Layer:
        class bm:
            NUM_BODY_JOINTS, NUM_HAND_JOINTS = 21, 15

        num_betas, model_type, skeletons = smpl.num_betas, "smplh", smpl.skeletons

        def __call__(self, **values):
            asked.update(values)
            raise Noted

    with pytest.raises(Noted):
        sequence.from_amass(str(tmp_path / "a.npz"), smpl_layer=Layer(), log=False, fps_out=30)
    pose = group.estimates[0].params.pose_rotvec
    np.testing.assert_allclose(asked["poses_body"].numpy()[0], pose[1:22].reshape(-1), atol=1e-6)
    np.testing.assert_array_equal(asked["poses_left_hand"].numpy(), 0)
    np.testing.assert_allclose(asked["betas"].numpy()[0, :10], group.estimates[0].params.betas, atol=1e-6)


def test_aitviewer_shows_3dpw_files(tmp_path, aitviewer, group, vertices, documented_mm):
    sequence, _ = aitviewer
    write("3dpw", tmp_path, group.people, group.estimates, group.bodies)

    shown, camera = sequence.from_3dpw(str(tmp_path / "b.pkl"))

    np.testing.assert_array_equal(camera["intrinsics"], [[1145.5, 0, 512.5], [0, 1145.5, 515.25], [0, 0, 1]])

    for one, estimate in zip(shown, group.estimates[2:4], strict=True):
        params = estimate.params
        expected = vertices(params.gender, params.pose_rotvec.reshape(72), params.betas, params.transl)
        assert np.abs(one.vertices[0] - expected).max() * 1000 <= documented_mm("3dpw", "aitviewer")


def test_rotations_of_eft_are_those_of_the_pose(tmp_path, group):
    write("eft", tmp_path / "f", group.people, group.estimates)

    for entry, estimate in zip(json.loads((tmp_path / "f").read_text())["data"], group.estimates, strict=True):
        np.testing.assert_array_equal(entry["parm_pose"], rotvec_to_rotmat(estimate.params.pose_rotvec))
