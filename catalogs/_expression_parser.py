"""Takes conditions, as users write them, apart into operations; nothing is computed here.

The precedence is Python's. `catalogs._expression` gives the operations their meaning.
"""

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NoReturn

from catalogs.errors import InputError

MOST_TOKENS = 1000
"""Words, numbers and signs in one condition."""

MOST_LEVELS = 100
"""Operations inside one another in one condition."""

MOST_DIGITS = 100
"""Digits of a whole number."""

_TOKEN = re.compile(
    r"""(?P<space>[ \t]+|\#.*)
      | (?P<number>(?:0[xX][0-9a-fA-F]+|0[bB][01]+
                     |(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)(?![\w.]))
      | (?P<name>[^\W\d]\w*)
      | (?P<quoted>`[^`]+`)
      | (?P<text>"[^"]*"|'[^']*')
      | (?P<sign>\*\*|//|<<|>>|<=|>=|==|!=|<>|&&|\|\||[-+*/%<>()\[\]&|^~,])""",
    re.VERBOSE,
)
_WORDS = ("and", "or", "not", "in", "is")
_SAME = {"&&": "and", "||": "or", "<>": "!="}
"""Signs of other languages, and what they are here."""

_POWERS = {
    "or": 1, "and": 2, "not": 3, "<": 4, "<=": 4, ">": 4, ">=": 4, "==": 4, "!=": 4, "in": 4,
    "is": 4, "|": 5, "^": 6, "&": 7, "<<": 8, ">>": 8, "+": 9, "-": 9, "*": 10, "/": 10,
    "//": 10, "%": 10, "**": 12,
}  # fmt: skip
"""How closely each operation between two values binds; `_SIGN` is that of a sign before one."""

_SIGN = 11
COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
_HINTS = {
    "=": "; equality is ==",
    "`": "; the closing backquote is missing",
    "'": "; the closing quote is missing",
    '"': "; the closing quote is missing",
    "!": "; write not",
}


@dataclass(frozen=True)
class Node:
    """An operation and what it works on.

    Attributes
    ----------
    kind : str
        ``number``, ``text``, ``name``, ``element``, ``call``, ``in``, ``null``, ``compare``,
        ``group``, or the sign or word of an operation.
    place : int
        Character of the line, from 0, that an error points at.
    inner : tuple of Node
        What it works on.
    value : object
        The number or text; the name of a column or function; the number of an element; the signs
        of a comparison; whether it is a ``not in`` or ``is not null``.
    """

    kind: str
    place: int
    inner: tuple["Node", ...] = ()
    value: Any = None
    level: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Clause:
    """One of the conditions that ``and`` joins at the top: its text, and its operation."""

    text: str
    node: Node


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    start: int

    @property
    def sign(self) -> str | None:
        """Return the operation that a sign or word stands for."""
        if self.kind == "sign":
            return _SAME.get(self.text, self.text)
        word = self.text.lower()
        is_word = self.kind == "name" and word in _WORDS and self.text in (word, word.upper())
        return word if is_word else None


