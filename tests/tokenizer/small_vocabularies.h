// SPDX-License-Identifier: Apache-2.0
//
// A small vocabulary of every kind, as the bytes of its file: what damage, fuzzing, injection and
// round trips are tried on.
//
//   for (const SmallVocabulary& v : SmallVocabularies()) Load(v)->EncodeIds("any bytes");
//
// Each has control tokens wherever its format can say so, plain ones, some with lstrip, rstrip or
// single_word, and spellings that nest ("<s>" in "<s><s>"); many have normalizers that make
// them out of other characters.
#ifndef PENSTOCK_TESTS_TOKENIZER_SMALL_VOCABULARIES_H_
#define PENSTOCK_TESTS_TOKENIZER_SMALL_VOCABULARIES_H_

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "penstock/tokenizer.h"
#include "tests/support/charsmap_writer.h"
#include "tests/support/gguf_writer.h"
#include "tests/support/sentencepiece_writer.h"

namespace penstock {

struct SmallVocabulary {
  enum class RoundTrip { kNo, kUtf8, kBytes };  // of which texts Decode(EncodeIds(x)) == x
  std::string name;
  std::string file;
  LoadOptions options;
  RoundTrip round_trip = RoundTrip::kNo;
};

// Does not return without a tokenizer: fuzz targets have no test to fail.
inline TokenizerPtr Load(const SmallVocabulary& v) {
  absl::StatusOr<TokenizerPtr> t = ParseTokenizer(v.file, v.name, v.options);
  if (!t.ok()) {
    std::fprintf(stderr, "%s: %s\n", v.name.c_str(), t.status().ToString().c_str());
    std::abort();
  }
  return *std::move(t);
}

namespace small {

inline std::string Quote(const std::string& s) {
  std::string out = "\"";
  for (const char c : s) {
    if (c == '\t') {
      out += "\\t";
      continue;
    }
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out + "\"";
}

// {"a": 0, …} of `tokens`, ids ascending from 0.
inline std::string VocabJson(const std::vector<std::string>& tokens) {
  std::string out;
  for (size_t i = 0; i < tokens.size(); ++i) {
    out += (i == 0 ? "{" : ",") + Quote(tokens[i]) + ":" + std::to_string(i);
  }
  return out + "}";
}

struct Added {
  std::string content;
  std::string flags;  // of special, lstrip, rstrip, single_word, normalized
};

inline std::string AddedJson(const std::vector<Added>& added, size_t first_id) {
  std::string out = "[";
  for (const Added& a : added) {
    if (out.size() > 1) out += ",";
    out += "{\"id\":" + std::to_string(first_id++) + ",\"content\":" + Quote(a.content);
    for (const char* flag : {"single_word", "lstrip", "rstrip", "normalized", "special"}) {
      out += std::string(",\"") + flag +
             "\":" + (a.flags.find(flag) != std::string::npos ? "true" : "false");
    }
    out += "}";
  }
  return out + "]";
}

inline std::vector<Added> AllSortsOfAdded() {
  return {{"<s>", "special"},    {"</s>", "special"},
          {"<s><s>", ""},        {"<mask>", "special lstrip"},
          {"<r>", "rstrip"},     {"<both>", "special lstrip rstrip normalized"},
          {"<N>", "normalized"}, {"word", "single_word"},
          {"    ", ""},          {"\t\t", "normalized"}};
}

// A tokenizer.json; the vocabulary's ids are 0 to `tokens` - 1, added tokens follow.
inline std::string TokenizerJson(const std::string& normalizer, const std::string& pre_tokenizer,
                                 const std::string& decoder, const std::string& model,
                                 size_t tokens,
                                 const std::vector<Added>& added = AllSortsOfAdded()) {
  const std::string s = std::to_string(tokens);
  return R"({"version":"1.0","truncation":{"direction":"Right","max_length":64,)"
         R"("strategy":"LongestFirst","stride":2},"padding":{"strategy":"BatchLongest",)"
         R"("direction":"Right","pad_to_multiple_of":8,"pad_id":0,"pad_type_id":0,)"
         R"("pad_token":"a"},"added_tokens":)" +
         AddedJson(added, tokens) + R"(,"normalizer":)" + normalizer + R"(,"pre_tokenizer":)" +
         pre_tokenizer +
         R"(,"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>",)"
         R"("type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[{"Sequence":{"id":"A",)"
         R"("type_id":0}},{"SpecialToken":{"id":"<s>","type_id":1}},{"Sequence":{"id":"B",)"
         R"("type_id":1}}],"special_tokens":{"<s>":{"id":"<s>","ids":[)" +
         s + R"(],"tokens":["<s>"]}}},"decoder":)" + decoder + R"(,"model":)" + model + "}";
}

inline std::vector<std::string> Letters() {
  std::vector<std::string> tokens;
  for (char c = 'a'; c <= 'z'; ++c) tokens.emplace_back(1, c);
  for (const char* s : {"<", ">", "/", " ", ".", "0", "1", "\xC3\xA9", "\xE4\xB8\x96"}) {
    tokens.emplace_back(s);
  }
  return tokens;
}

// Hugging Face's printable stand-in for a byte.
inline std::string ByteChar(int byte) {
  static const std::vector<std::string>* const chars = [] {
    auto* all = new std::vector<std::string>(256);
    int next = 256;
    for (int b = 0; b < 256; ++b) {
      const bool printable = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
      const int c = printable ? b : next++;
      if (c < 0x80) {
        (*all)[static_cast<size_t>(b)] = std::string(1, static_cast<char>(c));
      } else {
        (*all)[static_cast<size_t>(b)] = {static_cast<char>(0xC0 | c >> 6),
                                          static_cast<char>(0x80 | (c & 0x3F))};
      }
    }
    return all;
  }();
  return (*chars)[static_cast<size_t>(byte)];
}

inline std::vector<std::string> ByteTokens() {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) {
    char text[8];
    std::snprintf(text, sizeof(text), "<0x%02X>", byte);
    tokens.emplace_back(text);
  }
  return tokens;
}

// BPE over `tokens`, each of `merged` = {left, right} appended; returns the model.
inline std::string Bpe(std::vector<std::string>* tokens,
                       const std::vector<std::pair<std::string, std::string>>& merged,
                       const std::string& more, bool pairs) {
  std::string merges;
  for (const auto& [left, right] : merged) {
    tokens->push_back(left + right);
    if (!merges.empty()) merges += ",";
    merges += pairs ? "[" + Quote(left) + "," + Quote(right) + "]" : Quote(left + " " + right);
  }
  return R"({"type":"BPE",)" + more + R"("vocab":)" + VocabJson(*tokens) + R"(,"merges":[)" +
         merges + "]}";
}

inline std::string ByteLevelBpe(size_t* size) {
  std::vector<std::string> tokens;
  for (int b = 0; b < 256; ++b) tokens.push_back(ByteChar(b));
  const std::string sp = ByteChar(' ');
  const std::string model =
      Bpe(&tokens,
          {{"h", "e"}, {sp, "a"}, {"l", "l"}, {"he", "ll"}, {"hell", "o"}, {sp, "hello"}, {sp, sp}},
          "", false);
  *size = tokens.size();
  return model;
}

constexpr char kByteLevelPre[] =
    R"({"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true})";
constexpr char kByteLevelDecoder[] =
    R"({"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true})";
