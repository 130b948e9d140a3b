"""The fields of photos, people and comments: what an edit can set, and how each value is written down.

A field is the smallest thing that somebody sets: one 2D point, one rotation, one shape number, the box, a state. Its
value is plain JSON, so that the journal can be read by hand; numbers are written with as many digits as bring the same
float64 back. Where somebody set it, the value ends with who: `model`, `fit`, `human` or `imported`.

    person   present            true; without it the person is not there (removed, or its creation undone)
             rank               number by which people of a photo are sorted
             state              "in progress" or "done"; without it "proposed"
             review             {"verdict": "accepted" | "rejected", "reason": text}
             gender             "neutral", "male", "female"
             box                [left, top, right, bottom, score, source], pixels
             points/SET/NAME    [x, y, visibility, confidence, source], pixels
             pose/JOINT         [x, y, z, source], axis-angle relative to the parent joint, radians
             betas/N            [value, source]
             transl             [x, y, z, source], metres, camera frame
             from/box, from/body, from/points/SET    number of the prediction that holds what is not set above
    photo    camera             [focal length, centre x or null, centre y or null, source], pixels
             empty              true: a person looked and nobody is there
             excluded           true: not part of the work
             assigned           names of those who label it, with commas between; the first one's word counts
    comment  present, text, resolved (true), place {"person": uid, "point_px": [x, y], "point": name}; all optional

No field is the same as the value `None`. A point with visibility 0 and a source says that somebody took it away, which
is more than nothing: no model puts it back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from annotator.project.errors import EditError
from cliff_core.body.files import GENDERS
from cliff_core.records import Provenance
from cliff_core.skeletons import JOINT_SETS, SMPL24

PHOTO, PERSON, COMMENT = "photo", "person", "comment"
STATES = ("proposed", "in progress", "done")
VERDICTS = ("accepted", "rejected")
BETAS = 10

FROM = "from/"
"""Begins the fields that point to a prediction."""

_SOURCES = frozenset(source.value for source in Provenance)
_LARGEST = 1e9


def checked(kind: str, field: str, value: Any) -> Any:
    """A value as it is stored.

    Args:
        kind: `PHOTO`, `PERSON` or `COMMENT`.
        field: its name.
        value: what to set; `None` to unset.

    Raises:
        EditError: no such field, or a value that it cannot have.
    """
    head, _, rest = field.partition("/")
    check = _CHECKS[kind].get(head) if kind in _CHECKS else None
    if check is None:
        raise EditError(f"a {kind} has no field '{field}'")
    try:
        normal = check(rest, value)
        json.dumps(normal, ensure_ascii=False).encode("utf-8")  # half a character cannot be stored
    except (TypeError, ValueError, KeyError, IndexError, OverflowError, AttributeError) as error:
        raise EditError(f"{kind}: {value!r} is no value of '{field}' ({error})") from error
    return normal


def source_of(value: Any) -> Provenance | None:
    """Who set a value; `None` for values that do not say (states, texts, pointers)."""
    if isinstance(value, list) and value and isinstance(value[-1], str) and value[-1] in _SOURCES:
        return Provenance(value[-1])
    return None


def is_by_hand(field: str, value: Any) -> bool:
    """Whether a field holds a person's decision."""
    if value is None:
        return False
    return source_of(value) is Provenance.HUMAN or field in ("state", "review", "empty", "excluded")


def point(joint_set: str, name: str) -> str:
    """Field of a 2D point."""
    return f"points/{joint_set}/{name}"


def joint(name: str) -> str:
    """Field of a joint's rotation."""
    return f"pose/{name}"


def beta(number: int) -> str:
    """Field of a shape number."""
    return f"betas/{number}"


def _numbers(values: Any, count: int) -> list[float]:
    numbers = [float(value) + 0.0 for value in values]  # no minus zero: it equals zero and is written differently
    if len(numbers) != count:
        raise ValueError(f"{len(numbers)} numbers instead of {count}")
    if not all(abs(number) < _LARGEST for number in numbers):  # NaN fails too
        raise ValueError("not finite")
    return numbers


def _with_source(value: Any, count: int) -> list:
    *numbers, source = value
    return [*_numbers(numbers, count), Provenance(source).value]


def _no_rest(rest: str) -> None:
    if rest:
        raise ValueError(f"nothing below it is named '{rest}'")


def _flag(rest: str, value: Any) -> bool | None:
    _no_rest(rest)
    if value not in (None, True, False):
        raise ValueError("true or nothing")
    return True if value else None


def _text(rest: str, value: Any) -> str | None:
    _no_rest(rest)
    if value is not None and not isinstance(value, str):
        raise TypeError("a text")
    return value or None


