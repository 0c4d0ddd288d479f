# Made by scripts/api.py: the module as type checkers should see it, its patched methods inside their classes.
from typing import Any
from dataclasses import dataclass
import torch
from jaxtyping import Float
from torch import Tensor
from jepa_tutorial.tools.checks import Pixels, typed
from .cem import CEM
from .cost import RevisitPenalty
from .fast import Cost

__all__ = ['SEARCHES', 'Replan', 'AgentOptions', 'Planner', 'Agent', 'build_planner', 'load_planner', 'published_planner', 'fast_planner']

@dataclass(frozen=True)
class Replan:
    execute_steps: int = 1
    warm_start: bool = False
    warm_sigma: float | None = None
    first_iterations: int | None = None
    shift_elites: bool = False
    def __post_init__(self): ...

@dataclass(frozen=True)
class AgentOptions:
    reduce: str = 'sum'
    distance: str = 'squared'
    stuck_noise: bool = False
    revisit_weight: float = 0.0
    revisit_width: float = 5.0
    scale: str = 'absolute'
    stop_within: float = 0.0
    def __post_init__(self): ...

@dataclass(frozen=True)
class Planner:
    search: CEM
    replan: Replan = Replan()
    options: AgentOptions = AgentOptions()
    def __post_init__(self): ...

class Agent:
    z_goal: Any
    plan: Any
    cost: Any
    last_image: Any
    unit: Any
    visited: Any
    model: Any
    search: Any
    replan: Any
    options: Any
    @typed
    def __init__(self, model, search: CEM, replan: Replan, goal_image: Pixels[Tensor, 'E C H W'], options: AgentOptions=AgentOptions()): ...
    @torch.no_grad()
    def see(self, image) -> Tensor: ...
    @typed
    def act(self, image: Pixels[Tensor, '{self.z_goal.shape[0]} C H W'], left: int, generator: torch.Generator) -> Float[Tensor, 'E k A']: ...
    def _update_cost(self, z) -> Cost: ...
    def _from_last(self) -> dict: ...
    def _unit(self, z) -> Tensor: ...
    def _stuck(self, image, actions, generator): ...
    def _penalty(self, cost: Cost) -> RevisitPenalty: ...
    def _stop(self, z, actions): ...

_UNSEEN: str

SEARCHES: Any

def build_planner(cfg) -> Planner: ...

def _plain(v): ...

def load_planner(name_or_path: str, *overrides: str) -> Planner: ...

def published_planner() -> Planner: ...

def fast_planner() -> Planner: ...
