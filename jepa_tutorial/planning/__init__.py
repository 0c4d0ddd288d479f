"""Searching for actions inside the learned world; each name is imported from its module when it is first asked for."""

from importlib import import_module

_HOME = dict(goal_cost='cost', goal_distance='cost', Hills='cost', CEM='cem', Plan='cem', Update='cem', limit_norm='cem', smooth_noise='cem',
             MPPI='mppi', build_planner='mppi', load_planner='mppi', published_planner='mppi', fast_planner='mppi', make_cost='fast',
             Tasks='episodes', sample_tasks='episodes', Episodes='episodes', run_policy='episodes', run_episodes='episodes', Agent='episodes',
             random_actions='episodes', straight_line='episodes', oracle='episodes', success_rate='episodes')
__all__ = list(_HOME)

def __getattr__(name):
    "Import the module that holds `name` when `name` is first asked for."
    if name not in _HOME: raise AttributeError(f'jepa_tutorial.planning has no {name!r}; it has {", ".join(_HOME)}')
    return getattr(import_module(f'jepa_tutorial.planning.{_HOME[name]}'), name)

def __dir__(): return list(_HOME)
