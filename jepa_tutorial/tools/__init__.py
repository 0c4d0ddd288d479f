"What all parts share; a name is loaded when it is asked for, as PyTorch takes a second or two."
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from .devices import (
        amp_dtype, as_device, autocast, can_compile, can_graph, constant, CudaGraph, device,
        device_name, float32, IN_TEST, rng, seed_all
    )
    from .config import load_config

__all__ = ['amp_dtype', 'as_device', 'autocast', 'can_compile', 'can_graph', 'constant',
           'CudaGraph', 'device', 'device_name', 'float32', 'IN_TEST', 'rng', 'seed_all',
           'load_config']

def __getattr__(name: str):
    if name not in __all__: raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    if name == 'load_config':
        from .config import load_config
        return load_config
    import jepa_tutorial.tools.devices as devices
    return getattr(devices, name)
