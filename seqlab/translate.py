"""``python -m seqlab.translate CKPT "i am home ."``: let a trained model translate."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from seqlab.cli.parser import Parser, run_verb
from seqlab.decoding.beam import Beam
from seqlab.decoding.translation import Translation
from seqlab.decoding.translation import translate as translations_of
from seqlab.errors import UserError, reason_of
from seqlab.files import whole_file
from seqlab.models import load_model
from seqlab.models.translation import Seq2Seq
from seqlab.runs.checkpoint import read_checkpoint

USAGE = 'python -m seqlab.translate CKPT ["SENTENCE" ...] [--input FILE] [--output FILE] [--OPTION VALUE ...]'


def translate(
    ckpt: str,
    sentences: Sequence[str],
    beam_size: int = 5,
    length_penalty: float = 1.0,
    coverage_penalty: float = 0.0,
    min_length: int = 0,
    max_length: int = 50,
    no_repeat_ngram: int = 0,
    n_best: int = 1,
    prefix: str = "",
) -> list[list[str]]:
    """Translates sentences with a trained model.

    Args:
        ckpt: Checkpoint of the model.
        sentences: To translate.
        beam_size: Hypotheses kept at every step; 1 is greedy.
        length_penalty: Exponent of Wu et al. (2016); 0 ranks by probability alone.
        coverage_penalty: Weight of what attention left unread; needs attention.
        min_length: Least tokens of a translation.
        max_length: Most tokens of a translation.
        no_repeat_ngram: No n-gram of this length occurs twice; 0 allows all.
        n_best: Translations of each sentence, at most beam_size.
        prefix: Text that every translation starts with.

    Returns:
        For each sentence its translations, best first.

    Raises:
        UserError: The checkpoint cannot be read, or an option is out of its range.
    """
    beam = Beam(beam_size, length_penalty, coverage_penalty, min_length, max_length, no_repeat_ngram, n_best)
    found = _translations(_model(ckpt), sentences, beam, attention=False, prefix=prefix)
    return [[one.text for one in translations] for translations in found]


def _model(ckpt: str) -> Seq2Seq:
    model = load_model(read_checkpoint(ckpt))
    if not isinstance(model, Seq2Seq):
        raise UserError(f"{ckpt} holds a {model.kind.replace('_', ' ')}, which does not translate; use seqlab.generate")
    return model


@torch.inference_mode()
def _translations(
    model: Seq2Seq, sentences: Sequence[str], beam: Beam, attention: bool, prefix: str
) -> list[list[Translation]]:
    codecs = model.source_codec, model.target_codec
    return translations_of(model.network, *codecs, sentences, beam, attention, prefix, progress=True)


def _run(argv: list[str]) -> None:
    parser = Parser(prog="python -m seqlab.translate", usage=USAGE, description="Lets a trained model translate.")
    parser.add_argument("ckpt", type=str, help="Checkpoint of the model.")
    parser.add_argument("sentences", type=str, nargs="*", help="To translate; lines of stdin if there are none.")
    parser.add_argument("--input", type=str | None, help="UTF-8 file of sentences, one a line.")
    parser.add_argument("--output", type=str | None, help="File for the translations, in the order of the sentences.")
    parser.add_argument("--attention", type=str | None, help="PNG file for the attention over one sentence.")
    parser.add_function_arguments(translate, skip={"ckpt", "sentences"})
    options = parser.parse_sentence(argv).as_dict()
    ckpt, given, source, target, picture, prefix = (
        options.pop(key) for key in ("ckpt", "sentences", "input", "output", "attention", "prefix")
    )
    beam = Beam(options.pop("beam_size"), **options)
    model = _model(ckpt)
    if not given and source is None and sys.stdin.isatty():
        return _converse(model, beam, prefix)
    sentences = given or _lines(source)
    if picture is not None and len(sentences) != 1:
        raise UserError(f"--attention draws one sentence, not {len(sentences)}; give one")
    found = _translations(model, sentences, beam, picture is not None, prefix)
    _write(target, _shown(found, beam.n_best))
    if picture is not None:
        from seqlab.figures import save_figure
        from seqlab.views.attention_map import (
            draw_attention,
        )  # matplotlib, which those who draw nothing need not wait for

        save_figure(draw_attention(found[0][0]), Path(picture))
    return None


def _shown(found: Iterable[list[Translation]], n_best: int) -> list[str]:
    if n_best == 1:
        return [translations[0].text for translations in found]
    return [f"{row}\t{one.score:.4f}\t{one.text}" for row, best in enumerate(found, 1) for one in best]


def _converse(model: Seq2Seq, beam: Beam, prefix: str) -> None:
    print("A sentence a line; an empty line ends.", file=sys.stderr)
    for line in iter(lambda: input("> ").strip(), ""):
        try:
            print("\n".join(_shown(_translations(model, [line], beam, False, prefix), beam.n_best)))
        except UserError as error:
            print(f"seqlab: {error}", file=sys.stderr)


def _lines(path: str | None) -> list[str]:
    try:
        data = sys.stdin.buffer.read() if path is None else Path(path).read_bytes()
        lines = [line.removesuffix("\r") for line in data.decode("utf-8-sig").removesuffix("\n").split("\n")]
    except OSError as error:
        raise UserError(f"cannot read {path}: {reason_of(error)}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path or 'stdin'} is not UTF-8 text (byte {error.start}); convert it first") from None
    if lines == [""]:
        raise UserError(f"{path or 'stdin'} holds no sentence to translate")
    return lines


def _write(path: str | None, lines: Iterable[str]) -> None:
    """Writes to a file that appears whole or not at all, or to stdout."""
    text = "".join(f"{line}\n" for line in lines)
    if path is None:
        print(text, end="")
        return
    try:
        with whole_file(Path(path)) as file:
            file.write(text.encode())
    except OSError as error:
        raise UserError(f"cannot write {path}: {reason_of(error)}") from None


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_verb(_run, argv)


if __name__ == "__main__":
    sys.exit(main())
