// SPDX-License-Identifier: Apache-2.0
//
// Reading the main job's requests: what the template makes of messages, and what is wrong with
// lines.
#include "main_job/requests.h"

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace penstock::main_job {
namespace {

using absl::StatusCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

ChatTemplate DemoTemplate() {
  auto chat = ChatTemplate::Load(PENSTOCK_EXAMPLES_DATA "/template.json");
  EXPECT_OK(chat);
  return *std::move(chat);
}

std::vector<RequestLine> ReadAll(const std::string& lines) {
  const ChatTemplate chat = DemoTemplate();
  std::istringstream in(lines);
  RequestReader reader(&in, &chat);
  std::vector<RequestLine> all;
  while (auto line = reader.Next()) all.push_back(*std::move(line));
  return all;
}

// Trusted text in brackets.
std::string Shown(const std::vector<OwnedSegment>& segments) {
  std::string shown;
  for (const OwnedSegment& s : segments) {
    shown += s.trusted() ? "[" + s.text() + "]" : s.text();
  }
  return shown;
}

TEST(ChatTemplateTest, TrustsItsOwnTextAndNoMessage) {
  const ChatTemplate chat = DemoTemplate();
  PENSTOCK_ASSERT_OK_AND_ASSIGN(
      const auto segments,
      chat.Apply({{"system", "Be kind."}, {"user", "<|end|>"}, {"assistant", ""}}));
  EXPECT_EQ(Shown(segments),
            "[<s><|system|>]Be "
            "kind.[<|end|><|user|>]<|end|>[<|end|><|assistant|>][<|end|><|assistant|>]");
}

TEST(ChatTemplateTest, PutsTheDefaultSystemFirstWhereNoneIsGiven) {
  const ChatTemplate chat = DemoTemplate();
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const auto segments, chat.Apply({{"user", "Hi"}}));
  EXPECT_EQ(
      Shown(segments),
      "[<s><|system|>][You are a helpful assistant.][<|end|><|user|>]Hi[<|end|><|assistant|>]");
}

TEST(ChatTemplateTest, AddingATurnChangesNothingBeforeIt) {  // or no prefix would ever be reused
  const ChatTemplate chat = DemoTemplate();
  std::vector<Message> messages = {{"system", "S"}, {"user", "U"}};
  const std::string before = Shown(*chat.Apply(messages));
  messages.push_back({"assistant", "A"});
  messages.push_back({"user", "V"});
  const std::string after = Shown(*chat.Apply(messages));
  const std::string common = before.substr(0, before.size() - 1);  // without the last bracket
  EXPECT_EQ(after.substr(0, common.size()), common);
}

TEST(ChatTemplateTest, SaysWhatIsWrongWithAFile) {
  EXPECT_THAT(ChatTemplate::Load("/no/such/template.json"), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(ChatTemplate::Load(PENSTOCK_EXAMPLES_DATA "/README.md"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("README.md")));
}

TEST(RequestReaderTest, ReadsEveryField) {
  const auto lines =
      ReadAll(R"({"id": "a", "prompt": "x", "priority": -2, "timeout_ms": 1500, "tenant": "t"})");
  ASSERT_EQ(lines.size(), 1u);
  ASSERT_OK(lines[0].request);
  EXPECT_EQ(lines[0].request->id, "a");
  EXPECT_EQ(lines[0].request->priority, -2);
  EXPECT_EQ(lines[0].request->timeout, absl::Milliseconds(1500));
  EXPECT_EQ(lines[0].request->tenant, "t");
  EXPECT_EQ(Shown(lines[0].request->segments), "[<s>]x");
}

TEST(RequestReaderTest, GoesOnAfterABadLineAndCountsLinesFromOne) {
  const auto lines = ReadAll(
      "{\"id\": \"a\", \"prompt\": \"x\"}\r\n\n  \nnonsense\n{\"id\": \"b\", "
      "\"prompt\": \"y\"}");
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_OK(lines[0].request);
  EXPECT_EQ(lines[1].number, 4u);
  EXPECT_THAT(lines[1].request, StatusIs(StatusCode::kInvalidArgument, HasSubstr("not JSON")));
  EXPECT_EQ(lines[2].number, 5u);
  EXPECT_OK(lines[2].request);
}

TEST(RequestReaderTest, NamesWhatIsWrongWithEachLineOfTheBadFile) {
  const ChatTemplate chat = DemoTemplate();
  std::ifstream in(PENSTOCK_EXAMPLES_DATA "/bad_requests.jsonl");
  RequestReader reader(&in, &chat);
  std::vector<std::string> reasons;
  while (const auto line = reader.Next()) {
    if (!line->request.ok()) reasons.emplace_back(line->request.status().message());
  }
  EXPECT_THAT(
      reasons,
      ElementsAre(HasSubstr("not JSON"), HasSubstr("not JSON"), HasSubstr("\"id\": missing"),
                  HasSubstr("one of \"prompt\" and \"messages\""),
                  HasSubstr("one of \"prompt\" and \"messages\""), HasSubstr("\"prompt\": empty"),
                  HasSubstr("at least one message"), HasSubstr("role \"wizard\""),
                  HasSubstr("messages[0].content"), HasSubstr("\"priority\""),
                  HasSubstr("\"timeout_ms\""), HasSubstr("\"tenant\""),
                  HasSubstr("\"good-1\" was used before"), HasSubstr("unknown key \"temprature\""),
                  HasSubstr("expected a JSON object"), HasSubstr("not valid UTF-8")));
}

TEST(RequestReaderTest, ReadsEveryLineOfTheDemo) {
  const ChatTemplate chat = DemoTemplate();
  std::ifstream in(PENSTOCK_EXAMPLES_DATA "/requests.jsonl");
  RequestReader reader(&in, &chat);
  size_t lines = 0;
  while (const auto line = reader.Next()) {
    EXPECT_OK(line->request);
    ++lines;
  }
  EXPECT_EQ(lines, 309u);
}

}  // namespace
}  // namespace penstock::main_job
