"""Redirects and headers of a static export, in the formats of file servers. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from services.render.pages.saved_copy import PATH_PREFIX as COPY_PREFIX

NOTE = "Written by `presstally render export`; the next export replaces it."


DOWNLOADS = ("/tep/*", f"{COPY_PREFIX}*")
DOWNLOAD_HEADERS = {"content-disposition": "attachment", "content-security-policy": "default-src 'none'; sandbox"}
"""Of files and copies of articles: browsers save them under the name in their URL, and never show them."""


@dataclass(frozen=True)
class Redirects:
    """Responses that files cannot express: redirects of old URLs, gone paths, and each article's path by number."""

    moved: Mapping[str, str]
    gone: Iterable[str]
    numbers: Mapping[int, str]


def netlify_redirects(redirects: Redirects) -> str:
    """Return a file `_redirects`, as Netlify reads it; Cloudflare Pages takes the lines without a query."""
    lines, left_out = [f"# {NOTE}"], 0
    for address, to in redirects.moved.items():
        path, _, query = address.partition("?")
        parameters = _netlify_parameters(query)
        if parameters is None:
            left_out += 1
        else:
            lines.append(" ".join([quote(path), *parameters, to, "301"]))
    for address in redirects.gone:
        path, _, query = address.partition("?")
        if query:
            left_out += 1
        else:
            lines.append(f"{quote(path)} /410.html 410")
    if left_out:
        lines.append(f"# {left_out} URLs have a query that this format cannot express.")
    return "\n".join(lines) + "\n"


def _netlify_parameters(query: str) -> list[str] | None:
    """Return a query as the parameters of a rule, or None if the rule would match other URLs as well.

    A part without `=` is ignored by Netlify, of a repeated name only the last counts, and `:` begins a placeholder.
    """
    found: dict[str, str] = {}
    for part in query.split("&") if query else []:
        name, separator, value = part.partition("=")
        if not separator or not _PARAMETER_NAME.match(name) or name in found:
            return None
        found[name] = quote(value, safe="%")
    return [f"{name}={value}" for name, value in found.items()]


def netlify_headers(page_headers: Mapping[str, str], immutable: str) -> str:
    """Return a file `_headers`, as Netlify and Cloudflare Pages read it."""
    lines = [
        f"# {NOTE}",
        "/*",
        *(f"  {name}: {value}" for name, value in page_headers.items() if name != "cache-control"),
    ]
    for folder in ("/theme/*", "/media/*"):
        lines += [folder, f"  cache-control: {immutable}"]
    for folder in DOWNLOADS:
        lines += [folder, *(f"  {name}: {value}" for name, value in DOWNLOAD_HEADERS.items())]
    return "\n".join(lines) + "\n"


def nginx_map(redirects: Redirects) -> str:
    """Return the lines of a map of nginx: map $request_uri $moved { include redirects.nginx; }."""
    lines = [f"# {NOTE}"]
    for address, to in redirects.moved.items():
        path, separator, query = address.partition("?")
        if _QUOTABLE.match(address):  # rows of an earlier version may have others
            sent = quote(path, safe="/-._~!$&'()+,;=:@")
            lines.append(f"{_quoted(sent + separator + _sent(query))} {_quoted(to)};")
    return "\n".join(lines) + "\n"


def caddyfile(redirects: Redirects, page_headers: Mapping[str, str], immutable: str) -> str:
    """Return a complete Caddyfile: `caddy run --config DIR/Caddyfile` serves the export.

    A counter under the same host name is routed before it, as in deploy/gateway/Caddyfile.
    """
    numbers = {str(number): path for number, path in redirects.numbers.items()}
    headers, downloads = _header_lines(page_headers), _header_lines(DOWNLOAD_HEADERS)
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

{_maps(redirects)}
	route {{
		error @hidden 404
		header -Server
		header {{
{headers}
		}}
		@lasting path /theme/* /media/*
		header @lasting cache-control "{immutable}"
		@download path {" ".join(DOWNLOADS)}
		header @download {{
{downloads}
		}}
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
			encode gzip
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


def _maps(redirects: Redirects) -> str:
    split = [(*address.partition("?"), to) for address, to in redirects.moved.items() if "?" in address]
    with_query = {path + mark + _sent(query): to for path, mark, query, to in split}
    plain = {address: to for address, to in redirects.moved.items() if "?" not in address}
    gone = dict.fromkeys(redirects.gone, "410")
    maps = (("{path}?{query}", "{moved_query}", with_query), ("{path}", "{moved}", plain), ("{path}", "{gone}", gone))
    return "\n".join(_map(*one) for one in maps)


def _header_lines(headers: Mapping[str, str]) -> str:
    return "\n".join(f"\t\t\t{name} {_quoted(value)}" for name, value in headers.items())


def _map(source: str, target: str, entries: Mapping[str, str], tabs: int = 1) -> str:
    indent = "\t" * tabs
    quoted = [(_quoted(key), _quoted(value)) for key, value in entries.items() if _QUOTABLE.match(key)]
    lines = "".join(f"{indent}\t{key} {value}\n" for key, value in quoted)
    return f'{indent}map "{source}" {target} {{\n{lines}{indent}\tdefault ""\n{indent}}}'


def _sent(query: str) -> str:
    """Return a query as browsers send it: letters that are not ASCII, and apostrophes, are escaped."""
    return quote(query, safe="/-._~!$&()+,;=:@%?{}")


_PARAMETER_NAME = re.compile(r"^[A-Za-z0-9_.-]+\Z")
_QUOTABLE = re.compile(r"^(?:[^\x00-\x1f\x7f\"\\{`*]|\{(?!\$))*+\Z")
"""What stays itself between double quotes in both languages: all that `shared.old_urls` accepts."""


def _quoted(text: str) -> str:
    """Return a text between double quotes, as Caddy and nginx read it.

    Raises:
        ValueError: one of them would read it otherwise.
    """
    if not _QUOTABLE.match(text):
        raise ValueError(f"{text!r} cannot be quoted")
    return f'"{text}"'
