"""What a result takes over from the CT it was made from: bytes as received, nothing invented."""

from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass

from pydicom.charset import convert_encodings, default_encoding
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag
from pydicom.valuerep import VR

from dicom_out.walk import held, is_empty


def _keywords(words: str) -> tuple[str, ...]:
    return tuple(words.split())


TYPE_2 = _keywords(
    """
    PatientName PatientID PatientBirthDate PatientSex StudyDate StudyTime AccessionNumber
    ReferringPhysicianName StudyID
    """
)

# The root attributes of Patient, General Study, Patient Study, Clinical Trial Subject and Study (PS3.3 C.7.1, C.7.2).
PATIENT_AND_STUDY = TYPE_2 + _keywords(
    """
    StudyInstanceUID SpecificCharacterSet TimezoneOffsetFromUTC ReferencedPatientSequence IssuerOfPatientID TypeOfPatientID
    IssuerOfPatientIDQualifiersSequence SourcePatientGroupIdentificationSequence
    GroupOfPatientsIdentificationSequence PatientBirthTime PatientBirthDateInAlternativeCalendar
    PatientDeathDateInAlternativeCalendar PatientAlternativeCalendar QualityControlSubject StrainDescription
    StrainNomenclature StrainStockSequence StrainAdditionalInformation StrainCodeSequence
    GeneticModificationsSequence OtherPatientNames OtherPatientIDsSequence ReferencedPatientPhotoSequence
    EthnicGroupCodeSequence PatientSpeciesDescription PatientSpeciesCodeSequence PatientBreedDescription
    PatientBreedCodeSequence BreedRegistrationSequence ResponsiblePerson ResponsiblePersonRole
    ResponsibleOrganization PatientComments PatientIdentityRemoved DeidentificationMethod
    DeidentificationMethodCodeSequence IssuerOfAccessionNumberSequence
    ReferringPhysicianIdentificationSequence ConsultingPhysicianName
    ConsultingPhysicianIdentificationSequence StudyDescription ProcedureCodeSequence PhysiciansOfRecord
    PhysiciansOfRecordIdentificationSequence NameOfPhysiciansReadingStudy
    PhysiciansReadingStudyIdentificationSequence ReferencedStudySequence RequestingService
    RequestingServiceCodeSequence ReasonForPerformedProcedureCodeSequence AdmittingDiagnosesDescription
    AdmittingDiagnosesCodeSequence PatientAge PatientSize PatientSizeCodeSequence PatientBodyMassIndex
    MeasuredAPDimension MeasuredLateralDimension PatientWeight MedicalAlerts Allergies Occupation
    SmokingStatus AdditionalPatientHistory PregnancyStatus LastMenstrualDate PatientSexNeutered
    ReasonForVisit ReasonForVisitCodeSequence AdmissionID IssuerOfAdmissionIDSequence ServiceEpisodeID
    ServiceEpisodeDescription IssuerOfServiceEpisodeIDSequence PatientState ClinicalTrialSponsorName
    ClinicalTrialProtocolID ClinicalTrialProtocolName IssuerOfClinicalTrialProtocolID
    OtherClinicalTrialProtocolIDsSequence ClinicalTrialSiteID ClinicalTrialSiteName
    IssuerOfClinicalTrialSiteID ClinicalTrialSubjectID IssuerOfClinicalTrialSubjectID
    ClinicalTrialSubjectReadingID IssuerOfClinicalTrialSubjectReadingID
    ClinicalTrialProtocolEthicsCommitteeName ClinicalTrialProtocolEthicsCommitteeApprovalNumber
    ClinicalTrialTimePointID ClinicalTrialTimePointDescription LongitudinalTemporalOffsetFromEvent
    LongitudinalTemporalEventType ClinicalTrialTimePointTypeCodeSequence IssuerOfClinicalTrialTimePointID
    ConsentForClinicalTrialUseSequence
    """
)

