# SPDX-License-Identifier: Apache-2.0
"""Chunking speed of peers from PyPI beside ours: same text, same vocabulary, same run, one thread.

    python3 -m venv /tmp/peers
    /tmp/peers/bin/pip install tiktoken semchunk chonkie langchain-text-splitters semantic-text-splitter
    sh bench/run.sh chunker_bench --help          # builds build/bench/bench/chunker_bench
    /tmp/peers/bin/python bench/peers/chunkers.py build/bench/bench/chunker_bench RANKS TEXT [BYTES]

RANKS is cl100k_base.tiktoken, TEXT any file in UTF-8, BYTES how much of it to read (2 000 000). All
cut at 512 tokens without overlap, as each is used by default; ours leaves a tenth unused (headroom
0.9). semantic-text-splitter brings its own copy of the vocabulary. Printed for each: seconds, MB/s,
ours divided by theirs, chunks, chunks over 512 tokens as tiktoken counts them, and whether the
chunks joined are the text. One pass each, after a warm-up on the first 20 000 characters.
"""
import json
import os
import subprocess
import sys
import tempfile
import time

import tiktoken
from tiktoken.load import load_tiktoken_bpe

PATTERN = (
    r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"""
    r"""|\s++$|\s*[\r\n]|\s+(?!\S)|\s"""
)
BUDGET = 512


def text_of(chunk):
    return chunk if isinstance(chunk, str) else chunk.text


def splitters(encoding):
    count = lambda text: len(encoding.encode_ordinary(text))

    def semchunk():
        import semchunk

        return semchunk.chunkerify(count, BUDGET)

    def chonkie(name):
        import chonkie

        return getattr(chonkie, name)(tokenizer=encoding, chunk_size=BUDGET).chunk

    def chonkie_sentence():
        import chonkie

        return chonkie.SentenceChunker(
            tokenizer=encoding, chunk_size=BUDGET, chunk_overlap=0
        ).chunk

    def langchain():
        from langchain_text_splitters import RecursiveCharacterTextSplitter

        return RecursiveCharacterTextSplitter(
            chunk_size=BUDGET, chunk_overlap=0, length_function=count
        ).split_text

    def semantic():
        from semantic_text_splitter import TextSplitter

        return TextSplitter.from_tiktoken_model("gpt-4", BUDGET, trim=False).chunks

    return {
        "semchunk": semchunk,
        "chonkie RecursiveChunker": lambda: chonkie("RecursiveChunker"),
        "chonkie SentenceChunker": chonkie_sentence,
        "LangChain recursive": langchain,
        "semantic-text-splitter": semantic,
    }


def ours(program, ranks, text):
    with tempfile.NamedTemporaryFile(suffix=".txt") as file:
        file.write(text.encode())
        file.flush()
        environment = dict(
            os.environ,
            PENSTOCK_BENCH_TEXT=file.name,
            PENSTOCK_BENCH_TOKENIZER=ranks,
            PENSTOCK_BENCH_ENCODING="cl100k_base",
        )
        command = [program, "--benchmark_filter=^Split512", "--benchmark_format=json"]
        out = subprocess.run(command, env=environment, check=True, capture_output=True).stdout
    out = out[out.index(b"{") :]
    row = json.loads(out)["benchmarks"][0]
    assert row["time_unit"] == "ns"
    return row["real_time"] * 1e-9


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    program, ranks, path = sys.argv[1:4]
    size = int(sys.argv[4]) if len(sys.argv) > 4 else 2_000_000
    with open(path, "rb") as file:
        text = file.read(size).decode("utf-8", "ignore")
    bytes_ = len(text.encode())
    encoding = tiktoken.Encoding(
        "cl100k_base", pat_str=PATTERN, mergeable_ranks=load_tiktoken_bpe(ranks), special_tokens={}
    )
    best = ours(program, ranks, text)
    print(f"{path}, {bytes_} bytes")
    print(f"{'penstock':26} {best:8.3f} s {bytes_ / best / 1e6:8.2f} MB/s", flush=True)
    for name, make in splitters(encoding).items():
        split = make()
        split(text[:20_000])
        begin = time.perf_counter()
        chunks = [text_of(chunk) for chunk in split(text)]
        seconds = time.perf_counter() - begin
        over = sum(len(encoding.encode_ordinary(chunk)) > BUDGET for chunk in chunks)
        whole = "whole" if "".join(chunks) == text else "not the whole text"
        print(
            f"{name:26} {seconds:8.3f} s {bytes_ / seconds / 1e6:8.2f} MB/s  ours x"
            f"{seconds / best:7.1f}  {len(chunks)} chunks, {over} over {BUDGET}, {whole}",
            flush=True,
        )


if __name__ == "__main__":
    main()
