"""Times training steps of TRL's DPOTrainer on one preference pair each: policy and reference forward, backward, clipping, AdamW.

argv: the setting; "precomputed" for a reference that is computed before the first step, and in none.
"""

import copy
import sys
import tempfile
import time

import torch
import trl
from datasets import Dataset
from peer import SETTING, answer, create_model, is_asked, random_ids
from transformers import TrainerCallback

# More steps than anybody asks for: training ends when the requests do.
STEPS = 1000


class IdTokenizer:
    """Reads a string of ids as those ids. TRL tokenizes text; the pairs here are ids already."""

    bos_token_id, pad_token_id, eos_token_id = 0, 1, 2
    padding_side = "right"

    def __call__(self, text, **_):
        ids = [int(word) for word in text.split()]
        return {"input_ids": ids, "attention_mask": [1] * len(ids)}


class StepTimer(TrainerCallback):
    """Holds every step until it is asked for, and answers with the seconds it took."""

    def on_step_begin(self, *_, **__):
        if not is_asked():
            sys.exit()
        self.start = time.perf_counter()

    def on_step_end(self, *_, **__):
        answer({"seconds": time.perf_counter() - self.start})


class Trainer(trl.DPOTrainer):
    """TRL 0.9.6 reads the reference's log-probabilities that it has precomputed only beside rpo_alpha; here it always does."""

    def concatenated_forward(self, model, batch):
        if model is self.ref_model and "reference_chosen_logps" in batch:
            return batch["reference_chosen_logps"], batch["reference_rejected_logps"], None, None, None
        return super().concatenated_forward(model, batch)


def text_of(length):
    return " ".join(map(str, random_ids(length)))


policy = create_model()
pairs = [
    {
        "prompt": text_of(SETTING["promptLength"]),
        "chosen": text_of(SETTING["completionLength"]),
        "rejected": text_of(SETTING["completionLength"]),
    }
    for _ in range(SETTING["pairs"])
]
longest = SETTING["promptLength"] + SETTING["completionLength"]
with tempfile.TemporaryDirectory() as directory:
    trainer = Trainer(
        model=policy,
        ref_model=copy.deepcopy(policy),
        args=trl.DPOConfig(
            output_dir=directory,
            max_steps=STEPS,
            per_device_train_batch_size=1,
            learning_rate=SETTING["learningRate"],
            beta=SETTING["beta"],
            precompute_ref_log_probs=sys.argv[2] == "precomputed",
            max_length=longest,
            max_prompt_length=longest,
            max_target_length=longest,
            remove_unused_columns=False,
            use_cpu=True,
            disable_tqdm=True,
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
        ),
        train_dataset=Dataset.from_list(pairs),
        tokenizer=IdTokenizer(),
        callbacks=[StepTimer()],
    )
    answer({"trl": trl.__version__, "torch": torch.__version__})
    trainer.train()
