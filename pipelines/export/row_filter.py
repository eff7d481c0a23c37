"""The filter expressions of ``--where``: comparisons of columns with values, joined by and, or and not.

The grammar is a small part of SQL's, written down in Python's: ``=`` and ``<>`` are accepted for ``==`` and ``!=``, and
keywords in any case. It is parsed by Python's ``ast`` without being run, and becomes an expression of pyarrow.
"""

from __future__ import annotations

import ast
import functools
import io
import operator
import tokenize
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ocr_models.errors import UsageError

_KEYWORDS = {word.lower(): word for word in ("and", "or", "not", "in", "is", "None", "True", "False")} | {
    "null": "None"
}
_LAYOUT = (tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
_COMPARISONS: dict[type[ast.cmpop], Callable[[pc.Expression, pc.Expression], pc.Expression]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_FUNCTIONS = {"contains": pc.match_substring, "starts_with": pc.starts_with, "ends_with": pc.ends_with}
_EXAMPLE = "status = 'ok' and mean_confidence < 0.8"


def parse_filter(text: str, schema: pa.Schema) -> pc.Expression:
    """The expression that a filter stands for.

    Args:
        text: such as "status = 'ok' and mean_confidence < 0.8". Columns, and their fields as in ``failure.stage``, are
            compared by =, <>, <, <=, > and >= with each other, strings, numbers, true and false; ``in ('a', 'b')``,
            ``is null``, ``contains(column, 'text')``, ``starts_with`` and ``ends_with``; and, or, not, parentheses. A
            comparison with null is null, and its row isn't taken, as in SQL.
        schema: the columns that there are.

    Raises:
        UsageError: it can't be parsed, has something else in it, or compares what can't be compared.
    """
    try:
        expression = _Compiler(schema).condition(ast.parse(_as_python(text), mode="eval").body)
        schema.empty_table().filter(expression)
    except (SyntaxError, tokenize.TokenError, RecursionError) as error:
        raise _unusable(text, "it can't be parsed") from error
    except _NotAllowedError as error:
        raise _unusable(text, str(error)) from error
    except (pa.ArrowException, TypeError, OverflowError, UnicodeError) as error:  # of values, or when it is bound
        raise _unusable(text, f"its types don't fit ({str(error).splitlines()[0]})") from error
    return expression


def _unusable(text: str, why: str) -> UsageError:
    return UsageError(f"--where {text!r}: {why}; give comparisons of columns, such as {_EXAMPLE!r}")


class _NotAllowedError(Exception):
    """Something that a filter may not have in it."""


def _as_python(text: str) -> str:
    """The filter with Python's operators and keywords."""
    words: list[str] = []
    before = None
    for token in tokenize.generate_tokens(io.StringIO(text.strip()).readline):
        word = token.string
        if token.type == tokenize.NAME:
            word = _KEYWORDS.get(word.lower(), word)
        elif token.type == tokenize.OP and word == ">" and words and words[-1] == "<":
            words.pop()
            word = "!="  # of <>, which Python reads as two
        elif token.type == tokenize.OP:
            word = "==" if word == "=" else word
        elif token.type == tokenize.STRING and before == tokenize.STRING:
            raise _NotAllowedError('two strings follow each other; write a quote in a string as "it\'s"')
        elif token.type in _LAYOUT:
            continue
        words.append(word)
        before = token.type
    return " ".join(words)


class _Compiler:
    """Turns the syntax tree of a filter into an expression."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema

    def condition(self, node: ast.expr) -> pc.Expression:
        """A part of the filter that is true or false."""
        if isinstance(node, ast.BoolOp):
            join = operator.and_ if isinstance(node.op, ast.And) else operator.or_
            return functools.reduce(join, map(self.condition, node.values))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return ~self.condition(node.operand)
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            parts = (self._compare(*part) for part in zip(sides[:-1], node.ops, sides[1:], strict=True))
            return functools.reduce(operator.and_, parts)
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.Name | ast.Attribute):
            return self._column(node)  # is_complete, say
        raise _NotAllowedError(f"{ast.unparse(node)} is no comparison")

    def _compare(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> pc.Expression:
        if isinstance(op, ast.Is | ast.IsNot):
            if not (isinstance(right, ast.Constant) and right.value is None):
                raise _NotAllowedError("only null may follow is")
            column = self._column(left)
            return column.is_null() if isinstance(op, ast.Is) else column.is_valid()
        if isinstance(op, ast.In | ast.NotIn):
            if not isinstance(right, ast.Tuple | ast.List):
                right = ast.Tuple([right])  # ('a'), which in Python is no tuple
            found = self._column(left).isin([self._constant(value) for value in right.elts])
            return ~found if isinstance(op, ast.NotIn) else found
        return _COMPARISONS[type(op)](self._value(left), self._value(right))

    def _call(self, node: ast.Call) -> pc.Expression:
        name = node.func.id.lower() if isinstance(node.func, ast.Name) else ""
        if name not in _FUNCTIONS or len(node.args) != 2 or node.keywords:
            wanted = ", ".join(f"{function}(column, 'text')" for function in _FUNCTIONS)
            raise _NotAllowedError(f"{ast.unparse(node)} is none of {wanted}")
        text = self._constant(node.args[1])
        if not isinstance(text, str):
            raise _NotAllowedError(f"{ast.unparse(node.args[1])} is no string")
        return _FUNCTIONS[name](self._column(node.args[0]), text)

    def _value(self, node: ast.expr) -> pc.Expression:
        return self._column(node) if isinstance(node, ast.Name | ast.Attribute) else pc.scalar(self._constant(node))

    @staticmethod
    def _constant(node: ast.expr) -> Any:
        try:
            value = ast.literal_eval(node)
        except (ValueError, TypeError):
            raise _NotAllowedError(f"{ast.unparse(node)} is neither a column nor a value") from None
        if value is None:
            raise _NotAllowedError("null is compared by is null")
        if not isinstance(value, str | int | float):
            raise _NotAllowedError(f"{ast.unparse(node)} is no string or number")
        return value

    def _column(self, node: ast.expr) -> pc.Expression:
        names = ast.unparse(node).split(".")
        kind: pa.DataType | pa.Schema = self._schema
        for name in names:
            is_there = name in kind.names if isinstance(kind, pa.Schema | pa.StructType) else False
            if not is_there:
                columns = ", ".join(self._schema.names)
                raise _NotAllowedError(f"there is no column {'.'.join(names)}; the columns are {columns}")
            kind = kind.field(name).type
        return pc.field(*names)
