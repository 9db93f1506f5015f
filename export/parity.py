"""Does an exported file see what its network sees? Measured on pictures and, where there are labels, in the metrics.

parity = compare(network, Path("student.onnx"), images=Path("photographs"), data=Path("bdd100k"))
print(parity.table())
parity.require()
"""

from pathlib import Path

from export.session import open_session
from perception.data import open_dataset
from perception.networks.base import Network
from perception.networks.inference import inference
from perception.parity import MOST_PICTURES, Parity, agreement
from perception.pictures import look_at


def compare(network: Network, file: Path, images: Path | None = None, data: Path | None = None) -> Parity:
    """Compare ``network`` with the ``file`` exported from it, which ONNX Runtime runs on the CPU.

    Args:
        network: in torch, with the input size of the file.
        file: ONNX file.
        images: picture, folder or video to compare on; generated scenes when absent.
        data: labelled data set; the metrics of its ``val`` split are compared too, unless the outputs have failed.

    Raises:
        InputError: ``images`` or ``data`` cannot be read.
    """
    session = open_session(file)
    labelled = open_dataset(data) if data else None
    pictures = look_at(images, MOST_PICTURES)
    return agreement(inference(network), session, session.info.precision, pictures, labelled)


def require_parity(network: Network, file: Path) -> None:
    """Raise :class:`GateFailed` where network and file differ on generated scenes."""
    compare(network, file).require()
