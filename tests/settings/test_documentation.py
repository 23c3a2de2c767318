"""docs/settings.md names every setting the code reads from the environment, with its type and default, and no other."""

import ast
from pathlib import Path

import msgspec
import pytest

from relay.core.limits import Limits

BASE = Path(__file__).resolve().parent.parent.parent
READERS = ("gluer_site/settings.py", "gluer_site/embedded/options.py")
TYPES = {
    "text": "text",
    "words": "list",
    "flag": "1 or 0",
    "integer": "number",
    "choice": "choice",
    "url": "URL",
}
Row = tuple[str, str]  # type, default


def documented() -> dict[str, Row]:
    """Name → (type, default) of every row of the document's tables."""
    rows = [line.split("|") for line in (BASE / "docs/settings.md").read_text().splitlines() if line.startswith("| `")]
    return {cells[1].strip(" `"): (cells[2].strip(), cells[3].strip(" `")) for cells in rows}


def read_by_the_code() -> dict[str, Row]:
    """Name → (type, default if it is a constant, else "") of every `env.<type>(name, default, …)`."""
    trees = [ast.parse((BASE / path).read_text()) for path in READERS]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call) and is_reader(node)]
    named = {constant(call.args[0]): row(call) for call in calls}
    limits = {
        f"GLUER_LIMIT_{field.name.upper()}": ("number", str(field.default)) for field in msgspec.structs.fields(Limits)
    }
    return {name: found for name, found in named.items() if name} | limits


def is_reader(call: ast.Call) -> bool:
    function = call.func
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id == "env"
        and function.attr in TYPES
    )


def row(call: ast.Call) -> Row:
    assert isinstance(call.func, ast.Attribute)
    return TYPES[call.func.attr], constant(call.args[1]) if len(call.args) > 1 else ""


def constant(node: ast.expr) -> str:
    if not isinstance(node, ast.Constant):
        return ""
    return str(int(node.value)) if isinstance(node.value, bool) else str(node.value)


def test_every_setting_is_documented_and_nothing_else() -> None:
    assert documented().keys() == read_by_the_code().keys()


@pytest.mark.parametrize(("name", "found"), sorted(read_by_the_code().items()))
def test_type_and_default_are_the_codes(name: str, found: Row) -> None:
    kind, default = documented()[name]
    assert kind == found[0]
    if found[1]:
        assert default.replace(",", "").replace("_", "") == found[1].replace(",", "").replace("_", "")
