"""`make sbom`: the components of the image."""

import json
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def locked() -> dict[str, tuple[str, set[str]]]:
    """Return {name: (version, hashes)} of the packages in the image."""
    text = (ROOT / "requirements.txt").read_text()
    found = {}
    for block in re.split(r"\n(?=[a-z0-9])", text):
        named = re.match(r"([a-z0-9-]+)(?:\[.*?\])?==(\S+)", block)
        assert named is not None, block[:80]
        found[named[1]] = (named[2], set(re.findall(r"--hash=sha256:([0-9a-f]{64})", block)))
    return found


def test_sbom_lists_every_locked_package() -> None:
    """Each package of requirements.txt is in the file with its version, purl and hashes, and no other is."""
    done = subprocess.run(["make", "-s", "sbom"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text = (ROOT / "dist/presstally.cdx.json").read_text()
    document = json.loads(text)
    assert (document["bomFormat"], document["metadata"]["component"]["name"]) == ("CycloneDX", "presstally")
    listed = {}
    for component in document["components"]:
        hashes = [one for reference in component["externalReferences"] for one in reference.get("hashes", [])]
        assert component["purl"] == f"pkg:pypi/{component['name']}@{component['version']}"
        listed[component["name"]] = (
            component["version"],
            {one["content"] for one in hashes if one["alg"] == "SHA-256"},
        )
    assert listed == locked()
    assert len(listed) > 40
    assert str(ROOT) not in text


def test_image_labels_match_the_project() -> None:
    """The image's labels name its title, licence, version and revision, and the version is the project's."""
    text = (ROOT / "deploy/Dockerfile").read_text()
    version = re.findall(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[0]
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', text))
    assert labels["version"] == version
    assert labels["licenses"] == "Apache-2.0"
    assert labels["revision"] == "${REVISION}"
    assert labels["title"]
