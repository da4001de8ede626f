#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random SentencePiece models against sentencepiece. Not part of the tests.

  pip install sentencepiece==0.2.3 protobuf
  python3 random_sentencepiece.py PATH/penstock_serve_tool [-n MODELS] [-t TEXTS] [-s SEED]

Trains small models with random trainer options (unigram, BPE, word and char; byte fallback, user-defined
and control pieces, every normalization rule and custom ones, white-space rules, digits, scripts), then
edits some of them: scores on a coarse grid (ties), unused pieces, other piece types. Compares ids, byte
offsets and decoded text. Exit status 1 if anything differs.
"""
import argparse
import base64
import collections
import io
import random
import sys
import tempfile

import sentencepiece as sp
from sentencepiece import sentencepiece_model_pb2 as pb

from random_pipelines import Draw, Ours

RULES = ["nmt_nfkc", "nfkc", "nmt_nfkc_cf", "nfkc_cf", "identity"]
SENTENCES = """the quick brown fox jumps over the lazy dog
I'm sure you're right, aren't you? 12 345 2024-01-01
naïve café e\u0301te\u0301 Straße ﬁne ½ ² Ⅳ ａｂｃ １２３
中文字符 日本語テキスト 한국어 문장 がぎぐ ｶﾞｷﾞ
привет мир Ελληνικά שלום العربية हिन्दी ไทย
def f(x):\treturn x + 1  # comment ==== ---- ....
👩‍👩‍👧 🇩🇪 👍🏽 ❤️ aaa aaaa ababab abcabc""".split("\n")


def custom_rule(draw):
    """A tsv of code points: source, target (empty: removed)."""
    seen = {}
    for _ in range(draw.r.randint(1, 12)):
        source = draw.pick(["a", "ab", "abc", "é", "e\u0301", "中", "  ", " ", "\t", "İ", "ﬁ", "👍🏽", "Ａ", "\u0301", "x", "<s>", "▁"])
        target = draw.pick(["", "b", " ", "ab", "▁", "é", "中文", "  ", "A"])
        if target != source:
            seen[source] = target
    lines = []
    for source, target in seen.items():
        codes = lambda s: " ".join("%04X" % ord(c) for c in s)
        lines.append(codes(source) + "\t" + codes(target))
    f = tempfile.NamedTemporaryFile("w", suffix=".tsv", delete=False)
    f.write("\n".join(lines) + "\n")
    f.close()
    return f.name


def train(draw):
    model_type = draw.pick(["unigram", "unigram", "bpe", "bpe", "word", "char"])
    lines = [draw.pick(SENTENCES) for _ in range(90)] + [draw.text([]).replace("\n", " ").replace("\0", "") or "a" for _ in range(60)]
    options = dict(
        model_type=model_type, vocab_size=draw.pick([60, 120, 300, 700]), hard_vocab_limit=False, minloglevel=2, num_threads=1,
        character_coverage=draw.pick([1.0, 1.0, 0.999, 0.98]), add_dummy_prefix=draw.chance(.7), remove_extra_whitespaces=draw.chance(.7),
        treat_whitespace_as_suffix=draw.chance(.25), split_digits=draw.chance(.3), split_by_number=draw.chance(.7),
        split_by_unicode_script=draw.chance(.7), split_by_whitespace=draw.chance(.7), byte_fallback=draw.chance(.4),
        allow_whitespace_only_pieces=draw.chance(.3), escape_whitespaces=True, unk_surface=draw.pick([" \u2047 ", "?", ""]))
    if draw.chance(.5):
        options["user_defined_symbols"] = draw.r.sample(["<sep>", "ab", "abc", "  ", "\u2581\u2581", "中", "é", "e\u0301", "<s1>", "👍", "12", "\t", "x y"], draw.r.randint(1, 5))
    if draw.chance(.3):
        options["control_symbols"] = draw.r.sample(["<ctl>", "[INST]", "a", "the"], draw.r.randint(1, 2))
    if draw.chance(.25):
        options["normalization_rule_tsv"] = custom_rule(draw)
    else:
        options["normalization_rule_name"] = draw.pick(RULES)
    if draw.chance(.2):
        options["pad_id"] = 3
    if options["byte_fallback"]:
        options["vocab_size"] += 256
    out = io.BytesIO()
    if model_type in ("bpe", "word", "char", "unigram"):
        for _ in range(6):
            try:
                sp.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_writer=out, **options)
                break
            except Exception as error:
                options["vocab_size"] = int(options["vocab_size"] * 1.6)
                last = error
        else:
            return None, str(last)
    return out.getvalue(), options


def edit(draw, data):
    """Ties and odd pieces: what trainers rarely write and readers must honour."""
    proto = pb.ModelProto()
    proto.ParseFromString(data)
    kind = draw.r.randrange(6)
    for p in proto.pieces:
        if p.type != pb.ModelProto.SentencePiece.NORMAL:
            continue
        if kind == 1:
            p.score = round(p.score)
        elif kind == 2:
            p.score = round(p.score * 2) / 2 - (1e-6 if draw.chance(.5) else 0)
        elif kind == 3 and draw.chance(.1):
            p.type = pb.ModelProto.SentencePiece.UNUSED
        elif kind == 4 and draw.chance(.05):
            p.type = pb.ModelProto.SentencePiece.USER_DEFINED
    if draw.chance(.15):
        proto.normalizer_spec.escape_whitespaces = draw.chance(.5)
    if draw.chance(.1):
        proto.normalizer_spec.add_dummy_prefix = not proto.normalizer_spec.add_dummy_prefix
    if draw.chance(.1):
        proto.normalizer_spec.remove_extra_whitespaces = not proto.normalizer_spec.remove_extra_whitespaces
    if draw.chance(.1):
        proto.denormalizer_spec.CopyFrom(proto.normalizer_spec)
        proto.denormalizer_spec.add_dummy_prefix = False
    return proto.SerializeToString()


def agree(ours, theirs, piece, size):
    """We give whole characters, and none that were removed; sentencepiece gives what was removed, and all of
    an expansion, to one piece and leaves its neighbours empty. Both must touch, but for bytes of unknown text."""
    return ours[0] <= ours[1] <= size and (piece.startswith("<0x") or ours[0] == size or (ours[0] <= theirs[1] and theirs[0] <= ours[1]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("-n", type=int, default=100)
    parser.add_argument("-t", type=int, default=200)
    parser.add_argument("-s", type=int, default=1)
    parser.add_argument("--show", type=int, default=12)
    args = parser.parse_args()
    ours = Ours(args.tool)
    counts = collections.Counter()
    shown = 0
    # Releases differ in how unigram scores are added up (SentencePieceScores).
    new = tuple(int(n) for n in sp.__version__.split(".")[:3]) > (0, 2, 0)
    for seed in range(args.s, args.s + args.n):
        draw = Draw(seed)
        data, options = train(draw)
        if data is None:
            counts["not trained: " + options[:60]] += 1
            continue
        data = edit(draw, data)
        try:
            ref = sp.SentencePieceProcessor(model_proto=data)
        except Exception as error:
            counts["refused by the reference"] += 1
            continue
        answer = ours.ask("load m.model " + base64.b64encode(data).decode() + (" sentencepiece=0.2.3" if new else " -"))
        if answer != "ok":
            counts["refused by us"] += 1
            print(f"seed {seed}: we refuse: {answer[:300]}", flush=True)
            continue
        counts["models " + options["model_type"]] += 1
        specials = [ref.id_to_piece(i) for i in range(len(ref)) if ref.is_control(i)] + list(options.get("user_defined_symbols", []))
        failed = 0
        for _ in range(args.t):
            text = draw.text(specials).replace("\0", "") if draw.chance(.9) else draw.text(specials)
            counts["texts"] += 1
            got = ours.encode("literal", [text])
            proto = ref.encode(text, return_type="proto")
            ids = [p.id for p in proto.pieces]
            offsets = [(p.begin, p.end) for p in proto.pieces]
            what = None
            if isinstance(got, str):
                what = ("error", ids, got)
            elif got[0][0] != ids:
                what = ("ids", ids, got[0][0])
            elif not all(agree(o, r, p.piece, len(text.encode())) for o, r, p in zip(got[0][1], offsets, proto.pieces)):
                what = ("offsets", offsets, got[0][1])
            else:
                back, mine = ref.decode(ids), ours.decode(ids, False)
                if back != mine:
                    what = ("decoded", back, mine)
            if what is None:
                continue
            counts["differ: " + what[0]] += 1
            failed += 1
            if failed == 1 and shown < args.show:
                shown += 1
                print(f"--- seed {seed}: {what[0]} {ascii(text)}\n    {ascii(options)}\n    expected {ascii(what[1])[:500]}\n"
                      f"    got      {ascii(what[2])[:500]}\n    {[p.piece for p in proto.pieces][:40]!a}", flush=True)
    for key, n in sorted(counts.items()):
        print(f"{n:8d} {key}")
    sys.exit(1 if any(k.startswith("differ") for k in counts) else 0)


if __name__ == "__main__":
    main()