constexpr char kNfkcLower[] =
    R"({"type":"Sequence","normalizers":[{"type":"NFKC"},{"type":"Lowercase"},{"type":"Replace",)"
    R"("pattern":{"Regex":"[\u200b\u00ad]"},"content":""}]})";

inline std::string Charsmap() {
  return WriteCharsmap({{"\xEF\xBC\x9C", "<"},  // fullwidth
                        {"\xEF\xBC\x9E", ">"},
                        {"\xEF\xBD\x93", "s"},
                        {"\xE2\x85\xA3", "iv"},
                        {"\xE2\x80\x8B", ""},
                        {"e\xCC\x81", "\xC3\xA9"},
                        {"\t", " "},
                        {"A", "a"},
                        {"S", "s"}});
}

inline void AddJson(std::vector<SmallVocabulary>* all) {
  using RoundTrip = SmallVocabulary::RoundTrip;
  size_t size = 0;
  std::string model = ByteLevelBpe(&size);
  all->push_back({"json byte level",
                  TokenizerJson("null", kByteLevelPre, kByteLevelDecoder, model, size),
                  {},
                  RoundTrip::kBytes});
  all->push_back(
      {"json byte level, pattern",
       TokenizerJson(
           R"({"type":"NFC"})",
           R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":)"
           R"("(?i:'s|'t)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|\\s+(?!\\S)|\\s+|."},)"
           R"("behavior":"Isolated","invert":false},{"type":"ByteLevel",)"
           R"("add_prefix_space":false,"trim_offsets":true,"use_regex":false}]})",
           kByteLevelDecoder, model, size),
       {},
       RoundTrip::kNo});
  all->push_back(
      {"json byte level, digits behind it",
       TokenizerJson("null",
                     R"({"type":"Sequence","pretokenizers":[{"type":"Punctuation","behavior":)"
                     R"("Contiguous"},{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":)"
                     R"(true,"use_regex":true},{"type":"Digits","individual_digits":true}]})",
                     kByteLevelDecoder, model, size),
       {},
       RoundTrip::kNo});

  std::vector<std::string> tokens = Letters();
  tokens.emplace_back("<unk>");
  model = Bpe(&tokens, {{"a", "b"}, {"<", "s"}, {"s", ">"}, {"w", "o"}},
              R"("unk_token":"<unk>","fuse_unk":true,)", true);
  all->push_back(
      {"json BPE, NFKC, lower case",
       TokenizerJson(kNfkcLower, R"({"type":"Whitespace"})", "null", model, tokens.size()),
       {},
       RoundTrip::kNo});

  tokens = ByteTokens();
  for (const char* s : {"\xE2\x96\x81", "a", "b", "<", "s", ">"}) tokens.emplace_back(s);
  model = Bpe(&tokens, {{"a", "b"}, {"\xE2\x96\x81", "a"}, {"\xE2\x96\x81", "\xE2\x96\x81"}},
              R"("byte_fallback":true,)", true);
  all->push_back(
      {"json byte fallback",
       TokenizerJson(R"({"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},)"
                     R"({"type":"Replace","pattern":{"String":" "},"content":"▁"}]})",
                     "null",
                     R"({"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},)"
                     R"("content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip",)"
                     R"("content":" ","start":1,"stop":0}]})",
                     model, tokens.size(), {{"<s>", "special"}, {"<tool>", ""}}),
       {},
       RoundTrip::kBytes});

  std::string pieces = R"([["<unk>",0.0],["▁",-2.0])";
  size_t count = 2;
  for (const std::string& s : Letters()) {
    pieces += ",[" + Quote(s) + ",-" + std::to_string(3 + count % 4) + ".5]";
    ++count;
  }
  pieces += R"(,["ab",-4.0],["▁ab",-4.25],["<s",-2.0]])";
  count += 3;
  std::string blob;
  absl::Base64Escape(Charsmap(), &blob);
  all->push_back(
      {"json unigram",
       TokenizerJson(R"({"type":"Precompiled","precompiled_charsmap":")" + blob + "\"}",
                     R"({"type":"Metaspace","replacement":"▁","prepend_scheme":"always",)"
                     R"("split":true})",
                     R"({"type":"Metaspace","replacement":"▁","prepend_scheme":"always",)"
                     R"("split":true})",
                     R"({"type":"Unigram","unk_id":0,"vocab":)" + pieces + "}", count),
       {},
       RoundTrip::kNo});

  tokens = {"[UNK]", "[CLS]", "he", "##llo", "##l", "wor", "##d", "<", "s", ">", "\xE4\xB8\x96"};
  all->push_back(
      {"json WordPiece",
       TokenizerJson(R"({"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,)"
                     R"("strip_accents":null,"lowercase":true})",
                     R"({"type":"BertPreTokenizer"})",
                     R"({"type":"WordPiece","prefix":"##","cleanup":true})",
                     R"({"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##",)"
                     R"("max_input_chars_per_word":20,"vocab":)" +
                         VocabJson(tokens) + "}",
                     tokens.size()),
       {},
       RoundTrip::kNo});

  tokens = {"<unk>", "hello", "a", "<s>x", "0"};
  all->push_back(
      {"json WordLevel",
       TokenizerJson(
           R"({"type":"Sequence","normalizers":[{"type":"Nmt"},{"type":"NFKD"},{"type":)"
           R"("StripAccents"},{"type":"Strip","strip_left":true,"strip_right":true}]})",
           R"({"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},{"type":)"
           R"("CharDelimiterSplit","delimiter":"-"},{"type":"FixedLength","length":5},)"
           R"({"type":"UnicodeScripts"}]})",
           R"({"type":"CTC","pad_token":"<pad>","word_delimiter_token":"|","cleanup":true})",
           R"({"type":"WordLevel","unk_token":"<unk>","vocab":)" + VocabJson(tokens) + "}",
           tokens.size()),
       {},
       RoundTrip::kNo});
}

