"""Flow 2, with real processes: a saved page → import → outbox → Kafka → builder → site."""

import json
import re
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaProducer

ROOT = Path(__file__).parent.parent.parent
SAMPLE = ROOT / "deploy/local/sample/trang-mau.txt"
Wait = Callable[..., Any]

PAGE = """\
{title}
Phần dẫn của bài viết về cánh đồng muối, đủ dài để đọc như một đoạn dẫn thật.
Diêm dân thu hoạch muối đầu vụ.

{body}

Theo Báo Mẫu
Thống kê truy cập
  • Đang online: 3
  • Hôm nay: 10
  • Trong tuần: 20
  • Tất cả: 1,490,782
"""
LONG = "Một đoạn thân bài đủ dài để không ai nhầm với chú thích ảnh. " * 5


def save_page(folder: Path, title: str, body: str = LONG) -> Path:
    file = folder / "page.txt"
    file.write_text(PAGE.format(title=title, body=body), encoding="utf-8")
    return file


def publish(system: Any, file: Path, *arguments: str, site: str = "haihau") -> str:
    """Import and publish a page; return its path on the portal."""
    done = system.run_import(file, "--publish", "--wait", *arguments, site=site)
    assert done.returncode == 0, done.stderr
    return urllib.parse.urlsplit(done.stdout.strip().splitlines()[-1]).path


def article_id(page: str) -> str:
    found = re.search(r'presstally:article" content="([^"]+)"', page)
    assert found
    return found[1]


def test_the_sample_is_published_at_start(system: Any) -> None:
    """The start publishes the sample article: title, lead, caption, paragraphs and source are on its page."""
    page = system.get(system.sample_path()).text
    for line in SAMPLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("Thống kê"):
            break
        assert line.strip() in page, line
    assert "986,543" not in page  # the counter block of the saved page is not part of the article
    assert "<access-counter" in page


def test_a_second_import_changes_nothing(system: Any, tmp_path: Path) -> None:
    """Importing the same page again leaves one article, and its opening balance as it was."""
    file = save_page(tmp_path, "Bài nhập hai lần")
    first, second = (system.run_import(file, "--publish", "--with-counter", site="giao-thuy") for _ in range(2))
    assert first.stdout.startswith("created article")
    assert second.stdout.startswith("unchanged article")
    assert first.stdout.split()[2] == second.stdout.split()[2]
    assert "opening balance of giao-thuy: 1,490,782 views" in second.stdout


def test_the_opening_balance_is_in_the_total_alone(system: Any, tmp_path: Path, wait: Wait) -> None:
    """--with-counter puts the saved total into `total`, under the site's own measure, and nowhere else."""
    done = system.run_import(save_page(tmp_path, "Bài có số đếm"), "--with-counter", site="giao-thuy")
    assert done.returncode == 0, done.stderr
    wait(lambda: system.counter("giao-thuy")["total"] >= 1_490_782)
    assert system.counter("giao-thuy")["week"] < 100_000
    assert system.counter("giao-thuy", measure="visits")["total"] < 100_000


def test_a_draft_is_nowhere(system: Any, tmp_path: Path) -> None:
    """Without --publish the article is saved and no reader can find it."""
    done = system.run_import(save_page(tmp_path, "Bài nháp bí mật"))
    number = re.search(r"number (\d+)", done.stdout)
    assert number
    assert system.get(f"/bai-nhap-bi-mat-{number[1]}.html").status == 404
    assert system.get(f"/api/articles/{done.stdout.split()[2].rstrip(',')}").status == 404
    for path in ("/", "/tin-tuc/", "/api/articles?site=haihau"):
        assert "Bài nháp bí mật" not in system.get(path).text


def test_a_changed_page_is_a_new_version(system: Any, tmp_path: Path) -> None:
    """The same external id with another text is the next version, live at the URL of its new title."""
    before = publish(system, save_page(tmp_path, "Tên đầu tiên"), "--external-id", "bai-1")
    after = publish(system, save_page(tmp_path, "Tên thứ hai"), "--external-id", "bai-1")
    assert (before.rsplit("-", 1)[1], after) == (after.rsplit("-", 1)[1], before.replace("dau-tien", "thu-hai"))
    moved = system.get(before)
    assert (moved.status, moved.headers["location"]) == (301, after)
    page = system.get(after).text
    assert 'presstally:version" content="2"' in page
    assert "Tên đầu tiên" not in system.get("/").text
    publication = system.get(f"/api/articles/{article_id(page)}/publication").json()
    assert (publication["status"], publication["live_version"], publication["head_version"]) == ("live", 2, 2)


