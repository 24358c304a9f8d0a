#!/bin/bash
# The second decoder reads the same vectors, with the field lists of PROTOCOL.md.
cd "$(dirname "$0")/../.." && PYTHONDONTWRITEBYTECODE=1 exec python3 proto/decode.py check
