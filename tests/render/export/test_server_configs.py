"""Redirects and headers in the formats of file servers, with hostile URLs."""

from services.render.export.server_configs import Redirects, caddyfile, netlify_headers, netlify_redirects, nginx_map

REDIRECTS = Redirects(
    {
        "/cũ.htm": "/bai-1.html",
        "/a.aspx?id=5&x=:y$": "/bai-2.html",
        '/a.aspx?id=5&x="{$}"': "/bai-2.html",
        "/?p": "/bai-2.html",
    },
    ["/da-go.html", "/?p"],
    {1: "/bai-1.html"},
)
HEADERS = {"x-content-type-options": "nosniff", "cache-control": "no-cache"}


def test_netlify_files_have_redirects_gone_pages_and_headers() -> None:
    """A query is matched by its parameters, a killed article is 410, and only lasting files may be cached."""
    lines = netlify_redirects(REDIRECTS).splitlines()[1:]
    assert lines[0] == "/c%C5%A9.htm /bai-1.html 301"
    assert lines[1] == "/a.aspx id=5 x=%3Ay%24 /bai-2.html 301"
    assert lines[2] == "/a.aspx id=5 x=%22%7B%24%7D%22 /bai-2.html 301"
    assert lines[3:] == ["/da-go.html /410.html 410", "# 2 URLs have a query that this format cannot express."]
    text = netlify_headers(HEADERS, "public, immutable")
    assert "  x-content-type-options: nosniff\n" in text
    assert text.count("cache-control: public, immutable") == 2
    assert "no-cache" not in text


def test_nginx_map_and_caddyfile_leave_out_what_they_cannot_quote() -> None:
    """Variables of a URL stay text in both languages, and earlier rows with quotes or braces are left out."""
    nginx = nginx_map(REDIRECTS).splitlines()[1:]
    assert nginx[:2] == ['"/c%C5%A9.htm" "/bai-1.html";', '"/a.aspx?id=5&x=:y$" "/bai-2.html";']
    assert "{" not in "".join(nginx)
    caddy = caddyfile(REDIRECTS, HEADERS, "public, immutable")
    assert '"/a.aspx?id=5&x=:y$" "/bai-2.html"' in caddy
    assert "{$}" not in caddy
    assert '"/da-go.html" "410"' in caddy
    assert 'header @lasting cache-control "public, immutable"' in caddy
    assert '"1" "/bai-1.html"' in caddy
