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
constexpr const char* kEachPunctuation = R"({"type": "Punctuation", "behavior": "Isolated"})";
constexpr const char* kNfc = R"({"type": "NFC"})";

constexpr const char* kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kQwen2 = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|)"
                               R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kQwen35 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}|)"
    R"( ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kKimi =
    R"([\p{Han}]+|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*)"
    R"([\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+)"
    R"([\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kO200k =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|)"
    R"('t|'re|'ve|'m|'ll|'d)?|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|)"
    R"('t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|)"
    R"(\s+)";
constexpr const char* kTekken =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kBailing =
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|)"
    R"(\s*[\r\n]|\s+(?!\S)|\s+)";
constexpr const char* kSeedCoder =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}|)"
    R"( ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kUfakZeka =  // Qwen2 without contractions
    R"([^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kMiniCpm5 = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+|)"
                                  R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kJais2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|)"
    R"(\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|)"
    R"(\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1})";
// Published as (?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+ for the word, which is the same letters, marks and
// single spaces before a letter, but backtracks.
constexpr const char* kExaoneMoe =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}(?>\p{M}+| ?\p{L})*+|\p{N}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+)";
constexpr const char* kYoutuScripts =
    R"([\x{AC00}-\x{D7A3}\x{3131}-\x{318E}]+|)"
    R"([\x{FF01}\x{2026}\x{201C}\x{201D}\x{2018}\x{2019}\x{2014}\x{FF1A}\x{FF1B}\x{FF0C})"
    R"(\x{3001}-\x{303F}\x{FE30}-\x{FE4F}]+|[\x{3105}-\x{312F}]+|)"
    R"([\x{4E00}-\x{9FA5}\x{3040}-\x{309F}\x{30A0}-\x{30FF}]+)";
constexpr const char* kYoutu =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|)"
    R"('t|'re|'ve|'m|'ll|'d)?|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|)"
    R"('t|'re|'ve|'m|'ll|'d)?|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kAfmoeScripts =
    R"([\x{4E00}-\x{9FFF}\x{3400}-\x{4DBF}\x{F900}-\x{FAFF}\x{3040}-\x{309F}\x{30A0}-\x{30FF})"
    R"(\x{FF65}-\x{FF9F}\x{2F00}-\x{2FDF}\x{E40}-\x{E7F}\x{E80}-\x{EFF}\x{1780}-\x{17FF})"
    R"(\x{1000}-\x{109F}\x{AA60}-\x{AA7F}\x{A9E0}-\x{A9FF}\x{AC00}-\x{D7AF}\x{1100}-\x{11FF}]+)";
constexpr const char* kThreeDigitsFromRight = R"(\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N})))";
constexpr const char* kThreeDigitsBeforeBoundary = R"(\d{1,3}(?=(?:\d{3})*\b))";
constexpr const char* kSpark =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|)"
    R"([^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+)";
constexpr const char* kLines = R"([^\n]+|[\n]+)";
constexpr const char* kDeepSeek3 =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|)"
    R"([^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
