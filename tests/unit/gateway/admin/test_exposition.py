"""Prometheus' text format, read back by its rules."""

import re

from loadpath.gateway.admin.exposition import Sample, family, histogram
from loadpath.gateway.serving.figures import RouteFigures

LINE = re.compile(r'[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-z_]+="(\\.|[^"\\\n])*",?)*\})? \S+')


def test_a_family_is_help_type_and_lines() -> None:
    """With what must be escaped."""
    text = family("a_total", "counter", "One\\two\nthree", [Sample({"x": 'a"b\\c\nd'}, 2)])
    assert text == (
        '# HELP a_total One\\\\two\\nthree\n# TYPE a_total counter\na_total{x="a\\"b\\\\c\\nd"} 2\n'
    )
    assert family("a", "gauge", "b", []) == ""


def test_a_histogram_is_cumulative() -> None:
    """Buckets never fall, the last one is +Inf and equals the count."""
    figures = RouteFigures()
    for seconds in (0.0005, 0.003, 0.003, 99.0):
        figures.count(200, seconds, 0)
    text = family("d_seconds", "histogram", "D.", histogram({"route": "a"}, figures))
    lines = text.splitlines()[2:]
    assert all(LINE.fullmatch(each) for each in lines)
    buckets = [int(each.rsplit(" ", 1)[1]) for each in lines if "_bucket" in each]
    assert buckets == sorted(buckets)
    assert 'le="+Inf"} 4' in text
    assert 'd_seconds_count{route="a"} 4' in text
    assert 'd_seconds_sum{route="a"} 99.0065' in text
