# Made by scripts/api.py: the module as type checkers should see it, its patched methods inside their classes.
from typing import Any
from dataclasses import dataclass
import torch

__all__ = ['Normalizer']

@dataclass(frozen=True)
class Normalizer:
    obs_mean: tuple = (0.0026, 0.0989)
    obs_std: tuple = (0.0369, 0.2986)
    position_mean: tuple = (31.5863, 32.0618)
    position_std: tuple = (16.1025, 16.1353)
    def __post_init__(self): ...
    def obs(self, images: torch.Tensor) -> torch.Tensor: ...
    def position(self, xy: torch.Tensor) -> torch.Tensor: ...
    def inverse_position(self, p: torch.Tensor) -> torch.Tensor: ...
