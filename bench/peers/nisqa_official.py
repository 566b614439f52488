"""Times NISQA's own code (github.com/gabrielmittag/NISQA, as its README calls it) on the WAV files of a folder, after loading.

argv: the setting, a clone of its repository, the folder, and how many files go through the network at once.
"""

import os
import sys
import time

from peer import SETTING, answer, is_asked

repository, folder, batch_size = sys.argv[2:]
sys.path.insert(0, repository)

import librosa  # noqa: E402
import torch  # noqa: E402
from nisqa.NISQA_model import nisqaModel  # noqa: E402

torch.set_num_threads(SETTING["threads"])
nisqa = nisqaModel(
    {
        "mode": "predict_dir",
        "pretrained_model": os.path.join(os.path.abspath(repository), "weights", "nisqa.tar"),
        "data_dir": folder,
        "output_dir": None,
        "ms_channel": None,
        "tr_bs_val": int(batch_size),
        "tr_num_workers": 0,
    }
)
answer({"NISQA (Python)": "2.0", "librosa": librosa.__version__, "torch": torch.__version__})
while is_asked():
    start = time.perf_counter()
    scores = nisqa.predict()
    seconds = time.perf_counter() - start
    assert scores["mos_pred"].notna().all() and len(scores) == len(os.listdir(folder)), scores
    answer({"seconds": seconds})
