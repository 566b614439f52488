"""Times DPO steps as TRL's DPOTrainer takes them, by transformers and PyTorch alone: on a GPU, where no TRL that serves encoder-decoder
models runs with a present transformers. Reference and policy forward on chosen and rejected side by side, the sigmoid loss, backward,
clipping, AdamW.

argv: the setting.
"""

import copy
import time

import torch
import transformers
from peer import DEVICE, SETTING, answer, create_model, finish, is_asked, random_ids

policy = create_model().train()
reference = copy.deepcopy(policy).eval().requires_grad_(False)
optimizer = torch.optim.AdamW(policy.parameters(), lr=SETTING["learningRate"], weight_decay=0.01)
pairs = SETTING["batchSize"]


def rows(count, length):
    return torch.tensor([random_ids(length) for _ in range(count)])


def log_probs(model, prompts, labels):
    """Sum of the labels' log-probabilities, a row each."""
    shifted = model.prepare_decoder_input_ids_from_labels(labels)
    mask = torch.ones_like(prompts)
    logits = model(input_ids=prompts, attention_mask=mask, decoder_input_ids=shifted, use_cache=False).logits
    return logits.log_softmax(-1).gather(2, labels[..., None])[..., 0].sum(-1)


def step(prompts, labels):
    with torch.no_grad():
        reference_logps = log_probs(reference, prompts, labels)
    logps = log_probs(policy, prompts, labels)
    chosen, rejected = (logps - reference_logps).split(pairs)
    loss = -torch.nn.functional.logsigmoid(SETTING["beta"] * (chosen - rejected)).mean()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


prompts = rows(pairs, SETTING["promptLength"])
batch = [torch.cat([prompts, prompts]).to(DEVICE), rows(2 * pairs, SETTING["completionLength"]).to(DEVICE)]
answer({"transformers": transformers.__version__, "torch": torch.__version__})
while is_asked():
    start = time.perf_counter()
    step(*batch)
    finish()
    answer({"seconds": time.perf_counter() - start})
