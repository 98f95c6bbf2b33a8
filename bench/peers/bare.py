"""A Flask route that inserts the body it was sent into one table, and nothing else."""

import os

from flask import Flask, request
from flask.typing import ResponseReturnValue
from sqlalchemy import create_engine, text

app = Flask(__name__)
_engine = create_engine(
    os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:", 1),
    pool_size=16,
    max_overflow=0,
)
_INSERT = text("INSERT INTO bare_calls (body) VALUES (:body)")


@app.post("/webhook")
def receive() -> ResponseReturnValue:
    with _engine.begin() as connection:
        connection.execute(_INSERT, {"body": request.get_data().decode()})
    return {"success": True}, 202


@app.get("/readyz")
def ready() -> ResponseReturnValue:
    return {"success": True}
