import pytest
from conftest import STORY

from seqlab.cli.recipes import data_of, options_of_data, reused
from seqlab.data import DATA
from seqlab.errors import UserError
from seqlab.text.codec import Codec


def test_data_of_a_recipe_reads_with_the_codec_that_is_given() -> None:
    own = data_of({"name": "text", "path": str(STORY), "num_steps": 7}, ["text"])
    assert (own.corpus_name, own.hparams["num_steps"]) == ("story", 7)
    codec = Codec.build(lambda: iter(["the dog"]))
    assert data_of({"name": "text", "path": str(STORY)}, ["text"], {"text": codec}).codecs["text"] is codec


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ({"name": "txt"}, "unknown data 'txt': did you mean 'text'?"),
        ({"name": "fra_eng"}, "fra_eng cannot be read here; choose one of text, time_machine"),
        ({"name": "text", "num_step": 3}, "unknown option of the data 'num_step': did you mean 'num_steps'?"),
        ({"name": "time_machine", "path": "a.txt"}, "unknown option of the data 'path': "),
    ],
)
def test_recipes_that_mean_nothing(recipe: dict[str, object], words: str) -> None:
    with pytest.raises(UserError) as caught:
        data_of(recipe, ["text", "time_machine"])
    assert str(caught.value).startswith(words)


def test_a_corpus_answers_some_options_itself() -> None:
    assert "path" in options_of_data(DATA["text"])
    assert "num_steps" in options_of_data(DATA["time_machine"])
    assert "path" not in options_of_data(DATA["time_machine"])
    assert "codecs" not in options_of_data(DATA["text"])


def test_another_text_brings_its_own_held_out_parts() -> None:
    kept = {"name": "text", "path": "a.txt", "test_path": "t.txt", "num_steps": 7}
    assert reused(kept, {"num_steps": 9}) == kept
    assert reused(kept, {"path": "a.txt"}) == kept
    assert reused(kept, {"path": "b.txt"}) == {"name": "text", "path": "a.txt", "num_steps": 7}


def test_other_data_takes_what_the_checkpoint_has_settled() -> None:
    kept = {"name": "fra_eng", "reverse": True, "tokens": "bpe", "max_pairs": 9, "batch_size": 7, "val_fraction": 0.1}
    assert reused(kept, {"name": "parallel", "path": "a.tsv"}) == {"reverse": True, "tokens": "bpe"}
    kept = {"name": "text", "path": "a.txt", "lines": "items", "tokens": "space", "num_steps": 9}
    assert reused(kept, {"name": "time_machine"}) == {"lines": "items", "tokens": "space"}
