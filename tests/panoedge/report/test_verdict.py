from panoedge.report.verdict import verdict


def facts(report: dict) -> dict[str, tuple[str, str]]:
    return {fact.label: (fact.value.replace("\u202f", " "), fact.tone) for fact in verdict(report).facts}


def test_last_against_first(report):
    assert verdict(report).title == "student-fp16 against teacher"
    assert facts(report) == {
        "parameters": ("−32.7 %", ""),
        "MACs": ("−35.7 %", ""),
        "file size": ("−65.8 %", ""),
        "largest drop: recall": ("−1.3 points", "clear"),
        "network FPS": ("1.95×", ""),
        "frame FPS": ("1.95×", ""),
        "stream FPS": ("1.95×", ""),
        "gate: 32 FPS stream": ("passed", "gain"),
    }


def test_what_is_unknown_is_left_out(report):
    report["models"][0] |= {"parameters": None, "metrics": None}
    report["models"][-1]["gates"] = []
    assert set(facts(report)) == {"MACs", "file size", "network FPS", "frame FPS", "stream FPS"}


def test_a_speed_that_is_not_against_the_reference_names_what_it_is_against(report):
    report["models"][0]["speed"] = None
    assert facts(report)["stream FPS, against student-fp32"] == ("1.40×", "")


def test_a_model_that_lost_nothing(report):
    for task in ("detection", "drivable", "lane"):
        for key in report["models"][4]["metrics"][task]:
            report["models"][4]["metrics"][task][key] = 1
    label = next(label for label in facts(report) if "smallest gain" in label)
    assert facts(report)[label] == ("+6.7 points", "gain")


def test_a_failed_gate_of_any_model_shows(report):
    (gate,) = report["models"][4]["gates"]
    report["models"][3]["gates"] = [{**gate, "of": "frame", "limit": 30, "value": 20.9, "passed": False}]
    assert facts(report)["gate: 30 FPS frame"] == ("failed", "heavy")
    assert facts(report)["gate: 32 FPS stream"] == ("passed", "gain")


def test_figures_that_cannot_be_had_again_say_so(boards):
    assert facts(boards)["figures, 1 of 2 runs"] == ("not certified", "clear")
    boards["models"] = boards["models"][:2]
    assert facts(boards)["figures"] == ("certified", "gain")


def test_a_single_model_speaks_for_itself(report):
    report["models"] = report["models"][-1:]
    assert verdict(report).title == "student-fp16"
    assert facts(report) == {
        "parameters": ("5.34 M", ""),
        "MACs": ("6.01 G", ""),
        "file size": ("10.9 MB", ""),
        "network FPS": ("41.7", ""),
        "frame FPS": ("29.2", ""),
        "stream FPS": ("39.6", ""),
        "mAP50": ("83.9 %", ""),
        "gate: 32 FPS stream": ("passed", "gain"),
    }
