"""Makes losses_trl_VERSION.json for `speech-dpo verify`: what TRL's preference losses give for random log-probabilities.

    python -m venv .cache/losses
    .cache/losses/bin/pip install torch==2.13.0 transformers==5.24.0 trl==1.16.0
    .cache/losses/bin/python scripts/reference/losses.py FOLDER [--seed 1]

With the packages of scripts/reference/requirements.txt (TRL 0.9.6) it makes the file of that version: the sigmoid loss with label
smoothing, which later versions ignore.

TRL's own functions compute everything; only the network in front of them is replaced by numbers. Log-probabilities of tokens are
multiples of 1/64, so that their sums are exact in float32. `noise` is the largest difference between TRL's float32 and its float64
in 64 batches; the numbers are those of the first, in float64.
"""

import argparse
import json
import types
from collections import defaultdict
from pathlib import Path

import torch
import trl
from trl import DPOTrainer

PAIRS, MOST_LABELS, BATCHES = 16, 24, 64
BETA, LABEL_SMOOTHING, SIMPO_GAMMA = 0.1, 0.1, 0.5
MIXTURES = [(["sigmoid", "sft"], [1.0, 0.2]), (["sigmoid", "bco_pair", "sft"], [0.8, 0.2, 1.0])]
LOSSES = ["sigmoid", "hinge", "ipo", "exo_pair", "nca_pair", "robust", "bco_pair", "sppo_hard", "aot", "apo_zero", "apo_down", "sft",
          "sigmoid_norm"]


def random_numbers(generator):
    """Token log-probabilities [2B, T], chosen rows first, and their mask; the reference differs from the policy by up to 1 a token."""
    counts = torch.randint(4, MOST_LABELS + 1, (2 * PAIRS,), generator=generator)
    mask = torch.arange(MOST_LABELS)[None] < counts[:, None]
    policy = -torch.randint(1, 256, mask.shape, generator=generator) / 64
    change = torch.randint(-64, 65, mask.shape, generator=generator) / 64
    reference = torch.minimum(policy + change, torch.tensor(-1 / 64))
    return counts, mask, policy * mask, reference * mask


class Accelerator:
    device = torch.device("cpu")

    def gather(self, value):
        return value

    gather_for_metrics = gather


class Outputs:
    """What the fused head gives beside log-probabilities is logged only; the loss does not read it."""

    def __init__(self, log_probs):
        self.log_probs = log_probs
        self.entropy = self.mean_logits = torch.zeros_like(log_probs)
        self.is_top1 = torch.zeros_like(log_probs, dtype=torch.bool)


def model_of(log_probs):
    def model(**_):
        return Outputs(log_probs)

    model.training, model.is_gradient_checkpointing = True, False
    return model


def with_prompt(mask):
    """TRL drops the first position of a row, which nothing predicts: a prompt of one token."""
    return torch.nn.functional.pad(mask, (1, 0)).long()


def new_dpo(names, weights, mask, policy, reference):
    """DPOTrainer._compute_loss of TRL 1.x, and the metrics that it logs."""
    model = model_of(policy)
    trainer = types.SimpleNamespace(
        model=model, ref_model=model_of(reference), accelerator=Accelerator(), loss_types=names, loss_weights=weights, beta=BETA,
        label_smoothing=LABEL_SMOOTHING, f_divergence_type="reverse_kl", ld_alpha=None, precompute_ref_logps=False, use_weighting=False,
        aux_loss_enabled=False, args=types.SimpleNamespace(gradient_checkpointing=False, gradient_checkpointing_kwargs=None),
        _metrics=defaultdict(lambda: defaultdict(list)), _total_train_tokens=0, _tp_size=1)
    ids = with_prompt(mask)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "completion_mask": ids}
    loss = DPOTrainer._compute_loss(trainer, model, inputs, return_outputs=False)
    logged = trainer._metrics["train"]
    names = ["rewards/chosen", "rewards/rejected", "rewards/margins", "rewards/accuracies"]
    return loss, {name: logged[name][0] for name in names}


def simpo(mask, policy):
    """CPOTrainer.cpo_loss, of log-probabilities per label as its forward pass gives them."""
    from trl.experimental.cpo import CPOTrainer

    trainer = types.SimpleNamespace(loss_type="simpo", simpo_gamma=SIMPO_GAMMA, beta=BETA, label_smoothing=0.0, alpha=0.0,
                                    accelerator=Accelerator())
    chosen, rejected = (policy.sum(1) / mask.sum(1)).chunk(2)
    losses, chosen_rewards, rejected_rewards = CPOTrainer.cpo_loss(trainer, chosen, rejected)
    return losses.mean(), means(chosen_rewards, rejected_rewards)


