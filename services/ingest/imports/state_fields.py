"""The fields by which each format says whether an item is public: state, password, embargo, expiry, visibility, type.

Data only; `publication` decides with them, and docs/importing.md has the same tables. Sources of the values: WordPress
(post statuses, WXR), Ghost (schemas of posts and posts_meta), NukeViet (module news), IPTC ninjs 1 to 3 and Superdesk,
Hugo, Jekyll, Hexo, Zola, Eleventy and Pelican (front matter), RFC 5023 and Blogger (Atom), PRISM and Media RSS.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

Outcome = Literal["public", "scheduled", "draft", "left_out"]
Role = Literal["state", "password", "embargo", "publish_time", "expiry", "visibility", "type"]


@dataclass(frozen=True)
class StateField:
    """A field of a format. Values are in lower case; those of flags are true and false."""

    name: str
    role: Role
    values: Mapping[str, Outcome] = field(default_factory=dict)
    """Known values of a state, visibility or type. A password is any value; the other roles are times."""
    absent: Outcome = "public"
    """The outcome if the field is missing or empty."""
    other: Outcome = "draft"
    """The outcome of a value that is not known."""
    is_flag: bool = False


def _values(**outcomes: str) -> dict[str, Outcome]:
    """Return the outcome of each value, from values separated by spaces for each outcome."""
    return {value: outcome for outcome, values in outcomes.items() for value in values.split()}  # type: ignore[misc]


def _flag(name: str, role: Role, *, true: Outcome, false: Outcome) -> StateField:
    return StateField(name, role, {"true": true, "false": false}, is_flag=True)


_WORDPRESS_PARTS = (
    "page attachment revision nav_menu_item custom_css customize_changeset oembed_cache user_request wp_block "
    "wp_template wp_template_part wp_global_styles wp_navigation wp_font_family wp_font_face acf-field "
    "acf-field-group wpcf7_contact_form elementor_library shop_order shop_coupon product_variation feedback"
)
WORDPRESS_STATUS = _values(
    public="publish", scheduled="future", draft="draft pending private inherit", left_out="trash auto-draft"
)
NINJS_SIGNALS = _values(
    public="update updated correction corrected corr newscontent urgent flash bulletin newsalert alert advisory live"
    " writethru isnotdigitized singlesource explicitcontent breaking exclusive"
)
"""Signals that say nothing against a publication. Others, such as an embargo, a hold, a kill or a test, do."""
_BLOGGER_TYPE = _values(public="post", left_out="page comment template settings layout config")

STATE_FIELDS: Mapping[str, tuple[StateField, ...]] = MappingProxyType(
    {
        "text": (),
        "html": (
            StateField("article:expiration_time", "expiry"),
            StateField("schema.org expires", "expiry"),
            StateField("robots unavailable_after", "expiry"),
            StateField("schema.org creativeWorkStatus", "state", _values(public="published", draft="draft incomplete")),
            _flag("schema.org isAccessibleForFree", "visibility", true="public", false="draft"),
            StateField("schema.org conditionsOfAccess", "visibility", _values(public="public free none everyone")),
            StateField("article:content_tier", "visibility", _values(public="free", draft="metered locked")),
            StateField("class status-…", "state", WORDPRESS_STATUS),
            StateField("class post-password-required", "password"),
            StateField(
                "notice on the page", "visibility", {"it is not published": "draft", "it is not for everyone": "draft"}
            ),
            StateField("text of the page", "type", {"a list of links": "draft"}),
        ),
        "markdown": (
            _flag("draft", "state", true="draft", false="public"),
            _flag("published", "state", true="public", false="draft"),
            *(
                StateField(
                    name,
                    "state",
                    _values(
                        public="publish published public live",
                        scheduled="scheduled future",
                        draft="draft hidden private pending unlisted inherit",
                        left_out="skip trash auto-draft",
                    ),
                )
                for name in ("status", "state", "post_status")
            ),
            *(_flag(name, "state", true="draft", false="public") for name in ("is_draft", "isdraft", "scheduled")),
            *(_flag(name, "state", true="public", false="draft") for name in ("publish", "ispublished")),
            StateField("access", "visibility", _values(public="public all everyone")),
            StateField("visibility", "visibility", _values(public="public", draft="private members paid hidden")),
            *(
                _flag(name, "visibility", true="draft", false="public")
                for name in ("private", "hidden", "hide", "unlisted", "eleventyexcludefromcollections")
            ),
            *(_flag(name, "visibility", true="public", false="draft") for name in ("public", "is_public", "render")),
            StateField("permalink", "visibility", _values(draft="false"), other="public"),
            StateField("build.render", "visibility", _values(public="always true", draft="never false link")),
            StateField("build.list", "visibility", _values(public="always true", draft="never false local")),
            *(StateField(name, "password") for name in ("password", "post_password")),
            StateField("encrypt", "password"),
            *(StateField(name, "publish_time") for name in ("publishdate", "pubdate", "publish_at", "published_at")),
            StateField("embargo_until", "embargo"),
            *(StateField(name, "expiry") for name in ("expirydate", "unpublishdate", "expires", "unpublish_at")),
            StateField("type", "type", _values(left_out="attachment revision nav_menu_item"), other="public"),
            _flag("headless", "type", true="left_out", false="public"),
            StateField("folder", "state", _values(draft="_drafts", left_out="_index.md"), other="public"),
        ),
        "wxr": (
            StateField("wp:post_type", "type", _values(public="post", left_out=_WORDPRESS_PARTS), absent="draft"),
            StateField("wp:status", "state", WORDPRESS_STATUS, absent="draft"),
            StateField("wp:post_password", "password"),
            StateField("_expiration-date", "expiry"),
            StateField("_members_access_role", "visibility"),
            StateField("members-only part of content:encoded", "visibility"),
            StateField("rcp_user_level", "visibility", _values(public="all none")),
            StateField("rcp_subscription_level", "visibility", _values(public="all none")),
        ),
        "feed": (
            *(
                StateField(name, "state", WORDPRESS_STATUS | _values(public="published public"))
                for name in ("status", "state")
            ),
            _flag("draft", "state", true="draft", false="public"),
            _flag("private", "visibility", true="draft", false="public"),
            StateField("visibility", "visibility", _values(public="public")),
            StateField("media:status", "state", _values(public="active", draft="blocked", left_out="deleted")),
            StateField("password", "password"),
            *(StateField(name, "embargo") for name in ("prism:embargoDate", "embargo")),
            _flag("itunes:block", "visibility", true="draft", false="public"),
            *(StateField(name, "publish_time") for name in ("dcterms:available", "dc:date", "dcterms:valid start")),
            StateField("dcterms:valid end", "expiry"),
            *(
                StateField(name, "expiry")
                for name in ("prism:expirationDate", "prism:killDate", "expirationDate", "expires")
            ),
        ),
        "atom": (
            _flag("app:draft", "state", true="draft", false="public"),
            StateField(
                "blogger:status",
                "state",
                _values(public="live", scheduled="scheduled", draft="draft", left_out="soft_trashed"),
            ),
            StateField("blogger:type", "type", _BLOGGER_TYPE, other="left_out"),
            StateField("category kind", "type", _BLOGGER_TYPE, other="left_out"),
            StateField("thr:in-reply-to", "type", other="left_out"),
            StateField("dcterms:valid start", "publish_time"),
            StateField("dcterms:valid end", "expiry"),
            StateField("prism:embargoDate", "embargo"),
            StateField("prism:expirationDate", "expiry"),
        ),
        "ghost": (
            StateField("type", "type", _values(public="post", left_out="page")),
            _flag("page", "type", true="left_out", false="public"),
            StateField(
                "status",
                "state",
                _values(public="published", scheduled="scheduled", draft="draft sent"),
                absent="draft",
            ),
            StateField("visibility", "visibility", _values(public="public", draft="members paid tiers none")),
            _flag("email_only", "visibility", true="draft", false="public"),
            StateField("members-only part of html", "visibility"),
        ),
        "nukeviet": (
            StateField(
                "status", "state", _values(public="1", scheduled="2", draft="0 3 4 5 6 7 8 9 10 11"), absent="draft"
            ),
            StateField("exptime", "expiry"),
            StateField("catid", "visibility", _values(public="known")),
            StateField("cat.status", "visibility", _values(public="1 2", draft="0")),
            StateField("cat.groups_view", "visibility", _values(public="6")),
            StateField("detail.group_view", "visibility", _values(public="6")),
        ),
        "ninjs": (
            StateField(
                "type",
                "type",
                _values(public="text", left_out="picture graphic audio video composite package planning event"),
            ),
            StateField("pubStatus", "state", _values(public="usable", draft="withheld canceled cancelled")),
            StateField(
                "state",
                "state",
                _values(
                    public="published corrected",
                    scheduled="scheduled",
                    draft="draft in_progress submitted fetched routed being_corrected unpublished recalled killed",
                    left_out="spiked",
                ),
            ),
            StateField("representationtype", "state", _values(public="complete", draft="incomplete associated")),
            *(StateField(name, "embargo") for name in ("embargoed", "embargoedUntil", "embargo")),
            StateField("publish_schedule", "publish_time"),
            StateField("versionCreated", "publish_time"),
            *(StateField(name, "expiry") for name in ("expires", "expiry")),
            StateField("edNote with an embargo", "visibility"),
            StateField("signal", "visibility", NINJS_SIGNALS),
        ),
        "ndjson": (
            _flag("is_public", "state", true="public", false="draft"),
            StateField("publish_at", "publish_time"),
            StateField("embargo_until", "embargo"),
            StateField("unpublish_at", "expiry"),
        ),
    }
)
"""The fields of each format. `feed` is RSS, `atom` Atom; a feed with elements of WordPress's exports is `wxr`."""
