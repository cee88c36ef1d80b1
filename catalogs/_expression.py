"""Conditions on columns as users write them, computed without Python's ``eval``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial, reduce

import numpy as np

from catalogs import _arithmetic as arithmetic
from catalogs._arithmetic import Numbers, TooLargeError
from catalogs._expression_parser import Clause, Node, Parser
from catalogs.exact import ColumnKind, ExactValues, Wanted

Values = Mapping[Wanted, ExactValues]


def _differ(left, right):
    """Tell where values differ and neither is missing."""
    return np.less(left, right) | np.greater(left, right)


_COMPARISONS = {
    "<": (np.less, np.greater_equal),
    "<=": (np.less_equal, np.greater),
    ">": (np.greater, np.less_equal),
    ">=": (np.greater_equal, np.less),
    "==": (np.equal, _differ),
    "!=": (_differ, np.equal),
}
"""Each comparison and its opposite; both are false where a value is missing."""

_ARITHMETIC = {
    "+": arithmetic.add,
    "-": arithmetic.subtract,
    "*": arithmetic.multiply,
    "/": arithmetic.divide,
    "//": arithmetic.floor_divide,
    "%": arithmetic.remainder,
    "**": arithmetic.power,
}
_BITS = {
    "&": arithmetic.bitwise(np.bitwise_and),
    "|": arithmetic.bitwise(np.bitwise_or),
    "^": arithmetic.bitwise(np.bitwise_xor),
    "<<": arithmetic.shift_left,
    ">>": arithmetic.shift_right,
}
_FLOAT_FUNCTIONS = {
    "sqrt": np.sqrt,
    "log": np.log,
    "ln": np.log,
    "log10": np.log10,
    "exp": np.exp,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "radians": np.radians,
    "degrees": np.degrees,
    "floor": np.floor,
    "ceil": np.ceil,
}
"""Functions of one number, computed in float64; angles are radians."""

_OF_SEVERAL = {"min": arithmetic.smallest, "max": arithmetic.largest}
_NUMBER_TESTS = ("isfinite", "isnan")
_NULL_TESTS = ("isnull", "notnull")
FUNCTIONS = ("abs", *_FLOAT_FUNCTIONS, "atan2", *_OF_SEVERAL, *_NUMBER_TESTS, *_NULL_TESTS)

_MOST_LOOPED = 16
"""Values in parentheses after ``in`` up to which each is compared on its own."""


@dataclass(frozen=True)
class Condition:
    """A condition on the columns of a table; its grammar is in docs/selection.md.

    Whole numbers are exact, whatever their size; where fractional numbers join in, float64 is
    computed. A comparison with a value that is missing (NaN or null) or that cannot be computed is
    neither true nor false, nor is its ``not``, as in SQL.

    Attributes
    ----------
    text : str
        In one line, without comments.
    names : tuple of str
        Columns as they are written in it; ``True`` and ``False`` are among them.
    """

    text: str
    names: tuple[str, ...]
    _parser: Parser
    _clauses: tuple[Clause, ...]

    @classmethod
    def parse(cls, line: str, where: str) -> "Condition | None":
        """Read a condition; None if there is none in the line.

        Parameters
        ----------
        line : str
            A ``#`` outside quotes begins a comment.
        where : str
            Where the line stands, for error messages.

        Raises
        ------
        InputError
            If it is not in the grammar, with the place in the line.
        """
        parser = Parser(line, where)
        if parser.is_empty():
            return None
        clauses = tuple(parser.read())
        names = dict.fromkeys(name for clause in clauses for name in _names(clause.node))
        return cls(parser.text(), tuple(names), parser, clauses)

    def bind(self, kinds: Mapping[str, ColumnKind]) -> "list[BoundClause]":
        """Give the operations their meaning, which depends on what the columns hold.

        Parameters
        ----------
        kinds : mapping of str to ColumnKind
            For each of `names`, but ``True`` and ``False`` where no columns are called so.

        Returns
        -------
        list of BoundClause
            The conditions that ``and`` joins at the top, all of which must hold.

        Raises
        ------
        InputError
            If numbers, conditions and texts stand where others are needed, with the place.
        """
        return [_Binder(self._parser, kinds).clause(clause) for clause in self._clauses]


@dataclass(frozen=True)
class BoundClause:
    """A condition that can be computed.

    Attributes
    ----------
    text : str
    wanted : tuple of Wanted
        The columns and elements that it needs, by the names that are written in it.
    """

    text: str
    wanted: tuple[Wanted, ...]
    _holds: Callable[[Values], np.ndarray]

    def holds(self, values: Values) -> np.ndarray:
        """Return where the condition is true: bool, of the columns' shape or without one.

        Raises
        ------
        InputError
            If whole numbers become too large, with the place.
        """
        with np.errstate(all="ignore"):
            return self._holds(values)


@dataclass(frozen=True)
class _Part:
    """What an operation gives: numbers, texts, where a condition holds and where it fails.

    A logical column is a condition and a number, so that it can stand alone or be compared.
    """

    numbers: Callable[[Values], Numbers] | None = None
    is_whole: bool = False
    texts: Callable[[Values], ExactValues] | None = None
    holds: Callable[[Values], np.ndarray] | None = None
    fails: Callable[[Values], np.ndarray] | None = None
    constant: object = None


def _names(node: Node):
    if node.kind == "name":
        yield node.value
    for inner in node.inner:
        yield from _names(inner)


class _Binder:
    """Translates operations for columns of certain kinds."""

    def __init__(self, parser: Parser, kinds: Mapping[str, ColumnKind]):
        self._fail, self._kinds = parser.fail, kinds
        self._wanted: dict[Wanted, None] = {}

    def clause(self, clause: Clause) -> BoundClause:
        part = self._condition(clause.node)
        return BoundClause(clause.text, tuple(self._wanted), part.holds)

    def _part(self, node: Node) -> _Part:
        special = getattr(self, f"_bind_{node.kind}", None)
        if special is not None:
            return special(node)
        if node.kind in ("and", "or"):
            return _joined([self._condition(inner) for inner in node.inner], node.kind == "and")
        if node.kind in _ARITHMETIC:
            return self._arithmetic(node)
        if node.kind in _BITS:
            return self._bits(node)
        return self._signed(node)

    def _condition(self, node: Node) -> _Part:
        part = self._part(node)
        if part.holds is None:
            kind = "a text" if part.texts is not None else "a number"
            self._fail(f"{kind} and not a condition; compare it with another", node.place)
        return part

    def _number(self, node: Node, whole: str | None = None) -> _Part:
        """Return a part that is a number; `whole` says what needs it to be a whole one."""
        part = self._part(node)
        if part.numbers is None:
            kind = "a text" if part.texts is not None else "a condition"
            self._fail(f"{kind} where a number is needed", node.place)
        if whole is not None and not part.is_whole:
            self._fail(f"may have a fraction, and {whole}", node.place)
        return part

    def _bind_group(self, node: Node) -> _Part:
        return self._part(node.inner[0])

    def _bind_number(self, node: Node) -> _Part:
        return _constant(node.value)

    def _bind_text(self, node: Node) -> _Part:
        text = ExactValues(np.asarray(node.value))
        return _Part(texts=lambda values: text, constant=node.value)

    def _bind_name(self, node: Node) -> _Part:
        name = node.value
        if name not in self._kinds:
            return _truth(name.lower() == "true")
        kind = self._kinds[name]
        if kind.size is not None:
            self._fail(
                f"{name} holds {_several(kind)}; name one, {name}[0] is the first", node.place
            )
        return self._column((name, None), kind.kind)

    def _bind_element(self, node: Node) -> _Part:
        name, number = node.inner[0].value, node.value
        if name not in self._kinds:
            self._fail(
                "no vector and no whole number, so it has no elements and no bits", node.place
            )
        kind = self._kinds[name]
        if kind.size is None:
            return self._bit(node, kind, number)
        if kind.size >= 0 and number >= kind.size:
            self._fail(
                f"{name} has no element {number}: elements count from 0, as in Python and TOPCAT, "
                f"and the last is {name}[{kind.size - 1}]",
                node.place,
            )
        return self._column((name, number), kind.kind)

    def _bit(self, node: Node, kind: ColumnKind, number: int) -> _Part:
        """Return a bit of a whole number as a condition; bit 0 has the value 1."""
        if kind.kind != "integer":
            self._fail(
                "no vector and no whole number, so it has no elements and no bits", node.place
            )
        if number > 63:
            self._fail("bits count from 0, which has the value 1, to 63", node.place)
        column = self._column((node.inner[0].value, None), "integer").numbers
        count = arithmetic.constant(number)
        one = arithmetic.constant(1)

        def bit(values):
            return _BITS["&"](arithmetic.shift_right(column(values), count), one)

        return _logical(bit)

    def _column(self, wanted: Wanted, kind: str) -> _Part:
        self._wanted[wanted] = None
        if kind == "text":
            return _Part(texts=lambda values: values[wanted])

        def numbers(values):
            return Numbers(values[wanted].data, values[wanted].missing)

        if kind == "logical":
            return _logical(numbers)
        return _Part(numbers=numbers, is_whole=kind == "integer")

    def _computed(self, place: int, operation, parts: list[_Part], is_whole: bool) -> _Part:
        """Return numbers computed of others; of constants once, now."""
        steps = [part.numbers for part in parts]

        def computed(values):
            try:
                return operation(*(step(values) for step in steps))
            except TooLargeError:
                self._fail(
                    f"gives a whole number of more than {arithmetic.MOST_BITS} bits; write one of "
                    "them with a decimal point to compute in float64",
                    place,
                )

        if all(part.constant is not None for part in parts):
            with np.errstate(all="ignore"):
                result = computed({})
            return _Part(numbers=lambda values: result, is_whole=result.is_whole, constant=result)
        return _Part(numbers=computed, is_whole=is_whole)

    def _arithmetic(self, node: Node) -> _Part:
        parts = [self._number(inner) for inner in node.inner]
        whole = all(part.is_whole for part in parts) and node.kind not in ("/", "**")
        return self._computed(node.place, _ARITHMETIC[node.kind], parts, whole)

    def _bits(self, node: Node) -> _Part:
        """Return bits of whole numbers, or conditions that are joined."""
        parts = [self._part(inner) for inner in node.inner]
        if node.kind in "&|" and all(part.holds is not None for part in parts):
            return _joined(parts, node.kind == "&")
        if any(part.holds is not None for part in parts):
            self._fail(
                f"{node.kind} joins two conditions, or the bits of two whole numbers; put each "
                "comparison in parentheses",
                node.place,
            )
        need = f"{node.kind} is for whole numbers{' (powers are **)' if node.kind == '^' else ''}"
        parts = [self._number(inner, need) for inner in node.inner]
        return self._computed(node.place, _BITS[node.kind], parts, True)

    def _signed(self, node: Node) -> _Part:
        part = self._part(node.inner[0])
        if node.kind == "~x" and part.holds is not None:
            return _opposite(part)
        if node.kind == "~x":
            part = self._number(node.inner[0], "~ is for conditions and whole numbers")
            return self._computed(node.place, arithmetic.invert, [part], True)
        part = self._number(node.inner[0])
        if node.kind == "+x":
            return _Part(part.numbers, part.is_whole, constant=part.constant)
        return self._computed(node.place, arithmetic.negative, [part], part.is_whole)

    def _bind_not(self, node: Node) -> _Part:
        return _opposite(self._condition(node.inner[0]))

    def _bind_compare(self, node: Node) -> _Part:
        parts = [self._part(inner) for inner in node.inner]
        pairs = []
        for number, sign in enumerate(node.value):
            sides, places = parts[number : number + 2], node.inner[number : number + 2]
            pairs.append(self._pair(sign, sides, places, node.place))
        return pairs[0] if len(pairs) == 1 else _joined(pairs, True)

    def _pair(self, sign: str, parts, nodes, place: int) -> _Part:
        if any(part.texts is not None for part in parts):
            return self._text_pair(sign, parts, nodes, place)
        for part, node in zip(parts, nodes, strict=True):
            if part.numbers is None:
                self._fail("a condition where a number is needed", node.place)
        one, other = (part.numbers for part in parts)
        true, false = _COMPARISONS[sign]
        return _Part(
            holds=lambda v: arithmetic.compare(true, one(v), other(v)),
            fails=lambda v: arithmetic.compare(false, one(v), other(v)),
        )

    def _text_pair(self, sign: str, parts, nodes, place: int) -> _Part:
        for part, node in zip(parts, nodes, strict=True):
            if part.texts is None:
                self._fail("compared with a text, but no text itself", node.place)
            if part.constant == "":
                self._fail("an empty text is a missing one; test it with isnull()", node.place)
        if sign not in ("==", "!="):
            self._fail("texts can be == or != to one another, or in (...)", place)
        one, other = (part.texts for part in parts)
        same = partial(_text_equal, one, other, True)
        differs = partial(_text_equal, one, other, False)
        return (
            _Part(holds=same, fails=differs) if sign == "==" else _Part(holds=differs, fails=same)
        )

    def _bind_in(self, node: Node) -> _Part:
        of, *items = node.inner
        if not items:
            self._fail("no values in parentheses after in", node.place)
        if len(items) > _MOST_LOOPED and (part := self._in_many(of, items)) is not None:
            return _opposite(part) if node.value else part
        pairs = [
            self._pair("==", [self._part(of), self._part(item)], [of, item], node.place)
            for item in items
        ]
        part = _joined(pairs, False)
        return _opposite(part) if node.value else part

    def _in_many(self, of: Node, items) -> _Part | None:
        """Return a test against many texts, or many whole numbers of 64 bits, at once."""
        part, wanted = self._part(of), [self._part(item) for item in items]
        if part.texts is not None and all(isinstance(item.constant, str) for item in wanted):
            found = {item.constant for item in wanted}
            return None if "" in found else _one_of_texts(part.texts, found)
        numbers = [item.constant for item in wanted if isinstance(item.constant, Numbers)]
        whole = part.is_whole and len(numbers) == len(wanted)
        if whole and all(number.data.dtype == np.int64 for number in numbers):
            return _one_of_numbers(part.numbers, np.array([int(n.data) for n in numbers]))
        return None

    def _bind_null(self, node: Node) -> _Part:
        part = _is_missing(self._part(node.inner[0]))
        return _opposite(part) if node.value else part

    def _bind_call(self, node: Node) -> _Part:
        name, count = node.value, len(node.inner)
        if name not in FUNCTIONS:
            self._fail(f"not a function; there are {', '.join(FUNCTIONS)}", node.place)
        if name in _OF_SEVERAL:
            return self._of_several(node)
        if count != (needed := 2 if name == "atan2" else 1):
            what = (
                "two numbers"
                if needed == 2
                else "one value"
                if name in _NULL_TESTS
                else "one number"
            )
            self._fail(f"{name} takes {what}", node.place)
        if name in _NULL_TESTS:
            part = _is_missing(self._part(node.inner[0]))
            return part if name == "isnull" else _opposite(part)
        parts = [self._number(inner) for inner in node.inner]
        if name in _NUMBER_TESTS:
            return _tested(name, parts[0].numbers)
        if name == "abs":
            return self._computed(node.place, arithmetic.absolute, parts, parts[0].is_whole)
        function = np.arctan2 if name == "atan2" else _FLOAT_FUNCTIONS[name]
        return self._computed(node.place, partial(_in_floats, function), parts, False)

    def _of_several(self, node: Node) -> _Part:
        if len(node.inner) < 2:
            self._fail(
                f"{node.value} takes two or more numbers of one row, not all of a column",
                node.place,
            )
        parts = [self._number(inner) for inner in node.inner]
        function = _OF_SEVERAL[node.value]
        whole = all(part.is_whole for part in parts)
        return self._computed(node.place, lambda *n: reduce(function, n), parts, whole)


def _several(kind: ColumnKind) -> str:
    return f"{kind.size} values a row" if kind.size >= 0 else "several values a row"


def _in_floats(function, *numbers: Numbers) -> Numbers:
    return Numbers(np.asarray(function(*(number.floats() for number in numbers)), np.float64))


def _constant(value: int | float) -> _Part:
    number = arithmetic.constant(value)
    return _Part(numbers=lambda values: number, is_whole=number.is_whole, constant=number)


def _truth(value: bool) -> _Part:
    """Return True or False."""
    number = arithmetic.constant(int(value))
    return _logical(lambda values: number)


def _logical(numbers: Callable[[Values], Numbers]) -> _Part:
    """Return a condition of numbers that are 0 or 1."""
    zero = arithmetic.constant(0)
    return _Part(
        numbers=numbers,
        is_whole=True,
        holds=lambda values: arithmetic.compare(np.not_equal, numbers(values), zero),
        fails=lambda values: arithmetic.compare(np.equal, numbers(values), zero),
    )


def _opposite(part: _Part) -> _Part:
    return _Part(holds=part.fails, fails=part.holds)


def _joined(parts: list[_Part], both: bool) -> _Part:
    """Join conditions by and, or by or."""

    def joined(join, steps):
        def compute(values):
            return reduce(join, (step(values) for step in steps))

        return compute

    holds, fails = [part.holds for part in parts], [part.fails for part in parts]
    every, some = np.logical_and, np.logical_or
    return _Part(
        holds=joined(every if both else some, holds), fails=joined(some if both else every, fails)
    )


def _is_missing(part: _Part) -> _Part:
    def missing(values):
        if part.numbers is not None:
            return part.numbers(values).where_missing()
        if part.texts is not None:
            text = part.texts(values)
            return np.zeros(text.data.shape, np.bool_) if text.missing is None else text.missing
        return ~(part.holds(values) | part.fails(values))

    return _Part(holds=missing, fails=lambda values: ~missing(values))


def _tested(name: str, numbers: Callable[[Values], Numbers]) -> _Part:
    """Return isfinite or isnan; a missing value is not finite, and NaN."""

    def holds(values):
        found = numbers(values)
        if name == "isnan":
            return found.where_missing()
        finite = np.isfinite(found.data) if not found.is_whole else np.True_
        return finite & ~found.where_missing()

    return _Part(holds=holds, fails=lambda values: ~holds(values))


def _text_equal(one, other, same: bool, values: Values) -> np.ndarray:
    """Return where two texts are the same, or differ; never where one is missing."""
    left, right = one(values), other(values)
    datas = [left.data, right.data]
    if any(data.dtype == object for data in datas):
        datas = [data.astype(object) for data in datas]
    result = np.asarray(np.equal(*datas), np.bool_)
    result = result if same else ~result
    for text in (left, right):
        if text.missing is not None:
            result = result & ~text.missing
    return result


def _one_of_texts(texts: Callable[[Values], ExactValues], wanted: set[str]) -> _Part:
    def among(values, same):
        text = texts(values)
        found = np.array([value in wanted for value in text.data.reshape(-1).tolist()], np.bool_)
        found = found.reshape(text.data.shape) == same
        return found if text.missing is None else found & ~text.missing

    return _Part(holds=lambda v: among(v, True), fails=lambda v: among(v, False))


def _one_of_numbers(numbers: Callable[[Values], Numbers], wanted: np.ndarray) -> _Part:
    def among(values, same):
        number = numbers(values)
        data, items = number.data, wanted
        if data.dtype == object:
            items = set(wanted.tolist())
            found = np.array([value in items for value in data.reshape(-1).tolist()], np.bool_)
            found = found.reshape(data.shape) == same
        else:
            found = np.isin(data, items) == same
        return found if number.missing is None else found & ~number.missing

    return _Part(holds=lambda v: among(v, True), fails=lambda v: among(v, False))
