# Made by scripts/api.py: the module as type checkers should see it, its patched methods inside their classes.
from typing import Any
from collections.abc import Callable
from typing import NamedTuple
import torch
from ..jepa import JEPA
from .cem import CEM
from ..two_rooms import MAX_STEPS, Layout, Rooms

__all__ = ['Tasks', 'sample_tasks', 'Episodes', 'run_policy', 'random_actions', 'straight_line', 'oracle', 'Agent', 'run_episodes', 'success_rate']

class Tasks(NamedTuple):
    layout: Layout
    start: torch.Tensor
    goal: torch.Tensor

def _check_margin(margin, rooms, fixed): ...

def sample_tasks(n: int, rooms: Rooms=Rooms(), fixed: bool=False, seed: int=0, margin: float=2.6) -> Tasks: ...

class Episodes(NamedTuple):
    position: torch.Tensor
    final_distance: torch.Tensor
    success: torch.Tensor
    reached: torch.Tensor
    seconds: float

def _judge(path, tasks, seconds): ...

def _check_run(policy, tasks, steps, contact, generator, rooms): ...

def _next_actions(plan, start) -> list: ...

def run_policy(policy: Callable, tasks: Tasks, steps: int=MAX_STEPS, contact: str='stop', generator: torch.Generator | None=None, rooms: Rooms=Rooms(), progress: Callable | None=None, on_step: Callable | None=None) -> Episodes: ...

def random_actions(position, tasks, left, generator, rooms): ...

def straight_line(position, tasks, left, generator, rooms): ...

def oracle(position, tasks, left, generator, rooms, gap=2.5): ...

class Agent:
    z_goal: Any
    plan: Any
    cost: Any
    seen: Any
    been: Any
    jepa: Any
    planner: Any
    def __init__(self, jepa: JEPA, planner: CEM, goal_image: torch.Tensor): ...
    def __call__(self, position, tasks, left, generator, rooms): ...
    @torch.no_grad()
    def see(self, image): ...
    def act(self, image, left, generator): ...
    def _shaken(self, image, actions, generator): ...
    def _remembered(self, z): ...

def run_episodes(jepa: JEPA, tasks: Tasks, planner: CEM, steps: int=MAX_STEPS, contact: str='stop', generator: torch.Generator | None=None, rooms: Rooms=Rooms(), progress: Callable | None=None, on_step: Callable | None=None) -> Episodes: ...

def success_rate(success: torch.Tensor) -> tuple: ...
