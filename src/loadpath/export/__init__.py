"""The settings of a gateway as the files of nginx, HAProxy, Envoy, Kubernetes and AWS.

Guide: chapter 3, "Nginx 로드 밸런싱 설정" and "AWS 로드 밸런싱".
"""

from loadpath.export.errors import ExtraMissingError, NotExpressibleError, Refusal
from loadpath.export.nginx import to_nginx

__all__ = [
    "ExtraMissingError",
    "NotExpressibleError",
    "Refusal",
    "to_nginx",
]
