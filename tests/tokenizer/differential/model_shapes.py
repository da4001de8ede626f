#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tokenizer.json of the shapes that public models have, against Hugging Face tokenizers. Not part of the tests.

  pip install tokenizers==0.22.2 sentencepiece==0.2.3 protobuf
  python3 model_shapes.py PATH/penstock_serve_tool [-n VOCABULARIES] [-t TEXTS] [-s SEED] [-m MUTATIONS]

Normalizers, pre-tokenizers, templates, decoders and added tokens as the files of the models named in SHAPES
have them, over random small vocabularies: ids, offsets, type ids, mask, windows, decoded text, as
random_pipelines.py compares them. Then the same files with fields left out, null or of an older spelling: what
the reference loads is loaded, with the same ids. Exit status 1 if anything unexplained differs.
"""
import argparse
import collections
import copy
import json
import random
import sys

import random_pipelines as rp

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CL100K = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = CL100K.replace("{1,3}", "")
QWEN35 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|"
          r"\s*[\r\n]+|\s+(?!\S)|\s+")
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
ENDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
O200K = (rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+{ENDS}|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*{ENDS}|"
         r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
KIMI = (r"[\p{Han}]+|" + O200K.split(r"\p{N}{1,3}|")[0].replace(r"\p{M}]", r"\p{M}&&[^\p{Han}]]")
        + r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK3 = (r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|"
             r" ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
EXAONE = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}|"
          r" ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+")
CLIP = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def seq(key, *parts):
    return {"type": "Sequence", key: list(parts)}


def split(pattern, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": pattern if isinstance(pattern, dict) else {"Regex": pattern}, "behavior": behavior, "invert": invert}


def replace(pattern, content):
    return {"type": "Replace", "pattern": pattern if isinstance(pattern, dict) else {"String": pattern}, "content": content}


def byte_level(prefix=False, trim=True, regex=False):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": trim, "use_regex": regex}


def metaspace(scheme="always", is_split=True):
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": is_split}


def template(before, after, pair_type=1, pair_middle=()):
    """before and after: names of tokens; pair_middle between the texts besides `after`."""
    def special(name, kind):
        return {"SpecialToken": {"id": name, "type_id": kind}}

    def text(which, kind):
        return {"Sequence": {"id": which, "type_id": kind}}
    single = [special(n, 0) for n in before] + [text("A", 0)] + [special(n, 0) for n in after]
    pair = single + [special(n, pair_type) for n in pair_middle] + [text("B", pair_type)] + [special(n, pair_type) for n in after]
    return {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": sorted(set(before) | set(after) | set(pair_middle))}


BYTES = byte_level(True, True, True)
SP_DECODER = seq("decoders", replace("▁", " "), {"type": "ByteFallback"}, {"type": "Fuse"})
LLAMA_DECODER = seq("decoders", replace("▁", " "), {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0})
CHARSMAP = {"type": "Precompiled"}
SPACES = replace({"Regex": " {2,}"}, " ")
BERT = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}
THREES = r"\d{1,3}(?=(?:\d{3})*\b)"


def tokens(*contents, **flags):
    return [dict(content=c, special=flags.get("special", True), **{f: flags.get(f, False) for f in ("lstrip", "rstrip", "single_word", "normalized")})
            for c in contents]


def bytes_model(regex, post=None, normalizer=None, added=("<|endoftext|>", "<|im_start|>", "<think>"), **options):
    return dict(kind="bytes", normalizer=normalizer, pre=seq("pretokenizers", *[split(r) if isinstance(r, str) else r for r in regex], byte_level()),
                post=post or byte_level(True, False, True), decoder=BYTES, added=tokens(*added), **options)


def gemma(post):
    return dict(kind="text", normalizer=replace(" ", "▁"), pre=split({"String": " "}, "MergedWithPrevious"), post=post, decoder=SP_DECODER,
                added=tokens("<bos>", "<eos>", "<start_of_turn>") + tokens("\n", "\n\n", "\n\n\n", "▁▁", "▁▁▁", "<b>", special=False))


def unigram(normalizer, post, pre=None, added=None):
    return dict(kind="unigram", normalizer=normalizer, pre=pre or seq("pretokenizers", {"type": "WhitespaceSplit"}, metaspace()), post=post,
                decoder=metaspace(), added=added or tokens("<s>", "</s>", "<pad>") + tokens("<mask>", lstrip=True))


SHAPES = {
    "gemma-3": gemma(template(["<bos>"], [])),
    "embedding-gemma": gemma(template(["<bos>"], ["<eos>"])),
    "qwen-3": bytes_model([QWEN2], normalizer={"type": "NFC"}),
    "qwen-3.5": bytes_model([QWEN35], normalizer={"type": "NFC"}),
    "llama-3": bytes_model([CL100K], post=seq("processors", byte_level(True, False, True), template(["<|endoftext|>"], [])), ignore_merges=True),
    "deepseek-v3": bytes_model([r"\p{N}{1,3}", r"[一-龥぀-ゟ゠-ヿ]+", DEEPSEEK3], post=byte_level(True, False, True), normalizer=seq("normalizers"),
                               added=("<｜begin▁of▁sentence｜>", "<｜User｜>")),
    "kimi-k2": bytes_model([KIMI], ignore_merges=True),
    "glm-4": bytes_model([CL100K], post=template(["[gMASK]", "<sop>"], []), added=("[gMASK]", "<sop>", "<|user|>")),
    "command-r": dict(kind="bytes", normalizer={"type": "NFC"}, pre=seq("pretokenizers", {"type": "Digits", "individual_digits": True}, byte_level(False, True, True)),
                      post=template(["<BOS>"], []), decoder=BYTES, added=tokens("<BOS>", "<EOS>")),
    "command-a": bytes_model([THREES, O200K], post=template(["<BOS>"], []), normalizer={"type": "NFC"}, added=("<BOS>",)),
    "modern-bert": dict(kind="bytes", normalizer={"type": "NFC"}, pre=byte_level(False, True, True), post=template(["[CLS]"], ["[SEP]"]), decoder=BYTES,
                        added=tokens("[CLS]", "[SEP]") + tokens("[MASK]", lstrip=True) + tokens("  ", "   ", "|||EMAIL|||", special=False, normalized=True)),
    "gpt-oss": bytes_model([O200K], added=("<|start|>", "<|message|>", "<|return|>")),
    "minimax": bytes_model([O200K], normalizer=None, added=("<beginning_of_sentence>", "]<]speech[>["), ignore_merges=True),
    "phi-4": dict(bytes_model([CL100K]), added=tokens("<|im_start|>", "<|im_end|>", lstrip=True, rstrip=True) + tokens("<|fim|>", rstrip=True)),
    "olmo-2": bytes_model([CL100K]),
    "starcoder-2": dict(kind="bytes", normalizer=None, pre=seq("pretokenizers", {"type": "Digits", "individual_digits": True}, byte_level(False, True, True)),
                        post=byte_level(True, True, True), decoder=BYTES, added=tokens("<|endoftext|>", "<fim_prefix>")),
    "bloom": dict(kind="bytes", normalizer=None, pre=seq("pretokenizers", split(r" ?[^(\s|[.,!?…。，、।۔،])]+"), byte_level()),
                  post=byte_level(True, False, False), decoder=BYTES, added=tokens("<s>", "</s>")),
    "falcon-3": bytes_model([CL100K], ignore_merges=True),
    "exaone-moe": bytes_model([EXAONE], normalizer={"type": "NFC"}),
    "superbpe": bytes_model([split(r"\p{N}+"), split(r"(?=(\d{3})+(?!\d))")]),
    "smollm": dict(kind="bytes", normalizer=None, pre=seq("pretokenizers", {"type": "Digits", "individual_digits": True}, byte_level(False, True, True)),
                   post=None, decoder=BYTES, added=tokens("<|im_start|>")),
    "whisper": dict(kind="bytes", normalizer=None, pre=byte_level(False, True, True), post=template(["<|sot|>", "<|no|>"], ["<|endoftext|>"]), decoder=BYTES,
                    added=tokens("<|sot|>", "<|no|>", "<|endoftext|>") + tokens("<|0.00|>", "<|0.02|>", special=False)),
    "clip": dict(kind="bytes", suffix="</w>", normalizer=seq("normalizers", {"type": "NFC"}, replace({"Regex": r"\s+"}, " "), {"type": "Lowercase"}),
                 pre=seq("pretokenizers", split(CLIP, "Removed", True), byte_level(False, True, True)),
                 post={"type": "RobertaProcessing", "sep": ["<|e|>", 0], "cls": ["<|s|>", 1], "trim_offsets": False, "add_prefix_space": False},
                 decoder=BYTES, added=tokens("<|s|>", normalized=True) + tokens("<|e|>")),
    "roberta": dict(kind="bytes", normalizer=None, pre=byte_level(False, True, True), decoder=BYTES, added=tokens("<s>", "</s>", normalized=True) + tokens("<mask>", lstrip=True),
                    post={"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0], "trim_offsets": True, "add_prefix_space": False}),
    "llama-2": dict(kind="text", normalizer=seq("normalizers", {"type": "Prepend", "prepend": "▁"}, replace(" ", "▁")), pre=None,
                    post=template(["<s>"], [], pair_middle=["<s>"]), decoder=LLAMA_DECODER, added=tokens("<s>", "</s>") + tokens("<|assistant|>", rstrip=True)),
    "mistral": dict(kind="text", normalizer=None, pre=metaspace("first", False), post=template(["<s>"], [], pair_middle=["<s>"]), decoder=LLAMA_DECODER,
                    added=tokens("<s>", "</s>", "[INST]")),
    "nllb": dict(kind="text", normalizer=seq("normalizers", CHARSMAP, SPACES), pre=metaspace(), post=template(["eng_Latn"], ["</s>"]), decoder=metaspace(),
                 added=tokens("<s>", "</s>", "eng_Latn", "fra_Latn") + tokens("<mask>", lstrip=True, normalized=True)),
    "xlm-r": unigram(CHARSMAP, template(["<s>"], ["</s>"], 0, ["</s>"])),
    "bge-m3": unigram(seq("normalizers", CHARSMAP, SPACES), template(["<s>"], ["</s>"], 0, ["</s>"]), pre=metaspace()),
    "t5": unigram(CHARSMAP, template([], ["</s>"], 0), added=tokens("</s>", "<extra_id_1>", "<extra_id_10>")),
    "mt5": unigram(seq("normalizers", CHARSMAP, SPACES), template([], ["</s>"], 0), pre=metaspace("always")),
    "camembert": unigram(seq("normalizers", replace("\n", " "), CHARSMAP, SPACES), template(["<s>"], ["</s>"], 0, ["</s>"]),
                         added=tokens("<s>NOTUSED", "</s>NOTUSED", special=False) + tokens("<s>", "</s>") + tokens("<mask>", lstrip=True)),
    "deberta-v3": unigram(seq("normalizers", {"type": "Strip", "strip_left": True, "strip_right": True}, CHARSMAP, SPACES), template(["[CLS]"], ["[SEP]"]),
                          pre=metaspace(), added=tokens("[CLS]", "[SEP]") + tokens("[UNK]", normalized=True) + tokens("[MASK]")),
    "albert": unigram(seq("normalizers", replace("``", "\""), replace("''", "\""), {"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"}, CHARSMAP,
                          SPACES), template(["[CLS]"], ["[SEP]"]), added=tokens("[CLS]", "[SEP]") + tokens("[MASK]", lstrip=True)),
    "bert": dict(kind="words", normalizer=BERT, pre={"type": "BertPreTokenizer"}, post=template(["[CLS]"], ["[SEP]"]),
                 decoder={"type": "WordPiece", "prefix": "##", "cleanup": True}, added=tokens("[CLS]", "[SEP]", "[MASK]")),
    "bert-cased": dict(kind="words", normalizer={**BERT, "lowercase": False}, pre={"type": "BertPreTokenizer"}, decoder={"type": "WordPiece", "prefix": "##", "cleanup": True},
                       post={"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}, added=tokens("[CLS]", "[SEP]", "[MASK]")),
    "mpnet": dict(kind="words", normalizer=BERT, pre={"type": "BertPreTokenizer"}, post=template(["<s>"], ["</s>"], 0, ["</s>"]),
                  decoder={"type": "WordPiece", "prefix": "##", "cleanup": True}, added=tokens("<s>", "</s>") + tokens("<mask>", lstrip=True)),
    "wav2vec2": dict(kind="level", normalizer=replace(" ", "|"), pre=split({"Regex": ""}, "Isolated"), post=None,
                     decoder={"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": True}, added=tokens("<pad>", "<s>")),
}


def file_of(shape, draw):
    kind = shape["kind"]
    if kind in ("bytes", "text"):
        model = draw.bpe(kind == "bytes")
        while model["continuing_subword_prefix"] or (model["end_of_word_suffix"] or "") != shape.get("suffix", ""):
            model = draw.bpe(kind == "bytes")
        model.update(unk_token=None if kind == "bytes" else model["unk_token"], byte_fallback=kind == "text", fuse_unk=kind == "text",
                     ignore_merges=shape.get("ignore_merges", False))
        if kind == "bytes":
            for c in rp.BYTE_CHARS.values():
                for s in [c] + ([c + shape["suffix"]] if "suffix" in shape else []):
                    model["vocab"].setdefault(s, len(model["vocab"]))
        else:
            for b in range(256):
                model["vocab"].setdefault("<0x%02X>" % b, len(model["vocab"]))
    elif kind == "words":
        model = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": draw.words(False, "##")}
    elif kind == "level":
        model = {"type": "WordLevel", "vocab": draw.words(False, ""), "unk_token": "<unk>"}
    else:
        model = draw.model(False)
        while model["type"] != "Unigram" or model["unk_id"] != 0:
            model = draw.model(False)
        model["byte_fallback"] = False
    known = {t: i for i, (t, _) in enumerate(model["vocab"])} if kind == "unigram" else model["vocab"]
    added, following = [], len(model["vocab"])
    for a in shape["added"]:
        token_id = known.get(a["content"])
        if token_id is None:
            token_id, following = following, following + 1
        added.append({"id": token_id, **a})
    ids = {a["content"]: a["id"] for a in added}
    post = copy.deepcopy(shape["post"])

    def fill(node):
        if isinstance(node, list):
            for n in node:
                fill(n)
        elif isinstance(node, dict):
            if isinstance(node.get("special_tokens"), list):
                node["special_tokens"] = {n: {"id": n, "ids": [ids[n]], "tokens": [n]} for n in node["special_tokens"]}
            for key in ("sep", "cls"):
                if key in node:
                    node[key][1] = ids[node[key][0]]
            if node.get("type") == "Precompiled":
                node["precompiled_charsmap"] = rp.CHARSMAPS[draw.r.randrange(len(rp.CHARSMAPS))]
            for n in node.values():
                fill(n)
    normalizer = copy.deepcopy(shape["normalizer"])
    fill(post)
    fill(normalizer)
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": sorted(added, key=lambda a: a["id"]), "normalizer": normalizer,
            "pre_tokenizer": shape["pre"], "post_processor": post, "decoder": shape["decoder"], "model": model}


def mutate(data, rng):
    """A field somewhere is left out, null, or spelled as older versions did."""
    data = copy.deepcopy(data)
    places = []

    def walk(node, path):
        if isinstance(node, dict):
            for key in node:
                if path[-1:] != ("vocab",) and key not in ("precompiled_charsmap",):
                    places.append((node, key, path + (key,)))
                    walk(node[key], path + (key,))
        elif isinstance(node, list) and path[-1:] not in (("vocab",), ("merges",)):
            for i, n in enumerate(node):
                walk(n, path + (i,))
    walk(data, ())
    node, key, path = rng.choice(places)
    kind = rng.randrange(5)
    old = node[key]
    if kind == 0:
        del node[key]
    elif kind == 1:
        node[key] = None
    elif kind == 2:
        node[key] = {True: False, False: True}.get(old, old) if isinstance(old, bool) else old
        node["a_field_of_tomorrow"] = 1
    elif kind == 3 and node.get("type") == "Metaspace":
        node.pop("prepend_scheme", None)
        node.pop("split", None)
        node["add_prefix_space"] = rng.random() < .7
        if rng.random() < .5:
            node["str_rep"] = "▁"
    elif kind == 3 and isinstance(old, bool):
        node[key] = int(old)
    elif kind == 3 and isinstance(old, int):
        node[key] = float(old) if rng.random() < .5 else str(old)
    elif kind == 4 and isinstance(old, list) and key in ("sep", "cls"):
        node[key] = old[::-1]
    elif "type" in node and key != "type":
        node["type"], node[key] = node.pop("type"), node.pop(key)  # another order
    return data, path, kind


def check(name, data, t, ours, draw, texts, counts, shown, limit):
    specials = [a["content"] for a in data.get("added_tokens") or []]
    for _ in range(texts):
        words = [draw.text(specials)] + ([draw.text(specials)] if draw.chance(.25) else [])
        options = {"special": draw.chance(.6)}
        if draw.chance(.2):
            added = t.num_special_tokens_to_add(len(words) > 1) if options["special"] else 0
            options.update(max=draw.r.randint(1, 12) + added, left=draw.chance(.4), stride=0)
        counts["texts"] += 1
        d = rp.differs(t, ours, options, words)
        if d is None:
            continue
        full = {**dict.fromkeys(("added_tokens",), []), **dict.fromkeys(("normalizer", "pre_tokenizer", "post_processor", "decoder")), **data}
        reason = rp.explain(d[0], full, options, words, d[1], d[2])
        if reason:
            counts["explained: " + reason] += 1
            continue
        counts[f"differ: {name} {d[0]}"] += 1
        if shown[name, d[0]] < limit:
            shown[name, d[0]] += 1
            print(f"--- {name}: {d[0]} {options} {ascii(words)[:600]}\n    expected {ascii(d[1])[:500]}\n    got      {ascii(d[2])[:500]}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("-n", type=int, default=3)
    parser.add_argument("-t", type=int, default=100)
    parser.add_argument("-s", type=int, default=1)
    parser.add_argument("-m", type=int, default=30)
    args = parser.parse_args()
    rp.load_charsmaps()
    ours = rp.Ours(args.tool)
    counts, shown = collections.Counter(), collections.Counter()
    for name, shape in SHAPES.items():
        for i in range(args.n):
            draw = rp.Draw(f"{args.s + i}{name}")
            data = file_of(shape, draw)
            t, error = rp.load_reference(data)
            answer = ours.load(data)
            if t is None or answer != "ok":
                counts[f"differ: {name} not loaded"] += 1
                print(f"--- {name}: reference {error}, we {answer[:300]}", flush=True)
                continue
            counts["files"] += 1
            check(name, data, t, ours, draw, args.t, counts, shown, 2)
            for _ in range(args.m):
                changed, path, kind = mutate(data, draw.r)
                t, error = rp.load_reference(changed)
                answer = ours.load(changed)
                place = ".".join(str(p) for p in path if not isinstance(p, int)) + f" {kind}"
                if (t is None) != (answer != "ok"):
                    key = f"{'loaded by us only' if t is None else 'differ: refused by us only'}"
                    counts[key] += 1
                    if shown[key, place] == 0 and sum(1 for k in shown if k[0] == key) < 60:
                        shown[key, place] = 1
                        print(f"--- {name} {place}: {key}: {(error or answer)[:160]}", flush=True)
                elif t is not None:
                    counts["changed files"] += 1
                    check(name + " " + place, changed, t, ours, draw, 3, counts, shown, 1)
    for key, n in sorted(counts.items()):
        print(f"{n:8d} {key}")
    sys.exit(1 if any(k.startswith("differ") for k in counts) else 0)


if __name__ == "__main__":
    main()
