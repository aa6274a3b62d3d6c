"""Every setting of a node, with its bounds beside it; frozen, and refused as a whole when one is wrong."""

import re
from enum import StrEnum
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    StringConstraints,
    field_validator,
    model_validator,
)

# PS3.5 6.2: at most 16 characters of the default repertoire, no backslash, no control character.
AeTitle = Annotated[
    str, StringConstraints(pattern=r"^[ -\[\]-~]{1,16}$", strip_whitespace=True, min_length=1)
]
Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0)]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)


class Tls(Section):
    """Who we are and whom we trust on TLS connections: PEM files, systemd credentials for instance."""

    certificate: Path  # ours, followed by what leads to its authority
    key: Path  # its private key, not encrypted
    ca: Path  # the certificates of the authorities that vouch for peers


class Listener(Section):
    """The storage SCP that the PACS sends to."""

    ae_title: AeTitle = "SEDAS"
    host: str = "0.0.0.0"  # noqa: S104 - a listener beside a PACS listens
    port: Port = 11112  # 0: any free port, printed at start
    calling_ae_titles: tuple[AeTitle, ...] = ()  # the peers that may associate; nobody else
    caller_addresses: dict[
        AeTitle, tuple[IPvAnyNetwork, ...]
    ] = {}  # whence; a title not named: from anywhere
    processes: Annotated[int, Field(ge=1, le=32)] = 2  # that receive; 1: the node's own does
    maximum_associations: Annotated[int, Field(ge=1, le=500)] = 25  # of all processes together
    maximum_pdu_bytes: Annotated[int, Field(ge=4096, le=1 << 20)] = 131072
    maximum_object_bytes: Annotated[int, Field(ge=1 << 20)] = 1 << 28
    network_timeout_s: Seconds = 60.0
    tls: Tls | None = None  # with it nothing but TLS, and every peer shows a certificate

    def admits(self, ae_title: str, address: str) -> bool:
        """May one who calls by this title, if the title is let in at all, call from that IP address?"""
        if ae_title not in self.caller_addresses:
            return True
        caller = ip_address(address)
        if isinstance(caller, IPv6Address):
            caller = caller.ipv4_mapped or caller
        return any(caller in network for network in self.caller_addresses[ae_title])


class Storage(Section):
    """Where received images, results and the database lie."""

    folder: Path = Path("/var/lib/sedas-node")
    database_url: str | None = None  # None: SQLite in `folder`
    database_password_file: Path | None = None  # of a PostgreSQL server that asks for one
    minimum_free_bytes: Annotated[int, Field(ge=0)] = 2_000_000_000  # on the disk of `folder`

    @field_validator("database_url")
    @classmethod
    def _url_is_one_and_holds_no_secret(cls, url: str | None) -> str | None:
        if url is not None and not re.match(r"(sqlite|postgresql)(\+\w+)?://", url):
            raise ValueError("expected sqlite:///PATH or postgresql://USER@HOST/DATABASE")
        if url is not None and re.match(r"\w+(\+\w+)?://[^/@]*:[^/@]*@|.*[?&]password=", url):
            raise ValueError("holds a password, which belongs in storage.database_password_file")
        return url

    @property
    def spool(self) -> Path:
        return self.folder / "spool"

    @property
    def incoming(self) -> Path:
        """For what is not whole yet."""
        return self.folder / "incoming"

    @property
    def quarantine(self) -> Path:
        return self.folder / "quarantine"

    @property
    def outbox(self) -> Path:
        return self.folder / "outbox"

    @property
    def url(self) -> str:
        return self.database_url or f"sqlite:///{self.sqlite}"

    @property
    def sqlite(self) -> Path:
        return self.folder / "sedas-node.sqlite"


class Quarantine(Section):
    """How much of what was refused is kept, for a person to look at; the oldest goes first."""

    maximum_bytes: Annotated[int, Field(ge=0)] = 1_000_000_000  # 0: nothing is kept
    maximum_age_days: Annotated[float, Field(gt=0)] = 30.0


class Retention(Section):
    """How long received images stay once every job of their study has ended; results, rows and audit stay."""

    images_days: Annotated[float, Field(gt=0)] = 30.0
    minimum_free_bytes: Annotated[int, Field(ge=0)] = 10_000_000_000  # with less, the oldest go earlier


