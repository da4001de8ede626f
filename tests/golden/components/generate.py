#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the goldens of this folder: a tokenizer.json for every component type and each of its options, small enough to
read, and the ids, offsets, type ids and decoded texts that Hugging Face tokenizers gives for it.

  pip install tokenizers==0.22.2 && python3 generate.py        (writes vocab/ and vectors/ beside itself)

Normalizers stand before a model of single characters, so ids and offsets are the normalized text. Pre-tokenizers
stand before a vocabulary of whole words that knows every second piece, so offsets are their cuts. Decoders stand
behind a vocabulary of whole words cut at white space, so any sequence of pieces can be written as a text.
Ids are API: a golden may change only when the reference was wrong and says so, or when a kind is added.
"""
import base64
import json
import os
import shutil

import tokenizers
from tokenizers import Tokenizer

HERE = os.path.dirname(os.path.abspath(__file__))

TEXTS = [
    "", " ", "Ab  cD", "  x  ", "\t x\r\n", "e\u0301le\u0301ve A\u030a", "ﬁ Ⅳ ½ ²", "İ ŉ ǅ ẞ ΑΣ Σ", "水x山，闸门", "\u0000a\u0001\u007f\ufffd\u00adb",
    "\u200b\u200e\ufeff\u2028\u2581\u1680\u00a0\u3000", "한국 \u1112\u1161\u11ab", "👍🏽!", "हिन्दी", "xx axxb xyx", "aeiou ... aeb", "\u0301a",
    "q\u0307\u0323 q\u0323\u0307", "ＡＢ\u0301", "\U0002a6d7 \U0002b820 \U0002b920 豈", "ÀÉ à", "\u0085 \u009f \u008f\u000b", "a_b__c_", "12 3.45 ٣½",
    "Hello, wörld! (It's...)", "カタカナ ひらがな 漢字ー Вода x", "▁a ▁b▁", " lead", "trail ", "no-break\u00a0space", "a\n\nb",
]


def charsmap():
    """The character map of the sentencepiece folder's unigram model: ModelProto.normalizer_spec.precompiled_charsmap."""
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
                continue
            if size is None:
                size = varint()
            if key == wanted << 3 | 2:
                return message[at:at + size]
            at += size
    with open(os.path.join(HERE, "../sentencepiece/vocab/sp_unigram/tokenizer.model"), "rb") as f:
        return base64.b64encode(field(field(f.read(), 3), 2)).decode()


def split(pattern, behavior, invert):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def bert(clean, chinese, accents, lower):
    return {"type": "BertNormalizer", "clean_text": clean, "handle_chinese_chars": chinese, "strip_accents": accents, "lowercase": lower}


def metaspace(scheme, replacement="▁", cut=True):
    return {"type": "Metaspace", "replacement": replacement, "prepend_scheme": scheme, "split": cut}


def byte_level(prefix=False, regex=True, trim=True):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": trim, "use_regex": regex}


GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
NORMALIZERS = {
    "nfc": {"type": "NFC"}, "nfd": {"type": "NFD"}, "nfkc": {"type": "NFKC"}, "nfkd": {"type": "NFKD"},
    "lowercase": {"type": "Lowercase"}, "nmt": {"type": "Nmt"}, "byte_level": {"type": "ByteLevel"},
    "strip_left": {"type": "Strip", "strip_left": True, "strip_right": False},
    "strip_right": {"type": "Strip", "strip_left": False, "strip_right": True},
    "strip": {"type": "Strip", "strip_left": True, "strip_right": True},
    "strip_accents": {"type": "StripAccents"},
    "prepend": {"type": "Prepend", "prepend": "<>"},
    "replace_string": {"type": "Replace", "pattern": {"String": "xx"}, "content": "y"},
    "replace_regex": {"type": "Replace", "pattern": {"Regex": "[aeiou]+|\\.$"}, "content": ""},
    "replace_nothing": {"type": "Replace", "pattern": {"Regex": "x*"}, "content": "-"},
    "replace_known": {"type": "Replace", "pattern": {"Regex": GPT2}, "content": "<>"},
    "bert": bert(True, True, None, True), "bert_cased": bert(True, True, None, False), "bert_accents": bert(False, True, True, False),
    "bert_lower": bert(True, False, False, True), "bert_nothing": bert(False, False, False, False),
    "precompiled": {"type": "Precompiled", "precompiled_charsmap": charsmap()},
    "sequence": {"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "StripAccents"}, {"type": "Lowercase"},
                                                     {"type": "Prepend", "prepend": " "}, {"type": "NFKC"}]},
}
PRE_TOKENIZERS = {
    "bert": {"type": "BertPreTokenizer"}, "whitespace": {"type": "Whitespace"}, "whitespace_split": {"type": "WhitespaceSplit"},
    "delimiter": {"type": "CharDelimiterSplit", "delimiter": "_"}, "unicode_scripts": {"type": "UnicodeScripts"},
    "fixed_length": {"type": "FixedLength", "length": 3},
    "digits": {"type": "Digits", "individual_digits": False}, "digits_one": {"type": "Digits", "individual_digits": True},
    "metaspace": metaspace("always"), "metaspace_first": metaspace("first"), "metaspace_never": metaspace("never", "_"),
    "metaspace_whole": metaspace("always", cut=False),
    "byte_level": byte_level(), "byte_level_prefix": byte_level(True), "byte_level_whole": byte_level(True, False),
    "sequence": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, byte_level(), {"type": "Digits", "individual_digits": True},
                                                       metaspace("first")]},
    **{"punctuation_" + b.lower(): {"type": "Punctuation", "behavior": b} for b in BEHAVIORS},
    **{"split_" + b.lower(): split({"Regex": "[aeiou]|\\s"}, b, False) for b in BEHAVIORS},
    **{"split_other_" + b.lower(): split({"Regex": "[aeiou]|\\s"}, b, True) for b in BEHAVIORS},
    **{"split_known_" + b.lower(): split({"Regex": GPT2}, b, False) for b in BEHAVIORS},
    "split_known_other_removed": split({"Regex": GPT2}, "Removed", True),
    "bert_and_digits": {"type": "Sequence", "pretokenizers": [{"type": "BertPreTokenizer"}, {"type": "Digits", "individual_digits": True}]},
    "split_string": split({"String": "x"}, "Removed", False),
}
DECODERS = {
    "none": None, "byte_level": byte_level(), "byte_fallback": {"type": "ByteFallback"}, "fuse": {"type": "Fuse"},
    "wordpiece": {"type": "WordPiece", "prefix": "##", "cleanup": True}, "wordpiece_raw": {"type": "WordPiece", "prefix": "~", "cleanup": False},
    "metaspace": metaspace("always"), "metaspace_first": metaspace("first", "_"), "metaspace_never": metaspace("never"),
    "bpe": {"type": "BPEDecoder", "suffix": "</w>"}, "bpe_other": {"type": "BPEDecoder", "suffix": "~"},
    "ctc": {"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": True},
    "ctc_raw": {"type": "CTC", "pad_token": "a", "word_delimiter_token": "b", "cleanup": False},
    "strip": {"type": "Strip", "content": "~", "start": 1, "stop": 2}, "strip_right": {"type": "Strip", "content": "a", "start": 0, "stop": 1},
    "replace_string": {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
    "replace_regex": {"type": "Replace", "pattern": {"Regex": "a+|~$"}, "content": "<>"},
    "llama": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
                                               {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
    "byte_level_behind": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "~"}, "content": ""}, byte_level()]},
}
PIECES = ["a", "b", "##b", "##", ".", ",", "n't", "'s", "'m", "'ve", "'re", "do", "not", "I", "!", "?", "▁a", "▁", "_x", "x_y", "x</w>", "</w>y</w>", "|",
          "<pad>", "<pad>a", "<0xE6>", "<0xB0>", "<0xB4>", "<0xFF>", "<0x0a>", "<0x1>", "<0xZZ>", "é", "Ġc", "Ã©", "Ã", "水", "~", "~~c~~~", "aa~", "~aab"]
