import io
import pickle

import numpy as np
import pytest

from cliff_core.errors import FormatError
from cliff_core.formats import pickles

VALUES = {
    "poses": [np.arange(6.0).reshape(2, 3)],
    "names": np.array(["a", "ü"]),
    "number": np.float64(2.5),
    "name": "numpy._core.multiarray",
}


def test_what_is_written_names_numpys_internals_as_numpy_1_knows_them():
    content = pickles.dumps(VALUES)

    assert content.count(b"numpy._core") == 1  # the text among the values, which stays as it is
    assert b"cnumpy.core.multiarray\n_reconstruct\n" in content


def test_any_python_loads_what_is_written():
    back = pickle.loads(pickles.dumps(VALUES))

    np.testing.assert_array_equal(back["poses"][0], VALUES["poses"][0])
    assert (back["names"].tolist(), back["number"], back["name"]) == (["a", "ü"], 2.5, "numpy._core.multiarray")


def test_numpy_loads_a_dictionary_from_an_archive_as_it_does_its_own(tmp_path):
    stream = io.BytesIO(pickles.dump_object_array(VALUES))

    back = np.load(stream, allow_pickle=True).item()

    np.testing.assert_array_equal(back["poses"][0], VALUES["poses"][0])


def test_what_is_written_is_read_without_trust():
    back = pickles.loads(pickles.dumps(VALUES), "a.pkl")

    np.testing.assert_array_equal(back["poses"][0], VALUES["poses"][0])
    with pytest.raises(FormatError, match=r"a\.pkl: refused, it asks for builtins\.print .*; get the file again"):
        pickles.loads(pickle.dumps(print), "a.pkl")
