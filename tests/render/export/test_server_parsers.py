"""Old URLs in the configuration of file servers, read and served by the servers themselves."""

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

from services.render.export.server_configs import Redirects, caddyfile, nginx_map
from services.render.site.representations import page_csp, security_headers
from shared.old_urls import old_addresses

SENT = [
    "/cũ.htm",
    "/tin%20t%E1%BB%A9c/bài 1.html",
    "/a.aspx?id=5&x=$HOME",
    "/a.aspx?id=5;b=(1)",
    "/?p=12",
    "/?option=com_content&view=article&id=7",
    "/100%25.html",
    "/wiki/A:B,c'd!(e)~f@g+h",
    "/$args/$uri",
    "/default",
    "/?tin=chợ",
    "/cu.aspx?id=5&loai={x}",
    "/cu.aspx?home={env.HOME}&host={http.request.host}&a={{b",
]
"""Old URLs that are accepted: each redirects to its own page."""
HOSTILE = [
    "/?https://evil.example/phish&301!",
    '/z\\"y',
    '/z"y',
    "/{$HOME}",
    "/a?b={$HOME}",
    "/{env.HOME}?{http.request.host}=1",
    "/x\n/y /z 301",
    "/x%0Arewrite",
    "/x%22;return%20200;%23",
    "/tin-tuc/*",
    "/a?b=`c`",
    "/a\\",
    "//evil.example/a",
    "/../Caddyfile",
    "/%2e%2e/a",
    "/?fbclid=1",
    "/?utm_source=zalo&page=2",
    "/?p",
    "/#x",
    "/a<b>",
    "/a%",
    "/\u202ea",
]
"""Old URLs that attack a format or the home page: none is accepted."""
FREE = Callable[[int], int]


def redirects() -> Redirects:
    accepted = old_addresses([*SENT, *HOSTILE])
    return Redirects(
        {url: f"/bai-{number}.html" for number, url in enumerate(accepted)}, ["/đã-gỡ.html"], {1: "/bai.html"}
    )


def fetch(port: int, path: str) -> tuple[int, str]:
    """Return status and location of a path, sent as a browser does."""

    class NoRedirects(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: object) -> None:
            return None

    quoted = urllib.parse.quote(path, safe="/?&=%:;()!$'~@+,{}")
    try:
        with urllib.request.build_opener(NoRedirects).open(f"http://127.0.0.1:{port}{quoted}", timeout=60) as response:
            return response.status, ""
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get("location", "")


def wait_for_port(port: int) -> None:
    for _ in range(1_200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("the server does not listen")


def check_redirects(port: int, found: Redirects) -> None:
    for url in SENT:
        (address,) = old_addresses([url])
        assert fetch(port, url) == (301, found.moved[address]), url
    for home in ("/", "/?fbclid=1", "/?utm_source=zalo", "/?x=1&y"):
        assert fetch(port, home)[1] == "", home
    assert old_addresses(HOSTILE) == []


def test_caddy_serves_each_old_url_and_no_other(tmp_path: Path, free_ports: FREE) -> None:
    """A quote or a variable in an old URL broke the Caddyfile, and a query without parameters took the home page."""
    found, port = redirects(), free_ports(1)
    (tmp_path / "index.html").write_text("home")
    headers = {**security_headers(page_csp("x")), "cache-control": "no-cache"}
    (tmp_path / "Caddyfile").write_text(caddyfile(found, headers, "public, immutable"))
    command = [str(Path(sys.executable).parent / "caddy"), "run", "--adapter", "caddyfile"]
    environment = {"COPY_ADDRESS": f":{port}", "COPY": str(tmp_path), "HOME": str(tmp_path)}
    process = subprocess.Popen([*command, "--config", str(tmp_path / "Caddyfile")], env=environment)
    try:
        wait_for_port(port)
        check_redirects(port, found)
        assert fetch(port, "/đã-gỡ.html")[0] == 410
    finally:
        process.terminate()
        process.wait(10)


def test_nginx_serves_each_old_url_and_no_other(tmp_path: Path, free_ports: FREE) -> None:
    """The map is read by nginx itself; a backslash before `$` made such URLs never match."""
    found, port = redirects(), free_ports(1)
    (tmp_path / "index.html").write_text("home")
    (tmp_path / "redirects.nginx").write_text(nginx_map(found))
    (tmp_path / "nginx.conf").write_text(f"""
daemon off; pid {tmp_path}/pid; error_log stderr; events {{ }}
http {{
    access_log off; client_body_temp_path {tmp_path}/b; proxy_temp_path {tmp_path}/p; fastcgi_temp_path {tmp_path}/f;
    uwsgi_temp_path {tmp_path}/u; scgi_temp_path {tmp_path}/s; map_hash_bucket_size 512;
    map $request_uri $moved {{ include {tmp_path}/redirects.nginx; }}
    server {{
        listen 127.0.0.1:{port}; root {tmp_path}; absolute_redirect off;
        if ($moved) {{ return 301 $moved; }}
    }}
}}
""")
    process = subprocess.Popen(["/usr/sbin/nginx", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")])
    try:
        wait_for_port(port)
        check_redirects(port, found)
    finally:
        process.terminate()
        process.wait(10)
