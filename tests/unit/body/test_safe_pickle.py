"""Pickles build arrays and nothing else: the kinds of SMPL file that exist, and files that want more."""

import builtins
import os
import pickle
import struct
import subprocess
import sys
import types

import numpy as np
import pytest
from scipy import sparse

from cliff_core.body import load_body
from cliff_core.errors import BodyFileError


class Imitation:
    """Pickles like an object of a library that is not installed."""

    def __init__(self, **state):
        self.__dict__.update(state)


def _imitate(monkeypatch, module, name):
    """A class that pickle takes for `module.name`."""
    kind = type(name, (Imitation,), {"__module__": module, "__qualname__": name})
    for part in (module.split(".")[0], module):
        monkeypatch.setitem(sys.modules, part, types.ModuleType(part))
    setattr(sys.modules[module], name, kind)
    return kind


class Reduced:
    """Pickles as a call of any function, as an attacker would write it."""

    def __init__(self, function, *arguments, state=None):
        self.call = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self):
        return self.call


def _name(module, name):
    """The instruction that asks for `module.name`."""
    return f"c{module}\n{name}\n".encode()


def _python2_array(array):
    """The instructions by which Python 2 pickled a float64 array: its bytes stand there as text."""
    raw = array.astype("<f8").tobytes()
    shape = b"(" + b"".join(b"J" + struct.pack("<i", side) for side in array.shape) + b"t"
    dtype = _name("numpy", "dtype") + b"U\x02f8K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    empty = _name("numpy.core.multiarray", "_reconstruct") + _name("numpy", "ndarray") + b"K\x00\x85U\x01b\x87R"
    return empty + b"(K\x01" + shape + dtype + b"\x89T" + struct.pack("<i", len(raw)) + raw + b"tb"


def _load(tmp_path, content):
    path = tmp_path / "SMPL_NEUTRAL.pkl"
    path.write_bytes(content)
    return load_body(path)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_arrays_of_every_protocol_are_read(tmp_path, small_smpl, protocol):
    body = _load(tmp_path, pickle.dumps(small_smpl, protocol=protocol))
    np.testing.assert_allclose(body.posedirs, small_smpl["posedirs"], atol=1e-6)
    np.testing.assert_allclose(body.J_regressor, small_smpl["J_regressor"].toarray(), atol=1e-6)


def test_chumpy_objects_of_version_1_0_are_read_without_chumpy(tmp_path, small_smpl, monkeypatch):
    with monkeypatch.context() as patch:
        ch = _imitate(patch, "chumpy.ch", "Ch")
        state = {"_dirty_vars": set(), "_itr": None, "_depends_on_deps": {}, "_make_dense": False}
        wrapped = {key: ch(x=small_smpl[key], **state) for key in ("v_template", "shapedirs", "posedirs", "weights")}
        content = pickle.dumps(small_smpl | wrapped | {"J": ch(x=np.zeros((24, 3)))}, protocol=2)
    assert "chumpy" not in sys.modules
    body = _load(tmp_path, content)
    np.testing.assert_allclose(body.v_template, small_smpl["v_template"], atol=1e-6)
    np.testing.assert_allclose(body.shapedirs, small_smpl["shapedirs"], atol=1e-6)


def test_slices_of_chumpy_objects_are_read(tmp_path, small_smpl, monkeypatch):
    many = np.random.default_rng(0).normal(size=(30, 3, 300))
    with monkeypatch.context() as patch:
        select = _imitate(patch, "chumpy.reordering", "Select")
        ch = _imitate(patch, "chumpy.ch", "Ch")
        indices = np.arange(many.size).reshape(many.shape)[:, :, :10].ravel()
        sliced = select(a=ch(x=many), idxs=indices, preferred_shape=(30, 3, 10))
        content = pickle.dumps(small_smpl | {"shapedirs": sliced}, protocol=2)
    np.testing.assert_allclose(_load(tmp_path, content).shapedirs, many[:, :, :10], atol=1e-6)


