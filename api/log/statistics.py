"""How a tenant's calls ended over time: what the dashboard draws."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, request
from pydantic import BeforeValidator, Field

from api.context.services import services
from api.context.tenants import current_tenant, guard, open_to_viewers
from api.http.errors import InvalidRequestError
from api.http.queries import Span, read_query
from api.responses.base import answer_if_changed
from api.responses.statistics import Statistics, StatisticsPoint
from shared.log.periods import Step, cut_period, find_zone
from shared.log.statistics import read_statistics

blueprint = Blueprint("statistics", __name__, url_prefix="/api/hubspot")
guard(blueprint)

# With the step that has begun these are 24 hours and 30 days.
USUAL_SPANS: Final = {Step.HOUR: timedelta(hours=23), Step.DAY: timedelta(days=29)}


Zone = Annotated[ZoneInfo, BeforeValidator(find_zone, json_schema_input_type=str)]


class StatisticsQuery(Span):
    """Which period, and how it is cut; the last 24 hours, or 30 days, unless it is said."""

    bucket: Step = Step.HOUR
    """By hour or by day; at most 400 of them."""
    time_zone: Zone = Field(default="UTC", validate_default=True)
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
def show_statistics() -> Response:
    tenant, query = current_tenant(), read_query(StatisticsQuery, request.args)
    edges = query.edges(datetime.now(UTC))
    with services().database.begin() as session:
        points = read_statistics(
            session, user_id=tenant.user_id, workspace_id=tenant.workspace_id, edges=edges
        )
    return answer_if_changed(
        Statistics(
            bucket=query.bucket,
            since=edges[0],
            until=edges[-1],
            points=[StatisticsPoint.model_validate(each) for each in points],
        )
    )
