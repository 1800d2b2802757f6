"""Files -> batches. ``DATA`` names every corpus that ``--data`` takes."""

from seqlab.data.data_module import DataModule
from seqlab.data.parallel_data import FraEng, ParallelData
from seqlab.data.text_data import TextData, TimeMachine

DATA: dict[str, type[DataModule]] = {kind.data_name: kind for kind in (TextData, TimeMachine, ParallelData, FraEng)}
