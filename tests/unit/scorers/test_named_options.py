"""Which option a reply names, in the words of models."""

from __future__ import annotations

import pytest

from scripts.records import Item
from scripts.scorers.base import UNREAD
from scripts.scorers.multiple_choice import MultipleChoice
from scripts.scorers.named_options import only_letter

ITEM = Item("q1", "Which city?", ("B",), choices=("Rome", "Paris", "Berlin", "Madrid"))

NAMES_B = [
    '{"answer": "B"}',
    '```json\n{"answer": "B"}\n```',
    "<answer>B</answer>",
    "答案：B",
    "Die richtige Antwort ist B.",
    "Respuesta: B",
    "B is correct because the others are not.",
    "Option B is correct.",
    "B</s>",
    "Answer: B\n\nLet me explain each choice: A is Rome.",
    "A) Rome - no\nB) Paris - yes\nC) Berlin - no\nD) Madrid - no\n\nB",
    "The answer is not A. It is B.",
    "B: Paris",
    "The answer is (B) Paris",
    "**B**",
    "$\\boxed{\\text{B}}$",
    "B and not C",
    "(B)",
    "b)",
    "Option B",
    "B - Paris",
    "B – Paris, of course",
    "I would go with option B.",
    "So it is B.",
    "I choose B because of the Seine",
    "Therefore, the answer is option (B).",
    "正确答案是B，因为塞纳河",
    "故选B。",
    "B是正确的",
    "答えはBです。",
    "정답은 B입니다.",
    "La respuesta correcta es la opción B.",
    "La bonne réponse est la B.",
    "La réponse correcte est donc B.",
    "A resposta correta é a letra B.",
    "（B）",
    "Ｂ",
    "**Answer: B) Paris**\n\nThe Seine flows through Paris.",
    (
        "The correct answer is:\n\n**B) Paris**\n\nExplanation:\n- A) Rome is in Italy.\n"
        "- C) Berlin is in Germany."
    ),
    "B) Paris\n\nA) Rome is wrong.\nC) Berlin is wrong.",
    "Let's go through them. A: no. B: yes.\n\nFinal answer: B",
    "\\\\boxed{B}",
    "The answer is $\\boxed{\\textbf{(B)}\\ \\text{Paris}}$.",
    "<think>A? Hmm, no.</think>\n\nB",
    "It's B.",
    "My choice is B",
    "I'd pick (B)",
    "Answer: Paris",
    "The answer is Paris, which lies on the Seine.",
    "Both A and C are wrong, so the correct option is B.",
    "The best answer is B",
    "ANSWER: $B$",
    "Answer - B",
    "## Answer\n\n**B**",
    '{"reasoning": "A is Rome. The answer is A?", "answer": "B"}',
    '{"final_answer": ["B"]}',
    "<final_answer>B) Paris</final_answer>",
    "B. Paris is the capital.",
    "B\n",
    "Correct answer: B",
    "Antwort: B",
    "Right answer: **B**",
    "Réponse : **B**",
    "Ответ: B) Paris",
    "Final Answer: The final answer is $\\boxed{B}$. I hope it is correct.",
    "Answer: B<|eot_id|>",
    "The answer is definitely B!",
    "The capital is Paris, so B is the right answer.",
    "Step 1: Eliminate A.\nStep 2: Eliminate C and D.\nTherefore, B.",
    "We can exclude A, C and D. Hence B is the answer.",
    "The final answer is B, not A.",
    "After careful thought, my final answer is: B",
    "A) Rome\nB) Paris\nC) Berlin\nD) Madrid\n\nB) Paris",
    "B because of the Seine",
    "The correct answer is option **B) Paris**.",
    (
        "Looking at the options:\n\n"
        "A) Rome is the capital of Italy.\nB) Paris is the capital of France.\n"
        "C) Berlin is the capital of Germany.\nD) Madrid is the capital of Spain.\n\n"
        "Therefore, the correct answer is B."
    ),
    (
        "Looking at the options:\n- A is wrong since Rome is in Italy.\n"
        "- C is wrong since Berlin is in Germany.\n- D is wrong.\n\n"
        "This leaves B."
    ),
    "Let's think step by step. France's capital is Paris. Paris is option B. So the answer is (B).",
    "**Answer:** (B) Paris\n\n**Explanation:** Option A is wrong because Rome is in Italy.",
    "Answer: B) Paris\n\nExplanation: The answer is not A because Rome is in Italy.",
    "The answer is $\\boxed{\\text{(B)}}$",
    "Paris (B)",
    "(B) Paris is the capital of France.",
    "B) Paris is the correct answer because it is the capital.",
    "I believe the answer is B.",
    "I'm going with B.",
    "My final answer is: **B**",
    "Choice B is the best answer.",
    "The right choice here is B, Paris.",
    "ANSWER: (B)",
    "Correct Option: B",
    "Option B: Paris",
    "Final Answer: B. Paris",
    "The final answer is: $\\boxed{B}$",
    "<answer>(B) Paris</answer>",
    "<answer>\nThe correct answer is B.\n</answer>",
    '{"thought": "It is A or B", "choice": "B"}',
    '```json\n{\n "explanation": "A is wrong",\n "answer": "B) Paris"\n}\n```',
    '{"answer": {"B": "Paris"}}',
    "Die Antwort ist B) Paris, weil Paris die Hauptstadt ist.",
    "Die korrekte Antwort lautet: **B) Paris**",
    "Antwort B ist richtig.",
    "La respuesta es B) París",
    "La opción correcta es la B.",
    "La opción correcta es: B) Paris",
    "Opción B",
    "La réponse est B) Paris.",
    "La bonne réponse est l'option B.",
    "A alternativa correta é a letra B.",
    "Resposta: B",
    "La risposta è la B.",
    "Правильный ответ — B) Париж.",
    "Ответ: **B**",
    "答案：**B**",
    "正确答案是：B. 巴黎",
    "选B",
    "答案是选项B。",
    "本题选B。",
    "正解はBです。",
    "答えは「B」です。",
    "正答：B",
    "정답: B) 파리",
    "답은 B이다.",
    "B번이 정답입니다.",
    "الإجابة: B",
    "Cevap: B",
    "Doğru cevap B'dir.",
    "सही उत्तर (B) है।",
    "Jawaban: B",
    "Đáp án: B",
    "Odpowiedź: B",
    "Antwoord: B",
    "Svar: B",
    "B<|im_end|>",
    "B\n<|im_start|>user\nNext question: A",
    "<think>\nOkay, the answer is A... no, B.\n</think>\n\nThe correct answer is **B**.",
    "Question: Which city?\n\nAnswer: B\n\nQuestion: Another?\n\nAnswer: B",
    "B.\n\nExplanation: A is incorrect because Rome is in Italy. C is incorrect too.",
    "B\nA is wrong.\nC is wrong.",
    "The answer is b",
    "the answer is b.",
    "Answer is B",
    "Answer B",
    "**B.** Paris",
    "*B*",
    "B !",
    '"B"',
    "'B'",
    "[B]",
    "{B}",
    "<B>",
    "B)",
    "Letter B",
    "The letter is B",
    "The correct letter is B.",
    "It would be B.",
    "That would be (B) Paris.",
    "Paris is the answer.",
    "The answer is: Paris",
    "Answer: the answer is Paris.",
    "So the capital of France is Paris. The answer is B.",
    "My answer: B",
    "Selected answer: B",
    "Selected option: B) Paris",
    "The correct statement is B.",
    "Of the options, only B is correct.",
    "Only option B is right.",
    "Hence, option (B) is correct.",
    "Thus (B).",
    "Therefore the answer must be B",
    "So, B.",
    "=> B",
    "→ B",
    "Final: B",
    "Final choice: B",
    "Conclusion: B",
    "Response: B",
    "Solution: B",
    "The solution is B.",
    "It is not A. It is B.",
    "Step 1: A is out. Step 2: So C is wrong. Hence it must be B.",
]

