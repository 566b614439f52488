"""What transformers makes of Hugging Face folders of a BART. Reads a request as JSON from standard input, answers on standard output.

"make": {"from": folder, "to": folder}: first saves the model of a folder in bfloat16.
"open": [folder, ...]: of each folder the dtype that it opens with, and the numbers that `verify` compares, for random ids.
"""
import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
sys.stdout = sys.stderr

import torch  # noqa: E402
import transformers  # noqa: E402
from transformers import AutoTokenizer, BartForConditionalGeneration  # noqa: E402

transformers.utils.logging.set_verbosity_error()
torch.set_num_threads(1)
ROWS, SOURCE, TARGET = 2, 20, 12


def dtype_of(model):
    names = {str(parameter.dtype).removeprefix("torch.") for parameter in model.parameters()}
    return ", ".join(sorted(names))


def describe(folder):
    model = BartForConditionalGeneration.from_pretrained(folder).eval()
    as_saved = BartForConditionalGeneration.from_pretrained(folder, torch_dtype="auto")
    answer = {"dtype": dtype_of(model), "savedDtype": dtype_of(as_saved)}
    single, double = forward(model.float()), forward(model.double())
    answer["forward"] = {name: tensor.tolist() for name, tensor in single.items()} | {"sampling_warpers": []}
    answer["noise"] = {
        name: 2 * float((tensor - double[name]).abs().max())
        for name, tensor in single.items()
        if tensor.is_floating_point()
    }
    if os.path.exists(os.path.join(folder, "tokenizer.json")):
        tokenizer = AutoTokenizer.from_pretrained(folder)
        answer["tokens"] = tokenizer("Make it faster.", add_special_tokens=False)["input_ids"]
        answer["code"] = tokenizer.convert_tokens_to_ids("v_tok_5")
    return answer


def forward(model):
    torch.manual_seed(0)
    vocabulary = model.config.vocab_size
    ids = torch.randint(4, vocabulary, (ROWS, SOURCE))
    mask = torch.ones_like(ids)
    mask[1, -5:] = 0
    ids[mask == 0] = model.config.pad_token_id
    labels = torch.randint(4, vocabulary, (ROWS, TARGET))
    decoder_ids = torch.cat([torch.full((ROWS, 1), model.config.decoder_start_token_id), labels[:, :-1]], 1)
    with torch.no_grad():
        output = model(input_ids=ids, attention_mask=mask, decoder_input_ids=decoder_ids)
    logps = output.logits.log_softmax(-1).gather(2, labels[:, :, None])[:, :, 0]
    return {
        "input_ids": ids, "attention_mask": mask, "labels": labels, "decoder_input_ids": decoder_ids,
        "encoder_last_hidden_state": output.encoder_last_hidden_state, "logits": output.logits,
        "per_token_logps": logps, "sum_logps": logps.sum(1),
    }


request = json.load(sys.stdin)
if request.get("make"):
    model = BartForConditionalGeneration.from_pretrained(request["make"]["from"])
    model.to(torch.bfloat16).save_pretrained(request["make"]["to"])
folders = {folder: describe(folder) for folder in request["open"]}
print(json.dumps({"version": transformers.__version__, "folders": folders}), file=answers, flush=True)
