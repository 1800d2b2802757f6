from seqlab.decoding.strings import StringRead, as_places


def test_symbols_with_their_places() -> None:
    symbol = {"symbol": "7", "first": 3, "last": 9, "probability": 0.98765}
    read = [
        StringRead("a.png", "77", 0.9, [symbol, symbol]),
        StringRead("b.png", "", 1.0, []),
    ]
    assert str(read[0]) == "77\t0.9000"
    assert [*as_places(read)] == ["7\t3\t9\t0.9877", "7\t3\t9\t0.9877", ""]
