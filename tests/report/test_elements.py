from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from betaplus.report.elements import Html, field_list, format_number, table, to_html


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0512345, "0.0512"),
        (0.05, "0.0500"),
        (123.456, "123"),
        (1234.5, "1234"),
        (54321.4, "54,321"),
        (9999.99, "10,000"),
        (-0.00123, "-0.00123"),
        (0, "0"),
        (3.2e-7, "3.20e-07"),
        (2.5e8, "2.50e+08"),
        (float("nan"), "n/a"),
        (float("inf"), "inf"),
        (np.float32(0.25), "0.250"),
        (True, "yes"),
    ],
)
def test_numbers_are_written_plainly(value: float, text: str) -> None:
    assert format_number(value) == text


@given(st.floats(min_value=1e-12, max_value=1e12))
def test_three_digits_are_kept(value: float) -> None:
    written = float(format_number(value).replace(",", ""))
    assert abs(written - value) <= 0.5001e-2 * value


def test_only_what_says_that_it_is_markup_is_trusted() -> None:
    assert to_html("<b>&\"'") == "&lt;b&gt;&amp;&quot;&#x27;"
    assert to_html(Html("<b>x</b>")) == "<b>x</b>"


def test_table_escapes_and_marks_numbers(read_page) -> None:
    markup = table(["<name>", "a & b"], [["x<y", Html("1<small>2</small>")]], caption="<c>")
    page = read_page(markup)
    assert page.tables == [[[["<name>"], ["a & b"]], [["x<y"], ["1", "2"]]]]
    assert '<td class="num">' in markup and '<th scope="row">' in markup


def test_settings_of_any_kind_are_listed(read_page) -> None:
    page = read_page(
        field_list(
            {
                "prior": {"K1 <": {"low": 0.01, "high": 5.0}},
                "levels": np.arange(100),
                "none": None,
                "flag": np.bool_(True),
                "tuple": (1, "a&b"),
            }
        )
    )
    text = page.text()
    for part in ("K1 <", "0.01", "(100 in all)", "n/a", "yes", "a&b"):
        assert part in text
    assert ", 30," not in text
