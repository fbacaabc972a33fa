"""Every public name has a page, and its docstring says what a user has to know."""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import inspect
import itertools
import re
import sys
import textwrap
from importlib import import_module
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def load(name):
    """A module of ``docs/extensions``."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / "extensions" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


PUBLIC = load("public_names")


def value_at(path):
    """What a dotted path names: a module's attribute, or a class's."""
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


def documented():
    """Every name that has a page, as the pages list it."""
    for page in sorted((DOCS / "api").glob("*.rst")):
        text = page.read_text(encoding="utf-8")
        current = re.search(r"currentmodule:: (\S+)", text)
        for block in re.findall(r"autosummary::\n(?:   :.*\n)*\n((?:   \S+\n)+)", text):
            yield from (f"{current[1]}.{name}" for name in block.split())


PAGES = sorted(documented())
FUNCTIONS = [path for path in PAGES if inspect.isfunction(value_at(path))]
CLASSES = [path for path in PAGES if inspect.isclass(value_at(path))]
ERRORS = [path for path in CLASSES if issubclass(value_at(path), Exception)]
DATA = [path for path in PAGES if path not in FUNCTIONS and path not in CLASSES]


def members():
    """Functions, and public methods and properties of public classes, with their dotted paths."""
    for path in FUNCTIONS:
        yield path, value_at(path)
    public = set(PUBLIC.pages().values())
    for path in CLASSES:
        if path not in public:
            continue
        for name, member in vars(value_at(path)).items():
            function = getattr(member, "__func__", member)
            if not name.startswith("_") and inspect.isfunction(function):
                yield f"{path}.{name}", function


MEMBERS = dict(members())


def test_every_public_name_has_a_page_and_only_one():
    known = [id(value_at(path)) for path in PAGES]
    missing = [path for path in PUBLIC.pages().values() if id(value_at(path)) not in known]
    assert not missing
    assert len(set(PAGES)) == len(PAGES)
    assert len(PAGES) > 80


def test_the_packages_are_all_there():
    import mammocalc

    root = Path(mammocalc.__file__).parent
    with_names = {
        "mammocalc." + ".".join(path.relative_to(root).parent.parts)
        for path in root.rglob("__init__.py")
        if path.parent != root and "__all__" in path.read_text(encoding="utf-8")
    }
    assert with_names <= set(PUBLIC.PACKAGES)


@pytest.mark.parametrize("path", PAGES)
def test_it_is_described(path):
    if path in DATA:
        assert described(path), f"{path}: no text below the assignment"
        return
    text = inspect.getdoc(value_at(path))
    assert text
    summary = text.split("\n\n")[0]
    assert len(summary) > 15
    assert "\n" not in summary, "the first line is all that a list of names shows"
    assert summary.endswith(".")


def described(path):
    """Whether an assignment at the top of a module is followed by a text, or is a name of the module itself."""
    module, _, name = path.rpartition(".")
    body = ast.parse(Path(import_module(module).__file__).read_text(encoding="utf-8")).body
    for statement, following in itertools.pairwise(body):
        targets = getattr(statement, "targets", [getattr(statement, "target", None)])
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
    return False


@pytest.mark.parametrize("path", CLASSES)
def test_every_attribute_is_described(path):
    value = value_at(path)
    if not dataclasses.is_dataclass(value):
        pytest.skip("not a class of attributes")
    for field in dataclasses.fields(value):
        if PUBLIC.is_settings(value):
            assert len(field.metadata["meaning"]) > 5, field.name
        elif not field.name.startswith("_"):
            assert re.search(rf"^[\w, ]*\b{field.name}\b[\w, ]* : ", inspect.getdoc(value), re.MULTILINE), (
                f"{path}: the attribute {field.name} is not described"
            )


def entries(text):
    """The names with their types, as ``name : type``, of a docstring."""
    return re.findall(r"^([\w*, ]+) : (.+)$", text, re.MULTILINE)


@pytest.mark.parametrize("path", [*CLASSES, *MEMBERS])
def test_arrays_state_type_and_shape(path):
    text = inspect.getdoc(MEMBERS[path] if path in MEMBERS else value_at(path)) or ""
    for name, kind in [
        *entries(text),
        *(("result", line) for line in re.findall(r"^ndarray.*$", text, re.MULTILINE)),
    ]:
        if kind.startswith("ndarray"):
            assert re.match(r"ndarray of \w+", kind), f"{path}: {name} : {kind}"
            assert "shape" in kind, f"{path}: {name} : {kind}"


@pytest.mark.parametrize("path", MEMBERS)
def test_what_it_raises_is_said(path):
    tree = ast.parse(textwrap.dedent(inspect.getsource(MEMBERS[path])))
    raised = {
        node.exc.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise)
        and isinstance(node.exc, ast.Call)
        and isinstance(node.exc.func, ast.Name)
        and node.exc.func.id[0].isupper()
    }
    text = inspect.getdoc(MEMBERS[path])
    for name in raised:
        assert re.search(rf"Raises\n-+\n(.*\n)*?.*\b{name}\b", text), (
            f"{path} raises {name} and does not say so"
        )


# What numpydoc finds that is a matter of taste here: further sections, examples, and the voice of the first line.
TASTE = {"EX01", "SA01", "ES01", "GL01", "GL02", "SS05", "SS06"}


@pytest.mark.parametrize("path", [*CLASSES, *MEMBERS])
def test_numpydoc_finds_nothing_missing(path):
    validate = pytest.importorskip("numpydoc.validate").validate
    value = MEMBERS[path] if path in MEMBERS else value_at(path)
    found = dict(validate(f"{value.__module__}.{value.__qualname__}")["errors"])
    ours = set(found) - TASTE
    if path in CLASSES:
        # The parameters of a dataclass are its attributes, and those of an error its text.
        ours -= {"PR01"}
    assert not ours, {code: found[code] for code in ours}
