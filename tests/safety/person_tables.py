"""A rulebook with a formulary of a few rows, which the tests of the checks know by heart."""

from __future__ import annotations

import shutil
from pathlib import Path

from medasst.disk import package_file

TABLES = ("ingredients", "contents", "interactions", "populations", "doses", "allergies", "complaints")
GROUPS = """
[[group]]
name = "止痛药群"
classes = ["止痛药"]

[[group]]
name = "降压药群"
classes = ["降压药"]

[[group]]
name = "催眠群"
"""
INGREDIENTS = """
[[ingredient]]
name = "布洛芬"
groups = ["止痛药群"]

[[ingredient]]
name = "对乙酰氨基酚"

[[ingredient]]
name = "氯苯那敏"
groups = ["催眠群"]

[[ingredient]]
name = "双氯芬酸"
groups = ["止痛药群"]

[[ingredient]]
name = "双氯芬酸/外用"

[[ingredient]]
name = "华法林"

[[ingredient]]
name = "卡托普利"
groups = ["降压药群"]

[[ingredient]]
name = "维生素C"

[[ingredient]]
name = "尿素"
"""
CONTENTS = """
[[content]]
name = "复方对乙酰氨基酚片"
ingredients = ["对乙酰氨基酚", "氯苯那敏"]

[[content]]
name = "酚麻美敏"
ingredients = ["对乙酰氨基酚", "氯苯那敏"]

[[content]]
name = "维C银翘片"
ingredients = ["维生素C", "对乙酰氨基酚", "氯苯那敏"]
"""
INTERACTIONS = """
[[interaction]]
id = "bleeding"
first = ["止痛药群"]
second = ["华法林"]
severity = "avoid"
again = "avoid"
sentence = "一起用容易出血。"
advice = "先问医生。"
source = "华法林说明书，相互作用"

[[interaction]]
id = "pressure"
first = ["止痛药群"]
second = ["降压药群"]
severity = "caution"
again = "caution"
sentence = "降压效果会差一些。"
advice = "要多量血压。"

[[interaction]]
id = "disputed"
first = ["对乙酰氨基酚"]
second = ["华法林"]
severity = "none"
again = "caution"
sentence = "可能加强抗凝。"
advice = "少用几天。"

[[interaction]]
id = "harmless"
first = ["维生素C"]
second = ["华法林"]
severity = "none"
again = "none"
sentence = "没有影响。"
advice = "可以。"

[[interaction]]
id = "drink"
first = ["对乙酰氨基酚"]
second = ["酒"]
severity = "forbid"
again = "forbid"
sentence = "和酒一起伤肝。"
advice = "喝了酒别吃。"
"""
POPULATIONS = """
[[population]]
id = "late"
of = ["布洛芬"]
who = "trimester_3"
verdict = "forbid"
sentence = "怀孕后三个月不能用。"
source = "布洛芬说明书，孕妇用药"

[[population]]
id = "claimed"
of = ["对乙酰氨基酚"]
who = "pregnancy"
verdict = "allow"
sentence = "可以用。"

[[population]]
id = "proven"
of = ["维生素C"]
who = "pregnancy"
verdict = "allow"
sentence = "可以用。"
checked = true

[[population]]
id = "proven_lactation"
of = ["维生素C"]
who = "lactation"
verdict = "allow"
sentence = "可以用。"
checked = true

[[population]]
id = "ulcer"
of = ["止痛药群"]
who = "condition"
conditions = ["消化性溃疡"]
verdict = "forbid"
sentence = "有溃疡的人用了容易胃出血。"

[[population]]
id = "kidney"
of = ["布洛芬"]
who = "condition"
conditions = ["肾病"]
verdict = "ask"
sentence = "肾不好的人要先问医生。"

[[population]]
id = "liver"
of = ["对乙酰氨基酚"]
who = "condition"
conditions = ["肝病"]
verdict = "forbid"
sentence = "肝不好的人不能用。"

[[population]]
id = "asleep"
of = ["催眠群"]
who = "driving"
verdict = "forbid"
sentence = "吃了犯困，不能开车。"

[[population]]
id = "small"
of = ["布洛芬"]
who = "age"
below_months = 6
verdict = "forbid"
sentence = "半岁以下不能用。"

[[population]]
id = "school"
of = ["维生素C"]
who = "age"
from_months = 72
below_months = 216
verdict = "allow"
sentence = "六岁以上可以用。"
checked = true

[[population]]
id = "light"
of = ["布洛芬"]
who = "weight"
below_kg = 5
verdict = "forbid"
sentence = "五公斤以下不能用。"

[[population]]
id = "old"
of = ["氯苯那敏"]
who = "elderly"
verdict = "ask"
sentence = "老人用了容易头晕摔倒，先问医生。"
"""
DOSES = """
[[dose]]
id = "paracetamol"
ingredient = "对乙酰氨基酚"
from_months = 144
checked = true
first = { daily_mg = 2000 }
again = { daily_mg = 2000 }

[[dose]]
id = "ibuprofen"
ingredient = "布洛芬"
from_months = 144
first = { daily_mg = 1200 }
again = { daily_mg = 1200 }
"""
ALLERGIES = """
[[allergy]]
id = "aspirin"
allergens = ["阿司匹林"]
to = ["止痛药群"]
verdict = "forbid"
sentence = "同类的止痛药也可能过敏。"

[[allergy]]
id = "peanut"
allergens = ["花生"]
to = ["维生素C"]
verdict = "ask"
sentence = "先看辅料。"
"""


def small_rulebook(folder: Path) -> Path:
    """This package's tables with a small formulary, in `folder`."""
    package = package_file("rulebook")
    for file in package.glob("*.toml"):
        if not file.stem.startswith(TABLES):
            shutil.copy(file, folder / file.name)
    texts = (INGREDIENTS, CONTENTS, INTERACTIONS, POPULATIONS, DOSES, ALLERGIES, "")
    for name, text in zip(TABLES, texts, strict=True):
        (folder / f"{name}.toml").write_text(text, "utf-8")
    (folder / "groups.toml").write_text(GROUPS, "utf-8")
    return folder
