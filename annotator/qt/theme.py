"""How the window looks: colours by role in a dark and a light version, one set of sizes, one style sheet.

The roles and their dark values are those of `cliff_core.rendering.theme`, which draws the pictures; sizes are in Qt's
logical pixels, so a screen at 125 to 200 % scales all of them alike.
"""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QColor, QFont, QPalette
from PySide6.QtWidgets import QApplication

from cliff_core.rendering import theme as pictures
from cliff_core.resources import resource_path

GRID = 8
TEXT_SIZE = 13
ICON_SIZE = 20
ROW_HEIGHT = 28


def _hex(rgb: tuple[int, int, int]) -> str:
    return "#{:02X}{:02X}{:02X}".format(*rgb)


LEFT, RIGHT, MIDDLE = _hex(pictures.LEFT), _hex(pictures.RIGHT), _hex(pictures.MIDDLE)
"""Limbs: blue and orange are told apart by all kinds of colour vision; the same in pictures and exports."""


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours by what they are for, as #RRGGBB.

    Attributes:
        name: "dark" or "light".
        background: behind photos.
        floor, fine_grid, grid, shadow: what a body stands on in the side view.
        panel: behind controls.
        raised: of buttons and fields on a panel.
        hover: of what the pointer is on.
        hairline: between things.
        text, quiet_text: words, and words that step back.
        accent: what is active or comes next.
        on_accent: words on it.
        selection: behind chosen rows.
        good, warning, bad: of states, always beside a shape or a word.
    """

    name: str
    background: str
    floor: str
    fine_grid: str
    grid: str
    shadow: str
    panel: str
    raised: str
    hover: str
    hairline: str
    text: str
    quiet_text: str
    accent: str
    on_accent: str
    selection: str
    good: str
    warning: str
    bad: str


DARK = Theme(
    name="dark",
    background=_hex(pictures.BACKGROUND),
    floor="#252629",
    fine_grid="#2C2D30",
    grid=_hex(pictures.HAIRLINE),
    shadow="#1A1918",
    panel=_hex(pictures.PANEL),
    raised="#393B40",
    hover="#43464C",
    hairline=_hex(pictures.HAIRLINE),
    text=_hex(pictures.TEXT),
    quiet_text=_hex(pictures.QUIET_TEXT),
    accent=_hex(pictures.ACCENT),
    on_accent="#0B1A2E",
    selection="#2E436E",
    good="#3FB68B",
    warning="#E8B34B",
    bad="#F0776C",
)
LIGHT = Theme(
    name="light",
    background="#E4E6EA",
    floor="#DADDE3",
    fine_grid="#CFD3DA",
    grid="#B3B9C3",
    shadow="#B9BEC7",
    panel="#F7F8FA",
    raised="#FFFFFF",
    hover="#E6EAF0",
    hairline="#CDD1D8",
    text="#1E1F22",
    quiet_text="#5A5D66",
    accent="#1F6FD6",
    on_accent="#FFFFFF",
    selection="#CFE1FB",
    good="#0B7A57",
    warning="#8A5A00",
    bad="#B3332A",
)
THEMES = {theme.name: theme for theme in (DARK, LIGHT)}

_current = DARK


class _Watch(QObject):
    """Tells those who compose pictures by hand.

    Signals:
        changed: another theme is in use.
    """

    changed = Signal()


watch = _Watch()
"""Its signal, and not an event of the widgets, which come while the program ends too."""


def current() -> Theme:
    """The theme in use."""
    return _current


def rgb(role: str) -> tuple[int, int, int]:
    """A colour of the theme in use, for pictures that are composed by hand.

    Args:
        role: field of `Theme`.
    """
    colour = getattr(_current, role)
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def apply_theme(app: QApplication, name: str) -> Theme:
    """Use a theme for the whole program; `watch` tells of it."""
    global _current
    _current = THEMES.get(name, DARK)
    app.setStyle("Fusion")
    font = QFont(app.font())
    font.setPixelSize(TEXT_SIZE)
    app.setFont(font)
    app.setPalette(_palette(_current))
    app.setStyleSheet(style_sheet(_current))
    watch.changed.emit()
    return _current


def _palette(theme: Theme) -> QPalette:
    """For what style sheets do not reach: item views, tool tips, disabled text."""
    palette = QPalette()
    role = QPalette.ColorRole
    for place, colour in (
        (role.Window, theme.panel),
        (role.Base, theme.panel),
        (role.AlternateBase, theme.raised),
        (role.Button, theme.raised),
        (role.WindowText, theme.text),
        (role.Text, theme.text),
        (role.ButtonText, theme.text),
        (role.BrightText, theme.text),
        (role.PlaceholderText, theme.quiet_text),
        (role.ToolTipBase, theme.raised),
        (role.ToolTipText, theme.text),
        (role.Highlight, theme.selection),
        (role.HighlightedText, theme.text),
        (role.Link, theme.accent),
        (role.Mid, theme.hairline),
        (role.Accent, theme.accent),
    ):
        palette.setColor(place, QColor(colour))
    faint = QColor(theme.quiet_text)
    faint.setAlphaF(0.6)
    for place in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, place, faint)
    return palette


def style_sheet(theme: Theme) -> str:
    """The style sheet of everything; widgets ask for a look by their property `role`."""
    values = {field: getattr(theme, field) for field in Theme.__slots__}
    for name in ("caret-down", "caret-up", "check"):
        file = f"{name}-{theme.name}.svg" if name == "check" else f"{name}.svg"
        values[name.replace("-", "_")] = f'"{resource_path("icons", file).as_posix()}"'
    text = _SHEET
    for name, value in values.items():
        text = text.replace(f"url(@{name};)", f"url({value})")
        text = text.replace(f"@{name};", f"{value};").replace(f"@{name} ", f"{value} ")
    return text


_SHEET = """
QWidget { color: @text; font-size: 13px; }
QMainWindow, QDialog, QStackedWidget#pages { background: @panel; }
QToolTip { background: @raised; color: @text; border: 1px solid @hairline; padding: 4px 8px; }
QLabel { background: transparent; }
QLabel[role="heading"] { font-size: 18px; font-weight: 600; }
QLabel[role="title"] { font-weight: 600; }
QLabel[role="quiet"] { color: @quiet_text; }
QLabel[role="good"] { color: @good; }
QLabel[role="bad"] { color: @bad; }
QLabel[role="key"] { color: @quiet_text; border: 1px solid @hairline; border-radius: 4px; padding: 0 6px; }

