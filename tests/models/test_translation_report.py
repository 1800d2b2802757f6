import pytest

from seqlab.errors import UserError
from seqlab.models.translation_report import tokenization

TEXTS = {"zh": "他们在这里。", "char": "กำลังทำ", "13a": "Über die Brücke."}


@pytest.mark.parametrize("name", TEXTS)
def test_the_script_tells_how_bleu_cuts_words_where_no_language_is_named(name: str) -> None:
    assert tokenization(None, None, [TEXTS[name]]) == name


@pytest.mark.parametrize(("language", "name"), [("zh", "zh"), ("cmn", "zh"), ("de", "13a"), ("th", "char")])
def test_the_language_tells_how_bleu_cuts_words(language: str, name: str) -> None:
    assert tokenization(None, language, ["a b"]) == name
    assert tokenization("intl", language, ["a b"]) == "intl"


def test_what_sacrebleu_lacks_is_said() -> None:
    pytest.importorskip("sacrebleu")
    try:
        import MeCab  # noqa: F401
    except ImportError:
        assert tokenization(None, "ja", ["a b"]) == "char"
        with pytest.raises(UserError, match=r"^tokenize 'ja-mecab' cannot be had: .*; or give another --tokenize$"):
            tokenization("ja-mecab", None, ["a b"])
