from runtime.device import certificate
from runtime.device.load import Intruder


def test_a_cards_clock_that_moves_while_it_is_busy():
    loads = [0.0, 0.9, 1.0, 0.95, 0.1]
    assert certificate.of_card([300, 1410, 1405, 1410, 300], loads) == [], "at rest it may sleep"
    (fault,) = certificate.of_card([300, 1410, 1200, 1410, 300], loads)
    assert fault.fault == "the GPU's clock moved between 1200 and 1410 MHz"
    assert fault.cure == "sudo nvidia-smi --lock-gpu-clocks=1200"


def test_a_card_that_was_never_busy_or_never_read():
    assert certificate.of_card([300, 1410], [0.1, 0.2]) == []
    assert certificate.of_card([None, None], [1.0, None]) == []
    assert certificate.of_card([], []) == []


def test_others_may_take_a_little():
    assert certificate.of_others(None, None) == []
    assert certificate.of_others(0.05, Intruder("cron", 3, 0.05)) == []


def test_others_are_named_where_they_can_be():
    (fault,) = certificate.of_others(0.38, Intruder("browser", 42, 0.3))
    assert fault.fault == "other processes use 38% of a core, most of all browser (process 42)"
    (fault,) = certificate.of_others(1.5, None)
    assert fault.fault == "other processes use 1.5 cores"


def test_others_on_the_card():
    assert certificate.of_card_users([]) == []
    (fault,) = certificate.of_card_users([71, 4])
    assert fault.fault == "other processes compute on the GPU: 71 4"
    assert fault.cure == "kill -STOP 71 4; later kill -CONT 71 4"
