"""Every code the result objects use, once; private ones are of the scheme 99PIMAIPN (PS3.16 section 8.2)."""

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from pydicom.sr.coding import Code

from inference.findings import Analysis, Label, QualityCode, SlicePolicy

PRIVATE_SCHEME = "99PIMAIPN"

# document
TITLE = Code("126001", "DCM", "Oncology Measurement Report")  # CID 7021; OHIF shows no 126000 without regions
LANGUAGE = Code("en-US", "RFC5646", "English (United States)")
PROCEDURE_REPORTED = Code("25045-6", "LN", "CT unspecified body region")  # CID 100 has no chest
TRACKING_IDENTIFIER = Code("112039", "DCM", "Tracking Identifier")
COMMENT = Code("121106", "DCM", "Comment")

# findings
NODULE = Code("786838002", "SCT", "Nodule of lung")
MASS = Code("309529002", "SCT", "Lung mass")
LUNG = Code("39607008", "SCT", "Lung")
NODULE_BELOW_MM = 30.0  # Fleischner Society: at or above 3 cm it is a mass

# measurements
PROBABILITY = Code("P-PIMA", PRIVATE_SCHEME, "Model probability of PIMA")
THRESHOLD = Code("THRESH", PRIVATE_SCHEME, "Probability from which the class is PIMA")
SPREAD = Code("SPREAD", PRIVATE_SCHEME, "Spread of the probability over the slices")
FLIP = Code("FLIP", PRIVATE_SCHEME, "Shift of the probability under left-right mirroring")
SLICE_COUNT = Code("NSLICE", PRIVATE_SCHEME, "Number of scored slices")
SLICE_ORDER = Code("ORDER", PRIVATE_SCHEME, "The probabilities are, in this order, of")
LONG_AXIS = Code("103339001", "SCT", "Long axis")
VOLUME = Code("118565006", "SCT", "Volume")
STANDARD_DEVIATION = Code("386136009", "SCT", "Standard Deviation")
MEAN = Code("373098007", "SCT", "Mean")
PERCENT = Code("%", "UCUM", "Percent")
SLICES = Code("{slices}", "UCUM", "slices")
MILLIMETER = Code("mm", "UCUM", "mm")
MILLILITER = Code("ml", "UCUM", "milliliter")

# evaluations and statements
QUESTION = Code("QUESTION", PRIVATE_SCHEME, "Question asked")
SLICES_OF_TARGET = Code("IMAGES", PRIVATE_SCHEME, "Slices of the target")
SERIES_INSTANCE_UID = Code("112002", "DCM", "Series Instance UID")
PREDICTED_CLASS = Code("CLASS", PRIVATE_SCHEME, "Predicted class (research)")
CLASSES = {
    Label.PIMA: Code("PIMA", PRIVATE_SCHEME, "Pulmonary invasive mucinous adenocarcinoma"),
    Label.IPN: Code("IPN", PRIVATE_SCHEME, "Inflammatory pulmonary nodule"),
}
SLICE_SELECTION = Code("POLICY", PRIVATE_SCHEME, "Selection of the slices")
POLICIES = {
    SlicePolicy.ANNOTATED: Code("ANNOTATED", PRIVATE_SCHEME, "Target marked in the study"),
    SlicePolicy.AUTOMATIC: Code("AUTOMATIC", PRIVATE_SCHEME, "Unconfirmed automatic candidate"),
    SlicePolicy.NONE: Code("NONE", PRIVATE_SCHEME, "No target found"),
}
SELECTED_BY = Code("SELECTEDBY", PRIVATE_SCHEME, "Slices selected by")
POSITION = Code("POSITION", PRIVATE_SCHEME, "Position of the centre")
CALIBRATION = Code("CALIBRATION", PRIVATE_SCHEME, "Calibration")
NOT_ASSESSED = Code("NOTASSESSED", PRIVATE_SCHEME, "Not assessed because")
INPUT_QUALITY = Code("QUALITY", PRIVATE_SCHEME, "Input quality")
QUALITY_FINDING = Code("QFINDING", PRIVATE_SCHEME, "Input-quality finding")
QUALITY_FINDINGS = {
    QualityCode.DUPLICATE_SLICES: Code("DUPLICATE", PRIVATE_SCHEME, "Slices that repeat a position"),
    QualityCode.SEVERAL_ACQUISITIONS: Code(
        "ACQUISITIONS", PRIVATE_SCHEME, "Several acquisitions in one series"
    ),
    QualityCode.MISSING_SLICES: Code("MISSING", PRIVATE_SCHEME, "Missing slices"),
    QualityCode.UNEVEN_SPACING: Code("UNEVEN", PRIVATE_SCHEME, "Uneven slice spacing"),
    QualityCode.GANTRY_TILT: Code("TILT", PRIVATE_SCHEME, "Tilted gantry"),
    QualityCode.SLICE_THICKNESS: Code("THICKNESS", PRIVATE_SCHEME, "Slice thickness far from the model's"),
    QualityCode.SOFT_KERNEL: Code("SOFTKERNEL", PRIVATE_SCHEME, "Soft reconstruction kernel"),
    QualityCode.UNKNOWN_KERNEL: Code("KERNEL", PRIVATE_SCHEME, "Unknown reconstruction kernel"),
    QualityCode.CONTRAST_AGENT: Code("CONTRAST", PRIVATE_SCHEME, "Contrast agent given"),
    QualityCode.LOSSY_COMPRESSION: Code("LOSSY", PRIVATE_SCHEME, "Lossy compression"),
    QualityCode.DERIVED_IMAGES: Code("DERIVED", PRIVATE_SCHEME, "Derived or secondary images"),
    QualityCode.LUNG_VOLUME: Code("LUNGVOLUME", PRIVATE_SCHEME, "Implausible lung volume"),
    QualityCode.LUNGS_CUT_OFF: Code("CUTOFF", PRIVATE_SCHEME, "Lungs cut off"),
    QualityCode.ANNOTATION_REFUSED: Code("ANNOTATION", PRIVATE_SCHEME, "Annotation that could not be used"),
    QualityCode.INCOMPLETE_STUDY: Code("INCOMPLETE", PRIVATE_SCHEME, "Study not confirmed as complete"),
}
LIMITATION = Code("LIMIT", PRIVATE_SCHEME, "Limitation")
MODEL_STATEMENT = Code("MODEL", PRIVATE_SCHEME, "Statement of the model")

