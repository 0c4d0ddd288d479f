# Made by scripts/api.py: the module as type checkers should see it, its patched methods inside their classes.
from typing import Any
from functools import lru_cache
import torch
from jaxtyping import Float
from torch import Tensor
from jepa_tutorial.tools.checks import typed
from .cem import CEM, Step
from .cost import RevisitPenalty

__all__ = ['Cost', 'FastCost', 'make_cost', 'GraphedCost']

def _stack(cell) -> Tensor: ...

class _Weights:
    norm: Any
    D: Any
    A: Any
    cell: Any
    w: Any
    w_n: Any
    b_n: Any
    def __init__(self, jepa, dtype): ...

class _Scratch:
    x: Any
    g: Any
    state: Any
    action: Any
    n: Any
    u: Any
    gates: Any
    r: Any
    g_u: Any
    g_n: Any
    def __init__(self, p: _Weights, M: int, device): ...

def _step(p: _Weights, s: _Scratch, h: Tensor, action: Tensor) -> Tensor: ...

def _rollout_cost(p: _Weights, z0: Tensor, goal: Tensor, actions: Tensor, counts: Tensor, distance: str, penalty: RevisitPenalty | None=None) -> Tensor: ...

def _counts(reduce: str, steps: int, length: int, device) -> Tensor: ...

def _blocks(jepa, actions: Tensor, rows: int): ...

_KNOWN: Any

def _computes_as_known(jepa, p) -> bool: ...

def _fits(jepa) -> bool: ...

class Cost:
    penalty: Any
    unit: Any
    jepa: Any
    reduce: Any
    distance: Any
    start: Any
    goal: Any
    @typed
    def __init__(self, jepa, z0: Float[Tensor, 'E D'], z_goal: Float[Tensor, 'E D'], reduce: str='sum', distance: str='squared'): ...
    def __call__(self, actions: Tensor) -> Tensor: ...

class FastCost(Cost):
    rows: Any
    p: Any
    def __init__(self, *args, rows: int | None=None, **kwargs): ...
    @torch.inference_mode()
    @typed
    def __call__(self, actions: Float[Tensor, '{self.start.shape[0]} N T {self.p.A}'], counts=None) -> Float[Tensor, 'E N']: ...
    def _part(self, fused, owner, a, counts) -> Tensor: ...

def _extra(penalty: RevisitPenalty, h): ...

@typed
def make_cost(jepa, z0: Float[Tensor, 'E D'], z_goal: Float[Tensor, 'E D'], reduce: str='sum', distance: str='squared', rows: int | None=None) -> Cost: ...

@lru_cache
def _after(): ...

def _rollout_cost_fused(p: _Weights, z0, goal, actions, counts, distance: str, penalty: RevisitPenalty | None=None) -> Tensor: ...

class GraphedCost(FastCost):
    graphs: Any
    def __init__(self, *args, **kw): ...
    def iterate(self, search: CEM, noise, mean, std, *elites) -> Step: ...

def _cut(step: Step, T: int) -> Step: ...
