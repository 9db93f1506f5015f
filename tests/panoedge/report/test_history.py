from panoedge.report.history import histories


def test_shared_stages_are_told_once(report):
    told = [(past.model, past.after, [stage.title for stage in past.stages]) for past in histories(report)]
    assert told == [
        ("teacher", "", ["train"]),
        ("pruned", "teacher", ["prune"]),
        ("student", "pruned", ["distill"]),
        ("student-fp32", "student", []),
        ("student-fp16", "student", []),
    ]


def test_another_past_is_told_in_full(report):
    report["models"][2]["history"][0]["epochs"] = 7
    past = histories(report)[2]
    assert (past.after, len(past.stages)) == ("", 3)


def test_models_without_a_past_are_skipped(report):
    for model in report["models"][1:]:
        model["history"] = []
    assert [past.model for past in histories(report)] == ["teacher"]


def test_settings_are_flattened_rounded_and_cut(report):
    report["models"][0]["history"] = [
        {"stage": "train", "optimiser": {"name": "adamw", "lr": 0.1 + 0.2}, "losses": [1 / 3] * 99, "resumed": False},
        {"epochs": 3, "extra": {}},
    ]
    first, second = histories(report)[0].stages
    settings = dict(first.settings)
    assert settings["optimiser.name"] == "adamw"
    assert settings["optimiser.lr"] == "0.3"
    assert settings["resumed"] == "false"
    assert settings["losses"].startswith("[0.33333, 0.33333")
    assert settings["losses"].endswith(" ...")
    assert (second.title, second.settings) == ("stage", [("epochs", "3"), ("extra", "{}")])
