"""Times one DPO iteration on MOS in the way of the research code: every sample is drawn, completed by the partner, decoded, written
to a WAV file and scored alone; the best and the worst of a prompt are a pair; DPO takes a step on each; before and after, every prompt is
evaluated by one sample, for which the checkpoint is read from disk. By transformers, PyTorch and NISQA's own code, on the setting's device.

Or, "batched", the same as a good engineer would write it with the same libraries: all samples are drawn, completed and decoded together,
and NISQA is made once and scores a folder.

argv: the setting; the folder that bench/base-size/make.py wrote; a clone of github.com/gabrielmittag/NISQA; as JSON, the numbers of
prompts and samples and the longest completion; "original" or "batched".
"""

import copy
import json
import os
import sys
import tempfile
import time
import wave
from pathlib import Path

from peer import DEVICE, SETTING, answer, finish, is_asked

import torch
import transformers

transformers.utils.logging.set_verbosity_error()
folder, repository = Path(sys.argv[2]), os.path.abspath(sys.argv[3])
COUNTS = json.loads(sys.argv[4])
WAY = sys.argv[5]
sys.path.insert(0, repository)
from nisqa.NISQA_model import nisqaModel  # noqa: E402

TEXT_IDS, CODEBOOKS, CODES = 50265, 8, 1024
SAMPLE_RATE_HZ = 24_000
PAD, EOS = 1, 2


def load(name):
    model = transformers.BartForConditionalGeneration.from_pretrained(folder / name)
    # The research code trains in evaluation mode's numbers: dropout is what TRL switches off.
    for module in model.modules():
        if hasattr(module, "dropout") and isinstance(module.dropout, float):
            module.dropout = 0.0
    return model.to(DEVICE)


tokenizer = transformers.AutoTokenizer.from_pretrained(folder / "policy")
policy = load("policy")
partner = load("nar").eval()
codec = transformers.EncodecModel.from_pretrained(folder / "tiny_encodec").to(DEVICE).eval()
items = [json.loads(line) for line in (folder / "items.jsonl").read_text().splitlines()]
# The research code bans every id that is no code of codebook 0, one word each; generate leaves the end token out of the ban.
BANNED = [[i] for i in [*range(TEXT_IDS), *range(TEXT_IDS + CODES, policy.config.vocab_size)] if i != EOS]
GENERATION = dict(
    do_sample=True,
    top_k=0,
    num_beams=1,
    bad_words_ids=BANNED,
    forced_bos_token_id=None,
    forced_eos_token_id=None,
    max_new_tokens=COUNTS["tokens"],
)
scratch = tempfile.TemporaryDirectory()


def ids_of(codes, codebook):
    return [TEXT_IDS + CODES * codebook + code for code in codes]


def pack(item, codebook):
    text = tokenizer(item["instruction"])["input_ids"][1:-1]
    return torch.tensor([[0, *text, EOS, *ids_of(item["src_encodec"][codebook], codebook), EOS]], device=DEVICE)


def codes_of(ids):
    """Codebook 0 of one sample, as ids."""
    return [i for i in ids.tolist() if TEXT_IDS <= i < TEXT_IDS + CODES]


@torch.inference_mode()
def draw(model, item):
    prompt = pack(item, 0)
    return codes_of(model.generate(input_ids=prompt, attention_mask=torch.ones_like(prompt), **GENERATION)[0, 1:])


@torch.inference_mode()
def draw_together(drawn):
    """Of one item after the other."""
    prompts, mask = padded([pack(item, 0)[0] for item in drawn])
    return [codes_of(ids) for ids in policy.generate(input_ids=prompts, attention_mask=mask, **GENERATION)[:, 1:]]


def padded(rows):
    mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PAD), mask


@torch.inference_mode()
def complete(item, first):
    """All codebooks [8][frames]. The partner sees both ways in the research code; a causal mask costs as much."""
    codes = [[i - TEXT_IDS for i in first]]
    for codebook in range(1, CODEBOOKS):
        prompt = pack(item, codebook)
        before = torch.tensor([ids_of(codes[-1], codebook - 1)], device=DEVICE)
        logits = partner(input_ids=prompt, decoder_input_ids=before, use_cache=False).logits[0]
        start = TEXT_IDS + CODES * codebook
        codes.append(logits[:, start : start + CODES].argmax(-1).tolist())
    return codes


@torch.inference_mode()
def complete_together(drawn, firsts):
    """As `complete`, of all samples at once: [sample][8][frames]."""
    codes = [[[i - TEXT_IDS for i in first]] for first in firsts]
    for codebook in range(1, CODEBOOKS):
        prompts, mask = padded([pack(item, codebook)[0] for item in drawn])
        before, _ = padded([torch.tensor(ids_of(each[-1], codebook - 1), device=DEVICE) for each in codes])
        logits = partner(input_ids=prompts, attention_mask=mask, decoder_input_ids=before, use_cache=False).logits
        start = TEXT_IDS + CODES * codebook
        best = logits[:, :, start : start + CODES].argmax(-1)
        for each, row in zip(codes, best):
            each.append(row[: len(each[0])].tolist())
    return codes


