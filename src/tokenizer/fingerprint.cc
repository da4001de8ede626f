// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/fingerprint.h"

#include <optional>
#include <string>

#include "base/sha256.h"

namespace penstock::internal {
namespace {

void DescribeTemplate(const std::vector<TemplatePart>& parts, std::string* out) {
  DescribeNumber(static_cast<int64_t>(parts.size()), out);
  for (const TemplatePart& part : parts) {
    DescribeNumber(static_cast<int64_t>(part.kind), out);
    DescribeNumber(part.type_id, out);
    DescribeNumber(static_cast<int64_t>(part.ids.size()), out);
    for (const TokenId id : part.ids) DescribeNumber(id, out);
  }
}

void DescribeChain(const std::optional<PostProcessor::Chain>& chain, std::string* out) {
  if (!chain.has_value()) return;
  out->append("chain:");
  DescribeNumber(static_cast<int64_t>(chain->room), out);
  for (const auto& parts : {chain->with_special, chain->without_special}) {
    if (parts.has_value()) DescribeTemplate(*parts, out);
    out->push_back(';');
  }
}

void DescribeAddedTokens(const Vocabulary& vocabulary, std::string* out) {
  for (const AddedToken& t : vocabulary.added_tokens()) {
    DescribeString(t.content, out);
    DescribeNumber(t.id, out);
    const int flags = t.special | t.single_word << 1 | t.lstrip << 2 | t.rstrip << 3 |
                      t.normalized << 4 | (t.token_class == AddedTokenClass::kControl) << 5;
    DescribeNumber(flags, out);
  }
}

}  // namespace

void DescribeString(std::string_view s, std::string* out) {
  DescribeNumber(static_cast<int64_t>(s.size()), out);
  out->append(s);
}

void DescribeNumber(int64_t n, std::string* out) {
  out->append(std::to_string(n));
  out->push_back(';');
}

std::string_view LazyFingerprint::Get(const EngineParts& parts) const {
  std::call_once(once_, [this, &parts] {
    Sha256 hash;
    std::string text = "penstock-tokenizer-1;";
    const auto flush = [&hash, &text] {
      hash.Update(text);
      text.clear();
    };
    const auto describe = [&text](const char* stage, const auto& component) {
      text.append(stage);
      if (component != nullptr) component->Describe(&text);
      text.push_back('\n');
    };
    describe("normalizer:", parts.normalizer);
    describe("pre_tokenizer:", parts.pre_tokenizer);
    describe("model:", parts.model);
    text.append("post_processor:");
    DescribeTemplate(parts.post_processor.single, &text);
    DescribeTemplate(parts.post_processor.pair, &text);
    DescribeChain(parts.post_processor.single_chain, &text);
    DescribeChain(parts.post_processor.pair_chain, &text);
    text.append("invalid_utf8:");
    DescribeNumber(static_cast<int64_t>(parts.invalid_utf8), &text);
    text.append("added_tokens:");
    DescribeAddedTokens(parts.vocabulary, &text);
    flush();
    for (size_t id = 0; id < parts.vocabulary.size(); ++id) {
      DescribeString(parts.vocabulary.Token(static_cast<TokenId>(id)), &text);
      if (text.size() > 65536) flush();
    }
    flush();
    hex_ = HexOf(hash.Finish());
  });
  return hex_;
}

}  // namespace penstock::internal