class Parser:
    """Reads one line.

    Parameters
    ----------
    line : str
        A ``#`` outside quotes begins a comment.
    where : str
        Where the line stands, for error messages.

    Raises
    ------
    InputError
        If it holds characters that are not in the grammar.
    """

    def __init__(self, line: str, where: str):
        self._line, self._where = line, where
        self._pieces = self._split()
        self._tokens = [piece for piece in self._pieces if piece.kind != "space"]
        self._next = self._depth = 0

    def is_empty(self) -> bool:
        """Tell whether the line holds nothing but blanks and a comment."""
        return not self._tokens

    def text(self) -> str:
        """Return the line without comments, each run of blanks as one."""
        return self._between(0, len(self._line))

    def read(self) -> list[Clause]:
        """Return the conditions of the line, all of which must hold; see `MOST_LEVELS`.

        Raises
        ------
        InputError
            If the line is not in the grammar, with the place.
        """
        if len(self._tokens) > MOST_TOKENS:
            raise InputError(
                f"{self._where}: longer than {MOST_TOKENS} words and signs; "
                "write several conditions, one a line of a file"
            )
        clauses = []
        while True:
            first = self._peek().start
            node = self._expression(_POWERS["and"] + 1)
            clauses.append(Clause(self._between(first, self._peek().start), node))
            if self._peek().sign != "and":
                break
            self._take()
        if self._peek().sign == "or":
            self._next = 0
            clauses = [Clause(self.text(), self._expression(0))]
        if self._peek().kind != "end":
            self.fail("cannot be read as a condition", self._peek().start)
        return clauses

    def fail(self, what: str, place: int) -> NoReturn:
        """Raise an error that names a character of the line.

        Parameters
        ----------
        what : str
            What is wrong and what is expected.
        place : int
            Number of the character, from 0; the length of the line stands for its end.

        Raises
        ------
        InputError
            Always.
        """
        snippet = self._line[place : place + 20]
        at = f"{snippet!r} (character {place + 1})" if snippet else "its end"
        raise InputError(f"{self._where}, at {at}: {what}")

    def _split(self) -> list[_Token]:
        pieces, start = [], 0
        while start < len(self._line):
            match = _TOKEN.match(self._line, start)
            if match is None:
                hint = "; columns whose names are no words go in backquotes"
                self.fail(f"not part of an expression{_HINTS.get(self._line[start], hint)}", start)
            pieces.append(_Token(match.lastgroup or "", match[0], start))
            start = match.end()
        return pieces

    def _between(self, start: int, stop: int) -> str:
        words = (
            " " if piece.kind == "space" else piece.text
            for piece in self._pieces
            if start <= piece.start < stop
        )
        return "".join(words).strip()

    def _peek(self) -> _Token:
        if self._next < len(self._tokens):
            return self._tokens[self._next]
        return _Token("end", "", len(self._line))

    def _take(self) -> _Token:
        token = self._peek()
        self._next += 1
        return token

    def _expect(self, sign: str, what: str):
        if self._peek().sign != sign:
            self.fail(f"cannot be read as a condition; {what}", self._peek().start)
        self._take()

    def _node(self, kind: str, place: int, inner=(), value=None) -> Node:
        level = 1 + max((node.level for node in inner), default=0)
        if level > MOST_LEVELS:
            self.fail(f"more than {MOST_LEVELS} operations inside one another", place)
        return Node(kind, place, tuple(inner), value, level)

    def _expression(self, power: int) -> Node:
        """Read as long as operations bind at least as closely as `power` says."""
        self._depth += 1
        if self._depth > MOST_LEVELS:
            self.fail(f"more than {MOST_LEVELS} operations inside one another", self._peek().start)
        left = self._prefix(power)
        while (sign := self._infix()) is not None and _POWERS[sign] >= power:
            left = self._operation(left, sign)
        self._depth -= 1
        return left

    def _infix(self) -> str | None:
        """Return the operation that comes next, ``not in`` as ``in``."""
        sign = self._peek().sign
        if sign == "not":
            following = self._tokens[self._next + 1 : self._next + 2]
            return "in" if following and following[0].sign == "in" else None
        return sign if sign in _POWERS else None

    def _prefix(self, power: int) -> Node:
        token = self._peek()
        if token.sign == "not":
            if power > _POWERS["not"]:
                self.fail("cannot be read as a condition; put not in parentheses", token.start)
            self._take()
            return self._node("not", token.start, [self._expression(_POWERS["not"])])
        if token.sign in ("-", "+", "~"):
            self._take()
            return self._node(f"{token.sign}x", token.start, [self._expression(_SIGN)])
        return self._with_elements(self._value())

    def _value(self) -> Node:
        token = self._take()
        if token.sign == "(":
            inner = self._expression(0)
            self._expect(")", "the closing parenthesis is missing here")
            return self._node("group", token.start, [inner])
        if token.kind == "number":
            return self._node("number", token.start, value=self._number(token))
        if token.kind == "text":
            return self._node("text", token.start, value=token.text[1:-1].rstrip(" "))
        if token.kind == "quoted":
            return self._node("name", token.start, value=token.text[1:-1])
        if token.kind == "name" and token.sign in (None, "in", "is"):
            if self._peek().sign == "(":
                return self._call(token)
            return self._node("name", token.start, value=token.text)
        self.fail("cannot be read as a condition; a value is missing here", token.start)

    def _number(self, token: _Token) -> int | float:
        text = token.text
        if text[:2].lower() in ("0x", "0b"):
            return int(text, 0)
        if not text.isdecimal():
            return self._fractional(Decimal(text), token)
        if len(text) > MOST_DIGITS or (text[0] == "0" and text.strip("0")):
            self.fail(
                f"cannot be read as a whole number of at most {MOST_DIGITS} digits", token.start
            )
        return int(text)

    def _fractional(self, number: Decimal, token: _Token) -> int | float:
        """Return float64, or a whole number where float64 would round one."""
        if float(number) == float("inf"):
            self.fail("a number larger than any that a table holds", token.start)
        if abs(number) > 1 << 53 and number.adjusted() < MOST_DIGITS and _is_whole(number):
            return int(number)
        return float(number)

    def _call(self, name: _Token) -> Node:
        return self._node("call", name.start, self._list("("), name.text)

    def _list(self, opening: str) -> list[Node]:
        closing = {"(": ")", "[": "]"}[opening]
        self._expect(opening, f"{opening} is missing here")
        values = []
        while self._peek().sign != closing:
            values.append(self._expression(_POWERS["or"]))
            if self._peek().sign != ",":
                break
            self._take()
        self._expect(closing, f"{closing} is missing here")
        return values

    def _with_elements(self, node: Node) -> Node:
        while self._peek().sign in ("[", "("):
            if node.kind != "name" or self._peek().sign == "(":
                self.fail("cannot be read as a condition", self._peek().start)
            self._take()
            number = self._take()
            if number.kind != "number" or not number.text.isdecimal() or len(number.text) > 9:
                self.fail("the number of an element must be a whole number from 0", number.start)
            self._expect("]", "] is missing here")
            node = self._node("element", node.place, [node], int(number.text))
        return node

    def _operation(self, left: Node, sign: str) -> Node:
        place = self._peek().start
        if sign in COMPARISONS:
            return self._comparison(left)
        if sign == "in":
            negated = self._take().sign == "not"
            if negated:
                self._take()
            opening = "[" if self._peek().sign == "[" else "("
            return self._node("in", place, [left, *self._list(opening)], negated)
        if sign == "is":
            return self._null_test(left)
        self._take()
        # Only ** groups from the right: its other side may begin with a sign.
        right = self._expression(_POWERS[sign] + (sign != "**"))
        if sign == left.kind and sign in ("and", "or"):
            return self._node(sign, left.place, [*left.inner, right])
        return self._node(sign, place, [left, right])

    def _comparison(self, left: Node) -> Node:
        place, sides, signs = self._peek().start, [left], []
        while self._peek().sign in COMPARISONS:
            signs.append(self._take().sign)
            sides.append(self._expression(_POWERS["<"] + 1))
        if self._infix() in ("in", "is"):
            self.fail("cannot be read as a condition; put the comparison in parentheses", place)
        for side in sides:
            if len(signs) > 1 and side.kind in ("&", "|", "^"):
                self.fail(
                    f"{side.kind} binds closer than comparisons do; put each comparison in "
                    "parentheses",
                    side.place,
                )
        return self._node("compare", place, sides, tuple(signs))

    def _null_test(self, left: Node) -> Node:
        """Read ``is null`` or ``is not null``."""
        place = self._take().start
        negated = self._peek().sign == "not"
        if negated:
            self._take()
        if self._take().text.lower() != "null":
            self.fail("is null and is not null are all that follows is; equality is ==", place)
        return self._node("null", place, [left], negated)


def _is_whole(number: Decimal) -> bool:
    """Tell whether a number has no fraction; Decimal's own remainder has 28 digits only."""
    return int(number) == number
