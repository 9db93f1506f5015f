"""Kinds of vehicles: saloons, hatchbacks, sport utility vehicles, pickups, vans, buses and trucks."""

from collections.abc import Callable
from dataclasses import dataclass

from perception.synthetic.dice import Colour, Dice, scaled
from perception.synthetic.solids import Block, Patch
from perception.synthetic.vehicles import Vehicle

_GLASS: Colour = (44, 52, 60)
_PAINTS: tuple[Colour, ...] = (
    (226, 226, 224), (196, 198, 200), (148, 152, 156), (88, 92, 98), (38, 39, 42), (22, 23, 26), (150, 26, 30),
    (110, 20, 24), (36, 62, 120), (60, 96, 150), (40, 80, 62), (176, 160, 130), (200, 150, 40), (120, 84, 60),
)  # fmt: skip


@dataclass(frozen=True)
class Lamps:
    """Which lamps are on."""

    on: bool
    braking: bool


def roll_vehicle(dice: Dice, lamps: Lamps) -> Vehicle:
    """A vehicle of a random kind, as often as streets show them."""
    kinds: dict[Callable[[Dice, Lamps], Vehicle], float] = {
        _car: 0.72,
        _van: 0.09,
        _pickup: 0.07,
        _bus: 0.05,
        _truck: 0.07,
    }
    return dice.weighted(kinds)(dice, lamps)


def _tail(lamps: Lamps, low: float, high: float, inset: float, width: float) -> tuple[Patch, ...]:
    """A pair of tail lamps between two heights of the rear face."""
    red: Colour = (255, 50, 36) if lamps.braking else (232, 24, 20) if lamps.on else (134, 18, 20)
    lit, halo = lamps.on or lamps.braking, (0.5 if lamps.braking else 0.3) * lamps.on
    return (
        Patch((inset, low, inset + width, high), red, lit, halo),
        Patch((1 - inset - width, low, 1 - inset, high), red, lit, halo),
    )


def _head(lamps: Lamps, low: float, high: float, inset: float, width: float) -> tuple[Patch, ...]:
    """A pair of headlamps between two heights of the front face."""
    white: Colour = (255, 250, 232) if lamps.on else (206, 210, 214)
    halo = 1.1 * lamps.on
    return (
        Patch((inset, low, inset + width, high), white, lamps.on, halo),
        Patch((1 - inset - width, low, 1 - inset, high), white, lamps.on, halo),
    )


def _panels(colour: Colour, sill: float) -> tuple[Patch, ...]:
    """What makes a painted side look curved: a dark sill, a light shoulder and the gaps of two doors."""
    gap = scaled(colour, 150)
    return (
        Patch((0, 0, 1, sill), scaled(colour, 140)),
        Patch((0, 0.74, 1, 0.9), scaled(colour, 284)),
        Patch((0.38, sill, 0.386, 1), gap),
        Patch((0.62, sill, 0.626, 1), gap),
    )


def _glass(dice: Dice) -> Colour:
    return dice.near(dice.pick([_GLASS, (66, 78, 90), (30, 34, 38)]), 8)


def _pane(area: tuple[float, float, float, float], glass: Colour) -> tuple[Patch, ...]:
    """A window whose upper part mirrors the sky."""
    u0, v0, u1, v1 = area
    return Patch(area, glass), Patch((u0 + 0.02, v0 + 0.55 * (v1 - v0), u1 - 0.02, v1 - 0.04), scaled(glass, 400))


def _ends(dice: Dice, lamps: Lamps, colour: Colour) -> tuple[tuple[Patch, ...], tuple[Patch, ...]]:
    """Rear and front face of a car's body."""
    plate = dice.pick([(222, 222, 216), (224, 186, 70), (200, 206, 222)])
    bumper = Patch((0, 0, 1, 0.3), dice.pick([scaled(colour, 200), (48, 48, 50)]))
    grille = dice.pick([(30, 30, 32), (54, 55, 58), scaled(colour, 170)])
    low, width = dice.between(0.5, 0.62), dice.between(0.12, 0.26)
    rear = (
        bumper,
        Patch((0, 0.9, 1, 1), scaled(colour, 286)),
        Patch((0.38, 0.36, 0.62, 0.56), plate),
        *_tail(lamps, low, dice.between(0.8, 0.95), 0.02, width),
    )
    front = (
        bumper,
        Patch((0.26, 0.34, 0.74, 0.72), grille),
        Patch((0.4, 0.16, 0.6, 0.32), plate),
        *_head(lamps, 0.56, 0.78, 0.03, dice.between(0.14, 0.24)),
    )
    return rear, front


