import pytest

from panoedge.report import speeds
from panoedge.report.verdict import verdict


def texts(table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


def test_every_row_is_as_wide_as_the_head(boards):
    boards["models"][0]["speed"]["network"] = None
    boards["models"][1]["speed"] = None
    for table in (speeds.speeds, speeds.split, speeds.rooms, speeds.paced):
        built = table(boards)
        assert {len(row) for row in built.rows} == {len(built.columns)}


def test_speeds(report):
    report["models"][4]["speed"]["network"] = None
    rows = texts(speeds.speeds(report))
    assert [row[:2] for row in rows[:5]] == [
        ["teacher", "network"],
        ["", "frame"],
        ["", "stream"],
        ["pruned", "–"],
        ["student", "–"],
    ]
    assert rows[0][2:10] == ["21.4", "1.00×", "46.7", "51.4", "56.1", "70.1", "9.00", "–"]
    assert rows[0][10].replace("\u202f", " ") == "600 in 28.0 s"
    assert rows[3][2:] == ["–"] * 9
    assert rows[-3] == ["student-fp16", "network", *["–"] * 9]
    assert rows[-1][2:4] == ["39.6", "1.95×"]


def test_split_keeps_what_cannot_be_separated_as_a_dash(report):
    table = speeds.split(report)
    assert texts(table)[0] == ["teacher", "–", "6.68", "–", "46.7", "–", "13.4", ""]
    bars = [row[-1].bar for row in table.rows]
    assert sum(bars[0]) == pytest.approx(1)
    assert sum(bars[2]) == pytest.approx(21.4 / 41.7)
    for model in report["models"]:
        if model["speed"]:
            model["speed"]["frame"]["split"] = None
    assert speeds.split(report) is None


def test_a_rate_has_its_energy_and_its_doubts(boards):
    rows = speeds.speeds(boards).rows
    assert [cell.note for cell in rows[4]][1] == "not steady"
    assert rows[5][2].note == "2.79 per joule"
    assert rows[0][2].note == rows[0][3].note == ""


def test_ratios_say_how_sure_they_are_and_against_whom(boards):
    ratios = [row[3] for row in speeds.speeds(boards).rows]
    assert (ratios[0].text, ratios[0].note) == ("1.00×", "")
    assert (ratios[3].text, ratios[3].note) == ("1.95×", "1.89 to 1.99")
    assert ratios[9].note == "1.89 to 1.99\nof teacher"


def test_boards_and_dates_are_told_apart(boards):
    boards["models"][3]["name"] = "another"
    notes = [row[0].note for row in speeds.speeds(boards).rows]
    assert notes[3:6] == ["2026-03-01 09:30 UTC", "", ""]
    assert notes[9:] == ["Jetson Orin Nano 8GB, 2026-03-02 09:30 UTC", "", ""]
    boards["models"] = boards["models"][:2]
    assert {row[0].note for row in speeds.speeds(boards).rows} == {""}


def test_rooms_of_all_models_share_one_scale(boards, report):
    assert speeds.rooms(report) is None
    del boards["models"][1]["profile"]["rooms"]["lane"]
    table = speeds.rooms(boards)
    heads = ("backbone", "encoder", "detection", "drivable", "lane", "drivable+lane")
    assert [column.label for column in table.columns][1:-1] == [f"{head} ms" for head in heads]
    assert texts(table)[1][5] == "–"
    assert max(sum(row[-1].bar) for row in table.rows) == pytest.approx(1)


def test_beside_a_camera(boards, report):
    assert speeds.paced(report) is None
    assert texts(speeds.paced(boards))[0][1:5] == ["30", "29.3", "7 of 300", "12 of 300"]
    boards["models"][1]["speed"]["paced"]["offered"] = 21.5
    assert [row[1].note for row in speeds.paced(boards).rows] == ["", "21.5 given", "", ""]


def test_a_ratio_of_two_runs_says_so(boards):
    teacher, student = boards["models"][:2]
    for rate in student["speed"].values():
        rate.pop("ratio", None)
    assert speeds.speeds(boards).rows[3][3].note == ""
    student["run"] = {**teacher["run"], "host_memory": 1}
    assert speeds.speeds(boards).rows[3][3].note == "in another run"
    boards["models"] = [teacher, student]
    assert {fact.detail.endswith("in another run") for fact in verdict(boards).facts if "FPS" in fact.label} >= {True}
