"""The error tree of the whole house.

LoadpathError
├── InDoubtError
│   ├── cache.errors.DatabaseInDoubtError (ConnectionError)
│   ├── caplab.bank.errors.TransferInDoubtError (ConnectionError)
│   ├── http.errors.ResponseInvalidError (ValueError)
│   ├── http.errors.ResponseLostError (ConnectionError)
│   ├── http.errors.ResponseTimeoutError (TimeoutError)
│   ├── lock.errors.ReleaseInDoubtError (ConnectionError)
│   ├── lock.errors.StoreInDoubtError (ConnectionError)
│   ├── resilience.timeout.shell.TimedOut (TimeoutError)
│   ├── resp.errors.ReplyLostError (ConnectionError)
│   └── systems.timeline.load.client.AnswerLostError (ConnectionError)
├── RejectedError
│   ├── balance.balancer.NoEndpointError (ConnectionError)
│   ├── cache.errors.DatabaseUnavailableError (ConnectionError)
│   ├── cache.errors.NotOpenError (RuntimeError)
│   ├── cache.errors.TooManyWritesError (RuntimeError)
│   ├── caplab.bank.errors.BankUnavailableError (ConnectionError)
│   ├── core.ids.ClockWentBack (RuntimeError)
│   ├── gateway.filters.errors.KeysUnknownError (ConnectionError)
│   ├── http.errors.ConnectError (ConnectionError)
│   │   └── http.errors.ConnectTimeoutError (TimeoutError)
│   ├── http.errors.PoolClosedError (RuntimeError)
│   ├── http.errors.PoolFullError (RuntimeError)
│   ├── http.errors.PoolTimeoutError (TimeoutError)
│   ├── lock.errors.LockUnavailableError (ConnectionError)
│   │   └── lock.errors.TooFewReplicasError
│   ├── lock.errors.StaleTokenError (PermissionError)
│   ├── resilience.adaptive.shell.Overloaded (RuntimeError)
│   ├── resilience.breaker.machine.BreakerOpen (ConnectionError)
│   ├── resilience.bulkhead.shell.BulkheadFull (RuntimeError)
│   ├── resilience.deadline.DeadlinePassed (TimeoutError)
│   ├── resilience.ratelimit.gcra.RateLimited (RuntimeError)
│   ├── resilience.ratelimit.redis.RateStoreDown (OSError)
│   ├── resp.errors.NotConnectedError (ConnectionError)
│   ├── resp.errors.TooManyCommandsError (RuntimeError)
│   ├── systems.timeline.api.groupcommit.TooManyPostsError (RuntimeError)
│   ├── systems.timeline.api.passwords.TooManyLoginsError (RuntimeError)
│   └── systems.timeline.load.client.NotSentError (ConnectionError)
├── balance.answers.ProbeFailedError (ConnectionError)
├── balance.balancer.UnknownEndpointError (LookupError)
├── cache.errors.ExtraMissingError (ImportError)
├── cache.errors.FactoryTimeoutError (TimeoutError)
├── cache.errors.KeyArgumentError (TypeError)
├── cache.errors.NotStorableError (TypeError)
├── cache.errors.NotTrackingError (ValueError)
├── cache.errors.UndecodableError (ValueError)
├── cache.remote.L2DownError (ConnectionError)
├── caplab.bank.errors.InsufficientFundsError (ValueError)
├── caplab.bank.errors.KeyReusedError (ValueError)
├── caplab.bank.errors.TransferVoidError (RuntimeError)
├── caplab.bank.errors.UnknownAccountError (LookupError)
├── caplab.extras.ExtraMissingError (ImportError)
├── caplab.history.errors.HistoryError (ValueError)
├── caplab.models.model.ModelError (ValueError)
├── cli.entry.StoppedError
├── cli.entry.UsageError (ValueError)
├── core.settings.SettingsError (ValueError)
├── export.errors.ExtraMissingError (ImportError)
├── export.errors.NotExpressibleError (ValueError)
├── export.reading.tokens.NginxSyntaxError (ValueError)
├── gateway.admin.site.NoSuchEndpointError (LookupError)
├── gateway.errors.CertificateError (ValueError)
├── gateway.errors.PortTakenError (OSError)
├── gateway.errors.ReloadError (RuntimeError)
├── gateway.filters.errors.KeyFileError (ValueError)
├── gateway.filters.errors.NotAuthenticatedError (PermissionError)
│   └── gateway.filters.tokens.UnknownKeyError
├── gateway.fleet.slot.WorkerFailedError (RuntimeError)
├── gateway.passing.problems.GatewayError (RuntimeError)
├── http.errors.BodyLostError (ConnectionError)
│   └── http.errors.BodyTimeoutError (TimeoutError)
├── http.errors.BodyTooLargeError (ValueError)
├── http.errors.ProtocolError (ValueError)
│   └── http.errors.TruncatedError (EOFError)
├── local.errors.ExtraMissingError (ImportError)
├── local.errors.ServerError (RuntimeError)
│   ├── local.errors.FolderError (OSError)
│   │   └── local.errors.FolderInUseError (BlockingIOError)
│   └── local.errors.ProgramMissingError (FileNotFoundError)
├── lock.errors.ExtraMissingError (ImportError)
├── lock.errors.LeaseLost (RuntimeError)
├── lock.errors.LockTimeout (TimeoutError)
├── resp.errors.CommandError (RuntimeError)
│   ├── resp.errors.MovedError
│   │   └── resp.errors.AskError
│   ├── resp.errors.NoScriptError
│   ├── resp.errors.NotAllowedError (PermissionError)
│   ├── resp.errors.ReadOnlyError (RejectedError)
│   └── resp.errors.ServerBusyError (RejectedError)
│       └── resp.errors.LoadingError
├── resp.errors.ExtraMissingError (ImportError)
├── systems.timeline.api.cursors.CursorError (ValueError)
├── systems.timeline.api.problems.ProblemError (RuntimeError)
├── systems.timeline.api.process.PortTakenError (OSError)
├── systems.timeline.api.tokens.TokenError (PermissionError)
├── systems.timeline.api.web.DisconnectedError (ConnectionError)
├── systems.timeline.extras.ExtraMissingError (ImportError)
├── systems.timeline.fanout.log.LogLostError (RuntimeError)
├── systems.timeline.fanout.ringfile.RingFileError (OSError)
├── systems.timeline.fanout.storage.SecondWriterError (RuntimeError)
├── systems.timeline.load.carry.NotAppliedError (TimeoutError)
├── systems.timeline.load.crowd.EmptyCrowdError (ValueError)
├── systems.timeline.load.seeding.OtherGraphError (ValueError)
├── systems.timeline.preflight.NoRecordError (ConnectionError)
├── systems.timeline.preflight.NoRoomError (OSError)
├── systems.timeline.preflight.PortInUseError (OSError)
├── systems.timeline.preflight.WrongDsnError (ValueError)
├── systems.timeline.record.migrate.MigrationError (RuntimeError)
├── systems.timeline.record.postgres.RecordError
│   ├── systems.timeline.record.postgres.RecordInDoubtError (InDoubtError, ConnectionError)
│   ├── systems.timeline.record.postgres.RecordRefusedError (ValueError)
│   │   ├── systems.timeline.record.postgres.IdTakenError
│   │   ├── systems.timeline.record.postgres.NameTakenError
│   │   └── systems.timeline.record.postgres.UnknownAuthorError
│   └── systems.timeline.record.postgres.RecordUnavailableError (RejectedError, ConnectionError)
├── systems.timeline.service.ServiceFailedError (RuntimeError)
├── upstream.errors.ExtraMissingError (ImportError)
├── upstream.errors.ResolveError (ValueError)
└── upstream.errors.UpstreamError
    ├── upstream.errors.UpstreamFailedError (ConnectionError)
    │   └── upstream.errors.UpstreamFailedTimeoutError (TimeoutError)
    ├── upstream.errors.UpstreamInDoubtError (InDoubtError, ConnectionError)
    │   └── upstream.errors.UpstreamInDoubtTimeoutError (TimeoutError)
    └── upstream.errors.UpstreamUnavailableError (RejectedError, ConnectionError)
        └── upstream.errors.UpstreamUnavailableTimeoutError (TimeoutError)

Each leaf lives beside what raises it (its module is drawn without `loadpath.`) and also inherits
the builtin or driver class that a caller already catches, drawn in brackets. Rejected (not tried),
in doubt (sent, no answer) and failed (tried: everything else) are never one.
"""


class LoadpathError(Exception):
    """Catch anything that loadpath raises on purpose."""


class RejectedError(LoadpathError):
    """Refuse work before it was tried: trying again later is safe.

    Attributes:
        retry_after: Seconds until trying again makes sense, None when unknown.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class InDoubtError(LoadpathError):
    """Report work that was sent and never answered: it may or may not have happened."""
