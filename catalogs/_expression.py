"""Conditions on columns as users write them, read without Python's ``eval``.

The text is taken apart into numbers, names and operators; Python's own parser then only sees those,
with every column under a name of ours, and what it makes of them is translated, piece by piece, to
numpy operations.
"""

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from catalogs.errors import InputError

MOST_TOKENS = 1000
"""Words, numbers and signs in one condition."""

MOST_LEVELS = 100
"""Operations inside one another in one condition."""

_TOKEN = re.compile(
    r"""(?P<space>[ \t]+|\#.*)
      | (?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?(?![\w.]))
      | (?P<name>[^\W\d]\w*)
      | (?P<quoted>`[^`]+`)
      | (?P<sign>\*\*|<=|>=|==|!=|[-+*/<>()&|~,])""",
    re.VERBOSE,
)
_WORDS = ("and", "or", "not")


def _differ(left, right):
    """Tell where values differ and neither is missing."""
    return (left < right) | (left > right)


_COMPARISONS = {
    ast.Lt: (np.less, np.greater_equal),
    ast.LtE: (np.less_equal, np.greater),
    ast.Gt: (np.greater, np.less_equal),
    ast.GtE: (np.greater_equal, np.less),
    ast.Eq: (np.equal, _differ),
    ast.NotEq: (_differ, np.equal),
}
"""Each comparison and its opposite; both are false where a value is missing."""

_ARITHMETIC = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
}
_SIGNS = {ast.USub: np.negative, ast.UAdd: np.positive}
_FUNCTIONS = {"abs": np.abs, "sqrt": np.sqrt, "log10": np.log10}
_TESTS = {"isfinite": np.isfinite, "isnan": np.isnan}

_Values = Mapping[str, np.ndarray]
_Step = Callable[[_Values], np.ndarray]


@dataclass(frozen=True)
class Condition:
    """A condition on the columns of a table.

    Grammar: numbers; names of columns, in backquotes where they are no plain words; ``+ - * / **``
    and signs; ``abs``, ``sqrt``, ``log10``; comparisons, also chained (``a < b < c``);
    ``isfinite``, ``isnan``; ``and``, ``or``, ``not`` or ``&``, ``|``, ``~`` between conditions;
    parentheses. The precedence is Python's: comparisons beside ``&`` need parentheses.

    All is computed in float64. A comparison with a value that is missing (NaN or null) or that
    cannot be computed is neither true nor false, nor is its ``not``, as in SQL.

    Attributes
    ----------
    text : str
        In one line, without comments.
    names : tuple of str
        Columns as they are written in it.
    """

    text: str
    names: tuple[str, ...]
    _holds: _Step

    @classmethod
    def parse(cls, line: str, where: str) -> "Condition | None":
        """Read a condition; None if there is none in the line.

        Parameters
        ----------
        line : str
            A ``#`` outside backquotes begins a comment.
        where : str
            Where the line stands, for error messages.

        Raises
        ------
        InputError
            If it is not in the grammar, with the place in the line.
        """
        reader = _Reader(line, where)
        return None if reader.is_empty() else cls(reader.text(), *reader.read())

    def holds(self, values: _Values) -> np.ndarray:
        """Return where the condition is true: bool, of the columns' shape or without one.

        Parameters
        ----------
        values : mapping of str to array of float64, shape (N,)
            For each of `names`.
        """
        with np.errstate(all="ignore"):
            return self._holds(values)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    start: int


