from seqlab.analysis.memory_picture import Panel, draw_success


def test_a_panel_for_each_task_and_a_line_for_each_model() -> None:
    adding = Panel("adding", "share right", {"gru": {10: 1.0, 100: 0.5}, "rnn": {25: 0.25}}, 0.08)
    copy = Panel("copy", "symbols right", {"gru": {10: 0.75}}, 0.125)
    left, right = draw_success([adding, copy]).axes
    assert [(line.get_label(), [*line.get_xdata()], [*line.get_ydata()]) for line in left.lines[:2]] == [
        ("gru", [10, 100], [1.0, 0.5]),
        ("rnn", [25], [0.25]),
    ]
    assert left.lines[2].get_label() == "chance"
    assert [*left.lines[2].get_ydata()] == [0.08, 0.08]
    assert left.get_xscale() == "log"
    assert [tick.get_text() for tick in left.get_xticklabels()] == ["10", "25", "100"]
    assert (right.get_title(), right.get_ylabel()) == ("copy", "symbols right")
