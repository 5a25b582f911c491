"""The rules of the table of responses again, for the pooled client over real sockets."""

import pytest

from loadpath.http import (
    BodyLostError,
    ConnectionPool,
    Request,
    ResponseInvalidError,
    ResponseLostError,
)
from tests.contracts.http_responses import CASES, Case
from tests.faults.http.servers import saying, serving


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.section}: {case.name}")
async def test_a_rule_holds(case: Case) -> None:
    """The client returns what the table says, or the error of a refused head or body."""
    request = Request(case.method, b"/")
    async with serving(saying(case.stream)) as origin, ConnectionPool() as pool:
        if case.status == 0:
            with pytest.raises((ResponseInvalidError, ResponseLostError)):
                await pool.request(origin, request)
            return
        async with await pool.request(origin, request) as response:
            assert response.status == case.status
            if case.body is None:
                with pytest.raises(BodyLostError):
                    await response.read()
            else:
                assert await response.read() == case.body
                assert response.done
