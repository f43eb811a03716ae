"""The worked example: load data, tune, evaluate with a per-class report, predict.

    python examples/classify.py reviews.csv --out my-classifier

In:  a table with `text,label`
Out: a bundle in a folder; the per-class report and two answers on stdout
"""

from __future__ import annotations

import argparse

import bertie


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a text classifier on a table, judge it, use it.")
    parser.add_argument(
        "data", help="CSV, TSV, JSONL or Parquet file with the columns text,label, or a folder of splits"
    )
    parser.add_argument("--out", default="my-classifier", help="folder of the bundle")
    parser.add_argument("--overwrite", action="store_true", help="replace the bundle that an earlier run left there")
    parser.add_argument("--model", help="alias, folder or hub name; otherwise chosen by measuring")
    parser.add_argument("--epochs", type=int, default=0, help="passes over the data; 0: by the number of rows")
    arguments = parser.parse_args()

    # Loading, splitting, tuning, judging on rows that were not trained on.
    result = bertie.train(
        arguments.data,
        out=arguments.out,
        overwrite=arguments.overwrite,
        model=arguments.model,
        settings={"training.epochs": arguments.epochs},
    )

    primary = result.evaluation["primary"]
    print(f"{primary['name']} {primary['value']:.3f}, between {primary['low']:.3f} and {primary['high']:.3f}")
    for name, floor in result.evaluation["floors"].items():
        print(f"  floor {name} {floor['value']:.3f}")
    for row in result.evaluation["per_class"]:
        print(f"  {row['label']}: precision {row['precision']:.3f}, recall {row['recall']:.3f}, f1 {row['f1']:.3f}")

    # What was saved is what answers: loading checks every file and the golden examples.
    model = bertie.load(arguments.out)
    for text in ("Works well, would buy again.", "用了三天就坏了"):
        print(text, model.predict([text])[0])


if __name__ == "__main__":
    main()
