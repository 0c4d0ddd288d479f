"What looks at answers to exercises."
from .verdict import *
from .world import *
from .model import *
from .losses import *
from .training import *
from .planning import *
from .results import *
from .appendix import *
