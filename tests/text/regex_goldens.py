#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the reference engines find with each pattern below; prints regex_goldens.h.

    pip install tokenizers==0.23.3 tiktoken==0.14.0
    python3 tests/text/regex_goldens.py > tests/text/regex_goldens.h

The digest is FNV-1a (64 bits) over the matches, in order, in each of the random strings of
random_strings(): "61 62|63;" for the matches "ab" and "c". Empty matches do not count.
"""
import tiktoken
import tokenizers
from tokenizers import Regex, pre_tokenizers

STRINGS = 150
ALPHABET = ("abcKsztlvreSTMD  \t\n\n\r'019_-/.,!?(#{}$^|[]+*&~\\\u00e9\u00c9\u0301\u093f\u4e2d\u65e5\u3042\u30a2\u0e01"
            "\uac00\u0663\u00b2\u00bd\u2160\u200d\u200c\u0085\u00a0\u3000\u2028\u017f\u212a\u00df\u1e9e\u03c3\u03c2\u03a3\u01c5"
            "\u02b0\u0410\u0430\u20ac\u2192\U0001f600\u2764\U00031350\u1c89\u1c8a\ua7cb\ua7cc\U00010d40\U00010d50\ufffd\ue000")

KNOWN = [
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"\s?[A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u1c80-\u1c88\ua640-\ua66d]+",
    r"\s?\p{L}+|\s?\p{N}+|[\r\n]|\s+$",
    r"\w+|[^\w\s]+", r"\p{N}", r"[0-9][0-9][0-9]", r"(\p{Ll})(\p{Lu})", r"\d+|\D+", r"\p{P}|\p{S}+",
]
BOTH = KNOWN + [
    r"\bs|s\b", r"\Ba", r"\w+(?=\s)", r"(?<=\s)\w+", r"(?<!\w)\p{L}", r"(?>a|ab)c?", r"[a-c]{2,}",
    r"[^a-z\s]+", r"[]a]", r"[^]a]+", r"[a\-z]", r"[a-]", r"[-a]", r"[a-z&&[^bc]]+", r"[a[b-c]K]+",
    r"[^a&&a]", r"[[^a-z]&&\w]+", r"(?i)[^a-z]+", r"(?i)[k-s]+", "(?i:\u03c3)+", r"(?i)SS?",
    r"[\d\s]+", r"[\D\S]", r"[\w.-]+", r"\h+", r"\H+", r"[\h_]+", r"\.|\,|\-|\/|\#", r"\u0061|\x62",
    r"\x{4e2d}|[\x{3040}-\x{30ff}]", r".+", r"\N+", r"\p{^L}+", r"\P{L}+", r"\p{Greek}|\p{Cyrl}+",
    r"\p{Uppercase Letter}", r"\p{LC}+", r"\p{Alphabetic}+", r"\p{Lowercase}|\p{Uppercase}",
    r"\p{White_Space}+", r"\p{Emoji}", r"\p{Any}", r"\p{Assigned}+", r"a{,2}b", r"a{2}|b{1,}", r"a+?|b*?c",
    r"(?:a|b)?c", r"(?x) a b # comment", r"(?:\s\w){1,2}", r"(?<name>a)|(?:b)", r"(?i)a(?-i)b|c",
    r"a(?#no)b|\t|\f|\v|\e|\a", r"\z|a", r"\Aa|\A\s", r"[\n\r\t]+", r"[$^|.*+?(){}]", r"\{|\}|\[",
    r"\s+\z|\w\Z", r"[\p{L}--a]",
]
RUST = [
    r"(?i:ß)",  # Oniguruma: also "ss"
    r"(?s).+", r"(?m)^.|.$", r"^.|.$", r"\pL+|\PN", r"[a-z--[bc]]+", r"[a-c~~b-d]+", r"[[:alpha:]]+|[[:^ascii:]]",
    r"[[:punct:]]+|[[:word:]]+", r"(?i)\p{Lu}+", r"(?i)[\p{Lu}&&\p{ASCII}]+", r"\p{IsHan}|\p{sc=Hira}|\p{gc=Nd}",
    r"\p{Script=Thai}|\p{General_Category=Sc}", r"(?m:^\s|\s$)", r"(?s:.)(?-s:.)", r"a{1,2}+b?", r"\p{N}{1,3}+.",
    r"(?i)(?:k|s)(?-i:k|s)?", r"\u{61}", r"[[:digit:][:space:]]+",
]
ONIG = [
    r"(?m).+", r"^.|.$", r"\s+$", r"[[:alpha:]]+|[[:^ascii:]]", r"[[:punct:]]+", r"[[:word:]]+|[[:graph:]]",
    r"[[:print:]]+", r"[[:cntrl:][:blank:]]+", r"[[:upper:]][[:lower:]]*", r"[[:alnum:]]+|[[:xdigit:]]",
    r"(?i)\p{Lu}+", r"(?i)[\p{Lu}]+", r"(?i)[^\p{Lu}]+", r"(?i)[K-L&&\p{Lu}]", r"a(?i)k|s", r"(a(?i)k|s)e|t",
    r"a{1,2}+b?", r"\p{N}{1,3}+.", r"a{2}?b", r"[ab]{1,2}?c", r"[a-c&&]|s", r"\O\O", r"\pL|a", r"\q|r",
    r"(?:\r\n|\n)+", r"\R", r"\Bs|\B\s", r"a++b|K*+s", r"(?i:[sdmt]|ll)", r"[\x{61}-\x{63}]", r"(?<!a)(?<=\s)s",
]


def fnv(text):
    h = 0xCBF29CE484222325
    for b in text.encode():
        h = (h ^ b) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return h


def random_strings():
    state, out = 1, []
    for _ in range(STRINGS):
        s = ""
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        for _ in range(1 + (state >> 33) % 14):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            s += ALPHABET[(state >> 33) % len(ALPHABET)]
        out.append(s)
    return out


def digest(strings, find):
    return fnv("".join("|".join(" ".join("%X" % ord(c) for c in m) for m in find(s) if m) + ";"
                       for s in strings))


def onig(pattern):
    split = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
    return lambda s: [s[a:b] for _, (a, b) in split.pre_tokenize_str(s)]


def rust(pattern, ranks):
    encoding = tiktoken.Encoding("x", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    return lambda s: [encoding.decode_single_token_bytes(t).decode()
                      for t in encoding.encode_ordinary(s)]


def quoted(pattern):
    out = ""
    for b in pattern.encode():
        c = chr(b)
        out += "\\" + c if c in '"\\' else c if 32 <= b < 127 else "\\%03o" % b
    return '"%s"' % out


def main():
    strings = random_strings()
    # Every substring is a token, so that each match comes back as one token.
    ranks = {bytes([i]): i for i in range(256)}
    for s in strings:
        for i in range(len(s)):
            for j in range(i + 1, len(s) + 1):
                ranks.setdefault(s[i:j].encode(), len(ranks))
    rows = []
    for pattern in BOTH + ONIG:
        if "--" not in pattern:
            rows.append(("kOniguruma", pattern, digest(strings, onig(pattern))))
    for pattern in BOTH + RUST:
        if pattern in (r"\z|a", r"a+?|b*?c"):
            continue  # tiktoken panics on empty matches
        rows.append(("kRust", pattern, digest(strings, rust(pattern, ranks))))
    print("""// SPDX-License-Identifier: Apache-2.0
