import pytest

from panoedge.report import tables


def texts(table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


def test_every_row_is_as_wide_as_the_head(report):
    report["models"][0]["device"] = {"name": "x"}
    report["models"][1]["metrics"]["frames"] = 65
    for table in (tables.accuracy, tables.sizes, tables.device):
        built = table(report)
        assert {len(row) for row in built.rows} == {len(built.columns)}


def test_accuracy_shows_differences_to_the_first_model(report):
    table = tables.accuracy(report)
    assert [column.label for column in table.columns][1:] == [
        "recall %",
        "mAP50 %",
        "drivable mIoU %",
        "lane IoU %",
        "lane ACC %",
    ]
    assert texts(table)[0] == ["teacher", "92.3", "84.8", "93.3", "56.6", "84.6"]
    assert not any(cell.note or cell.tone for cell in table.rows[0])
    assert [(cell.note, cell.tone) for cell in table.rows[1][1:4]] == [
        ("−11.3", "heavy"),
        ("−14.8", "heavy"),
        ("−2.3", "clear"),
    ]


@pytest.mark.parametrize(
    ("points", "tone"),
    [(0.6, "gain"), (0.4, ""), (-0.4, ""), (-0.5, "slight"), (-1.0, "clear"), (-2.9, "clear"), (-3.0, "heavy")],
)
def test_tone_follows_what_is_printed(points, tone):
    assert tables.tone(points / 100) == tone


def test_missing_accuracy_is_a_dash(report):
    report["models"][2]["metrics"] = None
    report["models"][3]["metrics"]["detection"] = None
    rows = texts(tables.accuracy(report))
    assert rows[2][1:] == ["–"] * 5
    assert rows[3][1:3] == ["–"] * 2
    assert rows[3][3] != "–"


def test_accuracy_of_different_data_says_so_and_is_not_subtracted(report):
    report["models"][1]["metrics"] |= {"frames": 65, "data": "camvid-drive"}
    table = tables.accuracy(report)
    assert texts(table)[1][-1] == "65 frames of camvid-drive (val), protocol rmt-ppad"
    assert not any(cell.note for cell in table.rows[1])
    assert "65 frames are few" in " ".join(tables.accuracy_notes(report).lines)


def test_the_drop_that_a_gate_looked_at_is_told(boards):
    notes = " ".join(tables.accuracy_notes(boards).lines)
    assert "student-fp16 (Jetson Orin NX 16GB) against teacher.metrics.json: recall −1.2, mAP50 +0.1 points." in notes


def test_notes_without_any_evaluation(report):
    for model in report["models"]:
        model["metrics"] = None
    assert tables.accuracy_notes(report).lines == ["No model was evaluated: there was no labelled data."]


def test_sizes(report):
    report["models"][2] |= {"parameters": None, "network": None, "precision": None}
    rows = tables.sizes(report).rows
    assert [cell.text.replace("\u202f", " ") for cell in rows[0]][:7] == [
        "teacher",
        "yolop",
        "checkpoint fp32",
        "384×640",
        "7.94 M",
        "9.34 G",
        "31.9 MB",
    ]
    assert not any(cell.note for cell in rows[0][4:7])
    assert rows[4][4].note.replace("\u202f", " ") == "−32.7 %"
    assert [cell.text for cell in rows[2]][1:5] == ["–", "checkpoint", "384×640", "–"]


def test_device_has_a_column_for_every_set_of_circumstances(report):
    assert ["providers", "CUDAExecutionProvider, CPUExecutionProvider"] in texts(tables.device(report))
    assert ["onnxruntime", "–"] in texts(tables.device(report))
    assert tables.device_notes(report).lines == []
    report["models"][4]["device"] = {**report["device"], "power_mode": "15W", "fan": "quiet"}
    rows = texts(tables.device(report))
    assert ["power mode", "MAXN", "15W"] in rows
    assert ["fan", "–", "quiet"] in rows
    assert tables.device_notes(report).lines == [
        "Jetson Orin NX 16GB (1): teacher, pruned, student and student-fp32.",
        "Jetson Orin NX 16GB (2): student-fp16.",
    ]
