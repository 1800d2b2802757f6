"""Views of a translation model: translations, its worst sentences, and its attention."""

from typing import NamedTuple, cast

import lightning.pytorch as pl
import torch

from seqlab.analysis.translation_attention import translation_attention
from seqlab.decoding.translation import translate, translate_ids
from seqlab.nn.evaluating import evaluating
from seqlab.nn.transformer_translation import TransformerTranslation
from seqlab.views.boards import Pairs, Translates, add_picture, boards

EXAMINED = 512
"""Number of held-out sentences to compare by loss."""
WORST, DRAWN = 8, 3


class Failure(NamedTuple):
    """A held-out sentence.

    Args:
        loss: Nats per token of the reference, by teacher forcing.
        source: The source as the model reads it.
        reference: The reference translation.
        translation: The model's translation.
    """

    loss: float
    source: str
    reference: str
    translation: str


class TranslationView(pl.Callback):
    """Shows, after each validation, a few translations and the held-out sentences of the highest loss.

    It draws attention at the end of training; of a Transformer also every head, over the longest of these sentences.

    Args:
        pictures: Whether to draw attention also after each validation.
    """

    def __init__(self, pictures: bool) -> None:
        self.pictures = pictures

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        writers = boards(trainer)
        if not writers:
            return
        model = cast(Translates, pl_module)
        failures = worst(model, trainer.datamodule)
        lines = ["| nats per token | source | reference | translation |", "|---|---|---|---|"]
        for failure in failures:
            cells = (f"{failure.loss:.2f}", failure.source, failure.reference, failure.translation)
            lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
        for writer in writers:
            writer.add_text("worst sentences", "\n".join(lines), trainer.global_step)
            writer.add_text("sample/translations", f"```\n{model.sample(trainer.datamodule)}\n```", trainer.global_step)
        if self.pictures:
            self._draw(trainer, model)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self.pictures:
            self._draw(trainer, cast(Translates, pl_module))

    @torch.no_grad()
    def _draw(self, trainer: pl.Trainer, module: Translates) -> None:
        writers = boards(trainer)
        if not writers or not module.network.attends:
            return
        from seqlab.views.attention_map import draw_attention

        with evaluating(module):
            sources = module.shown_sources(trainer.datamodule)[:DRAWN]
            codecs = module.source_codec, module.target_codec
            found = translate(module.network, *codecs, sources, module.beam(), attention=True)
        for row, translations in enumerate(found):
            for writer in writers:
                figure = draw_attention(translations[0])
                add_picture(writer, f"attention/{row}", figure, trainer.global_step)
        if isinstance(module.network, TransformerTranslation):
            longest = max((translations[0] for translations in found), key=lambda one: len(one.source))
            heads = translation_attention(module.network, *codecs, longest.source, longest.target)
            for name, figure in heads.figures().items():
                for writer in writers:
                    add_picture(writer, f"attention by head/{name}", figure, trainer.global_step)


@torch.no_grad()
def worst(module: Translates, data: Pairs) -> list[Failure]:
    """The sentences of the highest loss among the first of the validation part, the worst first."""
    found: list[tuple[float, list[int], list[int]]] = []
    codecs = (module.source_codec, module.target_codec)
    with evaluating(module):
        for batch in data.evaluation_loader("val"):
            moved = batch._replace(**{name: part.to(module.device) for name, part in batch._asdict().items()})
            losses = module.network.sentence_nats(*moved) / moved.valid.sum(1)
            for row, loss in enumerate(losses.tolist()):
                source = batch.source[row, : batch.source_lengths[row] - 1].tolist()
                found.append((loss, source, batch.targets[row][batch.valid[row]][:-1].tolist()))
            if len(found) >= EXAMINED:
                break
        found = sorted(found, reverse=True)[:WORST]
        said = translate_ids(module.network, *codecs, [source for _, source, _ in found], module.beam())
    return [
        Failure(loss, codecs[0].written(source), codecs[1].written(target), translations[0].text)
        for (loss, source, target), translations in zip(found, said, strict=True)
    ]
