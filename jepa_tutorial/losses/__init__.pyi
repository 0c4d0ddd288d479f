# Made by scripts/api.py: the module as type checkers should see it, its patched methods inside their classes.
from typing import Any
import torch
from .variance_covariance import variance_loss as variance_loss
from .variance_covariance import covariance_loss as covariance_loss
from .time_similarity import time_similarity_loss as time_similarity_loss
from .inverse_dynamics import InverseDynamics as InverseDynamics
from .inverse_dynamics import inverse_dynamics_loss as inverse_dynamics_loss
from .objective import Projector as Projector
from .objective import Objective as Objective

__all__ = ['embedding_std', 'variance_loss', 'covariance_loss', 'time_similarity_loss', 'InverseDynamics', 'inverse_dynamics_loss', 'Projector', 'Objective']

def embedding_std(z: torch.Tensor) -> torch.Tensor: ...

_HOME: Any

_all_: Any
