"""Conditions on columns as users write them, computed without Python's ``eval``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial, reduce

import numpy as np

from catalogs import _arithmetic as arithmetic
from catalogs._arithmetic import Numbers, TooLargeError
from catalogs._expression_operations import (
    ARITHMETIC,
    BITS,
    COMPARISONS,
    FLOAT_FUNCTIONS,
    FUNCTIONS,
    NULL_TESTS,
    NUMBER_TESTS,
    OF_SEVERAL,
)
from catalogs._expression_parser import Clause, Node, Parser
from catalogs._expression_parts import (
    Part,
    Values,
    constant_part,
    in_floats,
    is_missing,
    joined,
    logical,
    one_of_numbers,
    one_of_texts,
    opposite,
    required,
    several,
    tested,
    text_equal,
    truth,
)
from catalogs.exact import ColumnKind, ExactValues, Wanted

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
        """Read a condition.

        Parameters
        ----------
        line : str
            A ``#`` outside quotes begins a comment.
        where : str
            Where the line stands, for error messages.

        Returns
        -------
        Condition or None
            None where the line is empty or holds only a comment.

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
        return BoundClause(clause.text, tuple(self._wanted), required(part.holds))

    def _part(self, node: Node) -> Part:
        special = getattr(self, f"_bind_{node.kind}", None)
        if special is not None:
            return special(node)
        if node.kind in ("and", "or"):
            return joined([self._condition(inner) for inner in node.inner], node.kind == "and")
        if node.kind in ARITHMETIC:
            return self._arithmetic(node)
        if node.kind in BITS:
            return self._bits(node)
        return self._signed(node)

    def _condition(self, node: Node) -> Part:
        part = self._part(node)
        if part.holds is None:
            kind = "a text" if part.texts is not None else "a number"
            self._fail(f"{kind} and not a condition; compare it with another", node.place)
        return part

    def _number(self, node: Node, whole: str | None = None) -> Part:
        """Return a part that is a number; `whole` says what needs it to be a whole one."""
        part = self._part(node)
        if part.numbers is None:
            kind = "a text" if part.texts is not None else "a condition"
            self._fail(f"{kind} where a number is needed", node.place)
        if whole is not None and not part.is_whole:
            self._fail(f"may have a fraction, and {whole}", node.place)
        return part

    def _bind_group(self, node: Node) -> Part:
        return self._part(node.inner[0])

    def _bind_number(self, node: Node) -> Part:
        return constant_part(node.value)

    def _bind_text(self, node: Node) -> Part:
        text = ExactValues(np.asarray(node.value))
        return Part(texts=lambda values: text, constant=node.value)

    def _bind_name(self, node: Node) -> Part:
        name = node.value
        if name not in self._kinds:
            return truth(name.lower() == "true")
        kind = self._kinds[name]
        if kind.size is not None:
            self._fail(
                f"{name} holds {several(kind)}; name one, {name}[0] is the first", node.place
            )
        return self._column((name, None), kind.kind)

    def _bind_element(self, node: Node) -> Part:
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

    def _bit(self, node: Node, kind: ColumnKind, number: int) -> Part:
        """Return a bit of a whole number as a condition; bit 0 has the value 1."""
        if kind.kind != "integer":
            self._fail(
                "no vector and no whole number, so it has no elements and no bits", node.place
            )
        if number > 63:
            self._fail("bits count from 0, which has the value 1, to 63", node.place)
        column = self._column((node.inner[0].value, None), "integer")
        count = arithmetic.constant(number)
        one, bits = arithmetic.constant(1), required(column.numbers)

        def bit(values):
            return BITS["&"](arithmetic.shift_right(bits(values), count), one)

        return logical(bit)

    def _column(self, wanted: Wanted, kind: str) -> Part:
        self._wanted[wanted] = None
        if kind == "text":
            return Part(texts=lambda values: values[wanted])

        def numbers(values):
            return Numbers(values[wanted].data, values[wanted].missing)

        if kind == "logical":
            return logical(numbers)
        return Part(numbers=numbers, is_whole=kind == "integer")

    def _computed(self, place: int, operation, parts: list[Part], is_whole: bool) -> Part:
        """Return numbers computed of others; of constants once, now."""
        steps = [required(part.numbers) for part in parts]

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
            return Part(numbers=lambda values: result, is_whole=result.is_whole, constant=result)
        return Part(numbers=computed, is_whole=is_whole)

    def _arithmetic(self, node: Node) -> Part:
        parts = [self._number(inner) for inner in node.inner]
        whole = all(part.is_whole for part in parts) and node.kind not in ("/", "**")
        return self._computed(node.place, ARITHMETIC[node.kind], parts, whole)

    def _bits(self, node: Node) -> Part:
        """Return bits of whole numbers, or conditions that are joined."""
        parts = [self._part(inner) for inner in node.inner]
        if node.kind in "&|" and all(part.holds is not None for part in parts):
            return joined(parts, node.kind == "&")
        if any(part.holds is not None for part in parts):
            self._fail(
                f"{node.kind} joins two conditions, or the bits of two whole numbers; put each "
                "comparison in parentheses",
                node.place,
            )
        need = f"{node.kind} is for whole numbers{' (powers are **)' if node.kind == '^' else ''}"
        parts = [self._number(inner, need) for inner in node.inner]
        return self._computed(node.place, BITS[node.kind], parts, True)

    def _signed(self, node: Node) -> Part:
        part = self._part(node.inner[0])
        if node.kind == "~x" and part.holds is not None:
            return opposite(part)
        if node.kind == "~x":
            part = self._number(node.inner[0], "~ is for conditions and whole numbers")
            return self._computed(node.place, arithmetic.invert, [part], True)
        part = self._number(node.inner[0])
        if node.kind == "+x":
            return Part(part.numbers, part.is_whole, constant=part.constant)
        return self._computed(node.place, arithmetic.negative, [part], part.is_whole)

    def _bind_not(self, node: Node) -> Part:
        return opposite(self._condition(node.inner[0]))

    def _bind_compare(self, node: Node) -> Part:
        parts = [self._part(inner) for inner in node.inner]
        pairs = []
        for number, sign in enumerate(node.value):
            sides, places = parts[number : number + 2], node.inner[number : number + 2]
            pairs.append(self._pair(sign, sides, places, node.place))
        return pairs[0] if len(pairs) == 1 else joined(pairs, True)

    def _pair(self, sign: str, parts, nodes, place: int) -> Part:
        if any(part.texts is not None for part in parts):
            return self._text_pair(sign, parts, nodes, place)
        for part, node in zip(parts, nodes, strict=True):
            if part.numbers is None:
                self._fail("a condition where a number is needed", node.place)
        one, other = (required(part.numbers) for part in parts)
        true, false = COMPARISONS[sign]
        return Part(
            holds=lambda v: arithmetic.compare(true, one(v), other(v)),
            fails=lambda v: arithmetic.compare(false, one(v), other(v)),
        )

    def _text_pair(self, sign: str, parts, nodes, place: int) -> Part:
        for part, node in zip(parts, nodes, strict=True):
            if part.texts is None:
                self._fail("compared with a text, but no text itself", node.place)
            if part.constant == "":
                self._fail("an empty text is a missing one; test it with isnull()", node.place)
        if sign not in ("==", "!="):
            self._fail("texts can be == or != to one another, or in (...)", place)
        one, other = (part.texts for part in parts)
        same = partial(text_equal, one, other, True)
        differs = partial(text_equal, one, other, False)
        return Part(holds=same, fails=differs) if sign == "==" else Part(holds=differs, fails=same)

    def _bind_in(self, node: Node) -> Part:
        of, *items = node.inner
        if not items:
            self._fail("no values in parentheses after in", node.place)
        if len(items) > _MOST_LOOPED and (part := self._in_many(of, items)) is not None:
            return opposite(part) if node.value else part
        pairs = [
            self._pair("==", [self._part(of), self._part(item)], [of, item], node.place)
            for item in items
        ]
        part = joined(pairs, False)
        return opposite(part) if node.value else part

    def _in_many(self, of: Node, items) -> Part | None:
        """Return a test against many texts, or many whole numbers of 64 bits, at once."""
        part, wanted = self._part(of), [self._part(item) for item in items]
        if part.texts is not None and all(isinstance(item.constant, str) for item in wanted):
            wanted_texts = {item.constant for item in wanted}
            return None if "" in wanted_texts else one_of_texts(part.texts, wanted_texts)
        numbers = [item.constant for item in wanted if isinstance(item.constant, Numbers)]
        whole = part.is_whole and len(numbers) == len(wanted)
        if whole and all(number.data.dtype == np.int64 for number in numbers):
            return one_of_numbers(required(part.numbers), np.array([int(n.data) for n in numbers]))
        return None

    def _bind_null(self, node: Node) -> Part:
        part = is_missing(self._part(node.inner[0]))
        return opposite(part) if node.value else part

    def _bind_call(self, node: Node) -> Part:
        name, count = node.value, len(node.inner)
        if name not in FUNCTIONS:
            self._fail(f"not a function; there are {', '.join(FUNCTIONS)}", node.place)
        if name in OF_SEVERAL:
            return self._ofseveral(node)
        if count != (needed := 2 if name == "atan2" else 1):
            one = "one value" if name in NULL_TESTS else "one number"
            self._fail(f"{name} takes {'two numbers' if needed == 2 else one}", node.place)
        if name in NULL_TESTS:
            part = is_missing(self._part(node.inner[0]))
            return part if name == "isnull" else opposite(part)
        parts = [self._number(inner) for inner in node.inner]
        if name in NUMBER_TESTS:
            return tested(name, required(parts[0].numbers))
        if name == "abs":
            return self._computed(node.place, arithmetic.absolute, parts, parts[0].is_whole)
        function = np.arctan2 if name == "atan2" else FLOAT_FUNCTIONS[name]
        return self._computed(node.place, partial(in_floats, function), parts, False)

    def _ofseveral(self, node: Node) -> Part:
        if len(node.inner) < 2:
            self._fail(
                f"{node.value} takes two or more numbers of one row, not all of a column",
                node.place,
            )
        parts = [self._number(inner) for inner in node.inner]
        function = OF_SEVERAL[node.value]
        whole = all(part.is_whole for part in parts)
        return self._computed(node.place, lambda *n: reduce(function, n), parts, whole)
