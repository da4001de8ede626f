# SPDX-License-Identifier: Apache-2.0
"""A request trace through the prefix caches of vLLM and SGLang beside ours: same trace, same run.

    pip install numpy
    pip download --no-deps -d /tmp/kvpeers vllm==0.33.0 sglang==0.5.23    # 375 MB, not installed
    sh bench/run.sh kv_replay --help                        # builds build/bench/bench/kv_replay
    python bench/peers/kv_caches.py build/bench/bench/kv_replay /tmp/kvpeers TRACE [N,N,…]

TRACE is what kv_replay reads (Mooncake form, plain or .gz), N capacities in blocks. Neither peer
needs a GPU for its index, but both import torch: the modules of the index are read from the wheels
as they are, every other import gets an empty shell (SHELLS_BUT), tensors are NumPy arrays.

A request does what the peer's scheduler does: match, lock, make room, insert, unlock; one at a
time, the last token of a prompt left to be computed. As in kv_replay a trace block is one cache
block of two tokens (its id, twice). Printed: block hit rate, nanoseconds of a block (the whole
request by the blocks of its prompt), and theirs divided by ours. vLLM's block hashes (SHA-256, its
default) are taken once outside and once inside the clock, ours always inside; SGLang has none.
Python's cyclic collector is off while the clock runs.
"""
import gc
import glob
import gzip
import importlib.abc
import importlib.machinery
import json
import os
import re
import subprocess
import sys
import time
import types
from array import array

import numpy

SHELLS_BUT = (
    "vllm.v1.core.block_pool",
    "vllm.v1.core.kv_cache_utils",
    "vllm.utils.hashing",
    "vllm.utils.math_utils",
    "sglang.srt.mem_cache.radix_cache",
    "sglang.srt.mem_cache.base_prefix_cache",
    "sglang.srt.mem_cache.cache_init_params",
    "sglang.srt.mem_cache.events",
    "sglang.srt.mem_cache.evict_policy",
    "sglang.srt.mem_cache.utils",
)
SHELLS = ("torch", "vllm", "sglang", "cbor2", "triton")
BLOCK_TOKENS = 2


class AnyName(type):
    """The type of what a shell module holds: any attribute, `X | None`, `X[…]`."""

    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything

    def __or__(cls, other):
        return cls

    __ror__ = __getitem__ = __or__


class Anything(metaclass=AnyName):
    def __init__(self, *args, **kwargs):
        pass

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything()

    def __call__(self, *args, **kwargs):
        return args[0] if len(args) == 1 and callable(args[0]) else Anything()


class Shell(types.ModuleType):
    def __getattr__(self, name):
        if name.startswith("__") or f"{self.__name__}.{name}" in SHELLS_BUT:
            raise AttributeError(name)
        return Anything


