"""Calls to a dependency that may fail, hang or be overloaded, each pattern on its own.

Guide: chapter 1 "확장 가능한 시스템 설계 원칙" (principles of scalable design), section
"마이크로서비스 아키텍처 패턴" (circuit breaker, loose coupling).
"""

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
)
from loadpath.resilience.deadline import HEADER, Deadline, DeadlinePassed
from loadpath.resilience.fallback.shell import Fallback, FallbackSnapshot, FellBack
from loadpath.resilience.filters import ErrorFilter
from loadpath.resilience.pipeline import Pipeline
from loadpath.resilience.retry.after import parse_retry_after
from loadpath.resilience.retry.policy import GiveUp, RetryPolicy
from loadpath.resilience.retry.shell import GaveUp, Retry, Retrying, RetrySnapshot
from loadpath.resilience.stage import Stage
from loadpath.resilience.timeout.shell import CallTimedOut, TimedOut, Timeout, TimeoutSnapshot

__all__ = [
    "HEADER",
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
    "Deadline",
    "DeadlinePassed",
    "ErrorFilter",
    "Fallback",
    "FallbackSnapshot",
    "FellBack",
    "GaveUp",
    "GiveUp",
    "LastCalls",
    "LastSeconds",
    "Permit",
    "Pipeline",
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
