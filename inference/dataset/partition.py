"""How a site asks for the parts of its dataset."""

from collections.abc import Sequence
from dataclasses import dataclass

from inference.dataset.manifest import Mode, Split
from inference.dataset.split import CannotSplit, by_seed, by_table, folds, leave_one_site_out
from inference.dataset.table import Assignment, Row

_INNER = "an inner part selects and calibrates, the test part is untouched"
_PAPER = "the test part also selects, as in the paper: figures on it are optimistic"


@dataclass(frozen=True)
class Partition:
    """By seed, unless folds, sites or a table are asked for."""

    seed: int
    mode: Mode
    folds: int | None = None
    by_site: bool = False
    table: tuple[Assignment, ...] | None = None

    def __post_init__(self) -> None:
        if (self.folds is not None) + self.by_site + (self.table is not None) > 1:
            raise CannotSplit("ask for folds, for sites or for a table, not for more than one of them")

    def split(self, rows: Sequence[Row]) -> tuple[Split, ...]:
        """Over patient ids."""
        if self.folds is not None:
            return folds(rows, self.folds, seed=self.seed, mode=self.mode)
        if self.by_site:
            return leave_one_site_out(rows, seed=self.seed, mode=self.mode)
        if self.table is not None:
            return (by_table(rows, self.table, mode=self.mode),)
        return (by_seed(rows, seed=self.seed, mode=self.mode),)

    @property
    def words(self) -> str:
        return f"by patient, before slices were made; {self._how}; {_PAPER if self.mode is Mode.PAPER else _INNER}"

    @property
    def _how(self) -> str:
        balanced = f"balanced by class and by size below and from 30 mm, seed {self.seed}"
        if self.folds is not None:
            return f"{self.folds} folds, {balanced}"
        if self.by_site:
            return f"each site is tested once, seed {self.seed}"
        return "as a table of the site says" if self.table is not None else balanced
