"""Steps tell whoever watches, and nobody else."""

from bayescale.progress import counter, steps, watched


def test_steps_are_told_to_the_watch():
    told = []
    with watched(lambda *step: told.append(step)):
        assert list(steps("ab", "letters")) == ["a", "b"]
    assert told == [("letters", 0, 2), ("letters", 1, 2), ("letters", 2, 2)]
    assert list(steps("c", "letters")) == ["c"] and len(told) == 3, "nobody watches any more"


def test_nothing_to_do_is_not_told():
    told = []
    with watched(lambda *step: told.append(step)):
        assert list(steps([], "nothing")) == []
    assert told == []


def test_many_small_units_are_told_now_and_then():
    told = []
    with watched(lambda *step: told.append(step)):
        one_more = counter("draws", 250)
        for _ in range(250):
            one_more()
    assert told == [("draws", done, 250) for done in (0, 100, 200, 250)]
    assert counter("draws", 250) is None, "nobody watches any more"