class Wheels(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the modules of SHELLS_BUT in wheels; what else the peers import becomes a shell."""

    def __init__(self, directory):
        self.path = []
        for peer in ("vllm", "sglang"):
            found = glob.glob(os.path.join(directory, peer + "-*.whl"))
            if not found:
                sys.exit(f"{directory} holds no wheel of {peer}")
            self.path.append(found[0])
            print(os.path.basename(found[0]))

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in SHELLS:
            return None
        if name in SHELLS_BUT:
            folder = name.rpartition(".")[0].replace(".", "/")
            places = [os.path.join(wheel, folder) for wheel in self.path]
            return importlib.machinery.PathFinder.find_spec(name, places)
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        return Shell(spec.name)

    def exec_module(self, module):
        pass


class Tensor(numpy.ndarray):
    clone = numpy.ndarray.copy


def torch():
    shell = Shell("torch")
    shell.device = type("device", (str,), {})
    shell.Tensor = Tensor
    shell.int64 = numpy.int64
    shell.empty = lambda shape, dtype, device: numpy.empty(shape, dtype).view(Tensor)
    shell.cat = lambda parts: numpy.concatenate(parts)
    return shell


def read_trace(path):
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    with (gzip.open if packed else open)(path, "rt") as file:
        return [json.loads(line)["hash_ids"] for line in file if line.strip()]


def replay_vllm(trace, capacity, hash_inside):
    from vllm.utils.hashing import sha256
    from vllm.v1.core import kv_cache_utils
    from vllm.v1.core.block_pool import BlockPool

    kv_cache_utils.init_none_hash(sha256)
    # One for its null block, one for the token that ends a prompt.
    pool = BlockPool(capacity + 2, enable_caching=True, hash_block_size=BLOCK_TOKENS)

    def hashes_of(ids):
        hashes, last = [], None
        for i in ids:
            last = kv_cache_utils.hash_block_tokens(sha256, last, (i,) * BLOCK_TOKENS, None)
            hashes.append(last)
        return hashes

    hits = nanoseconds = 0
    request = types.SimpleNamespace()
    for ids in trace:
        hashes = None if hash_inside else hashes_of(ids)
        begin = time.perf_counter_ns()
        request.block_hashes = hashes = hashes or hashes_of(ids)
        blocks = []
        for block_hash in hashes:
            cached = pool.get_cached_block(block_hash, [0])
            if not cached:
                break
            blocks.append(cached[0])
        matched = len(blocks)
        pool.touch(blocks)
        wanted = len(ids) + 1 - matched
        if wanted <= pool.get_num_free_blocks():
            blocks += pool.get_new_blocks(wanted)
            pool.cache_full_blocks(request, blocks, matched, len(ids), BLOCK_TOKENS, 0)
            hits += matched
        pool.free_blocks(reversed(blocks))
        nanoseconds += time.perf_counter_ns() - begin
    return hits, nanoseconds


class Rows:
    """The allocator of SGLang's pool: counts what is free."""

    device = "cpu"

    def __init__(self, rows):
        self.free = rows

    def free_segment(self, rows, start_pos):
        self.free += len(rows)


def replay_sglang(trace, capacity):
    from sglang.srt.mem_cache.base_prefix_cache import EvictParams, InsertParams, MatchPrefixParams
    from sglang.srt.mem_cache.radix_cache import RadixCache, RadixKey

    rows = Rows(capacity * BLOCK_TOKENS)
    tree = RadixCache.create_simulated(mock_allocator=rows, page_size=BLOCK_TOKENS)
    hits = nanoseconds = 0
    for ids in trace:
        tokens = array("q", numpy.repeat(ids, BLOCK_TOKENS).tolist())
        values = numpy.arange(len(tokens)).view(Tensor)
        begin = time.perf_counter_ns()
        key = RadixKey(tokens)
        match = tree.match_prefix(MatchPrefixParams(key=key))
        tree.path_device_indices(match.last_device_node)
        tree.inc_lock_ref(match.last_device_node)
        wanted = len(tokens) - match.device_prefix_len
        if wanted > rows.free:
            tree.evict(EvictParams(num_tokens=wanted - rows.free))
        if wanted <= rows.free:
            rows.free -= wanted
            tree.insert(InsertParams(key=key, value=values))
            hits += match.device_prefix_len // BLOCK_TOKENS
        tree.dec_lock_ref(match.last_device_node)
        nanoseconds += time.perf_counter_ns() - begin
    assert tree.total_size() == capacity * BLOCK_TOKENS - rows.free
    return hits, nanoseconds


def ours(program, path, capacity):
    command = [program, "--trace", path, "--policy", "lru", "--capacity", str(capacity)]
    out = subprocess.run(command + ["--no-optimum"], check=True, capture_output=True, text=True)
    row = re.search(r"^  lru +([\d.]+) .* (\d+)$", out.stdout, re.MULTILINE)
    return float(row[1]), float(row[2])


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    program, directory, path = sys.argv[1:4]
    capacities = sys.argv[4] if len(sys.argv) > 4 else "1000,2000,5000,10000,20000,50000"
    sys.modules["torch"] = torch()
    sys.meta_path.insert(0, Wheels(directory))
    trace = read_trace(path)
    references = sum(map(len, trace))
    print(f"{path}: {len(trace)} requests, {references} block references")
    peers = {
        "vLLM block pool": lambda capacity: replay_vllm(trace, capacity, False),
        "vLLM with hashing": lambda capacity: replay_vllm(trace, capacity, True),
        "SGLang radix cache": lambda capacity: replay_sglang(trace, capacity),
    }
    for capacity in map(int, capacities.split(",")):
        rate, best = ours(program, path, capacity)
        print(f"{capacity} blocks\n  {'penstock, LRU':20} {rate:7.4f} {best:9.0f} ns", flush=True)
        for name, replay in peers.items():
            gc.collect()
            gc.disable()
            hits, nanoseconds = replay(capacity)
            gc.enable()
            theirs = nanoseconds / references
            print(
                f"  {name:20} {hits / references:7.4f} {theirs:9.0f} ns  x {theirs / best:7.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