def _car(dice: Dice, lamps: Lamps) -> Vehicle:
    """A saloon, hatchback, estate or sport utility vehicle."""
    shape = dice.weighted({"saloon": 0.38, "hatch": 0.27, "suv": 0.35})
    colour, glass = dice.near(dice.pick(_PAINTS), 12), _glass(dice)
    length = dice.between(4.4, 4.95) if shape != "hatch" else dice.between(3.7, 4.3)
    width = dice.between(1.72, 1.95)
    tall = shape == "suv"
    belt, roof = (
        dice.between(0.98, 1.1) if tall else dice.between(0.86, 0.95),
        dice.between(1.62, 1.82) if tall else dice.between(1.4, 1.5),
    )
    clear = 0.28 if tall else 0.2
    end = length / 2
    rear, front = _ends(dice, lamps, colour)
    body = Block(
        (-end, end),
        (-end + 0.05, end - 0.12),
        (clear, belt),
        (width, width * 0.96),
        colour,
        {"rear": rear, "front": front, "left": _panels(colour, 0.22), "right": _panels(colour, 0.22)},
    )
    # Where the cabin begins and ends at the belt line and at the roof.
    back = -end + (0.62 if shape == "saloon" else 0.06)
    back_roof = back + (0.75 if shape == "saloon" else dice.between(0.2, 0.5))
    bonnet = end - dice.between(0.95, 1.3)
    side = (Patch((0.1, 0.12, 0.47, 0.84), glass), Patch((0.5, 0.12, 0.9, 0.84), glass))
    cabin = Block(
        (back, bonnet),
        (back_roof, bonnet - dice.between(0.6, 0.85)),
        (belt, roof),
        (width * 0.95, width * dice.between(0.72, 0.82)),
        colour,
        {
            "rear": _pane((0.08, 0.12, 0.92, 0.88), glass),
            "front": _pane((0.05, 0.06, 0.95, 0.92), glass),
            "left": side,
            "right": side,
        },
        1,
    )
    radius = dice.between(0.3, 0.34) + 0.05 * tall
    return Vehicle("car", (body, cabin), ((-end * 0.6, radius), (end * 0.62, radius)), width, length, width, roof)


def _pickup(dice: Dice, lamps: Lamps) -> Vehicle:
    """A pickup with an open bed."""
    colour, glass = dice.near(dice.pick(_PAINTS), 12), _glass(dice)
    length, width, roof, belt = dice.between(5.2, 5.8), dice.between(1.9, 2.02), dice.between(1.78, 1.92), 1.14
    end = length / 2
    rear, front = _ends(dice, lamps, colour)
    body = Block(
        (-end, end),
        (-end, end - 0.1),
        (0.36, belt),
        (width, width * 0.97),
        colour,
        {
            "rear": rear,
            "front": front,
            "left": _panels(colour, 0.2),
            "right": _panels(colour, 0.2),
            "top": (Patch((0.06, 0.02, 0.94, 0.36), (34, 34, 36)),),
        },
    )
    side = (Patch((0.08, 0.1, 0.46, 0.84), glass), Patch((0.5, 0.1, 0.92, 0.84), glass))
    cabin = Block(
        (-0.6, end - 1.3),
        (-0.45, end - 2.0),
        (belt, roof),
        (width * 0.94, width * 0.78),
        colour,
        {
            "rear": _pane((0.1, 0.15, 0.9, 0.85), glass),
            "front": _pane((0.06, 0.06, 0.94, 0.92), glass),
            "left": side,
            "right": side,
        },
        1,
    )
    return Vehicle("car", (body, cabin), ((-end * 0.58, 0.39), (end * 0.62, 0.39)), width, length, width, roof)


def _van(dice: Dice, lamps: Lamps) -> Vehicle:
    """A panel van or minibus."""
    colour, glass = dice.near(dice.pick(_PAINTS[:9]), 12), _glass(dice)
    length, width, roof = dice.between(4.8, 6.0), dice.between(1.9, 2.05), dice.between(1.95, 2.6)
    end = length / 2
    windows = dice.pick([(0.62, 0.9), (0.08, 0.9)])
    side = (
        Patch((0, 0, 1, 0.14), scaled(colour, 140)),
        Patch((windows[0], 0.5, windows[1], 0.84), glass),
        Patch((0.5, 0.1, 0.504, 0.95), scaled(colour, 160)),
    )
    other = (Patch((0, 0, 1, 0.14), scaled(colour, 140)), Patch((1 - windows[1], 0.5, 1 - windows[0], 0.84), glass))
    rear = (
        Patch((0, 0, 1, 0.12), (40, 40, 42)),
        Patch((0.08, 0.54, 0.47, 0.86), glass),
        Patch((0.53, 0.54, 0.92, 0.86), glass),
        Patch((0.495, 0.12, 0.505, 0.95), scaled(colour, 150)),
        Patch((0.36, 0.2, 0.62, 0.28), (222, 222, 216)),
        *_tail(lamps, 0.22, 0.5, 0.01, 0.1),
    )
    front = (
        Patch((0, 0, 1, 0.16), (40, 40, 42)),
        Patch((0.06, 0.52, 0.94, 0.9), glass),
        Patch((0.25, 0.24, 0.75, 0.36), (40, 40, 42)),
        *_head(lamps, 0.24, 0.36, 0.03, 0.18),
    )
    box = Block(
        (-end, end),
        (-end + 0.06, end - 0.7),
        (0.3, roof),
        (width, width * 0.9),
        colour,
        {"rear": rear, "front": front, "right": side, "left": other},
    )
    return Vehicle("car", (box,), ((-end * 0.6, 0.34), (end * 0.66, 0.34)), width, length, width, roof)


