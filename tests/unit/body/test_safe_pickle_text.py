"""Arrays of text in a pickle that are no text."""

import pickle

import numpy as np
import pytest

from cliff_core.body.plain_pickle import UnreadablePickleError, plain_values
from cliff_core.body.safe_pickle import has_whole_characters


@pytest.mark.parametrize("order", ["<", ">"])
def test_numbers_that_are_no_characters_are_told_from_text(order):
    text = np.array(["ü夏🙂", ""]).astype(f"{order}U3")
    broken = np.frombuffer(np.array([97, 0x7FFFFFFF], dtype=f"{order}u4").tobytes(), dtype=f"{order}U2")

    assert has_whole_characters(text)
    assert not has_whole_characters(broken)
    assert has_whole_characters(np.zeros(3))
    assert has_whole_characters(np.zeros(0, "U1"))


def test_a_pickle_with_such_an_array_is_refused():
    """NumPy would make strings of it that crash whoever looks at them."""
    content = pickle.dumps({"genders": np.array(["aaaa"])}, 2)
    place = content.index(b"a\x00\x00\x00a\x00\x00\x00")

    assert plain_values(content)["genders"].tolist() == ["aaaa"]
    with pytest.raises(UnreadablePickleError, match="text that is none"):
        plain_values(content[:place] + b"\x00\x00\x7f\x7f" + content[place + 4 :])


def test_an_array_of_a_thousand_axes_is_refused():
    content = pickle.dumps(np.zeros(3), 2)
    many = content.replace(b"K\x03\x85", b"(" + b"K\x01" * 1000 + b"K\x03t", 1)

    assert many != content
    with pytest.raises(UnreadablePickleError, match="an array without shape"):
        plain_values(many)
