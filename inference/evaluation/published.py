"""Table 2 of the paper: eight configurations on its validation set, 38 PIMA and 51 IPN.

The counts are derived from the published rates. The intervals are the paper's; of what kind they are is not said there.
"""

from dataclasses import dataclass

from inference.evaluation.counts import Counts
from inference.evaluation.estimate import Estimate

POSITIVES, NEGATIVES = 38, 51  # patients


@dataclass(frozen=True)
class Published:
    name: str
    auc: Estimate
    true_positive: int
    true_negative: int
    accuracy: float
    sensitivity: float
    specificity: float
    f1: float

    @property
    def counts(self) -> Counts:
        return Counts(
            true_positive=self.true_positive,
            false_positive=NEGATIVES - self.true_negative,
            true_negative=self.true_negative,
            false_negative=POSITIVES - self.true_positive,
        )


TABLE_2 = (
    Published("ResNet50", Estimate(0.914, 0.882, 0.946), 35, 43, 0.876, 0.921, 0.843, 0.864),
    Published("+ segmentation", Estimate(0.958, 0.934, 0.982), 37, 45, 0.921, 0.974, 0.882, 0.914),
    Published("+ augmentation", Estimate(0.942, 0.913, 0.971), 36, 44, 0.899, 0.947, 0.863, 0.889),
    Published("+ both", Estimate(0.973, 0.952, 0.994), 38, 44, 0.921, 1.000, 0.863, 0.916),
    Published("+ both + SE", Estimate(0.976, 0.956, 0.996), 38, 45, 0.933, 1.000, 0.882, 0.927),
    Published("+ both + DAS", Estimate(0.983, 0.965, 1.000), 38, 46, 0.944, 1.000, 0.902, 0.938),
    Published("+ both + CBAM", Estimate(0.980, 0.961, 0.996), 37, 46, 0.933, 0.974, 0.902, 0.925),
    Published("SE-DAS ResNet", Estimate(0.990, 0.978, 1.000), 38, 48, 0.966, 1.000, 0.941, 0.962),
)
