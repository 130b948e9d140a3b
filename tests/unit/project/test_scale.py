"""Large projects: look-ups come from indexes, files are read in bounded memory, the benchmark measures what it says."""

import pytest

from annotator.bench_store import StoreSettings, measure_store
from annotator.commands import AddComment, AddPerson, Exclude, MarkEmpty, MovePoint, RemovePerson, Review, SetState
from annotator.project.queries import (
    _CONDITIONS,
    Show,
    View,
    neighbour,
    photo_ids,
    photo_page,
    progress_of,
    worst_first,
)
from cliff_core.records import Box

SMALL = StoreSettings(photos=100, edits=20, lookups=3, openings=1, large_json_edits=1)


@pytest.fixture
def working(project, make_prediction, model_run):
    """Three photos: somebody done and somebody rejected, somebody just proposed, nobody."""
    with project.batch("Propose", model_run()) as batch:
        for photo, seed in ((1, 0), (1, 1), (2, 2)):
            batch.add_person(photo, make_prediction(seed))
    project.edit(SetState(1, "done"))
    project.edit(Review(2, "rejected", "knee"))
    return project


@pytest.mark.parametrize(
    ("show", "expected"),
    [
        (Show.ALL, [1, 2, 3]),
        (Show.UNFINISHED, [1, 2]),
        (Show.DONE, []),
        (Show.EDITED, [1]),
        (Show.REJECTED, [1]),
        (Show.ACCEPTED, []),
        (Show.NOBODY, [3]),
        (Show.COMMENTED, []),
    ],
)
def test_a_view_shows_what_it_says(working, show, expected):
    assert photo_ids(working.database, View(show)) == expected


def test_views_follow_the_work(working):
    working.edit(SetState(2, "done"))
    working.edit(AddComment(2, "look"))
    working.edit(MarkEmpty(3))
    assert photo_ids(working.database, View(Show.DONE)) == [1, 3]
    assert photo_ids(working.database, View(Show.COMMENTED)) == [2]
    working.edit(Exclude(1))
    assert photo_ids(working.database, View(Show.DONE)) == [3]
    assert progress_of(working.database).photos == 2


def test_next_and_previous_go_through_a_view(working):
    name = "photo0.png"
    assert neighbour(working.database, View(), name).name == "photo1.png"
    assert neighbour(working.database, View(Show.NOBODY), name).name == "photo2.png"
    assert neighbour(working.database, View(), name, backwards=True) is None
    assert neighbour(working.database, View(Show.REJECTED), name) is None


def test_a_search_takes_signs_for_what_they_are(working):
    assert [photo.id for photo in photo_page(working.database, View(containing="PHOTO1"))] == [2]
    assert photo_page(working.database, View(containing="photo_")) == []
    assert photo_page(working.database, View(containing="%")) == []


def test_progress_counts_people_by_both_words(working):
    found = progress_of(working.database)
    assert (found.photos, found.people, found.done, found.rejected, found.edited) == (3, 3, 1, 1, 2)
    working.edit(RemovePerson(1))
    working.edit(AddPerson(3, Box(1, 1, 2, 2)))
    found = progress_of(working.database)
    assert (found.people, found.done, found.in_progress) == (3, 0, 1)


def test_the_worst_come_first(working):
    working.set_measures("suspicion", {1: 0.9, 2: 0.5, 3: 0.7})
    assert [row[1] for row in worst_first(working.database, "suspicion")] == [3, 2]  # 1 is done
    assert [row[1] for row in worst_first(working.database, "suspicion", below=(0.7, 3))] == [2]
    everybody = ("proposed", "in progress", "done")
    assert [row[1] for row in worst_first(working.database, "suspicion", states=everybody)] == [1, 3, 2]


@pytest.mark.parametrize("show", [show for show in Show if show not in (Show.DONE, Show.COMMENTED)])
@pytest.mark.parametrize("backwards", ["ASC", "DESC"])
def test_neighbours_come_from_an_index_and_not_from_a_walk(project, show, backwards):
    compare = ">" if backwards == "ASC" else "<"
    plan = project.database.rows(
        f"EXPLAIN QUERY PLAN SELECT id, name, own FROM photo WHERE {_CONDITIONS[show]} AND name {compare} 'x' "
        f"ORDER BY name {backwards} LIMIT 1"
    )
    text = " ".join(row[3] for row in plan)
    assert "USING INDEX" in text
    assert "TEMP B-TREE" not in text


def test_an_edit_asks_the_database_nothing_that_grows_with_the_project(project, person, make_prediction, model_run):
    """The statements of one edit are the same with one person and with hundreds."""

    def statements() -> int:
        seen: list[str] = []
        project.database._connection.set_trace_callback(seen.append)
        project.edit(MovePoint(person, "coco17", "nose", (len(seen), project.journal.last_seq())))
        project.database._connection.set_trace_callback(None)
        return len([text for text in seen if "mirror" not in text])

    statements()  # the first also says that somebody is at it
    before = statements()
    with project.batch("Propose", model_run("open-cliff 2")) as batch:
        for number in range(400):
            batch.add_person(2, make_prediction(number % 5))
    assert statements() == before


def test_the_benchmark_measures_everything_it_promises(tmp_path):
    numbers = measure_store(tmp_path, SMALL, 0, lambda done, total, text: None)
    assert {"open_s", "edit_ms", "import_mb", "bulk_people_per_s", "open_json_s", "edit_large_ms"} <= set(
        numbers.values
    )
    assert all(value > 0 for value in numbers.values.values())
    for word in ("open", "durable edit", "look-up", "import of COCO", "bulk run", "times"):
        assert word in numbers.summary


@pytest.mark.slow
def test_importing_takes_no_more_memory_for_ten_times_the_people(tmp_path):
    memory = []
    for photos in (2_000, 20_000):
        settings = StoreSettings(photos=photos, edits=1, lookups=1, openings=1, large_json_edits=1)
        numbers = measure_store(tmp_path / str(photos), settings, 0, lambda done, total, text: None)
        memory.append(numbers.values["import_mb"])
    # the table of photos grows, people do not stay: 18,000 more photos and 36,000 more people
    assert memory[1] - memory[0] < 36_000 * 2e-3
