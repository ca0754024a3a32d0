"""What is said of several plans is said once."""

import pytest

from bayescale.report.sentences import grouped, humanised


@pytest.mark.parametrize(
    ("text", "human"),
    [
        ("params 6.82e+09 lies 1.4 decades above (3e+08).", "params 6.82B lies 1.4 decades above (300M)."),
        ("at 4.32e+13 FLOP, or 1e+23 FLOP.", "at 4.32e13 FLOP, or 1e23 FLOP."),
        ("a rate of 7.66e-05", "a rate of 7.66e-5"),
        ("--where 'flops<=4e+12' of /tmp/1e+05/x and run-3e+05", None),
        ("from 2e+06 to 3.5e+06 USD", "from 2M to 3.5M USD"),
    ],
)
def test_humanised(text, human):
    assert humanised(text) == (text if human is None else human)


def test_what_all_share_is_said_once_without_names():
    assert grouped({"a": "Look. It is far.", "b": "Look. It is far."}) == ["Look. It is far."]
    assert grouped({"a": "", "b": ""}) == [] and grouped({"a": "Look, e.g. here."}) == ["Look, e.g. here."]


def test_numbers_become_ranges():
    said = {
        "1e21 FLOP": "params 9e+08 lies 1.4 decades above (3e+08). In 72 to 89% of cases.",
        "1e22 FLOP": "params 6.82e+09 lies 0.9 decades above (3e+08). In 72 to 89% of cases. Run r8 leads.",
        "1e23 FLOP": "params 2e+09 lies 1.0 decades above (3e+08). In 72 to 89% of cases. Run r9 leads.",
    }
    assert grouped(said) == [
        "params 900M to 6.82B lies 0.9 to 1.4 decades above (300M). In 72 to 89% of cases.",
        "1e22 FLOP: Run r8 leads.",
        "1e23 FLOP: Run r9 leads.",
    ]


def test_names_are_listed_up_to_three():
    said = {f"plan-{i}": "It is far." for i in range(5)} | {"near": ""}
    assert grouped(said) == ["plan-0, plan-1, plan-2 and 2 more: It is far."]
