"""Pickles of plain values come back whole; pickles that want more, or never end, are refused."""

import contextlib
import os
import pickle
import time

import numpy as np
import pytest

from cliff_core.body.plain_pickle import UnreadablePickleError, plain_values

SEQUENCE = {
    "sequence": "über_die_straße",
    "poses": [np.arange(144.0).reshape(2, 72), np.zeros((2, 72), dtype=np.float32)],
    "genders": ["m", "f"],
    "valid": (np.array([True, False]), 3, 2.5, None, np.float64(1.5), np.int64(7), np.array(8)),
    "nested": np.array({"a": np.array(["x", "yz"])}, dtype=object),
    "empty": np.zeros((0, 3)),
    "objects": np.array(["a", None], dtype=object),
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values_of_every_protocol_come_back(protocol):
    values = plain_values(pickle.dumps(SEQUENCE, protocol=protocol))

    assert (values["sequence"], values["genders"]) == ("über_die_straße", ["m", "f"])
    for before, after in zip(SEQUENCE["poses"], values["poses"], strict=True):
        np.testing.assert_array_equal(after, before)
        assert after.dtype == before.dtype
    np.testing.assert_array_equal(values["valid"][0], [True, False])
    assert values["valid"][1:] == [3, 2.5, None, 1.5, 7, 8]
    assert values["nested"]["a"].tolist() == ["x", "yz"]
    assert values["objects"] == ["a", None]
    assert values["empty"].shape == (0, 3)


def test_only_wanted_keys_are_looked_at():
    assert plain_values(pickle.dumps({"a": 1, "b": {2}}), frozenset({"a"})) == {"a": 1}
    with pytest.raises(UnreadablePickleError, match="refused, it asks for a set where a plain value should be"):
        plain_values(pickle.dumps({"a": 1, "b": {2}}))


class Call:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


def test_nothing_is_ever_called(tmp_path):
    attack = Call(os.mkdir, (str(tmp_path / "witness"),))
    for value in (attack, [attack], {"a": attack}, {attack: 1}, np.array([attack, 1], dtype=object)):
        with pytest.raises(UnreadablePickleError, match=r"refused, it asks for \w+\.mkdir .*nothing of it was run"):
            plain_values(pickle.dumps(value))
    assert not (tmp_path / "witness").exists()
    with pytest.raises(UnreadablePickleError, match="refused, it asks for bytes made of something"):
        plain_values(pickle.dumps(Call(bytes, (10**12,))))


def test_a_list_that_contains_itself_is_refused():
    endless: list = []
    endless.append(endless)
    with pytest.raises(UnreadablePickleError, match="nested without end"):
        plain_values(pickle.dumps(endless))


def test_what_is_there_a_billion_times_is_held_once():
    laughs: list = ["ha"]
    for _ in range(25):
        laughs = [laughs] * 10

    values = plain_values(pickle.dumps(laughs))

    assert values[0] is values[9]


def test_nesting_without_measure_is_refused():
    deep: list = []
    for _ in range(200):
        deep = [deep]
    with pytest.raises(UnreadablePickleError, match="nested without end"):
        plain_values(pickle.dumps(deep))


def test_a_pickle_that_goes_on_and_on_ends():
    started = time.monotonic()
    with pytest.raises(UnreadablePickleError, match="more than 4,000,000 instructions"):
        plain_values(b"]" + b"N0" * 3_000_000 + b".")
    assert time.monotonic() - started < 60


def test_one_text_cannot_become_many_arrays():
    text = "x" * (1 << 20)
    kind = b"cnumpy\ndtype\nU\x02u1\x85R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    raw = b"X" + len(text).to_bytes(4, "little") + text.encode()
    empty = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
    content = kind + b"q\x000" + raw + b"q\x010" + b"]("
    for _ in range(200):
        content += empty + b"(K\x01(J" + len(text).to_bytes(4, "little") + b"th\x00\x89h\x01tb"
    with pytest.raises(UnreadablePickleError, match="arrays many times larger than the file"):
        plain_values(content + b"e.")


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"\x80\x04", b"not a pickle", b"]" * 10, b"\x80\x05\x8e" + b"\xff" * 8]
)
def test_what_is_no_pickle_is_refused(content):
    with pytest.raises(UnreadablePickleError, match="pickle"):
        plain_values(content)


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_pickle_is_refused_or_read(seed):
    content = bytearray(pickle.dumps(SEQUENCE, protocol=2))
    random = np.random.default_rng(seed)
    for _ in range(3):
        content[random.integers(len(content))] = random.integers(256)
    with contextlib.suppress(UnreadablePickleError):
        plain_values(bytes(content[: random.integers(1, len(content) + 1)]))