PIECE_TEXTS = ["", "a", "a b", "a ##b . I do n't", "a a b b a", "▁a ▁ a _x x_y", "x</w> a </w>y</w>", "</w>y</w>", "<pad> a <pad> a | <pad>a b b", "|",
               "<0xE6> <0xB0> <0xB4> a", "<0xE6> <0xB0> a <0xFF>", "<0x0a> <0x1> <0xZZ>", "<0xFF> <0xE6> <0xB0> <0xB4>", "Ġc Ã© Ã a", "é Ã 水",
               "~ ~~c~~~ aa~ ~aab", "I 've I 'm do not . a ! b ? a , 's 're", "## ##b ##", "zzz a", "a ~", "~aab ~ a", "_x _x a"]


def words(pieces):
    return {"type": "WordLevel", "unk_token": "<unk>", "vocab": {p: i for i, p in enumerate(["<unk>"] + pieces)}}


def characters(texts):
    chars = sorted(set("".join(texts)))
    return {"type": "BPE", "unk_token": "<unk>", "vocab": {c: i for i, c in enumerate(["<unk>"] + chars)}, "merges": []}


def bpe(pieces, merges, **options):
    return {"type": "BPE", "vocab": {p: i for i, p in enumerate(pieces)}, "merges": merges, **options}


ALL_BYTES = ["<0x%02X>" % b for b in range(256)]
MERGES = [["a", "b"], ["ab", "c"], ["b", "c"], ["c", "c"]]
LETTERS = ["a", "b", "c", "d", "ab", "abc", "bc", "cc"]
WORDS = ["<unk>", "a", "ab", "@@c", "@@bc", "@@b", "x", "water", "@@s", "水"]
MODELS = {
    "bpe_unk": bpe(["<unk>"] + LETTERS, MERGES, unk_token="<unk>"),
    "bpe_unk_fused": bpe(["<unk>"] + LETTERS, ["a b", "ab c", "b c"], unk_token="<unk>", fuse_unk=True),
    "bpe_left_out": bpe(LETTERS, MERGES),
    "bpe_bytes": bpe(["<unk>"] + ALL_BYTES + LETTERS, MERGES, unk_token="<unk>", byte_fallback=True),
    "bpe_some_bytes": bpe(["<unk>", "<0xC3>", "<0xA9>", "<0x78>"] + LETTERS, MERGES, unk_token="<unk>", byte_fallback=True, fuse_unk=True),
    "bpe_whole": bpe(["<unk>"] + LETTERS + ["dab", "abcc"], MERGES, unk_token="<unk>", ignore_merges=True),
    "bpe_prefix": bpe(["<unk>", "a", "b", "##b", "##c", "ab", "abc", "##bc"], [["a", "##b"], ["ab", "##c"], ["##b", "##c"]], unk_token="<unk>",
                      continuing_subword_prefix="##"),
    "bpe_suffix": bpe(["<unk>", "a", "b", "c", "a</w>", "b</w>", "c</w>", "ab", "bc</w>", "abc</w>"], [["a", "b"], ["b", "c</w>"], ["a", "bc</w>"]],
                      unk_token="<unk>", end_of_word_suffix="</w>"),
    "wordpiece": {"type": "WordPiece", "unk_token": "<unk>", "continuing_subword_prefix": "@@", "max_input_chars_per_word": 100,
                  "vocab": {p: i for i, p in enumerate(WORDS)}},
    "wordpiece_short": {"type": "WordPiece", "unk_token": "<unk>", "continuing_subword_prefix": "@@", "max_input_chars_per_word": 3,
                        "vocab": {p: i for i, p in enumerate(WORDS)}},
    "wordlevel": words(["a", "ab", "water", "水"]),
    "unigram": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0]] + [[p, -1.5 * (i + 1) / len(p)] for i, p in enumerate(LETTERS)]},
    "unigram_ties": {"type": "Unigram", "unk_id": 2, "vocab": [["a", -1], ["aa", -2.0], ["<unk>", -0.0], ["ab", -2e0], ["b", -1E+0], ["xé", -3.25]]},
    "unigram_bytes": {"type": "Unigram", "unk_id": 0, "byte_fallback": True,
                      "vocab": [["<unk>", 0.0]] + [[b, -9.5] for b in ALL_BYTES] + [[p, -float(i)] for i, p in enumerate(LETTERS)]},
    "unigram_some_bytes": {"type": "Unigram", "unk_id": 0, "byte_fallback": True,
                           "vocab": [["<unk>", 0.0], ["<0xC3>", -1.0], ["<0xA9>", -1.0]] + [[p, -float(i)] for i, p in enumerate(LETTERS)]},
}
MODEL_TEXTS = ["", "a", "abc abcc bc", "abcabcab", "dab abccc", "xabc", "é aé éé", "水 x水水a", "ab bca cab abcc", "aaaa abab baab", "waters water abbc abc",
               "xé é\u0301x", "👍 a👍b", "abcd dcba", "x" * 9, "<unk> a<unk>"]


