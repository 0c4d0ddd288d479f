# Made by scripts/api.py: the module as type checkers should see it, its patched methods inside their classes.
from typing import Any
import torch, torch.nn as nn

__all__ = ['ResidualBlock', 'Stack', 'ImpalaEncoder']

class ResidualBlock(nn.Module):
    conv1: Any
    conv2: Any
    def __init__(self, channels: int): ...
    def forward(self, x: torch.Tensor) -> torch.Tensor: ...

class Stack(nn.Module):
    conv: Any
    block1: Any
    block2: Any
    def __init__(self, in_channels: int, out_channels: int): ...
    def forward(self, x: torch.Tensor) -> torch.Tensor: ...

class ImpalaEncoder(nn.Module):
    stacks: Any
    linear: Any
    norm: Any
    in_shape: Any
    dim: Any
    def __init__(self, in_channels: int=2, img_size: int=65, channels: tuple[int, ...]=(16, 32, 32), dim: int=512): ...
    def forward(self, x: torch.Tensor) -> torch.Tensor: ...

def _halved(size: int, times: int) -> int: ...

def _check_images(x: torch.Tensor, shape: tuple): ...

def _channels_last(x: torch.Tensor) -> torch.Tensor: ...

def _portions(images: torch.Tensor, size: int=64): ...