_NOT_BYTES = frozenset({VR.SQ, VR.US, VR.FD})  # depend on byte order or on the encoding of their items


class SourceMissing(LookupError):
    """An analysis speaks of a slice whose header was not handed over."""


@dataclass(frozen=True)
class SourceSeries:
    """The headers of the analysed series by SOP Instance UID."""

    by_uid: dict[
        str, Dataset
    ]  # in the order of their UIDs, so that results do not depend on the order of arrival

    @classmethod
    def of(cls, sources: Sequence[Dataset]) -> "SourceSeries":
        if not sources:
            raise SourceMissing("no source header was handed over")
        return cls(dict(sorted((str(ds.SOPInstanceUID), ds) for ds in sources)))

    @property
    def reference(self) -> Dataset:
        """The one that patient and study are copied from."""
        return next(iter(self.by_uid.values()))

    def __getitem__(self, sop_instance_uid: str) -> Dataset:
        try:
            return self.by_uid[sop_instance_uid]
        except KeyError:
            raise SourceMissing(f"no header for slice {sop_instance_uid}, have {len(self.by_uid)}") from None


def copy_patient_and_study(source: Dataset, target: Dataset) -> None:
    """Replace the patient and study of `target`; an unknown Type 2 attribute becomes an empty one."""
    for keyword in PATIENT_AND_STUDY:
        if keyword in target:
            del target[keyword]
    for keyword in TYPE_2:
        setattr(target, keyword, None)
    copy(source, target, PATIENT_AND_STUDY)
    _declare_encoding(target)


def copy(source: Dataset, target: Dataset, keywords: Iterable[str]) -> None:
    """Take over those of the attributes that `source` has; text keeps the bytes it came with."""
    for keyword in keywords:
        if keyword in source:
            element = _copied(source, Tag(tag_for_keyword(keyword) or keyword))
            target[element.tag] = element


def _copied(source: Dataset, tag: BaseTag) -> DataElement | RawDataElement:
    element = source.get_item(tag)
    vr = dictionary_VR(tag)
    if not isinstance(element, RawDataElement) or vr in _NOT_BYTES or element.value is None:
        return deepcopy(source[tag])
    value = element.value.rstrip(b"\0")  # padding, which some senders write as NUL where a space belongs
    padded = value + (b"\0" if vr == VR.UI else b" ") * (len(value) % 2)
    return element._replace(VR=vr, length=len(padded), value=padded, is_implicit_VR=False)


def _declare_encoding(target: Dataset) -> None:
    """Have pydicom write the copied bytes as they are, instead of decoding and encoding them anew."""
    declared = target.get("SpecificCharacterSet")
    target.set_original_encoding(False, True, convert_encodings(declared) if declared else default_encoding)


def differing(source: Dataset, target: Dataset, keywords: Iterable[str]) -> list[str]:
    """Those of the attributes that `target` does not have as `source` does; what neither knows may be empty."""
    return [
        keyword for keyword in keywords if not same(source, target, Tag(tag_for_keyword(keyword) or keyword))
    ]


def same(source: Dataset, target: Dataset, tag: BaseTag) -> bool:
    """Has `target` the attribute as `source` has it? By the bytes where both are as they were read, else decoded."""
    if tag not in source or tag not in target:
        return all(tag not in ds or is_empty(ds, tag) for ds in (source, target))
    theirs, ours = held(source, tag), held(target, tag)
    if (
        isinstance(theirs, RawDataElement)
        and isinstance(ours, RawDataElement)
        and dictionary_VR(tag) not in _NOT_BYTES
    ):
        return _unpadded(theirs) == _unpadded(ours)
    both_empty = is_empty(source, tag) and is_empty(target, tag)
    return both_empty or bool(source[tag].value == target[tag].value)


def _unpadded(element: RawDataElement) -> bytes:
    return bytes(element.value or b"").rstrip(b"\0 ")
