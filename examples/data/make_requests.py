#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the demo's requests, and the text that its vocabulary is trained on.

  python3 make_requests.py > requests.jsonl        # the committed file, byte for byte
  python3 make_requests.py --corpus > corpus.txt   # input of spm_train, see README.md

Everything is ours (this file and documents/*.txt) or in the public domain (documents/*_public.txt). The shape follows
what servers see: a few long system prompts shared by many, conversations of several turns that come back with their
history, single questions, documents longer than a prompt may be, and exact repetitions.
"""
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent


class Dice:
    """A generator of our own, so that no version of Python changes the file."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % n

    def pick(self, items):
        return items[self.below(len(items))]


def document(name):
    return (HERE / "documents" / f"{name}.txt").read_text(encoding="utf-8").strip()


ASSISTANTS = {
    "en_support": ("en", "You are the assistant of a mail-order shop. Answer customers politely and briefly, in the "
                   "language they write in. Follow the handbook below; where it is silent, offer to ask a colleague. "
                   "Never ask for a password.\n\n"),
    "en_rail": ("en", "You are the information desk of a railway. Answer from the conditions below and quote times and "
                "prices exactly. If a question is not covered, say so and name the office that can help.\n\n"),
    "en_library": ("en", "You help visitors of a public library. Be friendly, keep answers under five sentences, and "
                   "refer to the house rules below whenever they apply.\n\n"),
    "zh_support": ("zh", "你是一家网上商店的客服助手。请用客人使用的语言礼貌而简短地回答。遵守下面的手册；"
                   "手册没有写到的，就提出去问同事。绝对不要询问密码。\n\n"),
    "zh_rail": ("zh", "你是铁路问讯处的工作人员。请根据下面的须知回答，时间和价格要准确。没有写到的问题，"
                "请如实说明，并告诉旅客应该找哪个部门。\n\n"),
}

QUESTIONS = {
    "en_support": [
        "I ordered {item} on {day} and the parcel has not moved since. What can you do?",
        "Can I send back {item}? I opened the box but I have not used it.",
        "My refund for order {n} has not arrived. When should I expect it?",
        "The {item} broke after {m} months. Do I have to pay for the way back?",
        "How can I change the address of order {n}? I move on {day}.",
        "Somebody called me and asked for my password in your name. Was that you?",
        "I would like to thank {name}, who helped me on {day}. Where do I write?",
        "Two parcels were lost this year already, order {n} is the third. What now?",
    ],
    "en_rail": [
        "How long does the fast train to the coast take, and when does the last one leave on {day}?",
        "My train was {m}0 minutes late. How much money do I get back and how do I ask for it?",
        "I have a saver ticket for {day}. Can I take a later train?",
        "May I bring my bicycle on the {m} o'clock train, and where does it go?",
        "My dog weighs {m} kilograms and hates bags. Does it need a ticket?",
        "I lost {item} in carriage {m} of train {n}. Whom do I call?",
        "What happens when the pass is closed by snow? We travel on {day}.",
        "Is a reservation free in first class? I need {m} seats for {day}.",
    ],
    "en_library": [
        "When are you open on {day}, and may children come along?",
        "I have {m} books at home. How many more may I borrow?",
        "My book is {m} days late. What do I owe you?",
        "Do you have {item} in the collection, or could you order one?",
        "May I see the log of the harbour master for 18{m}1?",
        "Where can I drink coffee, and until when?",
        "I lost a library book on the ferry on {day}. What should I do?",
        "Could you buy the new novel by {name}?",
    ],
    "zh_support": [
        "我{day}订了{item}，包裹一直没有动，怎么办？",
        "{item}我打开了盒子，但是没有用过，可以退货吗？",
        "订单{n}的退款还没有到，大概什么时候能收到？",
        "{item}用了{m}个月就坏了，来回的运费要我付吗？",
        "我{day}搬家，订单{n}的地址怎么改？",
        "有人打电话用你们的名义问我的密码，是你们吗？",
    ],
    "zh_rail": [
        "去海边的快车要多长时间？{day}最晚一班是几点？",
        "我的车晚点了{m}0分钟，可以退多少钱？怎么申请？",
        "我买了{day}的优惠票，可以坐晚一点的车吗？",
        "{m}点的车可以带自行车吗？放在哪里？",
        "我把{item}丢在{n}次列车的{m}号车厢了，应该找谁？",
        "下大雪的时候山口封了怎么办？我们{day}出发。",
    ],
}

FOLLOW_UPS = {
    "en": ["And if it happens again?", "Thank you. Does the same hold on {day}?", "Who decides that, {name} or you?",
           "Could you put that into one sentence, please?", "What would it cost for {m} people?",
           "I have to be in town on {day} anyway. Is there a desk?", "Please repeat the number, I had no pen."],
    "zh": ["如果再发生一次呢？", "谢谢。{day}也一样吗？", "请用一句话再说一遍。", "{m}个人一共要多少钱？",
           "我{day}正好进城，有窗口可以办吗？", "请再说一遍号码，我刚才没有笔。"],
}

ANSWERS = {
    "en": ["I am sorry about the trouble. According to our rules this can be settled today; I have made a note for "
           "{name}, who will write to you by {day}.",
           "Yes, that is possible. Please keep the number {n} at hand, it takes about {m} minutes.",
           "No, unfortunately not. What I can offer instead is a change free of charge until {day}.",
           "That depends on the day. On {day} it is possible, otherwise please ask at the desk.",
           "Good question. The rule says {m}, and we have never made an exception except for {name}."],
    "zh": ["很抱歉给您添麻烦了。按照规定今天就可以解决，我已经记下来，{day}之前会有同事给您写信。",
           "可以的。请记住号码{n}，大约需要{m}分钟。", "很遗憾不行。不过{day}以前可以免费改一次。",
           "要看是哪一天。{day}可以，其他日子请到服务台询问。"],
}

WORDS = {
    "en": {"item": ["a kettle", "a red umbrella", "a set of six chairs", "a winter coat", "a bread knife", "a cello",
                    "an atlas of the northern coast", "a garden lamp", "a child's bicycle", "a box of green tea"],
           "day": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "the 3rd of May", "New Year's Eve"],
           "name": ["Ms Lindqvist", "Mr Okafor", "Dr Haruna", "Ms Petrova", "Mr Alvarez", "Ms Tan"]},
    "zh": {"item": ["一把水壶", "一把红雨伞", "六把椅子", "一件冬天的大衣", "一把大提琴", "一盏台灯", "一辆儿童自行车", "一盒绿茶"],
           "day": ["星期一", "星期二", "星期三", "星期五", "星期六", "五月三日", "除夕"],
           "name": ["林女士", "王先生", "陈医生", "赵老师"]},
}

TASKS = {
    "en": ["Summarise the following text in three sentences.", "List the numbers in the text and what they stand for.",
           "Translate the first paragraph into Chinese.", "Which rule in the text surprises you most, and why?"],
    "zh": ["请用三句话概括下面的文字。", "请列出文中的数字以及它们的含义。", "请把第一段翻译成英文。", "文中哪一条规定最让人意外？为什么？"],
}

PLAIN = [
    "Write a short poem about {item} and the sea.", "Name {m} things that one can do with {item}.",
    "What is the capital of the country where {name} was born?", "Explain water hammer to a child of {m} years.",
    "写一首关于{item}的小诗。", "用{m}个字以内说明什么是水锤。", "Translate into Chinese: it will rain on {day}.",
    "def head_to_power(head_m, flow_m3s):\n    return 9.81 * head_m * flow_m3s * 0.{m}\n\nWhat is wrong with this code?",
]


class Writer:
    def __init__(self, seed):
        self.dice = Dice(seed)
        self.count = 0

    def fill(self, text, language):
        out = text
        for key, words in WORDS[language].items():
            while "{" + key + "}" in out:
                out = out.replace("{" + key + "}", self.dice.pick(words), 1)
        out = out.replace("{m}", str(2 + self.dice.below(8)))
        return out.replace("{n}", str(10000 + self.dice.below(90000)))

    def request(self, kind, body):
        self.count += 1
        request = {"id": f"{kind}-{self.count:03d}", **body}
        roll = self.dice.below(10)
        if roll < 2:
            request["priority"] = self.dice.pick([1, 2, -1])
        if roll in (2, 3):
            request["timeout_ms"] = self.dice.pick([60000, 120000, 300000])
        if roll >= 4:
            request["tenant"] = self.dice.pick(["shop", "rail", "town", "town"])
        return request

    def conversation(self, turns):
        """Its requests in order: each carries the history of those before it."""
        topic = self.dice.pick(sorted(ASSISTANTS))
        language, instruction = ASSISTANTS[topic]
        messages = [{"role": "system", "content": instruction + document(topic)}]
        for turn in range(turns):
            lines = QUESTIONS[topic] if turn == 0 else FOLLOW_UPS[language]
            messages.append({"role": "user", "content": self.fill(self.dice.pick(lines), language)})
            yield {"messages": [dict(m) for m in messages]}
            messages.append({"role": "assistant", "content": self.fill(self.dice.pick(ANSWERS[language]), language)})

    def long_document(self):
        language = self.dice.pick(["en", "en", "zh"])
        names = sorted(p.stem for p in (HERE / "documents").glob(f"{language}_*.txt"))
        first = self.dice.below(len(names))
        parts = [document(names[(first + i) % len(names)]) for i in range(3 + self.dice.below(3))]
        return {"messages": [{"role": "user", "content": self.dice.pick(TASKS[language])},
                             {"role": "user", "content": "\n\n".join(parts)}]}

    def plain(self):
        text = self.dice.pick(PLAIN)
        return {"prompt": self.fill(text, "zh" if "{item}" in text and ord(text[0]) > 127 else "en")}

    def all(self):
        talks = [list(self.conversation(2 + self.dice.below(4))) for _ in range(46)]
        waiting = []
        while talks or waiting:
            # About a dozen conversations are going on at a time; a turn comes back after the others had theirs.
            while len(waiting) < 12 and talks:
                waiting.append(talks.pop(0))
            talk = waiting.pop(0)
            yield self.request("chat", talk.pop(0))
            if talk:
                waiting.append(talk)
            roll = self.dice.below(12)
            if roll == 0:
                yield self.request("long", self.long_document())
            elif roll <= 3:
                plain = self.plain()
                yield self.request("plain", plain)
                if roll == 1:
                    yield self.request("again", plain)
            elif roll <= 8:
                yield self.request("ask", next(self.conversation(1)))


def corpus():
    for path in sorted((HERE / "documents").glob("*.txt")):
        yield from path.read_text(encoding="utf-8").splitlines()
    seen = set()
    for request in Writer(11).all():
        for message in request.get("messages", [{"content": request.get("prompt")}]):
            for line in message["content"].splitlines():
                if line not in seen:
                    seen.add(line)
                    yield line


def main():
    if "--corpus" in sys.argv:
        for line in corpus():
            if line:
                print(line)
        return
    for request in Writer(7).all():
        print(json.dumps(request, ensure_ascii=False))


main()
