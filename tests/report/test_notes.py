"""notes.md beside the runs: shown, kept, never trusted."""

import os

from backproplab.report.notes import as_markup
from backproplab.report.page import render


def test_notes_come_back_each_time(write_run, session, compare):
    write_run("a", 0.1)
    (session / "notes.md").write_text("Momentum <b>helps</b>.\n\n- first `x < 1`\n- second\n")
    page = render(compare()[0])[0]
    assert "Momentum &lt;b&gt;helps&lt;/b&gt;." in page
    assert "<ul><li>first <code>x &lt; 1</code></li><li>second</li></ul>" in page
    assert render(compare()[0])[0] == page
    assert (session / "notes.md").read_text().startswith("Momentum")


def test_without_notes_the_page_says_where_they_go(write_run, session, compare):
    write_run("a", 0.1)
    page = render(compare()[0])[0]
    assert f"<code>{session / 'notes.md'}</code>" in page
    assert '<div class="pad" id="notes" aria-label="notes"></div>' in page


def test_a_notes_file_that_is_none_is_a_warning(write_run, session, compare):
    write_run("a", 0.1)
    os.mkfifo(session / "notes.md")
    page, warnings = render(compare()[0])
    assert len(warnings) == 1
    assert "notes.md" in warnings[0]
    assert "Warning: " in page


def test_blocks():
    made = as_markup("# Head\nline one\nline two\n\n1. a\n2. b\r\n\r\nlast")
    assert made == [
        "<p><b>Head</b></p>",
        "<p>line one\nline two</p>",
        "<ul><li>a</li><li>b</li></ul>",
        "<p>last</p>",
    ]
