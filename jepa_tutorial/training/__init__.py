"Training a model, probing it, rolling it out, refining it, and keeping it."
from .probing import *
from .checkpoints import *
from .learner import *
from .unrolling import *
from .refining import *
