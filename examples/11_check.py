"""Judge what clients saw, in one minute: `python examples/11_check.py`.

A store with a replica that lags is used by three clients, and its history is judged: the verdict is
measured, the counter-example is as short as it gets. The same for transactions and for sessions.
"""

from random import Random

from loadpath.caplab.checkers import linearizable, list_append, session
from loadpath.caplab.history import History, Op, read_text
from loadpath.caplab.models import Register


def recorded(*, lag: int) -> History:
    """Return what clients saw of a register whose replica lags by some writes."""
    history, values, random = History(), [0], Random(7)
    for call in range(60):
        process = call % 3
        if random.random() < 0.4:
            history.append(Op(type="invoke", process=process, f="write", value=call + 1))
            values.append(call + 1)
            history.append(Op(type="ok", process=process, f="write", value=call + 1))
        else:
            history.append(Op(type="invoke", process=process, f="read"))
            seen = values[max(0, len(values) - 1 - (lag if process == 2 else 0))]
            history.append(Op(type="ok", process=process, f="read", value=seen))
    return history


def registers() -> None:
    """Judge a register with and without a replica that lags."""
    for lag in (0, 1):
        verdict = linearizable(recorded(lag=lag), Register(initial=0), explain=True)
        print(f"replica behind by {lag}: {verdict.word}")
        for finding in verdict.findings:
            print(finding.words)


def transactions() -> None:
    """Judge two transactions that missed each other's write."""
    skew = read_text(
        """
        {:process 0 :type :invoke :f :txn :value [[:r :x nil] [:append :y 1]]}
        {:process 1 :type :invoke :f :txn :value [[:r :y nil] [:append :x 1]]}
        {:process 0 :type :ok :f :txn :value [[:r :x []] [:append :y 1]]}
        {:process 1 :type :ok :f :txn :value [[:r :y []] [:append :x 1]]}
        """
    )
    for level in ("snapshot-isolation", "serializable"):
        verdict = list_append(skew, consistency=level)
        print(f"{level}: {verdict.word}")
    print(verdict.findings[0].words)


def sessions() -> None:
    """Judge a client that goes to another node and misses its own post."""
    history = read_text(
        """
        {:process 0 :type :invoke :f :add :value "hello"}
        {:process 0 :type :ok :f :add :value "hello"}
        {:process 0 :type :invoke :f :read}
        {:process 0 :type :ok :f :read :value []}
        """
    )
    print(session(history).findings[0].words)


if __name__ == "__main__":
    registers()
    transactions()
    sessions()
