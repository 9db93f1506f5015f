"""RMT-PPAD, the paper's teacher."""

from perception.networks.rmt_ppad.network import RMTPPAD

__all__ = ["RMTPPAD"]
