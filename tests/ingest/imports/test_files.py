"""The files that the import command reads."""

from pathlib import Path

import pytest

from services.ingest.imports.files import find_files, is_no_article


def write(root: Path, *names: str) -> None:
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")


def test_find_files_of_folder_have_their_paths_as_names(tmp_path: Path) -> None:
    """Files of different folders with the same name have different names; hidden ones are not read."""
    write(tmp_path, "a/index.md", "b/index.md", ".git/config", "a/.DS_Store", "node_modules/x/readme.md")
    assert [(one.name, one.is_of_folder, one.root) for one in find_files(tmp_path)] == [
        ("a/index.md", True, tmp_path),
        ("b/index.md", True, tmp_path),
    ]
    (one,) = find_files(tmp_path / "a/index.md")
    assert (one.name, one.is_of_folder, one.bytes) == ("index.md", False, 1)


@pytest.mark.parametrize("ending", ["_files", ".files", "_file"])
def test_find_files_assets_of_saved_pages_are_not_read(tmp_path: Path, ending: str) -> None:
    """The folder that a browser saves beside a page has frames and scripts, which are no articles."""
    write(tmp_path, "bai.html", f"bai{ending}/quang-cao.html", f"bai{ending}/anh.jpg", f"khac{ending}/bai.html")
    assert [one.name for one in find_files(tmp_path)] == ["bai.html", f"khac{ending}/bai.html"]


def test_is_no_article_of_pictures_and_configurations(tmp_path: Path) -> None:
    """Pictures, styles and configurations beside pages are counted, not refused one by one."""
    names = ("posts/posts.json", "posts/anh.JPG", "hugo.toml", "_config.yml", "package.json")
    write(tmp_path, *names, "posts/bai.md", "posts/xuat.json")
    assert [one.name for one in find_files(tmp_path) if not is_no_article(one)] == ["posts/bai.md", "posts/xuat.json"]


def test_find_files_missing_file_is_found_by_name(tmp_path: Path) -> None:
    """A file that does not exist is refused later, by its name."""
    (one,) = find_files(tmp_path / "khong.md")
    assert (one.name, one.bytes) == ("khong.md", 0)


def test_find_files_folders_of_browsers_in_other_languages_are_assets(tmp_path: Path) -> None:
    """Browsers name the folder of a saved page in their language."""
    for name in ("Bài_tệp", "Bài_fichiers"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "ads.html").write_text("x")
    (tmp_path / "Bài.html").write_text("x")
    assert [file.name for file in find_files(tmp_path)] == ["Bài.html"]


def test_is_no_article_templates_and_output_of_generators(tmp_path: Path) -> None:
    """Templates, made pages and files for robots are no articles; the same folders of other sites may have some."""
    for name in ("_layouts/post.html", "_site/a.html", "public/a.html", "robots.txt", "_posts/a.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    kept = [file.name for file in find_files(tmp_path) if not is_no_article(file)]
    assert kept == ["_posts/a.md", "public/a.html"]
    (tmp_path / "hugo.toml").write_text("")
    kept = [file.name for file in find_files(tmp_path) if not is_no_article(file)]
    assert kept == ["_posts/a.md"]
