"""HubSpot's search language: what a search may ask."""

import enum
from typing import Literal

from pydantic import Field

from sandbox.bodies import Body, Text
from sandbox.properties import Schema
from sandbox.refusals import bare_bad_request, invalid

MOST_GROUPS = 5
MOST_FILTERS_IN_GROUP = 6
MOST_FILTERS = 18


class Operator(enum.StrEnum):
    EQ = "EQ"
    NEQ = "NEQ"
    IN = "IN"
    NOT_IN = "NOT_IN"
    HAS_PROPERTY = "HAS_PROPERTY"
    NOT_HAS_PROPERTY = "NOT_HAS_PROPERTY"
    CONTAINS_TOKEN = "CONTAINS_TOKEN"
    NOT_CONTAINS_TOKEN = "NOT_CONTAINS_TOKEN"
    LT = "LT"
    LTE = "LTE"
    GT = "GT"
    GTE = "GTE"
    BETWEEN = "BETWEEN"


class Filter(Body):
    property_name: str
    operator: Operator
    value: Text | None = None
    high_value: Text | None = None
    values: list[Text] | None = None


class FilterGroup(Body):
    filters: list[Filter]


class Sort(Body):
    property_name: str
    direction: Literal["ASCENDING", "DESCENDING"] = "ASCENDING"


class SearchBody(Body):
    """A search as it arrives."""

    filter_groups: list[FilterGroup] = Field(default_factory=list)
    query: str | None = None
    properties: list[str] = Field(default_factory=list)
    sorts: list[Sort | str] = Field(default_factory=list)
    limit: int = 10
    after: Text | None = None


def check_search(schema: Schema, search: SearchBody) -> None:
    """Raise the 400 of a search that HubSpot refuses."""
    groups = search.filter_groups
    filters = [one for group in groups for one in group.filters]
    if len(groups) > MOST_GROUPS:
        raise invalid(f"Too many filter groups: at most {MOST_GROUPS}")
    if any(len(group.filters) > MOST_FILTERS_IN_GROUP for group in groups):
        raise invalid(f"Too many filters in a group: at most {MOST_FILTERS_IN_GROUP}")
    if len(filters) > MOST_FILTERS:
        raise invalid(f"Too many filters: at most {MOST_FILTERS}")
    if len(search.sorts) > 1:
        raise invalid("Only one sort is supported")
    sorted_by = [sort_of(sort).property_name for sort in search.sorts]
    if any(
        name not in schema.kinds for name in [*(one.property_name for one in filters), *sorted_by]
    ):
        raise bare_bad_request()
    for one in filters:
        _check_values(one)


def sort_of(sort: Sort | str) -> Sort:
    """Return a sort that was given as an object or as a name, with `-` for descending."""
    if isinstance(sort, Sort):
        return sort
    return Sort(
        property_name=sort.removeprefix("-"),
        direction="DESCENDING" if sort.startswith("-") else "ASCENDING",
    )


def _check_values(one: Filter) -> None:
    needs_none = one.operator in (Operator.HAS_PROPERTY, Operator.NOT_HAS_PROPERTY)
    if one.operator in (Operator.IN, Operator.NOT_IN):
        if not one.values:
            raise invalid(f"operator {one.operator} requires values")
    elif not needs_none and one.value is None:
        raise invalid(f"operator {one.operator} requires a value")
    if one.operator is Operator.BETWEEN and one.high_value is None:
        raise invalid("operator BETWEEN requires a highValue")
