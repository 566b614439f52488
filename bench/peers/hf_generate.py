"""Times `generate` of Hugging Face transformers: completions of prompts, all sampled together with a key-value cache.

argv: the setting, the number of prompts, and that of completions of each.
"""

import sys
import time

import torch
import transformers
from peer import DEVICE, SETTING, answer, create_model, finish, is_asked, random_ids

prompts, completions = map(int, sys.argv[2:4])
new_tokens = SETTING["completionLength"]
model = create_model()
prompt = torch.tensor([random_ids(SETTING["promptLength"]) for _ in range(prompts)], device=DEVICE)


@torch.inference_mode()
def generate():
    return model.generate(
        input_ids=prompt,
        attention_mask=torch.ones_like(prompt),
        do_sample=True,
        top_k=SETTING["topK"],
        num_return_sequences=completions,
        min_new_tokens=new_tokens,
        max_new_tokens=new_tokens,
        use_cache=True,
    )


answer({"transformers": transformers.__version__, "torch": torch.__version__})
while is_asked():
    start = time.perf_counter()
    ids = generate()
    finish()
    seconds = time.perf_counter() - start
    assert ids.shape == (prompts * completions, new_tokens + 1), ids.shape
    answer({"seconds": seconds})
