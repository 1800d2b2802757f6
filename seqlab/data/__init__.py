"""Files -> batches. ``DATA`` names every corpus that ``--data`` takes."""

from seqlab.data.data_module import DataModule
from seqlab.data.digit_strings import DigitStrings
from seqlab.data.image_corpora import Digits, Mnist
from seqlab.data.images import ImageData
from seqlab.data.labelled import LabelledData
from seqlab.data.labelled_corpora import RtPolarity, Trec
from seqlab.data.parallel import FraEng, ParallelData
from seqlab.data.points import PointsData
from seqlab.data.series import SeriesData
from seqlab.data.series_corpora import Airline, ETTh1, Sine, Temperatures
from seqlab.data.tagged import TaggedData
from seqlab.data.tagged_corpora import WNUT17, Hello, UDEnglishEWT
from seqlab.data.text import TextData
from seqlab.data.text_corpora import FiveSentences, PennTreebank, TimeMachine, WikiText2

KINDS: tuple[type[DataModule], ...] = (
    *(TextData, TimeMachine, PennTreebank, WikiText2, FiveSentences),
    *(ParallelData, FraEng, LabelledData, RtPolarity, Trec),
    *(TaggedData, UDEnglishEWT, WNUT17, Hello),
    *(SeriesData, Sine, Airline, Temperatures, ETTh1),
    *(ImageData, Digits, Mnist, DigitStrings, PointsData),
)
DATA: dict[str, type[DataModule]] = {kind.data_name: kind for kind in KINDS}
