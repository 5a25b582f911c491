"""The same servers as the integration tests of the timeline."""

from tests.integration.timeline.conftest import record_dsn, timeline_postgres

__all__ = ["record_dsn", "timeline_postgres"]
