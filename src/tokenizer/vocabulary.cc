// SPDX-License-Identifier: Apache-2.0
#include "penstock/tokenizer/vocabulary.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/absl_compat.h"
#include "penstock/base/status_macros.h"
#include "tokenizer/byte_map.h"
#include "tokenizer/engine.h"

namespace penstock {

using internal::AbslView;
using internal::ByteMap;
using internal::ByteMapBuilder;

struct Vocabulary::Rep {
  std::vector<std::string> tokens;
  std::vector<uint8_t> present;      // by id
  std::vector<int32_t> added_by_id;  // index into added, or -1
  std::vector<AddedToken> added;     // ascending id
  ByteMap ids;
  ByteMap added_ids;  // asked first
  SpecialIds special;
};

namespace {

// Ids that nobody can have meant: a hole of this size is a damaged file, not a vocabulary.
constexpr TokenId kMaxId = (TokenId{1} << 30) - 1;

absl::Status PlaceAddedTokens(std::vector<std::string>* tokens, std::vector<AddedToken>* added) {
  std::stable_sort(added->begin(), added->end(),
                   [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  for (size_t i = 0; i < added->size(); ++i) {
    const AddedToken& token = (*added)[i];
    if (token.id < 0 || token.id > kMaxId) {
      return absl::InvalidArgumentError(absl::StrCat("added token \"", token.content, "\" has id ",
                                                     token.id, ", expected an id in [0, ", kMaxId,
                                                     "]"));
    }
    if (token.content.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("added token ", token.id, " is empty, expected at least one byte"));
    }
    if (i > 0 && (*added)[i - 1].id == token.id) {
      return absl::InvalidArgumentError(
          absl::StrCat("id ", token.id, " belongs to two added tokens, \"", (*added)[i - 1].content,
                       "\" and \"", token.content, "\""));
    }
    if (static_cast<size_t>(token.id) >= tokens->size()) {
      // Files number their added tokens from the end of the vocabulary; a gap of millions is not
      // one.
      if (static_cast<size_t>(token.id) > tokens->size() + (size_t{1} << 22)) {
        return absl::InvalidArgumentError(
            absl::StrCat("added token \"", token.content, "\" has id ", token.id,
                         ", far beyond a vocabulary of ", tokens->size()));
      }
      tokens->resize(static_cast<size_t>(token.id) + 1);
    }
    std::string& bytes = (*tokens)[static_cast<size_t>(token.id)];
    if (!bytes.empty() && bytes != token.content) {
      return absl::InvalidArgumentError(absl::StrCat("added token \"", token.content, "\" has id ",
                                                     token.id, ", which belongs to \"", bytes,
                                                     "\""));
    }
    bytes = token.content;
  }
  return absl::OkStatus();
}

absl::Status CheckSpecial(const char* role, std::optional<TokenId> id,
                          const std::vector<std::string>& tokens) {
  if (!id.has_value()) return absl::OkStatus();
  if (*id >= 0 && static_cast<size_t>(*id) < tokens.size() &&
      !tokens[static_cast<size_t>(*id)].empty()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat(role, " id ", *id, " is not in the vocabulary of ", tokens.size()));
}

}  // namespace

Vocabulary::Vocabulary() {
  static const std::shared_ptr<const Rep> empty = std::make_shared<Rep>();
  rep_ = empty;
}

absl::StatusOr<Vocabulary> Vocabulary::Create(std::vector<std::string> tokens,
                                              std::vector<AddedToken> added, SpecialIds special) {
  return Build(std::move(tokens), std::move(added), special, /*duplicates=*/false);
}

absl::StatusOr<Vocabulary> Vocabulary::Build(std::vector<std::string> tokens,
                                             std::vector<AddedToken> added, SpecialIds special,
                                             bool duplicates) {
  if (tokens.size() > static_cast<size_t>(kMaxId)) {
    return absl::InvalidArgumentError(
        absl::StrCat(tokens.size(), " tokens, expected fewer than ", kMaxId));
  }
  std::vector<uint8_t> is_model(tokens.size());
  for (size_t i = 0; i < tokens.size(); ++i) is_model[i] = !tokens[i].empty();
  PENSTOCK_RETURN_IF_ERROR(PlaceAddedTokens(&tokens, &added));
  for (const auto& [role, id] : {std::pair{"unk", special.unk},
                                 {"bos", special.bos},
                                 {"eos", special.eos},
                                 {"pad", special.pad},
                                 {"mask", special.mask},
                                 {"cls", special.cls},
                                 {"sep", special.sep}}) {
    PENSTOCK_RETURN_IF_ERROR(CheckSpecial(role, id, tokens));
  }

  auto rep = std::make_shared<Rep>();
  rep->special = special;
  rep->present.resize(tokens.size());
  rep->added_by_id.assign(tokens.size(), -1);
  ByteMapBuilder added_ids;
  for (size_t i = 0; i < added.size(); ++i) {
    const AddedToken& token = added[i];
    rep->added_by_id[static_cast<size_t>(token.id)] = static_cast<int32_t>(i);
    added_ids.Insert(token.content, token.id);  // of two, the smaller id
  }
  size_t bytes = 0;
  for (const std::string& t : tokens) bytes += t.size();
  ByteMapBuilder ids;
  ids.Reserve(tokens.size(), bytes);
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].empty()) continue;
    rep->present[i] = 1;
    if (i >= is_model.size() || !is_model[i]) continue;
    if (!ids.Insert(tokens[i], static_cast<int32_t>(i)) && !duplicates) {
      return absl::InvalidArgumentError(absl::StrCat("ids ", ids.Find(tokens[i]), " and ", i,
                                                     " have the same bytes \"", tokens[i], "\""));
    }
  }
  rep->ids = std::move(ids).Build();
  rep->added_ids = std::move(added_ids).Build();
  rep->tokens = std::move(tokens);
  rep->added = std::move(added);
  Vocabulary vocabulary;
  vocabulary.rep_ = std::move(rep);
  return vocabulary;
}

