"""One gateway.toml, other gateways' files: `python examples/13_export.py`.

The guide's nginx file is read, with its mistakes named; what it means is written again for nginx,
and what HAProxy would lose is refused.
"""

from loadpath.export import NotExpressibleError, from_nginx, to_haproxy, to_nginx

GUIDE = """
upstream backend {
    server 127.0.0.1:3001;
    server 127.0.0.1:3003 weight=3;
    least_conn;
    ip_hash;
    server 127.0.0.1:3009 max_fails=3 fail_timeout=30s;
}
server {
    listen 80;
    server_name api.example.com;
    location / {
        proxy_pass http://backend;
        proxy_set_header Host $host;
        proxy_connect_timeout 5s;
        proxy_send_timeout 10s;
        proxy_read_timeout 15s;
    }
}
"""


def main() -> None:
    """Read, write, refuse."""
    imported = from_nginx(GUIDE, file="guide.conf")
    for note in imported.notes:
        print(note)
    print()
    block = to_nginx(imported.settings).partition('    upstream "backend"')[2]
    print('    upstream "backend"' + block.partition("}")[0] + "}")
    print()
    try:
        to_haproxy(imported.settings)
    except NotExpressibleError as error:
        print(error)


if __name__ == "__main__":
    main()
