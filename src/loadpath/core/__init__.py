"""What every room stands on: time, backoff, ids, statistics, errors, settings. No I/O."""
