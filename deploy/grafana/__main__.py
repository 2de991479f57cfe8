"""`python -m deploy.grafana`: write dashboards/*.json."""

import json
import sys
from pathlib import Path

from deploy.grafana.boards.collector import COLLECTOR
from deploy.grafana.boards.counting import COUNTING
from deploy.grafana.boards.overview import OVERVIEW
from deploy.grafana.boards.panels import to_json
from deploy.grafana.boards.publishing import PUBLISHING

BOARDS = (OVERVIEW, COLLECTOR, COUNTING, PUBLISHING)
FOLDER = Path(__file__).parent / "dashboards"


def files() -> dict[str, str]:
    """Return {file name: text} of all dashboards."""
    return {
        board.uid.removeprefix("presstally-") + ".json": json.dumps(to_json(board), indent=1, ensure_ascii=False) + "\n"
        for board in BOARDS
    }


if __name__ == "__main__":
    for name, text in files().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    sys.stdout.write(f"wrote {', '.join(files())}\n")
