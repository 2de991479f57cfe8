"""The command that renews the kept list of referrer spam."""

from pathlib import Path

import pytest

from tools import referrer_spam
from tools.referrer_spam import hosts_of, main, written

COMMIT = "b1c66b3cbbd8fe243ff028a8932788da187b9934"


def test_hosts_of_a_list_are_normalised_and_each_once() -> None:
    """Case, "www.", last dots and letters of any language make one form; what would mark nobody or all is left out."""
    lines = [
        "QIWI.xyz",
        "qiwi.xyz ",
        "www.qiwi.xyz.",
        "a.qiwi.xyz",
        "",
        "  ",
        "com",
        "# a note",
        "кредит.example",
        "[::1]",
        "com.vn",
        "kharkov.ua",
        "a_b.example",
    ]
    assert hosts_of(lines) == ["qiwi.xyz", "xn--d1abkf4ap.example"]


def test_kept_list_is_what_the_command_writes() -> None:
    """Nobody has edited it by hand: written again from its own hosts it is the same."""
    text = referrer_spam.LIST.read_text(encoding="ascii")
    assert text == written(hosts_of(line for line in text.splitlines() if not line.startswith("#")), COMMIT)


@pytest.mark.parametrize(
    ("lines", "commit"),
    [(["spam.example"], COMMIT), ([], COMMIT), ([f"s{n}.example" for n in range(30_000)], COMMIT), (["x"], "main")],
)
def test_copy_that_is_not_the_list_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str], commit: str
) -> None:
    """An empty, cut or foreign file, or one of no commit, leaves the list as it is."""
    kept, copy = tmp_path / "hosts.txt", tmp_path / "spammers.txt"
    kept.write_text("before")
    copy.write_text("\n".join(lines))
    monkeypatch.setattr(referrer_spam, "LIST", kept)
    with pytest.raises(SystemExit):
        main([str(copy), "--commit", commit])
    assert kept.read_text() == "before"


@pytest.mark.parametrize(
    ("content", "arguments", "sentence"),
    [
        (None, [], "get spammers.txt of https://github.com/matomo-org/referrer-spam-list, then: make referrer-spam"),
        (None, ["FILE", "--commit", COMMIT], "cannot be read: No such file or directory"),
        (b"\xff\xfe", ["FILE", "--commit", COMMIT], "cannot be read: it is no text in UTF-8"),
        (b"", ["FILE"], "--commit must be the commit of the file, in 40 hexadecimal digits"),
    ],
)
def test_command_without_its_file_says_in_one_sentence_what_it_needs(
    tmp_path: Path, content: bytes | None, arguments: list[str], sentence: str
) -> None:
    """Neither a missing argument nor a missing or foreign file ends in a traceback."""
    copy = tmp_path / "spammers.txt"
    if content is not None:
        copy.write_bytes(content)
    with pytest.raises(SystemExit) as ended:
        main([str(copy) if one == "FILE" else one for one in arguments])
    assert sentence in str(ended.value)
    assert "\n" not in str(ended.value)


def test_whole_copy_replaces_the_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The list is what the copy has, with its commit, and the output says how it differs."""
    kept, copy = tmp_path / "hosts.txt", tmp_path / "spammers.txt"
    kept.write_text(written(["gone.example", "s1.example"], COMMIT), encoding="ascii")
    copy.write_text("\n".join(f"s{n}.example" for n in range(1_500)))
    monkeypatch.setattr(referrer_spam, "LIST", kept)
    assert main([str(copy), "--commit", COMMIT]) == 0
    assert "1,500 hosts; new: 1,499, gone: 1" in capsys.readouterr().out
    assert "gone.example" not in kept.read_text()
