# Made by scripts/api.py: the module as type checkers should see it, its patched methods inside their classes.
from typing import Any
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple
import torch
from jaxtyping import Bool, Float, Real, UInt8
from torch import Tensor
from jepa_tutorial.tools.checks import a_generator, checked, one_of, Precise, typed_or_empty
from ..tools.devices import float32

__all__ = ['GOAL_RADIUS', 'MAX_STEPS', 'Rooms', 'Layout', 'door_middle', 'require_rooms', 'require_draw', 'require_layout', 'require_on_floor', 'sample_layouts', 'is_blocked', 'blocked_unchecked', 'contact_point', 'move_unchecked', 'move', 'sample_free', 'sample_start_goal', 'draw_walls', 'paint_dots', 'render']

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

GOAL_RADIUS: float

MAX_STEPS: int

class Layout(NamedTuple):
    wall_x: Real[Tensor, '*B']
    door_y: Real[Tensor, '*B']

def door_middle(layout: Layout, like: Float[Tensor, '*S']) -> Float[Tensor, '*B 2']: ...

def _check_rooms(r): ...

def require_rooms(name: str, rooms: Any): ...

def require_draw(n: Any, rooms: Any, generator: Any, device: Any=None): ...

def _require_fit(position, layout, rooms, walls): ...

def require_layout(layout: Any, rooms: Any, shape=None, device=None): ...

def require_on_floor(name: str, value: Tensor, layout: Layout, rooms: Rooms): ...

def _on_grid(name, v, rooms): ...

def _check_margin(layout, margin, low, high, reach): ...

def sample_layouts(n: int, rooms: Rooms=Rooms(), fixed: bool=False, generator: torch.Generator | None=None, device=None) -> Layout: ...

def _rand(k, layout, generator): ...

class _Numbers(NamedTuple):
    middle: Tensor
    reach: Tensor
    half: Tensor
    opening: Tensor
    tiny: Tensor

@lru_cache(maxsize=32)
def _numbers(rooms, device, dtype): ...

@checked(rooms=require_rooms)
@typed_or_empty
def is_blocked(position: Precise[Tensor, '*B 2'], action: Precise[Tensor, '*B 2'], door: Precise[Tensor, '*#B 2'], rooms: Rooms=Rooms()) -> Bool[Tensor, '*B']: ...

def blocked_unchecked(position: Tensor, action: Tensor, door: Tensor, rooms: Rooms) -> Tensor: ...

def _meetings(position, action, door, rooms): ...

@checked(rooms=require_rooms)
@typed_or_empty
def contact_point(position: Precise[Tensor, '*B 2'], action: Precise[Tensor, '*B 2'], door: Precise[Tensor, '*#B 2'], rooms: Rooms=Rooms()) -> tuple[Tensor, Tensor]: ...

def _keep_free(position, side, layout, rooms, gap): ...

@float32()
def _bounce(position, action, layout, rooms, generator, noise=0.5, gap=0.3): ...

def move_unchecked(position: Tensor, action: Tensor, layout: Layout, rooms=Rooms(), contact='stop', generator=None) -> Tensor: ...

@checked(contact=one_of('stop', 'bounce'), generator=a_generator)
@typed_or_empty
def move(position: Precise[Tensor, '*B 2'], action: Precise[Tensor, '*B 2'], layout: Layout, rooms: Rooms=Rooms(), contact: str='stop', generator: torch.Generator | None=None) -> Precise[Tensor, '*B 2']: ...

@float32()
@checked(generator=a_generator)
def sample_free(layout: Layout, rooms: Rooms=Rooms(), margin: float=0.5, generator: torch.Generator | None=None) -> Precise[Tensor, '*B 2']: ...

@float32()
@checked(generator=a_generator)
def sample_start_goal(layout: Layout, rooms: Rooms=Rooms(), generator: torch.Generator | None=None, margin: float | None=None) -> tuple[Tensor, Tensor]: ...

def draw_walls(layout: Layout, rooms: Rooms=Rooms()) -> UInt8[Tensor, '*B H W']: ...

@checked(rooms=require_rooms)
@typed_or_empty
def paint_dots(canvas: UInt8[Tensor, 'M P'], position: Precise[Tensor, 'M 2'], rooms: Rooms=Rooms()): ...

@typed_or_empty
def render(position: Precise[Tensor, '*B 2'], layout: Layout, rooms: Rooms=Rooms(), walls: UInt8[Tensor, '... H W'] | None=None) -> UInt8[Tensor, '*B 2 H W']: ...
