"""The search of a static export in Chromium, under the content security policy of the copy."""

from urllib.parse import urlsplit

from playwright.sync_api import Browser, Route

from services.render.export.search_files import MANIFEST, IndexedWords, SearchFiles
from services.render.pages.document import HTML, Document
from services.render.pages.html import render_search
from services.render.pages.search_query import SearchRequest, SearchResult
from services.render.pages.theme_check import sample_article
from services.render.pages.themes import theme_of
from services.render.site.representations import page_csp, security_headers
from shared.sites import Section, Site

URL = "https://copy.example"
SITE = Site(slug="s", name="S", origins=[URL], timezone="Asia/Ho_Chi_Minh", sections=[Section("tin", "Tin")])


def copy() -> dict[str, Document]:
    """Return the files of a copy with one article."""
    files = SearchFiles(["tin"], SITE.language)
    found = IndexedWords("cho con", [(3, ["chợ", "cồn"])], ["chợ", "cồn"], ["cho con"])
    article = sample_article("tin")
    files.add(article, found, 20_000, ("1/1/2026", "2026-01-01"))
    page = render_search(SearchRequest(), SearchResult(), SITE, URL, search_index=MANIFEST)
    return {"/tim-kiem": page, **dict(files.documents()), **theme_of(SITE).assets}


def test_static_search_works_under_the_policy_and_without_scripts(browser: Browser) -> None:
    """A search loads its files and shows links under the policy; without scripts the page says what it needs."""
    files = copy()
    csp = page_csp(theme_of(SITE).inline_script_hash)

    def serve(route: Route) -> None:
        found = files.get(urlsplit(route.request.url).path)
        if found is None:
            route.fulfill(status=404, body="")
        else:
            headers = {**security_headers(csp), "content-type": found.media_type}
            route.fulfill(status=200, headers=headers, body=found.body)

    refused: list[str] = []
    for with_scripts in (True, False):
        context = browser.new_context(java_script_enabled=with_scripts)
        context.route("**/*", serve)
        page = context.new_page()
        page.on("console", lambda one: refused.append(one.text) if "Content Security" in one.text else None)
        page.goto(f"{URL}/tim-kiem?q=cho+con&chuyen-muc=muc-cu&tu=x")
        if with_scripts:
            page.locator(".articles h2 a").wait_for()
            assert page.locator("#q").input_value() == "cho con"
            assert page.locator("#chuyen-muc").evaluate("one => one.selectedIndex") == 0
            assert page.locator(".articles :is(h2, .gist)[lang=en]").count() == 2
            assert "1" in page.get_by_role("status").first.inner_text()
        else:
            assert "JavaScript" in page.locator("#content noscript").inner_text()
        context.close()
    assert refused == []
    assert files["/tim-kiem"].media_type == HTML
