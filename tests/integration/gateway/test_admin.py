"""The admin API and page of a running gateway."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from playwright.async_api import async_playwright, expect

from tests.faults.gateway.fleet import Fleet, fleet
from tests.faults.gateway.stage import Backend

CHROMIUM = next(
    (found for name in ("chromium", "google-chrome") if (found := shutil.which(name))), None
)
LINE = re.compile(
    r"(# (HELP|TYPE) [a-z_]+ .+)|([a-z_]+(\{([a-z]+=\"(\\.|[^\"\\])*\",?)+\})? ([0-9.e+-]+|\+Inf))"
)


@pytest.fixture(scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Fleet]:
    """One gateway for all, before two endpoints."""
    one, other = Backend(), Backend()
    folder: Path = tmp_path_factory.mktemp("gateway")
    async with one.serving(), other.serving(), fleet(folder, one.address, other.address) as made:
        reader, writer = await asyncio.open_connection("127.0.0.1", made.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        await reader.read(-1)
        writer.close()
        yield made


async def test_metrics_are_prometheus_text(running: Fleet) -> None:
    """Every line is of the format, every family has its type once."""
    status, text = await running.ask("GET", "/metrics")
    assert status == 200
    lines = text.splitlines()
    assert [each for each in lines if not LINE.fullmatch(each)] == []
    types = [each for each in lines if each.startswith("# TYPE")]
    assert len(types) == len({each.split(" ")[2] for each in types})
    assert 'loadpath_gateway_requests_total{route="all",code="200"} 1' in lines
    assert 'loadpath_gateway_workers{state="serving"} 2' in lines


async def test_looking_changes_nothing(running: Fleet) -> None:
    """GET is not allowed where something is done, POST not where something is told."""
    endpoint = (await running.status())["upstreams"][0]["endpoints"][0]["address"]
    path = f"/api/upstreams/api/endpoints/{endpoint}/drain"
    assert (await running.ask("GET", path))[0] == 405
    assert (await running.ask("POST", "/api/gateway"))[0] == 405
    assert (await running.ask("POST", "/api/upstreams/api/endpoints/x:1/drain"))[0] == 404
    assert (await running.ask("POST", "/api/upstreams/none/endpoints/x:1/drain"))[0] == 404
    assert (await running.ask("GET", "/nothing"))[0] == 404
    assert (await running.ask("POST", path, "Origin: http://evil.example.com"))[0] == 403
    assert (await running.ask("POST", path, "Sec-Fetch-Site: cross-site"))[0] == 403
    status = await running.status()
    assert {each["state"] for each in status["upstreams"][0]["endpoints"]} == {"up"}


async def test_another_name_is_refused(running: Fleet) -> None:
    """A name of somebody else that leads here (DNS rebinding)."""
    reader, writer = await asyncio.open_connection("127.0.0.1", running.admin)
    writer.write(
        b"GET /api/gateway HTTP/1.1\r\nHost: evil.example.com\r\nConnection: close\r\n\r\n"
    )
    assert (await reader.read(-1)).startswith(b"HTTP/1.1 421 ")
    writer.close()


async def test_eject_and_restore_act_on_all_workers(running: Fleet) -> None:
    """An ejection ends by itself, restoring ends it at once."""
    endpoint = (await running.status())["upstreams"][0]["endpoints"][1]["address"]
    path = f"/api/upstreams/api/endpoints/{endpoint}"
    assert await running.ask("POST", f"{path}/eject") == (200, {"workers": 2})
    status = await running.status()
    assert status["upstreams"][0]["endpoints"][1]["state"] == "ejected"
    assert (await running.ask("POST", f"{path}/eject"))[0] == 409
    assert await running.ask("POST", f"{path}/restore") == (200, {"workers": 2})
    status = await running.status()
    assert status["upstreams"][0]["endpoints"][1]["state"] == "up"


async def test_it_does_what_its_document_says(running: Fleet) -> None:
    """Schemathesis asks every operation what a client could; every answer is as documented."""

    def explore() -> int:
        url = f"http://127.0.0.1:{running.admin}/openapi.json"
        schema = schemathesis.openapi.from_url(url)
        explored = 0
        for result in schema.get_all_operations():
            operation = result.ok()

            @settings(
                max_examples=20,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                database=None,
            )
            @given(case=operation.as_strategy())
            def check(case: schemathesis.Case) -> None:
                case.call_and_validate()

            check()
            explored += 1
        return explored

    assert await asyncio.to_thread(explore) == 7
    for endpoint in (await running.status())["upstreams"][0]["endpoints"]:
        await running.ask("POST", f"/api/upstreams/api/endpoints/{endpoint['address']}/restore")


@pytest.mark.skipif(CHROMIUM is None, reason="the program chromium is not installed")
async def test_the_page_shows_and_acts_by_keyboard(running: Fleet) -> None:
    """Endpoints, routes and workers, one button reached by its name; nothing foreign is loaded."""
    asked: list[str] = []
    complaints: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        page = await browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(f"http://127.0.0.1:{running.admin}/")
        endpoint = (await running.status())["upstreams"][0]["endpoints"][0]["address"]
        button = page.get_by_role("button", name=f"drain {endpoint} of api")
        await button.focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("status")).to_contain_text(f"drain: {endpoint}")
        await expect(page.get_by_role("cell", name="drained")).to_be_visible()
        await page.get_by_role("button", name=f"restore {endpoint} of api").press("Enter")
        await expect(page.get_by_role("cell", name="drained")).to_have_count(0)
        await browser.close()
    assert all(each.startswith(f"http://127.0.0.1:{running.admin}/") for each in asked)
    assert complaints == []
