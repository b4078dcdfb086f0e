"""The admin theme's sentences reach our catalogue letter by letter."""

import ast
import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.utils.translation import gettext, override

from config.unfold_strings import SENTENCES

_TRANSLATED = re.compile(r"""(?:{%\s*(?:trans|translate)\s+|\b_\()(?P<quote>["'])(?P<text>.*?)(?P=quote)""")
_CALLS = {"_", "gettext", "gettext_lazy"}
# Parts of the theme that no page of ours uses: its text editor, currencies, nested inlines, datasets.
_UNUSED = re.compile(
    "toolbar.html|contrib/(?!filters|forms|import_export)|unfold_crispy|dataset|nested_inlines|currency"
)


def theme() -> dict[str, str]:
    """Every sentence of the theme, and the file it stands in."""
    spec = find_spec("unfold")
    assert spec is not None
    assert spec.origin is not None
    root = Path(spec.origin).parent
    found: dict[str, str] = {}
    for path in root.rglob("*"):
        name = path.relative_to(root).as_posix()
        if _UNUSED.search(name):
            continue
        if path.suffix == ".html":
            found |= {match["text"]: name for match in _TRANSLATED.finditer(path.read_text())}
        elif path.suffix == ".py":
            found |= dict.fromkeys(_sentences(path.read_text()), name)
    return found


def _sentences(source: str) -> list[str]:
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and node.args]
    return [
        call.args[0].value
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id in _CALLS
        if isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str)
    ]


@pytest.fixture
def sentences() -> dict[str, str]:
    return theme()


def test_every_sentence_of_ours_stands_in_the_theme(sentences: dict[str, str]) -> None:
    assert set(SENTENCES) - set(sentences) == set()


def test_every_sentence_of_the_theme_has_chinese_or_is_in_our_list(sentences: dict[str, str]) -> None:
    listed = {*SENTENCES, "Select currency"}
    with override("zh-hans"):
        missing = {text: file for text, file in sentences.items() if gettext(text) == text and text not in listed}
    assert missing == {}
