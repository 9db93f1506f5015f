"""The networks this project knows by name; others register themselves (docs/bring-your-own-network.md)."""

from perception.errors import InputError, brief
from perception.networks.base import Network
from perception.networks.rmt_ppad import RMTPPAD
from perception.networks.yolop import YOLOP

_NETWORKS: dict[str, type[Network]] = {RMTPPAD.name: RMTPPAD, YOLOP.name: YOLOP}


def register(network: type[Network]) -> type[Network]:
    """Make a network loadable by its name; usable as a class decorator. A name can be taken once."""
    if _NETWORKS.setdefault(network.name, network) is not network:
        raise ValueError(f"a network named {network.name!r} is registered already")
    return network


def network_class(name: str) -> type[Network]:
    """The class registered under ``name``; raises :class:`InputError` that lists the known names."""
    if name not in _NETWORKS:
        raise InputError(f"unknown network {brief(repr(name))}; known: {', '.join(sorted(_NETWORKS))}")
    return _NETWORKS[name]


def network_names() -> list[str]:
    """Registered names, sorted."""
    return sorted(_NETWORKS)
