"""Any bytes of a peer's or in a file: a small sample of what `make fuzz` does, and what it found, for good."""

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import CTImageStorage

from tests.fuzz import mutation, seeds, targets
from tests.fuzz.conversation import converse

QUICK = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
ABORTED = b"\x07\x00\x00\x00\x00\x04\x00\x00\x02"  # by the provider (PS3.8 9.3.8)

values = st.binary(max_size=40)
fragments = st.tuples(st.integers(0, 255), st.integers(0, 255), values)
honest_pdus = st.lists(fragments, max_size=4).map(lambda parts: seeds.pdata(*parts))
liars = st.builds(
    lambda kind, length, body: bytes([kind, 0]) + length.to_bytes(4, "big") + body,
    st.integers(0, 9),
    st.sampled_from([0, 1, 4, 40, 1000, 1 << 20, 0xFFFFFFFF]),
    values,
)
streams = st.lists(st.one_of(honest_pdus, liars, st.just(seeds.RELEASE), st.just(seeds.ABORT)), max_size=6).map(b"".join)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[bytes]]:
    folder = tmp_path_factory.mktemp("fuzz")
    made = [*seeds.images(folder / "slices"), *seeds.annotations(folder / "marks")]
    for extra in sorted((folder / "slices").iterdir())[3:]:
        extra.unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEDAS_FUZZ", str(folder))
        targets._good_slices.cache_clear()
        yield made
    targets._good_slices.cache_clear()


@QUICK
@given(stream=streams, is_associated=st.booleans())
@pytest.mark.filterwarnings("ignore")
def test_any_stream_ends(stream: bytes, is_associated: bool) -> None:
    converse((seeds.request() if is_associated else b"") + stream)


@QUICK
@given(seed=st.integers(0, 1 << 32))
@pytest.mark.filterwarnings("ignore")
def test_a_conversation_that_was_damaged_ends(seed: int) -> None:
    random = Random(seed)
    stream = random.choice(list(seeds.conversations()))
    for _ in range(random.choice((1, 2, 5))):
        stream = mutation.pdus(stream, 1 << 15, random, mutation.bytes_of(random))
    converse(stream)


@QUICK
@given(seed=st.integers(0, 1 << 32), name=st.sampled_from(["reception", "headers", "annotation", "volume"]))
@pytest.mark.filterwarnings("ignore")
def test_a_file_that_was_damaged_is_kept_or_refused(files: list[bytes], seed: int, name: str) -> None:
    random = Random(seed)
    content = random.choice(files)
    for _ in range(random.choice((1, 2, 5))):
        content = mutation.elements(content, 1 << 15, random, mutation.bytes_of(random))
    targets.TARGETS[name](content)


@QUICK
@given(content=st.binary(max_size=300))
def test_any_bytes_are_a_command_or_none(content: bytes) -> None:
    targets.command(content)
    targets.pdu(content)


@pytest.mark.parametrize(
    "stream",
    [
        b"\x04\x00\x00\x00\x00\x04\x00\x00\x00\x00",  # a fragment of no bytes
        b"\x04\x00\x00\x00\x00\x05\x00\x00\x00\x01\x01",  # one without a control byte
        seeds.pdata((1, 3, bytes(64))),  # a command of zeros
        seeds.pdata((1, 3, bytes.fromhex("0000000103000000010203"))),  # a number of three bytes
    ],
)
def test_what_is_no_message_is_answered_by_an_abort(stream: bytes) -> None:
    """Each of these ended pynetdicom's thread, and the peer waited."""
    assert ABORTED in converse(seeds.request() + stream)


def test_a_peer_that_does_not_wait_to_be_accepted_is_accepted_or_aborted() -> None:
    """Whichever is first; the fragment that is read too early ended pynetdicom's thread."""
    store = seeds.pdata((1, 3, seeds.command(seeds.STORE, CTImageStorage, has_data=True)))
    assert converse(seeds.request() + store, is_patient=False)[:1] in (b"\2", b"\7")


@pytest.mark.filterwarnings("ignore")
def test_a_sequence_that_ends_early_makes_no_reader_raise(files: list[bytes]) -> None:
    """Readers of what is already kept met pydicom's OSError, struct.error, zlib.error and BytesLengthException."""
    for content in files:
        for name in ("reception", "headers", "annotation", "volume"):
            targets.TARGETS[name](content[:-9])
