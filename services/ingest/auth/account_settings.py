"""The settings of mails and of the OpenID Connect provider, parsed and compared with the sites."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.ingest.auth.callers import Grant
from services.ingest.auth.mail import MailServer, MailSettingsError, parse_mail_server
from services.ingest.auth.oidc import ProviderConfig, is_safe_url
from services.ingest.auth.people import check_grants, parse_grants
from services.ingest.content.errors import InvalidContentError
from services.ingest.settings import IngestSettings
from shared.settings import SettingsError
from shared.sites import Sites


@dataclass(frozen=True)
class AccountSettings:
    """How people get mails, and where else they log in."""

    mail_server: MailServer | None
    provider: ProviderConfig | None


def read_account_settings(settings: IngestSettings, sites: Sites) -> AccountSettings:
    """Return the parsed settings.

    Raises:
        SettingsError: one or more of them are invalid; all are named, without secrets.
    """
    errors: list[str] = []
    server = None
    try:
        server = parse_mail_server(settings.smtp_url.get_secret_value(), settings.mail_from)
    except MailSettingsError as error:
        errors.append(str(error))
    provider = _provider(settings, sites, errors)
    if errors:
        lines = "\n".join(f"  {error}" for error in errors)
        raise SettingsError(f"{len(errors)} invalid setting(s):\n{lines}")
    return AccountSettings(server, provider)


def _provider(settings: IngestSettings, sites: Sites, errors: list[str]) -> ProviderConfig | None:
    secret = settings.oidc_client_secret.get_secret_value()
    if not settings.oidc_issuer:
        if settings.oidc_client_id or secret or settings.oidc_grants or settings.oidc_grants_claim:
            errors.append("PRESSTALLY_OIDC_ISSUER: missing, while other PRESSTALLY_OIDC_ variables are set")
        return None
    if not is_safe_url(settings.oidc_issuer) or "?" in settings.oidc_issuer or "#" in settings.oidc_issuer:
        errors.append("PRESSTALLY_OIDC_ISSUER: must be an https URL without query")
    if not settings.oidc_client_id:
        errors.append("PRESSTALLY_OIDC_CLIENT_ID: missing")
    if "openid" not in settings.oidc_scopes.split():
        errors.append("PRESSTALLY_OIDC_SCOPES: must include openid")
    grants = parse_provider_grants(settings.oidc_grants, sites, errors)
    if grants and not settings.oidc_grants_claim:
        errors.append("PRESSTALLY_OIDC_GRANTS_CLAIM: missing, while PRESSTALLY_OIDC_GRANTS is set")
    return ProviderConfig(
        settings.oidc_issuer,
        settings.oidc_client_id,
        secret,
        settings.oidc_name,
        settings.oidc_scopes,
        settings.oidc_grants_claim,
        grants,
    )


def parse_provider_grants(text: str, sites: Sites, errors: list[str]) -> Mapping[str, frozenset[Grant]]:
    """Return the rights that values of the claim give, from lines `value = scope:site:section …`.

    Args:
        text: The setting.
        sites: The installation's sites.
        errors: Messages about invalid lines are added to it.
    """
    found: dict[str, frozenset[Grant]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        content = line.split("#")[0].strip()
        value, separator, granted = content.rpartition("=")
        if not content:
            continue
        place = f"PRESSTALLY_OIDC_GRANTS: line {number}"
        if not separator or not value.strip() or not granted.split():
            errors.append(f"{place} is not `value = scope:site:section …`")
            continue
        try:
            found[value.strip()] = check_grants(parse_grants(granted.split()), sites, "grants")
        except (InvalidContentError, ValueError) as error:
            errors.append(f"{place}: {error}")
    return found
