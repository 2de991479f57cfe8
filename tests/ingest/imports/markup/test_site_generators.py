"""Shortcodes of Hugo, Jekyll and Hexo, and their Markdown."""

import pytest

from services.ingest.imports.markup.site_generators import Templates, markdown_to_html
from services.ingest.imports.markup.tree import read_blocks
from services.ingest.imports.warnings import ItemWarning
from shared.articles import BulletList, Embed, Figure, Heading, Image, Item, Paragraph

URL = "https://cu.example/a.jpg"


def read(text: str) -> tuple[list[object], list[str]]:
    warnings: list[ItemWarning] = []
    html = markdown_to_html(Templates(warnings).replace(text))
    return list(read_blocks(html, "", warnings)), [one.kind for one in warnings]


@pytest.mark.parametrize(
    "text",
    [
        "{{< youtube dQw4w9WgXcQ >}}",
        '{{< youtube id="dQw4w9WgXcQ" title="Phim" >}}',
        "{% youtube dQw4w9WgXcQ %}",
        '{% include youtube.html id="dQw4w9WgXcQ" %}',
        "{{% youtube dQw4w9WgXcQ %}}",
    ],
)
def test_replace_video_is_an_embed(text: str) -> None:
    """A video is an embed in each generator."""
    found, warnings = read(f"Trước.\n\n{text}\n\nSau.")
    assert [type(one) for one in found] == [Paragraph, Embed, Paragraph]
    assert warnings == []


@pytest.mark.parametrize(
    "text",
    [
        f'{{{{< figure src="{URL}" caption="Chợ mới" alt="Chợ" >}}}}',
        f'{{{{< figure\n  src="{URL}"\n  alt="Chợ"\n  title="Chợ mới"\n>}}}}',
        f'{{% include figure.html src="{URL}" alt="Chợ" caption="Chợ mới" %}}',
        f'{{% include_cached image.html url="{URL}" alt="Chợ" caption="Chợ mới" %}}',
    ],
)
def test_replace_figure_has_picture_and_caption(text: str) -> None:
    """A figure is the picture with its caption."""
    assert read(text) == ([Figure("Chợ mới", Image(URL, "Chợ"))], [])


def test_replace_unknown_shortcode_leaves_its_text_and_a_warning() -> None:
    """Unknown shortcodes never reach readers; what is between their tags is kept."""
    assert read("{{% notice info %}}\nBên trong.\n{{% /notice %}}") == ([Paragraph("Bên trong.")], ["shortcode"])
    assert read("{% include quang-cao.html %}Chữ.") == ([Paragraph("Chữ.")], ["shortcode"])
    assert read("Chữ {{ page.author }}.") == ([Paragraph("Chữ .")], ["shortcode"])


def test_replace_comments_are_never_published() -> None:
    """What visitors of the old site did not see is removed."""
    for text in (
        "{% comment %}mật{% endcomment %}",
        "{{/* mật */}}",
        "{{< comment >}}mật{{< /comment >}}",
        "<!-- mật -->",
    ):
        assert read(f"{text}\n\nChữ.") == ([Paragraph("Chữ.")], []), text


def test_replace_links_by_file_name_are_reported() -> None:
    """A link to a file of the generator has no address here: its text is kept, with a warning."""
    for text in ('[Bài]({{< ref "b.md" >}})', '[Bài]({{< relref "/b.md#x" >}})', "[Bài]({% post_url 2019-01-01-b %})"):
        assert read(text) == ([Paragraph("Bài")], ["link"]), text
    assert read("[Bài]({{ site.baseurl }}/b.html)") == ([Paragraph('<a href="/b.html">Bài</a>')], [])


def test_replace_examples_of_shortcodes_stay_text() -> None:
    """Escaped shortcodes are text for readers."""
    assert read("{{</* youtube x */>}}") == ([Paragraph("{{&lt; youtube x &gt;}}")], [])
    assert read("{% raw %}{{ tên }}{% endraw %}") == ([Paragraph("{{ tên }}")], [])


def test_replace_highlight_is_code() -> None:
    """Code between tags is code, and no Markdown."""
    found, _ = read("{% highlight python %}\na_b_c = 1\n{% endhighlight %}")
    assert found == [Paragraph("a_b_c = 1")]


def test_markdown_to_html_has_footnotes_tasks_and_heading_attributes() -> None:
    """Footnotes are numbers with their texts, tasks have boxes, and attributes of headings are no text."""
    found, _ = read("# Mục {#muc}\n\nChữ[^1].\n\n- [x] xong\n- [ ] chưa\n\n[^1]: Ghi chú.")
    assert found[0] == Heading("Mục")
    assert found[1] == Paragraph("Chữ<sup>1</sup>.")
    assert BulletList([Item("☑ xong"), Item("☐ chưa")]) in found
    assert Paragraph("<sup>1</sup> Ghi chú.") in found
    assert read("Chữ.\n{: .lead}") == ([Paragraph("Chữ.")], [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('Dùng `{{< figure src="a.jpg" >}}` nhé', 'Dùng `{{< figure src="a.jpg" >}}` nhé'),
        ("``{{ site.url }}`` và `{% include x.html %}`", "``{{ site.url }}`` và `{% include x.html %}`"),
        ("```\n{{< youtube abc >}}\n{:.class}\n```\n", "```\n{{< youtube abc >}}\n{:.class}\n```\n"),
        ("~~~\n{% raw %}{{ x }}{% endraw %}\n~~~\n", "~~~\n{{ x }}\n~~~\n"),
        ("`{{</* tweet 1 */>}}`", "`{{< tweet 1 >}}`"),
        ("<pre>{{< gist a b >}}</pre>", "<pre>{{< gist a b >}}</pre>"),
    ],
)
def test_templates_in_code_are_text(text: str, expected: str) -> None:
    """Shortcodes in code are examples, which readers have seen; nothing is reported."""
    warnings: list[ItemWarning] = []
    assert Templates(warnings).replace(text) == expected
    assert warnings == []


def test_templates_attributes_may_have_backticks() -> None:
    """Backticks around an attribute are not code."""
    assert "<figcaption>Chợ</figcaption>" in Templates([]).replace("{{< figure src=`a.jpg` caption=`Chợ` >}}")
