"""The page in a real browser: what two people see and do."""

import shutil
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.integration.timeline.processes import Api

CHROMIUM = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (found := shutil.which(name))
    ),
    None,
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="the program chromium is not installed")
PASSWORD = "correct horse"
SCRIPT = "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>"


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Run a browser without a screen."""
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield launched
        await launched.close()


class Person:
    """Use the page as a person would, by what labels and buttons say.

    Attributes:
        page: The browser's page.
        name: Who it is.
        complaints: What the browser's console complained about.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.name = f"u_{uuid4().hex[:12]}"
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "console",
            lambda said: self.complaints.append(said.text) if said.type == "error" else None,
        )

    async def sign_up(self, url: str) -> None:
        """Open the page and make an account."""
        await self.page.goto(url)
        await self.page.get_by_label("Name", exact=True).fill(self.name)
        await self.page.get_by_label("Password", exact=True).fill(PASSWORD)
        await self.page.get_by_role("button", name="Sign up").click()
        await expect(self.page.get_by_text(f"Signed in as {self.name}")).to_be_visible()

    async def visit(self, name: str) -> None:
        """Look at somebody."""
        await self.page.get_by_label("Find a user by name").fill(name)
        await self.page.get_by_role("button", name="Show", exact=True).click()

    async def post(self, text: str) -> None:
        """Write a post."""
        await self.page.get_by_label("What is happening?").fill(text)
        await self.page.get_by_role("button", name="Post", exact=True).click()
        await expect(self.page.get_by_label("What is happening?")).to_have_value("")


@pytest.fixture
async def people(api: Api, browser: Browser) -> AsyncIterator[list[Person]]:
    """Give two people who have signed up, each in a browser of their own."""
    contexts = [await browser.new_context() for _ in range(2)]
    both = [Person(await context.new_page()) for context in contexts]
    for person in both:
        await person.sign_up(api.url)
    yield both
    for context in contexts:
        await context.close()


async def test_posts_appear_live_and_as_text(people: list[Person]) -> None:
    """Alice follows Bob and sees what he posts without reloading; markup stays text."""
    alice, bob = people
    await alice.visit(bob.name)
    await alice.page.get_by_role("button", name="Follow", exact=True).click()
    await expect(alice.page.get_by_role("button", name="Unfollow")).to_be_visible()
    await alice.page.get_by_role("button", name="Home").click()
    await bob.post("안녕하세요, first post 👋")
    await bob.post(SCRIPT)
    posts = alice.page.locator("#posts li")
    await expect(posts).to_have_count(2, timeout=20_000)
    await expect(posts.nth(0).locator(".text")).to_have_text(SCRIPT)
    await expect(posts.nth(1).locator(".text")).to_have_text("안녕하세요, first post 👋")
    assert await alice.page.title() == "Timeline"
    assert await alice.page.locator("#posts img, #posts script").count() == 0
    await bob.page.get_by_role("button", name="My posts").click()
    await expect(bob.page.locator("#posts li")).to_have_count(2)
    await alice.page.get_by_role("button", name=f"Show {bob.name}").first.click()
    await alice.page.get_by_role("button", name="Unfollow").click()
    await alice.page.get_by_role("button", name="Home").click()
    await expect(alice.page.get_by_text("Nothing yet.")).to_be_visible()
    assert alice.complaints == bob.complaints == []


async def test_problems_are_shown_in_the_servers_words(people: list[Person]) -> None:
    """What the problem document says is announced, and the field is marked."""
    alice, _ = people
    await alice.page.get_by_label("What is happening?").fill("x" * 281)
    await expect(alice.page.locator("#left")).to_have_text("-1 left")
    await alice.page.get_by_role("button", name="Post", exact=True).click()
    alert = alice.page.get_by_role("alert")
    await expect(alert).to_contain_text("1-280 characters")
    await expect(alice.page.get_by_label("What is happening?")).to_have_attribute(
        "aria-invalid", "true"
    )
    await alice.visit("nobody_here")
    await expect(alert).to_contain_text("No user has this name")
    await alice.page.get_by_role("button", name="Sign out").click()
    await alice.page.get_by_label("Name", exact=True).fill(alice.name)
    await alice.page.get_by_label("Password", exact=True).fill("wrong horse")
    await alice.page.get_by_role("button", name="Sign in").click()
    await expect(alert).to_contain_text("do not belong together")


async def test_older_posts_follow(people: list[Person]) -> None:
    """The button at the end loads the next page, without a post twice."""
    alice, _ = people
    for n in range(23):
        await alice.post(f"post {n}")
    await alice.page.get_by_role("button", name="My posts").click()
    posts = alice.page.locator("#posts li .text")
    await expect(posts).to_have_count(20)
    await alice.page.get_by_role("button", name="Older posts").click()
    await expect(posts).to_have_text([f"post {n}" for n in range(22, -1, -1)])
    await expect(alice.page.get_by_role("button", name="Older posts")).to_be_hidden()


async def test_a_reload_keeps_the_session(people: list[Person]) -> None:
    """Who reloads stays signed in; who signs out does not."""
    alice, _ = people
    await alice.page.reload()
    await expect(alice.page.get_by_text(f"Signed in as {alice.name}")).to_be_visible()
    await alice.page.get_by_role("button", name="Sign out").click()
    await alice.page.reload()
    await expect(alice.page.get_by_role("heading", name="Sign in")).to_be_visible()
