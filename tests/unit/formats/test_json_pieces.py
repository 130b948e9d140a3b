"""JSON entry by entry says what `json.loads` says, whatever the pieces in which the file is read."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cliff_core.errors import FormatError
from cliff_core.formats import json_pieces
from cliff_core.formats.json_pieces import JsonLook, Piece, pieces

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
)


def rebuilt(path):
    """The document that the pieces make up."""
    document = {}
    for key, index, value in pieces(path):
        if index is None:
            document[key] = value
        elif index == -1:
            document[key] = []
        else:
            assert index == len(document[key])
            document[key].append(value)
    return document.get(None, document)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=VALUES, chunk=st.integers(1, 12), indent=st.sampled_from([None, 1]), ascii_only=st.booleans())
def test_the_pieces_make_up_the_document(tmp_path, monkeypatch, document, chunk, indent, ascii_only):
    monkeypatch.setattr(json_pieces, "_CHUNK_BYTES", chunk)
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document, indent=indent, ensure_ascii=ascii_only), encoding="utf-8")

    assert rebuilt(path) == document


def test_lists_of_the_top_object_come_entry_by_entry(tmp_path):
    (tmp_path / "a.json").write_text('{"a": [1, {"b": [2]}], "c": [], "d": {"e": 3}}')

    assert list(pieces(tmp_path / "a.json")) == [
        Piece("a", -1, None),
        Piece("a", 0, 1),
        Piece("a", 1, {"b": [2]}),
        Piece("c", -1, None),
        Piece("d", None, {"e": 3}),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"not valid JSON \(line 1, column 1: Expecting value"),
        (b'{"a": [1, 2', r"line 1, column 12: ',' should stand here"),
        (b'{"a": [1,\n {"b": ', r"line 2, column 8: Expecting value"),
        (b'{"a": [1 2]}', r"column 10: ',' should stand here"),
        (b'{"a": [1]} {}', r"column 12: more text after the end"),
        (b'{"a": [1], "a": [2]}', r"the key 'a' is there twice"),
        (b"{a: 1}", r"column 2: a key in double quotes should stand here"),
        (b'{"a": 1,}', r"column 9: a key in double quotes"),
        (b'["\xff"]', r"not UTF-8 text \(byte 2\)"),
        (b"[" * 100_000, r"nested too deeply"),
        (b'{"a": ' + b"[" * 100_000, r"nested too deeply"),
        (b"[" + b"9" * 5000 + b"]", r"Exceeds the limit"),
        (b'["' + b"x" * (17 << 20) + b'"]', r"an entry of more than 16 MB"),
    ],
)
def test_what_is_no_json_is_refused_with_its_place(tmp_path, content, message):
    (tmp_path / "a.json").write_bytes(content)

    with pytest.raises(FormatError, match=rf"a\.json: .*{message}"):
        list(pieces(tmp_path / "a.json"))


def test_what_comes_before_the_damage_is_given(tmp_path):
    (tmp_path / "a.json").write_text('[{"id": 1}, {"id": 2}, {"id"')
    found = []

    with pytest.raises(FormatError):
        found.extend(piece.value for piece in pieces(tmp_path / "a.json"))

    assert found == [None, {"id": 1}, {"id": 2}]


def test_a_look_reads_no_further_than_it_must(tmp_path):
    (tmp_path / "a.json").write_text('{"images": [1, 2, 3, 4, 5, 6], "annotations": [7, 8, 9, 10, 11], "then": broken')
    look = JsonLook(tmp_path / "a.json")

    assert look.has("images", "annotations")
    assert look.first("images") == [1, 2, 3, 4]
    assert look.first("annotations") == [7, 8, 9, 10]
    with pytest.raises(FormatError, match="Expecting value"):
        look.has("categories")


def test_a_look_at_a_list_or_at_a_short_object(tmp_path):
    (tmp_path / "list.json").write_text('[{"image": "a.jpg"}]')
    (tmp_path / "object.json").write_text('{"people": [], "version": 1.3}')

    assert not JsonLook(tmp_path / "list.json").has("images")
    look = JsonLook(tmp_path / "list.json")
    assert not look.has("images", "annotations")
    assert look.first("people") == []
    assert look.first(None) == [{"image": "a.jpg"}]
    assert JsonLook(tmp_path / "object.json").has("people")
    assert JsonLook(tmp_path / "object.json").first("people") == []
    assert JsonLook(tmp_path / "object.json").first(None) == []
