"""The settings of a gateway as the files of nginx, HAProxy, Envoy, Kubernetes and AWS, and back.

Guide: chapter 3, "Nginx 로드 밸런싱 설정" and "AWS 로드 밸런싱".

Every writer is pure, `GatewaySettings` to text, and says all that the settings say or raises
`NotExpressibleError`. Those of YAML and TOML live in their own packages (`export.envoy`,
`export.kubernetes`, `export.aws`, `export.toml`), because they need the extra `export`.
"""

from loadpath.export.errors import ExtraMissingError, NotExpressibleError, Refusal
from loadpath.export.haproxy import to_haproxy
from loadpath.export.nginx import to_nginx
from loadpath.export.reading import Imported, NginxSyntaxError, Note, from_nginx
from loadpath.export.targets import TARGETS, Target, fates_of, writer_of

__all__ = [
    "TARGETS",
    "ExtraMissingError",
    "Imported",
    "NginxSyntaxError",
    "NotExpressibleError",
    "Note",
    "Refusal",
    "Target",
    "fates_of",
    "from_nginx",
    "to_haproxy",
    "to_nginx",
    "writer_of",
]
