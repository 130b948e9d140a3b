"""The cache of features: what is put in comes out, it keeps its bound, and damage costs only time."""

import numpy as np

from cliff_core.execution.array_cache import ArrayCache


def test_what_was_put_in_comes_out_in_another_session(tmp_path):
    values = {f"k{n}": np.arange(4, dtype=np.float32) + n for n in range(1200)}
    with ArrayCache(tmp_path / "deep" / "cache", 1 << 20) as cache:
        cache.put(values)
    with ArrayCache(tmp_path / "deep" / "cache", 1 << 20) as cache:
        found = cache.get([*values, "never"])
    assert found.keys() == values.keys()
    assert all(np.array_equal(found[key], values[key]) for key in values)


def test_what_was_not_used_for_longest_goes_first(tmp_path):
    with ArrayCache(tmp_path / "cache", 3 * 40) as cache:
        for number in range(4):
            cache.put({f"k{number}": np.zeros(10, np.float32)})
        cache.get(["k0"])
        cache.trim()
        assert cache.get(["k0", "k1", "k2", "k3"]).keys() == {"k0", "k2", "k3"}


def test_a_damaged_cache_is_begun_anew(tmp_path):
    (tmp_path / "cache").write_bytes(b"no database" * 100)
    with ArrayCache(tmp_path / "cache", 1 << 20) as cache:
        assert cache.get(["k"]) == {}
        cache.put({"k": np.ones(2, np.float32)})
        assert cache.get(["k"])["k"].tolist() == [1.0, 1.0]
