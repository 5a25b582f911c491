"""Calls to a dependency that may fail, hang or be overloaded, each pattern on its own.

Guide: chapter 1 "확장 가능한 시스템 설계 원칙" (principles of scalable design), section
"마이크로서비스 아키텍처 패턴" (circuit breaker, loose coupling).
"""

from loadpath.resilience.adaptive.limits import Aimd, ConcurrencyLimit, Gradient
from loadpath.resilience.adaptive.shell import (
    AdaptiveLimit,
    AdaptiveSnapshot,
    LoadShed,
    Overloaded,
)
from loadpath.resilience.breaker.machine import (
    BreakerChanged,
    BreakerMachine,
    BreakerOpen,
    BreakerPolicy,
    BreakerRejected,
    BreakerSnapshot,
    LastCalls,
    LastSeconds,
    State,
)
from loadpath.resilience.breaker.shell import CircuitBreaker, Permit
from loadpath.resilience.budget import BudgetPolicy, BudgetSnapshot, RetryBudget
from loadpath.resilience.bulkhead.shell import (
    Bulkhead,
    BulkheadFull,
    BulkheadRejected,
    BulkheadSnapshot,
    Place,
)
from loadpath.resilience.deadline import HEADER, Deadline, DeadlinePassed
from loadpath.resilience.fallback.shell import Fallback, FallbackSnapshot, FellBack
from loadpath.resilience.filters import ErrorFilter
from loadpath.resilience.hedge.delay import LatencyPercentile
from loadpath.resilience.hedge.shell import Hedge, Hedged, HedgeSnapshot
from loadpath.resilience.pipeline import Pipeline, PipelineSnapshot
from loadpath.resilience.ratelimit.gcra import Rate, RateLimited
from loadpath.resilience.ratelimit.memory import MemoryRates, MemoryRatesSnapshot
from loadpath.resilience.ratelimit.shell import RateLimit, RateLimitSnapshot, RateRejected
from loadpath.resilience.ratelimit.store import RateStore
from loadpath.resilience.retry.after import parse_retry_after
from loadpath.resilience.retry.policy import GiveUp, RetryPolicy
from loadpath.resilience.retry.shell import GaveUp, Retry, Retrying, RetrySnapshot
from loadpath.resilience.stage import Stage
from loadpath.resilience.timeout.shell import CallTimedOut, TimedOut, Timeout, TimeoutSnapshot

__all__ = [
    "HEADER",
    "AdaptiveLimit",
    "AdaptiveSnapshot",
    "Aimd",
    "BreakerChanged",
    "BreakerMachine",
    "BreakerOpen",
    "BreakerPolicy",
    "BreakerRejected",
    "BreakerSnapshot",
    "BudgetPolicy",
    "BudgetSnapshot",
    "Bulkhead",
    "BulkheadFull",
    "BulkheadRejected",
    "BulkheadSnapshot",
    "CallTimedOut",
    "CircuitBreaker",
    "ConcurrencyLimit",
    "Deadline",
    "DeadlinePassed",
    "ErrorFilter",
    "Fallback",
    "FallbackSnapshot",
    "FellBack",
    "GaveUp",
    "GiveUp",
    "Gradient",
    "Hedge",
    "HedgeSnapshot",
    "Hedged",
    "LastCalls",
    "LastSeconds",
    "LatencyPercentile",
    "LoadShed",
    "MemoryRates",
    "MemoryRatesSnapshot",
    "Overloaded",
    "Permit",
    "Pipeline",
    "PipelineSnapshot",
    "Place",
    "Rate",
    "RateLimit",
    "RateLimitSnapshot",
    "RateLimited",
    "RateRejected",
    "RateStore",
    "Retry",
    "RetryBudget",
    "RetryPolicy",
    "RetrySnapshot",
    "Retrying",
    "Stage",
    "State",
    "TimedOut",
    "Timeout",
    "TimeoutSnapshot",
    "parse_retry_after",
]
