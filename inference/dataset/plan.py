"""What a build was begun with, written before the first slice is made: another one does not go on in its folder."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from inference.bundle import Preprocessing
from inference.dataset.folder import BadDataset
from inference.dataset.linkage import beside, write_private
from inference.dataset.manifest import Segmenter, Sha256, Split

PLAN = "plan.json"  # beside the folder


class OtherBuild(BadDataset):
    """The folder belongs to a build with other options or inputs, or to none."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Input(_Part):
    case: str
    sha256: Sha256  # of its files, or of the reason why it has none


class Plan(_Part):
    name: str
    version: str
    software: str
    split_by: str
    splits: tuple[Split, ...]  # by case name, before anybody is left out on the way
    table: Sha256
    preprocessing: Preprocessing
    segmenter: Segmenter
    minimum_lung_ml: float
    agreeing_readers: int
    algorithm_annotations: bool
    inputs: tuple[Input, ...]

    def differences(self, other: "Plan") -> tuple[str, ...]:
        """The fields in which they differ, in words."""
        return tuple(
            name.replace("_", " ")
            for name in Plan.model_fields
            if getattr(self, name) != getattr(other, name)
        )


def begin(out: Path, plan: Plan) -> None:
    """Write the plan, or find that it is the one that was begun here. Raises OtherBuild."""
    file = beside(out, PLAN)
    if file.exists():
        _compare(file, plan)
    elif out.exists() and any(out.iterdir()):
        raise OtherBuild(f"{out.name} is not empty and no build was begun in it; choose another folder")
    else:
        write_private(file, plan.model_dump_json(indent=1))


def _compare(file: Path, plan: Plan) -> None:
    try:
        begun = Plan.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise OtherBuild(f"{file.name} is no plan of this version ({error.error_count()} mistakes)") from None
    if differences := plan.differences(begun):
        raise OtherBuild(
            f"this build was begun otherwise, what differs is: {', '.join(differences)};"
            f" choose another folder, or remove this one and {file.name}"
        )
