"""The scripts of the newsroom, in a Node process that the tests of a module share."""

from collections.abc import Iterator

import pytest

from tests.ingest.newsroom.client.scripts import ClientScripts


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClientScripts]:
    scripts = ClientScripts(tmp_path_factory.mktemp("client"))
    yield scripts
    scripts.close()
