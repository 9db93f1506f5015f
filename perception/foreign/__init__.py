"""Reading tensors from other people's torch files without trusting them.

A file of ``torch.save`` is a pickle, and a pickle is a program. Here nothing of it runs: the pickle is followed by a
machine that builds plain containers and inert records only, the archive around it is checked before it is used, and
tensors are read when the caller has seen that their shapes are the ones it wants.

    file = TorchFile.open(path)
    weights = find_weights(file.content)
    tensors = file.tensors(weights.views)
"""

from perception.foreign.records import shown
from perception.foreign.torch_file import TorchFile
from perception.foreign.weights import Weights, find_weights

__all__ = ["TorchFile", "Weights", "find_weights", "shown"]
