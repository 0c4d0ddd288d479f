# Made by scripts/api.py: the module as type checkers should see it, its patched methods inside their classes.
from typing import Any
import torch
from torch import nn
from ..model.jepa import JEPA

__all__ = ['Projector', 'Objective']

class Projector(nn.Module):
    dim: Any
    net: Any
    def __init__(self, dim: int=512, widths=(512, 512)): ...
    def forward(self, z: torch.Tensor) -> torch.Tensor: ...

def _check_weights(weights: dict): ...

def _check_settings(o: Objective): ...

class Objective(nn.Module):
    weights: Any
    idm: Any
    gamma: Any
    pool: Any
    rollout: Any
    start: Any
    projector: Any
    project_time: Any
    project_idm: Any
    def __init__(self, beta: float=8.0, alpha: float=16.0, delta: float=12.0, omega: float=1.0, gamma: float=1.0, pool: str='all', rollout: int=8, start: str='first', idm: nn.Module | None=None, projector: Projector | None=None, project_time: bool=False, project_idm: bool=False): ...
    def _seen(self, z: torch.Tensor) -> tuple: ...
    def losses(self, model: JEPA, z: torch.Tensor, actions: torch.Tensor) -> dict[str, torch.Tensor]: ...
    def terms(self, model: JEPA, z: torch.Tensor, actions: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]: ...
    def forward(self, model: JEPA, obs: torch.Tensor, actions: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]: ...

def _measured(loss, weight: float) -> torch.Tensor: ...