class Http(Section):
    """Where the node says how it is: /healthz, /readyz and /metrics."""

    host: str = "127.0.0.1"
    port: Port = 11180  # 0: any free port, logged at start


class Archive(Section):
    """A Query/Retrieve SCP that knows how many images a study has."""

    ae_title: AeTitle
    host: str
    port: Annotated[int, Field(ge=1, le=65535)]
    timeout_s: Annotated[float, Field(gt=0, le=10)] = 3.0  # of a silent archive
    tls: Tls | None = None  # with it nothing but TLS
    server_name: str | None = None  # that its certificate has to be for; None: `host`


class Completion(Section):
    """When a study counts as complete."""

    quiet_period_s: Annotated[float, Field(ge=0.5, le=3600)] = 60.0  # no new image for so long
    incomplete_wait_s: Annotated[float, Field(ge=0, le=86400)] = 600.0  # the same, where images are missing
    archive: Archive | None = None  # None: the quiet period alone decides


class Eligibility(Section):
    """Which series are ours to analyse."""

    minimum_age_years: Annotated[int, Field(ge=0, le=120)] = 18
    minimum_slices: Annotated[int, Field(ge=2)] = 12
    minimum_coverage_mm: Annotated[float, Field(ge=0)] = 150.0
    maximum_slice_thickness_mm: Annotated[float, Field(gt=0)] = 10.0
    maximum_tilt_degrees: Annotated[float, Field(ge=0, le=45)] = (
        30.0  # of the slice normal from the body axis
    )


class Inference(Section):
    """The models and where they run."""

    bundle: Path | Literal["demonstration"] = "demonstration"
    candidate: Path | None = None  # a second bundle that scores the same slices; kept here, shown to nobody
    segmenter: Path | Literal["embedded", "threshold"] = "embedded"  # or the folder of an nnU-Net v2 model
    lung_labels: Annotated[tuple[str, ...], Field(min_length=1)] = ("lung",)  # its labels that are lung
    lung_axes: Literal["LPS", "RAS"] = "LPS"  # which way its training images ran; TotalSegmentator's: RAS
    device: Annotated[str, StringConstraints(pattern=r"^(cpu|cuda(:\d+)?)$")] = "cpu"
    backend: Literal["auto", "eager", "openvino"] = "auto"  # auto: OpenVINO on the CPU, eager elsewhere
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"  # of eager; anything but fp32 moves the scores
    batch_size: Annotated[int, Field(ge=1, le=256)] = 8
    minimum_lung_ml: Annotated[float, Field(ge=0)] = 500.0
    abstain_for: tuple[str, ...] = ("missing_slices", "lung_volume")  # input-quality findings: no number
    algorithm_annotations: bool = False  # do another algorithm's SEG, RTSTRUCT, SR and KOS select slices?


class Worker(Section):
    lease_s: Annotated[float, Field(ge=2)] = 60.0  # a worker silent for so long has lost its job
    poll_s: Seconds = 0.5
    time_limit_s: Seconds = 1800.0  # of one analysis; a hung one ends there
    maximum_losses: Annotated[int, Field(ge=1)] = (
        5  # attempts that end with a silent worker, before it is given up
    )


class ReleaseLevel(StrEnum):
    SCORE = "score"  # class, probability and pictures
    CANDIDATES = "candidates"  # where to look; no class, no number
    SHADOW = "shadow"  # nothing leaves the node


class ReleaseTime(StrEnum):
    AT_ONCE = "at_once"
    ANNOTATED = "annotated"  # only once a radiologist has marked the study
    MANUAL = "manual"  # only by `sedas-node release`


class Release(Section):
    """What leaves the node, by the way the slices were found, and when."""

    shadow: bool = False  # analyse and keep: nothing is sent, whatever the rest says
    annotated: ReleaseLevel = ReleaseLevel.SCORE
    automatic: ReleaseLevel = ReleaseLevel.SCORE
    none: ReleaseLevel = ReleaseLevel.SCORE
    when: ReleaseTime = ReleaseTime.AT_ONCE


