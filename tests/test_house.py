"""Bounds on the size and the shape of the sources of kgen.

`python -m tests.test_house` prints the figures.
"""

import ast
import collections
import functools
import itertools
import pathlib
import sys

import kgen

ROOT = pathlib.Path(kgen.__file__).parent
_WINDOW = 6  # lines that two places must not share
# Functions that make the error of a bad argument.
_ERRORS = {"invalid", "unknown_name", "UnknownArgument"}
# Other errors by mistakes of users, such as a file that is damaged.
_MISTAKES = _ERRORS | {"InvalidArgument"}
_TABLES = {"checked", "compiles"}
_CHECKERS = {"params.py", "arrays.py"}


@functools.cache
def trees():
    """The syntax trees of all sources, by their paths within the package."""
    return {
        path.relative_to(ROOT): ast.parse(path.read_text())
        for path in sorted(ROOT.rglob("*.py"))
    }


def lines_of(node):
    return set(range(node.lineno, node.end_lineno + 1))


def functions_of(tree):
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def body_of(node):
    """The statements of a function, class or module after its docstring."""
    has_docstring = ast.get_docstring(node, clean=False) is not None
    return node.body[1:] if has_docstring else node.body


def code_lines(path, tree):
    """The numbers of lines that are neither blank, nor comments, nor docstrings."""
    lines = (ROOT / path).read_text().splitlines()
    numbers = {
        number
        for number, line in enumerate(lines, 1)
        if line.strip() and not line.lstrip().startswith("#")
    }
    for node in ast.walk(tree):
        kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
        if isinstance(node, kinds) and ast.get_docstring(node, clean=False):
            numbers -= lines_of(node.body[0])
    return numbers


def name_of(node):
    """The last part of the name of what is called: `checked` of a table."""
    function = node.func if isinstance(node, ast.Call) else node
    return getattr(function, "attr", getattr(function, "id", ""))


def check_lines(path, tree, errors):
    """The numbers of lines that check arguments.

    These are

    - the tables above functions and classes, and the dictionaries of constraints
      that several tables share;
    - statements that raise one of `errors`, with the head of the `if` around them
      and the words of the message;
    - the functions and methods whose names begin with `check`, in `params` and
      `arrays`, which run the checks.
    """
    numbers = set()
    for node in ast.walk(tree):
        for decorator in getattr(node, "decorator_list", []):
            if name_of(decorator) in _TABLES:
                numbers |= lines_of(decorator)
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = getattr(node, "targets", None) or [node.target]
            names = [name_of(target).lower() for target in targets]
            if any(name.endswith("constraints") for name in names):
                numbers |= lines_of(node)
        if isinstance(node, ast.FunctionDef) and str(path) in _CHECKERS:
            if node.name.startswith("check"):
                numbers |= lines_of(node)
        if isinstance(node, ast.If) and _only_raises(node.body, errors):
            end = node.body[-1].end_lineno
            numbers |= set(range(node.lineno, end + 1))
        if _raises(node, errors):
            numbers |= lines_of(node)
    return numbers


def _raises(node, errors):
    return isinstance(node, ast.Raise) and name_of(node.exc) in errors


def _only_raises(body, errors):
    """Whether statements are an error, perhaps after the words of its message."""
    *before, last = body
    return _raises(last, errors) and all(
        isinstance(statement, ast.Assign) for statement in before
    )


def share_of_checks(errors=_ERRORS):
    """The share of all lines of code that check arguments."""
    checks, code = 0, 0
    for path, tree in trees().items():
        lines = code_lines(path, tree)
        code += len(lines)
        checks += len(lines & check_lines(path, tree, errors))
    return checks / code


def shared_places():
    """Pairs of places that share six or more lines of code, longest first.

    Imports and the heads of functions and classes do not count.

    Returns:
        List of tuples: the number of lines, and twice a path and a line.
    """
    files, windows = {}, collections.defaultdict(list)
    for path, tree in trees().items():
        numbers = code_lines(path, tree)
        for node in ast.walk(tree):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                numbers -= lines_of(node)
            elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                numbers -= set(range(node.lineno, node.body[0].lineno))
        lines = (ROOT / path).read_text().splitlines()
        code = [(n, lines[n - 1].strip()) for n in sorted(numbers)]
        files[path] = code
        for start in range(len(code) - _WINDOW + 1):
            text = tuple(line for _, line in code[start : start + _WINDOW])
            windows[text].append((path, start))
    pairs = []
    for places in windows.values():
        for (one, i), (other, j) in itertools.combinations(places, 2):
            if i and j and files[one][i - 1][1] == files[other][j - 1][1]:
                continue  # within a pair that begins before
            pairs.append((_length(files, one, i, other, j), one, i, other, j))
    return [
        (length, one, files[one][i][0], other, files[other][j][0])
        for length, one, i, other, j in sorted(pairs, reverse=True)
    ]


def _length(files, one, i, other, j):
    both = zip(files[one][i:], files[other][j:])
    same = itertools.takewhile(lambda x: x[0][1] == x[1][1], both)
    return sum(1 for _ in same)


def long_functions(most):
    """Functions whose bodies have more lines than `most`."""
    found = []
    for path, tree in trees().items():
        for node in functions_of(tree):
            body = body_of(node)
            length = node.end_lineno - body[0].lineno + 1 if body else 0
            if length > most:
                found.append((length, f"{path}: {node.name}"))
    return found


def long_files(most):
    """Files that have more lines than `most`."""
    sizes = {
        str(path): (ROOT / path).read_text().count("\n") for path in trees()
    }
    return {path: size for path, size in sizes.items() if size > most}


def test_a_file_is_read_at_one_sitting():
    assert not long_files(450)


def test_a_function_fits_on_a_screen():
    assert not long_functions(60)


def test_checks_of_arguments_are_a_small_part():
    assert share_of_checks() < 0.07
    assert share_of_checks(_MISTAKES) < 0.09


def test_the_lines_of_checks_are_counted():
    source = """\
@checked(a=Integer())
def f(a, b):
    if b < 0:
        expected = "a number of at least 0"
        raise invalid("b", "f", expected, b)
    if not a:
        return b
    return a
"""
    path, tree = pathlib.Path("f.py"), ast.parse(source)
    assert check_lines(path, tree, _ERRORS) == {1, 3, 4, 5}


def test_few_places_say_the_same():
    assert len(shared_places()) < 10


if __name__ == "__main__":
    pairs = shared_places()
    lines = [
        f"files above 450 lines: {long_files(450)}",
        f"function bodies above 60 lines: {long_functions(60)}",
        f"checks of arguments: {share_of_checks():.2%} of the lines of code, "
        f"and {share_of_checks(_MISTAKES):.2%} with all mistakes of users",
        f"{len(pairs)} pairs of places share {_WINDOW} or more lines:",
        *(f"  {' '.join(map(str, pair))}" for pair in pairs),
    ]
    sys.stdout.write("\n".join([*lines, ""]))
