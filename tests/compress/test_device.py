import pytest
import torch

from compress.device import choose
from perception.errors import InputError


def test_fp32_leaves_types_alone():
    compute = choose("cpu", "fp32")
    assert (compute.device.type, compute.dtype) == ("cpu", torch.float32)
    with compute.autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_bf16_runs_products_in_bfloat16():
    with choose("cpu", "bf16").autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
    assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_auto_finds_something_that_is_there():
    compute = choose()
    assert compute.device.type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert compute.dtype in (torch.float32, torch.bfloat16, torch.float16)


def test_cuda_must_be_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="--device cpu"):
        choose("cuda")
    assert choose("auto", "fp32").device.type == "cpu"


def test_fp16_needs_a_gpu():
    with pytest.raises(InputError, match="fp16"):
        choose("cpu", "fp16")
