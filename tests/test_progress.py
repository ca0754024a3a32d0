"""Steps tell whoever watches, and nobody else."""

from bayescale.progress import steps, watched


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
