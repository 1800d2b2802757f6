from typing import Any

import numpy as np
import pytest
import torch

from seqlab.nn.onnx_cache import cached_onnx_model
from seqlab.nn.transformer_language import TransformerLanguage, TransformerLanguageOptions

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

VOCAB = 11


def network_of(**options: Any) -> TransformerLanguage:
    torch.manual_seed(1)
    given = {"hidden_size": 16, "num_layers": 2, "num_heads": 2, **options}
    network = TransformerLanguageOptions(**given).build(VOCAB).eval().requires_grad_(False)
    for weight in network.parameters():
        weight.mul_(4).add_(torch.randn_like(weight) * 0.05)
    return network


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="rotary"),
        pytest.param({"positions": "sinusoidal", "norm": "after"}, id="sinusoidal", marks=pytest.mark.slow),
        pytest.param({"positions": "learned", "context": 32}, id="learned", marks=pytest.mark.slow),
        pytest.param({"memory": 3}, id="memory", marks=pytest.mark.slow),
    ],
)
def test_a_step_with_its_cache_equals_the_network(options: dict[str, Any]) -> None:
    network = network_of(**options)
    model = cached_onnx_model(network)
    onnx.checker.check_model(model, full_check=True)
    content = model.SerializeToString()
    assert b"seqlab" not in content, "no path of a source file"
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    ids = torch.randint(VOCAB, (3, 9), generator=torch.Generator().manual_seed(2))
    expected, _ = network(ids)
    keys = values = np.zeros((3, 2, 2, 0, 8), np.float32)
    for part in ids.split([4, 1, 1, 3], 1):
        feed = {"ids": part.numpy(), "keys": keys, "values": values}
        logits, keys, values = session.run(["logits", "next_keys", "next_values"], feed)
        done = keys.shape[3]
        torch.testing.assert_close(
            torch.from_numpy(logits), expected[:, done - part.shape[1] : done], rtol=1e-4, atol=1e-4
        )
