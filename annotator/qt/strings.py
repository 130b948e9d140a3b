"""The words on the screen: English in the code, other languages as catalogues in `resources/i18n`."""

from __future__ import annotations

import json
from typing import Any

from PySide6.QtCore import QCoreApplication, QLocale, QTranslator

from cliff_core.errors import ResourceError
from cliff_core.resources import resource_path

LANGUAGES = {"": "System", "en": "English", "zh_CN": "简体中文"}
"""Codes that the settings know, and what each calls itself."""

_CONTEXT = "annotator"


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

    def isEmpty(self) -> bool:
        """Whether nothing is translated."""
        return not self._texts

    def translate(self, context: str, source: str, disambiguation: str | None = None, n: int = -1) -> str:
        """The translation, or the text itself where there is none."""
        return self._texts.get(source, source)


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
