"""The webhook's handler does the search and the note itself, and answers afterwards."""

import os
import threading

import requests
from flask import Flask, request
from flask.typing import ResponseReturnValue

from bench.peers.hubspot import sync_call

app = Flask(__name__)
_local = threading.local()


@app.post("/webhook")
def receive() -> ResponseReturnValue:
    if not hasattr(_local, "session"):
        _local.session = requests.Session()
    try:
        found = sync_call(
            _local.session,
            os.environ["HUBSPOT_API_URL"],
            os.environ["PEER_TOKEN"],
            request.get_json()["data"],
        )
    except requests.RequestException:
        return {"success": False}, 502
    return {"success": found}


@app.get("/readyz")
def ready() -> ResponseReturnValue:
    return {"success": True}
