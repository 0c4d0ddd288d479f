# Made by scripts/api.py: the module as type checkers should see it, its patched methods inside their classes.
from typing import Any
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple
import gymnasium, numpy as np, torch

__all__ = ['GOAL_RADIUS', 'MAX_STEPS', 'ENV_ID', 'Rooms', 'Layout', 'sample_layouts', 'door_middle', 'is_blocked', 'contact_point', 'move_unchecked', 'move', 'sample_free', 'sample_start_goal', 'draw_walls', 'paint_dots', 'render', 'limit_norm', 'TwoRoomsEnv', 'TwoRoomsVectorEnv', 'register']

@dataclass(frozen=True)
class Rooms:
    img_size: int = 65
    border: int = 5
    wall_width: int = 3
    door_space: int = 4
    wall_padding: int = 20
    door_padding: int = 10
    dot_std: float = 1.3
    max_norm: float = 2.45
    wall_x: int = 32
    door_y: int = 18
    def __post_init__(self): ...
    @property
    def low(self) -> int: ...
    @property
    def high(self) -> int: ...
    @property
    def half_wall(self) -> int: ...

def _check_rooms(r): ...

class Layout(NamedTuple):
    wall_x: torch.Tensor
    door_y: torch.Tensor

def _check_draw(n, rooms, generator, device=None): ...

def sample_layouts(n: int, rooms: Rooms=Rooms(), fixed: bool=False, generator: torch.Generator | None=None, device=None) -> Layout: ...

def door_middle(layout: Layout, like: torch.Tensor) -> torch.Tensor: ...

class _Numbers(NamedTuple):
    middle: torch.Tensor
    reach: torch.Tensor
    half: torch.Tensor
    opening: torch.Tensor
    tiny: torch.Tensor

@lru_cache(maxsize=32)
def _numbers(rooms, device, dtype): ...

def is_blocked(position: torch.Tensor, action: torch.Tensor, door: torch.Tensor, rooms: Rooms=Rooms()) -> torch.Tensor: ...

def _meetings(position, action, door, rooms): ...

def contact_point(position: torch.Tensor, action: torch.Tensor, door: torch.Tensor, rooms: Rooms=Rooms()) -> tuple[torch.Tensor, torch.Tensor]: ...

def _keep_free(position, side, layout, rooms, gap): ...

def _bounce(position, action, layout, rooms, generator, noise=0.5, gap=0.3): ...

def move_unchecked(position, action, layout, rooms=Rooms(), contact='stop', generator=None): ...

def _check_vectors(name, v, like=None): ...

def _check_layout(layout, rooms, shape=None, device=None): ...

def _on_grid(name, v, rooms): ...

def move(position: torch.Tensor, action: torch.Tensor, layout: Layout, rooms: Rooms=Rooms(), contact: str='stop', generator: torch.Generator | None=None) -> torch.Tensor: ...

def _rand(k, layout, generator): ...

def sample_free(layout: Layout, rooms: Rooms=Rooms(), margin: float=0.5, generator: torch.Generator | None=None) -> torch.Tensor: ...

def _check_margin(layout, margin, low, high, reach): ...

def sample_start_goal(layout: Layout, rooms: Rooms=Rooms(), generator: torch.Generator | None=None, margin: float | None=None) -> tuple[torch.Tensor, torch.Tensor]: ...

def draw_walls(layout: Layout, rooms: Rooms=Rooms()) -> torch.Tensor: ...

def paint_dots(canvas: torch.Tensor, position: torch.Tensor, rooms: Rooms=Rooms()): ...

def render(position: torch.Tensor, layout: Layout, rooms: Rooms=Rooms(), walls: torch.Tensor | None=None) -> torch.Tensor: ...

GOAL_RADIUS: float

MAX_STEPS: int

def limit_norm(action: torch.Tensor, max_norm: float) -> torch.Tensor: ...

def _spaces(rooms): ...

def _picture(obs, goal): ...

def _xy(name, value, n): ...

def _given_layout(layout, n, rooms): ...

def _place(name, value, layout, rooms): ...

def _task(options, n, rooms, fixed, generator): ...

def _check_env(env): ...

def _wish(actions, n, max_norm) -> torch.Tensor: ...

class TwoRoomsEnv(gymnasium.Env):
    metadata: Any
    generator: Any
    goal_image: Any
    position: Any
    steps: Any
    rooms: Any
    fixed: Any
    contact: Any
    max_steps: Any
    terminate_on_success: Any
    render_mode: Any
    observation_space: Any
    action_space: Any
    layout: Any
    goal: Any
    walls: Any
    def __init__(self, rooms: Rooms=Rooms(), fixed: bool=False, contact: str='stop', max_steps: int=MAX_STEPS, terminate_on_success: bool=False, render_mode: str | None=None): ...
    def render(self): ...
    def _see(self, position): ...
    def _observe(self) -> tuple[np.ndarray, dict]: ...
    def reset(self, *, seed=None, options=None): ...
    def step(self, action): ...

class TwoRoomsVectorEnv(gymnasium.vector.VectorEnv):
    metadata: Any
    chance: Any
    generator: Any
    steps: Any
    layout: Any
    position: Any
    done: Any
    num_envs: Any
    rooms: Any
    fixed: Any
    contact: Any
    max_steps: Any
    terminate_on_success: Any
    device: Any
    tensors: Any
    single_observation_space: Any
    single_action_space: Any
    observation_space: Any
    action_space: Any
    goal: Any
    goal_image: Any
    def __init__(self, num_envs: int=1, rooms: Rooms=Rooms(), fixed: bool=False, contact: str='stop', max_steps: int=MAX_STEPS, terminate_on_success: bool=False, device='cpu', tensors: bool=False): ...
    def _new(self, options=None): ...
    def _out(self, t): ...
    def _observe(self): ...
    def reset(self, *, seed=None, options=None): ...
    def _restart(self, fresh): ...
    def step(self, actions): ...

ENV_ID: str

def register(): ...
