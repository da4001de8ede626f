#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random tokenizer.json files against Hugging Face tokenizers. Not part of the tests.

  pip install tokenizers==0.22.2
  python3 random_pipelines.py PATH/penstock_serve_tool [-n FILES] [-t TEXTS] [-s SEED]

Draws files: every normalizer, pre-tokenizer, model, post-processor and decoder with random options and
vocabularies, added tokens with all flags; and texts for each (combining marks, jamo, emoji, rare planes,
controls, long runs, look-alikes). Compares ids, offsets, type ids, the special mask, overflowing windows,
pairs and decoded text, and batches of texts and pairs, cut and padded. A difference is cut down to the parts of the file that it needs and printed.
Exit status 1 if anything unexplained differs. EXPLAINED lists the rest by reason (src/tokenizer/README.md).
"""
import argparse
import base64
import collections
import copy
import json
import random
import subprocess
import sys

from tokenizers import Tokenizer

SPACES = " \t\n\r\u00a0\u2003\u3000\u200b\ufeff\u2028\u0085\u000b\u000c\u180e\u1680"
UNITS = (list("abcdeABC0123.,!?-_'\"()[]<>#@|/\\") + [" "] * 12 + list("▁Ġ½²ⅣßſİıŉǅΣσςﬁéÉñüäåçøŁ")
         + ["e\u0301", "a\u0308\u0323", "\u0301", "\u0323\u0301", "\u200d", "\ufe0f", "\u1100\u1161\u11a8", "\u1100", "\u1161",
            "가", "각", "か\u3099", "が", "カ", "ー", "ｶﾞ", "中", "文", "𠀀", "丽", "👩‍👩‍👧", "🇩🇪", "👍🏽", "❤️", "ไ", "ำ", "ก", "\u0e33",
            "\u0915\u094d\u0937", "ا", "ل", "\u0651", "ש", "\u05bc", "Ж", "ё", "й", "ﬀ", "ﷺ", "㍿", "①", "Å", "Ω", "ａ", "１",
            "\U0001d400", "\U00010400", "\U0001e900", "\U000e0001", "\ue000", "\U0010ffff", "\ufffd", "\ufffe", "\x00", "\x01", "\x1f", "\x7f",
            "\u00ad", "\u034f", "\u061c", "\u2060", "\u00a8", "\u1e9e", "\u0130", "\u01c5", "\u1f88", "\u0345", "\u03b9\u0308\u0301"]
         + list(SPACES))
LETTERS = "abcdeABCé中か가Ж"
WORDS = "the cab bad dad ace add bead I'm you're 12 345 2024 ab cd abc aa aaa ABBA Éa naïve 中文 がか <s> </s> <mask> [SEP] ab! a-b".split(" ")
REGEXES = [
    r"\s+", r"\s", r"\w+", r"\W", r"[^\s]+", r"\d", r"\d{1,3}", r"\p{L}+", r"\p{N}{1,3}", r"[\p{L}\p{M}]+", r"[^\p{L}\p{N}\s]+", r"\p{Han}",
    r"[一-龥]+", r"[ぁ-んァ-ン]", r"a", r"a*", r"x?", r"$", r"^", r"\b", r"(?=a)", r"(?<=b)", r".", r"(?i:ab|CD)", r"'s|'t|'re",
    r"\s+(?!\S)|\s+", r" ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+", r"[[:punct:]]", r"[[:alpha:]]+", r"[[:space:]]+", r"[[:upper:]][[:lower:]]*",
    r"\p{Lu}", r"\p{P}", r"\p{S}", r"\p{Z}+", r"\p{C}", r"[\r\n]+", r"\R", r"(a|b)+c", r"[^a-d]", r"(?:ab)+", r"\p{M}", r"\p{Mn}+", r"[#@]\w*",
    r"(?<!a)b", r"\S+\s?", r"[\u0300-\u036f]", r"\x{4e2d}|é", r"\pL", r"\h+", r"\n|\t", r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}", r"  +", r"(?s:.)", r"(?m:.)a",
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
]
BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]


def byte_chars():
    keep = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    table, extra = {}, 0
    for b in range(256):
        if b in keep:
            table[b] = chr(b)
        else:
            table[b] = chr(256 + extra)
            extra += 1
    return table


BYTE_CHARS = byte_chars()


def to_byte_chars(text):
    return "".join(BYTE_CHARS[b] for b in text.encode())


class Draw:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def chance(self, p):
        return self.r.random() < p

    def pick(self, xs):
        return self.r.choice(xs)

    def atom(self):
        """Any code point, the assigned planes more often."""
        while True:
            c = self.r.choice([self.r.randrange(0x250), self.r.randrange(0x3400), self.r.randrange(0x10000),
                               self.r.randrange(0x1F000, 0x1FB00), self.r.randrange(0x10000, 0x33480), self.r.randrange(0x110000)])
            if not 0xD800 <= c < 0xE000:
                return chr(c)

    def text(self, specials):
        parts = []
        for _ in range(self.pick([0, 1, 1, 2, 3, 5, 8, 13, 20])):
            k = self.r.randrange(12)
            if k < 5:
                parts.append(self.pick(UNITS))
            elif k < 8:
                parts.append((" " if self.chance(.6) else "") + self.pick(WORDS))
            elif k == 8 and specials:
                s = self.pick(specials)
                parts.append(s if self.chance(.7) else self.pick([s[:-1], s[1:], s + s, s.upper(), s.lower(), " " + s + " ", s + "a"]))
            elif k == 9:
                parts.append(self.pick(UNITS) * self.pick([2, 3, 7, 20]))
            elif k == 10:
                parts.append("".join(self.pick(SPACES) for _ in range(self.r.randint(1, 3))))
            else:
                parts.append("".join(self.atom() for _ in range(self.r.randint(1, 3))))
        return "".join(parts)

    def pattern(self):
        if self.chance(.35):
            return {"String": self.pick(["a", " ", "  ", "▁", "ab", "é", "\n", "中", "-", "aa", ".", "e\u0301"])}
        return {"Regex": self.pick(REGEXES)}

    # Components.
    def normalizer(self, depth=0):
        k = self.r.randrange(16 if depth < 2 else 14)
        if k < 4:
            return {"type": ["NFC", "NFD", "NFKC", "NFKD"][k]}
        if k == 4:
            return {"type": "BertNormalizer", "clean_text": self.chance(.6), "handle_chinese_chars": self.chance(.6),
                    "strip_accents": self.pick([None, True, False]), "lowercase": self.chance(.6)}
        if k == 5:
            return {"type": "Lowercase"}
        if k == 6:
            return {"type": "Strip", "strip_left": self.chance(.7), "strip_right": self.chance(.7)}
        if k == 7:
            return {"type": "StripAccents"}
        if k < 10:
            return {"type": "Replace", "pattern": self.pattern(), "content": self.pick(["", " ", "▁", "x", "ab", "é", "  ", "中"])}
        if k == 10:
            return {"type": "Prepend", "prepend": self.pick(["▁", " ", "ab", "é"])}
        if k == 11:
            return {"type": "Nmt"}
        if k == 12:
            return {"type": "Precompiled", "precompiled_charsmap": CHARSMAPS[self.r.randrange(len(CHARSMAPS))]} if CHARSMAPS else {"type": "NFKC"}
        if k == 13:
            return {"type": "ByteLevel"} if self.chance(.3) else {"type": "NFC"}
        return {"type": "Sequence", "normalizers": [self.normalizer(depth + 1) for _ in range(self.r.randint(0, 3))]}

    def pre_tokenizer(self, depth=0):
        k = self.r.randrange(17 if depth < 2 else 14)
        if k == 0:
            return {"type": "ByteLevel", "add_prefix_space": self.chance(.5), "trim_offsets": self.chance(.5), "use_regex": self.chance(.6)}
        if k == 1:
            return {"type": "BertPreTokenizer"}
        if k in (2, 3):
            scheme = self.pick(["first", "never", "always"])
            return {"type": "Metaspace", "replacement": self.pick("▁▁▁_é"), "prepend_scheme": scheme, "split": self.chance(.6)}
        if k == 4:
            return {"type": "Whitespace"}
        if k == 5:
            return {"type": "WhitespaceSplit"}
        if k == 6:
            return {"type": "CharDelimiterSplit", "delimiter": self.pick(" a▁é-")}
        if k == 7:
            return {"type": "Punctuation", "behavior": self.pick(BEHAVIORS)}
        if k == 8:
            return {"type": "Digits", "individual_digits": self.chance(.5)}
        if k < 12:
            return {"type": "Split", "pattern": self.pattern(), "behavior": self.pick(BEHAVIORS), "invert": self.chance(.3)}
        if k == 12:
            return {"type": "UnicodeScripts"}
        if k == 13:
            return {"type": "FixedLength", "length": self.r.randint(1, 5)}
        return {"type": "Sequence", "pretokenizers": [self.pre_tokenizer(depth + 1) for _ in range(self.r.randint(0, 4))]}

    def decoder(self, depth=0):
        k = self.r.randrange(12 if depth < 1 else 10)
        if k == 0:
            return {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
        if k == 1:
            return {"type": "WordPiece", "prefix": self.pick(["##", "", "a"]), "cleanup": self.chance(.5)}
        if k == 2:
            return {"type": "Metaspace", "replacement": self.pick("▁▁_"), "prepend_scheme": self.pick(["first", "never", "always"]), "split": True}
        if k == 3:
            return {"type": "BPEDecoder", "suffix": self.pick(["</w>", "", "a"])}
        if k == 4:
            return {"type": "CTC", "pad_token": self.pick(["<pad>", "a"]), "word_delimiter_token": self.pick(["|", " "]), "cleanup": self.chance(.5)}
        if k == 5:
            return {"type": "ByteFallback"}
        if k == 6:
            return {"type": "Fuse"}
        if k == 7:
            return {"type": "Strip", "content": self.pick(" ▁a"), "start": self.r.randint(0, 2), "stop": self.r.randint(0, 2)}
        if k < 10:
            return {"type": "Replace", "pattern": self.pattern(), "content": self.pick([" ", "", "x"])}
        return {"type": "Sequence", "decoders": [self.decoder(depth + 1) for _ in range(self.r.randint(0, 4))]}

    def batch(self, t, specials):
        """Rows of texts and pairs, and how they are cut and padded."""
        pairs = self.pick([0, 0, 1, .5])
        rows = [[self.text(specials)] + ([self.text(specials)] if self.chance(pairs) else []) for _ in range(self.r.randint(1, 5))]
        options = {"special": self.chance(.6), "pad": self.r.randrange(300), "pad_type": self.r.randrange(3), "pad_left": self.chance(.4)}
        if self.chance(.5):
            added = max(t.num_special_tokens_to_add(len(row) > 1) for row in rows) if options["special"] else 0
            stride = self.pick([0, 0, 1, 3])
            options.update(max=self.r.randint(1, 12) + added + stride, stride=stride, left=self.chance(.4),
                           strategy=self.pick(["longest_first", "longest_first", "only_first", "only_second"]))
        if self.chance(.4):
            options["multiple"] = self.r.randint(1, 9)
        if self.chance(.4):  # the reference leaves longer rows as they are, we refuse them
            options["fixed"] = options["max"] + self.r.randrange(9) if "max" in options else 2000
        return rows, options

    # Models.
    def sample_pieces(self, byte_level, count):
        """Strings that texts are likely to contain, as the model meets them."""
        out = []
        for _ in range(count):
            s = self.text([])[:self.r.randint(1, 6)].replace("", "") or "a"
            if self.chance(.5):
                s = self.pick(WORDS)[:self.r.randint(1, 5)]
            if self.chance(.3):
                s = self.pick(["▁", " ", "Ġ"]) + s
            out.append(to_byte_chars(s) if byte_level else s)
        return out

    def alphabet(self, byte_level):
        chars = set()
        if byte_level and self.chance(.85):
            chars |= set(BYTE_CHARS.values())
        for s in WORDS + UNITS:
            if self.chance(.75):
                chars |= set(to_byte_chars(s) if byte_level else s)
        if self.chance(.5):
            chars.add("▁")
        return sorted(c for c in chars if c)

    def bpe(self, byte_level):
        prefix = self.pick(["", "", "", "##", "a"]) if not byte_level or self.chance(.1) else ""
        suffix = self.pick(["", "", "", "</w>", "b"]) if not byte_level or self.chance(.1) else ""
        tokens = {}

        def add(t):
            if t and t not in tokens:
                tokens[t] = len(tokens)
        unk = self.pick([None, "<unk>", "<unk>", "a"])
        if unk:
            add(unk)
        byte_fallback = self.chance(.3)
        if byte_fallback or self.chance(.05):
            for b in range(256):
                if self.chance(.998):
                    add("<0x%02X>" % b)
        heads, tails = [], []  # (token, may be continued)
        for c in self.alphabet(byte_level):
            forms = [(c, True, True)]
            if prefix:
                forms.append((prefix + c, False, True))
            if suffix:
                forms.append((c + suffix, True, False))
                if prefix:
                    forms.append((prefix + c + suffix, False, False))
            for t, starts, goes_on in forms:
                if self.chance(.97):
                    add(t)
                    heads.append((t, starts, goes_on))
        merges = []
        alive = [t for t in heads]
        common = [t for t in alive if any(w in t[0] for w in "abcde▁Ġé")] or alive
        for _ in range(self.pick([0, 5, 30, 80, 150])):
            left = self.pick([t for t in common[-60:] if t[2]] or [self.pick(alive)])
            right = self.pick([t for t in (common if self.chance(.8) else alive) if not prefix or not t[1]] or alive)
            if not left[2] or (prefix and right[1]):
                continue
            merged = left[0] + right[0][len(prefix):]
            if [left[0], right[0]] in merges:
                continue
            merges.append([left[0], right[0]])
            add(merged)
            alive.append((merged, left[1], right[2]))
            common.append((merged, left[1], right[2]))
        for s in self.sample_pieces(byte_level, self.pick([0, 10])):  # tokens that no merge reaches
            add(s)
        if self.chance(.3):
            spelled = [" ".join(m) for m in merges]
            merges = spelled if all(s.count(" ") == 1 for s in spelled) else merges
        return {"type": "BPE", "dropout": None, "unk_token": unk, "continuing_subword_prefix": prefix or self.pick([None, ""]),
                "end_of_word_suffix": suffix or self.pick([None, ""]), "fuse_unk": self.chance(.4), "byte_fallback": byte_fallback,
                "ignore_merges": self.chance(.3), "vocab": tokens, "merges": merges}

    def words(self, byte_level, prefix):
        tokens = {}
        for s in ["[UNK]", "<unk>"] + self.alphabet(byte_level)[:: self.pick([1, 1, 2])] + self.sample_pieces(byte_level, 60):
            if s and s not in tokens:
                tokens[s] = len(tokens)
            if prefix and self.chance(.6) and prefix + s not in tokens:
                tokens[prefix + s] = len(tokens)
        return tokens

    def model(self, byte_level):
        k = self.r.randrange(9)
        if k < 4:
            return self.bpe(byte_level)
        if k < 6:
            prefix = self.pick(["##", "##", "", "a"])
            return {"type": "WordPiece", "unk_token": self.pick(["[UNK]", "[UNK]", "a", "none"]), "continuing_subword_prefix": prefix,
                    "max_input_chars_per_word": self.pick([100, 100, 5, 1, 12]), "vocab": self.words(byte_level, prefix)}
        if k == 6:
            return {"type": "WordLevel", "vocab": self.words(byte_level, ""), "unk_token": self.pick(["<unk>", "[UNK]", "none"])}
        vocab = [["<unk>", 0.0]] if self.chance(.9) else []
        seen = {"<unk>"}
        byte_fallback = self.chance(.4)
        if byte_fallback:
            for b in range(256):
                if self.chance(.999):
                    vocab.append(["<0x%02X>" % b, self.pick([0.0, -10.0])])
        exact = self.chance(.5)
        for s in self.alphabet(byte_level) + self.sample_pieces(byte_level, self.pick([10, 60, 150])):
            if s in seen and self.chance(.99):
                continue
            seen.add(s)
            vocab.append([s, float(-self.r.randint(1, 12)) if exact else -self.r.random() * 15])
        return {"type": "Unigram", "unk_id": 0 if vocab and vocab[0][0] == "<unk>" else self.pick([None, 0]), "vocab": vocab, "byte_fallback": byte_fallback}

    def added_tokens(self, model):
        vocab = {t: i for i, (t, _) in enumerate(model["vocab"])} if model["type"] == "Unigram" else model["vocab"]
        size = len(model["vocab"])
        out, seen, next_id = [], set(), size
        contents = ["<s>", "</s>", "<mask>", "[SEP]", "[CLS]", "<s", "s>", "<s></s>", "ab", "abc", "b", " ", "  ", "   ", "\n", "\t", "é", "e\u0301", "É",
                    "İ", "▁", "▁a", "Ġ", "a b", " a", "a ", "中", "中文", "👍", "👍🏽", "the", "The", "day", "\u0301", "ﬁ", "½", "|x|", "<|a|>", "<|ab|>", "~"]
        for _ in range(self.pick([0, 1, 2, 4, 8, 14])):
            c = self.pick(contents) if self.chance(.9) else self.pick(list(vocab))
            if not c or c in seen:
                continue
            seen.add(c)
            special = self.chance(.5)
            token_id = vocab.get(c)
            if token_id is None:
                token_id = next_id
                next_id += 1
            out.append({"id": token_id, "content": c, "single_word": self.chance(.2), "lstrip": self.chance(.25), "rstrip": self.chance(.25),
                        "normalized": self.chance(.4), "special": special})
        return sorted(out, key=lambda t: t["id"])  # as the reference writes them

    def post_processor(self, size, depth=0):
        k = self.r.randrange(8 if depth < 1 else 6)
        token = lambda: ["[X]", self.r.randrange(size)]
        if k == 0:
            return {"type": "ByteLevel", "add_prefix_space": self.chance(.5), "trim_offsets": self.chance(.7), "use_regex": True}
        if k == 1:
            return {"type": "BertProcessing", "sep": token(), "cls": token()}
        if k == 2:
            return {"type": "RobertaProcessing", "sep": token(), "cls": token(), "trim_offsets": self.chance(.7), "add_prefix_space": self.chance(.5)}
        if k < 6:
            specials = {n: {"id": n, "ids": [self.r.randrange(size) for _ in range(self.pick([1, 1, 1, 2, 0]))], "tokens": []} for n in ("X", "Y")}
            for s in specials.values():
                s["tokens"] = ["t"] * len(s["ids"])

            single = [{"Sequence": {"id": "A", "type_id": self.r.randrange(2)}}]
            pair = [{"Sequence": {"id": "A", "type_id": self.r.randrange(2)}}, {"Sequence": {"id": "B", "type_id": self.r.randrange(2)}}]
            if self.chance(.2):
                pair.reverse()
            for parts in (single, pair):
                if self.chance(.1):  # twice, or left out
                    part = dict(Sequence={"id": self.pick("A" if parts is single else "AB"), "type_id": self.r.randrange(3)})
                    parts[:] = parts + [part] if self.chance(.6) else parts[:-1]
                for _ in range(self.r.randint(0, 3)):
                    parts.insert(self.r.randint(0, len(parts)), {"SpecialToken": {"id": self.pick("XY"), "type_id": self.r.randrange(3)}})
            return {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": specials}
        return {"type": "Sequence", "processors": [self.post_processor(size, depth + 1) for _ in range(self.r.randint(0, 3))]}

    def file(self):
        normalizer = self.normalizer() if self.chance(.6) else None
        pre = self.pre_tokenizer() if self.chance(.85) else None
        byte_level = '"ByteLevel"' in json.dumps([normalizer, pre])
        model = self.model(byte_level)
        size = len(model["vocab"])
        return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": self.added_tokens(model), "normalizer": normalizer,
                "pre_tokenizer": pre, "post_processor": self.post_processor(size) if self.chance(.6) else None,
                "decoder": self.decoder() if self.chance(.8) else None, "model": model}


CHARSMAPS = []


def load_charsmaps():
    """Character maps of the rules that sentencepiece has built in, made by its own trainer."""
    try:
        import io
        import sentencepiece as sp
        from sentencepiece import sentencepiece_model_pb2 as pb
        for rule in ("nmt_nfkc", "nfkc", "nmt_nfkc_cf", "nfkc_cf"):
            model = io.BytesIO()
            sp.SentencePieceTrainer.train(sentence_iterator=iter(["a b c d e f"] * 20), model_writer=model, vocab_size=12,
                                          normalization_rule_name=rule, hard_vocab_limit=False, minloglevel=2)
            proto = pb.ModelProto()
            proto.ParseFromString(model.getvalue())
            CHARSMAPS.append(base64.b64encode(proto.normalizer_spec.precompiled_charsmap).decode())
    except ImportError:
        print("no sentencepiece (with protobuf): Precompiled is left out")


class Ours:
    def __init__(self, tool):
        self.tool, self.p = tool, None

    def ask(self, line):
        if self.p is None:
            self.p = subprocess.Popen([self.tool], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            self.p.stdin.write(line.encode() + b"\n")
            self.p.stdin.flush()
            answer = self.p.stdout.readline()
        except BrokenPipeError:
            answer = b""
        if not answer:
            self.p = None
            return "error CRASH"
        return answer.decode().rstrip("\n")

    def load(self, data):
        return self.ask("load tokenizer.json " + b64(json.dumps(data)) + " -")

    def encode(self, options, texts):
        answer = self.ask("encode " + (options or "-") + " " + " ".join(map(b64, texts)))
        if answer.startswith("error"):
            return answer
        return [parse(w) for w in answer.split(";")]

    def decode(self, ids, skip):
        return base64.b64decode(self.ask("decode " + ("skip" if skip else "-") + " " + ",".join(map(str, ids)))).decode()


def b64(text):
    return base64.b64encode(text.encode()).decode()


def parse(window):
    ids, offsets, types, mask = ([x for x in part.split(",") if x] for part in window.split("|"))
    return ([int(i) for i in ids], [tuple(map(int, o.split("-"))) for o in offsets], [int(t) for t in types], [int(m) for m in mask])


def byte_starts(text):
    at = [0]
    for c in text:
        at.append(at[-1] + len(c.encode()))
    return at


def widen(data, r):
    b, e = r
    while 0 < b < len(data) and data[b] & 0xC0 == 0x80:
        b -= 1
    while e < len(data) and data[e] & 0xC0 == 0x80:
        e += 1
    return b, e


def reference(t, options, texts):
    """[(ids, byte offsets, types, mask)] of the encoding and its overflowing windows, or an error."""
    try:
        if "max" in options:
            t.enable_truncation(options["max"], stride=options.get("stride", 0), strategy=options.get("strategy", "longest_first"),
                                direction="left" if options.get("left") else "right")
        else:
            t.no_truncation()
        e = t.encode(*texts, add_special_tokens=bool(options.get("special")))
    except BaseException as error:  # pyo3 panics are no Exceptions
        if isinstance(error, KeyboardInterrupt):
            raise
        return "error " + str(error)
    starts = [byte_starts(x) for x in texts]
    windows = []
    for w in [e] + e.overflowing:
        # Overflowing windows of pairs do not say which text a token is from: any of them will do.
        offsets = [[(s[b], s[c]) for s in starts if b < len(s) and c < len(s)] for b, c in w.offsets]
        windows.append((w.ids, offsets, w.type_ids, w.special_tokens_mask))
    return windows


def spell(options):
    out = []
    for key in ("special", "left", "pad_left"):
        if options.get(key):
            out.append(key)
    for key in ("max", "stride", "pad", "pad_type", "fixed", "multiple"):
        if key in options:
            out.append(f"{key}={options[key]}")
    if "strategy" in options and options["strategy"] != "longest_first":
        out.append("only=" + options["strategy"][5:])
    return ",".join(out)


def differs(t, ours, options, texts):
    """None, or (what, expected, got)."""
    expected = reference(t, options, texts)
    got = ours.encode(spell(options), texts)
    if isinstance(expected, str) or isinstance(got, str):
        if isinstance(expected, str) and isinstance(got, str) and "CRASH" not in got:
            return None
        return ("error", expected, got)
    data = [x.encode() for x in texts]
    for i, name in enumerate(("ids", "offsets", "type ids", "mask")):
        left, right = [], []
        for w in expected:
            left.append(w[i])
        for w in got:
            right.append(w[i])
        if name == "offsets" and [len(w) for w in left] == [len(w) for w in right]:
            left = [[possible if len(data) > 1 or not possible else possible[0] for possible in w] for w in left]
            right = [[next((o for d in data for o in [widen(d, r)] if o in p), r) if isinstance(p, list) else widen(data[0], r)
                      for p, r in zip(a, b)] for a, b in zip(left, right)]
            left = [[r if isinstance(p, list) and r in p else p for p, r in zip(a, b)] for a, b in zip(left, right)]
        if name == "offsets":  # the reference's may lie outside of the text
            right = [[p if p == [] else r for p, r in zip(a, b)] if len(a) == len(b) else b for a, b in zip(left, right)]
        if left != right:
            return (name if len(left) == len(right) else "windows: " + name, left, right)
    ids = expected[0][0]
    for skip in (False, True):
        try:
            back = t.decode(ids, skip_special_tokens=skip)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            continue
        mine = ours.decode(ids, skip)
        if back != mine:
            return ("decoded", back, mine)
    return None


def reference_batch(t, options, rows):
    """[(ids, attention mask, type ids)] of the padded rows, or an error."""
    try:
        if "max" in options:
            t.enable_truncation(options["max"], stride=options.get("stride", 0), strategy=options.get("strategy", "longest_first"),
                                direction="left" if options.get("left") else "right")
        else:
            t.no_truncation()
        t.enable_padding(direction="left" if options.get("pad_left") else "right", pad_id=options["pad"], pad_type_id=options["pad_type"],
                         pad_token="[P]", length=options.get("fixed"), pad_to_multiple_of=options.get("multiple"))
        batch = t.encode_batch([row[0] if len(row) == 1 else tuple(row) for row in rows], add_special_tokens=bool(options.get("special")))
        return [(e.ids, e.attention_mask, e.type_ids) for e in batch]
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return "error " + str(error)
    finally:
        t.no_padding()


def batch_differs(t, ours, options, rows):
    expected = reference_batch(t, options, rows)
    got = ours.ask("batch " + spell(options) + " " + " ".join(":".join(map(b64, row)) for row in rows))
    if not got.startswith("error"):
        got = [tuple([int(x) for x in part.split(",") if x] for part in row.split("|")) for row in got.split(";")]
    if isinstance(expected, str) or isinstance(got, str):
        return None if isinstance(expected, str) and isinstance(got, str) and "CRASH" not in got else ("batch: error", expected, got)
    for i, name in enumerate(("ids", "attention mask", "type ids")):
        if [row[i] for row in expected] != [row[i] for row in got]:
            return ("batch: " + name, [row[i] for row in expected], [row[i] for row in got])
    return None


def load_reference(data):
    try:
        return Tokenizer.from_str(json.dumps(data)), None
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return None, str(error)


class Budget:
    left = 0


def still(data, ours, options, texts, what):
    Budget.left -= 1
    if Budget.left < 0:
        return False
    t, error = load_reference(data)
    if t is None or ours.load(data) != "ok":
        return False
    d = differs(t, ours, options, texts)
    return d is not None and d[0] == what


def shrink(data, ours, options, texts, what):
    Budget.left = 120

    def attempt(new):
        nonlocal data
        if still(new, ours, options, texts, what):
            data = new
            return True
        return False

    for key in ("post_processor", "decoder", "normalizer", "pre_tokenizer"):
        attempt({**data, key: None})
    for key, inner in (("normalizer", "normalizers"), ("pre_tokenizer", "pretokenizers"), ("decoder", "decoders"), ("post_processor", "processors")):
        changed = True
        while changed and data[key] and data[key]["type"] == "Sequence":
            changed = False
            for i in range(len(data[key][inner])):
                new = copy.deepcopy(data)
                del new[key][inner][i]
                if attempt(new):
                    changed = True
                    break
                new = copy.deepcopy(data)
                new[key] = new[key][inner][i]
                if attempt(new):
                    changed = True
                    break
    for i in reversed(range(len(data["added_tokens"]))):
        new = copy.deepcopy(data)
        del new["added_tokens"][i]
        attempt(new)
    for token in data["added_tokens"]:
        for flag in ("single_word", "lstrip", "rstrip", "normalized"):
            if token[flag]:
                token[flag] = False
                if not still(data, ours, options, texts, what):
                    token[flag] = True
    texts = list(texts)
    for n in range(len(texts)):
        step = max(1, len(texts[n]) // 2)
        while step:
            i = 0
            while i < len(texts[n]):
                shorter = texts[:n] + [texts[n][:i] + texts[n][i + step:]] + texts[n + 1:]
                if still(data, ours, options, shorter, what):
                    texts = shorter
                else:
                    i += step
            step //= 2
    return data, texts


# Reasons why a difference is none of ours: (name, test over (what, data, options, texts, expected, got)).
def explain(what, data, options, texts, expected, got):
    for name, test in EXPLAINED.items():
        if test(what, data, options, texts, expected, got):
            return name
    return None


def is_affix_fallback(what, data, *rest):
    model = data["model"]
    return (what == "offsets" and model["type"] == "BPE" and model["byte_fallback"]
            and (model["end_of_word_suffix"] or model["continuing_subword_prefix"]))


def empty_added_token(what, data, *rest):
    """An added token that the normalizer leaves nothing of."""
    t = Tokenizer.from_str(json.dumps({**data, "added_tokens": []}))
    return t.normalizer and any(a["normalized"] and t.normalizer.normalize_str(a["content"]) == "" for a in data["added_tokens"])


def uneven_template(what, data, options, texts, *rest):
    """Windows behind the first, of a template that names a text twice or not at all."""
    key = "single" if len(texts) == 1 else "pair"

    def uneven(p):
        if p["type"] == "Sequence":
            return any(map(uneven, p["processors"]))
        return p["type"] == "TemplateProcessing" and sorted(x["Sequence"]["id"] for x in p[key] if "Sequence" in x) != ["A", "B"][:len(texts)]
    return what.startswith("windows") and data["post_processor"] and uneven(data["post_processor"])


EXPLAINED = {
    "overflowing windows of a template that names a text twice or not at all": uneven_template,
    "the reference fails on text that the vocabulary cannot spell, we leave it out":
        lambda what, data, options, texts, expected, got: what == "error" and isinstance(expected, str)
        and any(s in expected for s in ("Missing [UNK]", "unk_id", "unk token", "<unk>")),
    "rows longer than the fixed length: the reference leaves them so, we refuse them": lambda what, data, options, texts, expected, got:
        what == "error" and isinstance(got, str) and "expected at most fixed_length" in got,
    "the reference stops at white space that two added tokens claim": lambda what, data, options, texts, expected, got:
        what == "error" and isinstance(expected, str) and "bad split" in expected,
    "the reference refuses a stride even where nothing is cut off": lambda what, data, options, texts, expected, got:
        what == "error" and isinstance(expected, str) and "stride set to" in expected,
    "a ByteLevel decoder without anything that spells bytes, and trimmed white space": lambda what, data, options, texts, expected, got:
        what == "offsets" and "ByteLevel" in json.dumps(data["decoder"]) and "ByteLevel" not in json.dumps([data["normalizer"], data["pre_tokenizer"]]),
    "trimmed white space of BPE behind characters that it left out": lambda what, data, options, texts, expected, got:
        what == "offsets" and data["model"]["type"] == "BPE" and data["model"]["unk_token"] is None and "trim_offsets" in json.dumps(data["post_processor"]),
    "offsets of bytes that spell the affixes of subwords": is_affix_fallback,
    "an added token that the normalizer makes empty is found nowhere": empty_added_token,
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("-n", type=int, default=300)
    parser.add_argument("-t", type=int, default=30)
    parser.add_argument("-s", type=int, default=1)
    parser.add_argument("--show", type=int, default=12)
    args = parser.parse_args()
    load_charsmaps()
    ours = Ours(args.tool)
    counts = collections.Counter()
    shown = collections.Counter()
    for seed in range(args.s, args.s + args.n):
        draw = Draw(seed)
        data = draw.file()
        t, error = load_reference(data)
        answer = ours.load(data)
        if t is None:
            counts["refused by the reference" + ("" if answer != "ok" else ", loaded by us")] += 1
            key = "ref: " + error[:40]
            shown[key] += answer == "ok"
            if answer == "ok" and shown[key] == 1:
                print(f"seed {seed}: reference refuses: {error[:200]}", flush=True)
            continue
        if answer != "ok":
            counts["refused by us"] += 1
            key = answer[:70]
            shown[key] += 1
            if shown[key] <= 2:
                print(f"seed {seed}: we refuse: {answer[:300]}", flush=True)
            continue
        counts["files"] += 1
        specials = [a["content"] for a in data["added_tokens"]]
        failed = collections.Counter()
        for _ in range(args.t // 5):
            rows, options = draw.batch(t, specials)
            counts["batches"] += 1
            d = batch_differs(t, ours, options, rows)
            if d is None:
                continue
            reason = explain("error" if d[0] == "batch: error" else d[0], data, options, rows, d[1], d[2])
            if reason is not None:
                counts["explained: " + reason] += 1
                continue
            counts["differ: " + d[0]] += 1
            shown["batch"] += 1
            if shown["batch"] <= args.show:
                print(f"--- seed {seed}: {d[0]} {options} {ascii(rows)[:600]}\n    {ascii(data['post_processor'])[:400]}\n"
                      f"    expected {ascii(d[1])[:500]}\n    got      {ascii(d[2])[:500]}", flush=True)
        for _ in range(args.t):
            texts = [draw.text(specials)]
            options = {"special": draw.chance(.6)}
            if draw.chance(.25):
                texts.append(draw.text(specials))
            if draw.chance(.25):
                added = t.num_special_tokens_to_add(len(texts) > 1) if options["special"] else 0
                stride = draw.pick([0, 0, 1, 3])  # must be less than what the special tokens leave: else we always refuse
                options.update(max=draw.r.randint(1, 12) + added + stride, stride=stride, left=draw.chance(.4),
                               strategy=draw.pick(["longest_first", "longest_first", "only_first", "only_second"]))
            counts["texts"] += 1
            d = differs(t, ours, options, texts)
            if d is None:
                continue
            reason = explain(d[0], data, options, texts, d[1], d[2])
            if reason is not None:
                counts["explained: " + reason] += 1
                continue
            counts["differ: " + d[0]] += 1
            failed[d[0]] += 1
            if failed[d[0]] > 1 or sum(v for k, v in shown.items() if k[0] == "!") >= args.show:
                continue
            small, cut = shrink(copy.deepcopy(data), ours, options, texts, d[0])
            t2, _ = load_reference(small)
            ours.load(small)
            d = differs(t2, ours, options, cut) or (d[0] + ' (not again)',) + d[1:]
            ours.load(data)
            shown["!" + d[0]] += 1
            show = {k: v for k, v in small.items() if v not in (None, []) and k not in ("model", "version")}
            model = {k: v for k, v in small["model"].items() if k not in ("vocab", "merges") or len(v) < 30}
            print(f"--- seed {seed}: {d[0]} {options} {ascii(cut)}\n    {ascii(show)[:1500]}\n    {ascii(model)[:600]}\n"
                  f"    expected {ascii(d[1])[:500]}\n    got      {ascii(d[2])[:500]}", flush=True)
    for key, n in sorted(counts.items()):
        print(f"{n:8d} {key}")
    sys.exit(1 if any(k.startswith("differ") for k in counts) else 0)


if __name__ == "__main__":
    main()
