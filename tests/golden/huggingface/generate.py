#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the goldens of this folder: small tokenizer.json files of every kind, trained here on TEXT below, and
the ids, offsets and decoded texts that Hugging Face tokenizers gives for them.

  pip install tokenizers==0.23.3 && python3 generate.py        (writes vocab/ and vectors/ beside itself)

The text is ours, under the project's licence. Ids are API: a golden may change only when the reference was
wrong and says so, or when a kind is added.
"""
import base64
import json
import os
import random
import struct

from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors,
                        trainers)

HERE = os.path.dirname(os.path.abspath(__file__))
TEXT = """The penstock carries the water down the hill to the turbine. A gate above it opens and closes: when the
demand rises the gate opens, when it falls the gate closes, and nobody in the valley notices. Water that has
passed once need not be lifted again; what was computed once need not be computed again.
In the year 2024 there were 1234 gates, 56 turbines and 7 engineers. They wrote: "it's done, isn't it?"
for (int i = 0; i < n; ++i) { sum += a[i]; }   // the sum of all
    if (sum > limit) {
        return false;
    }
水从山上流下来,经过压力管道进入水轮机。闸门打开,闸门关闭,山谷里的人什么也没有注意到。
Das Wasser fließt den Hügel hinab; größer, schöner, über allem die Äpfel. L'eau coule, très élevée, à côté.
Вода течёт вниз по склону к турбине. Το νερό κατεβαίνει. पानी नीचे बहता है। 물이 흐른다. 水が流れる。
""" * 3
SAMPLES = [
    "", " ", "  ", "a", "The gate opens.", "the water, the hill; the turbine!", "It's done, isn't it? WE'LL SEE",
    "    if (sum > limit) {\n        return false;\n    }\n", "1234567 and 3.14", "水从山上流下来", "闸门 gate 水",
    "größer Äpfel élevée", "e\u0301le\u0301ve\u0301e A\u030a", "ﬁle Ⅳ ½ ²", "Вода течёт", "Το νερό", "पानी नीचे", "물이 흐른다", "水が流れる",
    "👩‍👩‍👧‍👦 👍🏽", "\t\r\n\u00a0\u3000\u200b", "<s>", "</s> <mask> a", "a<mask>b  <mask>  c", "[CLS] [SEP] [UNK]", "xyzzy" * 8,
    "....", "aaaaaaaaaaaaaaaa", "\ufeffx", "\u0000\u0001\u007f", "foo_bar __init__", "ⅷ İ ſ ŉ ǅ", "\u2581a \u2581", "<0x0A>", "##ing ing",
    "a\n\nb\n \n c", "Wasser" * 30,
]


def added():
    return [AddedToken("<s>", special=True, normalized=False), AddedToken("</s>", special=True, normalized=False),
            AddedToken("<mask>", special=True, normalized=False, lstrip=True), AddedToken("    ", normalized=False)]


def train(tokenizer, trainer):
    tokenizer.train_from_iterator(TEXT.split("\n"), trainer)
    tokenizer.add_tokens(added())
    return tokenizer


def template(tokenizer):
    ids = [("<s>", tokenizer.token_to_id("<s>")), ("</s>", tokenizer.token_to_id("</s>"))]
    return processors.TemplateProcessing(single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1", special_tokens=ids)


def byte_level():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    train(t, trainers.BpeTrainer(vocab_size=420, show_progress=False,
                                 initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    t.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=True), template(t)])
    return t


def byte_level_split():
    t = Tokenizer(models.BPE(ignore_merges=True))
    t.normalizer = normalizers.NFC()
    pattern = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
               r"|\s*[\r\n]+|\s+(?!\S)|\s+")
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                               pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    return train(t, trainers.BpeTrainer(vocab_size=420, show_progress=False,
                                        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))


def byte_fallback():
    t = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                   decoders.Strip(" ", 1, 0)])
    special = ["<unk>"] + ["<0x%02X>" % b for b in range(256)]
    train(t, trainers.BpeTrainer(vocab_size=600, show_progress=False, special_tokens=special))
    j = json.loads(t.to_str())  # byte tokens are pieces of the model, not added tokens
    j["added_tokens"] = [a for a in j["added_tokens"] if not a["content"].startswith("<0x")]
    t = Tokenizer.from_str(json.dumps(j))
    t.post_processor = template(t)
    return t


def unigram():
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    t.decoder = decoders.Metaspace(prepend_scheme="first")
    train(t, trainers.UnigramTrainer(vocab_size=300, show_progress=False, unk_token="<unk>", special_tokens=["<unk>"]))
    t.post_processor = template(t)
    return t


def wordpiece():
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    train(t, trainers.WordPieceTrainer(vocab_size=400, show_progress=False, special_tokens=special))
    t.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return t


def wordlevel():
    t = Tokenizer(models.WordLevel(unk_token="<unk>"))
    t.normalizer = normalizers.Sequence([normalizers.Strip(), normalizers.NFD(), normalizers.StripAccents(),
                                         normalizers.Lowercase()])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Digits(True),
                                               pre_tokenizers.UnicodeScripts()])
    return train(t, trainers.WordLevelTrainer(vocab_size=300, show_progress=False, special_tokens=["<unk>"]))


def suffix_bpe():
    t = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("isolated"),
                                               pre_tokenizers.CharDelimiterSplit("_"), pre_tokenizers.FixedLength(12)])
    t.decoder = decoders.BPEDecoder()
    return train(t, trainers.BpeTrainer(vocab_size=400, show_progress=False, special_tokens=["<unk>"],
                                        end_of_word_suffix="</w>"))


def prefix_space():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Punctuation("contiguous"),
                                               pre_tokenizers.ByteLevel(add_prefix_space=True),
                                               pre_tokenizers.Digits(False),
                                               pre_tokenizers.Split(Regex("[0-9][0-9]"), "merged_with_previous")])
    t.decoder = decoders.ByteLevel()
    train(t, trainers.BpeTrainer(vocab_size=400, show_progress=False,
                                 initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    t.post_processor = processors.RobertaProcessing(("</s>", t.token_to_id("</s>")), ("<s>", t.token_to_id("<s>")))
    return t


def write(kind, tokenizer, rows):
    folder = os.path.join(HERE, "vocab", kind)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "tokenizer.json"), "w", encoding="utf-8") as f:
        f.write(tokenizer.to_str(pretty=False) + "\n")
    rng = random.Random(7)
    texts = SAMPLES + ["".join(rng.choice(SAMPLES) + rng.choice(["", " ", "\n"]) for _ in range(3)) for _ in range(40)]
    with open(os.path.join(HERE, "vectors", kind + ".jsonl"), "w", encoding="utf-8") as f:
        for i, text in enumerate(texts):
            special = i % 2 == 1
            e = tokenizer.encode(text, add_special_tokens=special)
            row = {"text": text, "ids": e.ids, "add_special": special, "special": "parse", "file": "tokenizer.json",
                   "class": "reference", "offsets": e.offsets}
            decoded = tokenizer.decode(e.ids, skip_special_tokens=False)
            if decoded != text:
                row["decoded"] = decoded
            f.write(json.dumps(row, ensure_ascii=False) + "\n")
        for a, b in zip(SAMPLES[3:12], SAMPLES[10:19]):
            e = tokenizer.encode(a, b, add_special_tokens=True)
            f.write(json.dumps({"text": a, "text_pair": b, "ids": e.ids, "add_special": True, "special": "parse",
                                "file": "tokenizer.json", "class": "reference"}, ensure_ascii=False) + "\n")
    rows.append(f"{kind}\thf-json\t{kind}/tokenizer.json\t")


def write_ranks(kind, tokenizer, rows):
    """The same byte-level vocabulary as a rank file; vectors by tiktoken."""
    import tiktoken
    chars = {}
    n = 0
    for b in range(256):
        if 0x21 <= b <= 0x7E or 0xA1 <= b <= 0xAC or b >= 0xAE:
            chars[chr(b)] = b
        else:
            chars[chr(256 + n)] = b
            n += 1
    vocab = json.loads(tokenizer.to_str())["model"]["vocab"]
    order = sorted(vocab.items(), key=lambda kv: (len(kv[0]) > 1, kv[1]))
    ranks = {bytes(chars[c] for c in token): i for i, (token, _) in enumerate(order)}
    folder = os.path.join(HERE, "vocab", kind)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "ranks.tiktoken"), "wb") as f:
        for token, rank in ranks.items():
            f.write(base64.b64encode(token) + b" %d\n" % rank)
    import tiktoken_ext.openai_public as known
    with open(os.path.join(HERE, "vectors", kind + ".jsonl"), "w", encoding="utf-8") as f:
        e = tiktoken.Encoding("x", pat_str=known.r50k_pat_str, mergeable_ranks=ranks, special_tokens={})
        for text in SAMPLES:
            f.write(json.dumps({"text": text, "ids": e.encode_ordinary(text), "add_special": False, "special": "literal",
                                "file": "ranks.tiktoken", "class": "reference"}, ensure_ascii=False) + "\n")
    rows.append(f"{kind}\ttiktoken\t{kind}/ranks.tiktoken\tgpt2")


def write_merges(tokenizer, rows):
    """The same byte-level vocabulary as vocab.json with merges.txt and as a GGUF file; vectors by tokenizers."""
    model = json.loads(tokenizer.to_str())["model"]
    pieces = sorted(model["vocab"], key=model["vocab"].get)
    merges = [" ".join(m) for m in model["merges"]]
    plain = Tokenizer(models.BPE(model["vocab"], [tuple(m) for m in model["merges"]]))
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain.decoder = decoders.ByteLevel()
    for kind in ("vocab_merges", "gguf_gpt2"):
        os.makedirs(os.path.join(HERE, "vocab", kind), exist_ok=True)
    with open(os.path.join(HERE, "vocab/vocab_merges/vocab.json"), "w", encoding="utf-8") as f:
        json.dump(model["vocab"], f, ensure_ascii=False)
    with open(os.path.join(HERE, "vocab/vocab_merges/merges.txt"), "w", encoding="utf-8") as f:
        f.write("#version: 0.2\n" + "".join(m + "\n" for m in merges))

    def string(s):
        return struct.pack("<Q", len(s.encode())) + s.encode()

    def strings(values):
        return struct.pack("<IIQ", 9, 8, len(values)) + b"".join(map(string, values))
    special = ["<s>", "</s>"]
    pairs = {"tokenizer.ggml.model": struct.pack("<I", 8) + string("gpt2"), "tokenizer.ggml.pre": struct.pack("<I", 8) + string("gpt-2"),
             "tokenizer.ggml.tokens": strings(pieces + special), "tokenizer.ggml.merges": strings(merges),
             "tokenizer.ggml.token_type": struct.pack("<IIQ", 9, 5, len(pieces) + 2) + struct.pack("<%di" % (len(pieces) + 2), *[1] * len(pieces), 3, 3)}
    with open(os.path.join(HERE, "vocab/gguf_gpt2/vocab.gguf"), "wb") as f:
        f.write(b"GGUF" + struct.pack("<IQQ", 3, 0, len(pairs)) + b"".join(string(k) + v for k, v in pairs.items()))
    rng = random.Random(7)
    texts = SAMPLES + ["".join(rng.choice(SAMPLES) + rng.choice(["", " ", "\n"]) for _ in range(3)) for _ in range(40)]
    for kind, file in (("vocab_merges", "vocab.json"), ("gguf_gpt2", "vocab.gguf")):
        if kind == "gguf_gpt2":
            plain.add_special_tokens(special)
        with open(os.path.join(HERE, "vectors", kind + ".jsonl"), "w", encoding="utf-8") as f:
            for text in texts:
                e = plain.encode(text)
                f.write(json.dumps({"text": text, "ids": e.ids, "add_special": False, "special": "parse", "file": file, "class": "reference",
                                    "offsets": e.offsets}, ensure_ascii=False) + "\n")
        rows.append(f"{kind}\t{'gguf' if kind == 'gguf_gpt2' else 'vocab+merges'}\t{kind}/{file}\t")


def main():
    os.makedirs(os.path.join(HERE, "vectors"), exist_ok=True)
    rows = ["name\tformat\tfile\tencoding"]
    for make in (byte_level, byte_level_split, byte_fallback, unigram, wordpiece, wordlevel, suffix_bpe, prefix_space):
        tokenizer = make()
        write(make.__name__, tokenizer, rows)
        if make is byte_level:
            write_ranks("ranks", tokenizer, rows)
            write_merges(tokenizer, rows)
    with open(os.path.join(HERE, "vocab", "MANIFEST.tsv"), "w", encoding="utf-8") as f:
        f.write("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
