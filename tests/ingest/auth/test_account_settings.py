"""Settings of mails and of the OpenID Connect provider."""

from typing import Any

import pytest

from services.ingest.auth.account_settings import read_account_settings
from services.ingest.auth.callers import Grant
from services.ingest.settings import IngestSettings
from shared.settings import SettingsError
from shared.sites import Site, Sites


def settings(**values: Any) -> IngestSettings:
    return IngestSettings(kafka_bootstrap="none:9092", database_url="postgresql://x/y", **values)


GOOD = {"oidc_issuer": "https://id.example", "oidc_client_id": "presstally"}


def test_account_settings_without_values_are_off(site: Site) -> None:
    """Nothing has to be set: there is no mail and no provider then."""
    found = read_account_settings(settings(), Sites({site.slug: site}))
    assert (found.mail_server, found.provider) == (None, None)


def test_provider_grants_are_read_by_line(site: Site) -> None:
    """Each value of the claim gives rights; values may have spaces and equal signs, and comments are left out."""
    text = "# vai trò\nBan biên tập = publish:haihau:tin-tuc read:haihau\ncn=admins,dc=x = admin # all\n\n"
    found = read_account_settings(
        settings(**GOOD, oidc_grants=text, oidc_grants_claim="groups"), Sites({site.slug: site})
    )
    assert found.provider is not None
    assert found.provider.grants_of(["Ban biên tập"]) == {
        Grant("publish", "haihau", "tin-tuc"),
        Grant("read", "haihau"),
    }
    assert found.provider.grants_of(["cn=admins,dc=x", "other"]) == {Grant("admin")}
    assert found.provider.grants_of([]) == frozenset()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"smtp_url": "smtp://u:secret@mail.example"}, "must be set together"),
        ({"oidc_client_id": "x"}, "PRESSTALLY_OIDC_ISSUER: missing"),
        ({"oidc_client_secret": "secret"}, "PRESSTALLY_OIDC_ISSUER: missing"),
        ({**GOOD, "oidc_issuer": "http://id.example"}, "must be an https URL"),
        ({**GOOD, "oidc_issuer": "https://id.example?x=1"}, "without query"),
        ({**GOOD, "oidc_client_id": ""}, "PRESSTALLY_OIDC_CLIENT_ID: missing"),
        ({**GOOD, "oidc_scopes": "email"}, "must include openid"),
        ({**GOOD, "oidc_grants": "x = read"}, "PRESSTALLY_OIDC_GRANTS_CLAIM: missing"),
        ({**GOOD, "oidc_grants": "x read", "oidc_grants_claim": "groups"}, "line 1 is not"),
        ({**GOOD, "oidc_grants": "\nx = root", "oidc_grants_claim": "groups"}, "line 2: .*must be one of"),
        ({**GOOD, "oidc_grants": "x = read:nowhere", "oidc_grants_claim": "groups"}, "unknown site"),
        ({**GOOD, "oidc_grants": "x = a:b:c:d", "oidc_grants_claim": "groups"}, "is not scope"),
    ],
)
def test_account_settings_that_cannot_work_are_refused(site: Site, values: dict[str, Any], message: str) -> None:
    """Each is named by its variable, and no secret is shown."""
    with pytest.raises(SettingsError, match=message) as refused:
        read_account_settings(settings(**values), Sites({site.slug: site}))
    assert "secret@" not in str(refused.value)
