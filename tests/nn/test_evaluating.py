import pytest
import torch
from torch import nn

from seqlab.nn.evaluating import evaluating


@pytest.mark.parametrize("training", [True, False])
def test_dropout_is_off_within_and_all_is_as_before_afterwards(training: bool) -> None:
    network = nn.Sequential(nn.Dropout(0.5)).train(training)
    with evaluating(network):
        assert torch.equal(network(torch.ones(100)), torch.ones(100))
    assert network.training == network[0].training == training
    with pytest.raises(ValueError, match="broken"), evaluating(network):
        raise ValueError("broken")
    assert network.training == training
