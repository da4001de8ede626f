// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/gguf/pre_tokenizers.h"

#include "tokenizer/components/component_json.h"

namespace penstock::internal {
namespace {

constexpr const char* kByteLevel =
    R"({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true})";
constexpr const char* kBytesOnly =
    R"({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false})";
constexpr const char* kDigits = R"({"type": "Digits", "individual_digits": true})";
constexpr const char* kDigitRuns = R"({"type": "Digits", "individual_digits": false})";
constexpr const char* kPunctuation = R"({"type": "Punctuation", "behavior": "Contiguous"})";
constexpr const char* kNfc = R"({"type": "NFC"})";

constexpr const char* kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kO200k =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kTekken =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kBailing =
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)";
constexpr const char* kSeedCoder =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kDeepSeek3 =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kDeepSeekLetters =
    R"(\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+)";
constexpr const char* kCjk = "[一-龥ࠀ-一가-퟿]+";
constexpr const char* kBloom = R"( ?[^(\s|[.,!?…。，、।۔،])]+)";

struct Row {
  const char* names;  // each between spaces
  const char* normalizer;
  bool ignore_merges;
  const char* stages[7];  // JSON, or a regular expression to split by
};

// Names as llama.cpp's converter writes them; components as in the models' own tokenizer.json. A file
// without `pre` is older than the key ("default" is the same): GPT-2's pattern, which GPT-NeoX has.
constexpr Row kRows[] = {
    {" default gpt-2 phi-2 jina-es jina-de gigachat jina-v1-en jina-v2-es jina-v2-de jina-v2-code "
     "roberta-bpe jais a.x-4.0 mellum modern-bert trillion granite-docling ",
     nullptr,
     false,
     {kByteLevel}},
    {" mpt olmo ", kNfc, false, {kByteLevel}},
    {" llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 ",
     nullptr,
     true,
     {kLlama3, kBytesOnly}},
    {" smaug-bpe dbrx chatglm-bpe glm4 ", nullptr, false, {kLlama3, kBytesOnly}},
    {" qwen2 deepseek-r1-qwen megrez hunyuan grok-2 ", kNfc, false, {kQwen2, kBytesOnly}},
    {" stablelm2 ", nullptr, false, {kQwen2, kBytesOnly}},
    {" gpt-4o llama4 minimax-m2 ", nullptr, false, {kO200k, kBytesOnly}},
    {" tekken ", nullptr, true, {kTekken, kBytesOnly}},
    {" deepseek-llm ",
     nullptr,
     false,
     {"[\r\n]", kDeepSeekLetters, R"(\s?[!-/:-~！-／：-～‘-‟　-。]+)", R"(\s+$)", kCjk, kDigits,
      kBytesOnly}},
    {" deepseek-coder ",
     nullptr,
     false,
     {"[\r\n]", R"(\s?\p{L}+)", R"(\s?\p{P}+)", kCjk, kDigits, kBytesOnly}},
    {" deepseek-v3 hunyuan-dense ",
     nullptr,
     false,
     {R"(\p{N}{1,3})", "[一-龥぀-ゟ゠-ヿ]+", kDeepSeek3, kBytesOnly}},
    {" falcon ", nullptr, false, {kPunctuation, kByteLevel, kDigitRuns, "[0-9][0-9][0-9]"}},
    {" starcoder refact smollm codeshell exaone minerva-7b ",
     nullptr,
     false,
     {kDigits, kByteLevel}},
    {" command-r ", kNfc, false, {kDigits, kByteLevel}},
    {" bloom poro-chat gpt3-finnish ", nullptr, false, {kBloom, kBytesOnly}},
    {" viking ", nullptr, false, {kBloom, kDigits, kBytesOnly}},
    {" superbpe ", nullptr, false, {R"(\p{N}+)", R"((?=(\d{3})+(?!\d)))", kBytesOnly}},
    {" bailingmoe bailingmoe2 llada-moe ", nullptr, false, {kBailing, kBytesOnly}},
    {" seed-coder ", nullptr, false, {kSeedCoder, kBytesOnly}},
};

std::string StageJson(const char* stage) {
  if (stage[0] == '{') return stage;
  std::string json = R"({"type": "Split", "pattern": {"Regex": )";
  AppendJsonString(stage, &json);
  return json + R"(}, "behavior": "Isolated", "invert": false})";
}

}  // namespace

std::optional<GgufPre> FindGgufPre(std::string_view name) {
  if (name.find(' ') != std::string_view::npos || name.empty()) return std::nullopt;
  const std::string padded = " " + std::string(name) + " ";
  for (const Row& row : kRows) {
    if (std::string_view(row.names).find(padded) == std::string_view::npos) continue;
    GgufPre pre;
    if (row.normalizer != nullptr) pre.normalizer = row.normalizer;
    pre.ignore_merges = row.ignore_merges;
    for (const char* stage : row.stages) {
      if (stage == nullptr) break;
      if (!pre.pre_tokenizer.empty()) pre.pre_tokenizer += ", ";
      pre.pre_tokenizer += StageJson(stage);
    }
    pre.pre_tokenizer = R"({"type": "Sequence", "pretokenizers": [)" + pre.pre_tokenizer + "]}";
    return pre;
  }
  return std::nullopt;
}

}  // namespace penstock::internal