size_t Vocabulary::size() const { return rep_->tokens.size(); }

bool Vocabulary::Contains(TokenId id) const {
  return id >= 0 && static_cast<size_t>(id) < rep_->present.size() &&
         rep_->present[static_cast<size_t>(id)] != 0;
}

std::string_view Vocabulary::Token(TokenId id) const {
  if (id < 0 || static_cast<size_t>(id) >= rep_->tokens.size()) return {};
  return rep_->tokens[static_cast<size_t>(id)];
}

std::optional<TokenId> Vocabulary::Find(std::string_view bytes) const {
  int32_t id = rep_->added_ids.Find(bytes);
  if (id == ByteMap::kAbsent) id = rep_->ids.Find(bytes);
  if (id == ByteMap::kAbsent) return std::nullopt;
  return id;
}

absl::Span<const AddedToken> Vocabulary::added_tokens() const { return rep_->added; }

const AddedToken* Vocabulary::FindAdded(TokenId id) const {
  if (id < 0 || static_cast<size_t>(id) >= rep_->added_by_id.size()) return nullptr;
  const int32_t index = rep_->added_by_id[static_cast<size_t>(id)];
  return index < 0 ? nullptr : &rep_->added[static_cast<size_t>(index)];
}

bool Vocabulary::IsSpecial(TokenId id) const {
  const AddedToken* token = FindAdded(id);
  return token != nullptr && token->special;
}

bool Vocabulary::IsControl(TokenId id) const {
  const AddedToken* token = FindAdded(id);
  return token != nullptr && token->token_class == AddedTokenClass::kControl;
}

const SpecialIds& Vocabulary::special() const { return rep_->special; }

absl::StatusOr<Vocabulary> internal::VocabularyAccess::CreateWithDuplicates(
    std::vector<std::string> tokens, std::vector<AddedToken> added, SpecialIds special) {
  return Vocabulary::Build(std::move(tokens), std::move(added), special, /*duplicates=*/true);
}

}  // namespace penstock