QMenuBar { background: @panel; padding: 0 4px; }
QMenuBar::item { padding: 5px 9px; border-radius: 4px; background: transparent; }
QMenuBar::item:selected { background: @hover; }
QMenu { background: @raised; border: 1px solid @hairline; padding: 4px; }
QMenu::item { padding: 5px 24px 5px 8px; border-radius: 4px; }
QMenu::item:selected { background: @selection; }
QMenu::item:disabled { color: @quiet_text; }
QMenu::separator { height: 1px; background: @hairline; margin: 4px 8px; }
QMenu::icon { margin-left: 4px; padding: 2px; border-radius: 4px; }
QMenu::icon:checked { background: @selection; }

QToolBar { background: @panel; border: none; border-bottom: 1px solid @hairline; spacing: 4px; padding: 4px 8px; }
QToolBar::separator { width: 1px; background: @hairline; margin: 4px 6px; }
QToolButton { background: transparent; border: 1px solid transparent; border-radius: 6px; padding: 4px 7px; }
QToolButton:hover { background: @hover; }
QToolButton:pressed, QToolButton:checked { background: @selection; }
QToolButton:focus { border: 1px solid @accent; }
QToolButton:disabled { color: @quiet_text; }
QToolButton::menu-indicator { image: none; width: 0; }
QToolBar#tools { border: none; border-right: 1px solid @hairline; padding: 8px 4px; }
QToolBar#tools QToolButton { padding: 5px; }
QToolBar#tools QToolButton:checked { background: @raised; border: 1px solid @hairline; }
QToolButton[role="segment"] { border: 1px solid @hairline; border-radius: 6px; }
QDialogButtonBox { dialogbuttonbox-buttons-have-icons: 0; }
QToolButton[role="segment"][popupMode="1"] { padding-right: 22px; }
QToolButton::menu-button { background: transparent; border: none; width: 18px; }
QToolButton::menu-arrow { image: url(@caret_down;); width: 12px; height: 12px; }

