"""The connection that receivers keep: transactions end as others do, and a lost connection is replaced."""

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime

import pytest
from sqlalchemy import Connection, func, select

from db import instances, kept
from db.kept import ConnectionLost, KeptConnection
from db.models import Instance
from db.session import Sessions


@pytest.fixture
def keeping(sessions: Sessions) -> Iterator[KeptConnection]:
    with closing(KeptConnection(sessions)) as keeping:
        yield keeping


def _image(number: int, now: datetime) -> Instance:
    return Instance(
        sop_instance_uid=f"1.2.{number}",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        study_instance_uid="1.2",
        series_instance_uid="1.2.3",
        sha256=f"{number:064}",
        size_bytes=1,
        path=f"1.2/{number}.dcm",
        calling_ae_title="PACS",
        received_at=now,
    )


def _count(sessions: Sessions) -> int:
    with sessions() as session:
        return session.scalars(select(func.count()).select_from(Instance)).one()


def test_a_block_is_a_transaction(keeping: KeptConnection, sessions: Sessions, now: datetime) -> None:
    with keeping.begin() as connection:
        instances.add(connection, [_image(1, now)])
    with pytest.raises(instances.AlreadyKnown), keeping.begin() as connection:
        instances.add(connection, [_image(2, now), _image(1, now)])
    with keeping.begin() as connection:
        instances.add(connection, [_image(3, now)])
    assert _count(sessions) == 2


def test_the_connection_is_the_same_for_a_while(
    keeping: KeptConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken() -> Connection:
        with keeping.begin() as connection:
            return connection

    first = taken()
    assert taken() is first
    monkeypatch.setattr(kept, "KEPT_S", 0.0)
    assert taken() is not first


def test_a_lost_connection_fails_once(keeping: KeptConnection, sessions: Sessions, now: datetime) -> None:
    with keeping.begin() as connection:
        lost = connection
    lost.connection.dbapi_connection.close()  # type: ignore[union-attr]
    lost.rollback()
    with pytest.raises(ConnectionLost), keeping.begin():
        pass
    with keeping.begin() as connection:
        instances.add(connection, [_image(1, now)])
    assert _count(sessions) == 1
