"""The whole service behind PgBouncer: migrated, doctored and loaded through it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from local.databases import PROJECT, fresh_database
from local.producer import Producer
from local.stack import Stack
from local.visitor import Visitor