QPushButton { background: @raised; border: 1px solid @hairline; border-radius: 6px;
    padding: 5px 14px; min-height: 18px; }
QPushButton:hover { background: @hover; }
QPushButton:pressed { background: @selection; }
QPushButton:focus { border: 1px solid @accent; }
QPushButton:disabled { color: @quiet_text; background: @panel; }
QPushButton[role="primary"] { background: @accent; color: @on_accent; border: 1px solid @accent; font-weight: 600; }
QPushButton[role="primary"]:focus { border: 2px solid @text; padding: 4px 13px; }
QPushButton[role="primary"]:disabled { background: @raised; color: @quiet_text; border: 1px solid @hairline; }
QPushButton[role="flat"] { background: transparent; border: 1px solid transparent; padding: 4px 8px; }
QPushButton[role="flat"]:hover { background: @hover; }
QPushButton[role="flat"]:focus { border: 1px solid @accent; }
QPushButton[role="flat"]:checked { background: @selection; }
QPushButton[role="view"] { background: transparent; border: 1px solid transparent; color: @quiet_text;
    padding: 4px 8px; }
QPushButton[role="view"]:hover { background: @hover; color: @text; }
QPushButton[role="view"]:focus { border: 1px solid @accent; }
QPushButton[role="link"] { background: transparent; border: 1px solid transparent; color: @accent; padding: 2px 4px; }
QPushButton[role="link"]:hover { text-decoration: underline; }
QPushButton[role="link"]:focus { border: 1px solid @accent; }
QPushButton[role="link"]:disabled { color: @quiet_text; }

QLineEdit, QPlainTextEdit, QTextEdit, QSpinBox, QDoubleSpinBox, QComboBox, QKeySequenceEdit {
    background: @raised; border: 1px solid @hairline; border-radius: 6px; padding: 4px 8px; min-height: 18px;
    selection-background-color: @selection; selection-color: @text; }
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus, QComboBox:focus
    { border: 1px solid @accent; }
QComboBox::drop-down { border: none; width: 22px; }
QComboBox::down-arrow { image: url(@caret_down;); width: 12px; height: 12px; }
QComboBox QLineEdit { background: transparent; border: none; padding: 0; min-height: 0; }
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button { background: transparent; border: none; width: 18px; }
QAbstractSpinBox::up-button:hover, QAbstractSpinBox::down-button:hover { background: @hover; border-radius: 3px; }
QAbstractSpinBox::up-arrow { image: url(@caret_up;); width: 10px; height: 10px; }
QAbstractSpinBox::down-arrow { image: url(@caret_down;); width: 10px; height: 10px; }
QComboBox QAbstractItemView { background: @raised; border: 1px solid @hairline; outline: none; padding: 4px;
    selection-background-color: @selection; }
QCheckBox, QRadioButton { spacing: 8px; padding: 2px; border: 1px solid transparent; border-radius: 4px; }
QCheckBox:focus, QRadioButton:focus { border: 1px solid @accent; }
QCheckBox::indicator, QRadioButton::indicator { width: 14px; height: 14px; background: @raised;
    border: 1px solid @quiet_text; border-radius: 4px; }
QRadioButton::indicator { border-radius: 8px; }
QCheckBox::indicator:hover, QRadioButton::indicator:hover { border: 1px solid @accent; }
QCheckBox::indicator:checked { background: @accent; border: 1px solid @accent; image: url(@check;); }
QRadioButton::indicator:checked { background: @on_accent; border: 4px solid @accent; width: 8px; height: 8px; }
QCheckBox::indicator:disabled, QRadioButton::indicator:disabled { border: 1px solid @hairline; }

