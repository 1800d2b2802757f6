"""``python -m seqlab.translate CKPT "i am home ."``: translates with a trained model."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from seqlab import VERBS
from seqlab.cli.lines import beside_blanks, given_lines, say_incomplete, write_lines
from seqlab.cli.objects import in_python
from seqlab.cli.parser import Parser
from seqlab.cli.process import run_verb
from seqlab.cli.verbs import add_options_of, checked, load_for, named_checkpoint
from seqlab.decoding.beam import Beam
from seqlab.decoding.translation import Translation
from seqlab.errors import UserError
from seqlab.models.model import Model
from seqlab.runs.writable import check_file

ROOM = "--max_length, or --length_factor and --length_addend, allow more tokens"
USAGE = 'python -m seqlab.translate CKPT ["SENTENCE" ...] [--input FILE] [--output FILE] [--OPTION VALUE ...]'
EXAMPLES = (
    'python -m seqlab.translate lightning_logs/fra_eng-attention "i am home ."',
    "python -m seqlab.translate lightning_logs/fra_eng-attention --input english.txt --output french.txt",
)


def translate(ckpt: str, sentences: str | Sequence[str], **options: Any) -> list[list[str]]:
    """Translates sentences with a trained model.

    Args:
        ckpt: Checkpoint of the model, or the folder of its run with the best checkpoint.
        sentences: Sentences to translate.
        options: Options of the model's own ``translate``, such as ``beam_size`` and ``n_best``.

    Returns:
        For each sentence its translations, best first.

    Raises:
        UserError: The checkpoint cannot be read, or an option is out of its range.
    """
    with in_python():
        model = load_for("translate", ckpt).model
        found: list[list[str]] = model.translate(sentences, **checked(model, "translate", options))
        return found


def _run(argv: list[str]) -> None:
    parser = Parser(usage=USAGE, description=VERBS["translate"], examples=EXAMPLES)
    parser.add_argument("ckpt", type=str, help="Checkpoint of the model, or the folder of its run.")
    parser.add_argument("sentences", type=str, nargs="*", help="Sentences; lines of stdin if there are none.")
    parser.add_argument("--input", type=str | None, help="UTF-8 file of sentences, one per line.")
    parser.add_argument("--output", type=str | None, help="File for the translations, in the order of the sentences.")
    parser.add_argument("--attention", type=str | None, help="PNG file for the attention over one sentence.")
    loaded = named_checkpoint(parser, "translate", argv)
    add_options_of(parser, loaded, "translate")
    options = parser.parse_sentence(argv).as_dict()
    assert loaded is not None
    names = ("ckpt", "sentences", "input", "output", "attention", "prefix")
    _, given, source, target, picture, prefix = (options.pop(key) for key in names)
    beam = loaded.model.beam(options.pop("beam_size"), **options)
    if not given and source is None and sys.stdin.isatty():
        if target is not None or picture is not None:
            raise UserError("--output and --attention need sentences; give some as words or by --input")
        return _converse(loaded.model, beam, prefix)
    for file in (target, picture):
        check_file(file)
    sentences = given_lines(given, source, "sentence to translate")
    if picture is not None and len(sentences) != 1:
        raise UserError(f"--attention draws one sentence, not {len(sentences)}; give one")
    filled = sentences if given else [sentence for sentence in sentences if sentence.strip()]
    found = loaded.model.translations(filled, beam, picture is not None, prefix, progress=True)
    whole = found if given else beside_blanks(sentences, found, [Translation("", 0.0, [], [], None)])
    write_lines(target, _shown(whole, beam.n_best))
    say_incomplete(sum(not best[0].complete for best in found), len(found), ROOM)
    if picture is not None:
        from seqlab.figures import save_figure
        from seqlab.views.attention_map import draw_attention  # imports matplotlib, which is slow

        save_figure(draw_attention(found[0][0]), Path(picture))
    return None


def _shown(found: Iterable[list[Translation]], n_best: int) -> list[str]:
    if n_best == 1:
        return [translations[0].text for translations in found]
    return [f"{row}\t{one.score:.4f}\t{one.text}" for row, best in enumerate(found, 1) for one in best]


def _converse(model: Model, beam: Beam, prefix: str) -> None:
    print("One sentence per line; an empty line ends.", file=sys.stderr)
    for line in iter(lambda: input("> ").strip(), ""):
        try:
            print("\n".join(_shown(model.translations([line], beam, False, prefix), beam.n_best)))
        except UserError as error:
            print(f"seqlab: {error}", file=sys.stderr)


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_verb(_run, argv)


if __name__ == "__main__":
    sys.exit(main())
