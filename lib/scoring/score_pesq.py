"""PESQ by the Python package pesq, for pesq.ts: its C code may be called, but not ported or distributed.

Argument: {"sampleRateHz": ..., "modes": ["wb", "nb"], "lengths": [...]} as JSON. Standard input: float32 samples, those of the
reference (lengths[0] of them), then of each degraded recording. Standard output: for each degraded recording {"wb": ..., "nb": ...}
or {"error": ...}, as a JSON list.
"""

import json
import sys

import numpy as np
from pesq import pesq

request = json.loads(sys.argv[1])
samples = np.frombuffer(sys.stdin.buffer.read(), dtype="<f4").astype(np.float64)
reference, *recordings = np.split(samples, np.cumsum(request["lengths"])[:-1])


def score(degraded):
    try:
        return {mode: pesq(request["sampleRateHz"], reference, degraded, mode) for mode in request["modes"]}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


json.dump([score(degraded) for degraded in recordings], sys.stdout)
