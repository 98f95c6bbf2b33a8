"""How a tenant's calls ended over time: what the dashboard draws."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Self
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, request
from pydantic import BeforeValidator, ConfigDict, Field

from api.context.services import services
from api.context.tenants import current_tenant, guard, open_to_viewers
from api.description.operations import Operation
from api.http.errors import InvalidRequestError
from api.http.queries import Span, read_query
from api.http.responses import Moment, ResponseModel, Success, respond_if_changed
from api.log.entries import CAME_IN
from shared.log.periods import Step, cut_period, find_zone
from shared.log.statistics import read_statistics

blueprint = Blueprint("statistics", __name__, url_prefix="/api/hubspot")
guard(blueprint)

# With the step that has begun these are 24 hours and 30 days.
USUAL_SPANS: Final = {Step.HOUR: timedelta(hours=23), Step.DAY: timedelta(days=29)}


Zone = Annotated[ZoneInfo, BeforeValidator(find_zone, json_schema_input_type=str)]


class StatisticsPoint(ResponseModel):
    """The calls that came in within one step of time, by how they ended."""

    model_config = ConfigDict(from_attributes=True)

    at: Moment
    """Where the step begins, in epoch milliseconds."""
    pending: int
    """Still waiting, at most 10,000."""
    success: int
    """In HubSpot."""
    error: int
    """Failed."""
    skipped: int
    """Left out."""
    latency_p50_ms: int | None
    """Half of those in HubSpot took less, from the webhook to the note; at most 10 % off."""
    latency_p95_ms: int | None
    """As above, for 95 of 100."""


class Statistics(Success):
    """Every step of a period, oldest first, also those without calls."""

    bucket: Step
    since: Moment = Field(serialization_alias="from")
    """Where the first step begins, in epoch milliseconds."""
    until: Moment = Field(serialization_alias="to")
    """Where the last step ends, in epoch milliseconds; it may lie ahead."""
    points: list[StatisticsPoint]
    """At most 400."""

    @classmethod
    def examples(cls) -> dict[str, Self]:
        busy = StatisticsPoint(
            at=CAME_IN,
            pending=0,
            success=40,
            error=1,
            skipped=3,
            latency_p50_ms=840,
            latency_p95_ms=2100,
        )
        quiet = StatisticsPoint(
            at=CAME_IN + timedelta(hours=1),
            pending=2,
            success=0,
            error=0,
            skipped=0,
            latency_p50_ms=None,
            latency_p95_ms=None,
        )
        until = CAME_IN + timedelta(hours=2)
        return {
            "two hours": cls(bucket=Step.HOUR, since=CAME_IN, until=until, points=[busy, quiet])
        }


class StatisticsQuery(Span):
    """Which period, and how it is cut; the last 24 hours, or 30 days, unless it is said."""

    bucket: Step = Field(default=Step.HOUR, examples=["day"])
    """By hour or by day; at most 400 of them."""
    time_zone: Zone = Field(default="UTC", validate_default=True, examples=["Europe/Berlin"])
    """Whose hours and days are meant, by its IANA name: `Europe/Berlin`, say."""

    def edges(self, now: datetime) -> list[datetime]:
        """Where the steps begin, and where the last one ends; raises InvalidRequestError."""
        until = self.until or now
        try:
            since = self.since or until - USUAL_SPANS[self.bucket]
            return cut_period(since, until, self.bucket, self.time_zone)
        except ValueError as error:
            raise InvalidRequestError.of("from", str(error)) from error
        except OverflowError as error:
            raise InvalidRequestError.of("from", "must lie within the calendar") from error


@blueprint.get("/statistics")
@open_to_viewers
@Operation(
    "getStatistics", "sync log", response=Statistics, query=StatisticsQuery, is_conditional=True
)
def show_statistics() -> Response:
    """How calls ended over time, and how long they took.

    By the time at which calls came in: the last 24 hours by hour, or 30 days by day, or the period
    that is asked for, widened to whole steps. Hours and days are those that a clock of the time
    zone shows; where it is changed, they are longer or shorter.
    """
    tenant, query = current_tenant(), read_query(StatisticsQuery, request.args)
    edges = query.edges(datetime.now(UTC))
    with services().database.begin() as session:
        points = read_statistics(
            session, user_id=tenant.user_id, workspace_id=tenant.workspace_id, edges=edges
        )
    return respond_if_changed(
        Statistics(
            bucket=query.bucket,
            since=edges[0],
            until=edges[-1],
            points=[StatisticsPoint.model_validate(each) for each in points],
        )
    )
