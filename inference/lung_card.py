"""What the embedded lung network was trained on, as `card.json` beside nnU-Net's own files."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

CARD = "card.json"

Text = Annotated[str, Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LungMetric(_Part):
    """On data that neither training nor the choice of the checkpoint has seen."""

    name: Text
    value: float
    data: Text


class LungCard(_Part):
    """What `card.json` says of a folder; other people's folders have none."""

    name: Text
    version: Text
    manufacturer: Text
    lung_labels: tuple[Text, ...]
    training_data: Text
    attributions: tuple[Text, ...]  # licence and source of each real series
    metrics: tuple[LungMetric, ...]
    intended_use: Text
    limits: tuple[Text, ...]
    licence: Text
    checkpoint_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
