"""Times the Python package speechmos's DNSMOS on the WAV files of a folder, one after the other as it does a list of them, after loading.

argv: the setting and the folder.
"""

import importlib.metadata
import os
import sys
import time

from peer import SETTING, answer, is_asked

import librosa
import onnxruntime
from speechmos import dnsmos

folder = sys.argv[2]
files = [os.path.join(folder, name) for name in sorted(os.listdir(folder))]


def score():
    for path in files:
        samples, rate = librosa.load(path, sr=16_000)
        assert 1 <= dnsmos.run(samples, sr=rate)["ovrl_mos"] <= 5, path


# ONNX Runtime takes as many threads as there are cores, as on the other side.
assert SETTING["threads"] == os.cpu_count()
answer({"speechmos": importlib.metadata.version("speechmos"), "onnxruntime": onnxruntime.__version__})
while is_asked():
    start = time.perf_counter()
    score()
    answer({"seconds": time.perf_counter() - start})
