"""The error tree of the whole house.

LoadpathError
├── InDoubtError
│   ├── resp.errors.ReplyLostError (ConnectionError)
│   └── systems.timeline.load.client.AnswerLostError (ConnectionError)
├── RejectedError
│   ├── cache.errors.NotOpenError (RuntimeError)
│   ├── cache.errors.TooManyWritesError (RuntimeError)
│   ├── core.ids.ClockWentBack (RuntimeError)
│   ├── resp.errors.NotConnectedError (ConnectionError)
│   ├── resp.errors.TooManyCommandsError (RuntimeError)
│   ├── systems.timeline.api.groupcommit.TooManyPostsError (RuntimeError)
│   ├── systems.timeline.api.passwords.TooManyLoginsError (RuntimeError)
│   └── systems.timeline.load.client.NotSentError (ConnectionError)
├── cache.errors.FactoryTimeoutError (TimeoutError)
├── cache.errors.KeyArgumentError (TypeError)
├── cache.errors.NotStorableError (TypeError)
├── cache.errors.NotTrackingError (ValueError)
├── cache.errors.UndecodableError (ValueError)
├── cache.remote.L2DownError (ConnectionError)
├── cli.entry.StoppedError
├── cli.entry.UsageError (ValueError)
├── core.settings.SettingsError (ValueError)
├── local.errors.ExtraMissingError (ImportError)
├── local.errors.ServerError (RuntimeError)
│   ├── local.errors.FolderError (OSError)
│   │   └── local.errors.FolderInUseError (BlockingIOError)
│   └── local.errors.ProgramMissingError (FileNotFoundError)
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
└── systems.timeline.service.ServiceFailedError (RuntimeError)

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
