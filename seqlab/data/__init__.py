"""Files -> batches. ``DATA`` names every corpus that ``--data`` takes."""

from seqlab.data.text_data import TextData, TimeMachine

DATA: dict[str, type[TextData]] = {kind.data_name: kind for kind in (TextData, TimeMachine)}
