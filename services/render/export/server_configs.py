"""Redirects and headers of a static export, in the formats of file servers. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

NOTE = "Written by `python -m services.render export`; the next export replaces it."


@dataclass(frozen=True)
class Redirects:
    """Responses that files cannot express: redirects of old URLs, gone paths, and each article's path by number."""

    moved: Mapping[str, str]
    gone: Iterable[str]
    numbers: Mapping[int, str]


def netlify_redirects(redirects: Redirects) -> str:
    """Return a file `_redirects`, as Netlify reads it; Cloudflare Pages takes the lines without a query."""
    lines = [f"# {NOTE}"]
    for address, to in redirects.moved.items():
        path, _, query = address.partition("?")
        lines.append(" ".join([quote(path), *query.split("&"), to, "301"] if query else [quote(path), to, "301"]))
    lines += [f"{quote(path)} /410.html 410" for path in redirects.gone]
    return "\n".join(lines) + "\n"


def netlify_headers(page_headers: Mapping[str, str], immutable: str) -> str:
    """Return a file `_headers`, as Netlify and Cloudflare Pages read it."""
    lines = [
        f"# {NOTE}",
        "/*",
        *(f"  {name}: {value}" for name, value in page_headers.items() if name != "cache-control"),
    ]
    for folder in ("/theme/*", "/media/*"):
        lines += [folder, f"  cache-control: {immutable}"]
    return "\n".join(lines) + "\n"


def nginx_map(redirects: Redirects) -> str:
    """Return the lines of a map of nginx: map $request_uri $moved { include redirects.nginx; }."""
    lines = [f"# {NOTE}"]
    for address, to in redirects.moved.items():
        path, separator, query = address.partition("?")
        lines.append(f"{_nginx(quote(path) + separator + query)} {_nginx(to)};")
    return "\n".join(lines) + "\n"


def caddyfile(redirects: Redirects, page_headers: Mapping[str, str], immutable: str) -> str:
    """Return a complete Caddyfile: `caddy run --config DIR/Caddyfile` serves the export.

    A counter under the same host name is routed before it, as in deploy/gateway/Caddyfile.
    """
    with_query = {address: to for address, to in redirects.moved.items() if "?" in address}
    plain = {address: to for address, to in redirects.moved.items() if "?" not in address}
    numbers = {str(number): path for number, path in redirects.numbers.items()}
    headers = "\n".join(f"\t\t\t{name} {_caddy(value)}" for name, value in page_headers.items())
    return f"""# {NOTE}
{{
	admin off
	auto_https off
	persist_config off
}}

{{$COPY_ADDRESS::8080}} {{
	bind {{$COPY_BIND:127.0.0.1}}
	root * {{$COPY:.}}
	@hidden path */.* /Caddyfile /_redirects /_headers /redirects.nginx

{_map("{path}?{query}", "{moved_query}", with_query)}
{_map("{path}", "{moved}", plain)}
{_map("{path}", "{gone}", dict.fromkeys(redirects.gone, "410"))}
	route {{
		error @hidden 404
		header -Server
		header {{
{headers}
		}}
		@lasting path /theme/* /media/*
		header @lasting cache-control "{immutable}"
		@rss path */rss.xml
		header @rss content-type "application/rss+xml; charset=utf-8"
		@atom path */atom.xml
		header @atom content-type "application/atom+xml; charset=utf-8"
		@moved_query `{{moved_query}} != ""`
		redir @moved_query {{moved_query}} 301
		@gone `{{gone}} == "410"`
		error @gone 410
		@page file {{path}} {{path}}/index.html
		handle @page {{
			file_server {{
				precompressed gzip
			}}
		}}
		@moved `{{moved}} != ""`
		redir @moved {{moved}} 301
		@number path_regexp number ^/(?:[^/]*-)?(\\d+)\\.html$
		handle @number {{
{_map("{re.number.1}", "{present}", numbers, tabs=3)}
			@present `{{present}} != ""`
			redir @present {{present}} 301
			error 404
		}}
		error 404
	}}
	handle_errors {{
		header cache-control no-store
		@gone `{{err.status_code}} == 410`
		rewrite @gone /410.html
		@other `{{err.status_code}} != 410`
		rewrite @other /404.html
		file_server {{
			status {{err.status_code}}
		}}
	}}
}}
"""


def _map(source: str, target: str, entries: Mapping[str, str], tabs: int = 1) -> str:
    indent = "\t" * tabs
    lines = "".join(f"{indent}\t{_caddy(key)} {_caddy(value)}\n" for key, value in entries.items())
    return f'{indent}map "{source}" {target} {{\n{lines}{indent}\tdefault ""\n{indent}}}'


def _caddy(text: str) -> str:
    escaped = text.replace('"', '\\"').replace("\n", " ")  # no other character is special in a quoted string
    return f'"{escaped}"'


def _nginx(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'
