# Made by scripts/api.py: the module as type checkers should see it, its patched methods inside their classes.
from typing import Any
from .cost import goal_cost as goal_cost
from .cost import goal_distance as goal_distance
from .cost import Hills as Hills
from .cem import CEM as CEM
from .cem import Plan as Plan
from .cem import Update as Update
from .cem import limit_norm as limit_norm
from .cem import smooth_noise as smooth_noise
from .mppi import MPPI as MPPI
from .mppi import build_planner as build_planner
from .mppi import load_planner as load_planner
from .mppi import published_planner as published_planner
from .mppi import fast_planner as fast_planner
from .fast import make_cost as make_cost
from .episodes import Tasks as Tasks
from .episodes import sample_tasks as sample_tasks
from .episodes import Episodes as Episodes
from .episodes import run_policy as run_policy
from .episodes import run_episodes as run_episodes
from .episodes import Agent as Agent
from .episodes import random_actions as random_actions
from .episodes import straight_line as straight_line
from .episodes import oracle as oracle
from .episodes import success_rate as success_rate

__all__ = ['goal_cost', 'goal_distance', 'Hills', 'CEM', 'Plan', 'Update', 'limit_norm', 'smooth_noise', 'MPPI', 'build_planner', 'load_planner', 'published_planner', 'fast_planner', 'make_cost', 'Tasks', 'sample_tasks', 'Episodes', 'run_policy', 'run_episodes', 'Agent', 'random_actions', 'straight_line', 'oracle', 'success_rate']

_HOME: Any