class _Reader:
    """Takes one line apart and puts it together again as operations."""

    def __init__(self, line: str, where: str):
        self._line, self._where = line, where
        self._pieces = self._split()
        self._tokens = [piece for piece in self._pieces if piece.kind != "space"]
        self._columns: list[str] = []
        self._functions: list[str] = []
        self._places: list[int] = []

    def is_empty(self) -> bool:
        return not self._tokens

    def text(self) -> str:
        pieces = (" " if piece.kind == "space" else piece.text for piece in self._pieces)
        return "".join(pieces).strip()

    def read(self) -> tuple[tuple[str, ...], _Step]:
        if len(self._tokens) > MOST_TOKENS:
            raise InputError(
                f"{self._where}: longer than {MOST_TOKENS} words and signs; "
                "write several conditions, one a line of a file"
            )
        source = self._source()
        try:
            tree = ast.parse(source, mode="eval")
            return tuple(self._columns), self._condition(tree.body, False, 0)
        except SyntaxError as error:
            self._fail("cannot be read as a condition", (error.offset or 1) - 1)
        except (RecursionError, MemoryError) as error:
            raise InputError(f"{self._where}: nested too deeply; simplify it") from error

    def _split(self) -> list[_Token]:
        pieces, start = [], 0
        while start < len(self._line):
            found = _TOKEN.match(self._line, start)
            if found is None:
                self._refuse_character(start)
            pieces.append(_Token(found.lastgroup, found[0], start))
            start = found.end()
        return pieces

    def _refuse_character(self, start: int):
        hints = {"=": "; equality is ==", "`": "; the closing backquote is missing"}
        hint = hints.get(self._line[start], "; columns whose names are no words go in backquotes")
        self._fail_at(start, f"not part of an expression{hint}")

    def _source(self) -> str:
        """Return the line for Python's parser, and note where each of its characters comes from."""
        words = []
        for token, following in zip(self._tokens, [*self._tokens[1:], None], strict=True):
            word = token.text
            if token.kind == "quoted":
                word = self._numbered("c", self._columns, word[1:-1])
            elif token.kind == "name" and word not in _WORDS:
                called = following is not None and following.text == "("
                letter, known = ("f", self._functions) if called else ("c", self._columns)
                word = self._numbered(letter, known, word)
            self._places += [token.start] * (len(word) + 1)
            words.append(word)
        return " ".join(words)

    def _numbered(self, letter: str, known: list[str], name: str) -> str:
        if name not in known:
            known.append(name)
        return f"{letter}{known.index(name)}"

    def _condition(self, node, negated: bool, level: int) -> _Step:
        """Translate a condition, or its opposite, so that a missing value makes neither true."""
        self._check_level(node, level)
        match node:
            case ast.UnaryOp(op=ast.Not() | ast.Invert(), operand=inner):
                return self._condition(inner, not negated, level + 1)
            case ast.BoolOp(op=op, values=parts):
                return self._joined(isinstance(op, ast.And), parts, negated, level)
            case ast.BinOp(op=ast.BitAnd() | ast.BitOr() as op, left=left, right=right):
                return self._joined(isinstance(op, ast.BitAnd), [left, right], negated, level)
            case ast.Compare():
                return self._comparison(node, negated, level)
            case ast.Call() if self._called(node) in _TESTS:
                test, (of,) = _TESTS[self._called(node)], self._arguments(node, level)
                return (lambda v: ~test(of(v))) if negated else (lambda v: test(of(v)))
        self._number(node, level)
        self._fail("a number and not a condition; compare it with another", node)

    def _joined(self, both: bool, nodes, negated: bool, level: int) -> _Step:
        join = np.logical_and if both != negated else np.logical_or
        first, *rest = [self._condition(node, negated, level + 1) for node in nodes]

        def joined(values):
            result = first(values)
            for part in rest:
                result = join(result, part(values))
            return result

        return joined

    def _comparison(self, node: ast.Compare, negated: bool, level: int) -> _Step:
        sides = [self._number(side, level + 1) for side in (node.left, *node.comparators)]
        if not all(type(op) in _COMPARISONS for op in node.ops):
            self._fail("not a comparison of numbers", node)
        compare = [_COMPARISONS[type(op)][negated] for op in node.ops]
        join = np.logical_or if negated else np.logical_and

        def compared(values):
            computed = [side(values) for side in sides]
            result = compare[0](*computed[:2])
            for number in range(1, len(compare)):
                result = join(result, compare[number](*computed[number : number + 2]))
            return result

        return compared

    def _number(self, node, level: int) -> _Step:
        self._check_level(node, level)
        match node:
            case ast.Constant(value=int() | float() as value):
                constant = _as_float(value)
                return lambda v: constant
            case ast.Name(id=name):
                column = self._columns[int(name[1:])] if name[0] == "c" else None
                if column is not None:
                    return lambda v: v[column]
            case ast.UnaryOp(op=op, operand=inner) if type(op) in _SIGNS:
                sign, of = _SIGNS[type(op)], self._number(inner, level + 1)
                return lambda v: sign(of(v))
            case ast.BinOp(op=op, left=left, right=right) if type(op) in _ARITHMETIC:
                operation = _ARITHMETIC[type(op)]
                one, other = self._number(left, level + 1), self._number(right, level + 1)
                return lambda v: operation(one(v), other(v))
            case ast.Call() if self._called(node) in _FUNCTIONS:
                function, (of,) = _FUNCTIONS[self._called(node)], self._arguments(node, level)
                return lambda v: function(of(v))
            case ast.BinOp(op=ast.BitAnd() | ast.BitOr()):
                self._fail("& and | join conditions; put each comparison in parentheses", node)
        self._fail("a condition where a number is needed", node)

    def _called(self, node: ast.Call) -> str:
        """Return the name of a function, or raise if there is none of that name."""
        named = isinstance(node.func, ast.Name) and node.func.id[0] == "f"
        name = self._functions[int(node.func.id[1:])] if named else None
        if name not in _FUNCTIONS and name not in _TESTS:
            known = ", ".join([*_FUNCTIONS, *_TESTS])
            self._fail(f"not a function; there are {known}", node)
        return name

    def _arguments(self, node: ast.Call, level: int) -> list[_Step]:
        if len(node.args) != 1 or node.keywords:
            self._fail(f"{self._called(node)} takes one number", node)
        return [self._number(node.args[0], level + 1)]

    def _check_level(self, node, level: int):
        if level > MOST_LEVELS:
            self._fail(f"more than {MOST_LEVELS} operations inside one another", node)

    def _fail(self, what: str, node):
        """Raise for something in what Python's parser sees."""
        place = node if isinstance(node, int) else node.col_offset
        self._fail_at(self._places[min(max(place, 0), len(self._places) - 1)], what)

    def _fail_at(self, start: int, what: str):
        """Raise for a character of the line, from 0."""
        found = self._line[start : start + 20]
        raise InputError(f"{self._where}, character {start + 1} ({found!r}): {what}")


def _as_float(value: float) -> np.float64:
    try:
        return np.float64(value)
    except OverflowError:  # an integer of hundreds of digits
        return np.float64(np.inf)