// Written as escapes: an editor that normalizes text would damage it.
constexpr const char* kDeepSeekLetters =
    R"(\s?[A-Za-z\x{B5}\x{C0}-\x{D6}\x{D8}-\x{F6}\x{F8}-\x{1BA}\x{1BC}-\x{1BF}\x{1C4}-\x{293})"
    R"(\x{295}-\x{2AF}\x{370}-\x{373}\x{376}\x{377}\x{37B}-\x{37D}\x{37F}\x{386})"
    R"(\x{388}-\x{38A}\x{38C}\x{38E}-\x{3A1}\x{3A3}-\x{3F5}\x{3F7}-\x{481}\x{48A}-\x{52F})"
    R"(\x{531}-\x{556}\x{10A0}-\x{10C5}\x{13A0}-\x{13F5}\x{13F8}-\x{13FD}\x{1C90}-\x{1CBA})"
    R"(\x{1CBD}-\x{1CBF}\x{1D00}-\x{1D2B}\x{1D6B}-\x{1D77}\x{1D79}-\x{1D9A})"
    R"(\x{1E00}-\x{1F15}\x{1F18}-\x{1F1D}\x{1F20}-\x{1F45}\x{1F48}-\x{1F4D})"
    R"(\x{1F50}-\x{1F57}\x{1F59}\x{1F5B}\x{1F5D}\x{1F5F}-\x{1F7D}\x{1F80}-\x{1FB4})"
    R"(\x{1FB6}-\x{1FBC}\x{1FBE}\x{1FC2}-\x{1FC4}\x{1FC6}-\x{1FCC}\x{1FD0}-\x{1FD3})"
    R"(\x{1FD6}-\x{1FDB}\x{1FE0}-\x{1FEC}\x{1FF2}-\x{1FF4}\x{1FF6}-\x{1FFC}\x{2102}\x{2107})"
    R"(\x{210A}-\x{2113}\x{2115}\x{2119}-\x{211D}\x{2124}\x{2126}\x{2128}\x{212A}-\x{212D})"
    R"(\x{212F}-\x{2134}\x{2139}\x{213C}-\x{213F}\x{2145}-\x{2149}\x{214E}\x{2183}\x{2184})"
    R"(\x{2C00}-\x{2C7B}\x{2C7E}-\x{2CE4}\x{2CEB}-\x{2CEE}\x{2CF2}\x{2CF3}\x{A640}-\x{A66D})"
    R"(\x{A680}-\x{A69B}\x{A722}-\x{A76F}\x{A771}-\x{A787}\x{A78B}-\x{A78E})"
    R"(\x{AB70}-\x{ABBF}\x{FB00}-\x{FB06}\x{FB13}-\x{FB17}\x{FF21}-\x{FF3A})"
    R"(\x{FF41}-\x{FF5A}\x{10400}-\x{1044F}\x{104B0}-\x{104D3}\x{104D8}-\x{104FB})"
    R"(\x{10C80}-\x{10CB2}\x{10CC0}-\x{10CF2}\x{118A0}-\x{118DF}\x{1E900}-\x{1E943}]+)";
constexpr const char* kHanAndKana = R"([\x{4E00}-\x{9FA5}\x{3040}-\x{309F}\x{30A0}-\x{30FF}]+)";
constexpr const char* kCjk = R"([\x{4E00}-\x{9FA5}\x{800}-\x{4E00}\x{AC00}-\x{D7FF}]+)";
constexpr const char* kBloom =
    R"( ?[^(\s|.,!?\x{2026}\x{3002}\x{FF0C}\x{3001}\x{964}\x{6D4}\x{60C})]+)";

// Characters instead of bytes, white space as in SentencePiece.
constexpr const char* kEscapedSpaces =
    R"({"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"})";
constexpr const char* kEscapedNames = " gemma4 granite-embed-multi-311m sarvam-moe ";
constexpr const char* kWords = R"({"type": "WhitespaceSplit"})";
constexpr const char* kWordNames = " whitespace ";

struct Row {
  const char* names;  // each between spaces
  const char* normalizer;
  bool ignore_merges;
  const char* stages[7];  // JSON, or a regular expression to split by
};

