"""Running a peer beside ours, on the same engines and on servers and workers configured alike."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from celery import Celery
from sqlalchemy import select

from bench.rig import Rig, Workspace
from local import services
from local.processes import free_port
from shared.broker.celery_app import make_celery
from shared.configuration.settings import WorkerSettings
from shared.crypto import TokenCipher
from shared.models import Connection


@contextmanager
def peer_worker(rig: Rig, module: str, env: Mapping[str, str] | None = None) -> Iterator[Celery]:
    """A worker for the Celery application of a module in `bench.peers`; yields its producer."""
    ours = services.worker(1, rig.stack.env["REDIS_URL"])
    arguments = [
        f"bench.peers.{module}" if each == "worker.app" else each for each in ours.arguments
    ]
    rig.stack.add(replace(ours, name=module, title=module, arguments=arguments), env)
    producer = make_celery(rig.stack.env["REDIS_URL"])
    producer.conf.task_default_queue = module
    try:
        yield producer
    finally:
        producer.close()
        rig.stack.remove(module)


@contextmanager
def peer_server(rig: Rig, module: str, env: Mapping[str, str] | None = None) -> Iterator[str]:
    """The url of a Flask application in `bench.peers`."""
    url = f"http://127.0.0.1:{free_port()}"
    ours = services.api(url)
    peer = f"bench.peers.{module}:app"
    arguments = [peer if each == "api.wsgi:app" else each for each in ours.arguments]
    rig.stack.add(replace(ours, name=module, title=module, arguments=arguments), env)
    try:
        yield url
    finally:
        rig.stack.remove(module)


def access_token(rig: Rig, workspace: Workspace) -> str:
    """The live token of a connection, for a peer that has no refresh of its own."""
    cipher = TokenCipher(WorkerSettings.load(rig.stack.env).token_encryption_keys)
    with rig.database.begin() as session:
        found = session.execute(
            select(Connection.id, Connection.access_token).where(
                Connection.hub_id == workspace.hub_id
            )
        ).one()
    return cipher.decrypt(str(found.access_token), row_id=found.id, field="access_token")
