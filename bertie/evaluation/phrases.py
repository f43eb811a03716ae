"""Phrases: every sentence of the report and of the model card, in English and in Chinese.

In:  the language of a page
Out: name to sentence; names of metrics and floors; figures as text
Knows nothing of where a sentence stands. One table of pairs, so that neither language can lack a sentence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from bertie.text.language import detect

Language = Literal["en", "zh"]

LABELS_NAMED = 5
"""Labels of which a sentence gives the names."""

PHRASES: dict[str, tuple[str, str]] = {
    "judged_on": ("judged on {rows} rows that it never saw", "在 {rows} 条从未见过的数据上评测"),
    "judged_on_seen": (
        "judged on {rows} rows, {seen} of which it had seen before",
        "在 {rows} 条数据上评测，其中 {seen} 条此前已经见过",
    ),
    "judged_on_dev": (
        "judged on {rows} development rows, by which the model was chosen too: there was no test set, so the score is "
        "likely too high",
        "在 {rows} 条开发集数据上评测；模型也由这些数据选出，没有测试集，因此得分很可能偏高",
    ),
    "started_from": ("started from {model}", "起始模型：{model}"),
    # the verdict
    "better": ("The model is better than every plain baseline.", "模型优于所有简单基线。"),
    "narrow": (
        "The model is only narrowly better than {floor}.",
        "模型只略优于“{floor}”。",
    ),
    "equal": ("A plain baseline is as good as this model.", "简单基线与该模型不相上下。"),
    "worse": ("A plain baseline is better than this model.", "简单基线优于该模型。"),
    "alone": (
        "No plain baseline was measured, so this figure stands alone.",
        "没有测量任何简单基线，这个分数缺少参照。",
    ),
    "better_detail": (
        "The strongest one, {floor}, reaches {value}; the model is ahead by {difference}{unit} "
        "(95% interval {low} to {high}).",
        "最强的基线“{floor}”为 {value}；模型领先 {difference}{unit}（95% 区间 {low} 至 {high}）。",
    ),
    "narrow_detail": (
        "{floor} reaches {value}, which lies inside the model's own interval. Row by row the model is ahead by "
        "{difference}{unit} (95% interval {low} to {high}): real on these rows, but small.",
        "“{floor}”为 {value}，落在模型自身的区间之内。逐条比较，模型领先 {difference}{unit}"
        "（95% 区间 {low} 至 {high}）：在这些数据上确有差距，但很小。",
    ),
    "equal_detail": (
        "{floor} reaches {value}. The difference, {difference}{unit}, has a 95% interval from {low} to {high}, which "
        "includes zero: on these rows the two cannot be told apart. The baseline is simpler and faster; prefer it if "
        "its answers are of use to you, or give the model more or cleaner data.",
        "“{floor}”为 {value}。两者相差 {difference}{unit}，95% 区间为 {low} 至 {high}，包含零："
        "在这些数据上无法区分。基线更简单、更快，如果它的回答够用，建议优先使用；否则请为模型提供更多、更干净的数据。",
    ),
    "equal_encoder_detail": (
        "{floor} reaches {value}. The difference, {difference}{unit}, has a 95% interval from {low} to {high}, which "
        "includes zero: on these rows the two cannot be told apart. The baseline is the same encoder before tuning, "
        "and hardly faster: what the tuning has brought, these rows cannot show. Give the model more or cleaner data.",
        "“{floor}”为 {value}。两者相差 {difference}{unit}，95% 区间为 {low} 至 {high}，包含零："
        "在这些数据上无法区分。该基线就是微调之前的同一编码器，速度相差无几：微调带来了什么，这些数据看不出来。"
        "请为模型提供更多、更干净的数据。",
    ),
    "worse_detail": (
        "{floor} reaches {value}; the model is behind by {difference}{unit} (95% interval {low} to {high}). "
        "Use the baseline, or look at the learning curves and the labels below for what went wrong.",
        "“{floor}”为 {value}；模型落后 {difference}{unit}（95% 区间 {low} 至 {high}）。"
        "请使用基线，或从下面的学习曲线和标签中查找原因。",
    ),
    # what an encoder that went on has gained and lost
    "forgetting": ("Gained and lost", "得与失"),
    "forgetting_gained": (
        "Going on brought a gain, and nothing that was measured was lost.",
        "继续训练有所得，所测各项均无所失。",
    ),
    "forgetting_traded": (
        "Going on brought a gain, and some of what was known was lost.",
        "继续训练有所得，也有所失。",
    ),
    "forgetting_lost": (
        "Going on brought no clear gain, and some of what was known was lost.",
        "继续训练没有明显所得，反而有所失。",
    ),
    "forgetting_nothing": (
        "Nothing was clearly gained or lost by going on.",
        "继续训练没有明显的得失。",
    ),
    "forgetting_unseen": (
        "What going on has lost was not measured: there was no general text and no probe.",
        "继续训练失去了什么未作测量：没有通用文本，也没有探针。",
    ),
    "forgetting_domain": (
        "Text of the corpus that was held out: perplexity {before} before, {after} after ({change}%, 95% interval "
        "{low} to {high}): {how}.",
        "语料中留出的文本：困惑度由 {before} 变为 {after}（{change}%，95% 区间 {low} 至 {high}）：{how}。",
    ),
    "forgetting_general": (
        "General text: perplexity {before} before, {after} after ({change}%, 95% interval {low} to {high}): {how}.",
        "通用文本：困惑度由 {before} 变为 {after}（{change}%，95% 区间 {low} 至 {high}）：{how}。",
    ),
    "forgetting_probe": (
        "General probe ({about}, a linear model on the frozen encoder): accuracy {before} before, {after} after "
        "({change} points, 95% interval {low} to {high}): {how}.",
        "通用探针（{about}，冻结编码器上的线性模型）：准确率由 {before} 变为 {after}"
        "（{change} 个百分点，95% 区间 {low} 至 {high}）：{how}。",
    ),
    "forgetting_task": (
        "{about} (a linear model on the frozen encoder): accuracy {before} before, {after} after ({change} points, "
        "95% interval {low} to {high}): {how}.",
        "{about}（冻结编码器上的线性模型）：准确率由 {before} 变为 {after}"
        "（{change} 个百分点，95% 区间 {low} 至 {high}）：{how}。",
    ),
    "forgetting_better": ("gained", "有所得"),
    "forgetting_worse": ("lost", "有所失"),
    "forgetting_same": ("no clear change", "无明显变化"),
    "interval": ("95% interval {low} to {high}", "95% 区间 {low} 至 {high}"),
    "range": ("{low} to {high}", "{low} 至 {high}"),
    "unseen": (
        "Labels of these rows that training never saw, scored wrong each time: {labels}.",
        "这些数据中有训练时从未出现的标签，每次均按错误计：{labels}。",
    ),
    # headings
    "beside": ("Beside the plain baselines", "与简单基线对比"),
    "this_model": ("this model", "本模型"),
    "tfidf": ("TF-IDF + linear", "TF-IDF + 线性模型"),
    "frozen_encoder": ("frozen encoder + linear", "冻结编码器 + 线性模型"),
    "ahead": ("model ahead by", "模型领先"),
    "points": ("points", "个百分点"),
    "how_to_read": (
        "A dot is the score, the bar its 95% interval: where the score could lie had other rows of the same kind been "
        "drawn. “Ahead” compares row by row; where its interval includes zero, the two cannot be told apart.",
        "圆点是得分，横条是 95% 区间：换一批同类数据，得分可能落在其中。"
        "“领先”为逐条比较；若其区间包含零，则两者无法区分。",
    ),
    "all_metrics": ("All metrics", "全部指标"),
    "learning": ("How it learned", "学习过程"),
    "loss": ("Training loss", "训练损失"),
    "dev_score": ("Score on the development rows", "开发集得分"),
    "kept_at": ("kept: {value} at step {step}", "保留：第 {step} 步，{value}"),
    "highest_beside_score": (
        "The highest is {value} at step {step}, by no more than chance: less than its standard error.",
        "最高：第 {step} 步，{value}；差距不超过偶然（小于其标准误）。",
    ),
    "highest_beside_loss": (
        "The highest is {value} at step {step}; the weights were chosen by the loss on these rows.",
        "最高：第 {step} 步，{value}；权重按这些数据上的损失选择。",
    ),
    "highest_beside_last": (
        "The highest is {value} at step {step}; the last weights were kept without choosing by these rows.",
        "最高：第 {step} 步，{value}；未按这些数据选择，保留的是最后的权重。",
    ),
    "step": ("step", "步"),
    "per_class": ("Each label", "各标签"),
    "weakest": ("The {shown} weakest of {count} labels.", "共 {count} 个标签，只列出最弱的 {shown} 个。"),
    "label": ("label", "标签"),
    "precision": ("precision", "精确率"),
    "recall": ("recall", "召回率"),
    "f1": ("F1", "F1"),
    "support": ("rows", "条数"),
    "confusion": ("What is taken for what", "混淆情况"),
    "confusion_read": (
        "A row is the true label, a column the predicted one; the darker, the larger its part of the row.",
        "每行是真实标签，每列是预测标签；颜色越深，占该行的比例越大。",
    ),
    "pairs_read": ("The most frequent mix-ups of {count} labels.", "共 {count} 个标签，列出最常见的混淆。"),
    "mistakes": ("Hardest mistakes", "最难的错误"),
    "mistakes_read": (
        "Wrong answers of which the model was most sure: often a wrong label in the data, or something it cannot know.",
        "模型最有把握却答错的数据：往往是标注有误，或是模型无从得知的内容。",
    ),
    "no_mistakes": ("There is none on these rows.", "在这些数据上没有错误。"),
    "text": ("text", "文本"),
    "gold": ("true", "真实"),
    "predicted": ("predicted", "预测"),
    "confidence": ("confidence", "置信度"),
    "none_given": ("(none)", "（无）"),
    "data": ("Data", "数据"),
    "part": ("part", "部分"),
    "train": ("training", "训练"),
    "dev": ("development", "开发"),
    "test": ("test", "测试"),
    "source": ("source", "来源"),
    "content": ("content (SHA-256)", "内容（SHA-256）"),
    "chosen": ("What was chosen, and why", "所作选择及原因"),
    "recipe": ("Recipe", "配方"),
    "environment": ("Environment", "运行环境"),
    "speed": ("Speed of training", "训练速度"),
    "tokens_per_second": ("{value} tokens a second", "每秒 {value} 个词元"),
    "took": ("Time in all", "总用时"),
    "seconds": ("{value} s", "{value} 秒"),
    "minutes": ("{value} min", "{value} 分钟"),
    "footer": (
        "Made by Bertie. This page needs no network and runs no script.",
        "由 Bertie 生成。本页无需网络，也不运行任何脚本。",
    ),
    # the model card
    "card_scores": ("Scores", "得分"),
    "card_use": ("Use", "使用"),
    "card_row": ("A line of `rows.jsonl`:", "`rows.jsonl` 中的一行："),
    "card_labels": ("Labels", "标签"),
    "card_limits": ("Limits", "局限"),
    "card_what": ("what", "项目"),
    "card_intro": (
        "A model for {task}, trained with Bertie, {started}.",
        "用 Bertie 训练的模型，任务：{task}；{started}。",
    ),
    "limit_rows": (
        "Judged on {rows} rows of one source. Texts of another kind, time or place can be harder.",
        "仅在同一来源的 {rows} 条数据上评测；其他类型、时间或来源的文本可能更难。",
    ),
    "limit_dev": (
        "The rows that were judged also chose the model, as there was no test set: the score is likely too high.",
        "没有测试集，评测数据也用于选择模型：得分很可能偏高。",
    ),
    "limit_seen": (
        "{seen} of the {rows} rows that were judged are among the training or development rows too: the score is too "
        "high.",
        "评测的 {rows} 条数据中有 {seen} 条也在训练数据或开发集中：得分偏高。",
    ),
    "limit_seen_dev": (
        "{seen} of the {rows} rows that were judged are among the training rows too: the score is too high.",
        "评测的 {rows} 条数据中有 {seen} 条也在训练数据中：得分偏高。",
    ),
    "limit_few": (
        "Fewer than 200 rows were judged: the interval is wide, take the score with care.",
        "评测数据不足 200 条：区间较宽，请谨慎看待得分。",
    ),
    "limit_weak": (
        "Weakest labels (F1): {labels}.",
        "最弱的标签（F1）：{labels}。",
    ),
    "limit_confidence": (
        "A confidence is not a promise: the report lists answers that were sure and wrong.",
        "置信度并非保证：报告列出了很有把握却错误的回答。",
    ),
    "limit_unchecked": (
        "Not measured here: fairness between groups, robustness to typing errors and attacks.",
        "此处未测量：不同群体间的公平性，以及对错别字和攻击的稳健性。",
    ),
}  # fmt: skip

METRICS: dict[str, tuple[str, str]] = {
    "accuracy": ("accuracy", "准确率"),
    "macro_f1": ("macro F1", "宏平均 F1"),
    "micro_f1": ("micro F1", "微平均 F1"),
    "weighted_f1": ("weighted F1", "加权 F1"),
    "samples_f1": ("F1 per row", "逐条 F1"),
    "subset_accuracy": ("all labels right", "全部标签正确"),
    "official_macro_f1": ("official macro F1 (SemEval-2010)", "官方宏平均 F1（SemEval-2010）"),
    "ndcg_at_10": ("nDCG@10", "nDCG@10"),
    "mrr_at_10": ("MRR@10", "MRR@10"),
    "recall_at_1": ("recall@1", "召回率@1"),
    "recall_at_10": ("recall@10", "召回率@10"),
    "precision": ("precision", "精确率"),
    "recall": ("recall", "召回率"),
    "f1": ("F1", "F1"),
    "exact_match": ("exact match", "完全匹配"),
    "answerable_f1": ("F1, questions with an answer", "F1（有答案的问题）"),
    "answerable_exact_match": ("exact match, questions with an answer", "完全匹配（有答案的问题）"),
    "no_answer_accuracy": ("questions without an answer, right", "无答案的问题判断正确"),
    "in_candidates": ("right text among the candidates", "候选中含有正确文本"),
    "masked_accuracy": ("masked pieces right", "遮盖的词元猜对"),
    "next_piece_accuracy": ("next pieces right", "下一个词元猜对"),
    "frame_accuracy": ("intent and all slots right", "意图与全部槽位正确"),
    "intent_accuracy": ("accuracy of intents", "意图准确率"),
    "intent_macro_f1": ("macro F1 of intents", "意图宏平均 F1"),
    "slot_f1": ("F1 of slots", "槽位 F1"),
    "slot_precision": ("precision of slots", "槽位精确率"),
    "slot_recall": ("recall of slots", "槽位召回率"),
    "relation_f1": ("F1 of relations", "关系 F1"),
    "relation_precision": ("precision of relations", "关系精确率"),
    "relation_recall": ("recall of relations", "关系召回率"),
    "relation_macro_f1": ("macro F1 of relations", "关系宏平均 F1"),
    "entity_f1": ("F1 of entities", "实体 F1"),
    "entity_precision": ("precision of entities", "实体精确率"),
    "entity_recall": ("recall of entities", "实体召回率"),
}
"""Metrics from 0 to 1, shown in percent; any other one keeps its unit."""

NAMES: dict[str, tuple[str, str]] = {
    "unseen_labels": ("labels never seen, how often", "未见过的标签（次数）"),
    "classification": ("text classification", "文本分类"),
    "tagging": ("named entities", "命名实体识别"),
    "lexicon": ("entities seen in training", "训练数据中的实体词典"),
    "frozen_tokens": ("frozen encoder + linear, word by word", "冻结编码器 + 逐词线性模型"),
    "question_answering": ("question answering", "抽取式问答"),
    "first_sentence": ("first sentence", "首句"),
    "overlapping_sentence": ("sentence most like the question", "与问题最相近的句子"),
    "no_answer": ("never an answer", "一律回答“无答案”"),
    "match_pointer": ("places of the question's words", "问题词语的位置"),
    "intent_slots": ("intent and slots", "意图与槽位"),
    "tfidf_lexicon": ("TF-IDF + linear, slots seen in training", "TF-IDF + 线性模型，训练数据中的槽位词典"),
    "frozen_heads": ("frozen encoder + two linear heads", "冻结编码器 + 两个线性头"),
    "relation": ("relation extraction", "关系抽取"),
    "tfidf_between": ("TF-IDF around the entities + linear", "实体前后文本的 TF-IDF + 线性模型"),
    "frozen_entities": ("frozen encoder + linear, on the entities", "冻结编码器 + 实体线性模型"),
    "extraction": ("entities and relations", "实体与关系联合抽取"),
    "lexicon_between": (
        "entities seen in training + TF-IDF between them",
        "训练数据中的实体词典 + 实体间文本的 TF-IDF",
    ),
    "frozen_extraction": ("frozen encoder + linear, words and pairs", "冻结编码器 + 词与实体对线性模型"),
    "regression": ("regression", "回归"),
    "embedding": ("embeddings", "文本向量"),
    "bm25": ("BM25", "BM25"),
    "untuned_encoder": ("encoder before tuning", "未微调的编码器"),
    "reviews": ("reviews", "评论"),
    "news topics": ("news topics", "新闻主题"),
    "spearman": ("Spearman correlation", "斯皮尔曼相关系数"),
    "pearson": ("Pearson correlation", "皮尔逊相关系数"),
    "mean_squared_error": ("mean squared error", "均方误差"),
    "mean_absolute_error": ("mean absolute error", "平均绝对误差"),
    "tfidf_ridge": ("TF-IDF + ridge regression", "TF-IDF + 岭回归"),
    "frozen_ridge": ("frozen encoder + ridge regression", "冻结编码器 + 岭回归"),
    "reranking": ("re-ranking", "重排"),
    "frozen_pairs": ("frozen encoder + linear, on pairs", "冻结编码器 + 文本对线性模型"),
    "multiple_choice": ("multiple choice", "多项选择"),
    "choice_habit": ("place or length of the choices alone", "只看选项的位置或长度"),
    "tfidf_overlap": ("choice most like the question (TF-IDF)", "与问题最相近的选项（TF-IDF）"),
    "frozen_choices": ("frozen encoder + linear, choice by choice", "冻结编码器 + 逐选项线性模型"),
    "target_sentiment": ("target sentiment", "目标情感"),
    "pattern": ("text classification by a pattern", "填空式文本分类"),
    "pretraining": ("pre-training", "预训练"),
}
"""Other names that a person calls differently: counts, tasks."""


def phrases(language: Language) -> dict[str, str]:
    """All sentences of one language."""
    return {name: pair[_column(language)] for name, pair in PHRASES.items()}


def spoken(name: str, language: Language) -> str:
    """What a person calls a metric, a floor or a task."""
    for table in (METRICS, NAMES, PHRASES):
        if name in table:
            return table[name][_column(language)]
    return name.replace("_", " ")


def figure(name: str, value: float) -> str:
    """A metric's value as text: percent where it runs from 0 to 1."""
    return f"{value * 100:.1f}%" if name in METRICS else f"{value:.4g}"


def points(name: str, value: float) -> str:
    """A difference of two values of a metric; percentage points where it runs from 0 to 1."""
    return (f"{value * 100:.1f}" if name in METRICS else f"{value:.4g}").replace("-", "\u2212")


def unit(name: str, language: Language) -> str:
    """What stands behind such a difference: points where the metric runs from 0 to 1, else nothing."""
    return " " + PHRASES["points"][_column(language)] if name in METRICS else ""


def counted(labels: Mapping[str, int]) -> str:
    """Labels with how often each was found: `urgent (500×), new (3×)`; of many the most frequent."""
    often = sorted(labels.items(), key=lambda one: (-one[1], one[0]))
    named = ", ".join(f"{label} ({count:,}×)" for label, count in often[:LABELS_NAMED])
    rest = len(often) - LABELS_NAMED
    return f"{named}, … (+{rest:,})" if rest > 0 else named


def language_of(texts: Iterable[str]) -> Language:
    """The language in which a page about these texts is written: Chinese where half of the writing is Han."""
    return "zh" if detect(texts).han >= 0.5 else "en"


def _column(language: Language) -> int:
    return 0 if language == "en" else 1
