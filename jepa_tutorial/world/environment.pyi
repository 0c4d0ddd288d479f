# Made by scripts/api.py: the module as type checkers should see it, its patched methods inside their classes.
from typing import Any
import gymnasium, numpy as np
from jaxtyping import Float
from torch import Tensor
from jepa_tutorial.world.two_rooms import MAX_STEPS, render, Rooms

__all__ = ['TwoRoomsEnv', 'TwoRoomsVectorEnv']

def _spaces(rooms): ...

def _picture(obs, goal): ...

def _xy(name, value, n): ...

def _given_layout(layout, n, rooms): ...

def _task(options, n, rooms, fixed, generator): ...

def _check_env(env): ...

def _wish(actions, n, max_norm) -> Float[Tensor, 'n 2']: ...

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
    terminate_on_success: Any
    task_generator: Any
    generator: Any
    steps: Any
    layout: Any
    position: Any
    goal: Any
    goal_image: Any
    done: Any
    num_envs: Any
    rooms: Any
    fixed: Any
    contact: Any
    max_steps: Any
    device: Any
    tensors: Any
    single_observation_space: Any
    single_action_space: Any
    observation_space: Any
    action_space: Any
    def __init__(self, num_envs: int=1, rooms: Rooms=Rooms(), fixed: bool=False, contact: str='stop', max_steps: int=MAX_STEPS, terminate_on_success: bool=False, device='cpu', tensors: bool=False): ...
    def _new(self, options=None): ...
    def _out(self, t): ...
    def _observe(self): ...
    def reset(self, *, seed=None, options=None): ...
    def _restart(self, fresh): ...
    def step(self, actions): ...
