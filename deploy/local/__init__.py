"""The whole system on one machine, without Docker: what `make run`, `make up` and `make down` call.

bootstrap (system Python: checks, venv, jars) → __main__ → stack (which processes) → supervisor (keeps them running)
                                                         kafka, postgres: commands and configuration of those two
"""
