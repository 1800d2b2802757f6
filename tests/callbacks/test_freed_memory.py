from typing import Any

import pytest

from seqlab.callbacks.freed_memory import FreedMemory


@pytest.mark.parametrize(
    ("held", "given_back"),
    [
        ([100, 150, 155, 160], []),  # 60 over 50 is not above 1.2 times
        ([100, 150, 161, 140, 161], [2, 4]),
        ([100, 150, 161, 170, 184, 185], [2, 5]),  # what the batches after it needed is what counts from there on
        ([0, 0, 0, 0], []),
    ],
)
def test_it_gives_back_what_is_much_more_than_steps_need(
    held: list[int], given_back: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, done = iter(held), []
    seen = []

    def resident() -> int:
        seen.append(next(looks))
        return seen[-1]

    monkeypatch.setattr("seqlab.callbacks.freed_memory.resident", resident)
    monkeypatch.setattr("seqlab.callbacks.freed_memory.give_back", lambda: done.append(len(seen) - 1))
    callback: Any = FreedMemory()
    callback.on_train_start(None, None)
    for batch in range(10 * (len(held) - 1)):
        callback.on_train_batch_end(None, None, None, None, batch)
    assert done == [-1, *given_back]  # what the preparation of the data left is given back before the first look


def test_it_gives_back_after_each_validation(fit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    done = []
    monkeypatch.setattr("seqlab.callbacks.freed_memory.give_back", lambda: done.append(1))
    fit(FreedMemory(), max_epochs=3)
    assert len(done) == 1 + 3