def test_a_page_can_be_revalidated(system: Any, tmp_path: Path) -> None:
    """An article's page has a strong ETag, and the same page is 304."""
    path = publish(system, save_page(tmp_path, "Bài có thẻ"))
    page = system.get(path)
    assert page.headers["etag"].startswith('"')
    assert system.get(path, if_none_match=page.headers["etag"]).status == 304


def test_markup_in_a_saved_page_stays_text(system: Any, tmp_path: Path) -> None:
    """What looks like HTML in a saved page is shown as text, in title, body and lists."""
    hostile = "<script>alert(1)</script>"
    path = publish(system, save_page(tmp_path, f"Tựa đề {hostile}", f"{hostile} {LONG}"))
    for page in (path, "/", "/tin-tuc/"):
        assert hostile not in system.get(page).text
    assert "&lt;script&gt;" in system.get(path).text


async def test_withdrawal_reaches_the_page_and_the_lists(system: Any, editors: Any, tmp_path: Path, wait: Wait) -> None:
    """A killed article is 410 and in no list; an older version that comes late does not bring it back."""
    path = publish(system, save_page(tmp_path, "Bài sẽ gỡ"))
    article = system.get(f"/api/articles/{article_id(system.get(path).text)}").json()
    producer = AIOKafkaProducer(bootstrap_servers=system.kafka)
    await producer.start()
    for changes in ({"state": "killed", "version": 9}, {"version": 5}):
        value = json.dumps({**article, **changes}).encode()
        await producer.send_and_wait("articles", value, key=article["id"].encode())
    wait(lambda: system.get(path).status == 410)
    assert "Bài sẽ gỡ" not in system.get("/").text
    await producer.send_and_wait("articles", b'{"id": 1}', key=b"marker")  # unreadable: the builder goes on
    await producer.stop()
    publish(system, save_page(tmp_path, "Bài sau đó"))
    assert system.get(path).status == 410
    editors.wait_for_recovery(article["id"], 9)


async def test_what_is_committed_is_what_is_told(system: Any, tmp_path: Path, wait: Wait) -> None:
    """Everything committed to the outbox reaches Kafka, and then the outbox is empty."""
    publish(system, save_page(tmp_path, "Bài qua hộp thư"))
    connection = await asyncpg.connect(system.database_url)
    try:
        assert await connection.fetchval("SELECT count(*) FROM ingest.outbox") == 0
    finally:
        await connection.close()


def test_faults_of_the_import_are_one_sentence(system: Any, tmp_path: Path) -> None:
    """A wrong site, section or file ends the import with one sentence and exit code 1, and nothing is written."""
    file = save_page(tmp_path, "Bài không vào được")
    empty = tmp_path / "empty.txt"
    empty.write_text("\n")
    cases = (
        (system.run_import(file, site="khong-co"), "unknown site 'khong-co'"),
        (system.run_import(file, "--section", "khong-co"), "no section 'khong-co'"),
        (system.run_import(empty), "there is no text"),
        (system.run_import(tmp_path / "none.txt"), "No such file"),
    )
    for done, words in cases:
        assert done.returncode == 1
        assert words in done.stderr
        assert done.stderr.count("\n") == 1
    assert "Bài không vào được" not in system.get("/").text


def test_a_page_that_no_message_could_carry_is_refused(system: Any, tmp_path: Path) -> None:
    """A page larger than an article may be is refused with its size, and does not stop those behind it."""
    done = system.run_import(save_page(tmp_path, "Bài khổng lồ", "\n".join([LONG * 20] * 75)), "--publish")
    assert (done.returncode, "at most 524,288 bytes" in done.stderr) == (1, True), done.stderr
    publish(system, save_page(tmp_path, "Bài sau bài khổng lồ"))


def test_documents_of_the_interfaces(system: Any) -> None:
    """The editor API has an OpenAPI page and Kafka an AsyncAPI page, and neither loads anything from elsewhere."""
    assert "/articles/{article_id}" in system.get("/api/openapi.json").json()["paths"]
    assert set(system.get("/asyncapi.json").json()["channels"]) == {
        "page-views",
        "articles",
        "counter-adjustments",
        "pages-live",
        "refused-origins",
        "site-structure",
    }
    for path in ("/api/docs", "/asyncapi"):
        page = system.get(path)
        assert page.status == 200
        assert not re.findall(r'(?:src|href)="https?://', page.text)
    script = re.search(r'src="([^"]+swagger-ui-bundle[^"]*)"', system.get("/api/docs").text)
    assert script
    assert system.get(script[1]).status == 200


def test_hostile_paths_are_not_found(system: Any) -> None:
    """Strange paths are 404 pages in the site's clothes, never a crash."""
    for path in ("/khong-co", "/x-999999999999999999.html", "/..%2f..%2fetc/passwd", "/%00", "/" + "a" * 3000):
        answer = system.get(path)
        assert answer.status == 404, path
        assert "content-security-policy" in answer.headers
