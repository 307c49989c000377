"""Budgets for the size of functions and files; linters check the rest."""

from __future__ import annotations

import ast
import statistics

from repository import ROOT, own_modules

LONGEST_FUNCTION = 80
LONGEST_FILE = 400
MEDIAN_FUNCTION = 9
LONG_TENTH = 35


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the body without the docstring."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def functions() -> dict[str, int]:
    found = {}
    for path in own_modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                found[f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"] = body_lines(node)
    return found


def test_docstring_does_not_count():
    tree = ast.parse('def f():\n    """One.\n\n    Two.\n    """\n    a = 1\n    return a\n')
    assert body_lines(tree.body[0]) == 2


def test_no_function_is_too_long():
    lengths = functions()
    assert len(lengths) > 100
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION} == {}


def test_most_functions_are_short():
    lengths = sorted(functions().values())
    assert statistics.median(lengths) <= MEDIAN_FUNCTION
    assert lengths[int(0.9 * len(lengths))] <= LONG_TENTH


def test_no_file_is_too_long():
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in own_modules()
    }
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE} == {}
