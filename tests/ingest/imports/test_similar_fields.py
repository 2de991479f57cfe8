"""Fields that no table has, but whose names say that an item is not public."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from services.ingest.imports.publication import decide
from services.ingest.imports.similar_fields import kind_of_name, source_state
from tests.ingest.imports.samples import outcome, read_content

NOW = datetime(2026, 3, 5, 1, 0, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("members_only: true", "draft"),
        ("membersOnly: yes", "draft"),
        ("paywall: true", "draft"),
        ("secret: 1", "draft"),
        ("restricted: maybe", "draft"),
        ("requires_login: true", "draft"),
        ("is_private: false", "public"),
        ("is_published: false", "draft"),
        ("online: false", "draft"),
        ("active: true", "public"),
        ("live: https://demo.example", "public"),
        ("access_level: members", "draft"),
        ("access_level: public", "public"),
        ("post_password: x", "draft"),
        ("workflow_state: in-review", "draft"),
        ("stage: Vòng 1", "public"),
        ("stage: draft", "draft"),
        ("embargo: 2099-01-01", "scheduled"),
        ("go_live: 2099-01-01", "scheduled"),
        ("publish_date: 2099-01-01", "scheduled"),
        ("publish_date: hôm nào", "draft"),
        ("expires_at: 2020-01-01", "draft"),
        ("expiration: 2099-01-01", "public"),
        ("expires_on: false", "public"),
        ("title_expert: true", "public"),
        ("params:\n  unlisted: true", "draft"),
        ("draft: false\ndraft: true", ""),
    ],
)
def test_read_markdown_other_fields_decide(field: str, expected: str) -> None:
    """A field of a theme or of the newsroom is read by the words of its name; contradictory ones are refused."""
    (item,) = read_content("a.md", f"---\ntitle: A\n{field}\n---\nChữ\n".encode())
    assert (outcome(item) if expected else item.reason) == (expected or "has front matter with the field 'draft' twice")


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("_wpmem_block", "1", "draft"),
        ("_ppw_post_password", "x", "draft"),
        ("_post_expiration_date", "2015-01-01 00:00", "draft"),
        ("_groups-read", "3", "draft"),
        ("_jetpack_newsletter_access", "everybody", "public"),
        ("_jetpack_newsletter_access", "paid_subscribers", "draft"),
        ("_wc_memberships_force_public", "no", "public"),
        ("_expiration-date-status", "saved", "public"),
        ("_edit_lock", "1", "public"),
        ("um_content_restriction", 'a:1:{s:26:"_um_custom_access_settings";s:1:"0";}', "public"),
        (
            "um_content_restriction",
            'a:2:{s:26:"_um_custom_access_settings";s:1:"1";s:14:"_um_accessible";s:1:"2";}',
            "draft",
        ),
    ],
)
def test_read_wordpress_meta_of_plugins_decides(key: str, value: str, expected: str) -> None:
    """Plugins for members, passwords and expiry store their decision in meta fields with their own prefixes."""
    content = (
        '<rss xmlns:wp="http://wordpress.org/export/1.2/"><channel><item><title>A</title><description>b</description>'
        "<wp:post_id>1</wp:post_id><wp:status>publish</wp:status><wp:post_type>post</wp:post_type><wp:postmeta>"
        f"<wp:meta_key>{key}</wp:meta_key><wp:meta_value><![CDATA[{value}]]></wp:meta_value></wp:postmeta></item></channel></rss>"
    )
    (item,) = read_content("a.xml", content.encode())
    assert outcome(item) == expected


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        ("<premium>1</premium>", "draft"),
        ("<accessRights>members</accessRights>", "draft"),
        ("<i:block>yes</i:block>", "draft"),
        ("<t:valid>start=2020-01-01;end=2021-01-01</t:valid>", "draft"),
        ("<t:valid>start=2099-01-01</t:valid>", "scheduled"),
        ("<d:date>2099-01-01T00:00:00Z</d:date><pubDate>Wed, 04 Mar 2020 08:00:00 +0700</pubDate>", "scheduled"),
        ("<pubDate>hôm qua</pubDate>", "public"),
    ],
)
def test_read_feed_other_elements_decide(element: str, expected: str) -> None:
    """Elements of any namespace are read by their names; a date that cannot be read is only unknown."""
    spaces = (
        'xmlns:d="http://purl.org/dc/elements/1.1/" xmlns:t="http://purl.org/dc/terms/" '
        'xmlns:i="http://www.itunes.com/dtds/podcast-1.0.dtd"'
    )
    item = f"<item><title>A</title><link>https://cu.example/a</link><description>b</description>{element}</item>"
    (found,) = read_content("a.rss", f'<rss version="2.0" {spaces}><channel>{item}</channel></rss>'.encode())
    assert outcome(found) == expected


@pytest.mark.parametrize(
    "more",
    [
        '"schedule_settings": {"utc_embargo": "2099-01-01T00:00:00+0000"}',
        '"extra": {"embargo": "2099-01-01"}',
        '"representationtype": "incomplete"',
    ],
)
def test_read_ninjs_inner_fields_decide(more: str) -> None:
    """Superdesk keeps times in its settings, and agencies in fields of their own."""
    text = f'{{"uri": "a", "type": "text", "headline": "A", "body_html": "<p>b</p>", {more}}}'
    (item,) = read_content("a.json", text.encode())
    assert outcome(item) in ("scheduled", "draft")


def test_kind_of_name_reads_words_in_any_notation() -> None:
    """The names of other fields say nothing."""
    assert {kind_of_name(name) for name in ("expiryDate", "expiry-date", "expiry_date")} == {"end"}
    assert {kind_of_name(name) for name in ("title", "author", "experts", "description", "private_note")} == {""}
    assert (kind_of_name("_x_password"), kind_of_name("_x_password", is_prefixed=True)) == ("", "password")


def test_source_state_names_the_field_in_the_reason() -> None:
    """The reason is a sentence with the field and its value."""
    decision = decide(source_state("markdown", {}, {"members_only": "true"}), None, NOW, ZONE)
    assert decision.reasons == ("members_only is 'true'",)
