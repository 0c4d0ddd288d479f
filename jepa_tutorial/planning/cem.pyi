# Made by scripts/api.py: the module as type checkers should see it, its patched methods inside their classes.
from typing import Any
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple
import torch
from jaxtyping import Float
from torch import Tensor
from jepa_tutorial.tools.checks import can, checked, optional, positive, typed, typed_or_empty, whole

__all__ = ['CEM', 'Update', 'limit_norm', 'smooth_noise', 'Plan', 'Step']

@dataclass
class CEM:
    num_samples: int = 200
    iterations: int = 20
    num_elites: int = 20
    horizon: int = 90
    sigma: float = 1.5
    max_norm: float | None = 2.45
    action_dim: int = 2
    select: str = 'mean'
    unbiased: bool = True
    explore_fraction: float = 0.0
    noise_correlation: float | tuple = 0.95
    explore_sigma: float = 1.5
    proposal_correlation: float = 0.0
    keep_elites: int = 0
    restarts: int = 1
    def __post_init__(self): ...
    def _check(self): ...
    def weights(self, cost: Float[Tensor, 'E K']) -> Float[Tensor, 'E K']: ...
    @typed
    def update(self, actions: Float[Tensor, 'E N T A'], cost: Float[Tensor, 'E N']) -> Update: ...
    def explore(self, noise: Tensor) -> Tensor: ...
    @typed
    def propose(self, mean: Float[Tensor, 'E T A'], std: Float[Tensor, 'E T A'], noise: Float[Tensor, 'E N T A'], elites: Tensor | None=None) -> Float[Tensor, 'E N T A']: ...
    def iterate(self, cost: Callable, noise, mean, std, elites=None) -> Step: ...
    @torch.no_grad()
    @checked(cost=can('__call__'), episodes=whole(1), horizon=optional(whole(1)), iterations=optional(whole(1)), init_sigma=optional(positive))
    @typed_or_empty
    def plan(self, cost: Callable, generator: torch.Generator, episodes: int=1, horizon: int | None=None, init: Float[Tensor, '{episodes} S {self.action_dim}'] | None=None, init_sigma: float | None=None, first: Float[Tensor, '{episodes} k F {self.action_dim}'] | None=None, iterations: int | None=None, history: bool=False) -> Plan: ...
    @checked(steps=whole(0))
    def shift(self, plan: Plan, steps: int): ...
    def _evaluate(self, cost: Callable, actions): ...
    def _start(self, E, T, init, init_sigma, device): ...
    def _first(self, first, mean, E) -> tuple: ...
    def _result(self, step, E, found, generator): ...

def _correlation(name, value): ...

def _take(actions, index): ...

class Update(NamedTuple):
    mean: Tensor
    std: Tensor
    elites: Tensor
    weights: Tensor

@typed_or_empty
def limit_norm(actions: Float[Tensor, '... A'], max_norm: float | None) -> Float[Tensor, '... A']: ...

@typed_or_empty
def smooth_noise(noise: Float[Tensor, '... T A'], rho: float) -> Float[Tensor, '... T A']: ...

class Plan(NamedTuple):
    actions: Tensor
    mean: Tensor
    std: Tensor
    history: list
    elites: Tensor

class Step(NamedTuple):
    actions: Tensor
    cost: Tensor
    update: Update
    elites: Tensor

def _fit(plans, T): ...

def _white(mean, n, generator): ...

_REMEDY: str

def _require_numbers(name, plans): ...

def _record(step, E): ...