QListView, QTreeView, QTableView, QListWidget, QTreeWidget, QTableWidget {
    background: @panel; border: none; outline: none; selection-background-color: @selection; selection-color: @text; }
QListView:focus, QTreeView:focus, QTableView:focus { border: none; }
QAbstractItemView::item { border-radius: 4px; padding: 2px 4px; }
QAbstractItemView::item:hover { background: @hover; }
QAbstractItemView::item:selected { background: @selection; }
QTableView#photo_rows { selection-background-color: transparent; }
QTableView#photo_rows::item, QTableView#photo_rows::item:hover, QTableView#photo_rows::item:selected {
    background: transparent; }
QHeaderView::section { background: @panel; color: @quiet_text; border: none; border-bottom: 1px solid @hairline;
    padding: 4px 8px; }
QTableView { gridline-color: @hairline; }

QScrollArea { background: @panel; border: none; }
QScrollArea > QWidget > QWidget { background: @panel; }
QScrollBar:vertical { background: transparent; width: 12px; margin: 0; }
QScrollBar:horizontal { background: transparent; height: 12px; margin: 0; }
QScrollBar::handle { background: @hairline; border-radius: 4px; margin: 2px; min-height: 32px; min-width: 32px; }
QScrollBar::handle:hover { background: @quiet_text; }
QScrollBar::add-line, QScrollBar::sub-line, QScrollBar::add-page, QScrollBar::sub-page { background: none; border: none;
    width: 0; height: 0; }

QDockWidget { background: @panel; titlebar-close-icon: none; }
QDockWidget > QWidget { background: @panel; }
QMainWindow::separator { background: @hairline; width: 1px; height: 1px; }
QMainWindow::separator:hover { background: @accent; }
QTabBar { background: @panel; qproperty-drawBase: 0; }
QTabBar::tab { background: transparent; color: @quiet_text; padding: 7px 11px; border: none;
    border-bottom: 2px solid transparent; }
QTabBar::tab:hover { color: @text; }
QTabBar::tab:selected { color: @text; border-bottom: 2px solid @accent; }
QTabBar::tab:focus { color: @accent; }
QTabWidget::pane { border: none; border-top: 1px solid @hairline; }

QStatusBar { background: @panel; border-top: 1px solid @hairline; }
QStatusBar::item { border: none; }
QStatusBar QLabel#last_done { padding-right: 10px; }
QProgressBar { background: @hairline; border: none; border-radius: 3px; max-height: 6px; min-height: 6px;
    text-align: center; }
QProgressBar::chunk { background: @accent; border-radius: 3px; }

QSlider::groove:horizontal { height: 4px; background: @hairline; border-radius: 2px; }
QSlider::sub-page:horizontal { background: @accent; border-radius: 2px; }
QSlider::handle:horizontal { background: @text; width: 14px; height: 14px; margin: -5px 0; border-radius: 7px; }
QSlider::handle:horizontal:focus { border: 2px solid @accent; width: 12px; height: 12px; }

QFrame[role="bar"] { background: @raised; border: none; border-bottom: 1px solid @hairline; }
QFrame[role="card"] { background: @raised; border: 1px solid @hairline; border-radius: 8px; }
QFrame[role="card"]:hover { border: 1px solid @accent; }
QFrame[role="card"]:focus { border: 1px solid @accent; }
QFrame[role="plain-card"] { background: @raised; border: 1px solid @hairline; border-radius: 8px; }
QFrame[role="drop"] { background: @panel; border: 2px dashed @hairline; border-radius: 12px; }
QFrame[role="drop"][over="true"] { border: 2px dashed @accent; background: @raised; }
QFrame[role="line"] { background: @hairline; max-height: 1px; min-height: 1px; border: none; }
QFrame[role="palette"] { background: @raised; border: 1px solid @hairline; border-radius: 10px; }
QFrame[role="palette"] QListView { background: @raised; }
QFrame[role="palette"] QListView::item { background: transparent; }
QWidget[role="surface"] { background: @background; }
"""