def _bus(dice: Dice, lamps: Lamps) -> Vehicle:
    """A city bus or a coach."""
    colour = dice.near(dice.pick([(216, 214, 208), (180, 40, 36), (40, 84, 150), (226, 176, 40), (60, 120, 80)]), 12)
    stripe, glass = dice.near(dice.pick(_PAINTS), 10), _glass(dice)
    length, width, roof = dice.between(9.5, 12.5), 2.52, dice.between(2.95, 3.4)
    end, panes = length / 2, 6
    side = (
        Patch((0, 0, 1, 0.12), (50, 50, 52)),
        Patch((0, 0.3, 1, 0.38), stripe),
        *(Patch((0.03 + i * 0.16, 0.46, 0.17 + i * 0.16, 0.84), glass) for i in range(panes)),
    )
    rear = (
        Patch((0.12, 0.56, 0.88, 0.84), glass),
        Patch((0.1, 0.12, 0.9, 0.36), scaled(colour, 200)),
        *_tail(lamps, 0.2, 0.42, 0.02, 0.07),
    )
    sign = Patch((0.2, 0.88, 0.8, 0.97), (250, 170, 40), lamps.on)
    front = (Patch((0.04, 0.34, 0.96, 0.86), glass), sign, *_head(lamps, 0.14, 0.22, 0.04, 0.14))
    box = Block(
        (-end, end),
        (-end, end - 0.15),
        (0.32, roof),
        (width, width * 0.97),
        colour,
        {"rear": rear, "front": front, "left": side, "right": side},
    )
    return Vehicle("bus", (box,), ((-end * 0.55, 0.48), (end * 0.6, 0.48)), width, length, width, roof)


def _truck(dice: Dice, lamps: Lamps) -> Vehicle:
    """A rigid truck or one with a long trailer: a cab and a box, tank-side bars and many wheels."""
    colour, glass = dice.near(dice.pick(_PAINTS), 12), _glass(dice)
    load = dice.near(dice.pick([(220, 220, 216), (206, 200, 184), (60, 90, 140), (150, 60, 46), (96, 110, 90)]), 14)
    length = dice.between(6.5, 9.0) if dice.chance(0.6) else dice.between(12.0, 16.0)
    width, roof = dice.between(2.3, 2.55), dice.between(2.9, 3.8)
    end, floor, cab = length / 2, 0.95, 2.0
    bars = Patch((0.495, 0.03, 0.505, 0.97), scaled(load, 150))
    band = Patch((0.12, 0.4, 0.88, 0.66), dice.near(dice.pick(_PAINTS), 10))
    box = Block(
        (-end, end - cab - 0.25),
        (-end, end - cab - 0.25),
        (floor, roof),
        (width, width),
        load,
        {
            "rear": (bars, Patch((0.02, 0.02, 0.98, 0.05), scaled(load, 140)), *_tail(lamps, 0.0, 0.07, 0.02, 0.12)),
            "left": (band,),
            "right": (band,),
        },
        1,
    )
    chassis = Block(
        (-end + 0.1, end - 0.2), (-end + 0.1, end - 0.2), (0.5, floor), (width * 0.8, width * 0.8), (44, 44, 46)
    )
    side = (Patch((0.3, 0.48, 0.9, 0.84), glass),)
    other = (Patch((0.1, 0.48, 0.7, 0.84), glass),)
    front = (
        Patch((0.05, 0.5, 0.95, 0.86), glass),
        Patch((0.2, 0.2, 0.8, 0.44), (40, 40, 42)),
        Patch((0, 0, 1, 0.12), (50, 50, 52)),
        *_head(lamps, 0.06, 0.15, 0.05, 0.16),
    )
    cabin = Block(
        (end - cab, end),
        (end - cab, end - 0.25),
        (0.45, min(roof, dice.between(2.5, 3.1))),
        (width * 0.97, width * 0.93),
        colour,
        {"front": front, "right": side, "left": other},
        1,
    )
    axles = [end - 1.1, -end + 1.2] + ([-end + 2.4, -end + 3.6] if length > 12 else [])
    wheels = tuple((z, 0.48) for z in axles)
    return Vehicle("truck", (chassis, box, cabin), wheels, width, length, width, roof)
