"""Streams of work: order, bounded memory, errors, and nothing left running."""

import threading
import time

import pytest

from cliff_core.execution.streams import available_cores, in_handfuls, map_in_order, torch_threads


def test_results_come_in_the_order_of_the_pieces_whoever_is_faster():
    def slow_at_first(number):
        time.sleep(0.03 if number == 0 else 0.001)
        return number * 10

    assert list(map_in_order(slow_at_first, range(20), workers=4)) == [number * 10 for number in range(20)]


def test_only_so_many_pieces_are_taken_as_results_are_asked_for():
    taken = []

    def pieces():
        for number in range(1000):
            taken.append(number)
            yield number

    results = map_in_order(lambda number: number, pieces(), workers=2)
    assert [next(results), next(results)] == [0, 1]
    assert len(taken) <= 5
    results.close()


def test_workers_run_at_the_same_time():
    meeting = threading.Barrier(2, timeout=10)
    assert list(map_in_order(lambda _: meeting.wait() >= 0, range(4), workers=2)) == [True] * 4


def test_an_error_of_a_piece_reaches_the_caller_and_stops_the_stream():
    def fails_at_three(number):
        if number == 3:
            raise ValueError("piece 3")
        return number

    results = map_in_order(fails_at_three, range(100), workers=2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="piece 3"):
        list(results)


def test_torch_threads_are_as_before_after_the_block():
    import torch

    before = torch.get_num_threads()
    with torch_threads(1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
    assert available_cores() >= 1


def test_others_go_on_while_one_piece_is_slow():
    released = threading.Event()
    done = []

    def work(number):
        if number == 0:
            assert released.wait(timeout=10)
        done.append(number)
        if number == 6:
            released.set()

    assert len(list(map_in_order(work, range(12), workers=2, ahead=8))) == 12
    assert done.index(6) < done.index(0)


def test_when_it_is_closed_early_no_worker_runs_any_more():
    done = []

    def work(number):
        time.sleep(0.01)
        done.append(number)

    results = map_in_order(work, range(1000), workers=2, ahead=4)
    next(results)
    results.close()
    finished = len(done)
    time.sleep(0.05)
    assert len(done) == finished < 10


@pytest.mark.parametrize(
    ("weights", "handfuls"),
    [
        ([1, 1, 1, 1, 1, 1, 1], [[1, 1, 1], [1, 1, 1], [1]]),
        ([4, 5, 2, 20, 1, 1], [[4, 5], [2], [20], [1, 1]]),
        ([0, 0, 30], [[0, 0], [30]]),
        ([], []),
    ],
)
def test_handfuls_are_neighbours_that_are_few_and_light_together(weights, handfuls):
    assert list(in_handfuls(weights, most=3, heaviest=10, weight=float)) == handfuls
