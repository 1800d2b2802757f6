"""``seqlab VERB ...`` and ``python -m seqlab VERB ...``: the verbs under one command."""

import sys
from importlib import import_module

from seqlab import VERBS
from seqlab.errors import nearest


def main() -> int:
    """Hands the rest of the command line to the verb; returns its exit code."""
    verb, *arguments = sys.argv[1:] or ["--help"]
    if verb in ("-h", "--help"):
        helped: int = import_module("seqlab.cli.parser").run_verb(_help, [])
        return helped
    if verb not in VERBS:
        print(f"seqlab: unknown verb '{verb}': {nearest(verb, VERBS)}", file=sys.stderr)
        return 2
    code: int = import_module(f"seqlab.{verb}").main(arguments)
    return code


def _help(_: list[str]) -> None:
    print(f"usage: seqlab {{{','.join(VERBS)}}} ...\n\n'seqlab VERB --help' says what a verb takes.")


if __name__ == "__main__":
    sys.exit(main())
