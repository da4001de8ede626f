#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the vocabularies and vectors of this folder from text.txt, which we wrote for it.

  apt install sentencepiece                     # spm_train, spm_encode: 0.1.97, the reference
  pip install sentencepiece==0.2.3 tokenizers   # for texts of several lines, and for vocab.txt
  python3 generate.py

The layout is that of PENSTOCK_TEST_DATA (vocab/MANIFEST.tsv, vocab/NAME/FILE, vectors/NAME.jsonl); the golden
runner reads it. Ids are those of the reference implementations. They may change only if those were wrong: a
change here is a major change of the library. Texts on which 0.1.97 and 0.2.3 differ (equally good unigram
paths) are left out.
"""
import json
import os
import random
import shutil
import struct
import subprocess
import tempfile

import sentencepiece
import tokenizers

HERE = os.path.dirname(os.path.abspath(__file__))
RULES = [("FF21", "41"), ("FF22", "42"), ("FB01", "66 69"), ("BD", "31 2F 32"), ("A0", "20"), ("9", "20"),
         ("A", "20"), ("200B", ""), ("65 301", "E9"), ("2161", "49 49")]
DENORMAL_RULES = [("E9", "65 301"), ("31 2F 32", "BD"), ("66 69", "FB01"), ("2047", "3F")]
MODELS = {
    "sp_bpe": ["--model_type=bpe", "--vocab_size=700", "--character_coverage=0.98", "--byte_fallback=true",
               "--normalization_rule_name=identity", "--remove_extra_whitespaces=false",
               "--allow_whitespace_only_pieces=true", "--user_defined_symbols=<|tool|>,▁▁▁▁",
               "--control_symbols=<|user|>,<|end|>"],
    "sp_bpe_no_prefix": ["--model_type=bpe", "--vocab_size=500", "--character_coverage=1.0",
                         "--normalization_rule_name=identity", "--remove_extra_whitespaces=false",
                         "--add_dummy_prefix=false", "--split_digits=true"],
    "sp_unigram": ["--model_type=unigram", "--vocab_size=600", "--character_coverage=0.98",
                   "--normalization_rule_tsv=RULES", "--user_defined_symbols=<|tool|>",
                   "--control_symbols=<|user|>"],
    "sp_suffix": ["--model_type=unigram", "--vocab_size=500", "--character_coverage=0.98",
                  "--normalization_rule_name=identity", "--treat_whitespace_as_suffix=true"],
    "sp_denormalized": ["--model_type=bpe", "--vocab_size=500", "--character_coverage=0.98", "--normalization_rule_tsv=RULES",
                        "--denormalization_rule_tsv=DENORMAL"],
    "sp_word": ["--model_type=word", "--vocab_size=150", "--normalization_rule_name=identity"],
    "sp_char": ["--model_type=char", "--vocab_size=700", "--character_coverage=0.98",
                "--normalization_rule_name=identity", "--add_dummy_prefix=false", "--byte_fallback=true"],
}


def texts():
    lines = open(os.path.join(HERE, "text.txt"), encoding="utf8").read().split("\n")[:-1]
    out = list(lines)
    out += ["", " ", "  ", "\t", "a", " a", "a ", "  two  spaces  ", "x" * 60, "=" * 40, " " * 30 + "end", "ab" * 40,
            "▁", "▁▁▁▁▁", "a▁b", "ﬁne ＡＢ ½ Ⅱ e\u0301", "\u200b", "\u200b \u200b", "🙂🚀👩‍💻", "ẞ ſ ŉ ǆ",
            "<s></s><unk><pad>", "<|user|>hi<|end|>", "<|tool|>x", "a<|tool|>b <|tool|> c", "<0x0A>", "\u0000 nul",
            "line\nline\r\n\nline", "    return 1\n        pass"]
    rng = random.Random(7)
    words = " ".join(lines).split(" ")
    for _ in range(80):
        out.append("".join(rng.choice(words) + rng.choice([" ", " ", "", "  ", "\u00a0"]) for _ in range(rng.randint(1, 9))))
    for _ in range(40):
        out.append("".join(chr(rng.choice([rng.randint(32, 126), rng.randint(0xA0, 0x24F), rng.randint(0x4E00, 0x9FFF),
                                           rng.randint(0x1F600, 0x1F640)])) for _ in range(rng.randint(1, 12))))
    return list(dict.fromkeys(out))


def sentencepiece_vectors(path):
    sp = sentencepiece.SentencePieceProcessor(model_file=path)
    out = []
    for text in texts():
        ids = sp.encode(text)
        if "\n" not in text and "\r" not in text and "\0" not in text and text:
            run = subprocess.run(["spm_encode", "--model=" + path, "--output_format=id"], input=(text + "\n").encode(),
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
            if [int(i) for i in run.stdout.split()] != ids:
                continue
        out.append((text, ids, sp.decode(ids)))
    return out


def write_vectors(name, file, vectors, special, add_special=False):
    with open(f"{HERE}/vectors/{name}.jsonl", "w", encoding="utf8") as f:
        for text, ids, decoded in vectors:
            v = {"text": text, "ids": ids, "add_special": add_special, "special": special, "file": file,
                 "class": "reference"}
            if decoded != text:
                v["decoded"] = decoded
            f.write(json.dumps(v, ensure_ascii=False) + "\n")


def gguf(path, pairs):
    def string(s):
        b = s.encode()
        return struct.pack("<Q", len(b)) + b

    def value(v):
        if isinstance(v, bool):
            return struct.pack("<I?", 7, v)
        if isinstance(v, int):
            return struct.pack("<II", 4, v)
        if isinstance(v, str):
            return struct.pack("<I", 8) + string(v)
        if isinstance(v, bytes):  # an array of uint8
            return struct.pack("<IIQ", 9, 0, len(v)) + v
        kind, pack = {str: (8, string), float: (6, lambda x: struct.pack("<f", x)),
                      int: (5, lambda x: struct.pack("<i", x))}[type(v[0])]
        return struct.pack("<IIQ", 9, kind, len(v)) + b"".join(pack(x) for x in v)

    with open(path, "wb") as f:
        f.write(b"GGUF" + struct.pack("<IQQ", 3, 0, len(pairs)))
        for key, v in pairs:
            f.write(string(key) + value(v))


def precompiled_charsmap(model):
    """ModelProto.normalizer_spec (3) .precompiled_charsmap (2), the bytes of it."""
    def field(message, wanted):
        at = 0

        def varint():
            nonlocal at
            value = shift = 0
            while True:
                value |= (message[at] & 127) << shift
                at, shift = at + 1, shift + 7
                if message[at - 1] < 128:
                    return value
        while at < len(message):
            key = varint()
            size = {0: 0, 1: 8, 5: 4}.get(key & 7)
            if key & 7 == 0:
                varint()
            if size is None:
                size = varint()
            if key == wanted << 3 | 2:
                return message[at:at + size]
            at += size
        return b""
    with open(model, "rb") as f:
        return field(field(f.read(), 3), 2)


def gguf_of_unigram(model, path):
    """A unigram .model as the GGUF file of a T5: its ids are those of the .model."""
    sp = sentencepiece.SentencePieceProcessor(model_file=model)
    pieces = [sp.id_to_piece(i) for i in range(sp.get_piece_size())]
    kinds = [2 if sp.is_unknown(i) else 3 if sp.is_control(i) else 4 if p == "<|tool|>" else 1 for i, p in enumerate(pieces)]
    gguf(path, [("general.architecture", "t5"), ("tokenizer.ggml.model", "t5"), ("tokenizer.ggml.tokens", pieces),
                ("tokenizer.ggml.scores", [float(sp.get_score(i)) for i in range(len(pieces))]),
                ("tokenizer.ggml.token_type", kinds), ("tokenizer.ggml.unknown_token_id", sp.unk_id()),
                ("tokenizer.ggml.bos_token_id", sp.bos_id()), ("tokenizer.ggml.eos_token_id", sp.eos_id()),
                ("tokenizer.ggml.padding_token_id", 0), ("tokenizer.ggml.precompiled_charsmap", precompiled_charsmap(model))])


def gguf_of_sentencepiece(model, path):
    """The same vocabulary as a GGUF file: its ids are those of the .model."""
    sp = sentencepiece.SentencePieceProcessor(model_file=model)
    n = sp.get_piece_size()
    kinds = [2 if sp.is_unknown(i) else 3 if sp.is_control(i) else 6 if sp.is_byte(i) else 1 for i in range(n)]
    for i in range(n):
        if sp.id_to_piece(i) in ("<|tool|>", "▁▁▁▁"):
            kinds[i] = 4
    gguf(path, [("general.architecture", "llama"), ("tokenizer.ggml.model", "llama"),
                ("tokenizer.ggml.pre", "default"),
                ("tokenizer.ggml.tokens", [sp.id_to_piece(i) for i in range(n)]),
                ("tokenizer.ggml.scores", [float(sp.get_score(i)) for i in range(n)]),
                ("tokenizer.ggml.token_type", kinds), ("tokenizer.ggml.add_bos_token", False)])


def bert(folder):
    from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers
    t = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece(prefix="##", cleanup=True)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    t.train([f"{HERE}/text.txt"], trainers.WordPieceTrainer(vocab_size=500, special_tokens=special, show_progress=False))
    vocab = sorted(t.get_vocab().items(), key=lambda kv: kv[1])
    with open(f"{folder}/vocab.txt", "w", encoding="utf8") as f:
        f.write("".join(token + "\n" for token, _ in vocab))
    t.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    vectors = []
    for text in texts() + ["[MASK] and [SEP]"]:
        ids = t.encode(text).ids
        vectors.append((text, ids, t.decode(ids, skip_special_tokens=False)))
    gguf(f"{folder}/vocab.gguf",
         [("general.architecture", "bert"), ("tokenizer.ggml.model", "bert"),
          ("tokenizer.ggml.tokens", [token if token in special else token[2:] if token.startswith("##") else "▁" + token
                                     for token, _ in vocab]),
          ("tokenizer.ggml.token_type", [3 if token in special else 1 for token, _ in vocab]),
          ("tokenizer.ggml.unknown_token_id", 1), ("tokenizer.ggml.cls_token_id", 2),
          ("tokenizer.ggml.seperator_token_id", 3), ("tokenizer.ggml.mask_token_id", 4)])
    return vectors


def main():
    shutil.rmtree(f"{HERE}/vocab", ignore_errors=True)
    shutil.rmtree(f"{HERE}/vectors", ignore_errors=True)
    os.makedirs(f"{HERE}/vectors")
    manifest = []
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules, tempfile.NamedTemporaryFile("w", suffix=".tsv") as denormal:
        for file, table in ((rules, RULES), (denormal, DENORMAL_RULES)):
            file.write("".join(f"{a}\t{b}\n" for a, b in table))
            file.flush()
        for name, args in MODELS.items():
            folder = f"{HERE}/vocab/{name}"
            os.makedirs(folder)
            subprocess.run(["spm_train", f"--input={HERE}/text.txt", f"--model_prefix={folder}/tokenizer",
                            "--hard_vocab_limit=false", "--num_threads=1", "--input_format=text"] +
                           [a.replace("DENORMAL", denormal.name).replace("=RULES", "=" + rules.name) for a in args], check=True, stderr=subprocess.DEVNULL)
            os.remove(f"{folder}/tokenizer.vocab")
            vectors = sentencepiece_vectors(f"{folder}/tokenizer.model")
            write_vectors(name, "tokenizer.model", vectors, "literal")
            manifest.append((name, "spm", f"{name}/tokenizer.model"))
            if name == "sp_bpe":
                os.makedirs(f"{HERE}/vocab/gguf_llama")
                gguf_of_sentencepiece(f"{folder}/tokenizer.model", f"{HERE}/vocab/gguf_llama/vocab.gguf")
                write_vectors("gguf_llama", "vocab.gguf", vectors, "literal")
                manifest.append(("gguf_llama", "gguf", "gguf_llama/vocab.gguf"))
            if name == "sp_unigram":
                os.makedirs(f"{HERE}/vocab/gguf_t5")
                gguf_of_unigram(f"{folder}/tokenizer.model", f"{HERE}/vocab/gguf_t5/vocab.gguf")
                write_vectors("gguf_t5", "vocab.gguf", vectors, "literal")
                manifest.append(("gguf_t5", "gguf", "gguf_t5/vocab.gguf"))
    os.makedirs(f"{HERE}/vocab/bert")
    vectors = bert(f"{HERE}/vocab/bert")
    write_vectors("bert", "vocab.txt", vectors, "parse", add_special=True)
    manifest.append(("bert", "wordpiece-vocab", "bert/vocab.txt"))
    os.makedirs(f"{HERE}/vocab/gguf_bert")
    os.rename(f"{HERE}/vocab/bert/vocab.gguf", f"{HERE}/vocab/gguf_bert/vocab.gguf")
    write_vectors("gguf_bert", "vocab.gguf", vectors, "parse", add_special=True)
    manifest.append(("gguf_bert", "gguf", "gguf_bert/vocab.gguf"))
    with open(f"{HERE}/vocab/MANIFEST.tsv", "w", encoding="utf8") as f:
        f.write("name\tformat\tfile\tencoding\n" + "".join("\t".join(row) + "\t\n" for row in manifest))


if __name__ == "__main__":
    main()