# algorithms and equipment
MANUAL_PROCESSING = Code("123109", "DCM", "Manual Processing")  # CID 7162
MORPHOLOGICAL_OPERATIONS = Code("123104", "DCM", "Morphological Operations")  # CID 7162
ARTIFICIAL_INTELLIGENCE = Code("123110", "DCM", "Artificial Intelligence")  # CID 7162
PROCESSING_EQUIPMENT = Code("109102", "DCM", "Processing Equipment")  # CID 7005

# pictures
SUMMARY_CARD = Code("CARD", PRIVATE_SCHEME, "Summary card")  # of the whole result; no standard code says that
VISUAL_EXPLANATION = Code("130401", "DCM", "Visual explanation")
ILLUSTRATION = Code("121200", "DCM", "Illustration of ROI")  # CID 7003
GRAD_CAM = Code("130403", "DCM", "Gradient-weighted class activation")  # CID 217
SOURCE_IMAGE = Code("121322", "DCM", "Source image for image processing operation")  # CID 7202

# maps
NO_UNITS = Code("1", "UCUM", "no units")

# segments and key objects
ANATOMICAL_STRUCTURE = Code("91723000", "SCT", "Anatomical Structure")  # CID 7150
ABNORMAL_STRUCTURE = Code("49755003", "SCT", "Morphologically Abnormal Structure")  # CID 7150
SPATIAL_CONCEPT = Code("309825002", "SCT", "Spatial and Relational Concept")  # CID 7150
SELECTED_REGION = Code("111099", "DCM", "Selected region")
FOR_RESEARCH = Code("113009", "DCM", "For Research")  # CID 7010
REJECTED_FOR_QUALITY = Code("113001", "DCM", "Rejected for Quality Reasons")  # CID 7010
REJECTED_FOR_PATIENT_SAFETY = Code("113037", "DCM", "Rejected for Patient Safety Reasons")  # CID 7010


def finding(analysis: Analysis) -> Code | None:
    """What a radiologist confirmed: a nodule below 3 cm or a mass; nothing for a candidate or no target."""
    if analysis.slice_policy is not SlicePolicy.ANNOTATED or analysis.target is None:
        return None
    size_mm = analysis.target.size_mm
    if size_mm is None:
        return None
    return NODULE if size_mm < NODULE_BELOW_MM else MASS


def private_scheme() -> CodingSchemeIdentificationItem:
    return CodingSchemeIdentificationItem(
        designator=PRIVATE_SCHEME,
        name="sedas-node: PIMA against IPN on chest CT",
        responsible_organization="sedas-node",
    )