def test_bytes_written_by_python_2_are_read(tmp_path, small_smpl):
    rest = pickle.dumps({key: value for key, value in small_smpl.items() if key != "v_template"}, protocol=2)
    key = b"U\x0av_template"
    content = rest[:-1] + b"(" + key + _python2_array(small_smpl["v_template"]) + b"u."
    np.testing.assert_allclose(_load(tmp_path, content).v_template, small_smpl["v_template"], atol=1e-6)


def test_row_compressed_and_column_major_arrays_are_read(tmp_path, small_smpl):
    changed = small_smpl | {
        "J_regressor": sparse.csr_matrix(small_smpl["J_regressor"]),
        "posedirs": np.asfortranarray(small_smpl["posedirs"]),
        "v_template": small_smpl["v_template"].astype(">f4"),
    }
    body = _load(tmp_path, pickle.dumps(changed, protocol=2))
    np.testing.assert_allclose(body.J_regressor, small_smpl["J_regressor"].toarray(), atol=1e-6)
    np.testing.assert_allclose(body.posedirs, small_smpl["posedirs"], atol=1e-6)
    np.testing.assert_allclose(body.v_template, small_smpl["v_template"], atol=1e-6)


def test_old_module_names_of_scipy_are_read(tmp_path, small_smpl):
    content = pickle.dumps(small_smpl, protocol=2)
    assert b"scipy.sparse._csc\n" in content
    _load(tmp_path, content.replace(b"scipy.sparse._csc\n", b"scipy.sparse.csc\n"))


@pytest.mark.parametrize(
    ("function", "arguments", "named"),
    [
        (os.system, ("exit 1",), "system"),
        (builtins.eval, ("1+1",), "eval"),
        (builtins.getattr, (dict, "fromkeys"), "getattr"),
        (builtins.exec, ("import os",), "exec"),
        (subprocess.Popen, (["true"],), "Popen"),
        (np.load, ("x.npy",), r"numpy.*load"),
        (np.fromfile, ("x",), "fromfile"),
        (np.memmap, ("x",), "memmap"),
        (pickle.loads, (b"",), "loads"),
        (bytearray, (b"x",), "bytearray"),
    ],
)
@pytest.mark.parametrize("place", ["top", "key", "ignored key", "inside an object array", "inside a chumpy object"])
def test_a_pickle_that_calls_something_is_refused_by_name(
    tmp_path, small_smpl, monkeypatch, function, arguments, named, place
):
    attack = Reduced(function, *arguments)
    with monkeypatch.context() as patch:
        ch = _imitate(patch, "chumpy.ch", "Ch")
        content = pickle.dumps(
            {
                "top": attack,
                "key": small_smpl | {"v_template": attack},
                "ignored key": small_smpl | {"comment": [{"deep": (attack,)}]},
                "inside an object array": small_smpl | {"weights": np.array([attack, None], dtype=object)},
                "inside a chumpy object": small_smpl | {"weights": ch(x=attack)},
            }[place],
            protocol=2,
        )
    with pytest.raises(BodyFileError, match=rf"SMPL_NEUTRAL.pkl: refused, it asks for \S*({named}).*nothing of it"):
        _load(tmp_path, content)


def test_nothing_of_a_refused_pickle_was_run(tmp_path, small_smpl):
    witness = tmp_path / "witness"
    attack = Reduced(os.mkdir, str(witness))
    with pytest.raises(BodyFileError, match="refused"):
        _load(tmp_path, pickle.dumps(small_smpl | {"v_template": attack}))
    assert not witness.exists()


