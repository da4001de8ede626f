#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random rank files against tiktoken. Not part of the tests.

  pip install tiktoken
  python3 random_ranks.py PATH/penstock_serve_tool [-n FILES] [-t TEXTS] [-s SEED]

Draws rank files (merges of merges, tokens that no merge reaches, ranks with gaps), patterns (those of the
known encodings in both spellings, and others) and special tokens; compares ids of plain text, ids with
special tokens (none a prefix of another: which one tiktoken then finds is chance) and decoded bytes. Exit status 1 if anything differs.
"""
import argparse
import base64
import collections
import sys
import unicodedata

import tiktoken
import tiktoken_ext.openai_public as known

from random_pipelines import REGEXES, Draw, Ours, WORDS

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
LLAMA4 = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?"
          r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|"
          r"\s*[\r\n]+|\s+(?!\S)|\s+")
# Kimi K2's, with intersections of classes.
KIMI = "|".join([r"[\p{Han}]+", r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
                 r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
                 r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"])
KNOWN = [known.r50k_pat_str, LLAMA3, QWEN, LLAMA4, KIMI,
         r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
         r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""]
MAY_BE_EMPTY = {r"a*", r"x?", r"$", r"^", r"\b", r"(?=a)", r"(?<=b)"}
ONIGURUMA = {r"\h+", r"[\u0300-\u036f]", r"\x{4e2d}|é", r"(?m:.)a", r"\pL"}
NAMES = {"r50k_base": known.r50k_pat_str, "p50k_base": known.r50k_pat_str, "llama3": LLAMA3, "qwen": QWEN, "llama4": LLAMA4}


def ranks(draw):
    tokens = [bytes([b]) for b in range(256)]
    if draw.chance(.5):
        draw.r.shuffle(tokens)
    seen = set(tokens)
    alive = [t for t in tokens if chr(t[0]) in "abcde \n'-123" or t[0] in "éか中".encode()] * 2 + tokens
    for _ in range(draw.pick([0, 20, 100, 250])):
        merged = draw.pick(alive[-80:] if draw.chance(.6) else alive) + draw.pick(alive)
        if merged not in seen:
            seen.add(merged)
            tokens.append(merged)
            alive.append(merged)
    for _ in range(draw.pick([0, 0, 10])):  # that merging does not reach, perhaps
        t = (draw.pick(["", " "]) + draw.pick(WORDS)).encode()
        if t not in seen:
            seen.add(t)
            tokens.append(t)
    step = 1
    out, rank = {}, 0
    for t in tokens:
        out[t] = rank
        rank += step
    return out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("-n", type=int, default=200)
    parser.add_argument("-t", type=int, default=100)
    parser.add_argument("-s", type=int, default=1)
    args = parser.parse_args()
    ours = Ours(args.tool)
    counts = collections.Counter()
    for seed in range(args.s, args.s + args.n):
        draw = Draw(seed)
        vocabulary = ranks(draw)
        pattern = draw.pick(KNOWN) if draw.chance(.6) else "|".join(draw.r.sample([r for r in REGEXES if r not in MAY_BE_EMPTY | ONIGURUMA], draw.r.randint(1, 3)))
        specials = {s: len(vocabulary) + 10 + i for i, s in enumerate(draw.r.sample(["<|a|>", "<|ab|>", "<s>", "</s>", "ab", "中", " "], draw.r.randint(0, 4)))}
        file = b"".join(base64.b64encode(t) + b" %d\n" % r for t, r in vocabulary.items())
        name = draw.pick(list(NAMES)) if draw.chance(.1) else None
        options = "pattern=" + base64.b64encode(pattern.encode()).decode()
        if specials:
            options += ",special=" + ";".join(base64.b64encode(s.encode()).decode() + ":" + str(i) for s, i in specials.items())
        if name:
            pattern, options, specials = NAMES[name], "encoding=" + name, {}
        try:
            ref = tiktoken.Encoding("x", pat_str=pattern, mergeable_ranks=vocabulary, special_tokens=specials)
        except BaseException as error:
            counts["refused by the reference: " + str(error)[:60]] += 1
            continue
        answer = ours.ask("load x.tiktoken " + base64.b64encode(file).decode() + " " + options)
        if answer != "ok":
            counts["refused by us: " + answer[:60]] += 1
            print(f"seed {seed}: we refuse: {answer[:400]}", flush=True)
            continue
        counts["files"] += 1
        failed = 0
        for _ in range(args.t):
            text = draw.text(list(specials))
            if name == "qwen":  # its own code normalizes before tiktoken sees the text; so do we
                text = unicodedata.normalize("NFC", text)
            counts["texts"] += 1
            for literal in (True, False) if not name else (True,):
                try:
                    ids = ref.encode_ordinary(text) if literal else ref.encode(text, allowed_special="all")
                except BaseException as error:  # pyo3 panics
                    if isinstance(error, KeyboardInterrupt):
                        raise
                    counts["the reference fails"] += 1
                    continue
                got = ours.encode("literal" if literal else "-", [text])
                got = got if isinstance(got, str) else got[0][0]
                what = None
                if got != ids:
                    what = ("ids", ids, got)
                elif ref.decode(ids) != ours.decode(ids, False):
                    what = ("decoded", ref.decode(ids), ours.decode(ids, False))
                if what is None:
                    continue
                counts["differ: " + what[0]] += 1
                failed += 1
                if failed == 1:
                    print(f"--- seed {seed} {name} literal={literal}: {what[0]} {ascii(text)} pattern {pattern!a} {specials}\n    expected {ascii(what[1])[:400]}\n    got      {ascii(what[2])[:400]}\n    {[vocabulary_token(vocabulary, i) for i in ids][:30]}", flush=True)
    for key, n in sorted(counts.items()):
        print(f"{n:8d} {key}")
    sys.exit(1 if any(k.startswith("differ") for k in counts) else 0)


def vocabulary_token(vocabulary, token_id):
    return next((t for t, i in vocabulary.items() if i == token_id), None)


if __name__ == "__main__":
    main()
