"""What each operator of HubSpot's search language makes of a property's values."""

import re
from collections.abc import Callable

from sandbox.moments import parse_time
from sandbox.properties import Kind
from sandbox.refusals import invalid
from sandbox.search_query import Filter, Operator

_RANKING = (Operator.LT, Operator.LTE, Operator.GT, Operator.GTE, Operator.BETWEEN)


def filter_test(kind: Kind, one: Filter) -> Callable[[tuple[str, ...]], bool]:
    """Return the test of a property's values.

    A property without a value passes only NOT_HAS_PROPERTY: the negations do not return objects
    that lack the property.
    """
    if one.operator is Operator.HAS_PROPERTY:
        return bool
    if one.operator is Operator.NOT_HAS_PROPERTY:
        return lambda values: not values
    holds = _rank_test(kind, one) if one.operator in _RANKING else _equality_test(kind, one)
    return lambda values: any(holds(value) for value in values)


def _equality_test(kind: Kind, one: Filter) -> Callable[[str], bool]:
    asked = one.value or ""
    folded = _fold(kind, asked)
    # The listed values are compared as they are: upper case in a string list never matches.
    listed = frozenset(one.values or ())
    tests: dict[Operator, Callable[[str], bool]] = {
        Operator.EQ: lambda value: _fold(kind, value) == folded,
        Operator.NEQ: lambda value: _fold(kind, value) != folded,
        Operator.IN: lambda value: _fold(kind, value) in listed,
        Operator.NOT_IN: lambda value: _fold(kind, value) not in listed,
        Operator.CONTAINS_TOKEN: (contains := _token_test(asked)),
        Operator.NOT_CONTAINS_TOKEN: lambda value: not contains(value),
    }
    return tests[one.operator]


def _rank_test(kind: Kind, one: Filter) -> Callable[[str], bool]:
    low = _rank(kind, one.value or "")
    high = low if one.high_value is None else _rank(kind, one.high_value)
    tests: dict[Operator, Callable[[str], bool]] = {
        Operator.LT: lambda value: _rank(kind, value) < low,
        Operator.LTE: lambda value: _rank(kind, value) <= low,
        Operator.GT: lambda value: _rank(kind, value) > low,
        Operator.GTE: lambda value: _rank(kind, value) >= low,
        Operator.BETWEEN: lambda value: low <= _rank(kind, value) <= high,
    }
    return tests[one.operator]


def _fold(kind: Kind, value: str) -> str:
    if kind is Kind.DATETIME:
        return str(parse_time(value))
    return value if kind is Kind.ENUMERATION else value.lower()


def _rank(kind: Kind, value: str) -> tuple[float, str]:
    """Return what values of this kind are ordered by."""
    if kind is Kind.DATETIME:
        moment = parse_time(value)
        if moment is None:
            raise invalid(f"{value} is not a date")
        return float(moment), ""
    if kind is Kind.NUMBER:
        try:
            return float(value), ""
        except ValueError as error:
            raise invalid(f"{value} is not a number") from error
    return 0, value.lower()


def sort_key(kind: Kind, values: tuple[str, ...]) -> tuple[bool, float, str]:
    """Return the sort key; an object without the property comes before those with it."""
    return (True, *_rank(kind, values[0])) if values else (False, 0.0, "")


def _token_test(asked: str) -> Callable[[str], bool]:
    """Return the test of CONTAINS_TOKEN: every word that is asked for is a token of the value.

    Verified: `*` stands for any text, and digits that a value has in groups are not found in one
    piece. Assumed: tokens are what stands between blanks and punctuation, `*` does not reach beyond
    its token, of several words all are asked for, and letters of full width stay what they are.
    """
    patterns = [
        re.compile(re.escape(word).replace(r"\*", r"\w*"))
        for word in re.findall(r"[\w*]+", asked.lower())
    ]

    def contains(value: str) -> bool:
        tokens = re.findall(r"\w+", value.lower())
        return bool(patterns) and all(
            any(pattern.fullmatch(token) for token in tokens) for pattern in patterns
        )

    return contains
