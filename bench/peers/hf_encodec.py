"""Times transformers' EncodecModel of facebook/encodec_24khz's configuration, with random weights, on a recording of some seconds.

argv: the setting; the folder where the model is, or is put for the other side; "encode" or "decode"; seconds.
"""

import os
import sys
import time

from peer import DEVICE, answer, finish, is_asked

import torch
import transformers

transformers.utils.logging.set_verbosity_error()
folder, direction, seconds = sys.argv[2], sys.argv[3], float(sys.argv[4])
SAMPLE_RATE_HZ = 24_000
BANDWIDTH_KBPS = 6.0
if not os.path.exists(os.path.join(folder, "config.json")):
    transformers.EncodecModel(transformers.EncodecConfig()).save_pretrained(folder)
codec = transformers.EncodecModel.from_pretrained(folder).to(DEVICE).eval()
samples = 0.1 * torch.randn(1, 1, int(seconds * SAMPLE_RATE_HZ), device=DEVICE)


@torch.inference_mode()
def encode():
    return codec.encode(samples, bandwidth=BANDWIDTH_KBPS).audio_codes


@torch.inference_mode()
def decode():
    codec.decode(codes, [None])


codes = encode()
run = {"encode": encode, "decode": decode}[direction]
answer({"transformers": transformers.__version__, "torch": torch.__version__})
while is_asked():
    start = time.perf_counter()
    run()
    finish()
    answer({"seconds": time.perf_counter() - start})
