import pytest

from seqlab.comparison.records import Record
from seqlab.comparison.remaining import Progress


def test_it_says_how_long_the_rest_takes(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(total=5, jobs=2)
    for name, seconds in (("one", 100.0), ("two", 300.0)):
        progress.say(Record(name, [], {}, {"seconds": seconds}))
    progress.say(Record("three", [], {}, reason="no such file"))
    progress.say(Record("four", [], {}, {"seconds": 20.0}))
    progress.say(Record("five", [], {}, {"seconds": 900.0}))
    assert capsys.readouterr().out.splitlines() == [
        "1/5 one: 100 s; about 3 min left",
        "2/5 two: 300 s; about 5 min left",
        "3/5 three: failed: no such file; about 3 min left",
        "4/5 four: 20 s; about 1 min left",
        "5/5 five: 900 s",
    ]
