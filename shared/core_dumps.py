"""No core dumps: the memory of a process that crashes has addresses of visitors, passwords and salts."""

import resource


def forbid_core_dumps() -> None:
    """Forbid them to this process and to those that it starts; who looks for a fault can raise the limit again."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
