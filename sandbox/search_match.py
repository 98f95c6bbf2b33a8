"""Which records a search finds, and in which order."""

from collections.abc import Iterable

from sandbox.properties import Schema
from sandbox.records import Record
from sandbox.search_filters import filter_test, sort_key
from sandbox.search_index import SearchIndex
from sandbox.search_query import FilterGroup, Operator, SearchBody, Sort, sort_of


def match(schema: Schema, index: SearchIndex, search: SearchBody) -> list[Record]:
    """Return the records that match any group (all, if there is none) and the free text."""
    if search.filter_groups:
        found = {
            record.id: record
            for group in search.filter_groups
            for record in _match_group(schema, index, group)
        }
        matching: Iterable[Record] = found.values()
    else:
        matching = index.scan()
    words = (search.query or "").lower().split()
    return [record for record in matching if _mentions(schema, record, words)]


def sort_records(schema: Schema, records: list[Record], sorts: list[Sort | str]) -> None:
    """Sort in place: oldest created first unless a sort is asked for."""
    records.sort(key=lambda record: (record.created_ms, int(record.id)))
    if sorts:
        sort = sort_of(sorts[0])
        kind = schema.kinds[sort.property_name]
        records.sort(
            key=lambda record: sort_key(kind, record.values(sort.property_name)),
            reverse=sort.direction == "DESCENDING",
        )


def _match_group(schema: Schema, index: SearchIndex, group: FilterGroup) -> Iterable[Record]:
    tests = [filter_test(schema.kinds[one.property_name], one) for one in group.filters]
    for record in _candidates(index, group):
        if all(
            test(record.values(one.property_name))
            for one, test in zip(group.filters, tests, strict=True)
        ):
            yield record


def _candidates(index: SearchIndex, group: FilterGroup) -> Iterable[Record]:
    for one in group.filters:
        if one.operator is Operator.IN:
            values = one.values or []
        elif one.operator is Operator.EQ:
            values = [(one.value or "").lower()]
        else:
            continue
        found = index.find(one.property_name, values)
        if found is not None:
            return found
    return index.scan()


def _mentions(schema: Schema, record: Record, words: list[str]) -> bool:
    if not words:
        return True
    text = "\n".join(
        value.lower() for name in schema.query_searched for value in record.values(name)
    )
    return all(word in text for word in words)
