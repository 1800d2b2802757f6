from pathlib import Path

import lightning.pytorch as pl
import pytest
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from seqlab.analysis.activations import windows
from seqlab.analysis.looking_back import attention_of, distances, gradient_by_lag_of_layers
from seqlab.data.text import TextData
from seqlab.models.language import LanguageModel
from seqlab.nn.transformer_language import TransformerLanguage, TransformerLanguageOptions
from seqlab.views.attention_watch import ROWS, AttentionWatch


@pytest.mark.parametrize("pictures", [False, True])
def test_the_numbers_are_those_of_the_model(tmp_path: Path, data: TextData, pictures: bool) -> None:
    options = TransformerLanguageOptions(hidden_size=8, num_layers=2, num_heads=2)
    model = LanguageModel(options, data.codecs)
    quiet = dict.fromkeys(("enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    watch, board = AttentionWatch(pictures), TensorBoardLogger(str(tmp_path), name="run", version="")
    trainer = pl.Trainer(accelerator="cpu", callbacks=[watch], logger=board, max_epochs=2, **quiet)  # type: ignore[arg-type]
    trainer.fit(model, data)
    seen = EventAccumulator(str(tmp_path / "run"), size_guidance={"scalars": 0, "images": 0})
    seen.Reload()
    last = {tag: seen.Scalars(tag)[-1].value for tag in seen.Tags()["scalars"]}
    network = model.network
    assert isinstance(network, TransformerLanguage)
    pieces = windows(data.part("val").ids, ROWS, data.num_steps)
    norms = gradient_by_lag_of_layers(network, pieces[:, :-1], pieces[:, 1:])
    for layer in (0, 1):
        assert last[f"gradient_flow/layer{layer}_lag_4"] == pytest.approx(float(norms[layer, 4]), rel=1e-4)
        for head, steps in enumerate(distances(attention_of(network, pieces[:, :-1]))[layer]):
            assert last[f"attention_distance/layer{layer}_head{head}"] == pytest.approx(float(steps), rel=1e-4)
    assert sorted(seen.Tags()["images"]) == ["watch pictures/attention by head", "watch pictures/gradient flow by lag"]
    assert len(seen.Images("watch pictures/attention by head")) == 1 + 2 * pictures
    assert watch.state_dict()["steps"] == [10, 20]
