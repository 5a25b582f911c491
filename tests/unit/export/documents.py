"""Settings in which a target says all that it can."""

from typing import Any

EVERYTHING_IN_HAPROXY: dict[str, Any] = {
    "listeners": [{"host": "127.0.0.1", "port": 8080}],
    "upstreams": {
        "users": {
            "policy": "least_connections",
            "endpoints": [
                {"address": "127.0.0.1:3001", "weight": 3},
                {"address": "127.0.0.1:3002", "backup": True},
            ],
            "health": {},
            "sticky": {"max_age": 60},
            "slow_start": 10,
        },
        "keyed": {
            "policy": "ketama",
            "hash": {"source": "header", "name": "X-User"},
            "endpoints": [{"address": "127.0.0.1:3003"}],
        },
    },
    "routes": [
        {
            "name": "api",
            "match": {"prefix": "/api", "hosts": ["*.example.com"], "methods": ["GET"]},
            "targets": [{"upstream": "users", "weight": 3}, {"upstream": "keyed"}],
            "rewrite": {"prefix": "/v1", "host": "inside"},
            "request_headers": {"set": {"X-A": "100% 'a'"}, "remove": ["X-B"]},
            "response_headers": {"set": {"X-C": "c"}, "remove": ["X-D"]},
            "addresses": {"allow": ["10.0.0.0/8"], "deny": ["10.0.0.1"]},
            "rate_limit": {"limit": 10, "burst": 10},
        },
        {
            "name": "users",
            "match": {"prefix": "/api/users", "hosts": ["*.example.com"], "headers": {"X-K": "*"}},
            "targets": [{"upstream": "users"}],
            "upgrade": False,
        },
        {
            "name": "item",
            "match": {"regex": "/i/([0-9]+)"},
            "targets": [{"upstream": "keyed"}],
            "rewrite": {"path": "/items/\\1"},
        },
        {"name": "gone", "match": {"exact": "/gone"}, "respond": {"status": 410, "body": "it's"}},
        {
            "name": "away",
            "match": {"exact": "/away"},
            "respond": {"status": 308, "location": "https://a.example.com/"},
        },
    ],
}

EVERYTHING_IN_ENVOY: dict[str, Any] = {
    "listeners": [
        {"host": "127.0.0.1", "port": 8080},
        {"host": "127.0.0.1", "port": 8443, "tls": [{"certificate": "PEM", "key": "PEM"}]},
    ],
    "trusted_proxies": ["10.0.0.0/8", "::1"],
    "upstreams": {
        "users": {
            "endpoints": [
                {"address": "127.0.0.1:3001", "weight": 3},
                {"address": "127.0.0.1:3002", "backup": True},
            ],
            "health": {"status": [200, 204]},
            "slow_start": 10,
            "tls": {"server_name": "users.example.com", "ca": "PEM"},
        },
        "keyed": {
            "policy": "ketama",
            "hash": {"source": "cookie", "name": "user"},
            "endpoints": [{"address": "localhost:3003"}],
            "retries": {"tries": 2, "budget": 0.1},
        },
        "found": {"policy": "maglev", "discovery": {"dns": "found.example.com", "port": 80}},
    },
    "routes": [
        {
            "name": "api",
            "match": {
                "prefix": "/api",
                "hosts": ["*.example.com", "a.example.com"],
                "methods": ["GET", "PUT"],
                "headers": {"X-A": "a", "X-B": "*"},
            },
            "targets": [{"upstream": "keyed"}],
            "rewrite": {"prefix": "/v1", "host": "inside"},
            "mirror": {"upstream": "users", "share": 0.25},
            "request_headers": {"set": {"X-A": "100% a"}, "remove": ["X-B"]},
            "response_headers": {"set": {"X-C": "c"}, "remove": ["X-D"]},
            "addresses": {"allow": ["10.0.0.0/8"], "deny": ["10.0.0.1"]},
            "cors": {"origins": ["https://a.example.com"], "credentials": True, "expose": ["X-C"]},
            "rate_limit": {"limit": 10, "burst": 10, "key": "route"},
        },
        {
            "name": "item",
            "match": {"regex": "/i/([0-9]+)"},
            "targets": [{"upstream": "found"}],
            "rewrite": {"path": "/items/\\1"},
            "upgrade": False,
        },
        {"name": "gone", "match": {"exact": "/gone"}, "respond": {"status": 410, "body": "gone"}},
        {"name": "all", "targets": [{"upstream": "users"}], "rewrite": {"prefix": "/x"}},
    ],
}
EVERYTHING_IN_ENVOY["routes"][3]["match"] = {"prefix": "/"}

EVERYTHING_IN_KUBERNETES: dict[str, Any] = {
    "listeners": [{"port": 8080}],
    "upstreams": {
        "users": {
            "endpoints": [
                {"address": "10.0.0.1:3001", "zone": "a"},
                {"address": "10.0.0.2:3001"},
                {"address": "[fd00::1]:3001"},
            ],
            "zone": "a",
            "timeouts": {"total": 1.5},
            "tls": {"server_name": "users.example.com"},
        },
        "canary": {"endpoints": [{"address": "10.0.0.3:3001"}], "timeouts": {"total": 1.5}},
    },
    "routes": [
        {
            "name": "api",
            "match": {
                "prefix": "/api",
                "hosts": ["api.example.com"],
                "methods": ["GET", "PUT"],
                "headers": {"X-A": "a", "X-B": "*"},
            },
            "targets": [{"upstream": "users", "weight": 9}, {"upstream": "canary"}],
            "rewrite": {"prefix": "/v1", "host": "inside.example.com"},
            "mirror": {"upstream": "canary", "share": 0.25},
            "request_headers": {"set": {"X-A": "a"}, "remove": ["X-B"]},
            "response_headers": {"set": {"X-C": "c"}, "remove": ["X-D"]},
        },
        {"name": "item", "match": {"regex": "/i/[0-9]+"}, "targets": [{"upstream": "users"}]},
        {
            "name": "away",
            "match": {"exact": "/away"},
            "respond": {"status": 301, "location": "https://a.example.com:8443/there"},
        },
    ],
}

EVERYTHING_IN_AWS: dict[str, Any] = {
    "listeners": [{"port": 80}],
    "upstreams": {
        "users": {
            "policy": "least_connections",
            "endpoints": [{"address": "users:3001"}],
            "health": {"status": [200, 204]},
            "sticky": {"cookie": "session", "max_age": 60},
        },
        "canary": {"endpoints": [{"address": "canary:3001"}], "slow_start": 60},
    },
    "routes": [
        {
            "name": "api",
            "match": {
                "prefix": "/api",
                "hosts": ["api.example.com"],
                "methods": ["GET", "PUT"],
                "headers": {"X-A": "a", "X-B": "*"},
            },
            "targets": [{"upstream": "users", "weight": 9}, {"upstream": "canary"}],
        },
        {"name": "gone", "match": {"exact": "/gone"}, "respond": {"status": 410, "body": "gone"}},
        {
            "name": "away",
            "match": {"exact": "/away"},
            "respond": {"status": 301, "location": "https://a.example.com/there"},
        },
    ],
}
