"""What the API says of fields, in the words of the pages."""

import pytest

from services.ingest.newsroom.field_names import ERRORS_MAX, error_sentence, field_name


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("title", "Tựa đề"),
        ("body", "Nội dung"),
        ("body.0.html", "khối 1"),
        ("body.11.image.alt", "khối 12, mô tả ảnh"),
        ("lead_image.caption", "Ảnh đại diện, chú thích"),
        ("seo.description", "Công cụ tìm kiếm, mô tả"),
        ("reason", "lý do"),
        ("slots.0.until", "vị trí, lúc kết thúc"),
        ("seo_description", "Công cụ tìm kiếm"),
        ("never.heard", "never"),
    ],
)
def test_field_is_named_as_its_page_names_it(path: str, name: str) -> None:
    """No path of the API is shown, except that of a field which no page has."""
    assert field_name(path, "vi") == name


def test_refusal_of_several_fields_is_one_sentence() -> None:
    """Each field has its fault; a long list ends with an ellipsis."""
    errors = [{"field": f"body.{number}.image.alt", "fault": "phải có trước khi xuất bản"} for number in range(2)]
    wanted = "Khối 1, mô tả ảnh: phải có trước khi xuất bản; khối 2, mô tả ảnh: phải có trước khi xuất bản."
    assert error_sentence(errors, "vi") == wanted
    many = error_sentence([{"field": "title", "fault": "is required"}] * (ERRORS_MAX + 1), "en")
    assert many.count("Title") == ERRORS_MAX
    assert many.endswith("; …")
