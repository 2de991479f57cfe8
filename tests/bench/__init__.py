"""Benchmarks, on their own Kafka and Postgres: `python -m tests.bench`.

They print numbers without pass or fail: a ratio of two measurements of one run is meaningful on any machine, a time
only together with other times of the same machine. Counts are checked, however: a wrong count ends the run.

`infrastructure` (Kafka, Postgres, services) · `load` (generated views) · `measurements` · one file per benchmark
"""
