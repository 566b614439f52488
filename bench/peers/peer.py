"""What the peers share: the model they time, and answering bench/run.ts over standard input and output.

A peer is started with the setting (bench/setting.ts) as JSON. It says which versions it runs in one line of JSON; then it
answers every line it reads with {"seconds": ...} of one timed call, and ends when its standard input does.
"""

import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"

import torch  # noqa: E402

SETTING = json.loads(sys.argv[1])

# Libraries print to standard output; the answers go where nothing else is written.
answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
sys.stdout = sys.stderr

DEVICE = torch.device(SETTING["device"])
torch.set_num_threads(SETTING["threads"])
torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = SETTING["tf32"]
torch.manual_seed(0)


def answer(content):
    print(json.dumps(content), file=answers, flush=True)


def is_asked():
    """Waits for the next request; false when there will be none."""
    return sys.stdin.readline() != ""


def finish():
    """Waits for what the device still computes."""
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


def create_model():
    """A BART with random weights and no dropout."""
    import transformers  # not every peer needs it

    transformers.utils.logging.set_verbosity_error()
    config = transformers.BartConfig(
        **SETTING["model"],
        dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        forced_eos_token_id=None,
    )
    return transformers.BartForConditionalGeneration(config).eval().to(DEVICE)


def random_ids(length):
    """<s> ... </s> of `length` ids, as BART's tokenizer would give."""
    inner = torch.randint(5, SETTING["model"]["vocab_size"], (length - 2,)).tolist()
    return [0, *inner, 2]
