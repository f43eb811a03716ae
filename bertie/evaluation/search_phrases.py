"""Phrases of a search: what was tried, what was chosen and why, in English and in Chinese.

In:  the language of a page
Out: name to sentence
Knows nothing of where a sentence stands. One table of pairs, so that neither language can lack a sentence.
"""

from __future__ import annotations

from bertie.evaluation.phrases import Language

SEARCH: dict[str, tuple[str, str]] = {
    "title": ("What was tried", "搜索结果"),
    "chosen": (
        "Chosen: {name}. {done} trials were finished, {stopped} stopped early and {failed} failed.",
        "选用：{name}。共完成 {done} 次试验，提前停止 {stopped} 次，失败 {failed} 次。",
    ),
    "default": (
        "The default recipe is kept: of the {count} others none is clearly better on the {rows} development rows.",
        "保留默认配方：在 {rows} 条开发集数据上，其余 {count} 个都没有明显更好。",
    ),
    "better": (
        "It is clearly better than {other} on the {rows} development rows: ahead by {difference}{unit}, {low} to "
        "{high} where all comparisons together may err in 5% of cases.",
        "在 {rows} 条开发集数据上明显优于“{other}”：领先 {difference}{unit}，区间 {low} 至 {high}"
        "（所有比较合计出错的可能不超过 5%）。",
    ),
    "simpler": (
        "Its score less that of {other} is {difference}{unit} on the {rows} development rows (95% interval {low} to "
        "{high}): not clearly worse, and behind by no more than {most}{unit}. So the simpler one is taken: {fast} ms "
        "a row, and not {slow} ms; {small} MB, and not {large} MB.",
        "在 {rows} 条开发集数据上，它与“{other}”的得分相差 {difference}{unit}（95% 区间 {low} 至 {high}）："
        "并非明显更差，至多落后 {most}{unit}。因此选用更简单的：每条 {fast} 毫秒，而不是 {slow} 毫秒；"
        "{small} MB，而不是 {large} MB。",
    ),
    "room": (
        "Its score less that of {other} is {difference}{unit} on the {rows} development rows (95% interval {low} to "
        "{high}): not clearly worse. Cross-validated, it is right on {score} of the training rows ({least} at least), "
        "so words decide these labels and no model can be much better. So the simpler one is taken: {fast} ms a row, "
        "and not {slow} ms; {small} MB, and not {large} MB.",
        "在 {rows} 条开发集数据上，它与“{other}”的得分相差 {difference}{unit}（95% 区间 {low} 至 {high}）："
        "并非明显更差。它在训练数据上交叉验证的正确率为 {score}（至少 {least}），可见这些标签由词语决定，"
        "任何模型都不可能好多少。因此选用更简单的：每条 {fast} 毫秒，而不是 {slow} 毫秒；"
        "{small} MB，而不是 {large} MB。",
    ),
    "few": (
        "{rows} development rows are too few to prefer a simpler model because it is not clearly worse.",
        "开发集只有 {rows} 条，太少，不足以因为“没有明显更差”而选用更简单的模型。",
    ),
    "alone": (
        "It has the best score of what could be finished within the limits: no tuned model was.",
        "在限制之内没有完成任何微调的模型，这是其中得分最高的。",
    ),
    "best": (
        "The default recipe did not finish within the limits; of what did, this has the best score.",
        "默认配方未能在限制之内完成；在完成的模型中这一个得分最高。",
    ),
    "front": (
        "None of these is beaten in score, latency and size at once; everything else that was tried is. Scored on "
        "{rows} development rows, timed one row at a time.",
        "以下各项在得分、延迟和大小上都没有被其他试验全面超过，其余试验则被超过。"
        "在 {rows} 条开发集数据上评分，逐条计时。",
    ),
    "line": (
        "{name}: {score} ({low} to {high}), {ms} ms a row ({fast} to {slow}), {size} MB{mark}",
        "{name}：{score}（{low} 至 {high}），每条 {ms} 毫秒（{fast} 至 {slow}），{size} MB{mark}",
    ),
    "mark": (" - chosen", "——选用"),
    "name": ("model", "模型"),
    "latency": ("ms a row", "毫秒/条"),
    "size": ("MB", "MB"),
    "words": ("TF-IDF + linear", "TF-IDF + 线性模型"),
    "frozen": ("{model}, frozen + linear", "{model}，冻结 + 线性"),
    "recipe": ("{model}, default recipe", "{model}，默认配方"),
    "tuned": ("{model}, {method}", "{model}，{method}"),
    "rate": ("rate x{value}", "学习率 ×{value}"),
    "epochs": ("epochs x{value}", "轮数 ×{value}"),
    "batch": ("batch x{value}", "批大小 ×{value}"),
    "dropout": ("dropout {value}", "dropout {value}"),
    "smoothing": ("label smoothing {value}", "标签平滑 {value}"),
    "comma": (", ", "，"),
}  # fmt: skip


def search_phrases(language: Language) -> dict[str, str]:
    """All sentences of one language."""
    return {name: pair[0 if language == "en" else 1] for name, pair in SEARCH.items()}
