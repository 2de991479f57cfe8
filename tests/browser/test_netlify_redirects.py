"""Old URLs in `_redirects`, read by the parser that Netlify itself uses."""

import json
import subprocess
from pathlib import Path

from services.render.export.server_configs import netlify_redirects
from tests.render.export.test_server_parsers import redirects

PARSE = """
import { pathToFileURL } from "node:url";
const { parseAllRedirects } = await import(pathToFileURL(process.argv[1] + "/@netlify/redirect-parser/lib/index.js"));
console.log(JSON.stringify(await parseAllRedirects({ redirectsFiles: [process.argv[2]], configRedirects: [] })));
"""


def test_netlify_reads_each_rule_as_one_old_url(validators: Path, tmp_path: Path) -> None:
    """A rule goes to the article's page, from one URL: the home page of a static copy was taken by a query before."""
    (tmp_path / "_redirects").write_text(netlify_redirects(redirects()))
    command = ["node", "--input-type=module", "-e", PARSE, str(validators), str(tmp_path / "_redirects")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    parsed = json.loads(done.stdout)
    rules = parsed["redirects"]
    assert parsed["errors"] == []
    assert len(rules) == len(redirects().moved) + 1
    for rule in rules:
        assert rule["to"].startswith(("/bai-", "/410.html")), rule
        assert (rule["force"], rule["conditions"]) == (False, {})
        assert not {"*", ":"} & set(rule["path"]), rule
        assert rule["path"] != "/" or rule["query"], rule
        assert not [value for value in rule["query"].values() if value.startswith(":")]
    assert {rule["status"] for rule in rules} == {301, 410}
