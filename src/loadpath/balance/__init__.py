"""Which endpoint gets the next call: sets, policies, health, outlier ejection.

Guide: chapter 3, "고급 로드 밸런싱 전략" (load balancing).
"""

from loadpath.balance.answers import ProbeFailedError
from loadpath.balance.balancer import Balancer, NoEndpointError, UnknownEndpointError
from loadpath.balance.checker import ActiveChecker
from loadpath.balance.draw import WeightedRandom
from loadpath.balance.endpoint import Endpoint, EndpointSet, Swap
from loadpath.balance.health import HealthRules
from loadpath.balance.iphash import IPHash
from loadpath.balance.lease import Pick
from loadpath.balance.leastconnections import LeastConnections
from loadpath.balance.ledger import LatencyRules
from loadpath.balance.maglev import Maglev
from loadpath.balance.member import Member
from loadpath.balance.outlier import Failure, OutlierDetector, OutlierRules
from loadpath.balance.picker import Picker, Policy
from loadpath.balance.probes import HttpProbe, PostgresProbe, Probe, RedisProbe, TcpProbe
from loadpath.balance.responsetime import LeastResponseTime
from loadpath.balance.ring import Ketama
from loadpath.balance.roundrobin import RoundRobin
from loadpath.balance.router import HealthRouter
from loadpath.balance.slowstart import SlowStart
from loadpath.balance.stats import BalancerStats, LevelStats, ServerStats
from loadpath.balance.sticky import StickyCookie
from loadpath.balance.weighted import EarliestDeadline, SmoothWeighted, WeightedRoundRobin

__all__ = [
    "ActiveChecker",
    "Balancer",
    "BalancerStats",
    "EarliestDeadline",
    "Endpoint",
    "EndpointSet",
    "Failure",
    "HealthRouter",
    "HealthRules",
    "HttpProbe",
    "IPHash",
    "Ketama",
    "LatencyRules",
    "LeastConnections",
    "LeastResponseTime",
    "LevelStats",
    "Maglev",
    "Member",
    "NoEndpointError",
    "OutlierDetector",
    "OutlierRules",
    "Pick",
    "Picker",
    "Policy",
    "PostgresProbe",
    "Probe",
    "ProbeFailedError",
    "RedisProbe",
    "RoundRobin",
    "ServerStats",
    "SlowStart",
    "SmoothWeighted",
    "StickyCookie",
    "Swap",
    "TcpProbe",
    "UnknownEndpointError",
    "WeightedRandom",
    "WeightedRoundRobin",
]
