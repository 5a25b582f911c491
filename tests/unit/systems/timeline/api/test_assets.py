"""The page is whole, and stands without the internet."""

import re

import pytest

from loadpath.systems.timeline.api.assets import Asset, page

PAGE = {asset.path: asset for asset in page()}
PARTS = sorted(PAGE)


def test_the_page_is_found() -> None:
    """The package brings the page's files."""
    assert PARTS == ["/", "/icon.svg", "/page.css", "/page.js"]


@pytest.mark.parametrize("path", PARTS)
def test_nothing_foreign_is_named(path: str) -> None:
    """No file asks for anything from another server (names of XML are no addresses)."""
    text = PAGE[path].body.decode().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|//[a-z]+\.", text)


def test_all_that_the_page_asks_for_is_there() -> None:
    """Every file that the page names is served."""
    named = re.findall(r'(?:href|src)="(/[^"]+)"', PAGE["/"].body.decode())
    assert set(named) == set(PARTS) - {"/"}


def test_no_code_or_style_stands_in_the_markup() -> None:
    """What the policy would forbid is not there."""
    html = PAGE["/"].body.decode()
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script>", html)


def test_users_words_never_become_markup() -> None:
    """The script writes text only."""
    script = PAGE["/page.js"].body.decode()
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|DOMParser", script
    )


def test_every_field_has_a_label() -> None:
    """Inputs are named for those who do not see them."""
    html = PAGE["/"].body.decode()
    fields = re.findall(r'<(?:input|textarea) id="(\w+)"', html)
    assert fields
    assert set(fields) <= set(re.findall(r'<label for="(\w+)"', html))


def test_a_file_has_a_tag_of_its_content() -> None:
    """Another content has another tag."""
    one, two = Asset("/", b"a", "text/plain"), Asset("/", b"b", "text/plain")
    assert dict(one.headers)[b"etag"] != dict(two.headers)[b"etag"]
