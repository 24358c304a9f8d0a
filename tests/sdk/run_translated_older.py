#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""run_translated.py once more, with earlier majors of the same SDKs."""

import os
import runpy
import sys

import sdk

sys.path.insert(0, os.path.join(sdk.VENV, "older"))
runpy.run_path(os.path.join(os.path.dirname(os.path.abspath(__file__)), "run_translated.py"))