def _rank(rest: str, value: Any) -> float | None:
    _no_rest(rest)
    return None if value is None else _numbers([value], 1)[0]


def _state(rest: str, value: Any) -> str | None:
    _no_rest(rest)
    if value is not None and value not in STATES:
        raise ValueError(f"one of {', '.join(STATES)}")
    return None if value == STATES[0] else value


def _review(rest: str, value: Any) -> dict | None:
    _no_rest(rest)
    if value is None:
        return None
    verdict, reason = value["verdict"], str(value.get("reason") or "").strip()
    if verdict not in VERDICTS:
        raise ValueError(f"a verdict is one of {', '.join(VERDICTS)}")
    if verdict == "rejected" and not reason:
        raise ValueError("a rejection says why")
    return {"reason": reason, "verdict": verdict}


def _names(rest: str, value: Any) -> str | None:
    text = _text(rest, value)
    if text is not None and not all(name and name == name.strip() for name in text.split(",")):
        raise ValueError("names with commas between")
    return text


def _gender(rest: str, value: Any) -> str | None:
    _no_rest(rest)
    if value is not None and value not in GENDERS:
        raise ValueError(f"one of {', '.join(GENDERS)}")
    return value


def _box(rest: str, value: Any) -> list | None:
    _no_rest(rest)
    if value is None:
        return None
    left, top, right, bottom, score, source = _with_source(value, 5)
    if not (right > left and bottom > top):
        raise ValueError("a box needs width and height")
    return [left, top, right, bottom, score, source]


def _point(rest: str, value: Any) -> list | None:
    joint_set, _, name = rest.partition("/")
    if name not in JOINT_SETS[joint_set].names:
        raise KeyError(f"{joint_set} has no point '{name}'")
    if value is None:
        return None
    x, y, visibility, confidence, source = value
    if visibility not in (0, 1, 2):
        raise ValueError("visibility is 0, 1 or 2")
    if not visibility:
        return [0.0, 0.0, 0, 0.0, Provenance(source).value]
    x, y, confidence = _numbers([x, y, confidence], 3)
    return [x, y, int(visibility), confidence, Provenance(source).value]


def _pose(rest: str, value: Any) -> list | None:
    if rest not in SMPL24.names:
        raise KeyError(f"no joint '{rest}'")
    return None if value is None else _with_source(value, 3)


def _beta(rest: str, value: Any) -> list | None:
    if rest not in {str(number) for number in range(BETAS)}:
        raise KeyError(f"shape numbers are 0 to {BETAS - 1}")
    return None if value is None else _with_source(value, 1)


def _transl(rest: str, value: Any) -> list | None:
    _no_rest(rest)
    return None if value is None else _with_source(value, 3)


def _pointer(rest: str, value: Any) -> int | None:
    part, _, joint_set = rest.partition("/")
    if part not in ("box", "body", "points") or (part == "points") != (joint_set in JOINT_SETS):
        raise KeyError(f"nothing to take '{rest}' from")
    if value is not None and (isinstance(value, bool) or int(value) != value or not 0 < value < 1 << 60):
        raise ValueError("the number of a prediction")
    return None if value is None else int(value)


def _camera(rest: str, value: Any) -> list | None:
    _no_rest(rest)
    if value is None:
        return None
    focal, x, y, source = value
    (focal,) = _numbers([focal], 1)
    if focal <= 0:
        raise ValueError("a focal length is positive")
    if x is None or y is None:
        return [focal, None, None, Provenance(source).value]
    return [focal, *_numbers([x, y], 2), Provenance(source).value]


def _place(rest: str, value: Any) -> dict | None:
    _no_rest(rest)
    if not value:
        return None
    if not isinstance(value, Mapping) or set(value) - {"person", "point_px", "point"}:
        raise ValueError("person, point_px and point make a place")
    place: dict[str, Any] = {key: str(value[key]) for key in ("person", "point") if value.get(key) is not None}
    if value.get("point_px") is not None:
        place["point_px"] = _numbers(value["point_px"], 2)
    return dict(sorted(place.items())) or None


_CHECKS: dict[str, dict[str, Callable[[str, Any], Any]]] = {
    PHOTO: {"camera": _camera, "empty": _flag, "excluded": _flag, "assigned": _names},
    PERSON: {
        "present": _flag,
        "rank": _rank,
        "state": _state,
        "review": _review,
        "gender": _gender,
        "box": _box,
        "points": _point,
        "pose": _pose,
        "betas": _beta,
        "transl": _transl,
        "from": _pointer,
    },
    COMMENT: {"present": _flag, "text": _text, "resolved": _flag, "place": _place},
}
