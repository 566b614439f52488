"""Makes a folder for `speech-dpo verify`: what transformers and TRL compute with a BART, in float32, and how far that is from float64.

    python -m venv .cache/reference
    .cache/reference/bin/pip install -r scripts/reference/requirements.txt
    .cache/reference/bin/python scripts/reference/make.py FOLDER [--bart BART] [--seed 1]

BART is a folder that transformers opens, such as model_output/0601-1200/iter_0/dpo_model; without one a small BART with random weights
is made. Prompts, completions and codes are random. FOLDER must be new. It gets

    tiny_bart/                    the model that all numbers are of
    forward_f32.json              one forward pass, greedy decoding, sampling distributions
    nar.json                      logits with a decoder that sees both ways
    dpo_f32.json                  ten steps of TRL's DPOTrainer
    grads_step0_f32.safetensors   the gradient of the first step
    final_f32/                    the model after the last step
    tiny_encodec/, encodec.json   a small random EnCodec, and what it codes and decodes
    noise_f32_vs_f64.json         the largest differences between these numbers in float32 and in float64
"""

import argparse
import copy
import json
import os
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch  # noqa: E402
import transformers  # noqa: E402
import trl  # noqa: E402
from datasets import Dataset  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from torch.utils.data import SequentialSampler  # noqa: E402
from transformers import (  # noqa: E402
    BartConfig,
    BartForConditionalGeneration,
    EncodecConfig,
    EncodecModel,
    GenerationConfig,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)
from transformers.models.bart import modeling_bart  # noqa: E402

ROWS, SOURCE, TARGET = 4, 24, 16
PAIRS, BATCH, STEPS = 4, 2, 10
# Temperature, top-k, top-p.
SAMPLING = [(1.0, 0, 1.0), (0.7, 50, 1.0), (1.0, 0, 0.9), (0.8, 40, 0.95)]
NO_DROPOUT = dict(dropout=0.0, attention_dropout=0.0, activation_dropout=0.0)


def random_bart():
    """Biases and layer norms are random too, so that forgetting one shows."""
    model = BartForConditionalGeneration(BartConfig(
        vocab_size=600, d_model=64, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4,
        encoder_ffn_dim=128, decoder_ffn_dim=128, max_position_embeddings=256, init_std=0.1, forced_eos_token_id=None, **NO_DROPOUT))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                parameter += 0.1 * torch.randn_like(parameter)
        model.final_logits_bias += 0.1 * torch.randn_like(model.final_logits_bias)
    return model


def random_ids(config, length):
    """<s> ... </s>, `length` ids in all."""
    special = {config.bos_token_id, config.pad_token_id, config.eos_token_id, config.decoder_start_token_id}
    plain = torch.tensor([i for i in range(config.vocab_size) if i not in special])
    inner = plain[torch.randint(len(plain), (length - 2,))].tolist()
    return [config.bos_token_id, *inner, config.eos_token_id]


def padded(rows, value):
    longest = max(map(len, rows))
    return torch.tensor([row + [value] * (longest - len(row)) for row in rows])


def forward_inputs(config):
    sources = [random_ids(config, SOURCE - 3 * row) for row in range(ROWS)]
    labels = padded([random_ids(config, TARGET - 2 * row) for row in range(ROWS)], -100)
    input_ids = padded(sources, config.pad_token_id)
    return dict(
        input_ids=input_ids,
        attention_mask=padded([[1] * len(row) for row in sources], 0),
        labels=labels,
        decoder_input_ids=modeling_bart.shift_tokens_right(labels, config.pad_token_id, config.decoder_start_token_id),
    )


@torch.no_grad()
def forward(model, inputs):
    labels = inputs["labels"]
    output = model(**{name: inputs[name] for name in ("input_ids", "attention_mask", "decoder_input_ids")})
    is_label = labels != -100
    logps = output.logits.log_softmax(-1).gather(2, labels.clamp(min=0)[..., None])[..., 0] * is_label
    return dict(
        encoder_last_hidden_state=output.encoder_last_hidden_state * inputs["attention_mask"][..., None],
        logits=output.logits * is_label[..., None],
        per_token_logps=logps,
        sum_logps=logps.sum(1),
    )


def generate(model, input_ids, **options):
    """No token is forced, whatever the model's own generation_config.json says."""
    names = ("bos_token_id", "pad_token_id", "eos_token_id", "decoder_start_token_id")
    rules = GenerationConfig(num_beams=1, **{name: getattr(model.config, name) for name in names}, **options)
    mask = (input_ids != model.config.pad_token_id).long()
    return model.generate(input_ids, attention_mask=mask, generation_config=rules).tolist()


def greedy(model, inputs):
    return generate(model, inputs["input_ids"], do_sample=False, max_new_tokens=24)