def kto(mask, policy, reference):
    """KTOTrainer._compute_loss: chosen rows are desirable, rejected ones are not; the completions of the KL estimate are given as sums."""
    from trl import KTOTrainer

    divergence = [policy.detach().roll(1, 0), reference.roll(1, 0)]
    model, ref_model = model_of(policy), model_of(reference)
    trainer = types.SimpleNamespace(
        model=model, ref_model=ref_model, accelerator=Accelerator(), loss_type="kto", beta=BETA, desirable_weight=1.0,
        undesirable_weight=1.5, aux_loss_enabled=False, calculate_KL=True, precompute_ref_logps=False,
        args=types.SimpleNamespace(gradient_checkpointing=False, gradient_checkpointing_kwargs=None),
        _compute_kl_logps=lambda of, _: divergence[of is ref_model].sum(-1),
        _metrics=defaultdict(lambda: defaultdict(list)), _total_train_tokens=0, _tp_size=1)
    ids = with_prompt(mask)
    label = torch.arange(2 * PAIRS) < PAIRS
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "completion_mask": ids, "label": label}
    loss = KTOTrainer._compute_loss(trainer, model, inputs, return_outputs=False)
    logged = trainer._metrics["train"]
    return loss, {name: logged[name][0] for name in ["rewards/chosen", "rewards/rejected", "rewards/margins", "kl"]}


def old_dpo(name, policy, reference):
    """DPOTrainer.dpo_loss of TRL 0.9.6."""
    from trl.trainer.utils import RunningMoments

    trainer = types.SimpleNamespace(accelerator=Accelerator(), loss_type=name, beta=BETA, label_smoothing=LABEL_SMOOTHING,
                                    reference_free=False, f_divergence_type="reverse_kl", f_divergence_params=None,
                                    running=RunningMoments(Accelerator()))
    (chosen, rejected), (ref_chosen, ref_rejected) = policy.sum(1).chunk(2), reference.sum(1).chunk(2)
    losses, chosen_rewards, rejected_rewards = DPOTrainer.dpo_loss(trainer, chosen, rejected, ref_chosen, ref_rejected)
    return losses.mean(), means(chosen_rewards, rejected_rewards)


def means(chosen, rejected):
    return {"rewards/chosen": chosen.mean().item(), "rewards/rejected": rejected.mean().item(),
            "rewards/margins": (chosen - rejected).mean().item(), "rewards/accuracies": (chosen > rejected).float().mean().item()}


def cases():
    """(name of the file's entry, settings, function of mask, policy and reference)."""
    smoothed = {"beta": BETA, "labelSmoothing": LABEL_SMOOTHING}
    if trl.__version__.startswith("0."):
        for name in ["sigmoid"]:
            yield name, smoothed, lambda mask, policy, reference, name=name: old_dpo(name, policy, reference)
        return
    for name in LOSSES:
        # TRL 1.x takes label smoothing for these only.
        settings = smoothed if name in ("robust", "exo_pair", "aot") else {"beta": BETA}
        yield name, settings, lambda mask, policy, reference, name=name: new_dpo([name], [1.0], mask, policy, reference)
    for names, weights in MIXTURES:
        yield ",".join(names), {"beta": BETA, "lossWeights": weights}, lambda mask, policy, reference, names=names, weights=weights: (
            new_dpo(names, weights, mask, policy, reference))
    yield "simpo", {"beta": BETA, "simpoGamma": SIMPO_GAMMA}, lambda mask, policy, _: simpo(mask, policy)
    yield "kto", {"beta": BETA, "desirableWeight": 1.0, "undesirableWeight": 1.5}, kto


def compute(function, mask, policy, reference, dtype):
    policy, reference = policy.to(dtype).requires_grad_(), reference.to(dtype)
    loss, metrics = function(mask, policy, reference)
    (gradient,) = torch.autograd.grad(loss, policy)
    # The same for every label of a completion; of sums it is that of one label.
    return loss.item(), in_pairs(gradient[:, 0]), metrics


def in_pairs(values):
    chosen, rejected = values.chunk(2)
    return torch.stack([chosen, rejected], 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    generator = torch.Generator().manual_seed(options.seed)
    batches = [random_numbers(generator) for _ in range(BATCHES)]
    counts, _, policy, reference = batches[0]
    entries = []
    for name, settings, function in cases():
        noise = {"value": 0.0, "gradient": 0.0}
        for _, *numbers in batches:
            loss, gradient, _ = compute(function, *numbers, torch.float32)
            exact, exact_gradient, _ = compute(function, *numbers, torch.float64)
            noise = {"value": max(noise["value"], abs(loss - exact)),
                     "gradient": max(noise["gradient"], (gradient.double() - exact_gradient).abs().max().item())}
        exact, exact_gradient, metrics = compute(function, *batches[0][1:], torch.float64)
        # TRL measures the rewards of every loss against a reference; sft needs none.
        logged = {} if name == "sft" else {"metrics": metrics}
        entries.append({"loss": name, "settings": settings, "noise": noise,
                        "float64": {"value": exact, "gradient": exact_gradient.tolist(), **logged}})
    result = {"trl": trl.__version__, "policy": in_pairs(policy.sum(1)).tolist(),
              "reference": in_pairs(reference.sum(1)).tolist(), "labels": in_pairs(counts).tolist(),
              "losses": entries}
    path = options.folder / f"losses_trl_{trl.__version__}.json"
    path.write_text(json.dumps(result) + "\n")
    print(path)


main()
