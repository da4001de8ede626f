// SPDX-License-Identifier: Apache-2.0
#include "adapters/sentencepiece/bridge.h"

#include <sentencepiece_processor.h>

#include <exception>
#include <utility>

namespace penstock::internal {

struct SentencePieceBridge::Rep {
  sentencepiece::SentencePieceProcessor processor;
};

namespace {

// Runs `call`; what it throws (protobuf's FatalException, bad_alloc) becomes an error.
template <class Call>
bool Contained(const Call& call, std::string* error) {
  try {
    return call();
  } catch (const std::exception& e) {
    *error = e.what();
  } catch (...) {
    *error = "the sentencepiece library threw something that is no std::exception";
  }
  return false;
}

template <class Status>
bool Check(const Status& status, std::string* error) {
  if (status.ok()) return true;
  *error = std::string(status.message());
  return false;
}

}  // namespace

SentencePieceBridge::SentencePieceBridge(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
SentencePieceBridge::~SentencePieceBridge() = default;

std::unique_ptr<SentencePieceBridge> SentencePieceBridge::Load(std::string_view model,
                                                               std::string* error) {
  auto rep = std::make_unique<Rep>();
  const bool loaded = Contained(
      [&] {
        return Check(rep->processor.LoadFromSerializedProto({model.data(), model.size()}), error);
      },
      error);
  if (!loaded) return nullptr;
  return std::unique_ptr<SentencePieceBridge>(new SentencePieceBridge(std::move(rep)));
}

bool SentencePieceBridge::Encode(std::string_view text, std::vector<Token>* tokens,
                                 std::string* error) const {
  return Contained(
      [&] {
        const auto encoded = rep_->processor.EncodeAsImmutableProto({text.data(), text.size()});
        tokens->reserve(tokens->size() + encoded.pieces_size());
        for (const auto& piece : encoded.pieces()) {
          tokens->push_back({static_cast<int32_t>(piece.id()), piece.begin(), piece.end()});
        }
        return true;
      },
      error);
}

std::string SentencePieceBridge::Decode(const std::vector<int>& ids) const {
  std::string text, error;
  std::vector<int> known;
  for (const int id : ids) {
    if (id >= 0 && id < rep_->processor.GetPieceSize()) known.push_back(id);
  }
  const bool decoded =
      Contained([&] { return Check(rep_->processor.Decode(known, &text), &error); }, &error);
  return decoded ? text : std::string();
}

}  // namespace penstock::internal
