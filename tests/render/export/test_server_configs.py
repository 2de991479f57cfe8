"""Redirects and headers in the formats of file servers, with hostile URLs."""

from services.render.export.server_configs import Redirects, caddyfile, netlify_headers, netlify_redirects, nginx_map

REDIRECTS = Redirects(
    {"/cũ.htm": "/bai-1.html", '/a.aspx?id=5&x="{$}"': "/bai-2.html"}, ["/da-go.html"], {1: "/bai-1.html"}
)
HEADERS = {"x-content-type-options": "nosniff", "cache-control": "no-cache"}


def test_netlify_files_have_redirects_gone_pages_and_headers() -> None:
    """A query is matched by its parameters, a killed article is 410, and only lasting files may be cached."""
    lines = netlify_redirects(REDIRECTS).splitlines()[1:]
    assert lines[0] == "/c%C5%A9.htm /bai-1.html 301"
    assert lines[1].startswith("/a.aspx id=5 x=")
    assert lines[2] == "/da-go.html /410.html 410"
    text = netlify_headers(HEADERS, "public, immutable")
    assert "  x-content-type-options: nosniff\n" in text
    assert text.count("cache-control: public, immutable") == 2
    assert "no-cache" not in text


def test_nginx_map_and_caddyfile_escape_urls() -> None:
    """Quotes, backslashes and variables of a URL stay text in both languages."""
    nginx = nginx_map(REDIRECTS).splitlines()[2]
    assert nginx == '"/a.aspx?id=5&x=\\"{\\$}\\"" "/bai-2.html";'
    caddy = caddyfile(REDIRECTS, HEADERS, "public, immutable")
    assert '"/a.aspx?id=5&x=\\"{$}\\"" "/bai-2.html"' in caddy
    assert '"/da-go.html" "410"' in caddy
    assert 'header @lasting cache-control "public, immutable"' in caddy
    assert '"1" "/bai-1.html"' in caddy
