"""Rows on disk read as rows in memory do, and what a computation remembers outlives it or is not believed."""

import numpy as np
import pytest
import torch

from cliff_core.execution.rows import RowFile, RowsInMemory, Workspace


@pytest.mark.parametrize("where", ["file", "memory"])
def test_rows_are_those_that_were_written(tmp_path, where):
    values = torch.randn(50, 3, 4)
    rows = RowFile(tmp_path / "some.rows", [3, 4]) if where == "file" else RowsInMemory(50, [3, 4])
    rows.write(0, values[:20])
    rows.write(20, values[20:])
    chosen = torch.randperm(50)[:17]
    mask = torch.arange(50) % 3 == 0
    assert len(rows) == 50
    for which in (chosen, mask, slice(5, 9), np.array([4, 4, 3]), torch.arange(0)):
        assert torch.equal(rows[which], values[which])
    rows.close()


def test_a_file_that_is_too_short_is_named(tmp_path):
    rows = RowFile(tmp_path / "some.rows", [3])
    rows.write(0, torch.zeros(5, 3))
    with pytest.raises(OSError, match=r"some\.rows: ends before row 5"):
        rows[np.array([4, 5])]
    rows.close()


def test_others_may_open_the_same_rows(tmp_path):
    one, other = (RowFile(tmp_path / "some.rows", [88], "float64") for _ in range(2))
    values = torch.randn(7, 88, dtype=torch.float64)
    one.write(0, values)
    assert torch.equal(other[slice(2, 5)], values[2:5])
    one.close()
    other.close()


def test_a_state_is_remembered_whole_or_not_at_all(tmp_path):
    work = Workspace(tmp_path, seconds_between=0.0)
    assert work.is_time
    assert work.recall("round") == {}
    work.remember("round", {"key": "a", "weights": [torch.ones(3)], "kept": None})
    again = Workspace(tmp_path).recall("round")
    assert (again["key"], again["kept"]) == ("a", None)
    assert torch.equal(again["weights"][0], torch.ones(3))
    content = (tmp_path / "round.state").read_bytes()
    for length in (0, 10, len(content) // 2):
        (tmp_path / "round.state").write_bytes(content[:length])
        assert Workspace(tmp_path).recall("round") == {}


def test_in_memory_nothing_is_remembered():
    work = Workspace(seconds_between=0.0)
    work.remember("round", {"key": "a"})
    assert not work.is_time
    assert work.recall("round") == {}
