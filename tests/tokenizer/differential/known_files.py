#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Real vocabularies against the reference implementations on generated strings. Not part of the tests.

  pip install tokenizers==0.22.2 tiktoken sentencepiece==0.2.3
  PENSTOCK_TEST_DATA=FOLDER python3 known_files.py PATH/penstock_serve_tool [-n STRINGS] [NAME/FILE …]

For every file of FOLDER/vocab/MANIFEST.tsv that a reference can load (or those named): ids, offsets and
decoded text for tokenizer.json (Hugging Face tokenizers, everything parsed), ids for rank files (tiktoken,
plain text) and .model files (sentencepiece). Strings: 12 scripts, code, emoji, controls, spaces, look-alikes
of special tokens, long runs, any code points. Differences with a known cause are listed in EXPLAINED.
Exit status 1 if anything unexplained differs.
"""
import base64
import os
import random
import sys

from random_pipelines import Ours

SCRIPTS = [(0x20, 0x7E), (0xA0, 0x24F), (0x370, 0x3FF), (0x400, 0x4FF), (0x590, 0x5FF), (0x600, 0x6FF),
           (0x900, 0x97F), (0xE00, 0xE7F), (0x1100, 0x11FF), (0x3040, 0x30FF), (0x4E00, 0x9FFF),
           (0xAC00, 0xD7A3), (0x1E00, 0x1EFF), (0x10A0, 0x10FF), (0x530, 0x58F)]
SPACES = " \t\n\r\u00a0\u2003\u3000\u200b\ufeff\u2028\u0085\u000b\u000c"
EMOJI = ["👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇩🇪🇫🇷", "❤️", "🤦🏻‍♂️", "1️⃣", "🦙", "😶‍🌫️"]
WORDS = ("the quick brown fox I'm you're DON'T we'll he'd isn't 3.14 2024-01-01 foo_bar HTTPServer "
         "naïve café e\u0301a\u0308 ﬁle Ⅳ ½ ² ａｂｃ İstanbul ſtraße ǅ ŉ Straße 中文字符 日本語テキスト "
         "한국어 สวัสดี हिन्दी العربية עברית Ελληνικά русский việc nhiều hợp "
         "'s 'ſ 'LL ''re //path/to\\file {\"a\": [1, 2]} <b>x</b> if(x)==y; -- ==== ____ .... ").split(" ")
CODE = ["def f(x):\n    return x + 1\n", "for (int i = 0; i < n; ++i) {\n\t\tsum += a[i];\n}", "\n\n\n", "    ", "        x",
        "\r\n\r\n", "a\n \n b", "  \n  ", "//// ", "/*\n */", "\u2581", "\u2581\u2581a", "<0x0A>", "##ing"]

# Differences whose cause is known, by what differs.
EXPLAINED = {
    "decoded": "tokenizers 0.23 decodes an added token with `normalized` as its normalized form ([mask] for [MASK]); "
               "0.22 and we give its content",
}
# Files that a reference takes and we do not.
REFUSED = {"whisper-tiny/multilingual.tiktoken": "the last line is no base64"}


def is_explained(ref, what, text):
    return what == "decoded" and any(t in text for t in getattr(ref, "normalized", []))


def random_string(rng, specials):
    parts = []
    for _ in range(rng.choice([1, 1, 2, 3, 5, 8, 15])):
        kind = rng.randrange(14)
        if kind < 4:
            parts.append((" " if rng.random() < .7 else "") + rng.choice(WORDS))
        elif kind < 6:
            lo, hi = rng.choice(SCRIPTS)
            parts.append("".join(chr(rng.randint(lo, hi)) for _ in range(rng.randint(1, 8))))
        elif kind == 6:
            parts.append("".join(rng.choice(SPACES) for _ in range(rng.randint(1, 4))))
        elif kind == 7:
            parts.append(rng.choice(EMOJI))
        elif kind == 8:
            parts.append(rng.choice(CODE))
        elif kind == 9:
            parts.append(rng.choice("aA1 .-_=中é\n😀") * rng.choice([2, 3, 7, 20, 50]))
        elif kind == 10 and specials:
            s = rng.choice(specials)
            parts.append(s if rng.random() < .6 else s[:rng.randint(1, len(s))])
        elif kind == 11:
            parts.append("".join(chr(rng.randrange(0x20)) if rng.random() < .3 else chr(rng.randrange(0x7F, 0xA0))
                                 for _ in range(rng.randint(1, 3))))
        elif kind == 12:
            c = rng.randrange(0x110000)
            while 0xD800 <= c < 0xE000:
                c = rng.randrange(0x110000)
            base = rng.choice("aeoAEO가かअ")
            parts.append(base + chr(rng.choice([0x300, 0x301, 0x308, 0x323, 0x3099, 0x200D, 0xFE0F, 0x94D])) + chr(c))
        else:
            parts.append(rng.choice(WORDS).swapcase())
    return "".join(parts)


class HuggingFace:
    def __init__(self, path):
        import tokenizers
        self.t = tokenizers.Tokenizer.from_file(path)
        self.t.no_padding()
        self.t.no_truncation()
        added = self.t.get_added_tokens_decoder().values()
        self.specials = [t.content for t in added]
        self.normalized = [t.content for t in added if t.normalized]
        self.load, self.options = "-", "special"

    def encode(self, text):
        e = self.t.encode(text)
        return e.ids, e.offsets, self.t.decode(e.ids, skip_special_tokens=False)


class TikToken:
    def __init__(self, path, encoding):
        import tiktoken
        import tiktoken_ext.openai_public as known
        ranks = {}
        for line in open(path, "rb"):
            if line.strip():
                token, rank = line.split()
                ranks[base64.b64decode(token)] = int(rank)
        pattern = known.r50k_pat_str
        if encoding in ("cl100k_base", "llama3"):
            pattern = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
                       r"|\s*[\r\n]+|\s+(?!\S)|\s+")
        self.t = tiktoken.Encoding("x", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
        self.specials = ["<|endoftext|>", "<|begin_of_text|>", "<|fim_prefix|>"]
        self.load, self.options = "encoding=" + encoding, "literal"

    def encode(self, text):
        ids = self.t.encode_ordinary(text)
        return ids, None, self.t.decode(ids)


class SentencePiece:
    def __init__(self, path):
        import sentencepiece
        self.t = sentencepiece.SentencePieceProcessor(model_file=path)
        self.specials = ["<s>", "</s>", "<unk>", "<pad>", "[INST]", "<0x0A>", "\u2581"]
        self.load, self.options = "-", "literal"
        if tuple(int(n) for n in sentencepiece.__version__.split(".")[:3]) > (0, 2, 0):
            self.load = "sentencepiece=0.2.3"  # else the classic arithmetic, our default

    def encode(self, text):
        ids = self.t.encode(text)
        return ids, None, self.t.decode(ids)


def reference(path, fmt, encoding):
    if fmt.startswith("hf-json"):
        return HuggingFace(path)
    if fmt == "tiktoken" and encoding:
        return TikToken(path, encoding)
    if fmt == "spm":
        return SentencePiece(path)
    return None


def to_bytes(text, ranges):
    at = [0]
    for c in text:
        at.append(at[-1] + len(c.encode()))
    return [(at[b], at[e]) for b, e in ranges]


def widen(text_bytes, ranges):
    """Byte ranges outwards to characters, as the reference reports them."""
    def down(i):
        while 0 < i < len(text_bytes) and text_bytes[i] & 0xC0 == 0x80:
            i -= 1
        return i

    def up(i):
        while i < len(text_bytes) and text_bytes[i] & 0xC0 == 0x80:
            i += 1
        return i
    return [(down(b), up(e)) for b, e in ranges]


def compare(tool, name, path, ref, count, rng):
    ours = Ours(tool)
    answer = ours.ask(f"open {path} {ref.load}")
    if answer != "ok":
        print(f"{name}: {answer}")
        return 1
    differ = {"ids": 0, "offsets": 0, "decoded": 0, "explained": 0}
    for _ in range(count):
        text = random_string(rng, ref.specials)
        window = ours.encode(ref.options, [text])
        got, ranges = (window, []) if isinstance(window, str) else window[0][:2]
        ids, offsets, back = ref.encode(text)
        what = None
        if got != ids:
            what = ("ids", ids, got)
        elif offsets is not None:
            if widen(text.encode(), ranges) != to_bytes(text, offsets):
                what = ("offsets", to_bytes(text, offsets), ranges)
        if what is None and back is not None:
            mine = ours.decode(ids, False)
            if mine != back:
                what = ("decoded", back, mine)
        if what is None:
            continue
        if is_explained(ref, what[0], text):
            differ["explained"] += 1
            continue
        differ[what[0]] += 1
        if sum(differ.values()) <= 3:
            print(f"{name}: {what[0]} differ: {ascii(text)}\n  expected {ascii(what[1])[:600]}\n  got      {ascii(what[2])[:600]}")
    print(f"{name}: {count} strings, {differ}", flush=True)
    if differ["explained"]:
        print("  explained:", *EXPLAINED.values())
    return differ["ids"] + differ["offsets"] + differ["decoded"]


def main():
    args = sys.argv[1:]
    tool = args.pop(0)
    count = 20000
    if args and args[0] == "-n":
        count = int(args[1])
        args = args[2:]
    root = os.path.join(os.environ["PENSTOCK_TEST_DATA"], "vocab")
    seed = int(os.environ.get("PENSTOCK_TEST_SEED", "20240607"))
    bad = 0
    with open(os.path.join(root, "MANIFEST.tsv"), encoding="utf-8") as manifest:
        header = manifest.readline().rstrip("\n").split("\t")
        for row in manifest:
            cells = dict(zip(header, row.rstrip("\n").split("\t")))
            name = cells["file"]
            if args and name not in args:
                continue
            path = os.path.join(root, name)
            try:
                ref = reference(path, cells["format"], cells.get("encoding"))
            except Exception as error:  # the reference refuses the file
                print(f"{name}: not loaded by the reference: {str(error)[:100]}")
                continue
            if name in REFUSED:
                print(f"{name}: refused: {REFUSED[name]}")
            elif ref is not None:
                bad += compare(tool, name, path, ref, count, random.Random(seed))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