inline void AddRanks(std::vector<SmallVocabulary>* all) {
  std::string file;
  size_t rank = 0;
  const auto add = [&](const std::string& token) {
    file += absl::Base64Escape(token) + " " + std::to_string(rank++) + "\n";
  };
  for (int b = 0; b < 256; ++b) add(std::string(1, static_cast<char>(b)));
  // "zzz" no merge leads to; " the" by "t" + "he" only through " t".
  for (const char* s : {"he", "th", " t", "in", "the", " the", "  ", "    ", "\n\n", "zzz", "12",
                        "aa", "aaaa", "<|", "|>", "\xC3\xA9"}) {
    add(s);
  }
  for (const char* encoding : {"cl100k_base", "o200k_base", "gpt2"}) {
    LoadOptions options;
    options.encoding = encoding;
    all->push_back(
        {std::string("ranks, ") + encoding, file, options, SmallVocabulary::RoundTrip::kBytes});
  }
  LoadOptions options;
  options.pattern = R"(\p{L}+|\p{N}{1,2}| ?[^\s\p{L}\p{N}]+|\s+|.)";
  options.special_tokens = {{"<|user|>", 1000}, {"<|end|>", 1001}, {"<|user|><|", 1002}};
  all->push_back({"ranks, pattern", file, options, SmallVocabulary::RoundTrip::kNo});
}

