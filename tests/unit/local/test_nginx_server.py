"""The settings file around what the caller gives."""

from loadpath.local.nginx_server import render


def test_everything_stays_inside_the_servers_folder() -> None:
    """No path of the file is absolute, and nginx listens on loopback only."""
    text = render(port=8080, server="location / { return 204; }", http="upstream app {}")
    assert "listen 127.0.0.1:8080;" in text
    assert "location / { return 204; }" in text
    assert "upstream app {}" in text
    assert "_path /" not in text
