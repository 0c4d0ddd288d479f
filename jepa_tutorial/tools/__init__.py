"What all parts share."
from .devices import *
from .config import load_config
