// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/known_encodings.h"

#include <algorithm>

#include "penstock/tokenizer/load.h"
#include "tokenizer/split_grammar.h"

namespace penstock::internal {
namespace {

using SpecialTokens = std::vector<std::pair<std::string, TokenId>>;

// Appends <|PREFIXn|> for n in [first, last), with ids from the last one given on.
void AddNumbered(const std::string& prefix, int first, int last, SpecialTokens* tokens) {
  TokenId id = tokens->back().second;
  for (int n = first; n < last; ++n) {
    tokens->emplace_back("<|" + prefix + std::to_string(n) + "|>", ++id);
  }
}

void AddNamed(std::initializer_list<const char*> names, TokenId first, SpecialTokens* tokens) {
  for (const char* name : names) tokens->emplace_back("<|" + std::string(name) + "|>", first++);
}

KnownEncoding Gpt2() { return {kGpt2Pattern, {{"<|endoftext|>", 50256}}, {}, {}, {}}; }

KnownEncoding P50kEdit() {
  KnownEncoding e = Gpt2();
  AddNamed({"fim_prefix", "fim_middle", "fim_suffix"}, 50281, &e.special_tokens);
  return e;
}

KnownEncoding Cl100k() {
  KnownEncoding e{kCl100kPattern, {}, {}, {}, {}};
  AddNamed({"endoftext", "fim_prefix", "fim_middle", "fim_suffix"}, 100257, &e.special_tokens);
  AddNamed({"endofprompt"}, 100276, &e.special_tokens);
  return e;
}

KnownEncoding O200k() {
  KnownEncoding e{kO200kPattern, {}, {}, {}, {}};
  AddNamed({"endoftext"}, 199999, &e.special_tokens);
  AddNamed({"endofprompt"}, 200018, &e.special_tokens);
  return e;
}

// The published list names 200018 twice, <|endofprompt|> and <|reserved_200018|>; the first is the
// one that decodes there.
KnownEncoding Harmony() {
  KnownEncoding e{kO200kPattern, {}, {}, {}, {}};
  AddNamed({"startoftext", "endoftext", "reserved_200000", "reserved_200001", "return", "constrain",
            "reserved_200004", "channel", "start", "end", "message", "reserved_200009",
            "reserved_200010", "reserved_200011", "call"},
           199998, &e.special_tokens);
  AddNumbered("reserved_", 200013, 200018, &e.special_tokens);
  AddNamed({"endofprompt"}, 200018, &e.special_tokens);
  AddNumbered("reserved_", 200019, 201088, &e.special_tokens);
  return e;
}

// Llama 3.1 and newer (text): 256 special tokens behind the ranks.
KnownEncoding Llama3(TokenId base) {
  KnownEncoding e{kCl100kPattern, {}, base, base + 1, base + 4};
  AddNamed({"begin_of_text", "end_of_text", "reserved_special_token_0", "reserved_special_token_1",
            "finetune_right_pad_id", "step_id", "start_header_id", "end_header_id", "eom_id",
            "eot_id", "python_tag"},
           base, &e.special_tokens);
  AddNumbered("reserved_special_token_", 2, 247, &e.special_tokens);
  return e;
}

// 2048 special tokens behind the ranks.
KnownEncoding Llama4(TokenId base) {
  KnownEncoding e{kO200kPattern, {}, base, base + 1, base + 18};
  AddNamed({"begin_of_text", "end_of_text", "fim_prefix", "fim_middle", "fim_suffix",
            "header_start", "header_end", "eom", "eot", "step"},
           base, &e.special_tokens);
  AddNumbered("text_post_train_reserved_special_token_", 0, 6, &e.special_tokens);
  AddNamed({"python_start", "python_end", "finetune_right_pad"}, base + 16, &e.special_tokens);
  AddNumbered("text_post_train_reserved_special_token_", 8, 69, &e.special_tokens);
  AddNamed({"image_start", "image_end", "vision_reserved_special_token_0",
            "vision_reserved_special_token_1", "tile_x_separator", "tile_y_separator",
            "vision_reserved_special_token_2", "vision_reserved_special_token_3",
            "vision_reserved_special_token_4", "vision_reserved_special_token_5", "image",
            "vision_reserved_special_token_6", "patch"},
           base + 80, &e.special_tokens);
  AddNumbered("vision_reserved_special_token_", 7, 1048, &e.special_tokens);
  AddNumbered("reasoning_reserved_special_token_", 0, 8, &e.special_tokens);
  AddNamed({"reasoning_thinking_start", "reasoning_thinking_end"}, base + 1142, &e.special_tokens);
  AddNumbered("reserved_special_token_", 0, 904, &e.special_tokens);
  return e;
}

// The first generation's qwen.tiktoken; later ones ship tokenizer.json.
KnownEncoding Qwen(TokenId base) {
  KnownEncoding e{kQwen2Pattern, {}, {}, base, base};
  e.nfc = true;
  AddNamed({"endoftext", "im_start", "im_end"}, base, &e.special_tokens);
  AddNumbered("extra_", 0, 205, &e.special_tokens);
  return e;
}

struct Named {
  const char* name;
  KnownEncoding (*make)(TokenId ranks);
};
constexpr Named kEncodings[] = {
    {"cl100k_base", [](TokenId) { return Cl100k(); }},
    {"gpt2", [](TokenId) { return Gpt2(); }},
    {"llama3", [](TokenId ranks) { return Llama3(ranks); }},
    {"llama4", [](TokenId ranks) { return Llama4(ranks); }},
    {"o200k_base", [](TokenId) { return O200k(); }},
    {"o200k_harmony", [](TokenId) { return Harmony(); }},
    {"p50k_base", [](TokenId) { return Gpt2(); }},
    {"p50k_edit", [](TokenId) { return P50kEdit(); }},
    {"qwen", [](TokenId ranks) { return Qwen(ranks); }},
    {"r50k_base", [](TokenId) { return Gpt2(); }},
};

}  // namespace

std::optional<KnownEncoding> FindEncoding(std::string_view name, size_t ranks) {
  for (const Named& encoding : kEncodings) {
    if (encoding.name == name) return encoding.make(static_cast<TokenId>(ranks));
  }
  return std::nullopt;
}

}  // namespace penstock::internal

namespace penstock {

std::vector<std::string> KnownEncodings() {
  std::vector<std::string> names;
  for (const internal::Named& encoding : internal::kEncodings) names.push_back(encoding.name);
  return names;
}

}  // namespace penstock
