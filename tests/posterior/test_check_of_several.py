"""The checks of an average: what several laws share is said once, and an answer shows what concerns most of the weight."""

from bayescale.posterior.check import of_several

WEIGHTS = {"a": 0.6, "b": 0.3, "c": 0.1}


def row(name, advice, *, passed=False, severity="warn"):
    return {"name": name, "advice": advice, "passed": passed, "severity": severity}


def test_a_warning_of_several_laws_is_said_once_in_the_words_of_the_heaviest():
    rows = {"a": [row("tail", "")], "b": [row("tail", "wide")], "c": [row("tail", "", passed=True)]}
    rows["a"][0]["advice"] = "narrow"
    (said,) = of_several(rows, WEIGHTS)
    assert said["advice"] == "Laws a, b (weight 0.90; numbers of 'a'): narrow"
    (said,) = of_several({**rows, "c": [row("tail", "odd")]}, WEIGHTS)
    assert said["advice"] == "All laws (numbers of 'a'): narrow"
    (said,) = of_several({name: [row("tail", "same")] for name in "abc"}, WEIGHTS)
    assert said["advice"] == "same"
    (said,) = of_several({"a": [], "b": [], "c": [row("tail", "odd")]}, WEIGHTS)
    assert said["advice"] == "Law 'c' (weight 0.10): odd"


def test_an_answer_leaves_out_what_concerns_little_but_never_a_failure():
    rows = {"a": [row("tail", "narrow")], "b": [row("floor", "low")], "c": [row("rhat", "long", severity="fail")]}
    assert [one["name"] for one in of_several(rows, WEIGHTS, least=0.5)] == ["tail", "rhat"]
    assert len(of_several(rows, WEIGHTS)) == 3
