"""``seqlab VERB ...`` and ``python -m seqlab VERB ...``: the verbs under one command."""

import sys
from importlib import import_module

from seqlab import VERBS, __version__
from seqlab.errors import nearest
from seqlab.starting import begin_imports

HELP = "\n".join(
    (
        "usage: seqlab VERB [ARGUMENT ...] [--OPTION VALUE ...]",
        "",
        "Train, evaluate, compare and inspect sequence models. 'python -m seqlab.VERB' does the same.",
        "",
        "Verbs:",
        *(f"  {verb:<11}{does}" for verb, does in VERBS.items()),
        "",
        "Examples:",
        "  seqlab fit --model gru",
        "  seqlab evaluate lightning_logs/gru-time_machine",
        "",
        "'seqlab VERB --help' lists the common options of a verb, 'seqlab VERB --help_all' all of them.",
    )
)
ASKED = {**dict.fromkeys(("-h", "--help", "--help_all"), HELP), "--version": f"seqlab {__version__}"}


def main() -> int:
    """Hands the rest of the command line to the verb; returns its exit code."""
    verb, *arguments = sys.argv[1:] or ["--help"]
    if verb in ASKED:
        told: int = import_module("seqlab.cli.process").run_verb(lambda _: print(ASKED[verb]), [])
        return told
    if verb not in VERBS:
        print(f"seqlab: unknown verb '{verb}': {nearest(verb, VERBS)}", file=sys.stderr)
        return 2
    begin_imports()
    code: int = import_module(f"seqlab.{verb}").main(arguments)
    return code


if __name__ == "__main__":
    sys.exit(main())
