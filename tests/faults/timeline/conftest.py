"""The same servers as the integration tests of the timeline."""

from tests.integration.timeline.conftest import disk_path, record_dsn, timeline_postgres

__all__ = ["disk_path", "record_dsn", "timeline_postgres"]
