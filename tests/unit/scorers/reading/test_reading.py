"""Where the answer is in replies as models write them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.records import Item
from scripts.scorers import build_scorer
from scripts.scorers.base import UNREAD
from scripts.scorers.numeric import Numeric
from scripts.scorers.reading import BUILT_IN, Answer, Reading, find_answer, find_answers

HARMONY = "<|channel|>analysis<|message|>41? The answer is 41.<|end|><|start|>assistant"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Boxes, tags and JSON.
        (r"\[\boxed{42}\]" + "\nThis took 3 steps.", "42"),
        (r"Thus $x = \boxed{\frac{3}{4}}$.", r"\frac{3}{4}"),
        (r"First \boxed{3}, and then $\boxed{\text{Paris}}$", "Paris"),
        (r"Final Answer: The final answer is $\boxed{7}$. I hope it is correct.", "7"),
        ("<answer>Paris</answer>", "Paris"),
        ("<reasoning>Rome? No.</reasoning>\n<answer>\nParis\n</answer>", "Paris"),
        ("<answer>A</answer>\nOn reflection:\n<answer>B</answer>", "B"),
        ("<Final_Answer>42", "42"),
        ('{"answer": "Paris"}', "Paris"),
        ('{"answer": 42, "confidence": 0.9}', "42"),
        ('```json\n{\n  "reasoning": "The answer is 41?",\n  "final_answer": "42"\n}\n```', "42"),
        ('Here is my reply:\n```json\n{"answer": ["Paris"]}\n```\nLet me know!', "Paris"),
        ('{"steps": [{"answer": 3}], "answer": 42}', "42"),
        ('{"answer": "B", "explanation": "The capital of Fra', "B"),
        ("{'answer': 'B', 'why': 'because'}", "B"),
        ('<answer>{"answer": "The answer is **B**"}</answer>', "B"),
        # Announcements.
        ("Final answer: 42\n\nConfidence: 95%", "42"),
        ("Answer: 42\nConfidence: 0.9", "42"),
        ("**Final Answer**\n42 km (about 26 miles)", "42 km (about 26 miles)"),
        ("### Final Answer:\n\n**Paris**", "Paris"),
        ("**Answer:** Paris\n\n**Explanation:** The answer lies on the Seine.", "Paris"),
        ("## Answer\n\nParis is it", "Paris is it"),
        ("The result is 41. Add 1.\nFinal result: 42", "42"),
        ("The answer is: Paris", "Paris"),
        ("So, the correct answer would be Paris", "Paris"),
        ("The answer to your question is Paris", "Paris"),
        ("Q: Which city?\nA: Paris", "Paris"),
        ("3 + 4 = 7\n#### 7", "7"),
        ("3 + 4 = 7\n\n#### Answer: 7", "7"),
        ("#### Step 1\nAdd 3.\n\n#### Step 2\nAdd 4.\n\nAnswer: 7", "7"),
        ("The answer is not Rome. It is Paris", "Paris"),
        ("The answer is not Rome but Paris", "Paris"),
        ("The answer is Rome. Wait, no: the answer is Paris", "Paris"),
        ("Answer: Paris. It has been the capital for long.", "Paris"),
        ("Answer: St. Louis. It lies on a river.", "St. Louis"),
        ("Final answer: Paris\n\nNote that the answer is disputed.", "Paris"),
        ("The answer is therefore Paris", "Paris"),
        ("Answer: Likely", "Likely"),
        ("I hope the answer is helpful", "I hope the answer is helpful"),
        ("What the answer is, nobody knows", "What the answer is, nobody knows"),
        ("Paris", "Paris"),
        ("  \n**Paris**  \n", "**Paris**"),
        # Languages.
        ("Die richtige Antwort ist Paris", "Paris"),
        ("**Antwort:** Paris", "Paris"),
        ("Die Antwort lautet also Paris", "Paris"),
        ("Respuesta: París", "París"),
        ("La respuesta correcta es París", "París"),
        ("Réponse : Paris", "Paris"),
        ("La bonne réponse est Paris", "Paris"),
        ("La risposta corretta è Parigi", "Parigi"),
        ("A resposta correta é Paris", "Paris"),
        ("Het juiste antwoord is Parijs", "Parijs"),
        ("Poprawna odpowiedź to Paryż", "Paryż"),
        ("Správná odpověď je Paříž", "Paříž"),
        ("Ответ: Париж", "Париж"),
        ("Правильный ответ — Париж", "Париж"),
        ("Rätt svar är Paris", "Paris"),
        ("Doğru cevap: Paris", "Paris"),
        ("Jawaban yang benar adalah Paris", "Paris"),
        ("Đáp án đúng là Paris", "Paris"),
        ("Η σωστή απάντηση είναι Παρίσι", "Παρίσι"),
        ("答案：巴黎", "巴黎"),
        ("因此，正确答案是巴黎。因为它在塞纳河边。", "巴黎"),
        ("最终答案：42", "42"),
        ("答えはパリです。", "パリ"),
        ("正解：パリ", "パリ"),
        ("정답은 파리입니다", "파리"),
        ("정답: 파리", "파리"),
        ("الإجابة الصحيحة هي باريس", "باريس"),
        ("सही उत्तर: पेरिस", "पेरिस"),
        ("คำตอบคือ ปารีส", "ปารีส"),
        ("התשובה הנכונה היא פריז", "פריז"),
        # Thoughts, tokens and fences.
        ("<think>\nthe answer is 17? No.\n</think>\n\n**42**", "**42**"),
        ("<think>hmm, the answer is 41</think>\nIt is 42.", "It is 42."),
        ("The answer is 41.</think>\n42", "42"),
        (HARMONY + "<|channel|>final<|message|>42<|return|>", "42"),
        ("42<|im_end|>\n<|im_start|>user\nWhat is 3+4?", "42"),
        ("B</s>", "B"),
        ("```\nParis\n```", "Paris"),
        ("<response>\nParis\n</response>", "Paris"),
    ],
)
def test_the_answer_is_found(text: str, expected: str) -> None:
    answer = find_answer(text, Reading())
    assert answer is not None
    assert answer.text.rstrip(".") == expected.rstrip(".")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t",
        "<think>Paris</think>",
        "<think>The answer is 42, let me verify",
        HARMONY,
        "```\n```",
        "</s>",
    ],
)
def test_a_reply_without_a_text_holds_no_answer(text: str) -> None:
    assert find_answer(text, Reading()) is None


@pytest.mark.parametrize(
    ("options", "text", "expected"),
    [
        ({"drop_thoughts": False}, "<think>a</think>b", "<think>a</think>b"),
        ({"thought_tags": ("musing",)}, "<musing>a</musing>b", "b"),
        ({"thought_tags": ("musing",)}, "<think>a</think>b", "<think>a</think>b"),
        ({"end_tokens": ()}, "a</s>b", "a</s>b"),
        ({"end_tokens": ("STOP",)}, "a STOP b", "a"),
        ({"open_fences": False}, "```\na\n```", "```\na\n```"),
        ({"read_boxed": False}, r"\boxed{a}", r"\boxed{a}"),
        ({"answer_tags": ()}, "<answer>a</answer>", "<answer>a</answer>"),
        ({"answer_tags": ("out",)}, "<out>a</out>", "a"),
        ({"answer_keys": ()}, '{"answer": "a"}', '{"answer": "a"}'),
        ({"answer_keys": ("verdict",)}, '{"answer": "a", "verdict": "b"}', "b"),
        ({"markers": ()}, "Answer: a", "Answer: a"),
        ({"markers": ("Result:",)}, "Answer: a\nRESULT: b", "b"),
        ({"markers": ("Result:",)}, "Answer: a", "Answer: a"),
        ({"markers": (BUILT_IN, "Result:")}, "Answer: a", "a"),
        ({"markers": (BUILT_IN, "Result:")}, "Result: a\nAnswer: b", "a"),  # one's own is the stronger
    ],
)
def test_each_way_can_be_changed_or_turned_off(options: dict[str, object], text: str, expected: str) -> None:
    answer = find_answer(text, Reading(**options))  # type: ignore[arg-type]
    assert answer is not None
    assert answer.text == expected


def test_of_what_is_said_to_be_final_the_last_counts_and_beats_all_else() -> None:
    strong = {r"\boxed{a}": "a", "<answer>b</answer>": "b", "Final answer: c": "c", '{"answer": "d"}': "d"}
    for first in strong:
        for last, expected in strong.items():
            for text in (f"{first}\n{last}\n\nThe answer is e", f"Answer: e\n{first}\n{last}"):
                answer = find_answer(text, Reading())
                assert answer is not None
                assert answer.text == expected


@pytest.mark.parametrize(
    "text",
    [
        '{"answer": null, "confidence": 0.9}',
        "<answer></answer> in 3 steps",
        "I took 3 steps.\n\nFinal answer:",
    ],
)
def test_an_announced_nothing_is_unread_whatever_else_there_is(text: str) -> None:
    assert [answer.text for answer in find_answers(text, Reading())] == [""]
    for scorer, answers in (
        ("numeric", ("3",)),
        ("short_answer", ("x",)),
        ("multiple_choice", ("A",)),
        ("label", ("x",)),
    ):
        item = Item("q1", "Which?", answers, choices=("x", "y"))
        assert build_scorer(scorer).score(text, item) == UNREAD


def test_an_announced_nothing_does_not_hide_an_answer() -> None:
    for text in ("<answer>B</answer><answer></answer>", "Answer: B\n### Final Answer\n"):
        answer = find_answer(text, Reading())
        assert answer is not None
        assert answer.text == "B"


def test_what_comes_after_an_announcement_is_there_too() -> None:
    answer = find_answer("Well. Answer: Paris\nIt lies on the Seine.", Reading())
    assert answer == Answer(
        text="Paris",
        is_announced=True,
        whole="Well. Answer: Paris\nIt lies on the Seine.",
        rest=" Paris\nIt lies on the Seine.",
    )


def test_all_that_may_be_the_answer_is_given_the_whole_last() -> None:
    found = list(find_answers("Answer: A? No.\nANSWER: B\nI said so.", Reading()))
    assert [answer.text for answer in found] == ["B", "A? No.", found[-1].whole]
    assert [answer.is_announced for answer in found] == [True, True, False]


def test_an_announcement_may_stand_lines_before_a_number() -> None:
    item = Item("q1", "How many?", ("42",))
    for text in ("The answer is as follows:\n\n42 apples", "The answer is:\n\\[\nx = 42\n\\]\nin 3 steps"):
        assert Numeric().score(text, item).correct == 1.0


PIECES = [
    *("<think>", "</think>", "</s>", "```", "\\boxed{", "}", "{", '"answer":', '"', "<answer>"),
    "</answer>",
]


@settings(deadline=None)
@given(st.lists(st.sampled_from([*PIECES, "Answer:", "The answer is", "####", " ", "\n", "B", "42", "."])))
def test_any_order_of_all_this_is_read(pieces: list[str]) -> None:
    for answer in find_answers("".join(pieces), Reading()):
        assert answer.whole
