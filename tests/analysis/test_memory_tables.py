from seqlab.analysis.memory_rows import Row
from seqlab.analysis.memory_tables import markdown_table, means


def test_means_and_tables_by_hand() -> None:
    found = means(
        [Row("copy", "gru", 9, seed, success, 1.0, 2, 3.0) for seed, success in ((1, 0.5), (2, 0.75))],
        lambda row: row.success,
    )
    assert found == {"gru": {9: 0.625}}
    assert list(markdown_table([5, 9], {**found, "chance": {5: 0.1, 9: 0.1}}, ".1%")) == [
        "| cell   |       5 |       9 |",
        "|--------|--------:|--------:|",
        "| gru    |         |   62.5% |",
        "| chance |   10.0% |   10.0% |",
    ]
