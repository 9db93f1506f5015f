from panoedge.report.blocks import Charts, Table, Terms
from panoedge.report.machine import machine


def of(kind, blocks):
    return [block for block in blocks if isinstance(block, kind)]


def test_a_report_that_nobody_watched_says_nothing(report):
    assert machine(report) == []


def test_every_run_says_whether_it_counts(boards):
    for model in boards["models"][2:]:
        model["run"]["device_memory"] = 402_000_000
    (table,) = of(Table, machine(boards))
    first, second = ([cell.text.replace("\u202f", " ") for cell in row] for row in table.rows)
    names = "teacher (Jetson Orin NX 16GB) and student-fp16 (Jetson Orin NX 16GB)"
    assert first == [names, "certified", "no", "14.2", "1349", first[5], "612 MB", "–"]
    assert second[1:3] == ["not certified", "from 63.3 s on: gpu-throttle-alert"]
    assert second[-1] == "402 MB"
    assert table.rows[1][0].note == "Jetson Orin Nano 8GB, 2026-03-02 09:30 UTC"


def test_faults_come_with_their_cure(boards):
    (faults,) = of(Terms, machine(boards))
    assert faults.pairs == [
        (
            "Not certified (teacher (Jetson Orin Nano 8GB) and student-fp16 (Jetson Orin Nano 8GB))",
            "throttled from 63.3 s on. Cure: sudo jetson_clocks --fan",
        )
    ]


def test_quantities_over_time(boards):
    first, second = of(Charts, machine(boards))
    assert [panel.title for panel in first.panels] == ["Power, W", "Temperature, °C", "Clock, MHz", "Load, %"]
    power, temperature, _, load = second.panels
    assert [line.name for line in power.lines] == ["VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"]
    assert max(load.lines[0].y) == 90
    assert len(temperature.lines) == 6
    assert second.note == "Of 7 quantities of temperature the 6 largest are shown."
    assert [phase.name for phase in power.phases] == ["network", "frame", "stream"]
    assert power.event == (63.3, "throttled")
    assert first.panels[0].event is None


def test_a_machine_that_shows_nothing(boards):
    for model in boards["models"]:
        sampler = model["run"]["sampler"]
        for name in ("times", "power", "temperature", "clock", "load", "total_power", "throttled"):
            sampler.pop(name, None)
    table, *others = machine(boards)
    assert [cell.text for cell in table.rows[0]][3:6] == ["–"] * 3
    assert of(Charts, others) == []


def test_nobody_knows_of_throttling_where_there_are_no_signs_of_it(boards):
    for model, alarms in zip(boards["models"], (0, 0, 5, 5), strict=True):
        model["run"]["sampler"] |= {"alarms": alarms, "throttled": None}
    (table,) = of(Table, machine(boards))
    assert [row[2].text for row in table.rows] == ["–", "no"]


def test_a_run_that_ended_early_says_why(boards):
    boards["models"][0]["run"]["lost"] = boards["models"][1]["run"]["lost"] = "the camera went away"
    (table,) = of(Table, machine(boards))
    assert table.rows[0][1].note == "ended early: the camera went away"