@torch.inference_mode()
def decode(codes):
    return codec.decode(torch.tensor([[codes]], device=DEVICE), [None]).audio_values[0, 0].cpu()


@torch.inference_mode()
def decode_together(codes):
    longest = max(len(each[0]) for each in codes)
    rows = torch.tensor([[row + [0] * (longest - len(row)) for row in each] for each in codes], device=DEVICE)
    sounds = codec.decode(rows[None], [None]).audio_values[:, 0].cpu()
    per_frame = sounds.shape[1] // longest
    return [sound[: len(each[0]) * per_frame] for sound, each in zip(sounds, codes)]


def write(samples, path):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes((samples.clamp(-1, 1) * 32767).short().numpy().tobytes())


def open_nisqa(**what):
    weights = os.path.join(repository, "weights", "nisqa.tar")
    args = {"pretrained_model": weights, "output_dir": None, "ms_channel": None, "ms_max_segments": 3000}
    return nisqaModel({**args, **what})


def mos_of(path):
    """The research code makes NISQA anew for every file; one that is too short has no score."""
    try:
        return float(open_nisqa(mode="predict_file", deg=str(path)).predict()["mos_pred"].iloc[0])
    except ValueError:
        return None


def sample(model, item):
    first = draw(model, item)
    path = Path(scratch.name) / "example.wav"
    write(decode(complete(item, first or [TEXT_IDS])), path)
    return first, mos_of(path)


def sample_together(drawn):
    """Samples with their scores, one of each item that is given."""
    firsts = draw_together(drawn)
    folder = Path(tempfile.mkdtemp(dir=scratch.name))
    # One that is too short for NISQA has no score.
    long_enough = [i for i, first in enumerate(firsts) if len(first) >= 15]
    sounds = decode_together(complete_together([drawn[i] for i in long_enough], [firsts[i] for i in long_enough]))
    for i, sound in zip(long_enough, sounds):
        write(sound, folder / f"{i}.wav")
    nisqa = open_nisqa(mode="predict_dir", data_dir=str(folder), tr_bs_val=10, tr_num_workers=0)
    scores = {int(Path(row.deg).stem): float(row.mos_pred) for row in nisqa.predict().itertuples()}
    return [(first, scores.get(i)) for i, first in enumerate(firsts)]


def log_probs(model, prompt, labels):
    shifted = model.prepare_decoder_input_ids_from_labels(labels)
    logits = model(input_ids=prompt, decoder_input_ids=shifted, use_cache=False).logits
    return logits.log_softmax(-1).gather(2, labels[..., None])[..., 0].sum(-1)


def train(pairs):
    reference = copy.deepcopy(policy).eval().requires_grad_(False)
    optimizer = torch.optim.AdamW(policy.parameters(), lr=SETTING["learningRate"], weight_decay=0.0)
    for item, chosen, rejected in pairs:
        prompt = pack(item, 0)
        margin = 0
        for ids, sign in ((chosen, 1), (rejected, -1)):
            labels = torch.tensor([[0, *ids, EOS]], device=DEVICE)
            with torch.no_grad():
                before = log_probs(reference, prompt, labels)
            margin = margin + sign * (log_probs(policy, prompt, labels) - before)
        (-torch.nn.functional.logsigmoid(SETTING["beta"] * margin)).mean().backward()
        torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()


def pair_of(item, drawn):
    scored = sorted((each for each in drawn if each[1] is not None), key=lambda each: each[1])
    return [(item, scored[-1][0], scored[0][0])] if len(scored) >= 2 else []


def iterate():
    """In the research code's way."""
    evaluated = items[: COUNTS["prompts"] + 1]
    model = load("policy").eval()
    for item in evaluated:
        sample(model, item)
    pairs = []
    for item in items[: COUNTS["prompts"]]:
        pairs += pair_of(item, [sample(policy, item) for _ in range(COUNTS["samples"])])
    assert pairs, "no prompt has two samples with a score"
    train(pairs)
    policy.save_pretrained(Path(scratch.name) / "dpo_model")
    model = load(Path(scratch.name) / "dpo_model").eval()
    for item in evaluated:
        sample(model, item)


def iterate_batched():
    evaluated = items[: COUNTS["prompts"] + 1]
    trained = items[: COUNTS["prompts"]]
    sample_together(evaluated)
    drawn = sample_together([item for item in trained for _ in range(COUNTS["samples"])])
    count = COUNTS["samples"]
    pairs = [pair for i, item in enumerate(trained) for pair in pair_of(item, drawn[i * count : (i + 1) * count])]
    assert pairs, "no prompt has two samples with a score"
    train(pairs)
    policy.save_pretrained(Path(scratch.name) / "dpo_model")
    sample_together(evaluated)


answer({"transformers": transformers.__version__, "torch": torch.__version__})
while is_asked():
    start = time.perf_counter()
    iterate() if WAY == "original" else iterate_batched()
    finish()
    answer({"seconds": time.perf_counter() - start})
