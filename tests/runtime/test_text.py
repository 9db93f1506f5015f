from runtime.text import (
    drop_text,
    facts_text,
    gates_text,
    metrics_text,
    model_facts,
    paced_text,
    profile_text,
    run_text,
    speed_text,
)


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


def timed(name="student", **changes):
    times = dict.fromkeys(("mean", "p50", "p90", "p95", "p99", "max"), 10.0)
    record = {"fps": 100.0, "ms": times, "jitter": 0.25, "count": 7, "includes": "all of it"}
    frame = {**record, "split": {"read": None, "copy_in": 0.5, "compute": 9.0}, **changes}
    return {"name": name, "speed": {"network": None, "frame": frame, "stream": record}}


def test_what_was_not_measured_is_not_shown():
    text = speed_text([timed()])
    assert "frame split, median ms: copy in 0.50, compute 9.00\n" in text
    assert "read" not in text
    assert "network" not in text
    assert "stream: all of it" in text
    assert [line.split()[:2] for line in text.splitlines()[:3]] == [
        ["FPS", "mean"],
        ["frame", "100.0"],
        ["stream", "100.0"],
    ]


def test_energy_is_told_where_it_is_known():
    model = timed()
    assert "joule" not in speed_text([model])
    model["speed"]["stream"] |= {"watts": 14.2, "frames_per_joule": 2.789}
    assert "2.79 frames per joule, at 14.2 W while streaming" in speed_text([model])


def test_networks_stand_below_each_other():
    text = speed_text([timed("teacher"), timed(ratio={"median": 1.25, "min": 1.2, "max": 1.3})])
    rows = [line.split() for line in text.splitlines()[1:5]]
    assert [row[:2] for row in rows] == [
        [rate, name] for rate in ("frame", "stream") for name in ("teacher", "student")
    ]
    assert rows[1][-4:] == ["1.250", "(1.20", "to", "1.30)"]
    assert "frame split of teacher, median" in text


def test_drops_are_differences():
    title, names, values = drop_text({"reference": "r.json", "points": {"recall": 1.23, "lane_IoU": -0.5}}).splitlines()
    assert "r.json" in title
    assert names.split() == ["recall", "lane", "IoU"]
    assert values.split() == ["difference", "-1.2", "+0.5"]


def test_next_to_no_drop_has_no_minus():
    *_, values = drop_text({"reference": "r.json", "points": {"recall": 0.04, "mAP50": -0.04}}).splitlines()
    assert values.split() == ["difference", "+0.0", "+0.0"]


def test_a_source_that_is_slower_than_the_camera_is_told():
    age = dict.fromkeys(("mean", "p50", "p90", "p95", "p99", "max"), 12.0)
    paced = {"rate": 30.0, "offered": 29.1, "fps": 28.0, "frames": 90, "dropped": 3, "missed": 4, "deadline": 33.3}
    model = {"name": "student", "speed": {"paced": {**paced, "age": age, "includes": "all of it"}}}
    lines = paced_text(model).splitlines()
    assert lines[0] == "student at 30 frames a second: 28.0 results a second"
    assert lines[1] == "of 90 frames 3 were dropped, 4 answered later than 33.3 ms"
    model["speed"]["paced"]["offered"] = 21.55
    assert paced_text(model).startswith("student at 30 frames a second, of which the source gave 21.6: 28.0 results")


def test_rooms_by_cost():
    record = {"name": "student", "profile": {"rooms": {"shared": 1.0, "lane": 3.0}}}
    assert [line.split() for line in profile_text(record).splitlines()[2:]] == [
        ["lane", "3.00", "75", "%"],
        ["shared", "1.00", "25", "%"],
    ]


def test_a_run_says_why_it_cannot_be_trusted():
    sampler = {"certified": False, "faults": [{"fault": "clocks float", "cure": "sudo jetson_clocks"}]}
    text = run_text(
        {"sampler": sampler, "host_memory": 250_000_000, "device_memory": 610_000_000, "lost": "camera 0: gone"}
    )
    assert text.splitlines() == [
        "host memory: 250 MB at most",
        "GPU memory: 610 MB at most",
        "ended early: camera 0: gone",
        "not certified: clocks float; try: sudo jetson_clocks",
    ]


def test_gates():
    gate = {"gate": "min-fps", "of": "stream", "unit": "FPS", "limit": 32.0, "value": None, "passed": False}
    assert gates_text([gate]).splitlines()[1].split() == ["min-fps", "stream", "32", "FPS", "not", "measured", "failed"]
    cut = gates_text([{**gate, "value": 41.25, "cut": True}]).splitlines()[1]
    assert cut.split()[-4:] == ["41.25,", "cut", "short", "failed"]


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
    facts = model_facts({**model, "memory": {"loaded": 64_000_000, "activations": 12_000_000, "shared": True}})
    assert facts.pop("GPU memory") == "64 MB loaded, 12 MB of it for activations, shared with the host"
    assert facts == model_facts(model)
    assert facts["size"] == "1.50 MB"
    assert facts["input"] == "384x640 (HxW), letterbox"
    assert (facts["parameters"], facts["MACs"]) == ("0.960 M", "0.605 G")
