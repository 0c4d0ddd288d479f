# Made by scripts/api.py: the module as type checkers should see it, its patched methods inside their classes.
from typing import Any
import torch, torch.nn as nn

__all__ = ['GRUCell', 'GRUPredictor']

def _uniform(bound: float, *shape: int) -> nn.Parameter: ...

class GRUCell(nn.Module):
    weight_ih: Any
    weight_hh: Any
    bias_ih: Any
    bias_hh: Any
    def __init__(self, input_size: int, hidden_size: int): ...
    def gates(self, x: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]: ...
    def forward(self, x: torch.Tensor, h: torch.Tensor) -> torch.Tensor: ...

class GRUPredictor(nn.Module):
    cells: Any
    dim: Any
    action_dim: Any
    def __init__(self, dim: int=512, action_dim: int=2, num_layers: int=1): ...
    def forward(self, z: torch.Tensor, a: torch.Tensor) -> torch.Tensor: ...
