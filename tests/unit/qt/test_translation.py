"""Every text of the window can be translated, and Chinese is provided for all of them."""

import ast
import json
import re
from pathlib import Path

from PySide6.QtCore import QCoreApplication

from annotator.qt.action_list import ACTIONS, MENUS
from annotator.qt.strings import load_catalogue, tr
from cliff_core.resources import resource_path


def texts(repository: Path) -> set[str]:
    """What is given to `tr` anywhere in the window, and the words of all actions."""
    found = set(MENUS) | {spec.text for spec in ACTIONS} | {spec.tip for spec in ACTIONS if spec.tip}
    for path in (repository / "annotator" / "qt").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            first = node.args[0]
            if name == "tr" and isinstance(first, ast.Constant) and isinstance(first.value, str):
                found.add(first.value)
    return found


def catalogue() -> dict[str, str]:
    return json.loads(resource_path("i18n", "zh_CN.json").read_text("utf-8"))


def test_every_text_has_a_chinese_one(repository):
    missing = sorted(texts(repository) - catalogue().keys())
    assert not missing


def test_translations_have_the_same_places_for_values():
    def places(text: str) -> list[str]:
        return sorted(re.findall(r"\{[^}]*\}", text))

    assert not [text for text, translated in catalogue().items() if places(text) != places(translated)]


def test_the_catalogue_is_used_once_it_is_installed(qapp):
    chinese = load_catalogue("zh_CN")
    assert chinese is not None
    QCoreApplication.installTranslator(chinese)
    try:
        assert tr("Undo") == "撤销"
        assert tr("{count} days ago", count=3) == "3 天前"
        assert tr("no such text") == "no such text"
    finally:
        QCoreApplication.removeTranslator(chinese)


def test_english_needs_no_catalogue():
    assert load_catalogue("en") is None
