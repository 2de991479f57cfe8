"""Benchmarks of the counter, on a Kafka and a Postgres of their own: `python -m tests.bench`.

They print numbers and judge nothing: a ratio of two things measured in one run says something on any machine,
a time alone says something only beside other times of the same machine. What is counted is checked, though:
a fast counter that counts wrongly ends the run.

`stores` (Kafka, Postgres, services) · `load` (who reads what) · `watching` (what is looked at) · one file a benchmark
"""
