"""The whole system on one machine, without Docker: what `make run`, `make up` and `make down` call.

bootstrap (system Python: checks, venv, jars) → __main__ → stack (which parts) → supervisor (keeps them running)
                                                         kafka, postgres: how those two are started
"""
