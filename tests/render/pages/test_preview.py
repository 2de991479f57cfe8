"""Pages → previews: the page's bytes, the banner, the frames and the share card."""

from datetime import UTC, datetime

import pytest

from services.render.pages.html import render_article
from services.render.pages.page_data import RelatedArticles
from services.render.pages.preview import (
    FRAMES,
    PreviewInfo,
    preview_card,
    preview_frame,
    preview_page,
    preview_words,
    without_banner,
    without_tracker,
)
from services.render.pages.theme_check import sample_article
from services.render.pages.themes import theme_of
from shared.sites import Section, Site

URL = "https://haihau.example"
SECTIONS = [Section("tin-tuc", "Tin tức")]
SITE = Site(slug="haihau", name="Hải <Hậu>", origins=[URL], timezone="Asia/Ho_Chi_Minh", sections=SECTIONS)
INFO = PreviewInfo(7, follows=False, expires_at=datetime(2026, 12, 1, 1, tzinfo=UTC))


def page() -> str:
    return render_article(sample_article("tin-tuc"), RelatedArticles(), SITE, URL).body.decode()


def test_preview_without_its_banner_is_the_page_without_the_tracker() -> None:
    """Nothing else of the page changes, and neither the tracker nor its pixel is left."""
    original = page()
    shown = preview_page(render_article(sample_article("tin-tuc"), RelatedArticles(), SITE, URL), INFO, SITE)
    assert without_banner(shown.body.decode()) == without_tracker(original)
    assert "/t.js" in original
    assert "/p.gif" in original
    assert "/t.js" not in without_tracker(original)
    assert "/p.gif" not in without_tracker(original)
    assert len(original) - len(without_tracker(original)) < 300
    assert len(theme_of(SITE).paths) == len(set(theme_of(SITE).paths.values()))


@pytest.mark.parametrize(
    "tag",
    [
        '<script defer src="/t.js" data-site="x"></script>',
        "<script src='/t.js' data-site='x' defer></script>",
        "<SCRIPT data-site=x src=/t.js></SCRIPT>",
        '<script type="module" src="https://haihau.example/t.js?v=2" data-site="x"> </script>',
        '<script src="//dem.example/thong-ke/t.js" data-endpoint="/thong-ke/e"></script>',
        '<noscript><img src="/p.gif?site=x&amp;path=/" alt=""></noscript>',
        "<noscript>\n  <img alt='' src='https://haihau.example/p.gif?site=x'/>\n</noscript>",
        '<img src="/thong-ke/p.gif?site=x" alt="">',
    ],
)
def test_tracker_is_left_out_however_a_theme_writes_it(tag: str) -> None:
    """Quotes, order, address and folder of the tracker and its pixel do not matter; other scripts and images stay."""
    others = '<script src="/theme/t.js.map"></script><img src="/media/p.gif.jpg" alt=""><script>"/t.js"</script>'
    assert without_tracker(f"<body>\n{tag}\n{others}</body>") == f"<body>\n{others}</body>"


def test_banner_names_version_and_expiry_in_the_language_of_the_site() -> None:
    """The time is the site's; a link that follows the working version says so; the current view is marked."""
    made = render_article(sample_article("tin-tuc"), RelatedArticles(), SITE, URL)
    shown = preview_page(made, INFO, SITE).body.decode()
    banner = shown[shown.index("<!--preview-->") : shown.index("<!--/preview-->")]
    assert "bản 7" in banner
    assert "08:00" in banner
    assert "1/12/2026" in banner or "01/12/2026" in banner
    assert '<a href="?xem=trang" aria-current="page">' in banner
    following = PreviewInfo(7, follows=True, expires_at=INFO.expires_at, view="in")
    assert "bản đang soạn, hiện là bản 7" in preview_page(made, following, SITE).body.decode()
    english = Site(slug="en", name="English", origins=[URL], timezone="UTC", language="en", sections=SECTIONS)
    assert "version 7" in preview_page(made, INFO, english).body.decode()
    assert preview_words(english).keys() == preview_words(SITE).keys()


def test_print_view_is_the_page_with_the_rules_of_print() -> None:
    """Only the style differs: its rules for print apply on the screen."""
    made = render_article(sample_article("tin-tuc"), RelatedArticles(), SITE, URL)
    theme = theme_of(SITE)
    printed = without_banner(preview_page(made, PreviewInfo(1, False, INFO.expires_at, "in"), SITE).body.decode())
    assert printed.replace(theme.paths["print.css"], theme.paths["site.css"]) == without_tracker(page())
    style = theme.assets[theme.paths["print.css"]].body
    assert b"@media print" not in style
    assert style.replace(b"@media all", b"@media print") == theme.assets[theme.paths["site.css"]].body


@pytest.mark.parametrize("view", FRAMES)
def test_frame_shows_the_page_at_the_width_of_a_device(view: str) -> None:
    """The frame loads the view of the page from the same link; names are escaped."""
    shown = preview_frame(PreviewInfo(1, False, INFO.expires_at, view), SITE).body.decode()  # type: ignore[arg-type]
    assert f'<iframe src="?xem=trang#xem-truoc" width="{FRAMES[view][0]}"' in shown
    assert "Hải &lt;Hậu&gt;" in shown


def test_card_has_what_networks_read_of_the_page() -> None:
    """Title, description, image and host are those of the page's own metadata, escaped; it may have no image."""
    made = render_article(sample_article("tin-tuc"), RelatedArticles(), SITE, URL)
    shown = preview_card(made, PreviewInfo(1, False, INFO.expires_at, "the"), SITE, URL).body.decode()
    assert "<h1>Đổi mới</h1>" in shown
    assert "haihau.example" in shown
    assert '<img src="/media/' in shown
    article = sample_article("tin-tuc")
    hostile = type(article)(
        **{
            **{name: getattr(article, name) for name in article.__struct_fields__},
            "title": '"><script>alert(1)</script>&amp;',
            "lead_image": None,
            "body": [],
        }
    )
    made = render_article(hostile, RelatedArticles(), SITE, URL)
    shown = preview_card(made, PreviewInfo(1, False, INFO.expires_at, "the"), SITE, URL).body.decode()
    assert "<script>" not in shown
    assert "<h1>&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;</h1>" in shown
    assert "Không có ảnh" in shown