def sample_pair(model, prompt):
    """The model's own completions, as DPO trains on: ids that it thinks impossible would drown all else."""
    config = model.config
    sampled = generate(
        model, torch.tensor([prompt, prompt]), do_sample=True, top_k=0, min_new_tokens=8, max_new_tokens=16)
    completions = [[i for i in ids[1:] if i not in (config.pad_token_id, config.eos_token_id)] for ids in sampled]
    chosen, rejected = [completion + [config.eos_token_id] for completion in completions]
    return dict(prompt=prompt, chosen=chosen, rejected=rejected)


def sampling_distribution(logits, temperature, top_k, top_p):
    scores = TemperatureLogitsWarper(temperature)(None, logits[None])
    if top_k:
        scores = TopKLogitsWarper(top_k)(None, scores)
    if top_p < 1:
        scores = TopPLogitsWarper(top_p)(None, scores)
    kept = scores[0].isfinite().nonzero()[:, 0]
    return dict(temperature=temperature, top_k=top_k, top_p=top_p, logits_row=[0, 3], kept_ids=kept.tolist(),
                probs=scores[0].softmax(-1)[kept].tolist())


@torch.no_grad()
def partner_logits(model, source, target):
    """The decoder's mask lets every position see every other."""
    causal = modeling_bart._prepare_4d_causal_attention_mask_for_sdpa
    modeling_bart._prepare_4d_causal_attention_mask_for_sdpa = lambda _mask, shape, embeds, *_: torch.zeros(
        shape[0], 1, shape[1], shape[1], dtype=embeds.dtype)
    try:
        return model(input_ids=source, decoder_input_ids=target).logits
    finally:
        modeling_bart._prepare_4d_causal_attention_mask_for_sdpa = causal


class IdTokenizer:
    """Reads a text of ids as those ids: TRL tokenizes text, and the pairs here are ids already."""

    padding_side = "right"

    def __init__(self, config):
        self.bos_token_id, self.pad_token_id, self.eos_token_id = config.bos_token_id, config.pad_token_id, config.eos_token_id

    def __call__(self, text, **_):
        ids = [int(word) for word in text.split()]
        return {"input_ids": ids, "attention_mask": [1] * len(ids)}


