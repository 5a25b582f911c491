"""A bank that is consistent and survives cuts (C + P) on real PostgreSQL servers.

Guide: "CAP 정리 실증 프로젝트" (the CAP theorem, shown), BankingService.
"""

from loadpath.caplab.bank.errors import (
    BankUnavailableError,
    InsufficientFundsError,
    KeyReusedError,
    TransferInDoubtError,
    TransferVoidError,
    UnknownAccountError,
)
from loadpath.caplab.bank.quorum import Leader, QuorumBank, create_bank, quorum_settings
from loadpath.caplab.bank.rules import ISSUER, Outcome, Transfer

__all__ = [
    "ISSUER",
    "BankUnavailableError",
    "InsufficientFundsError",
    "KeyReusedError",
    "Leader",
    "Outcome",
    "QuorumBank",
    "Transfer",
    "TransferInDoubtError",
    "TransferVoidError",
    "UnknownAccountError",
    "create_bank",
    "quorum_settings",
]
