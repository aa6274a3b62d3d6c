"""Who made a result and what it is called: provenance, digests, and the one formula for result UIDs."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID, uuid5

from pydicom.uid import Comprehensive3DSRStorage

from inference.findings import AlgorithmIdentity

PRODUCT = "sedas-node"
_NAMESPACE = UUID(
    "6f3b0f0e-52d7-4c1b-9a55-0f7f3a1c7d42"
)  # of the product; another one would rename every result


def derived_uid(*facts: str | int) -> str:
    """The same facts give the same UID (PS3.5 B.2, root 2.25)."""
    return f"2.25.{uuid5(_NAMESPACE, json.dumps(facts)).int}"


IMPLEMENTATION_CLASS_UID = derived_uid("implementation class")


def implementation_version_name(software_version: str) -> str:
    """For the file meta information and the association, where 16 characters are allowed (PS3.7 D.3.3.2)."""
    return f"SEDAS {software_version}".strip()[:16]


class Kind(StrEnum):
    """What a result UID names."""

    REPORT = "report"
    REPORT_SERIES = "report series"
    PICTURE = "picture"
    PICTURE_SERIES = "picture series"
    CARD = "summary card"
    CARD_SERIES = "summary card series"
    RESULT = "patient-level result"
    TARGET = "target"
    CANDIDATE = "candidate"
    LUNGS = "lungs"
    KEY_SLICE = "key slice"
    ALL_SLICES = "all slices"
    SEGMENTATION = "segmentation"
    SEGMENTATION_SERIES = "segmentation series"
    DIMENSIONS = "dimension organization"
    KEY_OBJECTS = "key objects"
    KEY_OBJECTS_SERIES = "key objects series"
    PARAMETRIC_MAP = "parametric map"
    PARAMETRIC_MAP_SERIES = "parametric map series"
    PRESENTATION_STATE = "presentation state"
    PRESENTATION_STATE_SERIES = "presentation state series"
    REJECTION = "rejection note"
    REJECTION_SERIES = "rejection note series"


@dataclass(frozen=True)
class Predecessor:
    """The report of an earlier generation of the same study."""

    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str  # the one it went as


@dataclass(frozen=True)
class Provenance:
    """Where a result comes from. `at` carries its offset from UTC, which the objects' times are written in."""

    installation_id: str
    generation: int
    result_digest: str
    at: datetime
    software_version: str
    predecessor: Predecessor | None = None  # that a peer has or is to get

    def __post_init__(self) -> None:
        if self.at.utcoffset() is None:
            raise NaiveInstant(f"{self.at} has no offset from UTC")


class NaiveInstant(ValueError):
    """An instant that names no offset from UTC, so that nobody knows when it was."""


@dataclass(frozen=True)
class ResultName:
    """Names every object, series and tracked thing of one result."""

    study_instance_uid: str
    series_instance_uid: str
    provenance: Provenance

    def uid(self, sop_class_uid: str, kind: Kind, index: int = 0) -> str:
        p = self.provenance
        source = (p.installation_id, self.study_instance_uid, self.series_instance_uid)
        return derived_uid(*source, p.generation, p.result_digest, sop_class_uid, kind, index)

    def tracking_uid(self, kind: Kind, index: int = 0) -> str:
        """Of what the report and other objects of the result speak of together (0062,0021)."""
        return self.uid(Comprehensive3DSRStorage, kind, index)


def result_digest(
    *,
    input_digests: Iterable[str],
    annotation_digests: Iterable[str],
    bundle_digest: str,
    segmenter_digest: str,
    settings: str,
    software_version: str,
    at: datetime,
    predecessor: Predecessor | None = None,
) -> str:
    """A sha256 over all that determines a result; the order of images and annotations is no part of it."""
    facts = {
        "inputs": sorted(input_digests),
        "annotations": sorted(annotation_digests),
        "bundle": bundle_digest,
        "segmenter": segmenter_digest,
        "settings": settings,
        "software": software_version,
        "at": at.astimezone(UTC).isoformat(),
        "predecessor": predecessor.sop_instance_uid if predecessor else "",
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def device_uid(algorithm: AlgorithmIdentity) -> str:
    """Of one build of one algorithm: retraining gives another (IHE AIR 6.5.3.1)."""
    return derived_uid("algorithm", algorithm.name, algorithm.version, algorithm.digest)


def node_device_uid(installation_id: str) -> str:
    """Of the installed node, whatever models and software it runs; it stands on every object the node makes."""
    return derived_uid("node", installation_id)


def candidate_search(software_version: str) -> AlgorithmIdentity:
    """The rule-based search that proposes targets: it has no weights, and its version is the software's."""
    return AlgorithmIdentity(name="Nodule candidate search", version=software_version, digest="")


def mark_transfer(software_version: str) -> AlgorithmIdentity:
    """What draws a region that was marked in the study on the grid of the analysed images."""
    return AlgorithmIdentity(name="Transfer of marked regions", version=software_version, digest="")
