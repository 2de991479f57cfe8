"""The service's SQL statements by name, for each schema that can hold a generation."""

import re

from shared.postgres import NamedQueries, read_queries

SCHEMAS = ("render", "render_2", "render_3")
"""The schemas that can hold a generation. The first is also home of what is common to all."""
_TEMPLATES = read_queries(__package__)
GENERATIONS = {
    schema: NamedQueries({name: re.sub(r"\bgeneration\.", f"{schema}.", text) for name, text in _TEMPLATES.items()})
    for schema in SCHEMAS
}
"""The statements, for each generation."""
SQL = GENERATIONS[SCHEMAS[0]]
"""For statements that concern no generation."""
