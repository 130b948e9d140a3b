"""Several edits as one, and what all edits of a person have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from annotator.project.draft import Command, Draft
from annotator.project.fields import PERSON


@dataclass(frozen=True, slots=True)
class Together:
    """Edits that belong together: a point that was dragged, and the body that followed it.

    Attributes:
        label: for the menu.
        commands: in this order.
        name: for the journal.
    """

    label: str
    commands: tuple[Command, ...]
    name: str = "Together"

    def write(self, draft: Draft) -> None:
        """Write all of them."""
        for command in self.commands:
            command.write(draft)


def touch(draft: Draft, person_id: int) -> None:
    """Note that a hand is on a person: no longer only proposed, and no longer what the reviewer accepted."""
    own = draft.own(PERSON, person_id)
    values: dict[str, Any] = {} if own.get("state") else {"state": "in progress"}
    if (own.get("review") or {}).get("verdict") == "accepted":
        values["review"] = None
    draft.set_person(person_id, values)
