# Made by scripts/api.py: the module as type checkers should see it, its patched methods inside their classes.
from typing import Any
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple
import torch

__all__ = ['GOAL_RADIUS', 'MAX_STEPS', 'Rooms', 'Layout', 'require_draw', 'sample_layouts', 'door_middle', 'is_blocked', 'contact_point', 'move_unchecked', 'require_vectors', 'require_layout', 'require_on_floor', 'move', 'sample_free', 'sample_start_goal', 'draw_walls', 'paint_dots', 'render']

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

def require_draw(n, rooms, generator, device=None): ...

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

def require_vectors(name, v, like=None): ...

def require_layout(layout, rooms, shape=None, device=None): ...

def _on_grid(name, v, rooms): ...

def require_on_floor(name, value, layout, rooms): ...

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
