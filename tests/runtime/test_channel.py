import threading

import pytest

from runtime.channel import Channel, Closed, Stalled


def test_order_and_end():
    channel = Channel(3)
    for item in "abc":
        channel.put(item)
    channel.end()
    assert [channel.get() for _ in range(3)] == ["a", "b", "c"]
    with pytest.raises(Closed):
        channel.get()


def test_an_error_comes_after_what_was_sent_before():
    channel = Channel(2)
    channel.put(1)
    channel.end(OSError("cable"))
    assert channel.get() == 1
    with pytest.raises(OSError, match="cable"):
        channel.get()


def test_a_full_channel_holds_the_sender_until_there_is_room():
    channel, sent = Channel(1), []
    channel.put(1)
    sender = threading.Thread(target=lambda: sent.append(channel.put(2)))
    sender.start()
    assert sent == []
    assert channel.get() == 1
    sender.join(10)
    assert channel.get() == 2


def test_the_oldest_gives_way():
    dropped = []
    channel = Channel(2, dropped.append)
    for item in range(5):
        channel.put(item)
    assert dropped == [0, 1, 2]
    assert [channel.get(), channel.get()] == [3, 4]


def test_leaving_wakes_and_refuses_the_sender():
    channel, refused = Channel(1), []
    channel.put(1)

    def send():
        try:
            channel.put(2)
        except Closed:
            refused.append(True)

    sender = threading.Thread(target=send)
    sender.start()
    channel.abandon()
    sender.join(10)
    assert refused == [True]
    with pytest.raises(Closed):
        channel.put(3)
    with pytest.raises(Closed):
        channel.get()


def test_patience_ends():
    with pytest.raises(Stalled):
        Channel(1, patience=0.01).get()