@pytest.mark.parametrize(
    "value",
    [
        np.array([{"a": 1}], dtype=object),
        np.zeros(3, dtype=[("x", "f8")]),
        {"x": 1},
        Reduced(set, [1]),
        None,
    ],
)
def test_what_is_no_array_of_numbers_is_refused(tmp_path, small_smpl, value):
    with pytest.raises(BodyFileError, match="refused, it asks for (an array of|a )"):
        _load(tmp_path, pickle.dumps(small_smpl | {"weights": value}))


def test_a_crafted_array_type_cannot_pass_bytes_off_as_objects(tmp_path, small_smpl):
    honest = _python2_array(small_smpl["weights"])
    for lie in (honest.replace(b"f8", b"O8"), honest.replace(b"U\x01<NNN", b"U\x01|NN}"), honest.replace(b"f8", b"f4")):
        rest = pickle.dumps({key: value for key, value in small_smpl.items() if key != "weights"}, protocol=2)
        with pytest.raises(BodyFileError, match="refused"):
            _load(tmp_path, rest[:-1] + b"(U\x07weights" + lie + b"u.")


def test_a_pickle_cannot_change_the_reader(tmp_path, small_smpl):
    """BUILD sets attributes; on a shared class or function that would outlive the file."""
    good = pickle.dumps(small_smpl, protocol=2)
    targets = [("numpy", "ndarray"), ("numpy", "dtype"), ("chumpy.ch", "Ch"), ("_codecs", "encode"),
               ("copy_reg", "_reconstructor"), ("collections", "OrderedDict"), ("__builtin__", "object")]  # fmt: skip
    for target in targets:
        for state in (b"}U\x07resolveK\x01s", b"N}U\x07resolveK\x01s\x86", b"N}U\x09_functionK\x01s\x86"):
            with pytest.raises(BodyFileError):
                _load(tmp_path, _name(*target) + state + b"b.")
    _load(tmp_path, good)


def test_a_damaged_sparse_matrix_is_refused(tmp_path, small_smpl):
    for change in ({"indices": np.full(960, 99)}, {"indptr": np.array([0, 5])}, {"_shape": (24, 10**9)}):
        matrix = small_smpl["J_regressor"].copy()
        matrix.__dict__.update(change)
        with pytest.raises(BodyFileError, match="sparse matrix"):
            _load(tmp_path, pickle.dumps(small_smpl | {"J_regressor": matrix}))


def test_every_cut_off_pickle_is_told_so(tmp_path, small_smpl):
    content = pickle.dumps(small_smpl, protocol=2)
    for length in np.linspace(1, len(content) - 1, 60).astype(int):
        with pytest.raises(BodyFileError, match=r"SMPL_NEUTRAL.pkl: "):
            _load(tmp_path, content[:length])


def test_a_pickle_with_flipped_bytes_is_read_or_refused_but_never_more(tmp_path, small_smpl):
    content = pickle.dumps({key: value for key, value in small_smpl.items() if key != "posedirs"}, protocol=2)
    random = np.random.default_rng(5)
    for _ in range(400):
        damaged = bytearray(content)
        # Half of the flips hit the short instructions between the long runs of numbers.
        spot = random.choice([content.find(b"numpy"), content.find(b"shapedirs"), content.find(b"scipy"), 0])
        for _ in range(3):
            place = int(spot + random.integers(0, 60)) if random.random() < 0.7 else int(random.integers(len(content)))
            damaged[min(place, len(content) - 1)] = random.integers(256)
        with pytest.raises(BodyFileError):  # posedirs is missing: even an intact one is refused
            _load(tmp_path, bytes(damaged))


def test_a_few_bytes_cannot_reserve_gigabytes(tmp_path):
    resource = pytest.importorskip("resource")  # not on Windows
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    remember_as_four_billionth = b"}r\xff\xff\xff\xff."
    here_follow_eight_gigabytes = b"\x96" + struct.pack("<Q", 8 << 30) + b"."
    for content in (remember_as_four_billionth, here_follow_eight_gigabytes):
        with pytest.raises(BodyFileError):
            _load(tmp_path, content)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kilobytes