NAMES_SEVERAL = [
    "A or B",
    "A, B",
    "B) Rome",
    "Both A and B are correct.",
    "The answer is A or C",
    "The answer could be A or B.",
]

NAMES_NONE = [
    "A city on the Seine",
    "A) Rome\nB) Paris\nC) Berlin\nD) Madrid",
    "A is my first thought.\nOr C.",
    "I would say that a B movie is set there",
    "A) Rome B) Paris C) Berlin D) Madrid",
    "None of these seem right to me.",
    "Let me think about A and then B",
    "Answer: a city",
    "I think there is no answer here.",
    "I cannot see the options.",
    "Which options do you mean?",
    "So C is incorrect and A is too.",
    "That is a good question.",
    "I is not A.",
    "A is the capital of Italy. B is the capital of France.",
]

OTHERS = [
    ("E", "E"),
    ("The answer is E.", "E"),
    ("The answer is A because of the Tiber", "A"),
    ("A", "A"),
    ("a", "A"),
    ("A) Rome\n\nB) Paris is in France.\nC) Berlin is in Germany.\nD) Madrid is in Spain.", "A"),
    ("A) Rome\nB) Paris\nC) Berlin\n\nD) Madrid", "D"),
]


@pytest.mark.parametrize("text", NAMES_B)
def test_the_option_is_read_that_a_reply_arrives_at(text: str) -> None:
    score = MultipleChoice().score(text, ITEM)
    assert (score.correct, score.unread, score.read) == (1.0, 0.0, "B")


@pytest.mark.parametrize("text", NAMES_SEVERAL)
def test_several_options_are_a_wrong_answer(text: str) -> None:
    score = MultipleChoice().score(text, ITEM)
    assert (score.correct, score.unread) == (0.0, 0.0)
    assert score.read is not None
    assert score.read in text


@pytest.mark.parametrize("text", NAMES_NONE)
def test_what_names_no_option_is_unread(text: str) -> None:
    assert MultipleChoice().score(text, ITEM) == UNREAD


@pytest.mark.parametrize(("text", "letter"), OTHERS)
def test_another_letter_is_wrong_even_one_that_no_option_has(text: str, letter: str) -> None:
    score = MultipleChoice().score(text, ITEM)
    assert (score.correct, score.unread, score.read) == (0.0, 0.0, letter)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("b", "B"),
        ("(b).", "B"),
        ("Option C", "C"),
        ("l'option D", "D"),
        ("Bravo", None),
        ("AB", None),
        ("", None),
    ],
)
def test_a_letter_may_have_signs_around_it(text: str, expected: str | None) -> None:
    assert only_letter(text) == expected
