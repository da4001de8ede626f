// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/stream_encoder.h"

#include <algorithm>
#include <utility>

#include "text/utf8.h"

namespace penstock::internal {
namespace {

// The last position inside `text` that separates two characters, however bad the bytes are.
size_t CharBoundary(std::string_view text) {
  for (size_t pos = text.size() - 1; pos > 0; --pos) {
    if (!IsUtf8Continuation(text[pos])) return pos;
    // Behind four continuation bytes nothing can be continued: each is bad by itself.
    if (pos >= 4 && IsUtf8Continuation(text[pos - 1]) && IsUtf8Continuation(text[pos - 2]) &&
        IsUtf8Continuation(text[pos - 3]) && IsUtf8Continuation(text[pos - 4])) {
      return pos;
    }
  }
  return 0;
}

}  // namespace

StreamEncoder::StreamEncoder(const EngineParts& parts, const AddedTokenMatcher& raw,
                             const AddedTokenMatcher& normalized,
                             absl::Span<const AddedToken> added, Sink* sink, size_t window)
    : parts_(parts), raw_(raw), added_(added), sink_(sink), window_(window) {
  const auto add = [this]() -> Step& {
    steps_.emplace_back();
    steps_.back().threshold = window_;
    return steps_.back();
  };
  if (parts.invalid_utf8 == InvalidUtf8::kReplace) add().replaces_invalid = true;
  if (parts.normalizer != nullptr) {
    std::vector<const Normalizer*> stages = parts.normalizer->Stages();
    if (stages.empty()) stages.push_back(parts.normalizer.get());
    for (const Normalizer* stage : stages) add().normalizer = stage;
  }
  if (!normalized.empty()) add().matcher = &normalized;
  if (parts.pre_tokenizer != nullptr) {
    splitters_ = parts.pre_tokenizer->Stages();
    if (splitters_.empty()) splitters_.push_back(parts.pre_tokenizer.get());
    while (!splitters_.empty() && splitters_.front()->only_rewrites()) {
      add().rewriter = splitters_.front();
      splitters_.erase(splitters_.begin());
    }
  }
  add();
}

absl::Status StreamEncoder::Run(std::string_view text) {
  AddedTokenMatcher::Cursor cursor;
  size_t done = 0;
  for (AddedTokenMatcher::Match match; status_.ok() && raw_.Next(text, nullptr, &cursor, &match);) {
    if (match.begin > done) {
      run_begin_ = done;
      PlainRun(text.substr(done, match.begin - done));
    }
    Emit(added_[match.token].id);
    at_begin_ = false;
    done = match.end;
  }
  if (done < text.size() && status_.ok()) {
    run_begin_ = done;
    PlainRun(text.substr(done));
  }
  Flush();
  return status_;
}

// The first step reads the text itself, through a window that is moved along it.
void StreamEncoder::PlainRun(std::string_view run) {
  for (Step& step : steps_) step.continued = false;
  size_t width = window_;
  while (status_.ok()) {
    const bool last = width >= run.size();
    size_t end = run.size();
    if (!last) end = CharBoundary(run.substr(0, width + 1));
    const size_t taken = last || end > 0 ? Take(0, run.substr(0, end), last) : 0;
    if (last) break;
    run.remove_prefix(taken);
    width = taken > 0 ? window_ : width * 2;
  }
}

void StreamEncoder::Push(size_t level, std::string_view part, bool last) {
  Step& step = steps_[level];
  if (last && step.buffer.empty()) {
    Take(level, part, true);
    step.threshold = window_;
    return;
  }
  step.buffer.append(part);
  if (!last && step.buffer.size() < step.threshold) return;
  const size_t taken = Take(level, step.buffer, last);
  step.buffer.erase(0, taken);
  step.threshold = last || taken > 0 ? std::max(window_, step.buffer.size() + window_ / 2)
                                     : 2 * step.buffer.size();
}

size_t StreamEncoder::Take(size_t level, std::string_view view, bool last) {
  if (!status_.ok()) return view.size();
  if (level + 1 == steps_.size()) return TakePieces(view, last);
  if (view.empty()) {
    if (last) {
      Push(level + 1, {}, true);
      steps_[level].continued = false;
    }
    return 0;
  }
  const size_t take = last ? view.size() : SplitPoint(level, view);
  if (take == 0) return 0;
  if (steps_[level].matcher != nullptr) {
    Match(level, view.substr(0, take), last);
  } else {
    Transform(level, view.substr(0, take), last);
  }
  steps_[level].continued = !last;
  return take;
}

size_t StreamEncoder::SplitPoint(size_t level, std::string_view view) const {
  const Step& step = steps_[level];
  if (step.normalizer != nullptr) return step.normalizer->SplitPoint(view);
  if (step.matcher != nullptr) return step.matcher->SplitPoint(view);
  return CharBoundary(view);
}

void StreamEncoder::Transform(size_t level, std::string_view part, bool last) {
  const Step& step = steps_[level];
  RunContext context;
  context.begin = run_begin_;
  context.continued = step.continued;
  context.continues = !last;
  if (step.rewriter != nullptr) {
    // Only the first run of pieces of the text is at its begin.
    context.begin = at_begin_ && !step.continued ? run_begin_ : run_begin_ + 1;
    PreTokenizedRun run{AlignedText(part, context.begin, false),
                        {{0, static_cast<uint32_t>(part.size())}}};
    step.rewriter->Split(context, &run);
    Push(level + 1, run.text.text(), last);
    return;
  }
  AlignedText text(part, 0, false);
  if (step.normalizer != nullptr) {
    step.normalizer->Normalize(context, &text);
  } else {
    ReplaceInvalidUtf8(&text);
  }
  Push(level + 1, text.text(), last);
}

void StreamEncoder::Match(size_t level, std::string_view part, bool last) {
  const AddedTokenMatcher& matcher = *steps_[level].matcher;
  AddedTokenMatcher::Cursor cursor;
  size_t done = 0;
  for (AddedTokenMatcher::Match match; matcher.Next(part, nullptr, &cursor, &match);) {
    // White space that two tokens claim belongs to the first.
    const size_t begin = std::max(done, match.begin);
    Push(level + 1, part.substr(done, begin - done), /*last=*/true);
    Emit(added_[match.token].id);
    at_begin_ = false;
    done = match.end;
  }
  Push(level + 1, part.substr(done), last);
}

size_t StreamEncoder::TakePieces(std::string_view view, bool last) {
  if (splitters_.empty()) {
    if (stream_ == nullptr) stream_ = parts_.model->NewStream(/*allow_control=*/false);
    if (stream_ != nullptr) {
      tokens_.clear();
      const size_t taken = view.empty() ? 0 : stream_->Encode(view, last, &tokens_);
      EmitTokens();
      if (last) stream_ = nullptr;
      at_begin_ = at_begin_ && taken == 0;
      return taken;
    }
  }
  size_t take = view.size();
  if (!last) {
    take = splitters_.empty() ? parts_.model->SplitPoint(view) : splitters_[0]->SplitPoint(view);
  }
  if (take > 0) {
    EncodePieces(view.substr(0, take));
    at_begin_ = false;
  }
  return take;
}

void StreamEncoder::EncodePieces(std::string_view part) {
  RunContext context;
  context.begin = at_begin_ ? run_begin_ : run_begin_ + 1;
  run_.text = AlignedText(part, context.begin, false);
  run_.pieces.clear();
  run_.pieces.push_back({0, static_cast<uint32_t>(part.size())});
  for (const PreTokenizer* splitter : splitters_) splitter->Split(context, &run_);
  for (const Piece& piece : run_.pieces) {
    tokens_.clear();
    parts_.model->Encode(run_.text.text().substr(piece.begin, piece.end - piece.begin),
                         /*allow_control=*/false, &tokens_);
    EmitTokens();
  }
}

void StreamEncoder::EmitTokens() {
  for (const PieceToken& token : tokens_) Emit(token.id);
}

void StreamEncoder::Flush() {
  if (status_.ok() && !ids_.empty()) status_ = (*sink_)(ids_);
  ids_.clear();
}

}  // namespace penstock::internal
