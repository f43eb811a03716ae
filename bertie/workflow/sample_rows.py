"""Eight rows of each task, in both languages: enough to see whether its parts work together.

In:  nothing
Out: `EIGHT`, task name to labelled rows
Knows nothing of who uses them: the matrix of methods (`matrix`), and the tests of tasks.
"""

from __future__ import annotations

from bertie.data.rows import Rows

EIGHT: dict[str, Rows] = {
    "classification": Rows(
        [{"text": f"{word} food {word}", "label": word} for word in ("good", "bad", "快", "慢")]
        + [{"text": f"the {word} film", "label": word} for word in ("good", "bad", "快", "慢")]
    ),
    "embedding": Rows([{"query": f"{word} food", "positive": f"the film was {word}"} for word in "abcd快慢好坏"]),
    "question_answering": Rows(
        [
            {
                "context": context,
                "question": question,
                "answers": [{"text": context[start:], "start": start}][:answered],
            }
            for context, question, start, answered in (
                ("the food was good", "food", 13, 1),
                ("the service was slow", "service", 16, 1),
                ("the food was good", "film", 0, 0),
                ("the film was very bad", "film", 13, 1),
                ("房间不好", "房间", 2, 1),
                ("服务很快", "服务", 2, 1),
                ("服务很快", "电影", 0, 0),
                ("手机很好", "手机", 2, 1),
            )
        ]
    ),
    "multiple_choice": Rows(
        [
            {"context": context, "question": question, "choices": choices, "answer": choices.index(right)}
            for context, question, choices, right in (
                ("the food was good", "food", ["good", "bad"], "good"),
                ("the food was bad", "food", ["good", "bad"], "bad"),
                ("the film was slow", "the film", ["fast", "slow", "good"], "slow"),
                ("the film was good", "the film", ["fast", "slow", "good"], "good"),
                ("房间不好", "房间", ["好", "坏"], "坏"),
                ("房间很好", "房间", ["好", "坏"], "好"),
                ("服务很快", "服务", ["慢", "好", "快", "坏"], "快"),
                ("手机很慢", "手机", ["慢", "好", "快"], "慢"),
            )
        ]
    ),
    "tagging": Rows(
        [
            {"text": f"the {name} was {word}", "entities": [{"start": 4, "end": 4 + len(name), "label": label}]}
            for name, word, label in (("food", "good", "x"), ("film", "bad", "y"), ("slow service", "not", "x"))
        ]
        + [{"text": "very bad", "entities": []}, {"text": "", "entities": []}]
        + [
            {"text": f"{name}很好{other}", "entities": [{"start": start, "end": start + 2, "label": label}]}
            for name, other, start, label in (("手机", "我", 0, "x"), ("我", "电影", 3, "y"), ("这", "房间", 3, "x"))
        ]
    ),
    "extraction": Rows(
        [
            {
                "text": text,
                "entities": [
                    {"start": start, "end": start + length, "label": "xy"[i]} for i, start in enumerate(starts)
                ],
                "relations": [{"head": head, "tail": tail, "label": label} for head, tail, label in links],
            }
            for text, length, starts, links in (
                ("the good film was not bad", 4, (4, 9), [(0, 1, "praise")]),
                ("the slow food was poor", 4, (9, 18), [(1, 0, "blame")]),
                ("the food the film", 4, (4, 13), []),
                ("slow slow", 4, (), []),
                ("服务很好电影不好", 2, (0, 4), [(1, 0, "好评")]),
                ("手机很快房间很慢", 2, (0, 6), [(0, 1, "差评")]),
                ("很慢很快电影", 2, (4,), []),
                ("", 2, (), []),
            )
        ]
    ),
    "intent_slots": Rows(
        [
            {
                "text": text,
                "entities": [{"start": text.index(word), "end": text.index(word) + len(word), "label": slot}],
                "label": intent,
            }
            for text, word, slot, intent in (
                ("the food was good", "food", "x", "praise"),
                ("the film was good", "film", "y", "praise"),
                ("the slow service", "service", "x", "blame"),
                ("a very bad film", "film", "y", "blame"),
                ("手机很好", "手机", "x", "好评"),
                ("我喜欢电影", "电影", "y", "好评"),
                ("房间不好", "房间", "x", "差评"),
            )
        ]
        + [{"text": "very bad", "entities": [], "label": "blame"}]
    ),
    "regression": Rows([{"text": f"the food was {word}", "label": i} for i, word in enumerate("abcd快慢好坏")]),
    "reranking": Rows(
        [
            {
                "query": f"{word} food",
                "candidates": [f"the film was {other}" for other in (word, *others)],
                "positives": [f"the film was {word}"],
            }
            for word, *others in map(list, ("abc", "bcd", "cda", "d快a", "快慢好", "慢好快", "好坏慢", "坏快好"))
        ]
    ),
    "relation": Rows(
        [
            {
                "text": text,
                "head": {"start": head, "end": head + length},
                "tail": {"start": tail, "end": tail + length},
                "label": label,
            }
            for text, length, places in (
                ("the good film was not bad", 4, {"praise": (4, 9), "blame": (9, 4)}),
                ("the slow food was poor", 4, {"praise": (9, 18), "blame": (18, 9)}),
                ("服务很好电影不好", 2, {"好评": (0, 2), "差评": (4, 6)}),
                ("手机很快房间很慢", 2, {"好评": (2, 0), "差评": (6, 4)}),
            )
            for label, (head, tail) in places.items()
        ]
    ),
    "target_sentiment": Rows(
        [
            {"text": text, "target": target, "label": label}
            for text, targets in (
                ("the food was bad the film was good", {"food": "bad", "film": "good"}),
                ("the service was bad the film was good", {"service": "bad", "film": "good"}),
                ("房间很好服务不好", {"房间": "好", "服务": "坏"}),
                ("手机很慢电影很好", {"电影": "好", "手机": "坏"}),
            )
            for target, label in targets.items()
        ]
    ),
}
