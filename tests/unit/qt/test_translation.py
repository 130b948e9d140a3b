"""Every text of the window can be translated, and Chinese is provided for all of them."""

import ast
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QCoreApplication

import annotator.commands
from annotator import edits
from annotator.commands import MovePoint, RemovePoint, Review, SetPoints, SetState, SetVisibility
from annotator.project.fields import STATES, VERDICTS
from annotator.qt.action_list import ACTIONS, MENUS
from annotator.qt.strings import SAID, load_catalogue, tr
from cliff_core.fitting.editing import LIMBS
from cliff_core.fitting.self_contact import PARTS
from cliff_core.fitting.shape_axes import SHAPE_AXES
from cliff_core.records import Keypoints
from cliff_core.resources import resource_path
from cliff_core.skeletons import JOINT_SETS


def texts(repository: Path) -> set[str]:
    """What is given to `tr` anywhere in the window, and the words of all actions."""
    found = set(SAID) | set(MENUS) | {spec.text for spec in ACTIONS} | {spec.tip for spec in ACTIONS if spec.tip}
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


@pytest.fixture
def chinese(qapp):
    catalogue = load_catalogue("zh_CN")
    QCoreApplication.installTranslator(catalogue)
    yield
    QCoreApplication.removeTranslator(catalogue)


@pytest.mark.parametrize(
    ("english", "shown"),
    [
        ("Move left wrist", "移动左腕"),
        ("Turn right knee", "旋转右膝"),
        ("Mark as done", "标记为完成"),
        ("Depth of left arm", "左臂的深度"),
        ("Import keypoints.json", "导入 keypoints.json"),
        ("rejected: Points are off", "未通过：点有偏差"),
        ("an error of about 81 mm is expected; its points are a detector's", "预计误差约 81 毫米；其点来自检测器"),
        ("its left knee bends beyond what joints do", "左膝的弯曲超出关节范围"),
        ("12 px out of reach", "还差 12 像素够不到"),
        ("rejected: her own words; and more", "未通过：her own words；and more"),
        ("holiday; beach.jpg", "holiday; beach.jpg"),
    ],
)
def test_what_other_packages_say_is_found_by_its_template(chinese, english, shown):
    assert tr(english) == shown


def commands() -> list[str]:
    """Labels of every kind of edit."""
    found = []
    for path in (Path(annotator.commands.__file__).parent).glob("*.py"):
        found += re.findall(r'label: str = (?:field\(default=)?"([^"]+)"', path.read_text("utf-8"))
    keypoints = Keypoints.uniform("coco17", np.zeros((17, 2)), np.full(17, 2))
    made = [
        SetVisibility(1, "coco17", "left_knee", 1),
        SetVisibility(1, "coco17", "left_knee", 2),
        RemovePoint(1, "coco17", "nose"),
        MovePoint(1, "coco17", "right_ear", (0.0, 0.0)),
        SetPoints(1, keypoints),
        *(SetState(1, state) for state in STATES),
        *(Review(1, verdict, "it is") for verdict in (*VERDICTS, None)),
    ]
    said = [edits.SHARED_SHAPE, "Fit body to points", "Mirror pose", "Paste pose", "Paste left arm", "Turn left hip"]
    return [*found, *(each.label for each in made), *said, "Pose of previous photo", "Depth of right leg"]


def test_every_step_of_the_history_has_chinese_words(chinese):
    english = [label for label in commands() if re.search("[A-Za-z]", tr(label))]
    assert not english


def test_every_point_joint_and_part_has_a_chinese_name(chinese):
    names = {name for joint_set in ("coco17", "coco23", "smpl24") for name in JOINT_SETS[joint_set].names}
    words = [name.replace("_", " ") for name in (*names, *PARTS, *LIMBS)]
    assert not [word for word in (*words, *(axis.label for axis in SHAPE_AXES)) if tr(word) == word]
