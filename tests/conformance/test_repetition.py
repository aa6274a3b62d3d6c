"""The same facts give the same objects, to the byte and of every kind; another model gives others."""

from dataclasses import replace

import pytest

from tests.analyses import PROVENANCE, of_another_model
from tests.conformance import sources
from tests.conformance.sources import SOURCES, files_from, read


@pytest.mark.parametrize("source", ["phantom", "no type 2", "JPEG 2000", "gb18030", "japanese"])
def test_two_encodings_are_the_same_bytes(source: str) -> None:
    assert files_from(SOURCES[source]()) == sources.files(source)


def test_another_model_digest_gives_other_uids_to_every_object_and_series() -> None:
    provenance = replace(PROVENANCE, result_digest="1" * 64)  # which covers that of the model
    one, other = (
        [read(file) for file in files.values()]
        for files in (
            sources.files("japanese"),
            files_from(SOURCES["japanese"](), provenance, of_another_model),
        )
    )
    assert len(one) == len(other)
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID"):
        assert not {ds[keyword].value for ds in one} & {ds[keyword].value for ds in other}
    assert len({ds.SOPInstanceUID for ds in one}) == len(one)
