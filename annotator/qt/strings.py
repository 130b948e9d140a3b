"""The words on the screen: English in the code, other languages as catalogues in `resources/i18n`."""

from __future__ import annotations

import json
import re
from typing import Any

from PySide6.QtCore import QCoreApplication, QLocale, QTranslator

from cliff_core.errors import ResourceError
from cliff_core.resources import resource_path

LANGUAGES = {"": "System", "en": "English", "zh_CN": "简体中文"}
"""Codes that the settings know, and what each calls itself."""

_CONTEXT = "annotator"
_REMEMBERED = 2000


SAID = (
    "Move {what}",
    "Turn {what}",
    "Show {what}",
    "Hide {what}",
    "Remove {what}",
    "Paste {what}",
    "Depth of {limb}",
    "Mark as {what}",
    "Import {file}",
    "Merge {file}",
    "Split among {names}",
    "rejected: {reason}",
    "only {seen} of {all} points are known",
    "its {joint} bends beyond what joints do",
    "its body is {mm} mm inside itself",
    "the last runs disagree by {angle}° per joint",
    "{count} more like it wait",
    "an error of about {mm} mm is expected",
    "{count} people were corrected since the last refinement: refine now, the others learn from them.",
    "Nobody left is expected to be off by more than {mm} mm: the rest can be accepted unseen.",
    "{count} people have no body yet: propose predicts them.",
    "{count} people are expected to be off by more than {mm} mm: look at these first.",
    "Correct {count} more people before the next refinement.",
    "{px} px out of reach",
    "{moved} mm · {missed} mm out of reach",
    "writing {format}",
    "reading {file}, {count} people",
    "it ended without a word; resume takes it up again",
    "it ended without a word, after: {last}; resume takes it up again",
)
"""What other packages say with values in it already: names of steps in the history, reasons, progress of jobs.

They are kept in English, in the journal too, and found by these when they are shown.
"""


def tr(text: str, **values: Any) -> str:
    """A text in the person's language; `{name}` in it stands for a value.

    The English text is the key; it is written out where it is used, so that a tool can collect all of them.
    """
    translated = QCoreApplication.translate(_CONTEXT, text)
    return translated.format(**values) if values else translated


class Catalogue(QTranslator):
    """English to another language, from a JSON object of texts.

    Args:
        texts: English -> translation.
    """

    def __init__(self, texts: dict[str, str]):
        super().__init__()
        self._texts = texts
        self._templates = [(_pattern(said), texts[said]) for said in SAID if said in texts]
        self._found: dict[str, str] = {}

    def isEmpty(self) -> bool:
        """Whether nothing is translated."""
        return not self._texts

    def translate(self, context: str, source: str, disambiguation: str | None = None, n: int = -1) -> str:
        """The translation, or the text itself where there is none."""
        found = self._texts.get(source)
        if found is not None or context != _CONTEXT:
            return source if found is None else found
        return self._said(source)

    def _said(self, text: str) -> str:
        """A text with values in it, by its template; several reasons one by one."""
        known = self._found.get(text)
        if known is None:
            known = self._by_template(text)
            if known is None and "; " in text:
                parts = text.split("; ")
                found = [self._texts.get(part) or self._by_template(part) for part in parts]
                if any(found):
                    known = "；".join(new or old for new, old in zip(found, parts, strict=True))
            if len(self._found) > _REMEMBERED:
                self._found.clear()
            self._found[text] = known = text if known is None else known
        return known

    def _by_template(self, text: str) -> str | None:
        for pattern, template in self._templates:
            match = pattern.fullmatch(text)
            if match is not None:
                values = {name: self._texts.get(value, value) for name, value in match.groupdict().items()}
                return template.format(**values)
        return None


def _pattern(template: str) -> re.Pattern[str]:
    """What a template becomes with any values in it."""
    parts = re.split(r"\{(\w+)\}", template)
    literal = (re.escape(part) if number % 2 == 0 else f"(?P<{part}>[^;]+?)" for number, part in enumerate(parts))
    return re.compile("".join(literal))


def load_catalogue(language: str) -> Catalogue | None:
    """The catalogue of a language; `None` for English and for languages without one.

    Args:
        language: a key of `LANGUAGES`; the system's language if empty.
    """
    code = language or QLocale.system().name()
    if code.startswith("zh"):
        code = "zh_CN"
    try:
        texts = json.loads(resource_path("i18n", f"{code}.json").read_text(encoding="utf-8"))
    except ResourceError:
        return None
    return Catalogue(texts)