inline void AddModels(std::vector<SmallVocabulary>* all) {
  LoadOptions options;
  options.format = FileFormat::kSentencePiece;
  const char* const names[] = {"", "unigram", "BPE", "word", "char"};
  for (int algorithm = 1; algorithm <= 4; ++algorithm) {
    ModelWriter model(algorithm);
    model.Piece("<unk>", 0, 2).Piece("<s>", 0, 3).Piece("</s>", 0, 3).Piece("<tool>", 0, 4);
    model.Piece("\xE2\x96\x81\xE2\x96\x81", 0, 4).Piece("un", -3, 5).Piece("\xE2\x96\x81", -9);
    float score = -9;
    for (const std::string& s : Letters()) {
      if (s != " ") model.Piece(s, score -= 0.25f);
    }
    model.Piece("ab", -1).Piece(
        "\xE2\x96\x81"
        "ab",
        -2);
    model.Normalizer(true, algorithm != 2, Charsmap());
    all->push_back({std::string("model, ") + names[algorithm], model.Bytes(), options,
                    SmallVocabulary::RoundTrip::kNo});
  }
  ModelWriter model(2);
  model.Piece("<unk>", 0, 2).Piece("<s>", 0, 3).BytePieces().Piece("\xE2\x96\x81", -1);
  model.Piece("a", -2)
      .Piece("b", -3)
      .Piece("ab", -4)
      .Piece("<tool>", 0, 4)
      .Normalizer(false, false);
  all->push_back(
      {"model, byte fallback", model.Bytes(), options, SmallVocabulary::RoundTrip::kUtf8});
}