class Results(Section):
    """Result objects beside the report and its pictures; the destinations must take their SOP classes."""

    segmentation: bool = False  # a Segmentation of lungs and target, in the scored slices
    key_objects: bool = False  # a Key Object Selection of the key slices
    parametric_map: bool = False  # the Grad-CAM of the key slices in numbers
    presentation_state: bool = False  # window, outline and result over the key slices themselves
    abstentions: Literal["send", "keep"] = "send"  # results without a number


class Destination(Section):
    """A storage SCP that results are sent to."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
    ae_title: AeTitle
    host: str
    port: Annotated[int, Field(ge=1, le=65535)]
    senders: tuple[AeTitle, ...] = ()  # only studies that one of these AE titles sent; empty: every study
    commitment: bool = False  # an object is delivered once the destination has committed to keeping it
    tls: Tls | None = None  # with it nothing but TLS
    server_name: str | None = None  # that its certificate has to be for; None: `host`


class Delivery(Section):
    """How results reach their destinations."""

    destinations: tuple[Destination, ...] = ()  # none: results stay in the database and the outbox
    first_retry_s: Seconds = 30.0  # doubled after every failure, less up to a half by chance
    longest_retry_s: Seconds = 3600.0
    timeout_s: Seconds = 20.0  # of a silent destination
    alarm_after_s: Seconds = 4 * 3600.0  # an object that is still on its way then is called overdue
    commitment_answer_s: Seconds = 600.0  # without a report for so long, commitment is asked for anew
    commitment_stay_s: Annotated[float, Field(ge=0, le=60)] = 2.0  # for a report on the same association

    @model_validator(mode="after")
    def _names_are_unique(self) -> "Delivery":
        names = [d.name for d in self.destinations]
        if twice := sorted({n for n in names if names.count(n) > 1}):
            raise ValueError(f"two destinations are named {', '.join(twice)}")
        return self


class Syslog(Section):
    """The audit record repository that the trail is sent to: syslog over TLS, PS3.15 A.6."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)] = 6514  # RFC 5425 4.1
    ca_file: Path  # the certificates of the authorities that vouch for the repository, PEM
    certificate: Path | None = None  # ours, where it asks for one
    key: Path | None = None  # its private key
    send_s: Seconds = 5.0  # how often what is new is sent

    @model_validator(mode="after")
    def _a_key_has_a_certificate(self) -> "Syslog":
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")
        return self


class Audit(Section):
    """The chain of the audit trail: its key, and what of it is written down outside the database."""

    key_file: Path | None = None  # None: `audit.key` in the storage folder, made at the first start
    head_file: Path | None = None  # None: `audit-heads.jsonl` in the storage folder
    head_s: Seconds = 300.0  # how often the newest row is written there
    syslog: Syslog | None = None  # None: the trail stays here


class Ticks(Section):
    """How often the clock looks for work."""

    completion_s: Seconds = 1.0
    delivery_s: Seconds = 1.0
    leases_s: Seconds = 5.0


class Settings(Section):
    listener: Listener = Listener()
    storage: Storage = Storage()
    quarantine: Quarantine = Quarantine()
    retention: Retention = Retention()
    completion: Completion = Completion()
    eligibility: Eligibility = Eligibility()
    inference: Inference = Inference()
    worker: Worker = Worker()
    release: Release = Release()
    results: Results = Results()
    delivery: Delivery = Delivery()
    audit: Audit = Audit()
    ticks: Ticks = Ticks()
    http: Http = Http()

    @property
    def audit_head_file(self) -> Path:
        return self.audit.head_file or self.storage.folder / "audit-heads.jsonl"

    @model_validator(mode="after")
    def _room_is_made_before_reception_ends(self) -> "Settings":
        mark, watermark = self.retention.minimum_free_bytes, self.storage.minimum_free_bytes
        if 0 < mark <= watermark:
            raise ValueError(
                f"retention.minimum_free_bytes ({mark}) must be above storage.minimum_free_bytes ({watermark}), or 0"
            )
        return self

    @model_validator(mode="after")
    def _addresses_are_of_callers(self) -> "Settings":
        reporters = {d.ae_title for d in self.delivery.destinations if d.commitment}
        callers = {*self.listener.calling_ae_titles, *reporters}
        if strangers := sorted(self.listener.caller_addresses.keys() - callers):
            raise ValueError(f"listener.caller_addresses names {', '.join(strangers)}, who may not associate")
        return self