class RecordingTrainer(trl.DPOTrainer):
    """TRL's trainer on the pairs in their order, keeping what each step computes."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.steps, self.first_gradient = [], {}
        clip = self.accelerator.clip_grad_norm_

        def keep_gradient(parameters, *rest):
            if not self.first_gradient:
                gradients = {name: parameter.grad for name, parameter in self.model.named_parameters()}
                self.first_gradient = {name: gradient.clone() for name, gradient in gradients.items()}
            norm = clip(parameters, *rest)
            learning_rate = torch.tensor(self.optimizer.param_groups[0]["lr"], dtype=torch.float64)
            self.steps[-1] |= dict(lr=learning_rate, grad_norm_before_clip=norm)
            return norm

        self.accelerator.clip_grad_norm_ = keep_gradient

    def _get_train_sampler(self):
        return SequentialSampler(self.train_dataset)

    def dpo_loss(self, policy_chosen, policy_rejected, reference_chosen, reference_rejected):
        results = super().dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected)
        losses, chosen_rewards, rejected_rewards = results
        self.steps.append({name: tensor.detach() for name, tensor in dict(
            policy_chosen_logps=policy_chosen, policy_rejected_logps=policy_rejected,
            reference_chosen_logps=reference_chosen, reference_rejected_logps=reference_rejected, losses=losses,
            chosen_rewards=chosen_rewards, rejected_rewards=rejected_rewards, loss=losses.mean()).items()})
        return results


def train(model, pairs, weight_decay=0.0):
    text = lambda ids: " ".join(map(str, ids))
    with tempfile.TemporaryDirectory() as directory:
        trainer = RecordingTrainer(
            model=model,
            ref_model=copy.deepcopy(model).eval(),
            args=trl.DPOConfig(
                output_dir=directory, max_steps=STEPS, per_device_train_batch_size=BATCH, learning_rate=2e-5, beta=0.1,
                weight_decay=weight_decay, max_grad_norm=1.0, max_length=9216, max_prompt_length=9216, max_target_length=9216,
                remove_unused_columns=False, use_cpu=True, disable_tqdm=True, save_strategy="no", logging_strategy="no",
                report_to=[],
            ),
            train_dataset=Dataset.from_list([{name: text(ids) for name, ids in pair.items()} for pair in pairs]),
            tokenizer=IdTokenizer(model.config),
        )
        trainer.train()
    return trainer


def encodec():
    """Random convolutions shrink what goes through them: their gains are raised; codebooks are spread as the features are."""
    model = EncodecModel(EncodecConfig(num_filters=4, hidden_size=16, target_bandwidths=[1.5, 3.0, 6.0])).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("weight_g"):
                parameter *= 1.6
        samples = torch.round(torch.randn(1, 1, 24_137) * 1000) / 10_000
        features = model.encoder(samples)[0]
        for index, layer in enumerate(model.quantizer.layers):
            layer.codebook.embed.copy_(torch.randn_like(layer.codebook.embed) * features.std(1) * 0.8**index)
            if index == 0:
                layer.codebook.embed += features.mean(1)
        codes = model.encode(samples, bandwidth=6.0).audio_codes
        random_codes = torch.randint(model.config.codebook_size, (1, 1, codes.shape[2], 40))
        decode = lambda which: model.decode(which, [None]).audio_values[0, 0].tolist()
        return model, dict(
            bandwidth_kbps=6.0, input=samples[0, 0].tolist(), codes=codes[0, 0].tolist(), decoded=decode(codes),
            random_codes=random_codes[0, 0].tolist(), random_decoded=decode(random_codes))


def distance(single, double):
    return (single.double() - double).abs().max().item()


def noise_of(single, double):
    """Of numbers by name, in float32 and in float64."""
    return {name: distance(tensor, double[name]) for name, tensor in single.items()}


def plain(content):
    """Tensors as lists, for JSON."""
    if isinstance(content, dict):
        return {name: plain(part) for name, part in content.items()}
    if isinstance(content, list):
        return [plain(part) for part in content]
    return content.tolist() if isinstance(content, torch.Tensor) else content


def save(path, content):
    path.write_text(json.dumps(plain(content)) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bart")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    folder = options.folder
    if folder.exists():
        parser.error(f"{folder} exists; name a new folder.")
    torch.manual_seed(options.seed)
    if options.bart:
        model = BartForConditionalGeneration.from_pretrained(options.bart, torch_dtype=torch.float32, **NO_DROPOUT)
    else:
        model = random_bart()
    model.eval()
    config = model.config
    if config.max_position_embeddings < 32:
        parser.error(f"{options.bart} has {config.max_position_embeddings} positions; at least 32 are needed.")
    double = copy.deepcopy(model).double()
    folder.mkdir(parents=True)
    model.save_pretrained(folder / "tiny_bart")
    meta = dict(seed=options.seed, dtype="f32", versions={
        package.__name__: package.__version__ for package in (torch, transformers, trl)})

    inputs = forward_inputs(config)
    single_forward, double_forward = forward(model, inputs), forward(double, inputs)
    row = single_forward["logits"][0, 3]
    warpers = [sampling_distribution(row, *rules) for rules in SAMPLING]
    ids = greedy(model, inputs)
    greedy_equal = ids == greedy(double, inputs)
    save(folder / "forward_f32.json", dict(
        meta=meta, forward=dict(**inputs, **single_forward, greedy_max_new_24=ids, sampling_warpers=warpers)))

    source, target = torch.tensor([random_ids(config, SOURCE)]), torch.tensor([random_ids(config, TARGET)])
    nar_logits = partner_logits(model, source, target)
    nar_noise = distance(nar_logits, partner_logits(double, source, target))
    save(folder / "nar.json", dict(input_ids=source, decoder_input_ids=target, logits=nar_logits))

    pairs = [sample_pair(model, random_ids(config, 14 + 2 * i)) for i in range(PAIRS)]
    single, reference = train(model, pairs), train(double, pairs)
    args = single.args
    save(folder / "dpo_f32.json", dict(meta=meta, dpo=dict(
        args={name: getattr(args, name) for name in (
            "learning_rate", "beta", "max_grad_norm", "max_steps", "per_device_train_batch_size")},
        tokenized_rows=[dict(prompt_input_ids=pair["prompt"], chosen_labels=pair["chosen"], rejected_labels=pair["rejected"])
                        for pair in pairs],
        train_steps=single.steps)))
    save_file(single.first_gradient, folder / "grads_step0_f32.safetensors")
    single.model.save_pretrained(folder / "final_f32")

    codec, numbers = encodec()
    codec.save_pretrained(folder / "tiny_encodec")
    save(folder / "encodec.json", numbers)

    steps = [noise_of(a, b) for a, b in zip(single.steps, reference.steps)]
    final = dict(reference.model.named_parameters())
    save(folder / "noise_f32_vs_f64.json", dict(
        forward=noise_of(single_forward, double_forward),
        greedy_equal=greedy_equal,
        nar_logits=nar_noise,
        train_steps={name: max(step[name] for step in steps) for name in steps[0]},
        step0_grads={name: [distance(gradient, reference.first_gradient[name]), reference.first_gradient[name].abs().max().item()]
                     for name, gradient in single.first_gradient.items()},
        final_params_maxabs={name: [distance(parameter.detach(), final[name].detach())]
                             for name, parameter in single.model.named_parameters()},
        note="largest absolute differences; step0_grads: and the largest value in float64"))
    print(f"{folder} is made: npx speech-dpo verify {folder}")


if __name__ == "__main__":
    main()
