from panoedge.report.method import method, rates


def test_only_what_the_report_uses_is_explained(report):
    assert [term for term, _ in method(report).pairs] == [
        "Protocol rmt-ppad",
        "Parameters, MACs, file size",
        "FPS, ratio, p50 to p99",
    ]
    for model in report["models"]:
        model |= {"metrics": None, "speed": None}
    assert [term for term, _ in method(report).pairs] == ["Parameters, MACs, file size"]
    assert rates(report).pairs == []


def test_a_whole_benchmark_is_explained(boards):
    assert [term for term, _ in method(boards).pairs][3:] == [
        "Parts of a network",
        "Beside a camera",
        "Figures, power, energy",
    ]


def test_every_rate_says_what_it_includes(report):
    included = dict(rates(report).pairs)
    assert list(included) == ["network", "frame", "stream"]
    assert included["network"].endswith("Timed: inference with bound inputs and outputs.")


def test_models_timed_differently_are_told_apart(report):
    report["models"][0]["speed"]["stream"]["includes"] = "reading a video too"
    assert dict(rates(report).pairs)["stream"].endswith(
        "Timed: reading a video too (teacher); the same with three threads and queues of two frames "
        "(student-fp32 and student-fp16)."
    )
