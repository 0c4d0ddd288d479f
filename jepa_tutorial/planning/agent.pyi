# Made by scripts/api.py: the module as type checkers should see it, its patched methods inside their classes.
from typing import Any
import torch
from ..model.jepa import JEPA
from .cem import CEM

__all__ = ['Agent']

class Agent:
    z_goal: Any
    plan: Any
    cost: Any
    seen: Any
    been: Any
    jepa: Any
    planner: Any
    def __init__(self, jepa: JEPA, planner: CEM, goal_image: torch.Tensor): ...
    @torch.no_grad()
    def see(self, image): ...
    def act(self, image, left, generator): ...
    def _shaken(self, image, actions, generator): ...
    def _remembered(self, z): ...
