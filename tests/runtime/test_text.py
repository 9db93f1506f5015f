from runtime.text import facts_text, metrics_text, model_facts, speed_text


def test_facts_are_aligned():
    assert facts_text({"a": 1, "long": "x"}) == "a     1\nlong  x"


def test_metrics_in_percent():
    metrics = {
        "protocol": "yolop",
        "frames": 65,
        "data": "scenes",
        "split": "val",
        "detection": {"recall": 0.5, "mAP50": 0.251},
        "drivable": {"mIoU": 0.9},
        "lane": {"IoU": 0.3, "ACC": 1.0},
    }
    title, names, values = metrics_text(metrics).splitlines()
    assert title == "scenes (val), 65 frames, percent"
    assert names.split() == ["recall", "mAP50", "drivable", "mIoU", "lane", "IoU", "lane", "ACC"]
    assert values.split() == ["yolop", "50.0", "25.1", "90.0", "30.0", "100.0"]


def test_stages_that_were_not_measured_are_not_shown():
    times = dict.fromkeys(("mean", "p50", "p90", "p95", "p99", "max"), 10.0)
    record = {"fps": 100.0, "ms": times, "count": 7, "includes": "all of it"}
    speed = {"frame": {**record, "split": {"read": None, "copy_in": 0.5, "compute": 9.0}}, "stream": record}
    text = speed_text(speed)
    assert "frame split, median ms: copy in 0.50, compute 9.00\n" in text
    assert "read" not in text
    assert "stream: all of it" in text
    assert [line.split()[:2] for line in text.splitlines()[:3]] == [
        ["FPS", "mean"],
        ["frame", "100.0"],
        ["stream", "100.0"],
    ]


def test_model_facts():
    model = {
        "file": "student.onnx",
        "sha256": "ab",
        "bytes": 1_500_000,
        "network": "yolop",
        "precision": "fp16",
        "input": {"size": [384, 640], "resize": "letterbox"},
        "parameters": 960_000,
        "macs": 605_000_000,
    }
    facts = model_facts(model)
    assert facts["size"] == "1.50 MB"
    assert facts["input"] == "384x640 (HxW), letterbox"
    assert (facts["parameters"], facts["MACs"]) == ("0.960 M", "0.605 G")
