import pytest

from seqlab.comparison.reading import read_options
from seqlab.errors import UserError


def test_every_option_as_plain_values_whether_or_not_the_data_is_there() -> None:
    options = read_options(["--model=lstm", "--data=text", "--data.path=none.txt", "--seed=7", "--run=r"])
    assert (options["model"]["name"], options["data"]["path"], options["seed"]) == ("lstm", "none.txt", 7)
    assert options["run"] is None
    assert "default_root_dir" not in options["trainer"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--trainer.fast_dev_run=true", "trainer.fast_dev_run keeps nothing that could be compared; leave it out"),
        (
            "--trainer.logger=CSVLogger",
            "trainer.logger must stay TensorBoard's, whose events a comparison reads; leave",
        ),
        ("--trainer.logger=false", "trainer.logger must stay TensorBoard's"),
        ("--trialz=3", "unknown option --trialz: did you mean '--trials'"),  # of the comparison
        ("--model.hiden_size=3", "unknown option --model.hiden_size: did you mean '--model.hidden_size'"),
    ],
)
def test_runs_that_could_not_be_compared(words: str, sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        read_options([words])
    assert str(caught.value).startswith(sentence)