// Names as llama.cpp knows them; components as in the models' own tokenizer.json, or llama.cpp's
// patterns and no normalizer where we have not seen that. A file without `pre` is older than the
// key ("default" is the same): GPT-2's pattern, which GPT-NeoX has.
constexpr Row kRows[] = {
    {" default gpt-2 phi-2 jina-es jina-de gigachat jina-v1-en jina-v2-es jina-v2-de jina-v2-code "
     "roberta-bpe jais a.x-4.0 mellum modern-bert trillion granite-docling exaone4 ",
     nullptr,
     false,
     {kByteLevel}},
    {" mpt olmo ", kNfc, false, {kByteLevel}},
    {" llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano ",
     nullptr,
     true,
     {kLlama3, kBytesOnly}},
    {" smaug-bpe dbrx chatglm-bpe glm4 ", nullptr, false, {kLlama3, kBytesOnly}},
    {" qwen2 deepseek-r1-qwen megrez hunyuan grok-2 f2llmv2 ", kNfc, false, {kQwen2, kBytesOnly}},
    {" qwen35 ", kNfc, false, {kQwen35, kBytesOnly}},
    {" kimi-k2 ", nullptr, true, {kKimi, kBytesOnly}},
    {" stablelm2 kormo solar-open ", nullptr, false, {kQwen2, kBytesOnly}},
    {" gpt-4o llama4 minimax-m2 kanana2 talkie ", nullptr, false, {kO200k, kBytesOnly}},
    {" granite-embed-multi-97m ", nullptr, true, {kO200k, kBytesOnly}},
    {" tiny_aya cohere2moe ", nullptr, false, {kThreeDigitsBeforeBoundary, kO200k, kBytesOnly}},
    {" youtu ", nullptr, true, {kYoutuScripts, kYoutu, kBytesOnly}},
    {" minicpm5 ", nullptr, true, {R"(\p{N}{1,3})", kMiniCpm5, kBytesOnly}},
    {" jais-2 ", nullptr, false, {kJais2, kBytesOnly}},
    {" exaone-moe ", nullptr, false, {kExaoneMoe, kBytesOnly}},
    {" ufakzeka ", nullptr, false, {kUfakZeka, kBytesOnly}},
    {" laguna ", nullptr, false, {kLines, kQwen2, kBytesOnly}},
    {" chameleon ",
     nullptr,
     false,
     {"<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", R"(([\t\n]|    |  ))", kDigits,
      kEachPunctuation, kByteLevel}},
    {" tekken ", nullptr, true, {kTekken, kBytesOnly}},
    {" deepseek-llm ",
     nullptr,
     false,
     {"[\r\n]", kDeepSeekLetters,
      R"(\s?[!-/:-~\x{FF01}-\x{FF0F}\x{FF1A}-\x{FF5E}\x{2018}-\x{201F}\x{3000}-\x{3002}]+)",
      R"(\s+$)", kCjk, kDigits, kBytesOnly}},
    {" deepseek-coder ",
     nullptr,
     false,
     {"[\r\n]", R"(\s?\p{L}+)", R"(\s?\p{P}+)", kCjk, kDigits, kBytesOnly}},
    {" deepseek-v3 hunyuan-dense joyai-llm hy_v4 ",
     nullptr,
     false,
     {R"(\p{N}{1,3})", kHanAndKana, kDeepSeek3, kBytesOnly}},
    {" spark2_5 ", nullptr, false, {R"(\p{N}{1,3})", kHanAndKana, kSpark, R"(\p{N})", kBytesOnly}},
    {" afmoe ", nullptr, false, {kThreeDigitsFromRight, kAfmoeScripts, kDeepSeek3, kBytesOnly}},
    {" falcon ", nullptr, false, {kPunctuation, kByteLevel, kDigitRuns, "[0-9][0-9][0-9]"}},
    {" starcoder refact smollm codeshell exaone minerva-7b mellum2 ",
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
  const auto is_among = [&padded](const char* names) {
    return std::string_view(names).find(padded) != std::string_view::npos;
  };
  for (const bool escaped : {true, false}) {
    if (!is_among(escaped ? kEscapedNames : kWordNames)) continue;
    GgufPre pre;
    pre.spelling = escaped ? GgufPre::Spelling::kEscapedSpaces : GgufPre::Spelling::kText;
    (escaped ? pre.normalizer : pre.pre_tokenizer) = escaped ? kEscapedSpaces : kWords;
    return pre;
  }
  for (const Row& row : kRows) {
    if (!is_among(row.names)) continue;
    GgufPre pre;
    if (row.normalizer != nullptr) pre.normalizer = row.normalizer;
    pre.ignore_merges = row.ignore_merges;
    // llama.cpp's defaults, and what the models' own templates do.
    pre.add_bos = row.stages[0] == kTekken || (row.stages[0] == kLlama3 && row.ignore_merges) ||
                  is_among(" chameleon ");
    std::string stages;
    for (const char* stage : row.stages) {
      if (stage == nullptr) break;
      if (!stages.empty()) stages += ", ";
      stages += StageJson(stage);
    }
    pre.pre_tokenizer = R"({"type": "Sequence", "pretokenizers": [)" + stages + "]}";
    return pre;
  }
  return std::nullopt;
}

std::string KnownGgufPres() {
  std::string names = std::string(kEscapedNames) + kWordNames;
  for (const Row& row : kRows) names += row.names;
  return names;
}

}  // namespace penstock::internal
