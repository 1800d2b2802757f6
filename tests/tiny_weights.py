"""Folders of tiny random weights as Hugging Face's programs write them, each with a tokenizer; needs transformers."""

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

LINES = [
    "The bank of the river was muddy.",
    "",
    "She paid money at the bank, the Bank!",
    "The banks of a riverbank are no bank of money.",
]
PIECES = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "ba", "##nk", "##s", "river", "##ba", "of", ".", ",", "!"),
    *("was", "mud", "##dy", "she", "paid", "money", "at", "a", "are", "no"),
]


def write_bert(folder: Path, **options: Any) -> Path:
    """A BERT that ignores case; *bank* is two subwords."""
    from transformers import BertConfig, BertModel

    library = Tokenizer(models.WordPiece({piece: id for id, piece in enumerate(PIECES)}, unk_token="[UNK]"))
    library.normalizer = normalizers.BertNormalizer(lowercase=True)
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    marks = [(mark, PIECES.index(mark)) for mark in ("[CLS]", "[SEP]")]
    library.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair=None, special_tokens=marks)
    _write_tokenizer(library, folder, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]")
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    options = {"vocab_size": len(PIECES), "max_position_embeddings": 40, **sizes, **options}
    BertModel(BertConfig(**options)).save_pretrained(folder)
    return folder


def write_gpt2(folder: Path) -> Path:
    """A GPT-2 that minds case, without a token for padding."""
    from transformers import GPT2Config, GPT2Model

    library = Tokenizer(models.BPE())
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    letters = pre_tokenizers.ByteLevel.alphabet()
    library.train_from_iterator(LINES, trainers.BpeTrainer(vocab_size=262, initial_alphabet=letters))
    _write_tokenizer(library, folder)
    torch.manual_seed(0)
    sizes = {"vocab_size": 262, "n_positions": 40, "n_embd": 16, "n_layer": 2, "n_head": 2}
    GPT2Model(GPT2Config(**sizes, bos_token_id=None, eos_token_id=None)).save_pretrained(folder)
    return folder


def _write_tokenizer(library: Tokenizer, folder: Path, **marks: str) -> None:
    from transformers import PreTrainedTokenizerFast

    PreTrainedTokenizerFast(tokenizer_object=library, **marks).save_pretrained(folder)
