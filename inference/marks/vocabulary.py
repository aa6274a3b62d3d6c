"""Whether words and codes name a lesion or an organ. They are only matched: no word of a header goes further."""

import re

_LESION = re.compile(
    r"nodul|lesion|läsion|lésion|tumou?r|\bmass(es)?\b|neoplas|carcinom|cancer|malignan|metasta|\bgtv"
    r"|consolidation|opaci|ground.?glass|infiltrat|morphologically.(abnormal|altered)|rundherd|raumforderung"
    r"|结节|肿瘤|肿块|病灶|結節|腫瘤|결절|종양",
    re.IGNORECASE,
)
_ORGAN = re.compile(
    r"lung|lunge|pulmo|poumon|lobe|lobus|segment of|fissure|bronch|trache|airway|heart|herz|card|aort|vessel"
    r"|arter|vein|vena|liver|leber|spleen|kidney|adrenal|stomach|pancrea|thyroid|o?esophag|lymph|mediastin|pleur"
    r"|breast|gland|rib\b|ribs\b|bone|spine|spinal|vertebra|stern|clavic|scapul|muscle|fat\b|skin|body|cord"
    r"|diaphragm|thora|chest|anatomical|external|couch|organ|[cp]tv",
    re.IGNORECASE,
)


def names_lesion(words: str) -> bool:
    """A nodule of the lung is a lesion; the lung is none."""
    return _LESION.search(words) is not None


def names_organ(words: str) -> bool:
    """What is no lesion and is known to be something else."""
    return not names_lesion(words) and _ORGAN.search(words) is not None
