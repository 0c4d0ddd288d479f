# Made by scripts/api.py: the module as type checkers should see it, its patched methods inside their classes.
from typing import Any
from collections.abc import Callable
from pathlib import Path
import torch
from omegaconf import DictConfig
from torch import Tensor
from ..tools.devices import float32
from ..model.jepa import JEPA
from jepa_tutorial.training.checkpoints import Trained
from .learner import Run
from .settings import RefineConfig

__all__ = ['STATE', 'encode_clips', 'Refiner', 'refine', 'train_stages']

@torch.no_grad()
def encode_clips(jepa: JEPA, cfg: RefineConfig, fixed_wall: bool=False, piece: int=32) -> tuple: ...

def _require(jepa, cfg): ...

def _excerpts(z, actions, n, length, generator): ...

class Refiner:
    fixed_wall: Any
    optimizer: Any
    generator: Any
    clips: Any
    before: Any
    cfg: Any
    jepa: Any
    updates: Any
    seconds: Any
    def __init__(self, trained: Trained, cfg: RefineConfig=RefineConfig(), fixed_wall: bool | None=None): ...
    @float32('cpu')
    def update(self) -> Tensor: ...
    def trained(self, loss: float) -> Trained: ...

@torch.inference_mode(False)
def refine(trained: Trained, cfg: RefineConfig=RefineConfig(), fixed_wall: bool | None=None, on_update: Callable | None=None, folder: str | Path | None=None, save_every: int=200) -> Trained: ...

STATE: str

def _origin(refiner: Refiner) -> list: ...

def _keep(refiner: Refiner, loss: float, folder: str | Path): ...

def _resume(refiner: Refiner, folder: str | Path) -> float: ...

def train_stages(cfg: DictConfig, out_dir: str | Path, callbacks=(), device: torch.device | str | None=None, progress: bool=True, on_update: Callable | None=None, **more) -> Run: ...

def _told(cfg: RefineConfig, progress: bool, on_update: Callable | None) -> Callable: ...