inline void AddGguf(std::vector<SmallVocabulary>* all) {
  std::vector<std::string> tokens = {"<unk>", "<s>", "</s>"};
  std::vector<float> scores = {0, 0, 0};
  std::vector<int32_t> types = {2, 3, 3};
  for (const std::string& token : ByteTokens()) {
    tokens.push_back(token);
    scores.push_back(0);
    types.push_back(6);
  }
  for (const char* piece : {"\xE2\x96\x81", "a", "b", "ab"}) {
    tokens.emplace_back(piece);
    scores.push_back(-static_cast<float>(tokens.size()));
    types.push_back(1);
  }
  GgufWriter llama;
  llama.String("tokenizer.ggml.model", "llama").Strings("tokenizer.ggml.tokens", tokens);
  llama.Floats("tokenizer.ggml.scores", scores).Int32s("tokenizer.ggml.token_type", types);
  llama.Bool("tokenizer.ggml.add_space_prefix", false);
  all->push_back({"gguf llama", llama.Bytes(), {}, SmallVocabulary::RoundTrip::kUtf8});

  tokens.clear();
  for (int b = 0; b < 256; ++b) tokens.push_back(ByteChar(b));
  types.assign(256, 1);
  for (const char* s : {"he", "<|end|>", "[PAD]", "    "}) tokens.emplace_back(s);
  for (const int32_t type : {1, 3, 5, 4}) types.push_back(type);
  GgufWriter gpt2;
  gpt2.String("tokenizer.ggml.model", "gpt2").String("tokenizer.ggml.pre", "llama-bpe");
  gpt2.Strings("tokenizer.ggml.tokens", tokens).Int32s("tokenizer.ggml.token_type", types);
  gpt2.Strings("tokenizer.ggml.merges", {"h e"}).Uint32("tokenizer.ggml.bos_token_id", 257);
  gpt2.Bool("tokenizer.ggml.add_bos_token", true);
  all->push_back({"gguf gpt2", gpt2.Bytes(), {}, SmallVocabulary::RoundTrip::kBytes});

  GgufWriter bert;
  bert.String("tokenizer.ggml.model", "bert");
  bert.Strings("tokenizer.ggml.tokens",
               {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "\xE2\x96\x81he", "llo", "\xE2\x96\x81[",
                "\xE2\x96\x81"
                "a"});
  bert.Int32s("tokenizer.ggml.token_type", {3, 3, 3, 3, 1, 1, 1, 1});
  bert.Uint32("tokenizer.ggml.unknown_token_id", 1).Uint32("tokenizer.ggml.cls_token_id", 2);
  bert.Uint32("tokenizer.ggml.seperator_token_id", 3);
  all->push_back({"gguf bert", bert.Bytes(), {}, SmallVocabulary::RoundTrip::kNo});

  GgufWriter t5;
  const std::string map = Charsmap();
  t5.String("tokenizer.ggml.model", "t5");
  t5.Strings("tokenizer.ggml.tokens",
             {"<pad>", "</s>", "<unk>", "\xE2\x96\x81", "a", "b", "<", "s", ">", "<x>"});
  t5.Floats("tokenizer.ggml.scores", {0, 0, 0, -1, -1, -1, -2, -2, -2, 0});
  t5.Int32s("tokenizer.ggml.token_type", {3, 3, 2, 1, 1, 1, 1, 1, 1, 4});
  t5.Raw("tokenizer.ggml.precompiled_charsmap", 9, GgufNumber(0, 4) + GgufText(map));
  all->push_back({"gguf t5", t5.Bytes(), {}, SmallVocabulary::RoundTrip::kNo});
}

}  // namespace small

inline std::vector<SmallVocabulary> SmallVocabularies() {
  std::vector<SmallVocabulary> all;
  small::AddJson(&all);
  small::AddRanks(&all);
  small::AddModels(&all);
  small::AddGguf(&all);
  all.push_back({"vocab.txt",
                 "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhe\n##llo\n##l\ns\n<\n>\n\xE4\xB8\x96\n",
                 {},
                 SmallVocabulary::RoundTrip::kNo});
  return all;
}

}  // namespace penstock

#endif  // PENSTOCK_TESTS_TOKENIZER_SMALL_VOCABULARIES_H_
