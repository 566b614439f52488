"""Random models of the research code's size, and what transformers computes with them, in the layout that `speech-dpo verify` reads.

    python make.py FOLDER          # needs torch, transformers==4.44.2 and 5 GB of disk
    python make.py FOLDER large    # of the size of BART-large, with that vocabulary: 414 million parameters, 11 GB of disk

FOLDER gets tiny_bart/ (BART of base size, vocabulary 59,480, safetensors), bart_bin/ (the same as sharded pytorch_model.bin), policy/
(the same, but its samples end, after about a hundred tokens: one that is cut off is in no preference pair), nar/, tiny_encodec/ (facebook/encodec_24khz's configuration), forward_f32.json, encodec.json, and items.jsonl, a small dataset.
"""
import json
import sys
from pathlib import Path

import torch
from tokenizers import AddedToken, ByteLevelBPETokenizer
from transformers import BartConfig, BartForConditionalGeneration, BartTokenizerFast, EncodecConfig, EncodecModel

FOLDER = Path(sys.argv[1])
# Width, layers and heads of encoder and decoder, and the width between two products.
WIDTH, LAYERS, HEADS, INNER = (1024, 12, 16, 4096) if sys.argv[2:] == ["large"] else (768, 6, 12, 3072)
TEXT_IDS, VOCABULARY, CODES = 50265, 59480, 8 * 1024
INSTRUCTIONS = ["Make it louder.", "Say it much faster than before!", "Lower the pitch, please.", "Add an echo", "slower"]
torch.manual_seed(0)


def random_codes(frames, books=8):
    return torch.randint(0, 1024, (books, frames)).tolist()


def make_tokenizer():
    """BART's layout: 50,265 text ids with <mask> last, then v_tok_0, v_tok_1, ..."""
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(INSTRUCTIONS * 3, vocab_size=330, min_frequency=1, special_tokens=["<s>", "<pad>", "</s>", "<unk>"])
    FOLDER.mkdir(parents=True, exist_ok=True)
    bpe.save_model(str(FOLDER))
    vocabulary = json.loads((FOLDER / "vocab.json").read_text())
    while len(vocabulary) < TEXT_IDS - 1:
        vocabulary[f"filler{len(vocabulary)}"] = len(vocabulary)
    vocabulary["<mask>"] = TEXT_IDS - 1
    (FOLDER / "vocab.json").write_text(json.dumps(vocabulary))
    tokenizer = BartTokenizerFast(str(FOLDER / "vocab.json"), str(FOLDER / "merges.txt"))
    tokenizer.add_tokens([AddedToken(f"v_tok_{i}", normalized=False) for i in range(VOCABULARY - TEXT_IDS)])
    return tokenizer


def make_bart(name=None):
    config = BartConfig(vocab_size=VOCABULARY, d_model=WIDTH, encoder_layers=LAYERS, decoder_layers=LAYERS, encoder_attention_heads=HEADS,
                        decoder_attention_heads=HEADS, encoder_ffn_dim=INNER, decoder_ffn_dim=INNER, max_position_embeddings=1024,
                        forced_bos_token_id=0, init_std=0.04)
    model = BartForConditionalGeneration(config).eval()
    if name:
        model.config.architectures = [name]
    return model


def forward(model, tokenizer):
    prompts = []
    for i, instruction in enumerate(INSTRUCTIONS):
        codes = [tokenizer.convert_tokens_to_ids(f"v_tok_{code}") for code in random_codes(20 + 25 * i, 1)[0]]
        prompts.append([0] + tokenizer(instruction)["input_ids"][1:-1] + [2] + codes + [2])
    longest = max(map(len, prompts))
    ids = torch.tensor([p + [1] * (longest - len(p)) for p in prompts])
    mask = (ids != 1).long()
    labels = torch.randint(TEXT_IDS, TEXT_IDS + 1024, (len(prompts), 12))
    decoder_ids = torch.cat([torch.full((len(prompts), 1), 2), labels[:, :-1]], 1)
    with torch.no_grad():
        out = model(input_ids=ids, attention_mask=mask, decoder_input_ids=decoder_ids)
        logps = out.logits.log_softmax(-1).gather(2, labels[..., None])[..., 0]
        # No token is forced: every one is the likeliest.
        options = dict(max_new_tokens=24, num_beams=1, do_sample=False, forced_bos_token_id=None, forced_eos_token_id=None)
        greedy = [model.generate(torch.tensor([p]), **options)[0].tolist() for p in prompts]
    return dict(forward=dict(
        input_ids=ids.tolist(), attention_mask=mask.tolist(), labels=labels.tolist(), decoder_input_ids=decoder_ids.tolist(),
        encoder_last_hidden_state=out.encoder_last_hidden_state.tolist(), logits=out.logits.tolist(),
        per_token_logps=logps.tolist(), sum_logps=logps.sum(1).tolist(), greedy_max_new_24=greedy, sampling_warpers=[],
        text_ids=[tokenizer(instruction)["input_ids"][1:-1] for instruction in INSTRUCTIONS], instructions=INSTRUCTIONS))


def codec():
    model = EncodecModel(EncodecConfig()).eval()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            # Random convolutions shrink what goes through them.
            if key.endswith("weight_g"):
                parameter *= 1.6
        samples = torch.round(torch.randn(1, 1, 80_123) * 1000) / 10000
        features = model.encoder(samples)[0]
        for index, layer in enumerate(model.quantizer.layers):
            spread = features.std(1) * 0.8**index
            layer.codebook.embed.copy_(torch.randn_like(layer.codebook.embed) * spread)
            if index == 0:
                layer.codebook.embed += features.mean(1)
        model.save_pretrained(FOLDER / "tiny_encodec")
        codes = model.encode(samples, bandwidth=6.0).audio_codes
        other = torch.tensor([[random_codes(300)]])
        decode = lambda c: model.decode(c, [None]).audio_values[0, 0].tolist()
        return dict(bandwidth_kbps=6.0, input=samples[0, 0].tolist(), codes=codes[0, 0].tolist(), decoded=decode(codes),
                    random_codes=other[0, 0].tolist(), random_decoded=decode(other))


def save(name, content):
    (FOLDER / name).write_text(json.dumps(content))


tokenizer = make_tokenizer()
bart = make_bart()
bart.save_pretrained(FOLDER / "tiny_bart")
tokenizer.save_pretrained(FOLDER / "tiny_bart")
bart.save_pretrained(FOLDER / "bart_bin", safe_serialization=False, max_shard_size="300MB")
tokenizer.save_vocabulary(str(FOLDER / "bart_bin"))
(FOLDER / "bart_bin" / "added_tokens.json").write_text(json.dumps(tokenizer.get_added_vocab()))
save("forward_f32.json", forward(bart, tokenizer))
bart.final_logits_bias[0, bart.config.eos_token_id] = 3
bart.save_pretrained(FOLDER / "policy")
tokenizer.save_pretrained(FOLDER / "policy")
del bart
nar = make_bart("NARBartForConditionalGeneration")
nar.save_pretrained(FOLDER / "nar")
config = json.loads((FOLDER / "nar" / "config.json").read_text())
config["architectures"] = ["NARBartForConditionalGeneration"]
(FOLDER / "nar" / "config.json").write_text(json.dumps(config))
tokenizer.save_pretrained(FOLDER / "nar")
del nar
save("encodec.json", codec())
items = [dict(instruction=INSTRUCTIONS[i % 5], src_encodec=random_codes(200 + 20 * i), tgt_encodec=random_codes(150)) for i in range(8)]
(FOLDER / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