def special(*tokens):
    return {t: {"id": t, "ids": ids, "tokens": ["w%d" % i for i in ids]} for t, ids in tokens}


def part(token, type_id):
    kind = "Sequence" if token in "AB" else "SpecialToken"
    return {kind: {"id": token, "type_id": type_id}}


TEMPLATE = {"type": "TemplateProcessing", "single": [part("[X]", 0), part("A", 3), part("[Y]", 1)],
            "pair": [part("B", 1), part("[Y]", 2), part("A", 0), part("[X]", 0)], "special_tokens": special(("[X]", [3, 4]), ("[Y]", [5]))}
POST_PROCESSORS = {
    "bert": {"type": "BertProcessing", "sep": ["b", 2], "cls": ["a", 1]},
    "roberta": {"type": "RobertaProcessing", "sep": ["b", 2], "cls": ["a", 1], "trim_offsets": True, "add_prefix_space": True},
    "roberta_raw": {"type": "RobertaProcessing", "sep": ["b", 2], "cls": ["a", 1], "trim_offsets": False, "add_prefix_space": False},
    "byte_level": byte_level(False, True, True), "byte_level_prefix": byte_level(True, True, True), "byte_level_raw": byte_level(True, True, False),
    "byte_level_unigram": byte_level(False, True, True), "template": TEMPLATE, "sequence": {"type": "Sequence", "processors": [byte_level(False, True, True), TEMPLATE]},
}
POST_TEXTS = ["", "a", " a b", "a  b  ", "\u00a0a", "zz  zz"]


def added(content, at, **flags):
    return {"id": at, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False, **flags}


ADDED = [{"special": True}, {"single_word": True}, {"lstrip": True}, {"rstrip": True, "special": True}, {"lstrip": True, "rstrip": True},
         {"normalized": True}, {"normalized": True, "single_word": True, "special": True}, {"normalized": True, "lstrip": True}]
ADDED_TEXTS = ["", "a<T0>b", "<T1> a<T1> <T1>", "x  <T2>  y", "x  <T3>  y", "\n<T4>\t<T4>", "<t5><T5>", "<T6>a <T6> é<t6>", "a  <t7>  <T0><T7>", "<T0><T0", "É<T5>é"]
NAMES = {"normalizer": NORMALIZERS, "pre_tokenizer": PRE_TOKENIZERS, "decoder": DECODERS, "model": MODELS, "post_processor": POST_PROCESSORS}