// Generated by tests/text/regex_goldens.py (do not edit) with tokenizers %s, tiktoken %s.
#ifndef PENSTOCK_TESTS_TEXT_REGEX_GOLDENS_H_
#define PENSTOCK_TESTS_TEXT_REGEX_GOLDENS_H_

#include <cstdint>

#include "text/reference_classes.h"

namespace penstock::internal {

struct RegexGolden {
  RegexFlavor flavor;
  const char* pattern;
  uint64_t digest;
};

inline constexpr int kRegexGoldenStrings = %d;
inline constexpr char32_t kRegexGoldenAlphabet[] =
    U"%s";

inline constexpr RegexGolden kRegexGoldens[] = {""" % (
        tokenizers.__version__, tiktoken.__version__, STRINGS,
        "".join("\\U%08X" % ord(c) if ord(c) >= 0xA0 else
                "\\%03o" % ord(c) if not c.isalnum() else c for c in ALPHABET)))
    for flavor, pattern, value in rows:
        print("    {RegexFlavor::%s, %s, 0x%016XULL}," % (flavor, quoted(pattern), value))
    print("""};

}  // namespace penstock::internal

#endif  // PENSTOCK_TESTS_TEXT_REGEX_GOLDENS_H_""")


if __name__ == "__main__":
    main()
