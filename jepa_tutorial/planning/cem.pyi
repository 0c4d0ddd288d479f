# Made by scripts/api.py: the module as type checkers should see it, its patched methods inside their classes.
from typing import Any
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple
import torch

__all__ = ['limit_norm', 'CEM', 'require_finite_field', 'Update', 'smooth_noise', 'Plan', 'Step']

def limit_norm(actions: torch.Tensor, max_norm: float | None) -> torch.Tensor: ...

@dataclass
class _Search:
    num_samples: int = 200
    iterations: int = 20
    num_elites: int = 20
    horizon: int = 90
    sigma: float = 1.5
    max_norm: float | None = 2.45
    action_dim: int = 2
    reduce: str = 'sum'
    distance: str = 'squared'
    pick: str = 'mean'
    unbiased: bool = True

@dataclass
class _Replanning(_Search):
    execute: int = 1
    warm_start: bool = False
    warm_sigma: float | None = None
    first_iterations: int | None = None
    carry: bool = False
    shake: bool = False
    memory: float = 0.0
    revisit_width: float = 5.0

@dataclass
class CEM(_Replanning):
    fresh: float = 0.0
    rho: float | tuple = 0.95
    explore_sigma: float = 1.5
    smooth: float = 0.0
    keep: int = 0
    restarts: int = 1
    def __post_init__(self): ...
    def weights(self, cost: torch.Tensor) -> torch.Tensor: ...
    def update(self, actions: torch.Tensor, cost: torch.Tensor) -> Update: ...
    def _elsewhere(self, noise: torch.Tensor) -> list: ...
    def propose(self, mean: torch.Tensor, std: torch.Tensor, noise: torch.Tensor, elites: torch.Tensor | None=None) -> torch.Tensor: ...
    def iterate(self, cost: Callable, noise, mean, std, elites=None) -> Step: ...
    @torch.no_grad()
    def plan(self, cost: Callable, generator: torch.Generator, episodes: int=1, horizon: int | None=None, init: torch.Tensor | None=None, first: torch.Tensor | None=None, history: bool=False) -> Plan: ...
    def _start(self, E, T, init, device): ...
    def _result(self, step, E, generator): ...
    def shift(self, plan: Plan, steps: int): ...

def _is_number(x) -> bool: ...

def _whole(p, name): ...

def require_finite_field(p, name): ...

def _check_planner(p): ...

class Update(NamedTuple):
    mean: torch.Tensor
    std: torch.Tensor
    elites: torch.Tensor
    weights: torch.Tensor

def _take(actions, index): ...

def smooth_noise(noise: torch.Tensor, rho: float) -> torch.Tensor: ...

class Plan(NamedTuple):
    actions: torch.Tensor
    mean: torch.Tensor
    std: torch.Tensor
    history: list
    elites: torch.Tensor

def _priced(cost, plans): ...

class Step(NamedTuple):
    actions: torch.Tensor
    cost: torch.Tensor
    update: Update
    elites: torch.Tensor

def _fit(plans, T): ...

def _record(step, E): ...