def make(kind, part_json, unigram=False):
    """The file with this component, and the texts to try on it."""
    file = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": None,
            "post_processor": None, "decoder": None, "model": words([])}
    file[kind] = part_json
    if kind == "normalizer":
        normalizer = Tokenizer.from_str(json.dumps(file)).normalizer
        file["model"] = characters([normalizer.normalize_str(t) for t in TEXTS])
        file["decoder"] = {"type": "Fuse"}
        return file, TEXTS
    if kind == "pre_tokenizer":
        pre = Tokenizer.from_str(json.dumps(file)).pre_tokenizer
        pieces = sorted({p for t in TEXTS for p, _ in pre.pre_tokenize_str(t)} - {"<unk>"})
        file["model"] = words(pieces[::2])
        return file, TEXTS
    if kind == "decoder":
        file["pre_tokenizer"] = {"type": "WhitespaceSplit"}
        file["model"] = words(PIECES)
        return file, PIECE_TEXTS
    if kind == "model":
        file["pre_tokenizer"] = {"type": "WhitespaceSplit"}
        return file, MODEL_TEXTS
    pieces = ["<unk>", "a", "b", " ", "Ġ", "\u00a0", "z"]
    file["model"] = bpe(pieces, [], unk_token="<unk>", fuse_unk=True)
    if unigram:
        file["model"] = {"type": "Unigram", "unk_id": 0, "vocab": [[p, -1.0] for p in pieces]}
    return file, POST_TEXTS


def write(name, file, texts, pairs):
    folder = os.path.join(HERE, "vocab", name)
    os.makedirs(folder)
    with open(os.path.join(folder, "tokenizer.json"), "w", encoding="utf-8") as f:
        f.write(json.dumps(file, ensure_ascii=False) + "\n")
    t = Tokenizer.from_str(json.dumps(file))
    with open(os.path.join(HERE, "vectors", name + ".jsonl"), "w", encoding="utf-8") as f:
        for text, pair in [(text, None) for text in texts] + pairs:
            e = t.encode(text, pair, add_special_tokens=True)
            row = {"text": text, "ids": e.ids, "add_special": True, "special": "parse", "file": "tokenizer.json", "class": "reference"}
            if pair is None:
                row["offsets"] = e.offsets
                try:
                    decoded = t.decode(e.ids, skip_special_tokens=False)
                except BaseException:  # Strip panics on tokens shorter than what it takes away
                    continue
                if decoded != text:
                    row["decoded"] = decoded
            else:
                row["text_pair"] = pair
            if any(e.type_ids):
                row["type_ids"] = e.type_ids
            f.write(json.dumps(row, ensure_ascii=False) + "\n")


def main():
    assert tokenizers.__version__ == "0.22.2", tokenizers.__version__
    for folder in ("vocab", "vectors"):
        shutil.rmtree(os.path.join(HERE, folder), ignore_errors=True)
        os.makedirs(os.path.join(HERE, folder))
    names = []
    for kind, parts in NAMES.items():
        for name, part_json in parts.items():
            names.append(kind + "." + name)
            file, texts = make(kind, part_json, name.endswith("_unigram"))
            write(names[-1], file, texts, [("a b", "b  z"), ("", " a")] if kind == "post_processor" else [])
    chars = characters(["abxyz<>T01234567te\u00e9\u00c9 \t\n"])
    for name, normalizer in (("plain", None), ("lowercase", {"type": "Lowercase"})):
        names.append("added_tokens." + name)
        file = {"version": "1.0", "normalizer": normalizer, "model": chars,
                "added_tokens": [added("<T%d>" % i, len(chars["vocab"]) + i, **flags) for i, flags in enumerate(ADDED)]}
        write(names[-1], file, ADDED_TEXTS, [])
    with open(os.path.join(HERE, "vocab", "MANIFEST.tsv"), "w", encoding="utf-8") as f:
        f.write("name\tformat\tfile\tencoding\n" + "".join("%s\thf-json\t%s/tokenizer.json\t\n" % (n, n) for n in names))


if __name__ == "__main__":
    main()
