"""The settings of a gateway as the bootstrap of an Envoy, in YAML.

Source: Envoy's v3 API.
"""

from typing import Any, Final

from loadpath.export.documents import to_yaml
from loadpath.export.envoy.clusters import cluster
from loadpath.export.envoy.refusing import refused_by_envoy
from loadpath.export.envoy.routes import virtual_hosts
from loadpath.export.envoy.values import address, duration, network, typed
from loadpath.export.fates import demand_expressible
from loadpath.gateway.settings.gateway import GatewaySettings
from loadpath.gateway.settings.listening import Listener

_LOG: Final = {
    "time": "%START_TIME%",
    "route": "%ROUTE_NAME%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "method": "%REQ(:METHOD)%",
    "host": "%REQ(:AUTHORITY)%",
    "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "status": "%RESPONSE_CODE%",
    "bytes": "%BYTES_SENT%",
    "milliseconds": "%DURATION%",
    "upstream": "%UPSTREAM_HOST%",
}


def to_envoy(settings: GatewaySettings) -> str:
    """Return an Envoy's bootstrap that does what settings say.

    Raises:
        NotExpressibleError: It cannot do all of it; names every such setting.
    """
    demand_expressible("envoy", refused_by_envoy(settings))
    resources = {
        "listeners": [
            _listener(place, each, settings) for place, each in enumerate(settings.listeners)
        ],
        "clusters": [cluster(name, each) for name, each in settings.upstreams.items()],
    }
    return to_yaml([{"static_resources": resources}])


def _listener(place: int, listener: Listener, settings: GatewaySettings) -> dict[str, Any]:
    chain: dict[str, Any] = {"filters": [_bound(settings), _manager(settings)]}
    if listener.tls:
        chain["transport_socket"] = _tls(listener)
    found: dict[str, Any] = {
        "name": f"listener_{place}",
        "address": address(listener.host, listener.port),
        "filter_chains": [chain],
    }
    if listener.tls:
        inspector = typed("extensions.filters.listener.tls_inspector.v3.TlsInspector")
        found["listener_filters"] = [
            {"name": "envoy.filters.listener.tls_inspector", "typed_config": inspector}
        ]
    return found


def _bound(settings: GatewaySettings) -> dict[str, Any]:
    limit = typed(
        "extensions.filters.network.connection_limit.v3.ConnectionLimit",
        stat_prefix="loadpath",
        max_connections=settings.limits.connections,
    )
    return {"name": "envoy.filters.network.connection_limit", "typed_config": limit}


def _manager(settings: GatewaySettings) -> dict[str, Any]:
    limits, timeouts = settings.limits, settings.timeouts
    manager = typed(
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="loadpath",
        codec_type="HTTP1",
        server_name="loadpath",
        normalize_path=True,
        merge_slashes=True,
        strip_any_host_port=True,
        max_request_headers_kb=-(-limits.head // 1_024),
        request_headers_timeout=duration(timeouts.head),
        common_http_protocol_options={
            "idle_timeout": duration(timeouts.idle),
            "max_headers_count": limits.fields,
        },
        always_set_request_id_in_response=True,
        preserve_external_request_id=True,
        **_trust(settings),
        access_log=_log(settings.log.access),
        http_filters=_filters(),
        route_config={"name": "loadpath", "virtual_hosts": virtual_hosts(settings)},
    )
    return {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": manager,
    }


def _trust(settings: GatewaySettings) -> dict[str, Any]:
    """Return whose X-Forwarded-For is believed."""
    if not settings.trusted_proxies:
        return {"use_remote_address": True}
    listed = typed(
        "extensions.http.original_ip_detection.xff.v3.XffConfig",
        xff_trusted_cidrs={"cidrs": [network(each) for each in settings.trusted_proxies]},
        skip_xff_append=False,
    )
    return {
        "use_remote_address": False,
        "original_ip_detection_extensions": [
            {"name": "envoy.http.original_ip_detection.xff", "typed_config": listed}
        ],
    }


def _log(where: str) -> list[dict[str, Any]]:
    if not where:
        return []
    path = "/dev/stdout" if where == "-" else where
    log = typed(
        "extensions.access_loggers.file.v3.FileAccessLog",
        path=path,
        log_format={"json_format": dict(_LOG)},
    )
    return [{"name": "envoy.access_loggers.file", "typed_config": log}]


def _filters() -> list[dict[str, Any]]:
    limit = typed("extensions.filters.http.local_ratelimit.v3.LocalRateLimit", stat_prefix="all")
    return [
        _filter("cors", typed("extensions.filters.http.cors.v3.Cors")),
        _filter("rbac", typed("extensions.filters.http.rbac.v3.RBAC")),
        _filter("local_ratelimit", limit),
        _filter("router", typed("extensions.filters.http.router.v3.Router")),
    ]


def _filter(name: str, config: dict[str, Any]) -> dict[str, Any]:
    return {"name": f"envoy.filters.http.{name}", "typed_config": config}


def _tls(listener: Listener) -> dict[str, Any]:
    """Return the certificates; Envoy chooses by the names that they carry."""
    pairs = [
        {
            "certificate_chain": {"filename": each.certificate},
            "private_key": {"filename": each.key},
        }
        for each in listener.tls
    ]
    context = typed(
        "extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        common_tls_context={"tls_certificates": pairs, "alpn_protocols": ["http/1.1"]},
    )
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}
