"""Where vehicles are: driving in their lanes, queueing, oncoming, crossing and parked at the kerb."""

import math
from dataclasses import dataclass
from itertools import pairwise

from perception.synthetic.dice import Dice
from perception.synthetic.kinds import Lamps, roll_vehicle
from perception.synthetic.light import Light
from perception.synthetic.road import Road
from perception.synthetic.solids import Pose
from perception.synthetic.vehicles import Vehicle

_SIGHT = 95.0


@dataclass(frozen=True)
class Placed:
    """A vehicle on the road: where along it (its middle), how far aside, and its pose in the world."""

    vehicle: Vehicle
    along: float
    offset: float
    pose: Pose


def roll_traffic(dice: Dice, road: Road, light: Light) -> list[Placed]:
    """Vehicles for a scene, none overlapping: from an empty road to a jam."""
    density = dice.weighted({0.0: 0.07, 0.3: 0.25, 0.6: 0.35, 1.0: 0.33})
    placed: list[Placed] = []
    if density == 0:
        return placed
    mean_gap = dice.between(9, 30) / density
    own = min(range(len(road.lanes) - 1), key=lambda i: abs(road.lanes[i] + road.lanes[i + 1]))
    for i, (left, right) in enumerate(pairwise(road.lanes)):
        first = dice.between(6.5, 40) if i == own else dice.between(1.0, 30)
        placed += _file(dice, road, light, (left + right) / 2, first, mean_gap, 0.0)
    for left, right in pairwise(road.oncoming):
        placed += _file(dice, road, light, (left + right) / 2, dice.between(4, 40), mean_gap * 1.3, math.pi)
    placed += _parked(dice, road, density)
    if road.junction and dice.chance(0.6):
        placed += _crossing(dice, road, light)
    return placed


def _file(dice: Dice, road: Road, light: Light, offset: float, first: float, gap: float, turn: float) -> list[Placed]:
    """Vehicles one after another in a lane."""
    placed: list[Placed] = []
    along = first
    while along < min(_SIGHT, road.end) and len(placed) < 5:
        vehicle = roll_vehicle(dice, Lamps(light.lamps or dice.chance(0.12), dice.chance(0.3)))
        middle = along + vehicle.length / 2
        in_junction = (
            road.junction and road.junction.begin - 2 < middle + vehicle.length / 2 and along < road.junction.end
        )
        if not in_junction and middle < road.end * 0.92:
            aside = offset + dice.between(-0.35, 0.35)
            placed.append(_place(road, vehicle, middle, aside, turn + dice.between(-0.03, 0.03)))
        along += vehicle.length + 2.0 + gap * dice.between(0.1, 1.9)
    return placed


def _parked(dice: Dice, road: Road, density: float) -> list[Placed]:
    """Vehicles at the kerb, where the asphalt is wide enough beside the lanes."""
    placed: list[Placed] = []
    for side in (-1, 1):
        outermost = road.lanes[-1] if side > 0 else (road.oncoming or road.lanes)[0]
        edge = road.edges[1] if side > 0 else road.edges[0]
        if abs(edge - outermost) < 1.9 or dice.chance(0.25):
            continue
        turn = 0.0 if side > 0 or not road.oncoming else math.pi
        along = dice.between(1.5, 15)
        while along < min(60.0, road.end) and len(placed) < 9:
            vehicle = roll_vehicle(dice, Lamps(False, False))
            middle = along + vehicle.length / 2
            junction = road.junction
            blocked = junction and junction.begin - 6 < middle + vehicle.length / 2 and along < junction.end + 4
            if dice.chance(0.4 + 0.5 * density) and not blocked and vehicle.length < 7 and middle < road.end * 0.92:
                offset = edge - side * (vehicle.width / 2 + dice.between(0.1, 0.35))
                placed.append(_place(road, vehicle, middle, offset, turn + dice.between(-0.04, 0.04)))
            along += vehicle.length + dice.between(0.6, 2.5)
    return placed


def _crossing(dice: Dice, road: Road, light: Light) -> list[Placed]:
    """Vehicles on the crossing road, seen from the side."""
    assert road.junction
    placed = []
    middle = (road.junction.begin + road.junction.end) / 2
    for side in (-1, 1):
        if dice.chance(0.5):
            continue
        vehicle = roll_vehicle(dice, Lamps(light.lamps, False))
        along = middle - side * (road.junction.end - road.junction.begin) / 4
        # Traffic keeps to the right: the nearer half of the crossing road runs to the right.
        placed.append(_place(road, vehicle, along, dice.between(-14, 14), side * math.pi / 2 + dice.between(-0.2, 0.2)))
    return placed


def _place(road: Road, vehicle: Vehicle, along: float, offset: float, turn: float) -> Placed:
    return Placed(vehicle, along, offset, Pose(road.points(along, offset), road.yaw(along) + turn))
