# Made by scripts/api.py: the module as type checkers should see it, its patched methods inside their classes.
from typing import Any
import torch
from torch import nn

__all__ = ['InverseDynamics', 'inverse_dynamics_loss']

def _start_small(layer: nn.Module): ...

class InverseDynamics(nn.Module):
    net: Any
    dim: Any
    action_dim: Any
    def __init__(self, dim: int=512, action_dim: int=2, hidden: int=256): ...
    def forward(self, z: torch.Tensor, z_next: torch.Tensor) -> torch.Tensor: ...

def _check_pairs(z: torch.Tensor, actions: torch.Tensor): ...

def inverse_dynamics_loss(idm: nn.Module, z: torch.Tensor, actions: torch.Tensor) -> torch.Tensor: ...
